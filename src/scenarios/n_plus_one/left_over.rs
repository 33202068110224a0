//! Executions left over beside a loop that explains them.
//!
//! Over a pool, with all of a level asked at once or a worker that comes late, a
//! child may stand so far from its row that going there costs more than to leave
//! it unexplained, or to put it down to a row of another list that holds the same
//! number. Where it makes no loop there, or a part of one that is called otherwise,
//! or asks for a row of that loop once more than there is one, and a loop over the
//! same statement has a row of that value that nobody asked for, it was asked for
//! that row.

use super::executions::Executions;
use super::free::{Free, model};
use super::group::{Group, GroupKey};
use super::order::Order;
use super::sources::Sources;
use super::tally::Tally;
use super::weave::{Assignment, Assignments};
use crate::trace::ValueHash;
use std::collections::{BTreeMap, BTreeSet};

/// A worker may come earlier or later than all others by this part of the loop's time.
const LATE_PART: u64 = 8;

/// Puts executions outside of all groups, and those that a group has no row for, down to rows that
/// another group has not asked for: by the names, or by its place in the order of the rows. Whether
/// there were any.
pub(super) fn count_in(
    executions: &Executions<'_>,
    assignments: &mut Assignments,
    sources: &mut Sources,
    groups: &[Group],
) -> bool {
    let by_key: BTreeMap<GroupKey, &Group> = groups.iter().map(|group| (group.key, group)).collect();
    let tallies: Vec<Tally> =
        groups.iter().map(|group| Tally::new(executions, assignments, sources, group)).collect();
    let mut free = Free::new(executions, assignments, sources, groups, &tallies);
    let mut has_any = false;
    for (group, tally) in groups.iter().zip(&tallies) {
        let outer = group.inside.and_then(|key| by_key.get(&key).copied());
        let left_over = left_over(executions, group, outer, &free);
        let Some(model) = model(assignments, group).filter(|_| !left_over.is_empty()) else { continue };
        let members = group.members.iter().copied();
        let mut unasked = Unasked {
            model,
            rows: unasked(executions, sources, group, tally, outer),
            order: Order::new(executions, assignments, sources, group.source, members),
        };
        let whole = unasked.whole_groups(executions, assignments, (groups, group), &free, &left_over);
        for at in left_over {
            if !free.is_movable(at) && free.partial_group(at).is_none_or(|other| !whole.contains(&other)) {
                continue;
            }
            if let Some(assignment) = unasked.take(executions, sources, &free, (at, assignments[at])) {
                assignments[at] = Some(assignment);
                free.take(at);
                has_any = true;
            }
        }
    }
    has_any
}

/// Rows of a loop that nobody asked for.
struct Unasked {
    /// How the loop's own members are explained.
    model: Assignment,
    /// The result sets by value, one for each row.
    rows: BTreeMap<ValueHash, Vec<usize>>,
    order: Order,
}

impl Unasked {
    /// The first row that can be behind an execution: its value, and the place among the result sets.
    fn find(&self, executions: &Executions<'_>, at: usize) -> Option<(ValueHash, usize)> {
        let value = executions.key(at, self.model.position)?;
        let results = self.rows.get(&value)?;
        let place = results.iter().position(|result| may_feed(executions, *result, at))?;
        Some((value, place))
    }

    /// Gives a row away, unless the execution is better left where it was put.
    fn take(
        &mut self,
        executions: &Executions<'_>,
        sources: &mut Sources,
        free: &Free,
        (at, found): (usize, Option<Assignment>),
    ) -> Option<Assignment> {
        let (value, place) = self.find(executions, at)?;
        let results = self.rows.get_mut(&value)?;
        let row = (results[place], value);
        let is_better_there = found.is_some_and(|found| free.is_better_there(at, &found, &self.model));
        // Among the members in the order of the rows, whatever the names say.
        let mut goes_with = || free.is_outside(at) && self.order.is_between(executions, sources, row, at);
        if is_better_there && !goes_with() {
            return None;
        }
        let result = results.remove(place);
        let other = found.map(|found| found.result).filter(|other| *other != result);
        Some(Assignment { result, in_order: false, is_beyond: false, other, ..self.model })
    }

