//! What the machine did to the samples, kept apart from what the query did.
//!
//! A query is over its budget only where it would be so with a processor always
//! free. Where the server runs on this machine, the scheduler's own figures
//! tell: the time its process, or the client, was ready to run and got no
//! processor. Elsewhere the reference statement, which does nothing, has to.

use super::record::Latencies;
use crate::load::{Client, Endpoint, ProcessorTime, Schedstat};
use crate::project::budget::TimeMetric;
use crate::stats::quantile::quantile;
use std::time::Duration;

/// The scheduler's figures of a connection's two ends.
#[derive(Debug)]
pub(crate) struct Ends {
    client: Schedstat,
    backend: Schedstat,
}

/// Both ends' time at a moment, or between two.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EndTimes {
    client: ProcessorTime,
    backend: ProcessorTime,
}

impl Ends {
    /// Of a client and its server process, where both run here.
    pub(crate) fn of(client: &Client, endpoint: &Endpoint) -> Option<Self> {
        let is_here = endpoint.is_this_machine();
        let backend = is_here.then(|| Schedstat::of_backend(client.backend_pid()))??;
        Some(Self { client: Schedstat::of_this_thread()?, backend })
    }

    /// Their time so far.
    pub(crate) fn so_far(&self) -> Option<EndTimes> {
        Some(EndTimes { client: self.client.so_far()?, backend: self.backend.so_far()? })
    }
}

impl EndTimes {
    /// Whether the server process has run since; one that has not is not the one that answered.
    pub(crate) fn backend_ran_since(&self, earlier: &Self) -> bool {
        self.backend.running > earlier.backend.running
    }

    /// The least that an execution of this latency would have taken with a
    /// processor always free, when this passed between `earlier` and now.
    pub(crate) fn unhindered(&self, earlier: &Self, latency: Duration) -> Duration {
        least(latency, self.backend - earlier.backend, self.client - earlier.client)
    }
}

/// Nothing is done while the server's process waits. While the client waits the
/// server may be at work, as on a processor that both share: so what the server
/// worked is never taken off.
fn least(latency: Duration, backend: ProcessorTime, client: ProcessorTime) -> Duration {
    let most = latency.saturating_sub(backend.waiting);
    most.saturating_sub(client.waiting).max(backend.running).min(most)
}

/// By how much the reference statement exceeds its own median at this
/// statistic, in microseconds. The server's own times are taken without it.
pub(crate) fn reference_delay_us(metric: TimeMetric, ping: &Latencies) -> f64 {
    let sorted = ping.sorted();
    let statistic = match metric {
        TimeMetric::Planning | TimeMetric::Execution => None,
        TimeMetric::Avg => (!sorted.is_empty()).then(|| sorted.iter().sum::<f64>() / sorted.len() as f64),
        _ => super::budget::percentile(metric).and_then(|p| quantile(&sorted, p)),
    };
    statistic.zip(quantile(&sorted, 0.5)).map_or(0.0, |(at, median)| (at - median).max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_is_taken_off_and_work_is_not() {
        let us = Duration::from_micros;
        let time = |running, waiting| ProcessorTime { running: us(running), waiting: us(waiting) };
        for (latency, backend, client, expected, what) in [
            (100, time(60, 0), time(10, 0), 100, "nobody waited"),
            (900, time(60, 800), time(10, 0), 100, "the server had no processor"),
            (900, time(60, 0), time(10, 800), 100, "the client had none"),
            (75, time(66, 0), time(5, 70), 66, "the client waited while the server worked in its place"),
            (75, time(150, 0), time(5, 70), 75, "work accounted late is not of this execution"),
            (5_000, time(60, 0), time(10, 0), 5_000, "a lock or a disk is the query's own"),
            (100, time(60, 300), time(10, 300), 0, "figures that cannot be blame nobody"),
        ] {
            assert_eq!(least(us(latency), backend, client), us(expected), "{what}");
        }
    }
}
