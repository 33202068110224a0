//! Latencies of a load in bounded memory: an HDR histogram of nanoseconds with
//! three significant digits, up to a stated bound.

use hdrhistogram::Histogram;
use std::time::Duration;

/// Latencies above this are counted as this much, and counted apart.
pub const HIGHEST: Duration = Duration::from_secs(600);

const SIGNIFICANT_DIGITS: u8 = 3;

/// A latency distribution. One per thread, merged at the end.
#[derive(Debug, Clone)]
pub struct LatencyHistogram {
    nanoseconds: Histogram<u64>,
    saturated: u64,
}

impl Default for LatencyHistogram {
    fn default() -> Self {
        Self::new()
    }
}

impl LatencyHistogram {
    /// Empty.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "the bounds are constants and within the crate's limits")]
    pub fn new() -> Self {
        let highest = HIGHEST.as_nanos() as u64;
        #[expect(clippy::expect_used, reason = "the bounds are constants and within the crate's limits")]
        let nanoseconds =
            Histogram::new_with_bounds(1, highest, SIGNIFICANT_DIGITS).expect("constant bounds are valid");
        Self { nanoseconds, saturated: 0 }
    }

    /// Takes one latency in. Never allocates.
    pub fn record(&mut self, latency: Duration) {
        self.saturated += u64::from(latency > HIGHEST);
        let nanoseconds = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.saturating_record(nanoseconds);
    }

    /// Takes in everything `other` took in.
    pub fn merge(&mut self, other: &Self) {
        self.saturated += other.saturated;
        // Cannot fail: both have the same bounds.
        let _same_bounds = self.nanoseconds.add(&other.nanoseconds);
    }

    /// How many latencies.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.nanoseconds.len()
    }

    /// How many of them were above [`HIGHEST`].
    #[must_use]
    pub fn saturated(&self) -> u64 {
        self.saturated
    }

    /// The p-quantile, in microseconds. `None` without latencies.
    #[must_use]
    pub fn quantile_us(&self, p: f64) -> Option<f64> {
        (self.count() > 0).then(|| self.nanoseconds.value_at_quantile(p) as f64 / 1e3)
    }

    /// The mean, in microseconds. `None` without latencies.
    #[must_use]
    pub fn mean_us(&self) -> Option<f64> {
        (self.count() > 0).then(|| self.nanoseconds.mean() / 1e3)
    }

    /// The largest, in microseconds. `None` without latencies.
    #[must_use]
    pub fn max_us(&self) -> Option<f64> {
        (self.count() > 0).then(|| self.nanoseconds.max() as f64 / 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_three_digits() {
        let mut histogram = LatencyHistogram::new();
        (1..=10_000).for_each(|us| histogram.record(Duration::from_micros(us)));
        let median = histogram.quantile_us(0.5).unwrap();
        assert!((median / 5000.0 - 1.0).abs() < 0.001, "{median}");
        assert!((histogram.mean_us().unwrap() / 5000.5 - 1.0).abs() < 0.001);
        assert_eq!(histogram.count(), 10_000);
        assert_eq!(LatencyHistogram::new().quantile_us(0.5), None);
    }

    #[test]
    fn what_is_beyond_the_bound_is_counted() {
        let mut histogram = LatencyHistogram::new();
        histogram.record(HIGHEST * 2);
        let mut other = LatencyHistogram::new();
        other.merge(&histogram);
        assert_eq!((other.count(), other.saturated()), (1, 1));
        assert!(other.max_us().unwrap() >= 0.999 * HIGHEST.as_secs_f64() * 1e6);
    }
}
