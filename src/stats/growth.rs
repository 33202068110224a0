//! How a metric grows with the volume: the power law `y = a · n^b`, fitted by
//! least squares on logarithms (Goldsmith, Aiken and Wilkerson 2007 call this
//! empirical computational complexity). `b` is about 0 for an index look-up of
//! fixed size, 1 for a scan, 2 for a nested loop over both sides.

use super::special::student_t_quantile;
use super::{Estimate, Interval};

/// A metric at one volume.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GrowthPoint {
    /// Size of the data, such as rows or the volume's factor; positive.
    pub size: f64,
    /// The metric there; positive.
    pub value: f64,
}

/// A fitted power law.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GrowthFit {
    /// `b` of `y = a · n^b`, with the interval of the regression slope. With
    /// two points the line is exact and the interval infinite.
    pub exponent: Estimate,
    /// `a` of `y = a · n^b`.
    pub scale: f64,
}

impl GrowthFit {
    /// The value the fit expects at another size.
    #[must_use]
    pub fn at(&self, size: f64) -> f64 {
        self.scale * size.powf(self.exponent.value)
    }
}

/// The size at which a growing metric reaches a limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Crossing {
    /// Where the fitted line reaches it; infinite where it does not rise to it.
    pub size: f64,
    /// Bounds of that size. From zero to infinity where the points do not bound it.
    pub interval: Interval,
}

/// The size at which the fitted power law reaches `limit`, with Fieller's
/// interval for the inverse of a regression line (Draper and Smith, Applied
/// Regression Analysis, 3rd ed., §3.2). `None` where nothing can be fitted or
/// the limit is not positive.
#[must_use]
pub fn crossing(points: &[GrowthPoint], limit: f64, confidence: f64) -> Option<Crossing> {
    let line = Line::through(points).filter(|_| limit > 0.0)?;
    let slope = line.slope();
    let above_mean = limit.ln() - line.mean_y;
    let is_rising = slope > 1e-9;
    let size = if is_rising { (line.mean_x + above_mean / slope).exp() } else { f64::INFINITY };
    let (low, high) = line.crossing_bounds(above_mean, confidence);
    let size_at = |u: f64| (line.mean_x + u).exp();
    Some(Crossing { size, interval: Interval { low: size_at(low), high: size_at(high), confidence } })
}

/// Sums of a least-squares line on logarithms.
struct Line {
    n: f64,
    mean_x: f64,
    mean_y: f64,
    spread_x: f64,
    joint: f64,
    residual: f64,
}

impl Line {
    /// Points that are not positive are left out. `None` with fewer than two different sizes.
    fn through(points: &[GrowthPoint]) -> Option<Self> {
        let logs: Vec<(f64, f64)> = points
            .iter()
            .filter(|point| point.size > 0.0 && point.value > 0.0)
            .map(|point| (point.size.ln(), point.value.ln()))
            .collect();
        let n = logs.len() as f64;
        let mean_x = logs.iter().map(|(x, _)| x).sum::<f64>() / n;
        let mean_y = logs.iter().map(|(_, y)| y).sum::<f64>() / n;
        let spread_x: f64 = logs.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
        if logs.len() < 2 || spread_x < 1e-12 {
            return None;
        }
        let joint: f64 = logs.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
        let slope = joint / spread_x;
        let residual: f64 = logs.iter().map(|(x, y)| (y - mean_y - slope * (x - mean_x)).powi(2)).sum();
        Some(Self { n, mean_x, mean_y, spread_x, joint, residual })
    }

    fn slope(&self) -> f64 {
        self.joint / self.spread_x
    }

    /// Student's t times the residual's standard deviation; infinite with two points.
    fn half_width(&self, confidence: f64) -> f64 {
        if self.n > 2.0 {
            let t = student_t_quantile(0.5 + 0.5 * confidence, self.n - 2.0);
            t * (self.residual / (self.n - 2.0)).sqrt()
        } else {
            f64::INFINITY
        }
    }

    /// Bounds of the place, counted from `mean_x`, at which the line may reach
    /// `above_mean`. Of the two parts a flat line leaves, the one on the right.
    fn crossing_bounds(&self, above_mean: f64, confidence: f64) -> (f64, f64) {
        const EVERYWHERE: (f64, f64) = (f64::NEG_INFINITY, f64::INFINITY);
        let (slope, width) = (self.slope(), self.half_width(confidence));
        if !width.is_finite() {
            return EVERYWHERE;
        }
        let square = slope.powi(2) - width.powi(2) / self.spread_x;
        let constant = above_mean.powi(2) - width.powi(2) / self.n;
        let root = (slope * above_mean).powi(2) - square * constant;
        if square.abs() < 1e-12 || root < 0.0 {
            return EVERYWHERE;
        }
        let mut ends = [1.0, -1.0].map(|sign: f64| (slope * above_mean + sign * root.sqrt()) / square);
        ends.sort_unstable_by(f64::total_cmp);
        match (square > 0.0, constant > 0.0 && above_mean > 0.0) {
            (true, _) if slope > 0.0 => (ends[0], ends[1]),
            (false, true) => (ends[1].max(ends[0]), f64::INFINITY),
            // A line that certainly falls never reaches a limit above it.
            (true, true) => (f64::INFINITY, f64::INFINITY),
            _ => EVERYWHERE,
        }
    }
}

