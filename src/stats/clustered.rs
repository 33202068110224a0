//! Percentiles of samples taken in several connections.
//!
//! Where the scheduler puts a backend stays for the life of its connection, so
//! samples of one connection are not independent and an interval that treats
//! them so is many times too narrow. Here the connection is the unit. The
//! share of samples above the percentile differs from connection to
//! connection; its variance says how many independent samples the data are
//! worth (the design effect of survey statistics), and the order-statistic
//! interval is taken for that many: Woodruff's interval (1952) with the
//! effective sample size of Korn and Graubard (1998), together with the exact
//! interval of one sample per connection. Simulated coverage is in
//! docs/measuring.md and in the tests.

use super::quantile::{quantile, quantile_interval, sort};
use super::ratio::mean_interval;
use super::special::{beta_quantile, student_t_quantile};
use super::{Estimate, Interval};

/// The p-quantile of a metric over connections, where `connections` holds each
/// connection's samples in any order. The estimand is the quantile of an
/// execution in a randomly chosen connection. `None` without samples, and with
/// fewer than two connections, since one cannot tell its placement from the query.
#[must_use]
pub fn clustered_quantile(connections: &[Vec<f64>], p: f64, confidence: f64) -> Option<Estimate> {
    let connections: Vec<&Vec<f64>> = connections.iter().filter(|samples| !samples.is_empty()).collect();
    let units = connections.len();
    if units < 2 {
        return None;
    }
    let mut pooled: Vec<f64> = connections.iter().flat_map(|samples| samples.iter().copied()).collect();
    sort(&mut pooled);
    let value = quantile(&pooled, p)?;
    // Two ways share the error: one uses every sample, the other needs nothing
    // but independent connections and wins where only few were opened.
    let each = 0.5 * (1.0 + confidence);
    let every = interval_of_every_sample(&connections, &pooled, p, each);
    let first = interval_of_first_samples(&connections, p, each)?;
    let low = every.low.max(first.low);
    let high = every.high.min(first.high);
    Some(Estimate { value, interval: Interval { low, high, confidence }, units })
}

fn interval_of_every_sample(connections: &[&Vec<f64>], pooled: &[f64], p: f64, confidence: f64) -> Interval {
    let effective = effective_samples(connections, pooled, p, confidence);
    let shares = proportion_interval(p, effective, confidence);
    let n = pooled.len() as f64;
    let low_rank = (shares.low * n).floor() as usize;
    let high_rank = (shares.high * n).ceil() as usize;
    let low = low_rank.checked_sub(1).map_or(f64::NEG_INFINITY, |rank| pooled[rank]);
    let high = pooled.get(high_rank).copied().unwrap_or(f64::INFINITY);
    Interval { low, high, confidence }
}

/// One sample of each connection is a sample of independent executions,
/// whatever the dependence within connections is.
fn interval_of_first_samples(connections: &[&Vec<f64>], p: f64, confidence: f64) -> Option<Interval> {
    let mut first: Vec<f64> = connections.iter().map(|samples| samples[0]).collect();
    sort(&mut first);
    quantile_interval(&first, p, confidence).map(|estimate| estimate.interval)
}

/// Ratio of the p-quantiles of two metrics taken in the same connections, as
/// `numerator / denominator`. Each has its own interval at half the error, so
/// the ratio's holds under any dependence between the two. `None` where either
/// has none.
#[must_use]
pub fn clustered_quantile_ratio(
    numerator: &[Vec<f64>],
    denominator: &[Vec<f64>],
    p: f64,
    confidence: f64,
) -> Option<Estimate> {
    let each = 0.5 * (1.0 + confidence);
    let above = clustered_quantile(numerator, p, each)?;
    let below = clustered_quantile(denominator, p, each)?;
    let low = (above.interval.low / below.interval.high).max(0.0);
    let high =
        if below.interval.low > 0.0 { above.interval.high / below.interval.low } else { f64::INFINITY };
    let interval = Interval { low, high, confidence };
    Some(Estimate { value: above.value / below.value, interval, units: above.units.min(below.units) })
}

/// Mean over connections of each connection's mean, with Student's t interval.
/// `None` below two connections.
#[must_use]
pub fn clustered_mean(connections: &[Vec<f64>], confidence: f64) -> Option<Estimate> {
    let means: Vec<f64> = connections
        .iter()
        .filter(|samples| !samples.is_empty())
        .map(|samples| samples.iter().sum::<f64>() / samples.len() as f64)
        .collect();
    mean_interval(&means, confidence)
}

