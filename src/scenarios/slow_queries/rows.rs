//! How many rows a query returned or changed, statement by statement: what one statement of a
//! transaction finds does not make up for what another does not.

/// The fewest and the most rows of a statement under one parameter set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RowRange {
    /// What the result guard is about.
    pub(crate) fewest: u64,
    /// What a limit on rows is about.
    pub(crate) most: u64,
}

/// Rows of the statements of a query under one parameter set, as far as they were executed and
/// return or change rows at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SetRows {
    statements: Vec<Option<RowRange>>,
}

impl SetRows {
    /// Adds an execution of the statement `at`.
    pub(crate) fn add(&mut self, at: usize, rows: u64) {
        if self.statements.len() <= at {
            self.statements.resize(at + 1, None);
        }
        let known = self.statements[at].get_or_insert(RowRange { fewest: rows, most: rows });
        known.fewest = known.fewest.min(rows);
        known.most = known.most.max(rows);
    }

    /// Whether anything is known.
    pub(crate) fn is_known(&self) -> bool {
        self.ranges().next().is_some()
    }

    /// Every statement that counts, with its position.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = (usize, RowRange)> {
        self.statements.iter().enumerate().filter_map(|(at, range)| Some((at, (*range)?)))
    }

    /// The statement with the fewest rows.
    pub(crate) fn fewest(&self) -> Option<(usize, u64)> {
        self.ranges().map(|(at, range)| (at, range.fewest)).min_by_key(|(_, rows)| *rows)
    }

    /// The statement with the most rows.
    pub(crate) fn most(&self) -> Option<(usize, u64)> {
        self.ranges().map(|(at, range)| (at, range.most)).max_by_key(|(_, rows)| *rows)
    }
}

/// The first statement that found no row under any parameter set.
pub(crate) fn always_empty(sets: &[SetRows]) -> Option<usize> {
    let all = || sets.iter().flat_map(SetRows::ranges);
    let is_empty =
        |statement: usize| all().filter(|(at, _)| *at == statement).all(|(_, range)| range.most == 0);
    all().map(|(at, _)| at).filter(|at| is_empty(*at)).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(executions: &[&[u64]]) -> SetRows {
        let mut rows = SetRows::default();
        for execution in executions {
            execution.iter().enumerate().for_each(|(at, count)| rows.add(at, *count));
        }
        rows
    }

    #[test]
    fn one_statement_does_not_make_up_for_another() {
        let rows = set(&[&[0, 20], &[1, 30]]);
        assert_eq!((rows.fewest(), rows.most()), (Some((0, 0)), Some((1, 30))));
        assert_eq!(SetRows::default().fewest(), None);
        assert!(!SetRows::default().is_known());
    }

    #[test]
    fn the_statement_that_never_finds_a_row_is_found() {
        assert_eq!(always_empty(&[set(&[&[3, 0]]), set(&[&[3, 1]])]), None);
        assert_eq!(always_empty(&[set(&[&[3, 0]]), set(&[&[0, 0]])]), Some(1));
        assert_eq!(always_empty(&[set(&[&[0]]), SetRows::default()]), Some(0));
        assert_eq!(always_empty(&[SetRows::default()]), None);
    }
}
