//! The plans of both sides as trees that can be drawn beside each other.

/// A plan tree, ready to be drawn.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ComparedTree {
    /// Its nodes, parents first.
    pub nodes: Vec<ComparedNode>,
    /// Nodes beyond the bound on `nodes`.
    pub left_out: usize,
}

/// One node and what the other side has in its place.
#[derive(Debug, Clone, PartialEq)]
pub struct ComparedNode {
    /// 0 at the root.
    pub depth: usize,
    /// Such as `Index Scan using idx_orders_user on orders o`.
    pub label: String,
    /// Which part of the statement it starts, such as `CTE recent`; empty for most.
    pub part: String,
    /// Conditions, keys and space, one line each.
    pub details: Vec<String>,
    /// The planner's cost of it and all below.
    pub cost: f64,
    /// Rows the planner expected of a loop.
    pub planned_rows: f64,
    /// Rows of a loop on average; `None` where nothing was executed.
    pub actual_rows: Option<f64>,
    /// How often it ran; 0 where the execution never came here.
    pub loops: Option<f64>,
    /// Shared and local blocks of it and all below; `None` where they were not counted.
    pub buffers: Option<u64>,
    /// Of these, its own.
    pub own_buffers: Option<u64>,
    /// Against the other side.
    pub change: NodeChange,
    /// The place of its counterpart in the other tree's nodes.
    pub counterpart: Option<usize>,
}

/// What became of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeChange {
    /// The other side has the same.
    Same,
    /// The other side does the same work in another way.
    Differs,
    /// The other side has nothing in its place.
    OnlyHere,
}
