//! One explanation per execution, chosen by its neighbourhood.
//!
//! Equal values alone are weak. What tells a loop from chance is that the same
//! column explains the executions before and after as well, in its own order.
//! So an explanation is weighed by the executions of the same shape around it,
//! by names, and by how recent its result set is; `path` then chooses for all
//! executions together.

use super::executions::Executions;
use super::explain::{Explained, Explanation, Explanations, Preference};
use super::path::{Choice, path};
use super::sources::Sources;
use crate::trace::ValueHash;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// Executions looked at on either side.
const NEIGHBOURS: usize = 8;

/// What an execution's value is put down to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Assignment {
    pub(super) position: usize,
    pub(super) source: usize,
    pub(super) result: usize,
    pub(super) in_order: bool,
    pub(super) over_capacity: bool,
    pub(super) affinity: f64,
    /// How well it fits among its neighbours.
    pub(super) score: f64,
}

/// Per execution, its assignment.
pub(super) type Assignments = Vec<Option<Assignment>>;

/// Assigns the executions of one child shape.
pub(super) fn assign(
    executions: &Executions<'_>,
    shape: usize,
    explanations: &Explanations,
    sources: &mut Sources,
    preference: Preference,
    assignments: &mut Assignments,
) {
    let candidates = &executions.shapes[shape].candidates;
    let Some(position) = deciding_position(executions, shape, explanations, sources) else {
        return;
    };
    for stream in streams(executions, candidates, preference) {
        let choices: Vec<Vec<Choice>> = (0..stream.len())
            .map(|at| choices(executions, &stream, at, position, explanations, sources))
            .collect();
        for (at, chosen) in stream.iter().zip(path(executions, sources, &choices)) {
            assignments[*at] = chosen;
        }
    }
}

/// Executions apart by the scope that the application named, and by
/// connection where each worker is taken to have its own.
fn streams(executions: &Executions<'_>, candidates: &[usize], preference: Preference) -> Vec<Vec<usize>> {
    let mut streams: BTreeMap<(Option<Arc<str>>, u64), Vec<usize>> = BTreeMap::new();
    for at in candidates {
        let record = executions.all[*at].record;
        let connection = if preference == Preference::Connection { record.connection } else { 0 };
        streams.entry((record.scope.clone(), connection)).or_default().push(*at);
    }
    streams.into_values().collect()
}

/// The placeholder that varies with the rows: the one with most different
/// explained values; names decide between equals.
fn deciding_position(
    executions: &Executions<'_>,
    shape: usize,
    explanations: &Explanations,
    sources: &mut Sources,
) -> Option<usize> {
    let mut values: BTreeMap<usize, (HashSet<ValueHash>, f64)> = BTreeMap::new();
    for at in &executions.shapes[shape].candidates {
        for explained in explanations[*at].iter().filter(|explained| !explained.by.is_empty()) {
            let (distinct, affinity) = values.entry(explained.position).or_insert((HashSet::new(), -1.0));
            distinct.insert(explained.value);
            for explanation in &explained.by {
                *affinity =
                    affinity.max(sources.affinity(executions, explanation.source, shape, explained.position));
            }
        }
    }
    // Rather the last of equals: keys of owners and tenants come first in the text and vary least.
    let weigh = |(distinct, affinity): &(HashSet<ValueHash>, f64)| distinct.len() as f64 * (2.0 + affinity);
    values.into_iter().max_by(|(_, left), (_, right)| weigh(left).total_cmp(&weigh(right))).map(|(at, _)| at)
}

fn at_position(explained: &[Explained], position: usize) -> &[Explanation] {
    explained.iter().find(|explained| explained.position == position).map_or(&[], |found| &found.by)
}

