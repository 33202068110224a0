//! Difference of two whole plan trees, never of their roots only.
//!
//! Tables are matched by alias, joins by the tables below them, sorts and
//! groups by their keys. Noise is not a change: costs, worker numbers,
//! parameter numbers, literals and generated suffixes do not take part. Where
//! two shapes differ in a way that has no name here, the difference is still
//! reported, as `shape`: two plans with different fingerprints never diff to
//! nothing.

mod joins;
mod scans;
mod trees;
mod upper;

pub use trees::trees;

use crate::model::evidence::regression::{PlanChange, PlanChangeKind};
use crate::plan::{Plan, PlanNode};

/// Differences from `before` to `after`, the most telling kinds first. A plan
/// against itself gives none.
#[must_use]
pub fn diff(before: &Plan, after: &Plan) -> Vec<PlanChange> {
    let (old, new) = (scans::collect(before), scans::collect(after));
    let matched = scans::matched(&old, &new);
    let mut changes = scans::diff(&old, &new, &matched);
    changes.extend(joins::diff(before, after, &scans::names(&old, &new, &matched)));
    changes.extend(upper::diff(before, after));
    if changes.iter().all(|change| change.kind == PlanChangeKind::EstimateError) {
        changes.extend(unnamed(before, after));
    }
    changes.sort_by_key(|change| change.kind);
    changes
}

/// The first line in which two shapes differ, where they do.
fn unnamed(before: &Plan, after: &Plan) -> Option<PlanChange> {
    let (old, new) = (before.fingerprint(), after.fingerprint());
    if old == new {
        return None;
    }
    let (mut old, mut new) = (old.text.lines(), new.text.lines());
    loop {
        let (left, right) = (old.next(), new.next());
        if left != right || left.is_none() {
            let text = |line: Option<&str>| line.unwrap_or("nothing").trim().to_owned();
            return Some(change(PlanChangeKind::Shape, "tree", &text(left), &text(right)));
        }
    }
}

fn change(kind: PlanChangeKind, subject: &str, before: &str, after: &str) -> PlanChange {
    PlanChange { kind, subject: subject.into(), before: before.into(), after: after.into() }
}

/// What is in one list more often than in the other: (only in `before`, only in `after`).
fn surplus<T: PartialEq + Clone>(before: &[T], after: &[T]) -> (Vec<T>, Vec<T>) {
    let mut rest = after.to_vec();
    let mut only_before = Vec::new();
    for item in before {
        match rest.iter().position(|other| other == item) {
            Some(at) => drop(rest.remove(at)),
            None => only_before.push(item.clone()),
        }
    }
    (only_before, rest)
}

/// What stands for a source of rows in the tree: a table, CTE, function or values list.
fn is_source(node: &PlanNode) -> bool {
    node.node_type != "Bitmap Index Scan"
        && node.alias.is_some()
        && (node.node_type.ends_with("Scan") || node.relation.is_some())
        && node.operation.is_none()
        && node.node_type != "Subquery Scan"
}

#[cfg(test)]
mod tests;
