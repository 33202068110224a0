//! Which result columns held which value, most recent first.
//!
//! Bounded per value: the last [`RESULTS_PER_SOURCE`] result sets of each of at
//! most [`SOURCES_PER_VALUE`] columns. Older ones can no longer be told apart
//! from chance anyhow.

use super::affinity::{Affinity, ResultColumn, affinity};
use super::executions::Executions;
use super::hashing::Table;
use super::reading::Role;
use crate::trace::ValueHash;

const RESULTS_PER_SOURCE: usize = 16;
const SOURCES_PER_VALUE: usize = 64;
/// Columns of so few rows are looked through each time, as a table would take more memory than they do.
const SCANNED_MAX: usize = 12;

/// A column of a shape's result.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) shape: usize,
    pub(super) column: usize,
    pub(super) name: ResultColumn,
    /// Its result sets, in ascending order.
    pub(super) results: Vec<usize>,
    /// Most rows of one of them.
    pub(super) most_rows: u64,
}

/// How a value stands in one column of one result set.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    /// The first row that holds it.
    pub(super) first_row: usize,
    /// Its place among the different values, in order of first appearance.
    pub(super) rank: usize,
    /// How many rows hold it.
    pub(super) rows: u32,
}

/// All result columns, by the values they held.
#[derive(Debug, Default)]
pub(super) struct Sources {
    pub(super) list: Vec<Source>,
    by_column: Table<(usize, usize), usize>,
    by_value: Table<ValueHash, Vec<(usize, Vec<usize>)>>,
    standings: Table<(usize, usize), Table<ValueHash, Standing>>,
    affinities: Table<(usize, usize, usize), Affinity>,
}

impl Sources {
    /// Takes in what one execution returned.
    pub(super) fn insert(&mut self, executions: &Executions<'_>, execution: usize) {
        let Some(result) = executions.all[execution].result else {
            return;
        };
        let record = executions.all[execution].record;
        let shape = executions.results[result].shape;
        for (column, values) in record.values.iter().enumerate() {
            let source = *self.by_column.entry((shape, column)).or_insert_with(|| {
                self.list.push(Source {
                    shape,
                    column,
                    name: executions.result_column(execution, column),
                    results: Vec::new(),
                    most_rows: 0,
                });
                self.list.len() - 1
            });
            self.list[source].most_rows = self.list[source].most_rows.max(record.rows);
            let known = &mut self.list[source].results;
            // What is asked at once may be answered in another order.
            if let Err(place) = known.binary_search(&result) {
                known.insert(place, result);
            }
            let mut previous = ValueHash::NULL;
            for value in &values.hashes {
                // A value in a row of equal ones is in already.
                if value.is_null()
                    || *value == previous
                    || is_echo(executions, execution, &self.list[source].name, *value)
                {
                    continue;
                }
                previous = *value;
                remember(self.by_value.entry(*value).or_default(), source, result);
            }
        }
    }

    /// The columns that held a value, with their result sets, oldest first.
    pub(super) fn of(&self, value: ValueHash) -> &[(usize, Vec<usize>)] {
        self.by_value.get(&value).map_or(&[], Vec::as_slice)
    }

    /// The columns of a result set that hold a value, however long ago it was.
    pub(super) fn holding(
        &mut self,
        executions: &Executions<'_>,
        result: usize,
        value: ValueHash,
    ) -> Vec<usize> {
        let set = &executions.results[result];
        let holds = |column: &usize| self.standing(executions, result, *column, value).is_some();
        let columns: Vec<usize> = (0..set.columns.len()).filter(holds).collect();
        let source = |column: usize| self.by_column.get(&(set.shape, column)).copied();
        let sources = columns.into_iter().filter_map(source);
        sources.filter(|at| !is_echo(executions, set.execution, &self.list[*at].name, value)).collect()
    }

