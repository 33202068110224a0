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
    /// Share of the logarithms' variance that the line explains, 1 for all of it.
    pub r_squared: f64,
}

impl GrowthFit {
    /// The value the fit expects at another size.
    #[must_use]
    pub fn at(&self, size: f64) -> f64 {
        self.scale * size.powf(self.exponent.value)
    }
}

/// Fits the power law. Points that are not positive are left out. `None` with
/// fewer than two different sizes.
#[must_use]
pub fn fit(points: &[GrowthPoint], confidence: f64) -> Option<GrowthFit> {
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
    let spread_y: f64 = logs.iter().map(|(_, y)| (y - mean_y).powi(2)).sum();
    let slope = joint / spread_x;
    let residual: f64 = logs.iter().map(|(x, y)| (y - mean_y - slope * (x - mean_x)).powi(2)).sum();
    let half_width = if logs.len() > 2 {
        let t = student_t_quantile(0.5 + 0.5 * confidence, n - 2.0);
        t * (residual / (n - 2.0) / spread_x).sqrt()
    } else {
        f64::INFINITY
    };
    let interval = Interval { low: slope - half_width, high: slope + half_width, confidence };
    Some(GrowthFit {
        exponent: Estimate { value: slope, interval, units: logs.len() },
        scale: (mean_y - slope * mean_x).exp(),
        r_squared: if spread_y < 1e-12 { 1.0 } else { 1.0 - residual / spread_y },
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
