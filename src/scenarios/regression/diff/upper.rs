//! Everything above the scans and beside the joins: sorts, groups, spills,
//! parallelism, and nodes of any other kind, known or not.

use super::{change, is_source, surplus};
use crate::model::evidence::regression::{PlanChange, PlanChangeKind as Kind};
use crate::plan::{Plan, PlanNode, normalise_expression, spills};

pub(super) fn diff(before: &Plan, after: &Plan) -> Vec<PlanChange> {
    let mut changes = Vec::new();
    keyed(before, after, &mut changes);
    parallelism(before, after, &mut changes);
    spilling(before, after, &mut changes);
    other_nodes(before, after, &mut changes);
    changes
}

pub(super) fn keys(keys: &[String]) -> String {
    keys.iter().map(|key| normalise_expression(key)).collect::<Vec<_>>().join(", ")
}

/// A key and the method used for it.
type Keyed = (String, String);

/// What is wanted of every node, such as each sort's key and method.
fn collect(plan: &Plan, wanted: impl Fn(&PlanNode) -> Option<(String, String)>) -> Vec<Keyed> {
    plan.walk().filter_map(|visit| wanted(visit.node)).collect()
}

fn keyed(before: &Plan, after: &Plan, changes: &mut Vec<PlanChange>) {
    let sorts =
        |plan| collect(plan, |node| node.is_sort().then(|| (keys(&node.sort_key), node.node_type.clone())));
    paired(surplus(&sorts(before), &sorts(after)), Kind::SortMethod, changes, |key, old, new| {
        match (old, new) {
            (None, Some(method)) => Some(change(Kind::SortAppeared, key, "", method)),
            (Some(method), None) => Some(change(Kind::SortVanished, key, method, "")),
            _ => None,
        }
    });
    let groups = |plan| {
        collect(plan, |node| {
            let strategy = node.strategy.as_deref().filter(|_| node.node_type == "Aggregate")?;
            let mode = node.partial_mode.as_deref().unwrap_or("Simple");
            // Partial and final halves come with parallelism, which has its own change.
            (mode != "Partial").then(|| (keys(&node.group_key), strategy.to_owned()))
        })
    };
    paired(surplus(&groups(before), &groups(after)), Kind::AggregateStrategy, changes, |key, old, new| {
        let subject = if key.is_empty() { "whole result" } else { key };
        Some(change(Kind::AggregateStrategy, subject, old.unwrap_or_default(), new.unwrap_or_default()))
    });
}

/// Pairs what left with what came under the same key; the rest goes to `single`.
fn paired(
    (gone, mut come): (Vec<Keyed>, Vec<Keyed>),
    kind: Kind,
    changes: &mut Vec<PlanChange>,
    single: impl Fn(&str, Option<&str>, Option<&str>) -> Option<PlanChange>,
) {
    for (key, method) in gone {
        match come.iter().position(|(other, _)| *other == key) {
            Some(at) => {
                let (_, now) = come.remove(at);
                changes.push(change(kind, &key, &method, &now));
            }
            None => changes.extend(single(&key, Some(&method), None)),
        }
    }
    for (key, method) in come {
        changes.extend(single(&key, None, Some(&method)));
    }
}

fn parallelism(before: &Plan, after: &Plan, changes: &mut Vec<PlanChange>) {
    match (before.is_parallel(), after.is_parallel()) {
        (false, true) => changes.push(change(Kind::ParallelismGained, "statement", "", "")),
        (true, false) => changes.push(change(Kind::ParallelismLost, "statement", "", "")),
        _ => {}
    }
}

fn spilling(before: &Plan, after: &Plan, changes: &mut Vec<PlanChange>) {
    let labels = |plan| -> Vec<String> { spills(plan).iter().map(|node| node.node_type.clone()).collect() };
    let (gone, come) = surplus(&labels(before), &labels(after));
    changes.extend(gone.iter().map(|label| change(Kind::SpillVanished, label, "on disk", "in memory")));
    changes.extend(come.iter().map(|label| change(Kind::SpillAppeared, label, "in memory", "on disk")));
}

/// Nodes that no other part of the diff speaks for.
fn other_nodes(before: &Plan, after: &Plan, changes: &mut Vec<PlanChange>) {
    let (gone, come) = surplus(&others(before), &others(after));
    changes.extend(gone.iter().map(|label| change(Kind::NodeVanished, label, "", "")));
    changes.extend(come.iter().map(|label| change(Kind::NodeAppeared, label, "", "")));
}

fn others(plan: &Plan) -> Vec<String> {
    let spoken_for = |node: &PlanNode| {
        is_source(node)
            || node.is_join()
            || node.is_sort()
            || node.is_gather()
            // The helpers of a hash join and of a bitmap scan come and go with them.
            || matches!(node.node_type.as_str(), "Aggregate" | "Hash" | "Bitmap Index Scan" | "BitmapAnd" | "BitmapOr")
    };
    plan.walk()
        .map(|visit| visit.node)
        .filter(|node| !spoken_for(node))
        .map(|node| node.operation.clone().unwrap_or_else(|| node.node_type.clone()))
        .collect()
}
