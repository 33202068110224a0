//! How many times slower: the median of paired log ratios with an interval.
//!
//! Times are skewed and their noise is proportional, so pairs are compared as
//! `ln(after / before)`; the median shrugs off the occasional preempted
//! execution. Pairs of one connection share where the scheduler put the
//! backend, so with several connections the connection is the unit, never the
//! pair (docs/measuring.md).

use super::quantile::{median, quantile, quantile_interval, sort};
use super::special::{binomial_cdf, student_t_quantile};
use super::{Estimate, Interval};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

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

/// Ratio after/before of independent pairs, with a percentile bootstrap
/// interval (Efron 1979). `None` without pairs.
#[must_use]
pub fn median_ratio_bootstrap(
    pairs: &[Pair],
    confidence: f64,
    resamples: usize,
    seed: u64,
) -> Option<Estimate> {
    let logs: Vec<f64> = pairs.iter().map(|pair| pair.log_ratio()).collect();
    bootstrap(&logs, confidence, resamples, seed, median).map(|e| e.map(f64::exp))
}

/// Ratio after/before of independent pairs, with the interval that inverts the
/// sign test: exact and free of assumptions about the distribution. Its bounds
/// are infinite (0 and ∞ as ratios) below about eight pairs at 99 %.
#[must_use]
pub fn median_ratio_sign_test(pairs: &[Pair], confidence: f64) -> Option<Estimate> {
    let mut logs: Vec<f64> = pairs.iter().map(|pair| pair.log_ratio()).collect();
    sort(&mut logs);
    quantile_interval(&logs, 0.5, confidence).map(|estimate| estimate.map(f64::exp))
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

/// Percentile bootstrap of any statistic of independent values.
#[must_use]
pub fn bootstrap(
    values: &[f64],
    confidence: f64,
    resamples: usize,
    seed: u64,
    statistic: impl Fn(&[f64]) -> Option<f64>,
) -> Option<Estimate> {
    let value = statistic(values)?;
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut sample = vec![0.0; values.len()];
    let mut replicates = Vec::with_capacity(resamples);
    for _ in 0..resamples {
        sample.fill_with(|| values[random.random_range(0..values.len())]);
        replicates.extend(statistic(&sample));
    }
    sort(&mut replicates);
    let error = 0.5 * (1.0 - confidence);
    let low = quantile(&replicates, error)?;
    let high = quantile(&replicates, 1.0 - error)?;
    Some(Estimate { value, interval: Interval { low, high, confidence }, units: values.len() })
}

/// Two-sided p-value of the sign test: how likely so uneven a split of faster
/// and slower pairs is when neither side is faster. Ties are left out.
#[must_use]
pub fn sign_test(pairs: &[Pair]) -> f64 {
    let slower = pairs.iter().filter(|pair| pair.after > pair.before).count() as u64;
    let faster = pairs.iter().filter(|pair| pair.after < pair.before).count() as u64;
    let n = slower + faster;
    if n == 0 {
        return 1.0;
    }
    (2.0 * binomial_cdf(slower.min(faster), n, 0.5)).min(1.0)
}

/// What a comparison of identical things reads as: the spread of ratios that
/// are truly 1, measured in the same run. A change smaller than this floor is
/// not told from noise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NoiseFloor {
    /// The ratio the identical sides came to; 1 would be perfect.
    pub ratio: f64,
    /// Its interval.
    pub interval: Interval,
    /// The largest factor, either way, that the interval does not exclude: at least 1.
    pub factor: f64,
    /// Connections behind it.
    pub units: usize,
}

impl NoiseFloor {
    /// The floor from an A/A comparison.
    #[must_use]
    pub fn of(identical: &Estimate) -> Self {
        let up = identical.interval.high;
        let down = 1.0 / identical.interval.low;
        Self {
            ratio: identical.value,
            interval: identical.interval,
            factor: up.max(down).max(1.0),
            units: identical.units,
        }
    }

    /// Whether a compared estimate lies wholly beyond the floor, either way.
    #[must_use]
    pub fn is_exceeded_by(&self, compared: &Estimate) -> bool {
        compared.interval.low > self.factor || compared.interval.high < 1.0 / self.factor
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pairs(ratios: &[f64]) -> Vec<Pair> {
        ratios.iter().map(|ratio| Pair { before: 100.0, after: 100.0 * ratio }).collect()
    }

    /// `scipy.stats.ttest_1samp(…).confidence_interval(0.95)` and `binomtest(2, 12)` of SciPy 1.17.1.
    #[test]
    fn mean_interval_and_sign_test_agree_with_scipy() {
        let estimate = mean_interval(&[1.1, 0.9, 1.3, 1.05, 0.98, 1.2], 0.95).unwrap();
        assert!((estimate.interval.low - 0.935473146583731).abs() < 1e-12);
        assert!((estimate.interval.high - 1.2411935200829356).abs() < 1e-12);
        let uneven = [&[0.9; 10][..], &[1.1; 2][..]].concat();
        assert!((sign_test(&pairs(&uneven)) - 0.03857421875).abs() < 1e-12);
        assert_eq!(sign_test(&pairs(&[1.0, 1.0])), 1.0);
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
        let floor = NoiseFloor::of(&clustered);
        assert!(floor.factor > 1.02 && floor.factor < 1.1, "{floor:?}");
        let slower: Vec<_> = (0..20).map(|_| pairs(&[1.5; 100])).collect();
        assert!(floor.is_exceeded_by(&clustered_median_ratio(&slower, 0.95).unwrap()));
        assert!(!floor.is_exceeded_by(&clustered));
    }

    #[test]
    fn the_bootstrap_repeats_with_its_seed() {
        let pairs = pairs(&[0.9, 1.2, 1.1, 1.3, 0.8, 1.15, 1.05]);
        let first = median_ratio_bootstrap(&pairs, 0.95, 500, 7).unwrap();
        assert_eq!(median_ratio_bootstrap(&pairs, 0.95, 500, 7).unwrap(), first);
        assert!(first.interval.contains(1.1));
        assert_eq!(median_ratio_bootstrap(&[], 0.95, 500, 7), None);
    }

    proptest! {
        #[test]
        fn swapping_the_sides_inverts_the_ratio(ratios in prop::collection::vec(0.2..5.0_f64, 8..60)) {
            let forward = median_ratio_sign_test(&pairs(&ratios), 0.99).unwrap();
            let swapped: Vec<_> =
                pairs(&ratios).iter().map(|p| Pair { before: p.after, after: p.before }).collect();
            let backward = median_ratio_sign_test(&swapped, 0.99).unwrap();
            prop_assert!((forward.value * backward.value - 1.0).abs() < 1e-9);
            prop_assert!((forward.interval.low * backward.interval.high - 1.0).abs() < 1e-9);
        }
    }
}
