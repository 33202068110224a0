//! Loops whose child alternates: the row's kind says which statement is asked
//! for it (comments on posts, photos and articles), so that each statement alone
//! may stay below the threshold.
//!
//! Several statements that take keys out of one column are no loop by
//! themselves: a page asks for many things. So a column of the same rows has to
//! tell which statement was asked, of all rows asked for; and each row is asked
//! for once, which a fixed set of children of the same rows is not.

use super::affinity::SPOKEN_AGAINST;
use super::executions::Executions;
use super::group::{Group, roots};
use super::hashing::Table;
use super::order::Order;
use super::pace::{is_leisurely, is_rolled_back_each};
use super::sources::Sources;
use super::weave::{Assignment, Assignments};
use crate::model::evidence::n_plus_one::Certainty;
use crate::trace::ValueHash;
use std::collections::{BTreeMap, BTreeSet};

/// Rows that have to say the same as an earlier one: a column of keys never does.
const AGREEING_MIN: usize = 2;

/// Rows looked at for all members together; with more, one value is in most rows.
const ROWS_TRIED_MAX: usize = 1_000_000;

/// A loop over several child shapes, and how sure it is.
pub(super) struct Alternating {
    /// Its key names the child that was asked most.
    pub(super) group: Group,
    pub(super) certainty: Certainty,
    /// Different values asked for.
    pub(super) distinct: usize,
}

/// A row of a result set.
type Row = (usize, usize);

/// Executions with what they are put down to.
type Members = Vec<(usize, Assignment)>;

/// The root result set, the column that feeds the children, and their own scope.
type Fed = (usize, usize, Option<usize>);

/// Finds them among the executions that belong to no group.
pub(super) fn alternating(
    executions: &Executions<'_>,
    assignments: &mut Assignments,
    sources: &mut Sources,
    groups: &[Group],
    threshold: usize,
) -> Vec<Alternating> {
    let roots = roots(groups);
    let mut fed: BTreeMap<Fed, Members> = BTreeMap::new();
    for (at, found) in assignments.iter().enumerate() {
        let Some(found) = found.filter(|found| !roots.contains_key(&at) && !found.is_beyond) else {
            continue;
        };
        if executions.is_list(at, found.position) {
            continue;
        }
        let root = roots.get(&executions.results[found.result].execution).copied().unwrap_or(found.result);
        fed.entry((root, found.source, executions.own_scope(at))).or_default().push((at, found));
    }
    for (found, members) in &mut fed {
        if members.len() + 1 >= threshold {
            let between = between(executions, assignments, sources, (*found, members), &roots);
            members.extend(between);
            members.sort_by_key(|(at, _)| *at);
        }
    }
    let several = fed.into_iter().filter(|(_, members)| members.len() >= threshold);
    several
        .filter_map(|((root, source, scope), members)| {
            // Whether there are several statements is told soonest.
            let (child, others) = shapes(executions, &members)?;
            let distinct = distinct(executions, &members);
            let certainty = certainty(executions, sources, source, &members)?;
            let key = (root, child, sources.list[source].shape, scope);
            members.iter().for_each(|(at, found)| assignments[*at] = Some(*found));
            let members = members.into_iter().map(|(at, _)| at).collect();
            Some(Alternating {
                group: Group { key, source, members, inside: None, others },
                certainty,
                distinct,
            })
        })
        .collect()
}

/// Executions of the same statements that no loop has and another column explains, asked between two of
/// these for a row between theirs.
fn between(
    executions: &Executions<'_>,
    assignments: &Assignments,
    sources: &mut Sources,
    ((_, source, scope), members): (Fed, &Members),
    roots: &BTreeMap<usize, usize>,
) -> Members {
    let (Some((first, model)), Some((last, _))) = (members.first(), members.last()) else {
        return Vec::new();
    };
    let shapes: BTreeSet<usize> = members.iter().map(|(at, _)| executions.all[*at].shape).collect();
    if shapes.len() < 2 {
        return Vec::new();
    }
    let order = Order::new(executions, assignments, sources, source, members.iter().map(|(at, _)| *at));
    let between = |shape: &usize| {
        let candidates = &executions.shapes[*shape].candidates;
        let place = |at: &usize| candidates.partition_point(|other| other < at);
        &candidates[place(first)..place(last)]
    };
    let is_other = |at: &usize| {
        !roots.contains_key(at)
            && executions.own_scope(*at) == scope
            && assignments[*at].is_some_and(|found| found.source != source)
    };
    let mut found = Vec::new();
    for at in shapes.iter().flat_map(between).copied().filter(is_other) {
        let Some(assignment) = assignments[at] else { continue };
        let Some(value) = executions.key(at, assignment.position) else { continue };
        if order.is_between(executions, sources, (model.result, value), at) {
            let put = Assignment { position: assignment.position, ..*model };
            found.push((at, put));
        }
    }
    found
}

