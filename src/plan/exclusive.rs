//! From inclusive to exclusive figures: what each node did itself.
//!
//! EXPLAIN counts a node's children into it. An `InitPlan` or CTE is listed
//! under the node that declares it but runs inside the node that first asks
//! for its value, so it is taken off there. Exclusive buffers of all nodes add
//! up to the root's; with parallel workers, each of which may evaluate an
//! `InitPlan` of its own, only nearly.

use super::node::{Buffers, PlanNode};
use super::plan_tree::Plan;

/// One node's own share.
#[derive(Debug, Clone, Copy)]
pub struct Exclusive<'a> {
    /// The node.
    pub node: &'a PlanNode,
    /// 0 at the root.
    pub depth: usize,
    /// Its own blocks, all loops.
    pub buffers: Buffers,
    /// Its own time of all loops in milliseconds; `None` without timing.
    pub time_ms: Option<f64>,
}

/// By which figure a node dominates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DominatingBy {
    /// Its own time.
    Time,
    /// Its own blocks.
    Buffers,
    /// Rows it read or joined.
    Rows,
    /// The planner's cost, where nothing was executed.
    Cost,
}

/// The node to look at first.
#[derive(Debug, Clone, Copy)]
pub struct Dominating<'a> {
    /// The node.
    pub node: &'a PlanNode,
    /// By what.
    pub by: DominatingBy,
    /// Its share of the whole, 0 to 1.
    pub share: f64,
}

/// Pre-order list of nodes with the index of the node each one runs inside.
struct Flat<'a> {
    nodes: Vec<(&'a PlanNode, usize)>,
    runs_inside: Vec<Option<usize>>,
}

impl Plan {
    /// What every node did itself, parents first.
    #[must_use]
    pub fn exclusive(&self) -> Vec<Exclusive<'_>> {
        let flat = flatten(&self.root);
        let divisor = time_divisors(&flat);
        let inclusive_ms = |index: usize| {
            let actual = flat.nodes[index].0.actual?;
            Some(actual.total_ms? * actual.loops / divisor[index])
        };
        let mut own: Vec<_> = (0..flat.nodes.len())
            .map(|index| (flat.nodes[index].0.buffers.unwrap_or_default(), inclusive_ms(index)))
            .collect();
        for (index, outer) in flat.runs_inside.iter().enumerate() {
            let Some(outer) = *outer else { continue };
            let below = flat.nodes[index].0.buffers.unwrap_or_default();
            own[outer].0 = own[outer].0.combine(&below, u64::saturating_sub);
            if let (Some(time), Some(below)) = (own[outer].1, inclusive_ms(index)) {
                own[outer].1 = Some((time - below).max(0.0));
            }
        }
        let pair = |(&(node, depth), (buffers, time_ms))| Exclusive { node, depth, buffers, time_ms };
        flat.nodes.iter().zip(own).map(pair).collect()
    }

    /// The node with the largest share of the time, or where that was not
    /// taken of the blocks, then the rows, then the cost.
    #[must_use]
    pub fn dominating(&self) -> Option<Dominating<'_>> {
        let all = self.exclusive();
        let largest = |by: DominatingBy, value: &dyn Fn(&Exclusive<'_>) -> f64| {
            let total: f64 = all.iter().map(value).sum();
            let top = all.iter().max_by(|a, b| value(a).total_cmp(&value(b)))?;
            (total > 0.0).then(|| Dominating { node: top.node, by, share: value(top) / total })
        };
        largest(DominatingBy::Time, &|own| own.time_ms.unwrap_or(0.0))
            .or_else(|| largest(DominatingBy::Buffers, &|own| blocks(&own.buffers)))
            .or_else(|| {
                largest(DominatingBy::Rows, &|own| own.node.rows_read() + own.node.total_rows_removed())
            })
            .or_else(|| largest(DominatingBy::Cost, &|own| own_cost(own.node)))
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share needs no more than 52 bits")]
fn blocks(buffers: &Buffers) -> f64 {
    (buffers.touched() + buffers.temp()) as f64
}

