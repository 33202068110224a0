//! Declared against obtained: the test behind each verdict.
//!
//! Counts of rows in cells (a value, a tenth of a distribution, a group of parents)
//! are compared with what the declaration expects by Pearson's chi-square test. The
//! p-values of all columns are adjusted together (Holm), so that "differs" is said
//! of correct data in one seeding of a thousand.

use crate::model::evidence::data::{Agreement, ObtainedColumn};
use crate::stats::chi_square::chi_square;
use crate::stats::multiplicity::holm;

/// Adjusted p-values below this are a difference.
const SIGNIFICANCE: f64 = 0.001;

/// Expected and obtained rows of a cell.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cell {
    pub(super) expected: f64,
    pub(super) obtained: f64,
}

/// Judges all columns of a seeding together.
pub(super) fn judge(measured: Vec<(ObtainedColumn, Vec<Cell>)>) -> Vec<ObtainedColumn> {
    let tests: Vec<_> = measured
        .iter()
        .map(|(_, cells)| {
            chi_square(&cells.iter().map(|cell| (cell.expected, cell.obtained)).collect::<Vec<_>>())
        })
        .collect();
    let adjusted = holm(&tests.iter().flatten().map(|test| test.p_value).collect::<Vec<_>>());
    let mut adjusted = adjusted.into_iter();
    measured
        .into_iter()
        .zip(tests)
        .map(|((mut column, _), test)| {
            if let Some(test) = test {
                let p_value = adjusted.next().unwrap_or(test.p_value);
                column.agreement = Agreement::Tested {
                    statistic: test.statistic,
                    degrees: test.degrees,
                    p_value,
                    agrees: p_value >= SIGNIFICANCE,
                };
            }
            column
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Agreement, Cell, ObtainedColumn, judge};

    fn column(obtained: [f64; 2]) -> (ObtainedColumn, Vec<Cell>) {
        let column = ObtainedColumn {
            table: "t".into(),
            column: "c".into(),
            declared: "bool".into(),
            rows: 100,
            figures: Vec::new(),
            agreement: Agreement::TooFewRows,
        };
        (column, obtained.map(|obtained| Cell { expected: 50.0, obtained }).to_vec())
    }

    #[test]
    fn a_difference_is_told_from_chance() {
        let judged = judge(vec![column([55.0, 45.0]), column([75.0, 25.0]), column([50.0, 50.0])]);
        assert_eq!(
            judged.iter().map(|column| column.agreement.word()).collect::<Vec<_>>(),
            ["agrees", "differs", "agrees"]
        );
    }

    #[test]
    fn several_columns_share_the_error() {
        // p = 0.0005 alone is a difference, among ten such questions it is not.
        let doubtful = || column([67.4, 32.6]);
        assert_eq!(judge(vec![doubtful()])[0].agreement.word(), "differs");
        let many = std::iter::once(doubtful()).chain((0..9).map(|_| column([50.0, 50.0]))).collect();
        assert_eq!(judge(many)[0].agreement.word(), "agrees");
    }
}
