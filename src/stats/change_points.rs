//! Where a series changed level: E-divisive (Matteson and James 2014), the
//! method that `MongoDB` and Apache Otava (formerly Hunter) use for performance
//! history.
//!
//! The series is split where the energy distance between the two sides is
//! largest; the split counts when permuted series rarely reach as much; both
//! sides are then split in turn. Order matters only through this, so bursts of
//! noise cost power but raise no alarm on their own.

use super::quantile::median;
use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::SliceRandom;

/// Longest series examined; the cost grows with its square. Callers pass the latest values.
pub const MAX_VALUES: usize = 500;

/// Fewest values on each side of a change.
const MIN_SEGMENT: usize = 3;

/// How a series is examined.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChangePointOptions {
    /// A split counts when chance reaches it less often than this; 0.01 by default.
    pub significance: f64,
    /// Permutations per split; the smallest p-value is `1 / (permutations + 1)`.
    pub permutations: usize,
    /// Replays the permutations.
    pub seed: u64,
}

impl Default for ChangePointOptions {
    fn default() -> Self {
        Self { significance: 0.01, permutations: 499, seed: 0 }
    }
}

/// A change of level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChangePoint {
    /// Index of the first value after the change.
    pub index: usize,
    /// Median of the stretch before, back to the previous change.
    pub before: f64,
    /// Median of the stretch after, up to the next change.
    pub after: f64,
    /// How often chance alone splits this series as clearly.
    pub p_value: f64,
}

/// The change points of a series, in order. Values that are not finite must be
/// left out by the caller. Only the last [`MAX_VALUES`] are examined.
#[must_use]
pub fn change_points(series: &[f64], options: ChangePointOptions) -> Vec<ChangePoint> {
    let offset = series.len().saturating_sub(MAX_VALUES);
    let series = &series[offset..];
    let mut random = Xoshiro256PlusPlus::seed_from_u64(options.seed);
    let mut splits: Vec<(usize, f64)> = Vec::new();
    let mut pending = vec![(0, series.len())];
    while let Some((start, end)) = pending.pop() {
        let values = &series[start..end];
        let Some(split) = best_split(values) else { continue };
        let p_value = permutation_p_value(values, split.energy, options, &mut random);
        if p_value < options.significance {
            let middle = start + split.index;
            splits.push((middle, p_value));
            pending.push((start, middle));
            pending.push((middle, end));
        }
    }
    splits.sort_unstable_by_key(|(index, _)| *index);
    describe(series, offset, &splits)
}

fn describe(series: &[f64], offset: usize, splits: &[(usize, f64)]) -> Vec<ChangePoint> {
    let edge = |position: Option<usize>, default| position.map_or(default, |p| splits[p].0);
    splits
        .iter()
        .enumerate()
        .filter_map(|(position, &(index, p_value))| {
            let start = edge(position.checked_sub(1), 0);
            let end = splits.get(position + 1).map_or(series.len(), |next| next.0);
            Some(ChangePoint {
                index: offset + index,
                before: median(&series[start..index])?,
                after: median(&series[index..end])?,
                p_value,
            })
        })
        .collect()
}

#[derive(Debug, Clone, Copy)]
struct Split {
    index: usize,
    energy: f64,
}

/// The split with the largest scaled energy distance between everything before
/// it and a stretch of any length right after it; the free end lets a change
/// that is later undone stand out. `None` where the stretch is too short.
fn best_split(values: &[f64]) -> Option<Split> {
    let n = values.len();
    if n < 2 * MIN_SEGMENT {
        return None;
    }
    let distances = DistanceSums::of(values);
    let mut best: Option<Split> = None;
    for index in MIN_SEGMENT..=n - MIN_SEGMENT {
        let a = index as f64;
        let left = 2.0 * distances.within(0, index) / (a * (a - 1.0));
        for end in index + MIN_SEGMENT..=n {
            let b = (end - index) as f64;
            let right = 2.0 * distances.within(index, end) / (b * (b - 1.0));
            let across = 2.0 * distances.across(index, end) / (a * b);
            let energy = a * b / (a + b) * (across - left - right);
            if best.is_none_or(|found| energy > found.energy) {
                best = Some(Split { index, energy });
            }
        }
    }
    best
}

/// Sums of |x − y| over any two blocks of a series, each in constant time.
struct DistanceSums {
    width: usize,
    /// `sums[i * width + j]`: over the first i values against the first j.
    sums: Vec<f64>,
}