fn own_cost(node: &PlanNode) -> f64 {
    let below: f64 = node.children.iter().map(|child| child.estimate.total_cost).sum();
    (node.estimate.total_cost - below).max(0.0)
}

fn flatten(root: &PlanNode) -> Flat<'_> {
    let mut flat = Flat { nodes: Vec::new(), runs_inside: Vec::new() };
    flatten_below(root, None, 0, &mut flat);
    let deferred: Vec<usize> =
        (0..flat.nodes.len()).filter(|&index| is_init_plan(flat.nodes[index].0)).collect();
    for index in deferred {
        if let Some(consumer) = consumer_of(&flat, index) {
            flat.runs_inside[index] = Some(consumer);
        }
    }
    flat
}

fn flatten_below<'a>(node: &'a PlanNode, parent: Option<usize>, depth: usize, flat: &mut Flat<'a>) {
    let index = flat.nodes.len();
    flat.nodes.push((node, depth));
    flat.runs_inside.push(parent);
    for child in &node.children {
        flatten_below(child, Some(index), depth + 1, flat);
    }
}

fn is_init_plan(node: &PlanNode) -> bool {
    node.parent_relationship.as_deref() == Some("InitPlan")
}

/// The node inside which an `InitPlan` runs: the first CTE scan of it, or the
/// first node that mentions its value; `None`: the node that declares it.
fn consumer_of(flat: &Flat<'_>, init_plan: usize) -> Option<usize> {
    let name = flat.nodes[init_plan].0.subplan_name.as_deref()?;
    let end = (init_plan + 1..flat.nodes.len())
        .find(|&index| flat.nodes[index].1 <= flat.nodes[init_plan].1)
        .unwrap_or(flat.nodes.len());
    let mut outside = (0..flat.nodes.len()).filter(|index| !(init_plan..end).contains(index));
    if let Some(cte) = name.strip_prefix("CTE ") {
        return outside.find(|&index| flat.nodes[index].0.cte.as_deref() == Some(cte));
    }
    // "InitPlan 1 (returns $0,$1)" up to PostgreSQL 16, "(InitPlan 1).col1" from 17.
    let returns = name.split_once("(returns ").map(|(_, rest)| rest.trim_end_matches(')'));
    let mentions: Vec<String> = match returns {
        Some(list) => list.split(',').map(|parameter| parameter.trim().to_owned()).collect(),
        None => vec![format!("({name}).")],
    };
    outside.find(|&index| {
        let node = flat.nodes[index].0;
        node.conditions
            .iter()
            .map(|condition| condition.text.as_str())
            .chain(node.output.iter().map(String::as_str))
            .any(|text| mentions.iter().any(|mention| contains_reference(text, mention)))
    })
}

/// `text` holds `mention`, and not as the start of a longer number (`$1` in `$12`).
fn contains_reference(text: &str, mention: &str) -> bool {
    text.match_indices(mention)
        .any(|(at, _)| !text[at + mention.len()..].starts_with(|next: char| next.is_ascii_digit()))
}

/// Below a Gather, loops count every process, and their times overlap: the
/// time a person waits is the loop's average, once per execution of the Gather.
fn time_divisors(flat: &Flat<'_>) -> Vec<f64> {
    let mut divisors = vec![1.0_f64; flat.nodes.len()];
    for index in 0..flat.nodes.len() {
        let Some(parent) = flat.runs_inside[index].filter(|&parent| parent < index) else { continue };
        let (above, _) = flat.nodes[parent];
        divisors[index] = if above.is_gather() {
            let processes = above.workers_launched.map_or(1, |launched| launched + 1);
            #[expect(clippy::cast_precision_loss, reason = "a number of workers")]
            let processes = processes as f64;
            flat.nodes[index].0.actual.map_or(1.0, |actual| processes.min(actual.loops.max(1.0)))
        } else {
            divisors[parent]
        };
    }
    divisors
}