    /// The smaller groups over a part of their rows, called no better, of whose members each has a row
    /// here.
    fn whole_groups(
        &self,
        executions: &Executions<'_>,
        assignments: &Assignments,
        (groups, into): (&[Group], &Group),
        free: &Free,
        left_over: &[usize],
    ) -> BTreeSet<usize> {
        let is_called_better =
            |at: usize| assignments[at].is_some_and(|found| found.affinity > self.model.affinity);
        let mut members: BTreeMap<usize, usize> = BTreeMap::new();
        for at in left_over.iter().copied().filter(|at| !is_called_better(*at)) {
            if let Some(place) = free.partial_group(at).filter(|_| self.find(executions, at).is_some()) {
                *members.entry(place).or_default() += 1;
            }
        }
        let is_whole = |(place, count): &(usize, usize)| {
            groups[*place].members.len() == *count && *count < into.members.len()
        };
        members.into_iter().filter(is_whole).map(|(place, _)| place).collect()
    }
}

/// Executions of the group's child that no group has, or has no row for, while the loop went on.
fn left_over(executions: &Executions<'_>, group: &Group, outer: Option<&Group>, free: &Free) -> Vec<usize> {
    let time = |at: &usize| executions.all[*at].record;
    let first = group.members.first().map_or(0, |at| time(at).start_us);
    let last = group.members.iter().map(|at| time(at).end_us).max().unwrap_or(0);
    let aside = last.saturating_sub(first) / LATE_PART;
    // The first row of the loop around it may have been answered long before most others.
    let outer_us = outer.and_then(|outer| outer.members.first()).map_or(first, |at| time(at).start_us);
    let during = first.saturating_sub(aside).min(outer_us)..=last + aside;
    // In order of time, and many more than those of one loop.
    let candidates = &executions.shapes[group.key.1].candidates;
    let start = candidates.partition_point(|at| time(at).start_us < *during.start());
    let end = candidates.partition_point(|at| time(at).start_us <= *during.end());
    let is_own = |at: &usize| group.members.binary_search(at).is_ok() && !free.is_misfit(*at);
    let may_move = |at: &usize| free.is_movable(*at) || free.partial_group(*at).is_some();
    let is_left_over = |at: &usize| may_move(at) && !is_own(at) && executions.own_scope(*at) == group.key.3;
    candidates[start..end.max(start)].iter().copied().filter(is_left_over).collect()
}

/// Values of the column that feeds the group which no member asked for, with their result sets, one
/// for each time: of those that fed members, and of the loop that this one is inside.
fn unasked(
    executions: &Executions<'_>,
    sources: &mut Sources,
    group: &Group,
    tally: &Tally,
    outer: Option<&Group>,
) -> BTreeMap<ValueHash, Vec<usize>> {
    let of_source = tally.places().filter(|(_, source)| *source == group.source).map(|(result, _)| result);
    let of_outer = outer.iter().flat_map(|outer| &outer.members).filter_map(|at| executions.all[*at].result);
    let results: BTreeSet<usize> = of_source.chain(of_outer).collect();
    let column = sources.list[group.source].column;
    let mut rows: BTreeMap<ValueHash, Vec<usize>> = BTreeMap::new();
    for result in results {
        if sources.list[group.source].results.binary_search(&result).is_err() {
            continue;
        }
        let mut seen = BTreeMap::<ValueHash, usize>::new();
        for value in executions.results[result].columns[column].iter().filter(|value| !value.is_null()) {
            let seen = seen.entry(*value).or_default();
            *seen += 1;
            let is_due = *seen == 1 || tally.is_per_row();
            if is_due && tally.asked((result, group.source), *value) < *seen {
                rows.entry(*value).or_default().push(result);
            }
        }
    }
    rows
}

/// Whether rows of a result set had arrived when an execution was asked, and can be behind it.
fn may_feed(executions: &Executions<'_>, result: usize, at: usize) -> bool {
    let parent = executions.all[executions.results[result].execution].record;
    let arrived_us = parent.first_row_us.unwrap_or(parent.end_us);
    arrived_us <= executions.all[at].record.start_us && executions.can_feed(result, at)
}
