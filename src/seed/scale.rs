//! How many rows a table has at a volume, and in which volume a row first exists.
//!
//! The volumes up to the wanted one are the *generations* of the data: a row
//! belongs to the smallest volume that holds it. Invariant: what a row refers to
//! exists in the row's own generation, so that a smaller volume is a prefix.

/// Factors are whole multiples of this share, so that row counts are exact.
const STEPS_PER_ONE: f64 = 1e6;

/// The wanted volume's factor and the smaller ones' before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scale {
    /// Ascending, in millionths, never empty, none is 0.
    factors: Vec<u64>,
}

impl Scale {
    /// The wanted factor, and the project's other volumes (larger ones do not count).
    #[must_use]
    pub fn new(factor: f64, volumes: impl IntoIterator<Item = f64>) -> Self {
        let wanted = steps(factor);
        let mut factors: Vec<u64> =
            volumes.into_iter().map(steps).filter(|smaller| *smaller < wanted).chain([wanted]).collect();
        factors.sort_unstable();
        factors.dedup();
        Self { factors }
    }

    /// The rows of a table that has `rows` at factor 1, in each generation.
    pub(super) fn row_counts(&self, rows: u64, fixed: bool) -> RowCounts {
        let at = |factor: &u64| {
            let exact = (u128::from(rows) * u128::from(*factor)).div_ceil(STEPS_PER_ONE as u128);
            u64::try_from(exact).unwrap_or(u64::MAX)
        };
        RowCounts(if fixed { vec![rows; self.factors.len()] } else { self.factors.iter().map(at).collect() })
    }
}

fn steps(factor: f64) -> u64 {
    ((factor * STEPS_PER_ONE).round() as u64).max(1)
}

/// A table's rows up to and including each generation, ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RowCounts(pub(super) Vec<u64>);

impl RowCounts {
    /// At the wanted volume.
    pub(super) fn total(&self) -> u64 {
        self.0.last().copied().unwrap_or(0)
    }

    /// The generation in which a row first exists.
    #[inline]
    pub(super) fn generation_of(&self, row: u64) -> usize {
        self.0.iter().position(|rows| row < *rows).unwrap_or(self.0.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::Scale;

    #[test]
    fn rows_of_each_generation() {
        let scale = Scale::new(100.0, [1.0, 0.1, 1000.0, 100.0]);
        assert_eq!(scale.row_counts(2500, false).0, [250, 2500, 250_000]);
        assert_eq!(scale.row_counts(7, false).0, [1, 7, 700]);
        assert_eq!(scale.row_counts(7, true).0, [7, 7, 7]);
        let counts = scale.row_counts(2500, false);
        assert_eq!([0, 249, 250, 2500].map(|row| counts.generation_of(row)), [0, 0, 1, 2]);
    }
}
