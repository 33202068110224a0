//! Executions that ask once more for a row of a loop: who is signed in, say, by
//! the statement that the loop asks the users of its rows with.
//!
//! Where a loop asked for all rows in their order, what asks for one of them
//! again, by itself, is none of the loop's. Nor is what only another column of the
//! same rows explains, against its name.

use super::executions::Executions;
use super::free::misfits;
use super::group::{Group, connections};
use super::sources::Sources;
use super::tally::{Place, Tally};
use super::weave::Assignments;
use crate::trace::ValueHash;
use std::collections::{BTreeMap, BTreeSet};

/// One of so many members may be a stray at most; a loop with more asks for its rows several times.
const MEMBERS_PER_STRAY: usize = 4;

/// Takes strays out of their groups. Whether there were any.
pub(super) fn drop_strays(
    executions: &Executions<'_>,
    assignments: &mut Assignments,
    sources: &mut Sources,
    groups: &[Group],
) -> bool {
    let mut strays = Vec::new();
    for group in groups {
        let misfits = misfits(assignments, group);
        if is_few(misfits.len(), group.members.len()) {
            strays.extend(misfits);
        }
    }
    for group in groups.iter().filter(|group| connections(executions, group) == 1) {
        let is_per_row = Tally::new(executions, assignments, sources, group).is_per_row();
        for (place, asked) in asked(executions, assignments, group) {
            strays.extend(strays_of(executions, sources, place, is_per_row, &asked));
        }
    }
    strays.iter().for_each(|at| assignments[*at] = None);
    !strays.is_empty()
}

/// Executions by root and child of which nobody can tell whether they are the loop's.
pub(super) fn doubtful(
    executions: &Executions<'_>,
    assignments: &Assignments,
    sources: &mut Sources,
    groups: &[Group],
) -> BTreeMap<(usize, usize), u64> {
    let mut counts = BTreeMap::new();
    for group in groups {
        let tally = Tally::new(executions, assignments, sources, group);
        let spare = tally.spare(executions, assignments, sources).len();
        if spare > 0 && is_few(spare, group.members.len()) && tally.is_one_pass(spare) {
            *counts.entry((group.key.0, group.key.1)).or_default() += spare as u64;
        }
    }
    counts
}

fn is_few(strays: usize, members: usize) -> bool {
    strays * MEMBERS_PER_STRAY <= members
}

/// An execution, and the value it asked for.
type Asked = (usize, ValueHash);

/// Members by the place that feeds them, in order.
fn asked(
    executions: &Executions<'_>,
    assignments: &Assignments,
    group: &Group,
) -> BTreeMap<Place, Vec<Asked>> {
    let mut asked: BTreeMap<Place, Vec<Asked>> = BTreeMap::new();
    for at in &group.members {
        let Some(found) = assignments[*at].filter(|found| !found.is_beyond) else { continue };
        if let Some(value) = executions.single(*at, found.position) {
            asked.entry((found.result, found.source)).or_default().push((*at, value));
        }
    }
    asked
}

/// What is left of the members where the others ask for all rows, or all different values, in order.
fn strays_of(
    executions: &Executions<'_>,
    sources: &Sources,
    place: Place,
    is_per_row: bool,
    asked: &[Asked],
) -> Vec<usize> {
    let rows = &executions.results[place.0].columns[sources.list[place.1].column];
    let rows: Vec<ValueHash> = rows.iter().copied().filter(|value| !value.is_null()).collect();
    let mut seen = BTreeSet::new();
    let mut different = || rows.iter().copied().filter(|value| seen.insert(value.0)).collect();
    let due: Vec<ValueHash> = if is_per_row { rows.clone() } else { different() };
    match others(&due, asked) {
        Some(others) if is_few(others.len(), asked.len()) => alone(asked, &others),
        _ => Vec::new(),
    }
}

/// The places of members beside those that ask for what is due, in its order.
fn others(due: &[ValueHash], asked: &[Asked]) -> Option<Vec<usize>> {
    let mut due = due.iter().peekable();
    let is_other = |(_, (_, value)): &(usize, &Asked)| due.next_if_eq(&value).is_none();
    let others = asked.iter().enumerate().filter(is_other).map(|(place, _)| place).collect();
    due.peek().is_none().then_some(others)
}

/// Those that neither ask for the row of their neighbour, nor stand beside each other.
fn alone(asked: &[Asked], others: &[usize]) -> Vec<usize> {
    let value = |place: usize| asked.get(place).map(|(_, value)| *value);
    let is_alone = |place: &usize| {
        let neighbours = [place.checked_sub(1), Some(place + 1)];
        neighbours.into_iter().flatten().all(|next| !others.contains(&next) && value(next) != value(*place))
    };
    others.iter().filter(|place| is_alone(place)).map(|place| asked[*place].0).collect()
}
