//! The four questions. Each scenario detects and decides in pure code and does
//! its input and output in its `run.rs`. No scenario imports another.

pub mod deadlock;
pub mod n_plus_one;
pub mod regression;
pub mod slow_queries;

impl From<crate::stats::Interval> for crate::model::Interval {
    fn from(interval: crate::stats::Interval) -> Self {
        Self { low: interval.low, high: interval.high, confidence: interval.confidence }
    }
}
