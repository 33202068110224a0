//! Whether a group is a loop, and how sure that is.

use super::affinity::{SPOKEN_AGAINST, is_key_like, is_measure};
use super::executions::Executions;
use super::group::{Group, connections};
use super::hashing::Set;
use super::pace::{is_leisurely, is_pause, is_rolled_back_each};
use super::sources::Sources;
use super::strays::Strays;
use super::weave::{Assignment, Assignments};
use crate::model::evidence::n_plus_one::Certainty;
use crate::trace::ValueHash;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// What the members of a group show together.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Signs {
    /// Different values asked for.
    pub(super) distinct: usize,
    /// Share of the shape's executions in the group's span that belong to a group of this source.
    pub(super) explained: f64,
    /// Share of members among what was asked without a pause, with what nothing explains around them.
    pub(super) unmixed: f64,
    /// Share of members in the order of the rows.
    pub(super) in_order: f64,
    /// Share of the parents' different values that were asked for.
    pub(super) coverage: f64,
    /// Mean fit of the names, -1 to 2.
    pub(super) affinity: f64,
    /// Rows of the parents per different value.
    pub(super) rows_per_value: f64,
    /// Every value was asked for once per parent.
    pub(super) is_deduplicated: bool,
    /// Children ran on several connections, so their order says nothing.
    pub(super) is_parallel: bool,
    /// The parent's transaction was rolled back, and every child ran in another one.
    pub(super) is_apart: bool,
    /// Children there are.
    pub(super) members: usize,
    /// Share of children asked for the row just behind that of the child before.
    pub(super) adjacent: f64,
    /// There are no more children than rows.
    pub(super) is_one_pass: bool,
    /// There is a pause before most children.
    pub(super) is_leisurely: bool,
    /// Each rollback, of a transaction or to a savepoint, undid a few of the children.
    pub(super) is_rolled_back_each: bool,
    /// The compared column and its source read like an amount or a state.
    pub(super) is_amount: bool,
    /// The compared column or its source reads like a key.
    pub(super) is_key: bool,
}

