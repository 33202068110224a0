//! What a slice of a load came to: pure arithmetic over the requests served.

use crate::stats::quantile::{quantile, sort};
use std::collections::BTreeMap;
use std::time::Duration;

/// This share of a slice, at its beginning, is executed but not judged by its
/// latency: there the queue is still emptier than it will be.
pub const LEAD_IN: f64 = 0.1;

/// A request that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Served {
    /// Which query of the workload.
    pub query: usize,
    /// When it was due, from the beginning of the slice.
    pub due: Duration,
    /// When it was sent.
    pub sent: Duration,
    /// When its last reply was in.
    pub finished: Duration,
    /// Whether a connection waited for it: then being sent late is the generator's own doing.
    pub was_awaited: bool,
    /// The SQLSTATE of the error it ended with.
    pub failure: Option<[u8; 5]>,
}

impl Served {
    /// From when it was due: what a user would have waited.
    #[must_use]
    pub fn latency(&self) -> Duration {
        self.finished.saturating_sub(self.due)
    }

    /// From when it was sent: what a closed loop sees.
    #[must_use]
    pub fn service(&self) -> Duration {
        self.finished.saturating_sub(self.sent)
    }

    /// How late the generator was by its own fault.
    #[must_use]
    pub fn lateness(&self) -> Duration {
        if self.was_awaited { self.sent.saturating_sub(self.due) } else { Duration::ZERO }
    }
}

/// Everything recorded in one slice.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SliceRecord {
    /// Where in the run it began.
    pub began: Duration,
    /// How long requests were due.
    pub length: Duration,
    /// What was sent, in any order.
    pub served: Vec<Served>,
    /// What was never sent because every connection was busy until the end: query and when it was due.
    pub dropped: Vec<(usize, Duration)>,
    /// The first message of each SQLSTATE.
    pub messages: BTreeMap<[u8; 5], String>,
    /// Processor time of the generator.
    pub generator_cpu: Duration,
}

/// A limit on a percentile of the latency.
#[derive(Debug, Clone, PartialEq)]
pub struct Limit {
    /// As written.
    pub text: String,
    /// Which query of the workload; `None`: all requests together.
    pub query: Option<usize>,
    /// The percentile as a share, 0.95.
    pub quantile: f64,
    /// Latencies from here on are too long.
    pub latency: Duration,
}

/// How many requests a limit was asked of, and how many were too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LimitCount {
    /// Requests due after the lead-in.
    pub requests: u64,
    /// Too long, failed or never sent.
    pub over: u64,
    /// The same without what the generator's own lateness added.
    pub over_without_generator: u64,
}

/// A slice in figures.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Slice {
    /// Where in the run it began, in seconds.
    pub began_s: f64,
    /// How long requests were due, in seconds.
    pub length_s: f64,
    /// Requests due.
    pub due: u64,
    /// Requests answered without an error.
    pub completed: u64,
    /// Answered without an error while requests were due.
    pub completed_in_time: u64,
    /// Requests that found every connection busy.
    pub queued: u64,
    /// Requests never sent.
    pub dropped: u64,
    /// Errors by SQLSTATE.
    pub errors: BTreeMap<[u8; 5], u64>,
    /// Requests due in the second half, and requests finished in it.
    pub second_half: (u64, u64),
    /// By limit.
    pub limits: Vec<LimitCount>,
    /// Percentiles 50, 95 and 99 of the latency, in microseconds.
    pub percentiles_us: Option<[f64; 3]>,
    /// 99th percentile of the generator's own lateness, in microseconds.
    pub lateness_p99_us: f64,
    /// Processors the generator kept busy.
    pub generator_cpus: f64,
}

impl Slice {
    /// The figures of a record.
    #[must_use]
    pub fn of(record: &SliceRecord, limits: &[Limit]) -> Self {
        let served = &record.served;
        let length_s = record.length.as_secs_f64();
        let middle = record.length / 2;
        let in_second_half = |at: Duration| at >= middle && at < record.length;
        let due = served.iter().map(|one| one.due).chain(record.dropped.iter().map(|(_, due)| *due));
        let mut errors = BTreeMap::new();
        for sqlstate in served.iter().filter_map(|one| one.failure) {
            *errors.entry(sqlstate).or_default() += 1;
        }
        let completed = || served.iter().filter(|one| one.failure.is_none());
        Self {
            began_s: record.began.as_secs_f64(),
            length_s,
            due: (served.len() + record.dropped.len()) as u64,
            completed: completed().count() as u64,
            completed_in_time: completed().filter(|one| one.finished < record.length).count() as u64,
            queued: (served.iter().filter(|one| !one.was_awaited).count() + record.dropped.len()) as u64,
            dropped: record.dropped.len() as u64,
            errors,
            second_half: (
                due.filter(|due| in_second_half(*due)).count() as u64,
                served.iter().filter(|one| in_second_half(one.finished)).count() as u64,
            ),
            limits: limits.iter().map(|limit| count(record, limit)).collect(),
            percentiles_us: percentiles_us(record),
            lateness_p99_us: lateness_p99_us(served),
            generator_cpus: record.generator_cpu.as_secs_f64() / length_s.max(1e-9),
        }
    }
}

impl SliceRecord {
    /// Where the lead-in ends.
    #[must_use]
    pub fn lead_in(&self) -> Duration {
        self.length.mul_f64(LEAD_IN)
    }

