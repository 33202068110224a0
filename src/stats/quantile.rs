//! Sample quantiles and their distribution-free intervals.
//!
//! The number of samples below the true p-quantile is binomial whatever the
//! distribution is, so two order statistics bound the quantile exactly
//! (W. J. Conover, Practical Nonparametric Statistics, 3rd ed., §3.2). This
//! needs independent samples; for samples taken in a few connections use
//! [`super::clustered`].

use super::special::binomial_cdf;
use super::{Estimate, Interval};

/// Sorts finite numbers; anything not a number goes to the end.
pub fn sort(samples: &mut [f64]) {
    samples.sort_unstable_by(f64::total_cmp);
}

/// The p-quantile of sorted samples, interpolated linearly between order
/// statistics (definition 7 of Hyndman and Fan 1996, as R, NumPy and Excel
/// have it). `None` without samples.
#[must_use]
pub fn quantile(sorted: &[f64], p: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let position = p.clamp(0.0, 1.0) * last as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(last);
    let weight = position - below as f64;
    Some(sorted[below] + weight * (sorted[above] - sorted[below]))
}

/// The median of samples in any order. `None` without samples.
#[must_use]
pub fn median(samples: &[f64]) -> Option<f64> {
    let mut sorted = samples.to_vec();
    sort(&mut sorted);
    quantile(&sorted, 0.5)
}

/// The p-quantile of sorted, independent samples with its order-statistic
/// interval. A bound that the sample cannot give at this confidence is
/// infinite. `None` without samples.
#[must_use]
pub fn quantile_interval(sorted: &[f64], p: f64, confidence: f64) -> Option<Estimate> {
    let value = quantile(sorted, p)?;
    let n = sorted.len() as u64;
    let error = 0.5 * (1.0 - confidence);
    let low = lower_rank(n, p, error).map_or(f64::NEG_INFINITY, |rank| sorted[rank]);
    let high = upper_rank(n, p, error).map_or(f64::INFINITY, |rank| sorted[rank]);
    Some(Estimate { value, interval: Interval { low, high, confidence }, units: sorted.len() })
}

/// Zero-based rank of the largest order statistic that exceeds the p-quantile
/// with a probability of at most `error`.
fn lower_rank(n: u64, p: f64, error: f64) -> Option<usize> {
    // The (r+1)-th smallest exceeds the quantile when at most r samples lie below it.
    let too_high = first_true(n, |rank| binomial_cdf(rank, n, p) > error);
    too_high.checked_sub(1).map(|rank| rank as usize)
}

/// Zero-based rank of the smallest order statistic that falls short of the
/// p-quantile with a probability of at most `error`.
fn upper_rank(n: u64, p: f64, error: f64) -> Option<usize> {
    // The (r+1)-th smallest falls short when more than r samples lie below.
    let rank = first_true(n, |rank| 1.0 - binomial_cdf(rank, n, p) <= error);
    (rank < n).then_some(rank as usize)
}

/// The first of `0..n` for which a monotone predicate holds, or `n`.
fn first_true(n: u64, predicate: impl Fn(u64) -> bool) -> u64 {
    let (mut low, mut high) = (0, n);
    while low < high {
        let middle = low + (high - low) / 2;
        if predicate(middle) { high = middle } else { low = middle + 1 }
    }
    low
}

/// How many independent samples the p-quantile needs before both of its bounds
/// are finite at this confidence.
#[must_use]
pub fn samples_needed(p: f64, confidence: f64) -> u64 {
    let error = 0.5 * (1.0 - confidence);
    let tail = p.max(1.0 - p).clamp(1e-9, 1.0 - 1e-9);
    (error.ln() / tail.ln()).ceil() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one_to(n: u32) -> Vec<f64> {
        (1..=n).map(f64::from).collect()
    }

    #[test]
    fn quantiles_interpolate_as_numpy_does() {
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&[7.0], 0.95), Some(7.0));
        assert_eq!(quantile(&one_to(4), 0.5), Some(2.5));
        assert!((quantile(&one_to(20), 0.95).unwrap() - 19.05).abs() < 1e-12);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
    }

    /// Bounds of `scipy.stats.quantile_test(...).confidence_interval` (SciPy 1.17.1).
    #[test]
    fn interval_bounds_agree_with_scipy() {
        for (n, p, confidence, low, high) in [
            (20, 0.5, 0.95, 6.0, 15.0),
            (100, 0.5, 0.95, 40.0, 61.0),
            (100, 0.95, 0.95, 90.0, 100.0),
            (59, 0.95, 0.90, 53.0, 59.0),
            (500, 0.95, 0.99, 462.0, 488.0),
            (8, 0.5, 0.99, 1.0, 8.0),
            (7, 0.5, 0.99, f64::NEG_INFINITY, f64::INFINITY),
        ] {
            let interval = quantile_interval(&one_to(n), p, confidence).unwrap().interval;
            assert_eq!((interval.low, interval.high), (low, high), "n = {n}, p = {p}");
        }
    }

    #[test]
    fn the_needed_number_of_samples_is_the_least_that_bounds_both_sides() {
        for (p, confidence) in [(0.5, 0.99), (0.95, 0.9), (0.95, 0.95), (0.99, 0.99)] {
            let needed = u32::try_from(samples_needed(p, confidence)).unwrap();
            let bounded = |n| {
                let interval = quantile_interval(&one_to(n), p, confidence).unwrap().interval;
                interval.low.is_finite() && interval.high.is_finite()
            };
            assert!(bounded(needed), "p = {p}, n = {needed}");
            assert!(!bounded(needed - 1), "p = {p}, n = {needed} - 1");
        }
    }

    proptest! {
        #[test]
        fn the_interval_holds_its_estimate_and_widens_with_confidence(
            mut samples in prop::collection::vec(0.1..1e6_f64, 1..300),
            p in 0.01..0.99_f64,
        ) {
            sort(&mut samples);
            let narrow = quantile_interval(&samples, p, 0.9).unwrap();
            let wide = quantile_interval(&samples, p, 0.999).unwrap();
            prop_assert!(wide.interval.contains(wide.value));
            prop_assert!(wide.interval.low <= narrow.interval.low);
            prop_assert!(wide.interval.high >= narrow.interval.high);
        }
    }
}
