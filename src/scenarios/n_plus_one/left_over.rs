//! Executions left over beside a loop that explains them.
//!
//! Over a pool, with all of a level asked at once or a worker that comes late, a
//! child may stand so far from its row that going there costs more than to leave
//! it unexplained, or to put it down to a row of another list that holds the same
//! number. Where it makes no loop there, and a loop over the same statement has a
//! row of that value that nobody asked for, it was asked for that row.

use super::executions::Executions;
use super::group::{Group, GroupKey, asked};
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
    sources: &Sources,
    groups: &[Group],
) -> bool {
    let by_key: BTreeMap<GroupKey, &Group> = groups.iter().map(|group| (group.key, group)).collect();
    let mut grouped: BTreeSet<usize> =
        groups.iter().flat_map(|group| group.members.iter().copied()).collect();
    let before = grouped.len();
    for group in groups {
        let left_over = left_over(executions, group, &grouped);
        let Some(model) = model(assignments, group).filter(|_| !left_over.is_empty()) else { continue };
        let outer = group.inside.and_then(|key| by_key.get(&key).copied());
        let mut rows = unasked(executions, assignments, sources, group, outer);
        for at in left_over {
            let found = assignments[at];
            // A better name is a reason to leave it where it was put.
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
    // In order of time, and many more than those of one loop.
    let candidates = &executions.shapes[group.key.1].candidates;
    let start = candidates.partition_point(|at| time(at).start_us < *during.start());
    let end = candidates.partition_point(|at| time(at).start_us <= *during.end());
    let is_left_over = |at: &usize| !grouped.contains(at) && executions.own_scope(*at) == group.key.3;
    candidates[start..end.max(start)].iter().copied().filter(is_left_over).collect()
}

/// Values of the column that feeds the group which no member asked for, with their result sets: of
/// those that fed members, and of the loop that this one is inside.
fn unasked(
    executions: &Executions<'_>,
    assignments: &Assignments,
    sources: &Sources,
    group: &Group,
    outer: Option<&Group>,
) -> BTreeMap<ValueHash, Vec<usize>> {
    let mut asked = asked(executions, assignments, group);
    let of_outer = outer.iter().flat_map(|outer| &outer.members).filter_map(|at| executions.all[*at].result);
    for result in of_outer {
        asked.entry(result).or_default();
    }
    let source = &sources.list[group.source];
    let mut rows: BTreeMap<ValueHash, Vec<usize>> = BTreeMap::new();
    for (result, asked) in asked.iter().filter(|(result, _)| source.results.binary_search(result).is_ok()) {
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