    /// How a value stands in a column of a result set.
    pub(super) fn standing(
        &mut self,
        executions: &Executions<'_>,
        result: usize,
        column: usize,
        value: ValueHash,
    ) -> Option<Standing> {
        let values = &executions.results[result].columns[column];
        if values.len() <= SCANNED_MAX {
            return scanned(values, value);
        }
        self.column(executions, result, column).get(&value).copied()
    }

    /// Different values in a column of a result set, NULL aside.
    pub(super) fn distinct(&mut self, executions: &Executions<'_>, result: usize, column: usize) -> usize {
        let values = &executions.results[result].columns[column];
        if values.len() <= SCANNED_MAX {
            return different(values);
        }
        self.column(executions, result, column).len()
    }

    fn column(
        &mut self,
        executions: &Executions<'_>,
        result: usize,
        column: usize,
    ) -> &Table<ValueHash, Standing> {
        self.standings.entry((result, column)).or_insert_with(|| {
            let mut standings: Table<ValueHash, Standing> = Table::default();
            for (row, value) in executions.results[result].columns[column].iter().enumerate() {
                if !value.is_null() {
                    let rank = standings.len();
                    let standing =
                        standings.entry(*value).or_insert(Standing { first_row: row, rank, rows: 0 });
                    standing.rows += 1;
                }
            }
            standings
        })
    }

    /// The same, once it was asked for.
    pub(super) fn known_affinity(&self, source: usize, child: usize, position: usize) -> Option<Affinity> {
        self.affinities.get(&(source, child, position)).copied()
    }

    /// How well a source's name fits a placeholder of a child shape.
    pub(super) fn affinity(
        &mut self,
        executions: &Executions<'_>,
        source: usize,
        child: usize,
        position: usize,
    ) -> Affinity {
        let list = &self.list;
        *self.affinities.entry((source, child, position)).or_insert_with(|| {
            let reading = &executions.shapes[child].reading;
            // A function's name says nothing about its argument.
            let compared = reading.placeholders.get(position).filter(|found| found.role != Role::Call);
            let column = compared.and_then(|found| found.column.as_ref());
            affinity(&list[source].name, column, &reading.tables)
        })
    }
}

fn scanned(values: &[ValueHash], value: ValueHash) -> Option<Standing> {
    let first_row = values.iter().position(|other| *other == value).filter(|_| !value.is_null())?;
    let rows = values.iter().filter(|other| **other == value).count() as u32;
    Some(Standing { first_row, rank: different(&values[..first_row]), rows })
}

fn different(values: &[ValueHash]) -> usize {
    let is_first = |(row, value): &(usize, &ValueHash)| !value.is_null() && !values[..*row].contains(value);
    values.iter().enumerate().filter(is_first).count()
}

fn remember(known: &mut Vec<(usize, Vec<usize>)>, source: usize, result: usize) {
    if let Some((_, results)) = known.iter_mut().find(|(other, _)| *other == source) {
        if results.last() == Some(&result) {
            return;
        }
        if results.len() == RESULTS_PER_SOURCE {
            results.remove(0);
        }
        results.push(result);
        return;
    }
    if known.len() == SOURCES_PER_VALUE {
        known.remove(0);
    }
    known.push((source, vec![result]));
}

/// A row looked up by a value returns that value in the column it was compared
/// with: it did not come from there. Of several rows it may be the loop's own key
/// (the orders of one user, then the user of each order), so only single rows
/// count as echoes; and the same number in another column is another thing.
fn is_echo(executions: &Executions<'_>, execution: usize, name: &ResultColumn, value: ValueHash) -> bool {
    let (record, shape) = (executions.all[execution].record, executions.all[execution].shape);
    let reading = &executions.shapes[shape].reading;
    record.rows == 1
        && (0..record.arguments.len()).any(|position| {
            let compared =
                reading.placeholders.get(position).and_then(|placeholder| placeholder.column.as_ref());
            let is_same_column = compared.is_none_or(|column| name.is_called(&column.column));
            !reading.is_count(position)
                && is_same_column
                && executions.single(execution, position) == Some(value)
        })
}
