//! For every value a child asks for: which earlier results could have told it.

use super::executions::Executions;
use super::reading::Role;
use super::sources::Sources;
use crate::trace::ValueHash;
use std::collections::HashMap;

/// Explanations weighed per value; the best by name and recency.
const EXPLANATIONS_MAX: usize = 24;

/// Which of several result sets of the same statement a value is put down to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Preference {
    /// The latest on the child's own connection: a connection per worker.
    Connection,
    /// The latest that still has a row for this value: workers that share a pool.
    Capacity,
}

/// One way to explain one value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Explanation {
    pub(super) source: usize,
    pub(super) result: usize,
    /// The value stands at or behind the row of the child before.
    pub(super) in_order: bool,
    /// The value is the very next one: of the next row, or the next different one.
    pub(super) is_next: bool,
    /// The value's place among the different values of the column.
    pub(super) rank: usize,
    /// More children than rows for this value.
    pub(super) over_capacity: bool,
    /// The parent was asked for this very value, so it only passed it on.
    pub(super) is_echo: bool,
}

/// The explanations of one placeholder of one execution.
#[derive(Debug, Clone)]
pub(super) struct Explained {
    pub(super) position: usize,
    pub(super) value: ValueHash,
    pub(super) by: Vec<Explanation>,
}

/// Per execution, its explained placeholders.
pub(super) type Explanations = Vec<Vec<Explained>>;

/// How far the children of one shape have come in one column of one result set.
#[derive(Debug, Default)]
struct Progress {
    next_row: usize,
    next_rank: usize,
    used: HashMap<ValueHash, u32>,
}

/// Progress by result set, column, child shape, placeholder, and connection
/// where each worker is taken to have its own.
type ProgressMap = HashMap<(usize, usize, usize, usize, u64), Progress>;

struct Explainer<'e, 't> {
    executions: &'e Executions<'t>,
    sources: Sources,
    progress: ProgressMap,
    /// The result set last asked from: by source, child shape, placeholder, stream.
    last_results: HashMap<(usize, usize, usize, u64), usize>,
    preference: Preference,
}

/// Explains every candidate of a trace.
pub(super) fn explain(executions: &Executions<'_>, preference: Preference) -> (Explanations, Sources) {
    let mut explainer = Explainer {
        executions,
        sources: Sources::default(),
        progress: HashMap::new(),
        last_results: HashMap::new(),
        preference,
    };
    let mut explanations: Explanations = vec![Vec::new(); executions.all.len()];
    for (execution, is_result) in events(executions) {
        if is_result {
            explainer.sources.insert(executions, execution);
        } else {
            explanations[execution] = explainer.explain(execution);
        }
    }
    (explanations, explainer.sources)
}

/// Requests of candidates and arrivals of rows, in order of time.
fn events(executions: &Executions<'_>) -> impl Iterator<Item = (usize, bool)> {
    let mut events: Vec<(u64, usize, bool)> = Vec::new();
    for (at, execution) in executions.all.iter().enumerate() {
        let record = execution.record;
        if execution.is_candidate {
            events.push((record.start_us, at, false));
        }
        if execution.result.is_some() {
            events.push((record.first_row_us.unwrap_or(record.start_us), at, true));
        }
    }
    events.sort_unstable();
    events.into_iter().map(|(_, at, is_result)| (at, is_result))
}

impl Explainer<'_, '_> {
    fn explain(&mut self, execution: usize) -> Vec<Explained> {
        let shape = self.executions.all[execution].shape;
        let placeholders = &self.executions.shapes[shape].reading.placeholders;
        let mut explained = Vec::new();
        for (position, placeholder) in placeholders.iter().enumerate() {
            if placeholder.role == Role::Carried {
                continue;
            }
            let Some(value) = self.executions.single(execution, position) else {
                continue;
            };
            let by = self.explanations(execution, position, value, placeholder.role);
            explained.push(Explained { position, value, by });
        }
        explained
    }

    fn explanations(
        &mut self,
        execution: usize,
        position: usize,
        value: ValueHash,
        role: Role,
    ) -> Vec<Explanation> {
        let child = self.executions.all[execution].shape;
        let mut choices: Vec<(usize, usize)> = Vec::new();
        for (source, results) in self.sources.of(value) {
            // A page that starts where the last one of the same statement ended is pagination.
            if role == Role::Range && self.sources.list[*source].shape == child {
                continue;
            }
            if let Some(result) = self.best_result(execution, position, value, *source, results) {
                choices.push((*source, result));
            }
        }
        if choices.len() > EXPLANATIONS_MAX {
            let rank = |sources: &mut Sources, (source, result): (usize, usize)| {
                (sources.affinity(self.executions, source, child, position), result)
            };
            let mut ranked: Vec<_> =
                choices.iter().map(|choice| (rank(&mut self.sources, *choice), *choice)).collect();
            ranked.sort_by(|(left, _), (right, _)| right.0.total_cmp(&left.0).then(right.1.cmp(&left.1)));
            choices = ranked.into_iter().take(EXPLANATIONS_MAX).map(|(_, choice)| choice).collect();
        }
        choices
            .into_iter()
            .filter_map(|(source, result)| self.advance(execution, position, value, source, result))
            .collect()
    }

