//! Which placeholder of a statement varies with the rows.

use super::executions::Executions;
use super::reading::Role;
use super::sources::Sources;
use crate::trace::ValueHash;
use std::collections::{BTreeMap, HashSet};

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

/// The columns that held a value, with the result sets, oldest first.
pub(super) fn feeding<'s>(
    executions: &'s Executions<'_>,
    sources: &'s Sources,
    child: usize,
    position: usize,
    value: ValueHash,
) -> impl Iterator<Item = &'s (usize, Vec<usize>)> {
    let role = executions.shapes[child].reading.placeholders.get(position).map(|found| found.role);
    // A page that starts where the last one of the same statement ended is pagination.
    let is_pagination = move |source: usize| role == Some(Role::Range) && sources.list[source].shape == child;
    sources.of(value).iter().filter(move |(source, _)| !is_pagination(*source))
}

/// Different explained values of a placeholder, and how well a name fits at best.
type Explained = BTreeMap<usize, (HashSet<ValueHash>, f64)>;

/// The placeholder of each shape with most different values that earlier rows
/// held; names decide between equals.
pub(super) fn deciding_positions(executions: &Executions<'_>) -> Vec<Option<usize>> {
    let mut sources = Sources::default();
    let mut explained: Vec<Explained> = vec![Explained::new(); executions.shapes.len()];
    for (execution, is_result) in events(executions) {
        if is_result {
            sources.insert(executions, execution);
        } else {
            add(executions, &mut sources, execution, &mut explained);
        }
    }
    // Rather the last of equals: keys of owners and tenants come first in the text and vary least.
    let weigh = |(distinct, affinity): &(HashSet<ValueHash>, f64)| distinct.len() as f64 * (2.0 + affinity);
    let deciding = |values: Explained| {
        values
            .into_iter()
            .max_by(|(_, left), (_, right)| weigh(left).total_cmp(&weigh(right)))
            .map(|(position, _)| position)
    };
    explained.into_iter().map(deciding).collect()
}

fn add(executions: &Executions<'_>, sources: &mut Sources, execution: usize, explained: &mut [Explained]) {
    let shape = executions.all[execution].shape;
    for (position, placeholder) in executions.shapes[shape].reading.placeholders.iter().enumerate() {
        let value = executions.key(execution, position).filter(|_| placeholder.asks());
        let Some(value) = value else { continue };
        let feeding: Vec<usize> = feeding(executions, sources, shape, position, value)
            .filter(|(_, results)| results.iter().rev().any(|result| executions.can_feed(*result, execution)))
            .map(|(source, _)| *source)
            .collect();
        for source in feeding {
            let affinity = sources.affinity(executions, source, shape, position);
            let (distinct, best) = explained[shape].entry(position).or_insert((HashSet::new(), -1.0));
            distinct.insert(value);
            *best = best.max(affinity);
        }
    }
}
