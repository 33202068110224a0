//! What did this migration do to the plans, counters and timings of every query?

/// Deterministic counters of two executions.
pub mod compare;
/// Two plan trees.
pub mod diff;
/// What became of a query.
pub mod verdict;
