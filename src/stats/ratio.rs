//! How many times slower: the median of paired log ratios with an interval.
//!
//! Times are skewed and their noise is proportional, so pairs are compared as
//! `ln(after / before)`; the median shrugs off the occasional preempted
//! execution. Pairs of one connection share where the scheduler put the
//! backend, so with several connections the connection is the unit, never the
//! pair (docs/measuring.md).

use super::quantile::{median, quantile_interval, sort};
use super::special::student_t_quantile;
use super::{Estimate, Interval};

/// One execution of each side, next to each other in time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// Time of the side before, in any unit, positive.
    pub before: f64,
    /// Time of the side after, in the same unit, positive.
    pub after: f64,
}

impl Pair {
    /// `ln(after / before)`: 0 for equal, symmetric.
    #[must_use]
    pub fn log_ratio(self) -> f64 {
        (self.after / self.before).ln()
    }
}

/// Ratio after/before of pairs taken in several connections: each connection
/// gives one median log ratio, and Student's t over the connections gives the
/// interval. `None` below two connections: one connection cannot tell its own
/// placement from a change.
#[must_use]
pub fn clustered_median_ratio(connections: &[Vec<Pair>], confidence: f64) -> Option<Estimate> {
    let medians = connection_medians(connections);
    let mean = mean_interval(&medians, confidence)?;
    Some(Estimate { value: median(&medians)?, ..mean }.with_value_inside().map(f64::exp))
}

/// The same with the exact sign-test interval over the connections' medians,
/// which needs at least six connections at 95 % and eight at 99 %.
#[must_use]
pub fn clustered_median_ratio_sign_test(connections: &[Vec<Pair>], confidence: f64) -> Option<Estimate> {
    let mut medians = connection_medians(connections);
    sort(&mut medians);
    quantile_interval(&medians, 0.5, confidence).map(|estimate| estimate.map(f64::exp))
}

fn connection_medians(connections: &[Vec<Pair>]) -> Vec<f64> {
    connections
        .iter()
        .filter_map(|pairs| median(&pairs.iter().map(|pair| pair.log_ratio()).collect::<Vec<_>>()))
        .collect()
}

impl Estimate {
    fn with_value_inside(self) -> Self {
        Self { value: self.value.clamp(self.interval.low, self.interval.high), ..self }
    }
}

/// Mean of independent values with Student's t interval. `None` below two values.
#[must_use]
pub fn mean_interval(values: &[f64], confidence: f64) -> Option<Estimate> {
    let n = values.len();
    if n < 2 {
        return None;
    }
    let mean = values.iter().sum::<f64>() / n as f64;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1) as f64;
    let t = student_t_quantile(0.5 + 0.5 * confidence, (n - 1) as f64);
    let half_width = t * (variance / n as f64).sqrt();
    let interval = Interval { low: mean - half_width, high: mean + half_width, confidence };
    Some(Estimate { value: mean, interval, units: n })
}

/// What a comparison of identical things reads as, measured in the same run: the
/// largest factor, either way, that its interval does not exclude; at least 1. A
/// change smaller than this floor is not told from noise.
#[must_use]
pub fn noise_floor(identical: &Estimate) -> f64 {
    identical.interval.high.max(1.0 / identical.interval.low).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pairs(ratios: &[f64]) -> Vec<Pair> {
        ratios.iter().map(|ratio| Pair { before: 100.0, after: 100.0 * ratio }).collect()
    }

    /// `scipy.stats.ttest_1samp(…).confidence_interval(0.95)` of SciPy 1.17.1.
    #[test]
    fn the_mean_interval_agrees_with_scipy() {
        let estimate = mean_interval(&[1.1, 0.9, 1.3, 1.05, 0.98, 1.2], 0.95).unwrap();
        assert!((estimate.interval.low - 0.935473146583731).abs() < 1e-12);
        assert!((estimate.interval.high - 1.2411935200829356).abs() < 1e-12);
    }

    #[test]
    fn one_connection_decides_nothing() {
        let one = vec![pairs(&[1.5; 1000])];
        assert_eq!(clustered_median_ratio(&one, 0.95), None);
        assert_eq!(clustered_median_ratio(&[], 0.95), None);
    }

    #[test]
    fn placement_of_backends_does_not_pass_for_a_change() {
        // 20 connections whose placement moves them by ± 10 %, 100 nearly identical pairs in each.
        let connections: Vec<_> =
            (0..20).map(|c| pairs(&[if c % 2 == 0 { 1.1 } else { 0.9 }; 100])).collect();
        let clustered = clustered_median_ratio(&connections, 0.95).unwrap();
        assert!(clustered.interval.contains(1.0), "{clustered:?}");
        assert_eq!(clustered.units, 20);
        let floor = noise_floor(&clustered);
        assert!(floor > 1.02 && floor < 1.1, "{floor}");
        let slower: Vec<_> = (0..20).map(|_| pairs(&[1.5; 100])).collect();
        assert!(clustered_median_ratio(&slower, 0.95).unwrap().interval.low > floor);
        assert!(clustered.interval.low >= 1.0 / floor && clustered.interval.high <= floor);
    }

    proptest! {
        #[test]
        fn swapping_the_sides_inverts_the_ratio(ratios in prop::collection::vec(0.2..5.0_f64, 8..60)) {
            let connections: Vec<_> = ratios.iter().map(|ratio| pairs(&[*ratio])).collect();
            let forward = clustered_median_ratio_sign_test(&connections, 0.99).unwrap();
            let swap = |p: &Pair| Pair { before: p.after, after: p.before };
            let swapped: Vec<Vec<_>> =
                connections.iter().map(|pairs| pairs.iter().map(swap).collect()).collect();
            let backward = clustered_median_ratio_sign_test(&swapped, 0.99).unwrap();
            prop_assert!((forward.value * backward.value - 1.0).abs() < 1e-9);
            prop_assert!((forward.interval.low * backward.interval.high - 1.0).abs() < 1e-9);
        }
    }
}
