//! Loops over more rows than the recorder kept the values of.
//!
//! Where a loop asks row by row, `weave` follows it behind the kept rows. In any
//! other order (a set, several workers, from the last row on) executions for rows
//! that were not kept stand between and around the others, with nothing to
//! explain them. They are the loop's, as many as there are such rows.

use super::executions::Executions;
use super::group::Group;
use super::hashing::Set;
use super::pace::is_pause;
use super::sources::Sources;
use super::weave::Assignments;
use crate::trace::ValueHash;
use std::collections::{BTreeMap, BTreeSet};

/// Share of the kept values that was asked for, from which on the others were as well.
const COVERED: f64 = 0.9;

/// Adds executions that nothing explains to the groups whose parents were cut.
pub(super) fn adopt(
    executions: &Executions<'_>,
    assignments: &Assignments,
    sources: &mut Sources,
    groups: &mut [Group],
) {
    let mut adopted = BTreeSet::new();
    for group in groups {
        let Some(rows) = rows_left(executions, assignments, sources, group) else { continue };
        let mut found = orphans(executions, assignments, group, &adopted);
        found.truncate(rows);
        adopted.extend(found.iter().copied());
        group.members.extend(found);
        group.members.sort_unstable();
    }
}

/// Members that go on behind the rows that were kept.
pub(super) fn beyond(assignments: &Assignments, group: &Group) -> usize {
    group.members.iter().filter(|at| assignments[**at].is_none_or(|found| found.is_beyond)).count()
}

/// Rows that were not kept and that no member goes on to; none where the loop did
/// not go through those that were.
fn rows_left(
    executions: &Executions<'_>,
    assignments: &Assignments,
    sources: &mut Sources,
    group: &Group,
) -> Option<usize> {
    let column = sources.list[group.source].column;
    let mut asked = asked(executions, assignments, group);
    asked.retain(|result, _| executions.results[*result].is_cut(column));
    let (mut available, mut cut, mut covered) = (0, 0, 0);
    for (result, values) in &asked {
        let set = &executions.results[*result];
        available += sources.distinct(executions, *result, column);
        cut += set.rows_of(column) - set.columns[column].len();
        covered += values.len();
    }
    let left = cut.saturating_sub(beyond(assignments, group));
    (left > 0 && covered as f64 >= COVERED * available as f64).then_some(left)
}

/// Values of the column that feeds the group which its members asked for among the kept rows, by the
/// result sets that fed them.
fn asked(
    executions: &Executions<'_>,
    assignments: &Assignments,
    group: &Group,
) -> BTreeMap<usize, Set<ValueHash>> {
    let mut asked: BTreeMap<usize, Set<ValueHash>> = BTreeMap::new();
    for at in &group.members {
        let Some(found) = assignments[*at].filter(|found| found.source == group.source) else { continue };
        let values = asked.entry(found.result).or_default();
        values.extend(executions.key(*at, found.position).filter(|_| !found.is_beyond));
    }
    asked
}

/// Unexplained executions of the child on the members' connections, between them or
/// next to them without a pause; the first in time first.
fn orphans(
    executions: &Executions<'_>,
    assignments: &Assignments,
    group: &Group,
    adopted: &BTreeSet<usize>,
) -> Vec<usize> {
    let (Some(first), Some(last)) = (group.members.first(), group.members.last()) else { return Vec::new() };
    let connections: BTreeSet<u64> =
        group.members.iter().map(|at| executions.all[*at].record.connection).collect();
    let is_orphan = |at: &usize| {
        assignments[*at].is_none()
            && !adopted.contains(at)
            && executions.own_scope(*at) == group.key.3
            && connections.contains(&executions.all[*at].record.connection)
    };
    let candidates = &executions.shapes[group.key.1].candidates;
    let (start, end) =
        (candidates.partition_point(|at| at < first), candidates.partition_point(|at| at <= last));
    let mut next_to = *first;
    let before = candidates[..start].iter().rev().copied().take_while(|at| {
        let follows = is_orphan(at) && !is_pause(executions, *at, next_to);
        next_to = *at;
        follows
    });
    let mut found: Vec<usize> = before.collect();
    found.reverse();
    found.extend(candidates[start..end].iter().copied().filter(|at| is_orphan(at)));
    let mut next_to = *last;
    found.extend(candidates[end..].iter().copied().take_while(|at| {
        let follows = is_orphan(at) && !is_pause(executions, next_to, *at);
        next_to = *at;
        follows
    }));
    found
}
