//! Properties a budget can ask of a plan, over the whole tree.
//!
//! A node that was never executed breaks no rule: it did no work under these
//! parameters. Without `ANALYZE` every node counts.

use super::node::PlanNode;
use super::plan_tree::Plan;
use std::collections::BTreeMap;

/// Partitions and children of tables and of indexes, by the bare name of their direct parent.
pub type Partitions = BTreeMap<String, Vec<String>>;

/// How far the planner's row estimate was off at one node.
#[derive(Debug, Clone, Copy)]
pub struct EstimateError<'a> {
    /// The node.
    pub node: &'a PlanNode,
    /// Expected rows of a loop.
    pub planned: f64,
    /// Actual rows of a loop.
    pub actual: f64,
    /// The larger over the smaller, each at least one row: 1 = exact.
    pub factor: f64,
}

/// Sequential scans of `table` (`None`: of any table), of its `partitions` at
/// any depth (as the caller took them from the catalogue), or under the aliases
/// the server generates for partitions (`orders_1`).
#[must_use]
pub fn seq_scans<'a>(plan: &'a Plan, table: Option<&str>, partitions: &Partitions) -> Vec<&'a PlanNode> {
    let below = table.map(|table| below(partitions, table)).unwrap_or_default();
    plan.walk()
        .map(|visit| visit.node)
        .filter(|node| node.node_type == "Seq Scan" && !node.never_executed())
        .filter(|node| table.is_none_or(|table| is_of_table(node, table, &below)))
        .collect()
}

/// Everything below a partitioned table or index, at any depth, without schemas.
fn below<'a>(partitions: &'a Partitions, name: &str) -> Vec<&'a str> {
    let mut found: Vec<&str> = Vec::new();
    let mut parents = vec![name.rsplit('.').next().unwrap_or(name)];
    while let Some(parent) = parents.pop() {
        for child in partitions.get(parent).into_iter().flatten() {
            let child = child.rsplit('.').next().unwrap_or(child);
            if !found.contains(&child) {
                found.push(child);
                parents.push(child);
            }
        }
    }
    found
}

fn is_of_table(node: &PlanNode, table: &str, below: &[&str]) -> bool {
    let Some(relation) = node.relation.as_deref() else { return false };
    let (schema, bare) = match table.rsplit_once('.') {
        Some((schema, bare)) => (Some(schema), bare),
        None => (None, table),
    };
    let schema_agrees = match (schema, node.schema.as_deref()) {
        (Some(wanted), Some(found)) => wanted == found,
        _ => true,
    };
    if relation == bare {
        return schema_agrees;
    }
    let generated_alias = node
        .alias
        .as_deref()
        .and_then(|alias| alias.strip_prefix(bare)?.strip_prefix('_'))
        .is_some_and(|suffix| !suffix.is_empty() && suffix.bytes().all(|byte| byte.is_ascii_digit()));
    generated_alias || below.contains(&relation)
}

/// Nodes that read the index of that name or, where it is a partitioned index, one of its `partitions`.
#[must_use]
pub fn uses_index<'a>(plan: &'a Plan, index: &str, partitions: &Partitions) -> Vec<&'a PlanNode> {
    let bare = index.rsplit('.').next().unwrap_or(index);
    let below = below(partitions, index);
    let is_it = |name: &str| name == bare || below.contains(&name);
    plan.walk()
        .map(|visit| visit.node)
        .filter(|node| node.index.as_deref().is_some_and(is_it) && !node.never_executed())
        .collect()
}

/// The node whose row estimate was furthest off; `None` without `ANALYZE`.
///
/// The factor is the q-error of Moerkotte, Neumann and Steidl ("Preventing bad
/// plans by bounding the impact of cardinality estimation errors", VLDB 2009).
/// Too few rows do not count where something above may have stopped early.
#[must_use]
pub fn estimate_error(plan: &Plan) -> Option<EstimateError<'_>> {
    let mut worst = None;
    judge(&plan.root, false, &mut worst);
    worst
}

fn judge<'a>(node: &'a PlanNode, may_stop_early: bool, worst: &mut Option<EstimateError<'a>>) {
    if let Some(error) = error_of(node, may_stop_early)
        && worst.is_none_or(|known| error.factor > known.factor)
    {
        *worst = Some(error);
    }
    for child in &node.children {
        judge(child, cut_short(node, child, may_stop_early), worst);
    }
}

fn error_of(node: &PlanNode, may_stop_early: bool) -> Option<EstimateError<'_>> {
    let actual = node.actual.filter(|actual| actual.loops > 0.0)?;
    // These two and a write report no rows of their own.
    if matches!(node.node_type.as_str(), "BitmapAnd" | "BitmapOr" | "ModifyTable") {
        return None;
    }
    let (planned, found) = (node.estimate.rows.max(1.0), actual.rows.max(1.0));
    if may_stop_early && found < planned {
        return None;
    }
    let factor = (planned / found).max(found / planned);
    Some(EstimateError { node, planned: node.estimate.rows, actual: actual.rows, factor })
}

/// Whether `child` may have been stopped before its last row.
fn cut_short(node: &PlanNode, child: &PlanNode, may_stop_early: bool) -> bool {
    let inner = child.parent_relationship.as_deref() == Some("Inner");
    let subplan = child.parent_relationship.as_deref() == Some("SubPlan");
    match node.node_type.as_str() {
        "Limit" | "Merge Join" => true,
        // A sort or hash reads its input to the end before it passes on a row.
        "Sort" | "Hash" => subplan,
        "Aggregate" if node.strategy.as_deref() != Some("Sorted") => subplan,
        "Nested Loop" if inner => {
            may_stop_early || node.inner_unique || matches!(node.join_type.as_deref(), Some("Semi" | "Anti"))
        }
        _ => may_stop_early || subplan,
    }
}

/// Sorts that went to disk.
#[must_use]
pub fn sort_spills(plan: &Plan) -> Vec<&PlanNode> {
    plan.walk().map(|visit| visit.node).filter(|node| sort_spilled(node)).collect()
}

/// Sorts and hash tables that went to disk.
#[must_use]
pub fn spills(plan: &Plan) -> Vec<&PlanNode> {
    let spilled = |node: &&PlanNode| {
        sort_spilled(node)
            || node.hash.batches.is_some_and(|batches| batches > 1)
            || node.hash.disk_kb.is_some_and(|kb| kb > 0.0)
    };
    plan.walk().map(|visit| visit.node).filter(spilled).collect()
}

fn sort_spilled(node: &PlanNode) -> bool {
    let on_disk = |sort: &super::SortUse| {
        let groups = [&sort.full_sort_groups, &sort.presorted_groups];
        sort.space_type.as_deref() == Some("Disk")
            || groups.into_iter().flatten().any(|group| group.peak_disk_kb.is_some_and(|kb| kb > 0.0))
    };
    on_disk(&node.sort) || node.workers.iter().any(|worker| on_disk(&worker.sort))
}
