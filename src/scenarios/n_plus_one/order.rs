//! Which rows the members of a loop asked for, in order of time: what was asked
//! between two of them, for a row between theirs, goes with them.

use super::executions::Executions;
use super::sources::Sources;
use super::weave::Assignments;
use crate::trace::ValueHash;
use std::collections::BTreeMap;

/// Members by their result set: each with the first row that holds its value.
pub(super) struct Order {
    source: usize,
    rows: BTreeMap<usize, Vec<(usize, usize)>>,
}

impl Order {
    /// Of the members, in order of time, that one source feeds.
    pub(super) fn new(
        executions: &Executions<'_>,
        assignments: &Assignments,
        sources: &mut Sources,
        source: usize,
        members: impl Iterator<Item = usize>,
    ) -> Self {
        let mut order = Self { source, rows: BTreeMap::new() };
        for at in members {
            let Some(found) = assignments[at].filter(|found| found.source == source && !found.is_beyond)
            else {
                continue;
            };
            let row = executions
                .key(at, found.position)
                .and_then(|value| order.row(executions, sources, found.result, value));
            if let Some(row) = row {
                order.rows.entry(found.result).or_default().push((at, row));
            }
        }
        order
    }

    /// Whether a value's row lies between those of the members before an execution and behind it.
    pub(super) fn is_between(
        &self,
        executions: &Executions<'_>,
        sources: &mut Sources,
        (result, value): (usize, ValueHash),
        at: usize,
    ) -> bool {
        let (Some(rows), Some(row)) = (self.rows.get(&result), self.row(executions, sources, result, value))
        else {
            return false;
        };
        let behind = rows.partition_point(|(member, _)| *member < at);
        let before = behind.checked_sub(1).and_then(|before| rows.get(before));
        before.is_some_and(|(_, before)| *before < row)
            && rows.get(behind).is_some_and(|(_, next)| row < *next)
    }

    fn row(
        &self,
        executions: &Executions<'_>,
        sources: &mut Sources,
        result: usize,
        value: ValueHash,
    ) -> Option<usize> {
        let column = sources.list[self.source].column;
        sources.standing(executions, result, column, value).map(|standing| standing.first_row)
    }
}
