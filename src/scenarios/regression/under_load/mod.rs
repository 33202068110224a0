//! The migration itself, while others read and write: which locks it takes,
//! who queues behind it, how long they stall, what it rewrites.
//!
//! Pure: `safer` (safer forms of a statement), `stalls` (operations against
//! the window of a statement), `findings`. Input and output: `traffic`,
//! `watch`, `ladder`, `run`.

/// What it did to others, in words.
pub mod findings;
/// How durations grow with the data.
pub mod ladder;
mod run;
/// Safer forms of a statement.
pub mod safer;
/// How long others stalled.
pub mod stalls;
mod traffic;
mod watch;

pub use run::{Migration, Options, run};