/// A share of events whose counts come in groups: `(hits, events)` of each.
/// Clopper and Pearson's interval for as many independent events as the groups
/// are worth, by how their shares differ. `None` without events or with fewer
/// than two groups.
#[must_use]
pub fn clustered_share(groups: &[(u64, u64)], confidence: f64) -> Option<Estimate> {
    let groups: Vec<(f64, f64)> =
        groups.iter().filter(|(_, n)| *n > 0).map(|(hits, n)| (*hits as f64, *n as f64)).collect();
    let units = groups.len();
    let n: f64 = groups.iter().map(|(_, n)| n).sum();
    if units < 2 {
        return None;
    }
    let share = groups.iter().map(|(hits, _)| hits).sum::<f64>() / n;
    let squares: f64 = groups.iter().map(|(hits, n)| (hits - share * n).powi(2)).sum();
    let variance = units as f64 / (units as f64 - 1.0) * squares / (n * n);
    let independent = share * (1.0 - share) / n;
    let design_effect = if independent > 0.0 { (variance / independent).max(1.0) } else { 1.0 };
    let tail = 0.5 + 0.5 * confidence;
    let widening =
        student_t_quantile(tail, units as f64 - 1.0) / student_t_quantile(tail, (n - 1.0).max(1.0));
    let effective = (n / design_effect / (widening * widening)).clamp(1.0, n);
    Some(Estimate { value: share, interval: proportion_interval(share, effective, confidence), units })
}

/// How many independent samples the samples are worth for their p-quantile.
fn effective_samples(connections: &[&Vec<f64>], pooled: &[f64], p: f64, confidence: f64) -> f64 {
    let n = pooled.len() as f64;
    let units = connections.len() as f64;
    // In the tail few connections speak, and their variance comes out too small
    // as often as too large; twice as far into the middle more of them do.
    let inner = if p > 0.5 { (1.0 - 2.0 * (1.0 - p)).max(0.5) } else { (2.0 * p).min(0.5) };
    let design_effect = [p, inner]
        .into_iter()
        .filter_map(|share| {
            let independent = share * (1.0 - share) / n;
            Some(share_variance(connections, quantile(pooled, share)?, n) / independent)
        })
        .fold(1.0, f64::max);
    // Few connections give an uncertain variance: Student's t widens for it.
    let tail = 0.5 + 0.5 * confidence;
    let widening = student_t_quantile(tail, units - 1.0) / student_t_quantile(tail, (n - 1.0).max(1.0));
    (n / design_effect / (widening * widening)).clamp(1.0, n)
}

/// Variance of the pooled share of samples above `value`, connections being
/// drawn at random: the linearised estimator for a ratio of totals, which
/// allows connections to have different numbers of samples.
fn share_variance(connections: &[&Vec<f64>], value: f64, samples: f64) -> f64 {
    let units = connections.len() as f64;
    let above = |samples: &Vec<f64>| samples.iter().filter(|sample| **sample > value).count() as f64;
    let share = connections.iter().map(|samples| above(samples)).sum::<f64>() / samples;
    let squares: f64 =
        connections.iter().map(|samples| (above(samples) - share * samples.len() as f64).powi(2)).sum();
    units / (units - 1.0) * squares / (samples * samples)
}

