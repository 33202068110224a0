//! What did this migration do to the plans, counters and timings of every query?
//!
//! Pure: `diff` (two plan trees), `compare` (two executions' counters),
//! `verdict`, `findings`. Input and output: `sides` (clones), `capture`
//! (plans), `results` (rows), `timing` and `measure` (times), `run`.

/// Which statement made the difference.
pub mod attribution;
/// A query's plans and counters on both sides.
pub mod capture;
/// What is executed.
pub mod cases;
/// What else moves a plan.
pub mod choices;
/// Deterministic counters of two executions.
pub mod compare;
/// Every case on both sides.
pub mod comparison;
/// What lies behind the changes.
pub mod deepen;
/// Two plan trees.
pub mod diff;
/// What is wrong, in words.
pub mod findings;
/// Without clones.
pub mod kept;
/// Times until they are decided.
pub mod measure;
/// Backends on one processor.
pub mod pinning;
/// Rows of both sides.
pub mod results;
/// Plan checks.
pub mod rules;
mod run;
/// The clones.
pub mod sides;
/// Times of one unit.
pub mod timing;
/// What a change touched.
pub mod touched;
/// The migration under traffic.
pub mod under_load;
/// What became of a query.
pub mod verdict;
/// What indexes cost a writer.
pub mod write_cost;
/// From what was found to the report.
pub mod write_report;

pub use run::{Options, run};
