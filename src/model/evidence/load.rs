//! Evidence of `load`: every rate that was offered, what came back, and the
//! line between the rates that hold and those that break.

use crate::model::{Interval, Verdict};

/// Everything a reader may want to see behind the line.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LoadEvidence {
    /// The volume it ran against.
    pub volume: String,
    /// `open`: requests are due at a rate whatever the server does, and latency counts from then;
    /// `closed`: clients wait for answers, and only service time is known.
    pub loop_kind: &'static str,
    /// `poisson`, `uniform`, or `back to back`.
    pub pacing: &'static str,
    /// Connections, all sharing one queue; the clients of a closed loop.
    pub connections: usize,
    /// What was executed.
    pub queries: Vec<LoadQuery>,
    /// What had to hold.
    pub limits: Vec<LoadLimit>,
    /// How rates were decided.
    pub decision: LoadDecision,
    /// Every rate, slowest first.
    pub steps: Vec<LoadStep>,
    /// The bracket; `None` where one rate or a closed loop was asked for.
    pub line: Option<LoadLine>,
    /// The rate that has to hold, per second.
    pub at_least: Option<f64>,
}

/// How rates were decided: stated, so that a reader can check it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LoadDecision {
    /// Confidence of the statement about one rate.
    pub confidence: f64,
    /// Slices before a rate is decided.
    pub slices_min: usize,
    /// Slices after which it stays open.
    pub slices_max: usize,
    /// The least length of a slice, in seconds.
    pub slice_s: f64,
    /// The share of each slice that is not judged, at its beginning.
    pub lead_in: f64,
}

/// One query of the load.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadQuery {
    /// Its name.
    pub query: String,
    /// Its share of the requests, 0 to 1.
    pub share: f64,
    /// Whether it writes, so that it ran in transactions rolled back.
    pub writes: bool,
    /// How many parameter sets took turns.
    pub parameter_sets: usize,
}

/// A limit on a percentile of the latency.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadLimit {
    /// As written.
    pub text: String,
    /// Which query it is about; `None`: all requests.
    pub query: Option<String>,
    /// The percentile as a share, 0.95.
    pub quantile: f64,
    /// In microseconds.
    pub limit_us: f64,
    /// `asked`, `project` or `default`: who set it.
    pub origin: &'static str,
}

/// One rate.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LoadStep {
    /// Requests due per second; for a closed loop what was finished.
    pub offered_per_s: f64,
    /// `holds`, `breaks`, `generator-bound` or `open`; `measured` for a closed loop.
    pub outcome: &'static str,
    /// What that rests on, or what would decide it.
    pub because: String,
    /// Requests due, all slices.
    pub due: u64,
    /// Requests answered without an error.
    pub completed: u64,
    /// Requests that found every connection busy, and so waited before they were sent.
    pub queued: u64,
    /// Requests never sent: every connection was busy until the end of the slice.
    pub dropped: u64,
    /// Errors: SQLSTATE, how many, the first message.
    pub errors: Vec<(String, u64, String)>,
    /// Answered per second while requests were due.
    pub completed_per_s: f64,
    /// Requests finished over requests due in the second half of the slices.
    pub followed: Option<Interval>,
    /// From when a request was due until its answer; of a closed loop from when it was sent.
    pub latency: Option<LoadLatency>,
    /// From when a request was sent until its answer.
    pub service: Option<LoadLatency>,
    /// 99th percentile of how late the generator itself sent requests, in microseconds.
    pub lateness_p99_us: f64,
    /// Share of this machine's processors that the generator kept busy.
    pub generator_cpu_share: f64,
    /// Share of the requests over each limit, in the limits' order.
    pub over: Vec<LoadOver>,
    /// Latency of each query, in the queries' order.
    pub queries: Vec<Option<LoadLatency>>,
    /// In the order in which they ran.
    pub slices: Vec<LoadSlice>,
}

/// A distribution in short, in microseconds. Figures that requests without an answer reach into
/// are not finite.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LoadLatency {
    /// Requests.
    pub samples: u64,
    /// Mean of the answered ones.
    pub avg_us: f64,
    /// Median.
    pub p50_us: f64,
    /// 90th percentile.
    pub p90_us: f64,
    /// 95th percentile.
    pub p95_us: f64,
    /// 99th percentile.
    pub p99_us: f64,
    /// Largest.
    pub max_us: f64,
}

/// How many requests were over a limit.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadOver {
    /// Their share, 0 to 1: too long, failed, or never sent.
    pub share: f64,
    /// Its bounds.
    pub interval: Interval,
}

/// One slice of a rate.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LoadSlice {
    /// When in the run it began, in seconds.
    pub began_s: f64,
    /// How long requests were due, in seconds.
    pub length_s: f64,
    /// Median latency, in microseconds.
    pub p50_us: f64,
    /// 95th percentile.
    pub p95_us: f64,
    /// 99th percentile.
    pub p99_us: f64,
    /// Answered per second while requests were due.
    pub completed_per_s: f64,
}

/// The bracket around the line.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadLine {
    /// The highest rate that surely holds, per second.
    pub holds_per_s: Option<f64>,
    /// The part of it that was surely served, per second.
    pub sustained_per_s: Option<f64>,
    /// The lowest rate that surely breaks.
    pub breaks_per_s: Option<f64>,
    /// The lowest rate that the generator could not offer well enough to tell.
    pub generator_bound_per_s: Option<f64>,
    /// What breaks there.
    pub because: String,
    /// Of the rate that has to hold, where there is one.
    pub verdict: Verdict,
}
