//! A time at a size that was not measured, from times at smaller ones.
//!
//! Three curves are fitted by their relative errors: `c + a·n` and
//! `c + a·n·ln n` (a fixed cost and work per row, or sorting) and the power law
//! `a·n^b`. Sizes far apart tell them apart; where they don't, the bounds span
//! every curve that explains the measurements about as well as the best, so
//! that not knowing the curve shows as a wide interval.

use super::Interval;
use super::growth::{self, GrowthPoint};
use super::special::student_t_quantile;

/// A curve with up to this times the squared error of the best is as likely.
const AS_LIKELY: f64 = 3.0;
/// Relative errors below this are nobody's: no clock and no scheduler is that exact.
const LEAST_ERROR: f64 = 0.02;

/// Beyond the largest size nothing gets faster than this share of the least measured there.
const NO_FASTER: f64 = 0.8;

/// A value at a size that was not measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Projection {
    /// The value expected.
    pub value: f64,
    /// Its bounds, over all likely curves; `None` with fewer than three points.
    pub interval: Option<Interval>,
    /// The curve behind the value: `constant + rows`, `constant + rows log rows` or `power of rows`.
    pub curve: &'static str,
}

/// One fitted curve at the size projected to.
#[derive(Debug, Clone, Copy)]
struct Fitted {
    curve: &'static str,
    value: f64,
    /// Sum of squared relative errors.
    error: f64,
    low: f64,
    high: f64,
}

/// Projects a positive value to `size`. `None` with fewer than two different sizes.
#[must_use]
pub fn project(points: &[GrowthPoint], size: f64, confidence: f64) -> Option<Projection> {
    let points: Vec<GrowthPoint> =
        points.iter().copied().filter(|point| point.size > 0.0 && point.value > 0.0).collect();
    let (first, rest) = points.split_first()?;
    if rest.iter().all(|point| (point.size - first.size).abs() < 0.5) {
        return None;
    }
    let sorting = |n: f64| n * (n + 1.0).ln();
    let curves = [
        affine("constant + rows", &points, size, confidence, |n| n),
        affine("constant + rows log rows", &points, size, confidence, sorting),
        power(&points, size, confidence)?,
    ];
    let count = to_f64(points.len());
    let best = curves.iter().map(|fitted| fitted.error).fold(f64::INFINITY, f64::min);
    let likely = best.max(LEAST_ERROR.powi(2) * count) * AS_LIKELY;
    let likely: Vec<&Fitted> = curves.iter().filter(|fitted| fitted.error <= likely).collect();
    let chosen = likely.first()?;
    let least = least_at_largest(&points, size);
    let interval = (points.len() > 2).then(|| Interval {
        low: likely
            .iter()
            .map(|fitted| fitted.low)
            .fold(f64::INFINITY, f64::min)
            .max(least)
            .min(chosen.value),
        high: likely.iter().map(|fitted| fitted.high).fold(0.0, f64::max),
        confidence,
    });
    Some(Projection { value: chosen.value, interval, curve: chosen.curve })
}

/// What more rows take at the least; 0 for a size within the measured ones.
fn least_at_largest(points: &[GrowthPoint], size: f64) -> f64 {
    let largest = points.iter().map(|point| point.size).fold(0.0, f64::max);
    let there = points.iter().filter(|point| point.size >= largest).map(|point| point.value);
    if size < largest { 0.0 } else { there.fold(f64::INFINITY, f64::min) * NO_FASTER }
}

/// `c + a·g(n)` with neither below zero, by weighted least squares (weight `1/y²`).
fn affine(
    curve: &'static str,
    points: &[GrowthPoint],
    size: f64,
    confidence: f64,
    shape: fn(f64) -> f64,
) -> Fitted {
    let weighted = |f: &dyn Fn(&GrowthPoint) -> f64| -> f64 {
        points.iter().map(|point| f(point) / point.value.powi(2)).sum()
    };
    let (w, wx) = (weighted(&|_| 1.0), weighted(&|point| shape(point.size)));
    let wxx = weighted(&|point| shape(point.size).powi(2));
    let wy = weighted(&|point| point.value);
    let wxy = weighted(&|point| shape(point.size) * point.value);
    let determinant = w * wxx - wx * wx;
    let (mut constant, mut slope) = ((wxx * wy - wx * wxy) / determinant, (w * wxy - wx * wy) / determinant);
    if slope < 0.0 {
        (constant, slope) = (wy / w, 0.0);
    } else if constant < 0.0 {
        (constant, slope) = (0.0, wxy / wxx);
    }
    let at = |n: f64| constant + slope * shape(n);
    let error = points.iter().map(|point| (1.0 - at(point.size) / point.value).powi(2)).sum::<f64>();
    let value = at(size);
    let variance = spread(error, points.len());
    let x = shape(size);
    let of_curve = (wxx - 2.0 * x * wx + x * x * w) / determinant;
    let half = quantile(points.len(), confidence) * (variance * (of_curve.max(0.0) + value * value)).sqrt();
    // A time is not below what is known to be spent at the least.
    Fitted { curve, value, error, low: (value - half).max(0.0), high: value + half }
}

