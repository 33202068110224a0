//! Executions that ask once more for a row of a loop: who is signed in, say, by
//! the statement that the loop asks the users of its rows with.
//!
//! Where a loop asked for all rows in their order, what asks for one of them
//! again, by itself, is none of the loop's. Nor is what only another column of the
//! same rows explains, against its name.

use super::executions::Executions;
use super::free::misfits;
use super::group::{Group, connections};
use super::hashing::Set;
use super::sources::Sources;
use super::tally::{Place, Tally};
use super::weave::Assignments;
use crate::trace::ValueHash;
use std::collections::{BTreeMap, BTreeSet};

/// One of so many members, or values, may be a stray at most; a loop with more asks for its rows several times.
const MEMBERS_PER_STRAY: usize = 4;

/// Executions that were taken out of a group, with its root and child where they were asked while the loop
/// went on: then nobody can tell for certain.
pub(super) type Strays = BTreeMap<usize, Option<(usize, usize)>>;

/// A loop asks again for a row that it asked for so many members before.
const NEAR: usize = 2;

/// Takes strays out of their groups.
pub(super) fn drop_strays(
    executions: &Executions<'_>,
    assignments: &mut Assignments,
    sources: &mut Sources,
    groups: &[Group],
) -> Strays {
    let mut strays = Strays::new();
    let of = |group: &Group| (group.key.0, group.key.1);
    for group in groups {
        let misfits = misfits(assignments, group);
        let different = |members: &[usize]| different(executions, assignments, members);
        if is_few(different(&misfits), different(&group.members)) {
            strays.extend(misfits.into_iter().map(|at| (at, Some(of(group)))));
        }
    }
    for group in groups.iter().filter(|group| connections(executions, group) == 1) {
        let is_per_row = Tally::new(executions, assignments, sources, group).is_per_row();
        for (place, asked) in asked(executions, assignments, group) {
            let found = strays_of(executions, sources, place, is_per_row, (group, &asked));
            let doubtful = |is_within: bool| is_within.then(|| of(group));
            strays.extend(found.into_iter().map(|(at, is_within)| (at, doubtful(is_within))));
        }
    }
    strays.keys().for_each(|at| assignments[*at] = None);
    strays
}

/// Executions by root and child of which nobody can tell whether they are the loop's.
pub(super) fn doubtful(
    executions: &Executions<'_>,
    assignments: &Assignments,
    sources: &mut Sources,
    (groups, strays): (&[Group], &Strays),
) -> BTreeMap<(usize, usize), u64> {
    let mut counts: BTreeMap<(usize, usize), u64> = BTreeMap::new();
    for group in groups {
        let tally = Tally::new(executions, assignments, sources, group);
        let spare = tally.spare(executions, assignments, sources).len();
        if spare > 0 && tally.is_one_pass(spare) && !tally.asks_repeatedly() {
            *counts.entry((group.key.0, group.key.1)).or_default() += spare as u64;
        }
    }
    let left = strays.iter().filter(|(at, _)| assignments[**at].is_none());
    for group in left.filter_map(|(_, group)| *group) {
        *counts.entry(group).or_default() += 1;
    }
    counts
}

/// Different values that members ask for.
fn different(executions: &Executions<'_>, assignments: &Assignments, members: &[usize]) -> usize {
    let value = |at: &usize| executions.key(*at, assignments[*at]?.position);
    members.iter().filter_map(value).collect::<Set<_>>().len()
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

/// What is left of the members where the others ask for all rows, or all different values, in order, and
/// whether it was asked between them.
fn strays_of(
    executions: &Executions<'_>,
    sources: &Sources,
    place: Place,
    is_per_row: bool,
    (group, asked): (&Group, &[Asked]),
) -> Vec<(usize, bool)> {
    let rows = &executions.results[place.0].columns[sources.list[place.1].column];
    let rows: Vec<ValueHash> = rows.iter().copied().filter(|value| !value.is_null()).collect();
    let mut seen = BTreeSet::new();
    let mut different = || rows.iter().copied().filter(|value| seen.insert(value.0)).collect();
    let due: Vec<ValueHash> = if is_per_row { rows.clone() } else { different() };
    let Some((end, others)) = others(&due, asked) else { return Vec::new() };
    // Behind the last row, the loop has ended.
    let is_within = |place: usize| place < end;
    let within = others.partition_point(|place| is_within(*place));
    let takes_those_within = is_few(within, end + 1);
    let alone = alone(executions, group, asked, &others).into_iter();
    let taken = alone.filter(|place| takes_those_within || !is_within(*place));
    taken.map(|place| (asked[place].0, is_within(place))).collect()
}

/// The place of the member that asks for the last of what is due, and the places of those beside the
/// members that ask for all of it in its order.
fn others(due: &[ValueHash], asked: &[Asked]) -> Option<(usize, Vec<usize>)> {
    let mut due = due.iter().peekable();
    let (mut end, mut others) = (0, Vec::new());
    for (place, (_, value)) in asked.iter().enumerate() {
        match due.next_if_eq(&value) {
            Some(_) => end = place,
            None => others.push(place),
        }
    }
    due.peek().is_none().then_some((end, others))
}

/// Those that neither ask for a row that was asked for next to them, nor stand beside each other.
fn alone(executions: &Executions<'_>, group: &Group, asked: &[Asked], others: &[usize]) -> Vec<usize> {
    let candidates = &executions.shapes[group.key.1].candidates;
    let number = |place: usize| candidates.partition_point(|at| *at < asked[place].0);
    let distance = |place: usize, next: usize| number(place).abs_diff(number(next));
    let is_alone = |place: &usize| {
        let near = place.saturating_sub(NEAR)..(place + NEAR + 1).min(asked.len());
        near.filter(|next| next != place).all(|next| {
            let is_other = others.contains(&next) && distance(*place, next) <= 1;
            let is_same = asked[next].1 == asked[*place].1 && distance(*place, next) <= NEAR;
            !is_other && !is_same
        })
    };
    others.iter().copied().filter(is_alone).collect()
}
