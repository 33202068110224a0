//! Assignments to groups: the children of one parent execution, or of a whole
//! loop of parents where the parent is itself asked per row.

use super::executions::Executions;
use super::hashing::Set;
use super::repeats::distinct_arguments;
use super::sources::Sources;
use super::weave::{Assignment, Assignments};
use crate::trace::ValueHash;
use std::collections::{BTreeMap, BTreeSet};

/// Loops inside loops followed down to this depth.
const DEPTH_MAX: usize = 8;

/// The result set at the root, the child's shape, the parent's shape, and the
/// scope of the children where that is their own.
pub(super) type GroupKey = (usize, usize, usize, Option<usize>);

/// Executions of one child shape fed by one column.
#[derive(Debug, Clone)]
pub(super) struct Group {
    /// Root result set, child shape, parent shape, own scope.
    pub(super) key: GroupKey,
    /// The column that feeds most members.
    pub(super) source: usize,
    /// Executions of the child, in order.
    pub(super) members: Vec<usize>,
    /// The group that the parent belongs to, where it is asked per row itself.
    pub(super) inside: Option<GroupKey>,
    /// Other child shapes, where the kind of the row says which one is asked.
    pub(super) others: Vec<usize>,
}

/// Forms the groups of at least `threshold` members.
pub(super) fn group(
    executions: &Executions<'_>,
    assignments: &Assignments,
    sources: &Sources,
    threshold: usize,
) -> Vec<Group> {
    let looped = settle(executions, assignments, sources, threshold);
    collect(&keys(executions, assignments, sources, &looped), threshold)
        .into_iter()
        .map(|(key, members)| Group {
            key,
            source: main_source(executions, assignments, sources, key.2, &members),
            inside: enclosing(executions, assignments, &looped, key, &members),
            members,
            others: Vec::new(),
        })
        .filter(|group| !is_walk(executions, assignments, sources, group))
        .collect()
}

/// Members of groups, with their groups: repeated until loops inside loops have found each other.
fn settle(
    executions: &Executions<'_>,
    assignments: &Assignments,
    sources: &Sources,
    threshold: usize,
) -> BTreeMap<usize, GroupKey> {
    let mut looped = BTreeMap::new();
    for _ in 0..DEPTH_MAX {
        let keys = keys(executions, assignments, sources, &looped);
        let now: BTreeMap<usize, GroupKey> = collect(&keys, threshold)
            .into_iter()
            .flat_map(|(key, members)| members.into_iter().map(move |member| (member, key)))
            .collect();
        if now == looped {
            break;
        }
        looped = now;
    }
    looped
}

/// The key of every assigned execution.
fn keys(
    executions: &Executions<'_>,
    assignments: &Assignments,
    sources: &Sources,
    looped: &BTreeMap<usize, GroupKey>,
) -> BTreeMap<usize, GroupKey> {
    let mut keys: BTreeMap<usize, GroupKey> = BTreeMap::new();
    for (at, assignment) in assignments.iter().enumerate() {
        let Some(assignment) = assignment else { continue };
        let shape = executions.all[at].shape;
        let parent = executions.results[assignment.result].execution;
        // A list asked for at once is a loop only where each parent of a loop has its own.
        if executions.is_list(at, assignment.position) && !looped.contains_key(&parent) {
            continue;
        }
        // A tree walked by one statement is one loop from its root on.
        let scope = executions.own_scope(at);
        let of_parent =
            keys.get(&parent).filter(|key| sources.list[assignment.source].shape == shape && key.3 == scope);
        let key = of_parent.copied().unwrap_or_else(|| {
            let root = looped.get(&parent).map_or(assignment.result, |(root, ..)| *root);
            (root, shape, sources.list[assignment.source].shape, scope)
        });
        keys.insert(at, key);
    }
    keys
}

fn collect(keys: &BTreeMap<usize, GroupKey>, threshold: usize) -> BTreeMap<GroupKey, Vec<usize>> {
    let mut groups: BTreeMap<GroupKey, Vec<usize>> = BTreeMap::new();
    for (at, key) in keys {
        groups.entry(*key).or_default().push(*at);
    }
    groups.retain(|_, members| members.len() >= threshold);
    groups
}