impl DistanceSums {
    fn of(values: &[f64]) -> Self {
        let width = values.len() + 1;
        let mut sums = vec![0.0; width * width];
        for (i, x) in values.iter().enumerate() {
            let mut row = 0.0;
            for (j, y) in values.iter().enumerate() {
                row += (x - y).abs();
                sums[(i + 1) * width + j + 1] = sums[i * width + j + 1] + row;
            }
        }
        Self { width, sums }
    }

    fn at(&self, i: usize, j: usize) -> f64 {
        self.sums[i * self.width + j]
    }

    /// Over the pairs within `start..end`.
    fn within(&self, start: usize, end: usize) -> f64 {
        0.5 * (self.at(end, end) - 2.0 * self.at(start, end) + self.at(start, start))
    }

    /// Between `0..middle` and `middle..end`.
    fn across(&self, middle: usize, end: usize) -> f64 {
        self.at(middle, end) - self.at(middle, middle)
    }
}

/// Exact where it is below the significance; no shuffle follows that cannot bring it there.
fn permutation_p_value(
    values: &[f64],
    energy: f64,
    options: ChangePointOptions,
    random: &mut Xoshiro256PlusPlus,
) -> f64 {
    let mut shuffled = values.to_vec();
    // Equal splits whose sums were taken in another order count as reached.
    let slack = 1e-9 * values.iter().map(|value| value.abs()).sum::<f64>();
    let p_value = |reached: usize| (reached + 1) as f64 / (options.permutations + 1) as f64;
    let mut reached = 0_usize;
    for _ in 0..options.permutations {
        if p_value(reached) >= options.significance {
            break;
        }
        shuffled.shuffle(random);
        reached += usize::from(best_split(&shuffled).is_some_and(|s| s.energy >= energy - slack));
    }
    p_value(reached)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt;

    fn noisy(random: &mut Xoshiro256PlusPlus, level: f64, count: usize) -> Vec<f64> {
        (0..count).map(|_| level * (1.0 + 0.05 * (random.random::<f64>() - 0.5))).collect()
    }

    #[test]
    fn a_step_is_found_where_it_is() {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
        let series = [noisy(&mut random, 100.0, 20), noisy(&mut random, 130.0, 15)].concat();
        let found = change_points(&series, ChangePointOptions::default());
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].index, 20);
        assert!((found[0].after / found[0].before - 1.3).abs() < 0.03);
    }

    #[test]
    fn two_steps_are_found_with_their_own_levels() {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(2);
        let series =
            [noisy(&mut random, 10.0, 12), noisy(&mut random, 20.0, 12), noisy(&mut random, 10.0, 12)]
                .concat();
        let found = change_points(&series, ChangePointOptions::default());
        let indexes: Vec<_> = found.iter().map(|change| change.index).collect();
        assert_eq!(indexes, [12, 24]);
        assert!((found[0].after - 20.0).abs() < 0.5 && (found[1].before - 20.0).abs() < 0.5);
    }

    #[test]
    fn noise_and_a_lone_outlier_are_no_change() {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(3);
        let false_alarms = (0..100)
            .filter(|seed| {
                let mut series = noisy(&mut random, 100.0, 30);
                series[20] *= 5.0;
                let options = ChangePointOptions { permutations: 199, seed: *seed, ..Default::default() };
                !change_points(&series, options).is_empty()
            })
            .count();
        // One in a hundred is expected at this significance; six have a chance below 0.1 %.
        assert!(false_alarms < 6, "{false_alarms} of 100");
    }

    #[test]
    fn short_and_constant_series_have_none() {
        assert_eq!(change_points(&[], ChangePointOptions::default()), []);
        assert_eq!(change_points(&[1.0, 9.0, 1.0, 9.0, 9.0], ChangePointOptions::default()), []);
        assert_eq!(change_points(&[4.0; 50], ChangePointOptions::default()), []);
    }

    #[test]
    fn only_the_last_values_are_examined() {
        let mut series = vec![1.0; 100];
        series.extend([2.0; 400]);
        series.extend([2.0; 100]);
        let options = ChangePointOptions { permutations: 0, ..Default::default() };
        assert_eq!(change_points(&series, options), []);
    }

    #[test]
    fn six_runs_on_each_side_are_enough_and_three_never_are() {
        for (runs, expected) in [(3, 0), (6, 1)] {
            let level = |base: f64| (0..runs).map(move |n| base + f64::from(n));
            let series: Vec<f64> = level(100.0).chain(level(5_000.0)).collect();
            assert_eq!(change_points(&series, ChangePointOptions::default()).len(), expected, "{runs}");
        }
    }
}
