//! Properties a budget can ask of a plan, over the whole tree.
//!
//! A node that was never executed breaks no rule: it did no work under these
//! parameters. Without `ANALYZE` every node counts.

use super::node::PlanNode;
use super::plan_tree::Plan;
use super::relations::{Meaning, Relations};

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

/// Sequential scans of `table` (`None`: of any table), of its partitions at any depth, or, where the
/// plan does not tell schemas, under the aliases the server generates for partitions (`orders_1`).
#[must_use]
pub fn seq_scans<'a>(plan: &'a Plan, table: Option<&str>, relations: &Relations) -> Vec<&'a PlanNode> {
    let meant = table.map(|table| relations.meant(table));
    let is_meant = |node: &PlanNode| meant.as_ref().is_none_or(|meant| is_of_table(node, meant));
    plan.walk()
        .map(|visit| visit.node)
        .filter(|node| node.node_type == "Seq Scan" && !node.never_executed() && is_meant(node))
        .collect()
}

fn is_of_table(node: &PlanNode, meant: &Meaning) -> bool {
    let Some(relation) = node.relation.as_deref() else { return false };
    let has_generated_alias = || {
        let suffix =
            node.alias.as_deref().and_then(|alias| alias.strip_prefix(meant.name())?.strip_prefix('_'));
        suffix.is_some_and(|suffix| !suffix.is_empty() && suffix.bytes().all(|byte| byte.is_ascii_digit()))
    };
    meant.holds(node.schema.as_deref(), relation) || node.schema.is_none() && has_generated_alias()
}

/// Nodes that read the index of that name or, where it is a partitioned index, one of its
/// partitions; those that were never executed included.
#[must_use]
pub fn index_scans<'a>(plan: &'a Plan, index: &str, relations: &Relations) -> Vec<&'a PlanNode> {
    let mut found = Vec::new();
    add_index_scans(&plan.root, None, &relations.meant(index), &mut found);
    found
}

/// An index is in its table's schema. What only collects row addresses names no table: the scan above it does.
fn add_index_scans<'a>(
    node: &'a PlanNode,
    above: Option<&'a str>,
    meant: &Meaning,
    found: &mut Vec<&'a PlanNode>,
) {
    let is_collecting = matches!(node.node_type.as_str(), "Bitmap Index Scan" | "BitmapAnd" | "BitmapOr");
    let schema = if is_collecting { above } else { node.schema.as_deref() };
    if node.index.as_deref().is_some_and(|index| meant.holds(schema, index)) {
        found.push(node);
    }
    for child in &node.children {
        add_index_scans(child, schema, meant, found);
    }
}

/// Whether the plan reads an index, and its execution came there.
#[must_use]
pub fn uses_index(plan: &Plan, index: &str, relations: &Relations) -> bool {
    index_scans(plan, index, relations).iter().any(|node| !node.never_executed())
}

/// Whether the plan holds the relation in any way: a name that nothing is called breaks no rule.
#[must_use]
pub fn names_relation(plan: &Plan, meant: &Meaning) -> bool {
    plan.walk().any(|visit| {
        visit.node.relation.as_deref().is_some_and(|name| meant.holds(visit.node.schema.as_deref(), name))
    })
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
