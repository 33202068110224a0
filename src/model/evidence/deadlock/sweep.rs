//! Deadlocks under several values of a setting.

use super::{DeadlockTrial, LatencySummary};

/// Detection at one value of `deadlock_timeout`.
#[derive(Debug, Clone, PartialEq)]
pub struct TimeoutPoint {
    /// The spec.
    pub spec: String,
    /// The setting, in microseconds.
    pub deadlock_timeout_us: f64,
    /// The repetitions.
    pub trials: Vec<DeadlockTrial>,
}

/// Concurrent workers on a few hot rows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ContentionPoint {
    /// The spec.
    pub spec: String,
    /// How many sessions ran transactions at the same time.
    pub workers: u32,
    /// How many rows they shared; 0 where the spec's rows cannot be chosen.
    pub hot_rows: u32,
    /// Whether rows were locked in one order.
    pub ordered: bool,
    /// `deadlock_timeout` of the workers, in microseconds.
    pub deadlock_timeout_us: f64,
    /// How long, in seconds.
    pub duration_s: f64,
    /// Transactions committed.
    pub committed: u64,
    /// Transactions that failed with 40P01.
    pub deadlocks: u64,
    /// Attempts beyond the first.
    pub retries: u64,
    /// Attempts that failed with anything else.
    pub failures: u64,
    /// From a transaction's first attempt to its commit.
    pub latency: LatencySummary,
}