/// Fits the power law. Points that are not positive are left out. `None` with
/// fewer than two different sizes.
#[must_use]
pub fn fit(points: &[GrowthPoint], confidence: f64) -> Option<GrowthFit> {
    let line = Line::through(points)?;
    let (slope, half_width) = (line.slope(), line.half_width(confidence) / line.spread_x.sqrt());
    let interval = Interval { low: slope - half_width, high: slope + half_width, confidence };
    Some(GrowthFit {
        exponent: Estimate { value: slope, interval, units: line.n as usize },
        scale: (line.mean_y - slope * line.mean_x).exp(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn points(values: &[(f64, f64)]) -> Vec<GrowthPoint> {
        values.iter().map(|&(size, value)| GrowthPoint { size, value }).collect()
    }

    /// `scipy.stats.linregress` on the logarithms, `t.ppf(0.975, 3)` times its stderr (SciPy 1.17.1).
    #[test]
    fn the_fit_agrees_with_scipy() {
        let fit =
            fit(&points(&[(1.0, 3.1), (10.0, 28.0), (100.0, 350.0), (1e3, 2800.0), (1e4, 33000.0)]), 0.95)
                .unwrap();
        assert!((fit.exponent.value - 1.005430449208723).abs() < 1e-12, "{fit:?}");
        assert!((fit.exponent.interval.low - 0.9564248491612912).abs() < 1e-10, "{fit:?}");
        assert!((fit.scale - 3.011556738007799).abs() < 1e-10, "{fit:?}");
    }

    #[test]
    fn too_little_is_no_fit_and_two_points_no_interval() {
        assert_eq!(fit(&points(&[(1.0, 2.0)]), 0.95), None);
        assert_eq!(fit(&points(&[(5.0, 2.0), (5.0, 3.0)]), 0.95), None);
        let two = fit(&points(&[(1.0, 2.0), (100.0, 200.0)]), 0.95).unwrap();
        assert!((two.exponent.value - 1.0).abs() < 1e-12);
        assert_eq!(two.exponent.interval.high, f64::INFINITY);
    }

    /// Fieller's bounds are the sizes at which the limit is at the edge of the
    /// line's confidence band: checked against the band itself.
    #[test]
    fn the_crossing_is_where_the_band_meets_the_limit() {
        let measured = points(&[(1.0, 3.1), (10.0, 28.0), (100.0, 350.0), (1e3, 2800.0), (1e4, 33000.0)]);
        let line = Line::through(&measured).unwrap();
        let at = |size: f64, side: f64| {
            let u = size.ln() - line.mean_x;
            let width = line.half_width(0.95) * (1.0 / line.n + u * u / line.spread_x).sqrt();
            (line.mean_y + line.slope() * u + side * width).exp()
        };
        let found = crossing(&measured, 1e6, 0.95).unwrap();
        assert!((at(found.size, 0.0) / 1e6 - 1.0).abs() < 1e-9, "{found:?}");
        assert!((at(found.interval.low, 1.0) / 1e6 - 1.0).abs() < 1e-9, "{found:?}");
        assert!((at(found.interval.high, -1.0) / 1e6 - 1.0).abs() < 1e-9, "{found:?}");
    }

    #[test]
    fn a_flat_or_falling_line_has_no_known_crossing() {
        let flat = points(&[(1.0, 3.0), (10.0, 3.1), (100.0, 2.95), (1000.0, 3.05)]);
        let found = crossing(&flat, 50.0, 0.95).unwrap();
        assert!(found.interval.low > 1e6 && found.interval.high == f64::INFINITY, "{found:?}");
        let falling = points(&[(1.0, 30.0), (10.0, 20.1), (100.0, 12.9), (1000.0, 8.8)]);
        let found = crossing(&falling, 50.0, 0.95).unwrap();
        assert_eq!((found.size, found.interval.low), (f64::INFINITY, f64::INFINITY));
        let two = crossing(&points(&[(1.0, 2.0), (100.0, 200.0)]), 400.0, 0.95).unwrap();
        assert!((two.size / 200.0 - 1.0).abs() < 1e-9, "{two:?}");
        assert_eq!((two.interval.low, two.interval.high), (0.0, f64::INFINITY));
        assert_eq!(crossing(&flat, 0.0, 0.95), None);
    }

    proptest! {
        #[test]
        fn an_exact_power_law_is_found(a in 0.1..100.0_f64, b in -1.0..3.0_f64) {
            let exact: Vec<_> = [1.0, 10.0, 100.0, 1000.0]
                .map(|size: f64| GrowthPoint { size, value: a * size.powf(b) }).to_vec();
            let fit = fit(&exact, 0.99).unwrap();
            prop_assert!((fit.exponent.value - b).abs() < 1e-9);
            prop_assert!((fit.at(50.0) / (a * 50_f64.powf(b)) - 1.0).abs() < 1e-9);
            prop_assert!(fit.exponent.interval.high - fit.exponent.interval.low < 1e-5);
        }
    }
}