    /// The result set of a source that an execution most likely read from.
    fn best_result(
        &self,
        execution: usize,
        position: usize,
        value: ValueHash,
        source: usize,
        results: &[usize],
    ) -> Option<usize> {
        let child = &self.executions.all[execution];
        let column = self.sources.list[source].column;
        let rank = |result: usize| {
            let opener = &self.executions.all[self.executions.results[result].execution];
            let (parent, record) = (opener.record, child.record);
            let is_foreign =
                matches!((&parent.scope, &record.scope), (Some(one), Some(other)) if one != other);
            // A transactional test ended: what it read is gone.
            let has_ended = self.executions.is_in_test_transaction(self.executions.results[result].execution)
                && parent.connection == record.connection
                && parent.transaction != record.transaction;
            if is_foreign || has_ended {
                return None;
            }
            let same_transaction = parent.transaction.is_some() && parent.transaction == record.transaction;
            let same_connection = parent.connection == record.connection;
            let used = self
                .progress
                .get(&(result, column, child.shape, position, self.stream(execution)))
                .and_then(|progress| progress.used.get(&value))
                .copied()
                .unwrap_or(0);
            let spare = match used {
                0 => 2,
                _ if used < self.rows_of(result, column, value) => 1,
                _ => 0,
            };
            Some(match self.preference {
                Preference::Connection => (same_transaction, u8::from(same_connection), 0, result),
                Preference::Capacity => (same_transaction, spare, u8::from(same_connection), result),
            })
        };
        results.iter().filter_map(|result| rank(*result)).max().map(|(.., result)| result)
    }

    /// What keeps workers apart: their connections, or nothing.
    fn stream(&self, execution: usize) -> u64 {
        match self.preference {
            Preference::Connection => self.executions.all[execution].record.connection,
            Preference::Capacity => 0,
        }
    }

    fn rows_of(&self, result: usize, column: usize, value: ValueHash) -> u32 {
        let rows =
            self.executions.results[result].columns[column].iter().filter(|other| **other == value).count();
        u32::try_from(rows).unwrap_or(u32::MAX)
    }

    /// Notes that a child asked for a value of a column, and says how it fits.
    fn advance(
        &mut self,
        execution: usize,
        position: usize,
        value: ValueHash,
        source: usize,
        result: usize,
    ) -> Option<Explanation> {
        let column = self.sources.list[source].column;
        let standing = self.sources.standing(self.executions, result, column, value)?;
        let (child, stream) = (self.executions.all[execution].shape, self.stream(execution));
        let before = self.last_results.insert((source, child, position, stream), result);
        // The first value of a result set is the next one only where that
        // result set is itself the newest, or next after the one asked from before.
        let is_reached = before == Some(result) || standing.rank > 0 || {
            let source = &self.sources.list[source];
            before.is_some_and(|before| source.follows(result, before))
                || source.is_latest(self.executions, result)
        };
        let progress = self.progress.entry((result, column, child, position, stream)).or_default();
        let used = progress.used.entry(value).or_insert(0);
        let over_capacity = *used >= standing.rows;
        *used += 1;
        let is_next = is_reached
            & progress.is_next(&self.executions.results[result].columns[column], value, standing.rank);
        let in_order =
            progress.step(&self.executions.results[result].columns[column], value, standing.first_row);
        let parent = self.executions.results[result].execution;
        let placeholders = self.executions.all[parent].record.arguments.len();
        let is_echo = (0..placeholders).any(|at| self.executions.single(parent, at) == Some(value));
        Some(Explanation { source, result, in_order, is_next, rank: standing.rank, over_capacity, is_echo })
    }
}

/// Rows looked at beyond the expected one before a value counts as out of order
/// unless it is new: a loop over every row asks for repeated values again.
const ROWS_AHEAD: usize = 8;

impl Progress {
    fn is_next(&mut self, column: &[ValueHash], value: ValueHash, rank: usize) -> bool {
        let rows = column.get(self.next_row..).unwrap_or_default();
        let row = rows.iter().find(|other| !other.is_null());
        let is_next = row == Some(&value) || rank == self.next_rank;
        self.next_rank = rank + 1;
        is_next
    }

    fn step(&mut self, column: &[ValueHash], value: ValueHash, first_row: usize) -> bool {
        // The same row asked for again: several statements per row.
        if self.next_row > 0
            && column.get(self.next_row - 1) == Some(&value)
            && column.get(self.next_row) != Some(&value)
        {
            return true;
        }
        let ahead = column.iter().skip(self.next_row).take(ROWS_AHEAD).position(|other| *other == value);
        let row = match ahead {
            Some(ahead) => self.next_row + ahead,
            None if first_row >= self.next_row => first_row,
            None => {
                self.next_row = first_row + 1;
                return false;
            }
        };
        self.next_row = row + 1;
        true
    }
}