/// What becomes of a group.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Judgement {
    /// A loop.
    Loop(Certainty),
    /// Equal values, but more likely by chance: the real parent is not on the wire.
    Chance,
    /// A fixed set of questions.
    FixedSet,
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Gathers the signs of a group.
pub(super) fn signs(
    executions: &Executions<'_>,
    assignments: &Assignments,
    sources: &mut Sources,
    group: &Group,
    (grouped, strays): (&BTreeSet<usize>, &Strays),
) -> Signs {
    let (_, shape, parent_shape, _) = group.key;
    let assigned: Vec<_> =
        group.members.iter().filter_map(|at| assignments[*at].map(|found| (*at, found))).collect();
    let values: HashSet<ValueHash> =
        assigned.iter().filter_map(|(at, found)| executions.key(*at, found.position)).collect();
    // A stray that another column explains says nothing about how much of this one was asked for.
    // Behind the rows that were kept, neither order nor coverage shows.
    let kept: Vec<_> = assigned.iter().filter(|(_, found)| !found.is_beyond).copied().collect();
    let of_main = || kept.iter().filter(|(_, found)| found.source == group.source);
    let covered: HashSet<(usize, ValueHash)> = of_main()
        .filter_map(|(at, found)| executions.key(*at, found.position).map(|value| (found.result, value)))
        .collect();
    let per_result: HashSet<(usize, usize, ValueHash)> = assigned
        .iter()
        .filter_map(|(at, found)| {
            executions.key(*at, found.position).map(|value| (found.result, found.source, value))
        })
        .collect();
    let parents: BTreeSet<(usize, usize)> =
        of_main().map(|(_, found)| (found.result, sources.list[found.source].column)).collect();
    let (mut available, mut rows) = (0, 0);
    let mut held: Set<ValueHash> = Set::default();
    // An identity map asks for a value once, whatever list it comes up in.
    let is_once = values.len() == assigned.len();
    for (result, column) in parents {
        available += sources.distinct(executions, result, column);
        let present = || executions.results[result].columns[column].iter().filter(|value| !value.is_null());
        rows += present().count();
        if is_once {
            held.extend(present());
        }
    }
    let of_all_lists = share(values.len(), held.len());
    let is_deduplicated = per_result.len() == assigned.len();
    let in_order = if is_deduplicated {
        in_order_of_appearance(executions, &kept, sources)
    } else {
        kept.iter().filter(|(_, found)| found.in_order).count()
    };
    let span = group.members.first().copied().unwrap_or(0)..=group.members.last().copied().unwrap_or(0);
    let candidates = &executions.shapes[shape].candidates;
    let before = candidates.partition_point(|at| at < span.start());
    let scope = assigned.first().and_then(|(at, _)| executions.all[*at].record.scope.as_ref());
    let in_span = candidates[before..].iter().take_while(|at| span.contains(at));
    let in_span = in_span.filter(|at| executions.all[**at].record.scope.as_ref() == scope);
    let position = assigned.first().map_or(0, |(_, found)| found.position);
    let (mut own, mut unexplained) = (0, HashSet::new());
    for at in in_span {
        let is_own = group.members.binary_search(at).is_ok();
        let is_fed = assignments[*at].is_some_and(|other| sources.list[other.source].shape == parent_shape);
        if is_own || is_fed && !grouped.contains(at) {
            own += 1;
        } else if !grouped.contains(at) && !strays.contains_key(at) {
            // What another parent explains says nothing against this one, nor one value asked again and again.
            unexplained.insert(executions.key(*at, position));
        }
    }
    unexplained.extend(unexplained_around(executions, assignments, strays, (group, position)));
    // A single other value is somebody's, not a count.
    let is_mixed = sources.list[group.source].name.is_integer && unexplained.len() > 1;
    let mixed = if is_mixed { unexplained.len() } else { 0 };
    let adjacent = adjacent(executions, &kept, sources);
    let placeholder = executions.shapes[shape].reading.placeholders.get(position);
    let compared = placeholder.and_then(|placeholder| placeholder.column.as_ref());
    let source_name = &sources.list[group.source].name;
    Signs {
        distinct: values.len(),
        explained: share(own, own + unexplained.len()),
        unmixed: share(own, own + mixed),
        in_order: share(in_order, kept.len()),
        coverage: share(covered.len(), available).max(of_all_lists).min(1.0),
        affinity: assigned.iter().map(|(_, found)| found.affinity).sum::<f64>()
            / assigned.len().max(1) as f64,
        rows_per_value: share(rows, available),
        is_deduplicated,
        is_parallel: connections(executions, group) > 1,
        is_apart: assigned.iter().all(|(at, found)| {
            let transaction = |execution: usize| executions.all[execution].record.transaction;
            let parent = transaction(executions.results[found.result].execution);
            let is_ended = executions.is_rolled_back(executions.results[found.result].execution);
            is_ended && transaction(*at).is_some_and(|own| Some(own) != parent)
        }),
        members: assigned.len(),
        adjacent: share(adjacent, kept.len()),
        is_one_pass: kept.len() <= rows,
        is_leisurely: is_leisurely(executions, &group.members),
        is_rolled_back_each: is_rolled_back_each(executions, &group.members)
            && !assigned.iter().all(|(at, found)| is_inside(executions, found.result, *at)),
        is_amount: compared.is_some_and(|column| is_measure(&column.column) && !is_key_like(&column.column))
            && is_measure(source_name.source_name.as_deref().unwrap_or(&source_name.name)),
        is_key: compared.is_none_or(|column| is_key_like(&column.column))
            || is_key_like(source_name.source_name.as_deref().unwrap_or(&source_name.name)),
    }
}

