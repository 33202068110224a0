//! One explained statement: the tree and what stands beside it.

use super::node::{Buffers, PlanNode};
use serde_json::{Map, Value};

/// What one trigger cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Trigger {
    /// Its name; foreign keys carry generated ones.
    pub name: String,
    /// The constraint behind it.
    pub constraint: Option<String>,
    /// The table it fired on.
    pub relation: Option<String>,
    /// Milliseconds in all; `None` with `TIMING OFF`.
    pub time_ms: Option<f64>,
    /// How often it fired.
    pub calls: f64,
    /// Everything else, as EXPLAIN gave it.
    pub other: Map<String, Value>,
}

/// One explained statement.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The top of the tree.
    pub root: PlanNode,
    /// Milliseconds spent planning.
    pub planning_ms: Option<f64>,
    /// Milliseconds spent executing; `None` without `ANALYZE`.
    pub execution_ms: Option<f64>,
    /// Blocks touched while planning. Never part of a verdict: the first
    /// statement of a connection fills the catalogue caches.
    pub planning_buffers: Option<Buffers>,
    /// Triggers that fired.
    pub triggers: Vec<Trigger>,
    /// `JIT`, as EXPLAIN gave it.
    pub jit: Option<Map<String, Value>>,
    /// Planner settings that differ from their defaults (`SETTINGS`).
    pub settings: Map<String, Value>,
    /// `Query Identifier`.
    pub query_identifier: Option<i64>,
    /// Everything else, as EXPLAIN gave it.
    pub other: Map<String, Value>,
}

impl Plan {
    /// The server's own time: planning + execution, in microseconds.
    #[must_use]
    pub fn server_time_us(&self) -> Option<f64> {
        Some((self.planning_ms.unwrap_or(0.0) + self.execution_ms?) * 1000.0)
    }

    /// Takes over the schemas of tables from the same plan with `VERBOSE`, as far as the two agree.
    pub fn take_schemas(&mut self, verbose: &Self) {
        take_schemas(&mut self.root, &verbose.root);
    }

    /// True where parallel workers run a part of it: then counters may move a little from run to run.
    #[must_use]
    pub fn is_parallel(&self) -> bool {
        self.walk().any(|visit| visit.node.is_gather())
    }
}

fn take_schemas(node: &mut PlanNode, verbose: &PlanNode) {
    const TARGETS: &str = "Target Tables";
    if node.node_type != verbose.node_type || node.relation != verbose.relation {
        return;
    }
    node.schema.clone_from(&verbose.schema);
    if let (Some(targets), Some(with_schemas)) = (node.other.get_mut(TARGETS), verbose.other.get(TARGETS)) {
        targets.clone_from(with_schemas);
    }
    // Both list what the planner left over; nothing more is taken away while executing.
    for (child, verbose) in node.children.iter_mut().zip(&verbose.children) {
        take_schemas(child, verbose);
    }
}
