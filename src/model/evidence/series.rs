//! A latency over time, bounded, with what happened meanwhile.

/// Latencies of one kind of statement over time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LatencySeries {
    /// Whose, in a few words.
    pub subject: String,
    /// The length of a bucket, in microseconds.
    pub bucket_us: f64,
    /// In order; a stretch of time in which nothing was sent has none.
    pub buckets: Vec<LatencyBucket>,
    /// What happened meanwhile.
    pub spans: Vec<LatencySpan>,
}

/// What was sent within one stretch of time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LatencyBucket {
    /// Its start, in microseconds since the series began.
    pub start_us: f64,
    /// How many executions.
    pub samples: u64,
    /// Their median, in microseconds.
    pub p50_us: f64,
    /// The slowest, in microseconds.
    pub max_us: f64,
}

/// Something that lasted.
#[derive(Debug, Clone, PartialEq)]
pub struct LatencySpan {
    /// What, in a word or two.
    pub label: String,
    /// From when, in microseconds since the series began.
    pub from_us: f64,
    /// Until when.
    pub to_us: f64,
}
