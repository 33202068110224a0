//! Which placeholder of a statement varies with the rows, and which columns can be behind it.
//!
//! A statement's own rows lead to its next execution in a tree, where they hold
//! keys of the same kind. The doctors of a ward do not lead to the doctors of
//! another ward, however often their numbers coincide.

use super::affinity::{Affinity, is_key_like};
use super::executions::Executions;
use super::hashing::Set;
use super::reading::{Placeholder, Role};
use super::sources::Sources;
use crate::trace::ValueHash;
use std::collections::BTreeMap;

/// Requests of candidates and arrivals of rows (true), in order of time.
pub(super) fn events(executions: &Executions<'_>) -> impl Iterator<Item = (usize, bool)> {
    let mut events: Vec<(u64, usize, bool)> = Vec::new();
    for (at, execution) in executions.all.iter().enumerate() {
        let record = execution.record;
        if execution.is_candidate {
            events.push((record.start_us, at, false));
        }
        if execution.result.is_some() {
            events.push((record.first_row_us.unwrap_or(record.start_us), at, true));
        }
    }
    events.sort_unstable();
    events.into_iter().map(|(_, at, is_result)| (at, is_result))
}

/// The placeholder of a shape that varies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deciding {
    pub(super) position: usize,
    /// How well the name of another statement's column fits at best, which told most of the values.
    pub(super) fit: Affinity,
}

/// The columns that held a value, with the result sets, oldest first.
pub(super) fn feeding<'s>(
    executions: &'s Executions<'_>,
    sources: &'s Sources,
    child: usize,
    position: usize,
    value: ValueHash,
) -> impl Iterator<Item = &'s (usize, Vec<usize>)> {
    let placeholder = executions.shapes[child].reading.placeholders.get(position);
    // A page that starts where the last one of the same statement ended is pagination; and what was asked
    // for is in the answer.
    let is_own = move |source: usize| {
        let source = &sources.list[source];
        let is_range = placeholder.is_some_and(|found| found.role == Role::Range);
        let compared = placeholder.and_then(|found| found.column.as_ref());
        source.shape == child
            && (is_range || compared.is_some_and(|column| source.name.is_called(&column.column)))
    };
    sources.of(value).iter().filter(move |(source, _)| !is_own(*source))
}

/// What is known of the values of a placeholder that earlier rows held.
struct Explained {
    values: Set<ValueHash>,
    /// How well the best column is called.
    best: Affinity,
    /// Those that columns of other statements held, by how well the columns are called.
    by_fit: BTreeMap<Fit, Set<ValueHash>>,
}

/// An affinity in hundredths, which can be ordered.
type Fit = i32;

/// What varies in each shape, and columns that cannot be behind their own shape.
pub(super) struct Positions {
    pub(super) deciding: Vec<Option<Deciding>>,
    /// Shapes with columns of their results that hold what was asked for: nothing in a tree is below itself,
    /// though a node of a graph may be.
    pub(super) cyclic: Set<(usize, usize)>,
}

/// The placeholder of each shape with most different values that earlier rows
/// held; names decide between equals.
pub(super) fn deciding_positions(executions: &Executions<'_>) -> Positions {
    let mut sources = Sources::default();
    let mut explained: Vec<BTreeMap<usize, Explained>> = Vec::new();
    explained.resize_with(executions.shapes.len(), BTreeMap::new);
    let mut cyclic = Set::default();
    for (execution, is_result) in events(executions) {
        if is_result {
            sources.insert(executions, execution);
            add_cycles(executions, execution, &mut cyclic);
        } else {
            add(executions, &mut sources, execution, &mut explained);
        }
    }
    // Rather the last of equals: keys of owners and tenants come first in the text and vary least.
    let deciding = |(shape, mut positions): (usize, BTreeMap<usize, Explained>)| {
        // What leaves a row out is its key only where nothing looks rows up by one.
        let placeholders = &executions.shapes[shape].reading.placeholders;
        if positions.keys().any(|position| placeholders[*position].asks()) {
            positions.retain(|position, _| placeholders[*position].asks());
        }
        let best =
            positions.iter().max_by(|(_, left), (_, right)| left.weight().total_cmp(&right.weight()))?;
        Some(Deciding { position: *best.0, fit: best.1.fit() })
    };
    Positions { deciding: explained.into_iter().enumerate().map(deciding).collect(), cyclic }
}

/// Columns of an answer that hold a value that was asked for.
fn add_cycles(executions: &Executions<'_>, execution: usize, cyclic: &mut Set<(usize, usize)>) {
    let (record, shape) = (executions.all[execution].record, executions.all[execution].shape);
    for (column, values) in record.values.iter().enumerate() {
        let is_asked = |position| {
            executions.single(execution, position).is_some_and(|value| values.hashes.contains(&value))
        };
        if !cyclic.contains(&(shape, column)) && (0..record.arguments.len()).any(is_asked) {
            cyclic.insert((shape, column));
        }
    }
}

fn may_decide(placeholder: &Placeholder) -> bool {
    let is_key = || placeholder.column.as_ref().is_some_and(|column| is_key_like(&column.column));
    placeholder.asks() || placeholder.role == Role::Unequal && is_key()
}

impl Default for Explained {
    fn default() -> Self {
        Self { values: Set::default(), best: -1.0, by_fit: BTreeMap::new() }
    }
}

impl Explained {
    fn weight(&self) -> f64 {
        self.values.len() as f64 * (2.0 + self.best)
    }

    /// The best fit among columns of other statements that held most of the values.
    fn fit(&self) -> Affinity {
        let held_most = |(_, values): &(&Fit, &Set<ValueHash>)| values.len() * 2 > self.values.len();
        self.by_fit.iter().rfind(held_most).map_or(-1.0, |(fit, _)| f64::from(*fit) / 100.0)
    }
}

fn add(
    executions: &Executions<'_>,
    sources: &mut Sources,
    execution: usize,
    explained: &mut [BTreeMap<usize, Explained>],
) {
    let shape = executions.all[execution].shape;
    for (position, placeholder) in executions.shapes[shape].reading.placeholders.iter().enumerate() {
        let value = executions.key(execution, position).filter(|_| may_decide(placeholder));
        let Some(value) = value else { continue };
        let feeding: Vec<usize> = feeding(executions, sources, shape, position, value)
            .filter(|(_, results)| results.iter().rev().any(|result| executions.can_feed(*result, execution)))
            .map(|(source, _)| *source)
            .collect();
        for source in feeding {
            let affinity = sources.affinity(executions, source, shape, position);
            let known = explained[shape].entry(position).or_default();
            known.values.insert(value);
            known.best = known.best.max(affinity);
            if sources.list[source].shape != shape {
                known.by_fit.entry((affinity * 100.0) as Fit).or_default().insert(value);
            }
        }
    }
}