fn power(points: &[GrowthPoint], size: f64, confidence: f64) -> Option<Fitted> {
    let fit = growth::fit(points, confidence)?;
    let error = points.iter().map(|point| (1.0 - fit.at(point.size) / point.value).powi(2)).sum::<f64>();
    let count = to_f64(points.len());
    let mean = points.iter().map(|point| point.size.ln()).sum::<f64>() / count;
    let spread_x: f64 = points.iter().map(|point| (point.size.ln() - mean).powi(2)).sum();
    let of_curve = 1.0 / count + (size.ln() - mean).powi(2) / spread_x;
    let half = quantile(points.len(), confidence) * (spread(error, points.len()) * (1.0 + of_curve)).sqrt();
    let value = fit.at(size);
    let curve = "power of rows";
    Some(Fitted { curve, value, error, low: value / half.exp(), high: value * half.exp() })
}

/// Variance of the relative errors.
fn spread(error: f64, points: usize) -> f64 {
    (error / (to_f64(points) - 2.0).max(1.0)).max(LEAST_ERROR.powi(2))
}

fn quantile(points: usize, confidence: f64) -> f64 {
    student_t_quantile(0.5 + 0.5 * confidence, (to_f64(points) - 2.0).max(1.0))
}

#[expect(clippy::cast_precision_loss, reason = "a few dozen points")]
fn to_f64(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    fn ladder(sizes: &[f64], truth: impl Fn(f64) -> f64, noise: f64, seed: u64) -> Vec<GrowthPoint> {
        let mut random = StdRng::seed_from_u64(seed);
        let mut point = |size: f64| GrowthPoint {
            size,
            value: truth(size) * (1.0 + noise * random.random_range(-1.0..1.0)),
        };
        sizes.iter().flat_map(|&size| [size, size, size]).map(&mut point).collect()
    }

    /// The line that SciPy's `curve_fit` finds with `sigma = y` (SciPy 1.17.1): 2.3 + 0.011·n.
    #[test]
    fn an_exact_line_is_found_and_a_fixed_cost_does_not_bend_it() {
        let points = ladder(&[100.0, 10_000.0, 100_000.0], |n| 2.3 + 0.011 * n, 0.0, 1);
        let found = project(&points, 1e7, 0.95).unwrap();
        assert_eq!(found.curve, "constant + rows");
        assert!((found.value / 110_002.3 - 1.0).abs() < 1e-9, "{found:?}");
    }

    #[test]
    fn the_truth_lies_within_the_bounds_as_often_as_promised() {
        for truth in [
            (|n| 3.0 + 0.002 * n) as fn(f64) -> f64,
            |n| 3.0 + 0.0002 * n * n.ln(),
            |n| 0.001 * n.powf(1.5),
            |_| 1.5,
        ] {
            for sizes in [&[2_500.0, 250_000.0][..], &[2_500.0, 25_000.0, 250_000.0]] {
                let covered = (0..200).filter(|&seed| {
                    let found = project(&ladder(sizes, truth, 0.1, seed), 1e7, 0.95).unwrap();
                    let interval = found.interval.unwrap();
                    interval.low <= truth(1e7) && truth(1e7) <= interval.high
                });
                let covered = covered.count();
                assert!(covered >= 180, "{covered} of 200 at {} rows a size: {}", sizes.len(), truth(1e7));
            }
        }
    }

    #[test]
    fn one_size_is_no_ladder_and_two_points_no_interval() {
        let point = |size, value| GrowthPoint { size, value };
        assert_eq!(project(&[point(5.0, 1.0), point(5.0, 1.1)], 10.0, 0.95), None);
        assert_eq!(project(&[], 10.0, 0.95), None);
        let two = project(&[point(5.0, 1.0), point(50.0, 10.0)], 100.0, 0.95).unwrap();
        assert_eq!(two.interval, None);
    }
}
