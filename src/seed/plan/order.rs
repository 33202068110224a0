//! Parents before children.

use super::Problems;
use super::resolve::{Draft, find};
use crate::project::distributions::{RowCount, ValueSource};
use std::ops::Range;

/// The tables whose values or rows a table depends on, with the place that says so.
/// References of a table to itself are no such dependency.
pub(super) fn dependencies<'d>(draft: &'d Draft<'_>) -> Vec<(&'d str, Range<usize>)> {
    let mut names: Vec<(&str, Range<usize>)> = Vec::new();
    if let RowCount::PerParent { table, .. } = &draft.declared.rows {
        names.push((table, draft.declared.rows_span.clone()));
    }
    for column in &draft.columns {
        if let ValueSource::References { table, .. } = &column.source
            && !draft.is_named(table)
        {
            names.push((table, column.span.clone()));
        }
    }
    names
}

/// The drafts in an order in which each comes after those it depends on. A cycle is a
/// problem, and its tables are left out.
pub(super) fn parents_first<'d, 'a>(
    drafts: &'d [Draft<'a>],
    problems: &mut Problems<'_>,
) -> Vec<&'d Draft<'a>> {
    let mut ordered: Vec<&Draft<'_>> = Vec::new();
    let mut left: Vec<&Draft<'_>> = drafts.iter().collect();
    loop {
        let is_waiting = |draft: &&Draft<'_>| {
            dependencies(draft).iter().any(|(name, _)| left.iter().any(|other| other.is_named(name)))
        };
        let (waiting, ready): (Vec<_>, Vec<_>) = left.iter().copied().partition(is_waiting);
        ordered.extend(&ready);
        if ready.is_empty() || waiting.is_empty() {
            report_cycle(&waiting, problems);
            return ordered;
        }
        left = waiting;
    }
}

/// Follows dependencies until a table comes up again.
fn report_cycle(waiting: &[&Draft<'_>], problems: &mut Problems<'_>) {
    let Some(mut draft) = waiting.first().copied() else { return };
    let mut path: Vec<&Draft<'_>> = Vec::new();
    while !path.iter().any(|seen| std::ptr::eq(*seen, draft)) {
        path.push(draft);
        let next = dependencies(draft)
            .into_iter()
            .find_map(|(name, _)| waiting.iter().copied().find(|other| other.is_named(name)));
        let Some(next) = next else { return };
        draft = next;
    }
    let start = path.iter().position(|seen| std::ptr::eq(*seen, draft)).unwrap_or(0);
    let mut names: Vec<&str> = path[start..].iter().map(|draft| draft.declared.table.as_str()).collect();
    names.push(&draft.declared.table);
    let span = dependencies(draft)
        .into_iter()
        .find(|(name, _)| path[start..].iter().any(|other| other.is_named(name)))
        .map_or_else(|| draft.declared.span.clone(), |(_, span)| span);
    problems.add(
        &span,
        format!("the tables refer to each other in a circle: {}", names.join(" → ")),
        "leave one of the referring columns out if it may be NULL",
    );
}

/// Whether a name means any draft at all.
pub(super) fn is_known(drafts: &[Draft<'_>], name: &str) -> bool {
    find(drafts, name).is_some()
}
