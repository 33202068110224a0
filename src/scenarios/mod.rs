//! The four questions. Each scenario detects and decides in pure code and does
//! its input and output in its `run.rs`. No scenario imports another.

pub mod deadlock;
pub mod n_plus_one;
pub mod regression;
pub mod slow_queries;
