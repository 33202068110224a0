//! Pearson's chi-square test of counts against expected counts.

use super::special::ln_gamma;

/// The outcome of a test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChiSquare {
    /// Σ (obtained − expected)² / expected.
    pub statistic: f64,
    /// Cells less one.
    pub degrees: u64,
    /// Probability of a statistic at least as large if the expectation is true.
    pub p_value: f64,
}

/// Smallest expected count of a cell for which the approximation holds (Cochran 1954).
const LEAST_EXPECTED: f64 = 5.0;

/// Tests obtained counts against expected ones, given as pairs. Neighbouring cells are joined
/// until each expects at least five. `None` where that leaves fewer than two cells.
#[must_use]
pub fn chi_square(cells: &[(f64, f64)]) -> Option<ChiSquare> {
    let mut joined: Vec<(f64, f64)> = Vec::new();
    let mut open = (0.0, 0.0);
    for (expected, obtained) in cells {
        open = (open.0 + expected, open.1 + obtained);
        if open.0 >= LEAST_EXPECTED {
            joined.push(std::mem::take(&mut open));
        }
    }
    // What is left over goes to the last cell; without one there is nothing to test.
    let last = joined.last_mut()?;
    *last = (last.0 + open.0, last.1 + open.1);
    let degrees = joined.len() as u64 - 1;
    if degrees == 0 {
        return None;
    }
    let statistic: f64 =
        joined.iter().map(|(expected, obtained)| (obtained - expected).powi(2) / expected).sum();
    Some(ChiSquare { statistic, degrees, p_value: upper_gamma(degrees as f64 / 2.0, statistic / 2.0) })
}

/// The regularised upper incomplete gamma function Q(a, x): the power series of P below
/// a + 1, Legendre's continued fraction above (Abramowitz and Stegun 6.5.29, 6.5.31).
fn upper_gamma(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    let front = (a * x.ln() - x - ln_gamma(a)).exp();
    if x < a + 1.0 {
        let (mut term, mut sum) = (1.0 / a, 1.0 / a);
        let mut n = a;
        for _ in 0..10_000 {
            n += 1.0;
            term *= x / n;
            sum += term;
            if term < sum * f64::EPSILON {
                break;
            }
        }
        return 1.0 - front * sum;
    }
    // Lentz's evaluation of the fraction, from the front.
    let mut b = x + 1.0 - a;
    let (mut c, mut d) = (1.0 / f64::MIN_POSITIVE, 1.0 / b);
    let mut fraction = d;
    for i in 1..10_000 {
        let i = f64::from(i);
        let an = -i * (i - a);
        b += 2.0;
        d = 1.0 / (an * d + b);
        c = b + an / c;
        let step = c * d;
        fraction *= step;
        if (step - 1.0).abs() < f64::EPSILON {
            break;
        }
    }
    front * fraction
}

#[cfg(test)]
mod tests {
    use super::{chi_square, upper_gamma};

    #[test]
    fn tail_probabilities_agree_with_tables() {
        // Upper quantiles of the chi-square distribution, Abramowitz and Stegun, table 26.8.
        for (degrees, statistic, p) in [
            (1.0, 3.841_46, 0.05),
            (3.0, 7.814_73, 0.05),
            (9.0, 27.877_2, 0.001),
            (10.0, 4.865_18, 0.9),
            (100.0, 135.807, 0.01),
        ] {
            let obtained = upper_gamma(degrees / 2.0, statistic / 2.0);
            assert!((obtained / p - 1.0).abs() < 1e-4, "{degrees}: {obtained}, not {p}");
        }
        // Two degrees have a closed form.
        for x in [0.1, 1.0, 2.5, 40.0] {
            assert!((upper_gamma(1.0, x) / (-x).exp() - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn rare_cells_are_joined_with_their_neighbours() {
        let test =
            chi_square(&[(1.0, 2.0), (2.0, 1.0), (3.0, 3.0), (50.0, 49.0), (0.5, 1.5)]).expect("two cells");
        assert_eq!(test.degrees, 1);
        assert!((test.statistic - 0.0).abs() < 1e-12);
        assert_eq!(chi_square(&[(4.0, 4.0), (3.0, 3.0)]), None);
        assert_eq!(chi_square(&[]), None);
    }
}
