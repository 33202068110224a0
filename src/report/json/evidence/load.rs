//! The published form of the evidence of `load`.

use super::super::mirror::{Mirror, Real};
use super::super::run::{Bounds, VerdictEntry};
use crate::model::evidence::load::{
    LoadDecision, LoadEvidence, LoadLatency, LoadLimit, LoadLine, LoadOver, LoadQuery, LoadSlice, LoadStep,
};

mirror! {
    /// Everything a reader may want to see behind the line.
    struct LoadEvidenceEntry of LoadEvidence {
        /// The volume it ran against.
        volume: String,
        /// `open`: requests are due at a rate whatever the server does, and latency counts from then;
        /// `closed`: clients wait for answers, and only service time is known.
        loop_kind: String,
        /// `poisson`, `uniform`, or `back to back`.
        pacing: String,
        /// Connections, all sharing one queue; the clients of a closed loop.
        connections: usize,
        /// What was executed.
        queries: Vec<LoadQueryEntry>,
        /// What had to hold.
        limits: Vec<LoadLimitEntry>,
        /// How rates were decided.
        decision: LoadDecisionEntry,
        /// Every rate, slowest first.
        steps: Vec<LoadStepEntry>,
        /// The bracket; `None` where one rate or a closed loop was asked for.
        line: Option<LoadLineEntry>,
        /// The rate that has to hold, per second.
        at_least: Option<Real>,
    }

    /// How rates were decided: stated, so that a reader can check it.
    struct LoadDecisionEntry of LoadDecision {
        /// Confidence of the statement about one rate.
        confidence: Real,
        /// Slices before a rate is decided.
        slices_min: usize,
        /// Slices after which it stays open.
        slices_max: usize,
        /// The least length of a slice, in seconds.
        slice_s: Real,
        /// The share of each slice that is not judged, at its beginning.
        lead_in: Real,
    }

    /// One query of the load.
    struct LoadQueryEntry of LoadQuery {
        /// Its name.
        query: String,
        /// Its share of the requests, 0 to 1.
        share: Real,
        /// Whether it writes, so that it ran in transactions rolled back.
        writes: bool,
        /// How many parameter sets took turns.
        parameter_sets: usize,
    }

    /// A limit on a percentile of the latency.
    struct LoadLimitEntry of LoadLimit {
        /// As written.
        text: String,
        /// Which query it is about; `None`: all requests.
        query: Option<String>,
        /// The percentile as a share, 0.95.
        quantile: Real,
        /// In microseconds.
        limit_us: Real,
        /// `asked`, `project` or `default`: who set it.
        origin: String,
    }

    /// One rate.
    struct LoadStepEntry of LoadStep {
        /// Requests due per second; for a closed loop what was finished.
        offered_per_s: Real,
        /// `holds`, `breaks`, `generator-bound` or `open`; `measured` for a closed loop.
        outcome: String,
        /// What that rests on, or what would decide it.
        because: String,
        /// Requests due, all slices.
        due: u64,
        /// Requests answered without an error.
        completed: u64,
        /// Requests that found every connection busy, and so waited before they were sent.
        queued: u64,
        /// Requests never sent: every connection was busy until the end of the slice.
        dropped: u64,
        /// Errors: SQLSTATE, how many, the first message.
        errors: Vec<(String, u64, String)>,
        /// Answered per second while requests were due.
        completed_per_s: Real,
        /// Requests finished over requests due in the second half of the slices.
        followed: Option<Bounds>,
        /// From when a request was due until its answer; of a closed loop from when it was sent.
        latency: Option<LoadLatencyEntry>,
        /// From when a request was sent until its answer.
        service: Option<LoadLatencyEntry>,
        /// 99th percentile of how late the generator itself sent requests, in microseconds.
        lateness_p99_us: Real,
        /// Share of this machine's processors that the generator kept busy.
        generator_cpu_share: Real,
        /// Share of the requests over each limit, in the limits' order.
        over: Vec<LoadOverEntry>,
        /// Latency of each query, in the queries' order.
        queries: Vec<Option<LoadLatencyEntry>>,
        /// In the order in which they ran.
        slices: Vec<LoadSliceEntry>,
    }

    /// A distribution in short, in microseconds. Figures that requests without an answer reach into
    /// are not finite.
    struct LoadLatencyEntry of LoadLatency {
        /// Requests.
        samples: u64,
        /// Mean of the answered ones.
        avg_us: Real,
        /// Median.
        p50_us: Real,
        /// 90th percentile.
        p90_us: Real,
        /// 95th percentile.
        p95_us: Real,
        /// 99th percentile.
        p99_us: Real,
        /// Largest.
        max_us: Real,
    }

    /// How many requests were over a limit.
    struct LoadOverEntry of LoadOver {
        /// Their share, 0 to 1: too long, failed, or never sent.
        share: Real,
        /// Its bounds.
        interval: Bounds,
    }

    /// One slice of a rate.
    struct LoadSliceEntry of LoadSlice {
        /// When in the run it began, in seconds.
        began_s: Real,
        /// How long requests were due, in seconds.
        length_s: Real,
        /// Median latency, in microseconds.
        p50_us: Real,
        /// 95th percentile.
        p95_us: Real,
        /// 99th percentile.
        p99_us: Real,
        /// Answered per second while requests were due.
        completed_per_s: Real,
    }

    /// The bracket around the line.
    struct LoadLineEntry of LoadLine {
        /// The highest rate that surely holds, per second.
        holds_per_s: Option<Real>,
        /// The part of it that was surely served, per second.
        sustained_per_s: Option<Real>,
        /// The lowest rate that surely breaks.
        breaks_per_s: Option<Real>,
        /// The lowest rate that the generator could not offer well enough to tell.
        generator_bound_per_s: Option<Real>,
        /// What breaks there.
        because: String,
        /// Of the rate that has to hold, where there is one.
        verdict: VerdictEntry,
    }
}