    /// What is judged by its latency.
    pub fn judged(&self) -> impl Iterator<Item = &Served> {
        let from = self.lead_in();
        self.served.iter().filter(move |one| one.due >= from)
    }

    /// The same of what was never sent.
    pub fn judged_drops(&self) -> impl Iterator<Item = &(usize, Duration)> {
        let from = self.lead_in();
        self.dropped.iter().filter(move |(_, due)| *due >= from)
    }
}

fn count(record: &SliceRecord, limit: &Limit) -> LimitCount {
    let mut count = LimitCount::default();
    let is_asked = |query: usize| limit.query.is_none_or(|only| only == query);
    for one in record.judged().filter(|one| is_asked(one.query)) {
        let failed = one.failure.is_some();
        let without = one.latency().saturating_sub(one.lateness());
        count.requests += 1;
        count.over += u64::from(failed || one.latency() >= limit.latency);
        count.over_without_generator += u64::from(failed || without >= limit.latency);
    }
    let dropped = record.judged_drops().filter(|(query, _)| is_asked(*query)).count() as u64;
    LimitCount {
        requests: count.requests + dropped,
        over: count.over + dropped,
        over_without_generator: count.over_without_generator + dropped,
    }
}

/// A request that was never sent has waited for ever; failures say nothing about time.
fn percentiles_us(record: &SliceRecord) -> Option<[f64; 3]> {
    let answered = record.judged().filter(|one| one.failure.is_none());
    let mut latencies: Vec<f64> = answered.map(|one| one.latency().as_secs_f64() * 1e6).collect();
    latencies.extend(record.judged_drops().map(|_| f64::INFINITY));
    sort(&mut latencies);
    let at = |p| quantile(&latencies, p).map(|value| if value.is_nan() { f64::INFINITY } else { value });
    Some([at(0.5)?, at(0.95)?, at(0.99)?])
}

fn lateness_p99_us(served: &[Served]) -> f64 {
    let mut all: Vec<f64> =
        served.iter().filter(|one| one.was_awaited).map(|one| one.lateness().as_secs_f64() * 1e6).collect();
    sort(&mut all);
    quantile(&all, 0.99).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn served(due: u64, sent: u64, finished: u64, was_awaited: bool) -> Served {
        Served { query: 0, due: ms(due), sent: ms(sent), finished: ms(finished), was_awaited, failure: None }
    }

    fn limit(query: Option<usize>) -> Limit {
        Limit { text: "p95 < 10ms".into(), query, quantile: 0.95, latency: ms(10) }
    }

    #[test]
    fn latency_counts_from_when_a_request_was_due() {
        let one = served(100, 130, 135, false);
        assert_eq!((one.latency(), one.service(), one.lateness()), (ms(35), ms(5), Duration::ZERO));
        let awaited = served(100, 130, 135, true);
        assert_eq!(awaited.lateness(), ms(30));
    }

    #[test]
    fn what_is_over_the_limit_failed_late_or_never_sent_is_told_apart() {
        let record = SliceRecord {
            length: ms(1000),
            served: vec![
                served(50, 50, 950, true),    // lead-in: not judged
                served(200, 200, 205, true),  // kept
                served(300, 300, 310, true),  // exactly the limit: over
                served(400, 450, 455, true),  // the generator's fault
                served(500, 550, 555, false), // queued
                Served { failure: Some(*b"40P01"), ..served(600, 600, 601, true) },
            ],
            dropped: vec![(0, ms(20)), (0, ms(700)), (1, ms(800))],
            ..SliceRecord::default()
        };
        let slice = Slice::of(&record, &[limit(None), limit(Some(0)), limit(Some(1))]);
        let counts: Vec<_> =
            slice.limits.iter().map(|l| (l.requests, l.over, l.over_without_generator)).collect();
        assert_eq!(counts, [(7, 6, 5), (6, 5, 4), (1, 1, 1)]);
        assert_eq!((slice.due, slice.completed, slice.queued, slice.dropped), (9, 5, 4, 3));
        assert_eq!(slice.errors, BTreeMap::from([(*b"40P01", 1)]));
        // Due: 500, 600, 700, 800; finished: 555, 601 and the one of the lead-in.
        assert_eq!(slice.second_half, (4, 3));
        assert_eq!(slice.percentiles_us.unwrap()[2], f64::INFINITY);
    }

    /// A server that stands still for 100 ms delays everything due meanwhile, though only one
    /// request was in it: a closed loop would have seen that one alone.
    #[test]
    fn a_stall_shows_in_the_99th_percentile_of_what_was_due() {
        let stall = 400..500;
        let mut free = 0;
        let all: Vec<Served> = (0..500)
            .map(|nth| {
                let due = 2 * nth;
                let sent = free.max(due);
                let begin = if stall.contains(&sent) { 500 } else { sent };
                free = begin + 1;
                served(due, sent, free, sent == due)
            })
            .collect();
        let record = SliceRecord { length: ms(1000), served: all, ..SliceRecord::default() };
        let slice = Slice::of(&record, &[limit(None)]);
        assert!(slice.percentiles_us.unwrap()[2] > 90_000.0, "{:?}", slice.percentiles_us);
        let long_service = record.served.iter().filter(|one| one.service() > ms(10)).count();
        assert_eq!(long_service, 1, "a closed loop sees one slow answer in five hundred");
        assert!((80..110).contains(&slice.limits[0].over), "{:?}", slice.limits);
    }
}
