//! The published form of a latency over time.

use super::super::mirror::{Mirror, Real};
use crate::model::evidence::{LatencyBucket, LatencySeries, LatencySpan};

mirror! {
    /// Latencies of one kind of statement over time.
    #[derive(Default)]
    struct LatencySeriesEntry of LatencySeries {
        /// Whose, in a few words.
        subject: String,
        /// The length of a bucket, in microseconds.
        bucket_us: Real,
        /// In order; a stretch of time in which nothing was sent has none.
        buckets: Vec<LatencyBucketEntry>,
        /// What happened meanwhile.
        spans: Vec<LatencySpanEntry>,
    }

    /// What was sent within one stretch of time.
    struct LatencyBucketEntry of LatencyBucket {
        /// Its start, in microseconds since the series began.
        start_us: Real,
        /// How many executions.
        samples: u64,
        /// Their median, in microseconds.
        p50_us: Real,
        /// The slowest, in microseconds.
        max_us: Real,
    }

    /// Something that lasted.
    struct LatencySpanEntry of LatencySpan {
        /// What, in a word or two.
        label: String,
        /// From when, in microseconds since the series began.
        from_us: Real,
        /// Until when.
        to_us: Real,
    }
}