/// The column of the parent that feeds members with most different values, else most members.
fn main_source(
    executions: &Executions<'_>,
    assignments: &Assignments,
    sources: &Sources,
    parent: usize,
    members: &[usize],
) -> usize {
    let mut fed: BTreeMap<usize, (Set<ValueHash>, usize)> = BTreeMap::new();
    for (at, found) in members.iter().filter_map(|at| Some((*at, assignments[*at]?))) {
        if sources.list[found.source].shape == parent {
            let (values, count) = fed.entry(found.source).or_default();
            values.extend(executions.key(at, found.position));
            *count += 1;
        }
    }
    fed.into_iter()
        .max_by_key(|(source, (values, count))| (values.len(), *count, usize::MAX - source))
        .map_or(0, |(source, _)| source)
}

/// The group whose member fed most of these members.
fn enclosing(
    executions: &Executions<'_>,
    assignments: &Assignments,
    looped: &BTreeMap<usize, GroupKey>,
    key: GroupKey,
    members: &[usize],
) -> Option<GroupKey> {
    let parents = members.iter().filter_map(|member| assignments[*member]);
    parents
        .filter_map(|assignment| looped.get(&executions.results[assignment.result].execution))
        .find(|enclosing| **enclosing != key)
        .copied()
}

/// One row leads to the next by the same statement: a list being followed, not
/// rows being asked for one by one.
fn is_walk(executions: &Executions<'_>, assignments: &Assignments, sources: &Sources, group: &Group) -> bool {
    let own = group.members.iter().filter_map(|member| assignments[*member]);
    let own = own.filter(|assignment| sources.list[assignment.source].shape == group.key.1).count();
    own * 2 >= group.members.len() && most_per_parent(assignments, group) < 2
        || is_again_and_again(executions, assignments, sources, group)
}

/// Share of the members in the order of the rows that makes a loop, however often it asks for a row.
const IN_ORDER: f64 = 0.9;

/// Fewer different values make no loop, where each is asked for again and again.
const DIFFERENT_MIN: usize = 5;

/// The same values again and again, many more times than there are rows and not in their order, are
/// redundant queries. Workers of one loop ask in no order; of theirs, only few values tell.
fn is_again_and_again(
    executions: &Executions<'_>,
    assignments: &Assignments,
    sources: &Sources,
    group: &Group,
) -> bool {
    let found: Vec<_> =
        group.members.iter().filter_map(|at| assignments[*at].map(|found| (*at, found))).collect();
    let value = |(at, found): &(usize, Assignment)| executions.key(*at, found.position);
    let in_order = found.iter().filter(|(_, found)| found.in_order).count() as f64;
    let is_one_value = found.windows(2).all(|pair| value(&pair[0]) == value(&pair[1]));
    // Most groups are loops, and told soonest by this.
    if in_order >= IN_ORDER * found.len() as f64 && !is_one_value {
        return false;
    }
    let mut fed: BTreeMap<(usize, usize), Set<ValueHash>> = BTreeMap::new();
    for asked in &found {
        let place = (asked.1.result, sources.list[asked.1.source].column);
        fed.entry(place).or_default().extend(value(asked));
    }
    let distinct: Set<ValueHash> = fed.values().flatten().copied().collect();
    let rows = |((result, column), values): (&(usize, usize), &Set<ValueHash>)| {
        let held = executions.results[*result].columns[*column].iter();
        held.filter(|value| values.contains(value)).count().max(values.len())
    };
    let rows: usize = fed.iter().map(rows).sum();
    let is_few = distinct.len() < DIFFERENT_MIN;
    // Each month of each row is another question.
    let is_same = || distinct_arguments(executions, &group.members) * 2 <= found.len();
    let may_tell = is_few || connections(executions, group) == 1;
    found.len() > rows * 2 && may_tell && is_same()
}

/// The root result set of each member of a group.
pub(super) fn roots(groups: &[Group]) -> BTreeMap<usize, usize> {
    let of_group =
        |group: &Group| group.members.iter().map(|member| (*member, group.key.0)).collect::<Vec<_>>();
    groups.iter().flat_map(of_group).collect()
}

/// Most members that one result set feeds.
pub(super) fn most_per_parent(assignments: &Assignments, group: &Group) -> u64 {
    per_parent(assignments, group).values().copied().max().unwrap_or(0)
}

/// Members by the result set that feeds them.
pub(super) fn per_parent(assignments: &Assignments, group: &Group) -> BTreeMap<usize, u64> {
    let mut counts = BTreeMap::new();
    for member in &group.members {
        if let Some(assignment) = assignments[*member] {
            *counts.entry(assignment.result).or_default() += 1;
        }
    }
    counts
}

/// Connections that the members ran on.
pub(super) fn connections(executions: &Executions<'_>, group: &Group) -> usize {
    group
        .members
        .iter()
        .map(|member| executions.all[*member].record.connection)
        .collect::<BTreeSet<_>>()
        .len()
}
