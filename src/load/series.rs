//! Latencies over time, bounded: stretches of equal length with the median and
//! the slowest of each.

use crate::model::evidence::{LatencyBucket, LatencySeries, LatencySpan};
use crate::stats::quantile;

/// Stretches of a series at most.
const BUCKETS_MAX: usize = 150;
/// Spans of a series at most; the first ones are kept.
const SPANS_MAX: usize = 100;

/// The series of (sent at, latency) samples, in microseconds on one axis with
/// the spans; its own axis starts with its first sample.
#[must_use]
pub fn series(subject: &str, samples: &[(f64, f64)], spans: Vec<LatencySpan>) -> LatencySeries {
    let times = || samples.iter().map(|(at, _)| *at);
    let (Some(first), Some(last)) = (times().reduce(f64::min), times().reduce(f64::max)) else {
        return LatencySeries { subject: subject.to_owned(), ..LatencySeries::default() };
    };
    #[expect(clippy::cast_precision_loss, reason = "a short list")]
    let bucket_us = ((last - first) / BUCKETS_MAX as f64).max(1.0);
    let mut latencies: Vec<Vec<f64>> = vec![Vec::new(); BUCKETS_MAX];
    for (at, latency) in samples {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a place in a short list"
        )]
        let place = ((at - first) / bucket_us).floor() as usize;
        latencies[place.min(BUCKETS_MAX - 1)].push(*latency);
    }
    let buckets = latencies.into_iter().enumerate().filter_map(|(place, mut latencies)| {
        latencies.sort_by(f64::total_cmp);
        let max_us = *latencies.last()?;
        #[expect(clippy::cast_precision_loss, reason = "a short list")]
        let start_us = place as f64 * bucket_us;
        let p50_us = quantile::quantile(&latencies, 0.5).unwrap_or(max_us);
        Some(LatencyBucket { start_us, samples: latencies.len() as u64, p50_us, max_us })
    });
    let spans = spans.into_iter().take(SPANS_MAX).map(|span| LatencySpan {
        from_us: (span.from_us - first).max(0.0),
        to_us: (span.to_us - first).max(0.0),
        ..span
    });
    LatencySeries {
        subject: subject.to_owned(),
        bucket_us,
        buckets: buckets.collect(),
        spans: spans.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn stretches_have_median_and_slowest_and_gaps_stay_gaps() {
        let width = 10.0;
        let end = 100.0 + width * 150.0;
        let samples = [(100.0, 1.0), (101.0, 3.0), (109.0, 2.0), (190.0, 9.0), (end, 5.0)];
        let span = |from_us, to_us| LatencySpan { label: "1".into(), from_us, to_us };
        let series = series("q", &samples, vec![span(90.0, 150.0)]);
        let bucket = |start_us, samples, p50_us, max_us| LatencyBucket { start_us, samples, p50_us, max_us };
        assert!((series.bucket_us - width).abs() < 1e-9);
        assert_eq!(
            series.buckets,
            [bucket(0.0, 3, 2.0, 3.0), bucket(90.0, 1, 9.0, 9.0), bucket(1490.0, 1, 5.0, 5.0)]
        );
        assert_eq!(series.spans, [span(0.0, 50.0)]);
        assert_eq!(super::series("q", &[], vec![]).buckets, []);
    }

    proptest! {
        #[test]
        fn no_sample_is_lost_and_the_bound_is_kept(
            samples in prop::collection::vec((0.0..1e9_f64, 0.0..1e6_f64), 0..400),
        ) {
            let series = series("q", &samples, vec![]);
            prop_assert!(series.buckets.len() <= BUCKETS_MAX);
            prop_assert_eq!(series.buckets.iter().map(|b| b.samples).sum::<u64>(), samples.len() as u64);
            let all = samples.iter().map(|(_, latency)| *latency).fold(0.0, f64::max);
            let kept = series.buckets.iter().map(|b| b.max_us).fold(0.0, f64::max);
            prop_assert!((all - kept).abs() < 1e-9);
        }
    }
}
