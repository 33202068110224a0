//! Each scenario's own evidence: typed detail for tables and pictures.

pub mod data;
pub mod deadlock;
pub mod load;
pub mod n_plus_one;
pub mod regression;
mod series;
pub mod slow_queries;

pub use series::{LatencyBucket, LatencySeries, LatencySpan};

/// The detail of one scenario's report.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Evidence {
    /// The scenario did not run.
    #[default]
    None,
    /// Of `slow-queries`.
    SlowQueries(slow_queries::SlowQueriesEvidence),
    /// Of `regression`.
    Regression(Box<regression::RegressionEvidence>),
    /// Of `deadlock`.
    Deadlock(deadlock::DeadlockEvidence),
    /// Of `n-plus-one`.
    NPlusOne(n_plus_one::NPlusOneEvidence),
    /// Of `load`.
    Load(load::LoadEvidence),
}
