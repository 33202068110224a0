//! What a deadlock costs, measured.

use crate::model::evidence::LatencySeries;

/// What a deadlocking order costs, over several repetitions.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DeadlockCost {
    /// One per repetition.
    pub trials: Vec<DeadlockTrial>,
    /// A point query of an uninvolved session, with its percentiles before, during and after.
    pub bystander: Option<Bystander>,
}

/// One repetition of a deadlocking order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DeadlockTrial {
    /// `deadlock_timeout` of the sessions, in microseconds.
    pub deadlock_timeout_us: f64,
    /// From the cycle's closing (the last wait's start, by the server's clock) to the error.
    pub detection_us: f64,
    /// What the rule gives: the first timer (a wait's start plus `deadlock_timeout`) to fire after
    /// the cycle has closed, counted from its closing.
    pub predicted_us: f64,
    /// The session that failed.
    pub victim_session: String,
    /// The session whose timer fires first by the rule.
    pub predicted_victim_session: String,
    /// Time from the victim's first step to its error: work that is lost.
    pub lost_work_us: f64,
    /// Time from the victim's error until the last survivor's blocked step was done.
    pub survivor_delay_us: f64,
    /// Whether the victim's transaction succeeded when it was run again.
    pub retry_succeeded: bool,
    /// How many attempts that took.
    pub retry_attempts: u32,
    /// From the error to the end of the successful attempt.
    pub retry_us: f64,
    /// Locks not granted when the cycle closed.
    pub locks_queued: u64,
}

/// An uninvolved session's latencies.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Bystander {
    /// What it executes.
    pub statement: String,
    /// Before any cycle.
    pub before: LatencySummary,
    /// From the cycle's closing to its end.
    pub during: LatencySummary,
    /// Afterwards.
    pub after: LatencySummary,
    /// All of it over time; the spans are the closed cycles, each until the server ended it.
    pub series: LatencySeries,
}

/// Percentiles of a latency.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LatencySummary {
    /// How many executions.
    pub samples: u64,
    /// Median, in microseconds.
    pub p50_us: f64,
    /// 99th percentile, in microseconds.
    pub p99_us: f64,
    /// Largest, in microseconds.
    pub max_us: f64,
}