/// Whether the transaction of a parent was still open, on another connection: sessions inside a session,
/// which no tests are.
fn is_inside(executions: &Executions<'_>, result: usize, at: usize) -> bool {
    let parent = executions.results[result].execution;
    let connection = |at: usize| executions.all[at].record.connection;
    connection(parent) != connection(at) && executions.is_open_at(parent, at)
}

/// Values of the child's executions that nothing explains, just before the members, but behind their
/// parents, and just behind them, without a pause.
fn unexplained_around(
    executions: &Executions<'_>,
    assignments: &Assignments,
    strays: &Strays,
    (group, position): (&Group, usize),
) -> Vec<Option<ValueHash>> {
    let (Some(first), Some(last)) = (group.members.first(), group.members.last()) else { return Vec::new() };
    let parents = group.members.iter().filter_map(|at| assignments[*at]);
    let parent = parents.map(|found| executions.results[found.result].execution).min().unwrap_or(0);
    let candidates = &executions.shapes[group.key.1].candidates;
    let connection = |at: usize| executions.all[at].record.connection;
    let follows = |at: usize, next_to: usize| {
        assignments[at].is_none()
            && connection(at) == connection(next_to)
            && executions.all[at].scope == executions.all[next_to].scope
            && !is_pause(executions, at.min(next_to), at.max(next_to))
    };
    let run = |places: &mut dyn Iterator<Item = usize>, from: usize| -> Vec<usize> {
        let mut next_to = from;
        places.take_while(|at| follows(*at, std::mem::replace(&mut next_to, *at))).collect()
    };
    let start = candidates.partition_point(|at| at < first);
    let (behind_parent, end) =
        (candidates.partition_point(|at| *at < parent), candidates.partition_point(|at| at <= last));
    let mut around = run(&mut candidates[behind_parent.min(start)..start].iter().rev().copied(), *first);
    around.extend(run(&mut candidates[end..].iter().copied(), *last));
    let is_unexplained = |at: &usize| !strays.contains_key(at);
    around.into_iter().filter(is_unexplained).map(|at| executions.key(at, position)).collect()
}

/// Members whose value first appears behind that of the member before: where
/// every value is asked for once, rows in which it comes up again say nothing.
fn in_order_of_appearance(
    executions: &Executions<'_>,
    assigned: &[(usize, Assignment)],
    sources: &mut Sources,
) -> usize {
    let mut last: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    let mut count = 0;
    for (at, found) in assigned {
        let column = sources.list[found.source].column;
        let value = executions.key(*at, found.position).unwrap_or(ValueHash::NULL);
        let row = sources
            .standing(executions, found.result, column, value)
            .map_or(0, |standing| standing.first_row);
        count += usize::from(last.insert((found.result, column), row).is_none_or(|before| before < row));
    }
    count
}

/// Members asked for the row just behind that of the member before, or for the
/// same row or the next different value; or all rows backwards.
fn adjacent(executions: &Executions<'_>, assigned: &[(usize, Assignment)], sources: &mut Sources) -> usize {
    let mut last: BTreeMap<(usize, usize), (usize, usize)> = BTreeMap::new();
    let (mut forwards, mut backwards) = (0, 0);
    for (at, found) in assigned {
        let place = (found.result, sources.list[found.source].column);
        let value = executions.key(*at, found.position).unwrap_or(ValueHash::NULL);
        let Some(standing) = sources.standing(executions, place.0, place.1, value) else { continue };
        let rows = &executions.results[place.0].columns[place.1];
        let Some((row, rank)) = last.get(&place).copied() else {
            last.insert(place, (standing.first_row, standing.rank));
            (forwards, backwards) = (forwards + 1, backwards + 1);
            continue;
        };
        let there = |row: Option<usize>| row.filter(|row| rows.get(*row) == Some(&value));
        let next = (row + 1..rows.len()).find(|row| !rows[*row].is_null());
        let previous = (0..row).rev().find(|row| !rows[*row].is_null());
        let (same, next, previous) = (there(Some(row)), there(next), there(previous));
        let is_next_different = standing.rank == rank + 1 && standing.first_row > row;
        forwards += usize::from(same.or(next).is_some() || is_next_different);
        backwards += usize::from(same.or(previous).is_some());
        last.insert(place, (same.or(next).or(previous).unwrap_or(standing.first_row), standing.rank));
    }
    forwards.max(backwards)
}