/// Clopper and Pearson's interval (1934) for a share `p` seen in `n` samples,
/// where `n` need not be whole.
fn proportion_interval(p: f64, n: f64, confidence: f64) -> Interval {
    let error = 0.5 * (1.0 - confidence);
    let successes = p * n;
    let failures = n - successes;
    Interval {
        low: if successes > 0.0 { beta_quantile(error, successes, failures + 1.0) } else { 0.0 },
        high: if failures > 0.0 { beta_quantile(1.0 - error, successes + 1.0, failures) } else { 1.0 },
        confidence,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::Xoshiro256PlusPlus;
    use rand::{RngExt, SeedableRng};

    #[test]
    fn a_share_that_differs_between_groups_is_less_sure() {
        let width = |groups: &[(u64, u64)]| {
            let estimate = clustered_share(groups, 0.95).unwrap();
            assert!(estimate.interval.contains(estimate.value), "{estimate:?}");
            estimate.interval.high - estimate.interval.low
        };
        let even = [(10, 100); 10];
        let uneven = [(0, 100), (20, 100), (0, 100), (20, 100), (10, 100), (10, 100), (0, 100), (20, 100)];
        assert!(width(&uneven) > 1.5 * width(&even[..8]), "{} {}", width(&uneven), width(&even));
        assert!(width(&even) < width(&even[..4]));
        assert_eq!(clustered_share(&[(1, 10), (0, 0)], 0.95), None);
        // None of 4000 in four groups: with 99 % below 1 in 100, above 1 in 1000.
        let none = clustered_share(&[(0, 1000); 4], 0.99).unwrap();
        assert_eq!(none.interval.low, 0.0);
        assert!((0.001..0.01).contains(&none.interval.high), "{none:?}");
    }

    /// A latency whose logarithm is about normal, as a sum of uniforms.
    fn lognormal(random: &mut Xoshiro256PlusPlus, sigma: f64) -> f64 {
        let normal = (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0;
        (sigma * normal).exp()
    }

    fn connections(
        random: &mut Xoshiro256PlusPlus,
        units: usize,
        samples: usize,
        placement: f64,
    ) -> Vec<Vec<f64>> {
        (0..units)
            .map(|_| {
                let place = lognormal(random, placement);
                (0..samples).map(|_| place * lognormal(random, 0.15)).collect()
            })
            .collect()
    }

    #[test]
    fn one_connection_decides_nothing() {
        assert_eq!(clustered_quantile(&[vec![1.0; 1000]], 0.95, 0.95), None);
        assert_eq!(clustered_quantile(&[vec![1.0; 10], vec![]], 0.95, 0.95), None);
        assert_eq!(clustered_quantile(&[], 0.95, 0.95), None);
    }

    #[test]
    fn identical_samples_in_one_connection_count_once() {
        // Each of 60 connections repeats its one value: 60 samples' worth, not 6000.
        let repeated: Vec<Vec<f64>> = (1..=60).map(|c| vec![f64::from(c); 100]).collect();
        let clustered = clustered_quantile(&repeated, 0.5, 0.95).unwrap().interval;
        let values: Vec<f64> = (1..=60).map(f64::from).collect();
        let independent = quantile_interval(&values, 0.5, 0.95).unwrap().interval;
        assert!(clustered.low <= independent.low + 1.0, "{clustered:?} {independent:?}");
        assert!(clustered.high >= independent.high - 1.0, "{clustered:?} {independent:?}");
    }

    /// The true quantile comes from the same generator, so a wrong interval shows.
    #[test]
    fn coverage_is_honest_where_placement_moves_whole_connections() {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(3);
        let runs = 200;
        for (placement, p) in [(0.0, 0.5), (0.0, 0.95), (0.3, 0.5), (0.1, 0.95)] {
            let mut population: Vec<f64> =
                connections(&mut random, 40_000, 5, placement).into_iter().flatten().collect();
            sort(&mut population);
            let truth = quantile(&population, p).unwrap();
            let held = (0..runs)
                .filter(|_| {
                    let sample = connections(&mut random, 20, 25, placement);
                    clustered_quantile(&sample, p, 0.95).unwrap().interval.contains(truth)
                })
                .count();
            assert!(held >= runs * 90 / 100, "placement {placement}, p {p}: {held} of {runs}");
        }
    }

    #[test]
    fn four_slow_connections_are_enough_to_say_so() {
        let slow = vec![vec![2_000.0, 2_100.0]; 4];
        let interval = clustered_quantile(&slow, 0.95, 0.999).unwrap().interval;
        assert_eq!(interval.low, 2_000.0);
        assert_eq!(interval.high, f64::INFINITY);
    }

    #[test]
    fn a_ratio_of_a_statement_to_itself_holds_one() {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(5);
        let samples = connections(&mut random, 20, 25, 0.2);
        let ratio = clustered_quantile_ratio(&samples, &samples, 0.95, 0.95).unwrap();
        assert!(ratio.interval.contains(1.0) && (ratio.value - 1.0).abs() < 1e-12);
        let mean = clustered_mean(&[vec![1.0, 3.0], vec![4.0], vec![]], 0.95).unwrap();
        assert!((mean.value - 3.0).abs() < 1e-12 && mean.units == 2);
    }

    #[test]
    fn a_naive_interval_fails_the_same_test() {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(3);
        let held = (0..200)
            .filter(|_| {
                let mut pooled: Vec<f64> =
                    connections(&mut random, 20, 25, 0.3).into_iter().flatten().collect();
                sort(&mut pooled);
                quantile_interval(&pooled, 0.5, 0.95).unwrap().interval.contains(1.0)
            })
            .count();
        assert!(held < 140, "treating samples as independent held in {held} of 200");
    }
}