/// Every explanation of an execution, weighed by its neighbourhood.
fn choices(
    executions: &Executions<'_>,
    stream: &[usize],
    at: usize,
    position: usize,
    explanations: &Explanations,
    sources: &mut Sources,
) -> Vec<Choice> {
    let shape = executions.all[stream[at]].shape;
    let Some(explained) = explanations[stream[at]].iter().find(|found| found.position == position) else {
        return Vec::new();
    };
    let latest = explained.by.iter().map(|choice| choice.result).max();
    let weigh = |choice: &Explanation| {
        let affinity = sources.affinity(executions, choice.source, shape, position);
        let agreement = agreement(executions, stream, at, position, explanations, sources, choice);
        let recency = if Some(choice.result) == latest { 1.0 } else { 0.0 };
        let echo = if choice.is_echo { 1.5 } else { 0.0 };
        let stray = stray(shape, sources, choice) + if choice.over_capacity { 1.0 } else { 0.0 };
        let order = agreement.in_order + 4.0 * agreement.next;
        // The only value of a single row is trivially its next one.
        let is_list = sources.list[choice.source].most_rows > 1;
        let own = match agreement.is_next {
            true if is_list => 2.0,
            true => 2.0 * agreement.explained,
            false => 0.0,
        };
        let score = affinity + 3.0 * agreement.explained + order + own + recency - echo - stray;
        let Explanation { source, result, in_order, over_capacity, rank, .. } = *choice;
        let assignment = Assignment { position, source, result, in_order, over_capacity, affinity, score };
        Choice { assignment, value: explained.value, rank }
    };
    explained.by.iter().map(weigh).collect()
}

/// Single rows hold any value by chance. One that came before another of its
/// kind, or that the child's own statement returned, is a poor source.
fn stray(child: usize, sources: &Sources, choice: &Explanation) -> f64 {
    if sources.list[choice.source].most_rows > 1 {
        return 0.0;
    }
    let is_own = sources.list[choice.source].shape == child;
    let is_old = !choice.is_next;
    f64::from(u8::from(is_own)) * 3.0 + f64::from(u8::from(is_old)) * 2.0
}

/// How the neighbours speak for a column.
struct Agreement {
    /// Share of the neighbours that the column explains, 0 to 1.
    explained: f64,
    /// Share of these in the column's order, 0 to 1.
    in_order: f64,
    /// Share of the neighbours that ask for the very next value, 0 to 1.
    next: f64,
    /// The execution itself asks for the very next value.
    is_next: bool,
}

/// Since when an explanation could hold: a list since it came in; of single
/// rows, which hold any value by chance, since the first of their kind.
fn born(executions: &Executions<'_>, sources: &Sources, choice: &Explanation) -> usize {
    let result = &executions.results[choice.result];
    let first =
        sources.list[choice.source].results.first().filter(|_| sources.list[choice.source].most_rows <= 1);
    first.map_or(result.execution, |first| executions.results[*first].execution)
}

fn agreement(
    executions: &Executions<'_>,
    stream: &[usize],
    at: usize,
    position: usize,
    explanations: &Explanations,
    sources: &Sources,
    choice: &Explanation,
) -> Agreement {
    let born = born(executions, sources, choice);
    let from = at.saturating_sub(NEIGHBOURS);
    let until = (at + NEIGHBOURS + 1).min(stream.len());
    let (mut seen, mut explained, mut in_order, mut next) = (0_u32, 0_u32, 0_u32, 0_u32);
    let mut previous: Option<&Explanation> = None;
    let (mut is_own_next, mut is_behind_own) = (false, false);
    for (offset, neighbour) in stream[from..until].iter().enumerate() {
        if *neighbour < born {
            continue;
        }
        seen += 1;
        let same = at_position(&explanations[*neighbour], position)
            .iter()
            .find(|explanation| explanation.source == choice.source);
        if let Some(same) = same {
            explained += 1;
            in_order += u32::from(same.in_order);
            // Also where the rows are walked from the last to the first.
            let is_beside = previous
                .is_some_and(|before| before.result == same.result && before.rank.abs_diff(same.rank) == 1);
            next += u32::from(same.is_next || is_beside);
            is_own_next |= from + offset == at && (same.is_next || is_beside);
            is_behind_own |= from + offset == at + 1 && is_beside;
        }
        previous = same;
    }
    // One more than seen: a few agreeing neighbours prove less than many.
    let share = |part: u32, whole: u32| f64::from(part) / (f64::from(whole) + 1.0);
    Agreement {
        explained: share(explained, seen),
        in_order: share(in_order, explained),
        next: share(next, seen),
        is_next: is_own_next || is_behind_own,
    }
}
