//! Visits every node, parents before children.

use super::node::PlanNode;
use super::plan_tree::Plan;

/// A node and where it stands.
#[derive(Debug, Clone, Copy)]
pub struct Visit<'a> {
    /// The node.
    pub node: &'a PlanNode,
    /// The node above it.
    pub parent: Option<&'a PlanNode>,
    /// 0 at the root.
    pub depth: usize,
}

/// Iterator over a tree, parents first, children in EXPLAIN's order.
#[derive(Debug)]
pub struct Walk<'a> {
    pending: Vec<Visit<'a>>,
}

impl<'a> Iterator for Walk<'a> {
    type Item = Visit<'a>;

    fn next(&mut self) -> Option<Visit<'a>> {
        let visit = self.pending.pop()?;
        let below = visit.node.children.iter().rev();
        self.pending.extend(below.map(|node| Visit {
            node,
            parent: Some(visit.node),
            depth: visit.depth + 1,
        }));
        Some(visit)
    }
}

impl PlanNode {
    /// This node and every node below it.
    #[must_use]
    pub fn walk(&self) -> Walk<'_> {
        Walk { pending: vec![Visit { node: self, parent: None, depth: 0 }] }
    }
}

impl Plan {
    /// Every node of the tree.
    #[must_use]
    pub fn walk(&self) -> Walk<'_> {
        self.root.walk()
    }
}