/// The shape asked most, and the others; none where there is but one.
fn shapes(executions: &Executions<'_>, members: &Members) -> Option<(usize, Vec<usize>)> {
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    for (at, _) in members {
        *counts.entry(executions.all[*at].shape).or_default() += 1;
    }
    let most = counts
        .iter()
        .max_by_key(|(shape, count)| (**count, usize::MAX - **shape))
        .map(|(shape, _)| *shape)?;
    let others: Vec<usize> = counts.into_keys().filter(|shape| *shape != most).collect();
    (!others.is_empty()).then_some((most, others))
}

fn distinct(executions: &Executions<'_>, members: &Members) -> usize {
    let asked = |(at, found): &(usize, Assignment)| {
        Some((executions.all[*at].shape, executions.key(*at, found.position)?))
    };
    members.iter().filter_map(asked).collect::<BTreeSet<_>>().len()
}

/// How sure it is that these are one loop; none where they are not.
fn certainty(
    executions: &Executions<'_>,
    sources: &Sources,
    source: usize,
    members: &Members,
) -> Option<Certainty> {
    let affinity = members.iter().map(|(_, found)| found.affinity).sum::<f64>() / members.len() as f64;
    let column = sources.list[source].column;
    let results: BTreeSet<usize> = members.iter().map(|(_, found)| found.result).collect();
    let of_result = |result: &usize| executions.results[*result].columns[column].iter();
    let all = results.iter().flat_map(of_result).filter(|value| !value.is_null()).count();
    // Each row is asked for once.
    if affinity <= SPOKEN_AGAINST || members.len() > all {
        return None;
    }
    let rows = rows_by_kind(executions, column, members)?;
    let in_order = 1 + rows.windows(2).filter(|pair| pair[0] < pair[1]).count();
    let is_ordered = in_order * 5 >= rows.len() * 4;
    let is_covering = rows.len() * 10 >= all * 9;
    let members: Vec<usize> = members.iter().map(|(at, _)| *at).collect();
    let is_used = is_leisurely(executions, &members) || is_rolled_back_each(executions, &members);
    match (u8::from(is_ordered) + u8::from(is_covering), affinity >= 0.5) {
        (0, _) => None,
        _ if is_used => Some(Certainty::Possible),
        (2, true) => Some(Certainty::Strong),
        (1, false) => Some(Certainty::Possible),
        _ => Some(Certainty::Likely),
    }
}

/// The row that each member was asked for, where a column of the rows tells for all
/// of them which shape is asked.
fn rows_by_kind(executions: &Executions<'_>, column: usize, members: &Members) -> Option<Vec<Row>> {
    let results: BTreeSet<usize> = members.iter().map(|(_, found)| found.result).collect();
    let columns = results.iter().map(|result| executions.results[*result].columns.len()).min()?;
    let held = rows_by_value(executions, column, &results);
    let mut candidates: Vec<&[Row]> = Vec::new();
    for (at, found) in members {
        candidates.push(held.get(&(found.result, executions.key(*at, found.position)?))?);
    }
    if candidates.iter().map(|rows| rows.len()).sum::<usize>() > ROWS_TRIED_MAX {
        return None;
    }
    (0..columns)
        .filter(|kind| *kind != column)
        .find_map(|kind| rows_of_kind(executions, kind, members, &candidates))
}

/// The rows of result sets by the value that a column of theirs holds.
fn rows_by_value(
    executions: &Executions<'_>,
    column: usize,
    results: &BTreeSet<usize>,
) -> Table<(usize, ValueHash), Vec<Row>> {
    let mut held: Table<(usize, ValueHash), Vec<Row>> = Table::default();
    for result in results {
        for (row, value) in executions.results[*result].columns[column].iter().enumerate() {
            held.entry((*result, *value)).or_default().push((*result, row));
        }
    }
    held
}

/// The row of each member out of its candidates, where this column tells.
fn rows_of_kind(
    executions: &Executions<'_>,
    kind: usize,
    members: &Members,
    candidates: &[&[Row]],
) -> Option<Vec<Row>> {
    let kind_of = |(result, row): &Row| {
        executions.results[*result].columns[kind].get(*row).copied().filter(|kind| !kind.is_null())
    };
    // Keys of several tables coincide: what only one row can mean decides first.
    let mut order: Vec<usize> = (0..members.len()).collect();
    order.sort_by_key(|member| candidates[*member].len());
    let mut shape_of: BTreeMap<ValueHash, usize> = BTreeMap::new();
    let mut rows: Vec<Option<Row>> = vec![None; members.len()];
    let mut taken: BTreeSet<Row> = BTreeSet::new();
    for member in order {
        let shape = executions.all[members[member].0].shape;
        let free = || candidates[member].iter().filter(|row| !taken.contains(*row));
        let known = free().find(|row| kind_of(row).is_some_and(|kind| shape_of.get(&kind) == Some(&shape)));
        let new = || free().find(|row| kind_of(row).is_some_and(|kind| !shape_of.contains_key(&kind)));
        let row = *known.or_else(new)?;
        shape_of.insert(kind_of(&row)?, shape);
        taken.insert(row);
        rows[member] = Some(row);
    }
    (shape_of.len() + AGREEING_MIN <= members.len()).then(|| rows.into_iter().flatten().collect())
}
