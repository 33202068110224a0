//! How often the rows of a loop's parents were asked for.
//!
//! A loop asks for each row, or for each different value, as an identity map
//! does. What is asked more often than that came from elsewhere.

use super::executions::Executions;
use super::group::Group;
use super::hashing::Table;
use super::sources::Sources;
use super::weave::Assignments;
use crate::trace::ValueHash;
use std::collections::{BTreeMap, BTreeSet};

/// Of the rows whose value an earlier one holds as well, the share asked for: from here on, each row is.
const PER_ROW: f64 = 0.5;
/// Up to here, and with so many such rows, each value is asked for once.
const PER_VALUE: f64 = 0.1;
const EQUAL_ROWS_MIN: usize = 3;

/// Share of the rows that a loop over all of them asks for.
const COVERED: f64 = 0.9;

/// Share of the values asked for several times by a loop that asks for each.
const REPEATED: f64 = 0.8;

/// A result set, and the source that feeds the loop out of it.
pub(super) type Place = (usize, usize);

/// The members of a group by the row that they asked for.
#[derive(Debug, Default)]
pub(super) struct Tally {
    places: BTreeMap<Place, Table<ValueHash, Vec<usize>>>,
    members: usize,
    /// Rows of the places, and different values in them, as far as they are known.
    rows: usize,
    different: usize,
    /// Rows of the values that were asked for, but for the first of each; and those asked for.
    equal_rows: usize,
    asked_again: usize,
    /// Different values asked for, and those asked for at least twice for each of their rows.
    values: usize,
    repeated: usize,
}

impl Tally {
    /// Counts the members of a group that ask for kept rows, one by one.
    pub(super) fn new(
        executions: &Executions<'_>,
        assignments: &Assignments,
        sources: &mut Sources,
        group: &Group,
    ) -> Self {
        let mut tally = Self::default();
        for at in &group.members {
            let Some(found) = assignments[*at].filter(|found| !found.is_beyond) else { continue };
            let Some(value) = executions.single(*at, found.position) else { continue };
            let place = (found.result, found.source);
            tally.places.entry(place).or_default().entry(value).or_default().push(*at);
            tally.members += 1;
        }
        for ((result, source), asked) in &tally.places {
            let column = sources.list[*source].column;
            tally.rows += executions.results[*result].columns[column].len();
            tally.different += sources.distinct(executions, *result, column);
            for (value, members) in asked {
                let equal = rows_of(executions, sources, (*result, *source), *value) - 1;
                tally.values += 1;
                tally.repeated += usize::from(members.len() >= 2 * (equal + 1));
                tally.equal_rows += equal;
                tally.asked_again += equal.min(members.len() - 1);
            }
        }
        tally
    }

    /// Whether each of several rows of one value is asked for.
    pub(super) fn is_per_row(&self) -> bool {
        self.asked_again as f64 >= PER_ROW * self.equal_rows as f64
    }

    /// Whether each value is clearly asked for once, however many rows hold it.
    fn is_per_value(&self) -> bool {
        self.equal_rows >= EQUAL_ROWS_MIN && self.asked_again as f64 <= PER_VALUE * self.equal_rows as f64
    }

    /// Whether, but for so many members, nearly all rows or values were asked for once.
    pub(super) fn is_one_pass(&self, spare: usize) -> bool {
        let due = if self.is_per_value() { self.different } else { self.rows };
        (self.members - spare) as f64 >= COVERED * due as f64
    }

    /// Whether the loop asks for each of its rows several times.
    pub(super) fn asks_repeatedly(&self) -> bool {
        self.repeated as f64 >= REPEATED * self.values as f64
    }

    /// How often a value was asked for.
    pub(super) fn asked(&self, place: Place, value: ValueHash) -> usize {
        self.places.get(&place).and_then(|values| values.get(&value)).map_or(0, Vec::len)
    }

    /// The places with members.
    pub(super) fn places(&self) -> impl Iterator<Item = Place> {
        self.places.keys().copied()
    }

    /// Members that ask for a value once more than there are rows of it; rather those that
    /// do not follow the order of the rows.
    pub(super) fn spare(
        &self,
        executions: &Executions<'_>,
        assignments: &Assignments,
        sources: &mut Sources,
    ) -> BTreeSet<usize> {
        let mut spare = BTreeSet::new();
        for ((result, source), values) in &self.places {
            for (value, asked) in values.iter().filter(|(_, asked)| asked.len() > 1) {
                let rows = match self.is_per_value() {
                    true => 1,
                    false => rows_of(executions, sources, (*result, *source), *value),
                };
                let mut asked = asked.clone();
                asked.sort_by_key(|at| assignments[*at].is_none_or(|found| !found.in_order));
                spare.extend(asked.into_iter().skip(rows));
            }
        }
        spare
    }
}

/// Rows of a place that hold a value; one where none of those that were kept does.
fn rows_of(executions: &Executions<'_>, sources: &mut Sources, place: Place, value: ValueHash) -> usize {
    let column = sources.list[place.1].column;
    sources.standing(executions, place.0, column, value).map_or(1, |standing| standing.rows as usize)
}
