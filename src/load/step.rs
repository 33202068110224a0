//! A rate with everything its slices came to.

use super::slice::{Limit, Slice, SliceRecord};
use crate::stats::histogram::{HIGHEST, LatencyHistogram};
use std::collections::BTreeMap;

/// One rate, as it grows.
#[derive(Debug, Clone, Default)]
pub struct Step {
    /// Requests due per second.
    pub rate: f64,
    /// In the order in which they ran.
    pub slices: Vec<Slice>,
    /// From when a request was due; what was never sent counts as the longest there is, what
    /// failed is not in it.
    pub latency: LatencyHistogram,
    /// From when a request was sent.
    pub service: LatencyHistogram,
    /// How late the generator itself was.
    pub lateness: LatencyHistogram,
    /// The latency of each query.
    pub queries: Vec<LatencyHistogram>,
    /// The first message of each SQLSTATE.
    pub messages: BTreeMap<[u8; 5], String>,
}

impl Step {
    /// A rate without slices.
    #[must_use]
    pub fn new(rate: f64, queries: usize) -> Self {
        Self { rate, queries: vec![LatencyHistogram::new(); queries], ..Self::default() }
    }

    /// Takes a slice in.
    pub fn add(&mut self, record: &SliceRecord, limits: &[Limit]) {
        self.slices.push(Slice::of(record, limits));
        for one in record.judged() {
            if one.was_awaited {
                self.lateness.record(one.lateness());
            }
            if one.failure.is_none() {
                self.latency.record(one.latency());
                self.service.record(one.service());
                self.queries[one.query].record(one.latency());
            }
        }
        for (query, _) in record.judged_drops() {
            self.latency.record(HIGHEST * 2);
            self.queries[*query].record(HIGHEST * 2);
        }
        for (sqlstate, message) in &record.messages {
            self.messages.entry(*sqlstate).or_insert_with(|| message.clone());
        }
    }
}