/// Fewer members than these come in almost the order of the rows by chance: five in
/// random order have at most one step back in 27 of 120 cases, seven in 121 of 5 040.
const ORDER_MIN: usize = 7;

impl Signs {
    fn is_ordered(&self) -> bool {
        let share = if self.members < ORDER_MIN && self.coverage < 0.9 {
            1.0
        } else if self.is_parallel || self.is_apart {
            0.95
        } else {
            0.8
        };
        self.in_order >= share
    }

    fn is_covering(&self) -> bool {
        self.coverage >= 0.9
    }

    /// All rows in their order, whatever the names say.
    pub(super) fn looks_like_a_loop(&self) -> bool {
        self.is_ordered() && self.is_covering() && self.explained >= 0.6
    }
}

/// Names that say little need this share of what was asked to be explained by the rows.
const UNMIXED_MIN: f64 = 0.9;

/// A column of states has hardly more different values.
const STATES_MAX: usize = 12;

/// Judges by the signs.
pub(super) fn judge(signs: &Signs) -> Judgement {
    match judge_rows(signs) {
        Judgement::Loop(_) if signs.is_leisurely => {
            // With pauses, somebody may be using what the list showed: only all rows one
            // after the other are a loop, and neither is none.
            match (signs.adjacent >= 0.8 && signs.is_one_pass, signs.is_covering()) {
                (true, true) => judge_rows(signs),
                (false, false) => Judgement::Chance,
                _ => Judgement::Loop(Certainty::Possible),
            }
        }
        // Tests over a common fixture look the same as a loop that gives its connection back.
        Judgement::Loop(_) if signs.is_rolled_back_each => Judgement::Loop(Certainty::Possible),
        // Hours from 0 to 23 hold the numbers of a list's rows as well.
        Judgement::Loop(_) if signs.unmixed < UNMIXED_MIN && signs.affinity < 0.5 => {
            Judgement::Loop(Certainty::Possible)
        }
        judgement => judgement,
    }
}

fn judge_rows(signs: &Signs) -> Judgement {
    let (is_ordered, is_covering) = (signs.is_ordered(), signs.is_covering());
    if signs.explained < 0.6 {
        return Judgement::Chance;
    }
    // The few values of a column such as a status, each asked for once and not
    // in the order of the rows: a list that the code holds, not the rows.
    let is_low_cardinality = signs.rows_per_value >= 2.0 && signs.is_deduplicated;
    if is_low_cardinality && !signs.is_key && !is_ordered && !signs.is_parallel {
        return Judgement::FixedSet;
    }
    // A tab for each status, in the order in which they come up.
    if signs.is_amount && signs.is_deduplicated && signs.distinct <= STATES_MAX {
        return Judgement::Loop(Certainty::Possible);
    }
    if signs.affinity <= SPOKEN_AGAINST {
        // Names speak against it and small numbers coincide.
        return Judgement::Chance;
    }
    let agreeing = u8::from(is_ordered) + u8::from(is_covering) + u8::from(signs.affinity >= 0.5);
    match agreeing {
        3 => Judgement::Loop(Certainty::Strong),
        2 => Judgement::Loop(if signs.affinity >= 1.0 { Certainty::Strong } else { Certainty::Likely }),
        // Names alone do not lead from one transaction to the next.
        1 if signs.affinity >= 0.5 && signs.is_apart => Judgement::Chance,
        1 => Judgement::Loop(Certainty::Possible),
        _ => Judgement::Chance,
    }
}
