//! Executions left over beside a loop that explains them.
//!
//! Over a pool, with all of a level asked at once or a worker that comes late, a
//! child may stand so far from its row that going there costs more than to leave
//! it unexplained, or to put it down to a row of another list that holds the same
//! number. Where it makes no loop there, and a loop over the same statement has a
//! row of that value that nobody asked for, it was asked for that row.

use super::executions::Executions;
use super::group::Group;
use super::sources::Sources;
use super::weave::{Assignment, Assignments};
use crate::trace::ValueHash;
use std::collections::{BTreeMap, BTreeSet};

/// A worker may come later than the last of the others by this part of the loop's time.
const LATE_PART: u64 = 8;

/// Puts executions outside of all groups down to rows that a group has not asked for.
/// Whether there were any.
pub(super) fn count_in(
    executions: &Executions<'_>,
    assignments: &mut Assignments,
    sources: &mut Sources,
    groups: &[Group],
) -> bool {
    let mut grouped: BTreeSet<usize> =
        groups.iter().flat_map(|group| group.members.iter().copied()).collect();
    let before = grouped.len();
    for group in groups {
        let Some(model) = model(assignments, group) else { continue };
        let mut rows = unasked(executions, assignments, sources, groups, group);
        for at in left_over(executions, group, &grouped) {
            let found = assignments[at];
            // Better names, or as good ones in the order of rows, are a reason.
            if found.is_some_and(|found| found.affinity > model.affinity) {
                continue;
            }
            let Some(value) = executions.key(at, model.position) else { continue };
            let Some(results) = rows.get_mut(&value) else { continue };
            let can_feed =
                |result: &usize| is_there(executions, *result, at) && executions.can_feed(*result, at);
            let Some(place) = results.iter().position(can_feed) else { continue };
            let result = results.remove(place);
            let other = found.map(|found| found.result).filter(|other| *other != result);
            assignments[at] = Some(Assignment { result, in_order: false, is_beyond: false, other, ..model });
            grouped.insert(at);
        }
    }
    grouped.len() > before
}

/// How a group's own members are explained.
fn model(assignments: &Assignments, group: &Group) -> Option<Assignment> {
    group.members.iter().filter_map(|at| assignments[*at]).find(|found| found.source == group.source)
}

/// Executions of the group's child outside of all groups, while the loop went on.
fn left_over(executions: &Executions<'_>, group: &Group, grouped: &BTreeSet<usize>) -> Vec<usize> {
    let time = |at: &usize| executions.all[*at].record;
    let first = group.members.first().map_or(0, |at| time(at).start_us);
    let last = group.members.iter().map(|at| time(at).end_us).max().unwrap_or(0);
    let during = first..=last + last.saturating_sub(first) / LATE_PART;
    let candidates = executions.shapes[group.key.1].candidates.iter().copied();
    candidates
        .filter(|at| !grouped.contains(at) && during.contains(&executions.all[*at].record.start_us))
        .filter(|at| executions.own_scope(*at) == group.key.3)
        .collect()
}

/// Values of the column that feeds the group which no member asked for, with their result sets: of
/// those that fed members, and of the loop that this one is inside.
fn unasked(
    executions: &Executions<'_>,
    assignments: &Assignments,
    sources: &Sources,
    groups: &[Group],
    group: &Group,
) -> BTreeMap<ValueHash, Vec<usize>> {
    let mut asked: BTreeMap<usize, BTreeSet<ValueHash>> = BTreeMap::new();
    for at in &group.members {
        let Some(found) = assignments[*at].filter(|found| found.source == group.source) else { continue };
        asked.entry(found.result).or_default().extend(executions.key(*at, found.position));
    }
    let outer = group.inside.and_then(|key| groups.iter().find(|other| other.key == key));
    let of_outer = outer.iter().flat_map(|outer| &outer.members).filter_map(|at| executions.all[*at].result);
    for result in of_outer {
        asked.entry(result).or_default();
    }
    let source = &sources.list[group.source];
    let mut rows: BTreeMap<ValueHash, Vec<usize>> = BTreeMap::new();
    for (result, asked) in asked.iter().filter(|(result, _)| source.results.contains(result)) {
        let mut seen = BTreeSet::new();
        for value in &executions.results[*result].columns[source.column] {
            if !value.is_null() && !asked.contains(value) && seen.insert(*value) {
                rows.entry(*value).or_default().push(*result);
            }
        }
    }
    rows
}

/// Whether rows of a result set had arrived when an execution was asked.
fn is_there(executions: &Executions<'_>, result: usize, at: usize) -> bool {
    let parent = executions.all[executions.results[result].execution].record;
    parent.first_row_us.unwrap_or(parent.end_us) <= executions.all[at].record.start_us
}
