//! Which node of one tree stands for which of the other: by the work it does
//! for the statement, then by the way it does it.

use super::{is_source, scans, upper};
use crate::model::evidence::regression::{ComparedNode, ComparedTree, NodeChange};
use crate::plan::{Exclusive, Plan, PlanNode};

/// Nodes kept of each tree; scans of many partitions are the usual reason for more.
const NODES_MAX: usize = 150;

/// Both trees, every node with its counterpart.
#[must_use]
pub fn trees(before: &Plan, after: &Plan) -> (ComparedTree, ComparedTree) {
    let (old, new) = (scans::collect(before), scans::collect(after));
    let names = scans::names(&old, &new, &scans::matched(&old, &new));
    let (old, new) = (places(before, &names.0), places(after, &names.1));
    let pairs = paired(&old, &new);
    let to_new = |index: usize| pairs.iter().find(|(left, _)| *left == index).map(|(_, right)| *right);
    let to_old = |index: usize| pairs.iter().find(|(_, right)| *right == index).map(|(left, _)| *left);
    (tree(before, (&old, &new), to_new), tree(after, (&new, &old), to_old))
}

/// What a node is for, and how it does it.
struct Place {
    role: String,
    method: String,
}

/// One place per node, parents first. `names` holds one name per source of rows.
fn places(plan: &Plan, names: &[String]) -> Vec<Place> {
    let mut reader = Reader { names: names.iter(), places: Vec::new() };
    reader.read(&plan.root, "");
    reader.places
}

struct Reader<'a> {
    names: std::slice::Iter<'a, String>,
    places: Vec<Place>,
}

impl Reader<'_> {
    /// The sources of rows at and below a node. `reader` is the source that the node serves.
    fn read(&mut self, node: &PlanNode, reader: &str) -> Vec<String> {
        let own = if is_source(node) { self.names.next().cloned() } else { None };
        let reader = own.as_deref().unwrap_or(reader);
        let index = self.places.len();
        self.places.push(Place { role: String::new(), method: String::new() });
        let mut sources: Vec<String> = own.iter().cloned().collect();
        let mut first_below = String::new();
        for child in &node.children {
            let below = self.read(child, reader);
            let is_aside = matches!(child.parent_relationship.as_deref(), Some("InitPlan" | "SubPlan"));
            if !is_aside {
                if first_below.is_empty() {
                    first_below = below.join(", ");
                }
                sources.extend(below);
            }
        }
        sources.sort_unstable();
        // The same join with its sides swapped is not the same.
        let outer = if node.is_join() { format!(" {first_below} first") } else { String::new() };
        self.places[index] = Place {
            role: role(node, own.is_some().then_some(reader), &sources, reader),
            method: node.shape() + &outer,
        };
        sources
    }
}

fn role(node: &PlanNode, source: Option<&str>, below: &[String], reader: &str) -> String {
    match (source, node.node_type.as_str()) {
        (Some(name), _) => format!("source {name}"),
        (_, "Bitmap Index Scan" | "BitmapAnd" | "BitmapOr") => format!("{} of {reader}", node.node_type),
        (_, "Hash" | "Materialize" | "Memoize") => format!("{} {}", node.node_type, below.join(", ")),
        (_, "Aggregate") => format!(
            "aggregate {} {}",
            node.partial_mode.as_deref().unwrap_or("Simple"),
            upper::keys(&node.group_key)
        ),
        _ if node.is_join() => format!("join {}", below.join(", ")),
        _ if node.is_sort() => format!("sort {}", upper::keys(&node.sort_key)),
        _ => node.operation.clone().unwrap_or_else(|| node.node_type.clone()),
    }
}

/// Pairs of places: first those that do the same in the same way, then those that do the same.
fn paired(old: &[Place], new: &[Place]) -> Vec<(usize, usize)> {
    let mut pairs: Vec<(usize, usize)> = Vec::new();
    for is_alike in [true, false] {
        for (left, place) in old.iter().enumerate() {
            if pairs.iter().any(|(taken, _)| *taken == left) {
                continue;
            }
            let found = (0..new.len()).find(|&right| {
                new[right].role == place.role
                    && (!is_alike || new[right].method == place.method)
                    && !pairs.iter().any(|(_, taken)| *taken == right)
            });
            pairs.extend(found.map(|right| (left, right)));
        }
    }
    pairs
}

fn tree(
    plan: &Plan,
    (here, there): (&[Place], &[Place]),
    counterpart: impl Fn(usize) -> Option<usize>,
) -> ComparedTree {
    let own = plan.exclusive();
    let left_out = own.len().saturating_sub(NODES_MAX);
    let nodes = own.iter().take(NODES_MAX).enumerate().map(|(index, own)| {
        let other = counterpart(index);
        let change = match other {
            None => NodeChange::OnlyHere,
            Some(other) if there[other].method == here[index].method => NodeChange::Same,
            Some(_) => NodeChange::Differs,
        };
        compared(own, change, other.filter(|other| *other < NODES_MAX))
    });
    ComparedTree { nodes: nodes.collect(), left_out }
}

fn compared(own: &Exclusive<'_>, change: NodeChange, counterpart: Option<usize>) -> ComparedNode {
    let node = own.node;
    let mut details = node.details();
    if node.scan_direction.as_deref() == Some("Backward") {
        details.insert(0, "read backwards".into());
    }
    ComparedNode {
        depth: own.depth,
        label: node.label(),
        part: node.subplan_name.clone().unwrap_or_default(),
        details,
        cost: node.estimate.total_cost,
        planned_rows: node.estimate.rows,
        actual_rows: node.actual.map(|actual| actual.rows),
        loops: node.actual.map(|actual| actual.loops),
        buffers: node.buffers.map(|buffers| buffers.touched()),
        own_buffers: node.buffers.map(|_| own.buffers.touched()),
        change,
        counterpart,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{BITMAP, INDEX, SEQ, any_node, join, plan};
    use super::*;
    use proptest::prelude::*;

    /// Each node as its sign, label and counterpart.
    fn drawn(tree: &ComparedTree) -> Vec<String> {
        let sign = |change| match change {
            NodeChange::Same => '=',
            NodeChange::Differs => '~',
            NodeChange::OnlyHere => '!',
        };
        let node = |node: &ComparedNode| {
            let other = node.counterpart.map(|other| format!(" <-> {other}")).unwrap_or_default();
            format!("{:depth$}{} {}{other}", "", sign(node.change), node.label, depth = node.depth)
        };
        tree.nodes.iter().map(node).collect()
    }

    fn check(before: &str, after: &str, expected_before: &[&str], expected_after: &[&str]) {
        let (old, new) = trees(&plan(before), &plan(after));
        assert_eq!(drawn(&old), expected_before);
        assert_eq!(drawn(&new), expected_after);
    }

    #[test]
    fn a_table_read_in_another_way_differs_and_its_helper_is_new() {
        check(
            SEQ,
            BITMAP,
            &["= Sort <-> 0", " ~ Seq Scan on orders o <-> 1"],
            &["= Sort <-> 0", " ~ Bitmap Heap Scan on orders o <-> 1", "  ! Bitmap Index Scan on idx_user"],
        );
        check(
            SEQ,
            INDEX,
            &["! Sort", " ~ Seq Scan on orders o <-> 0"],
            &["~ Index Scan using idx_user_created on orders o <-> 1"],
        );
    }

    #[test]
    fn a_join_with_its_sides_swapped_differs_and_its_tables_do_not() {
        check(
            &join("Hash Join", "a", "b"),
            &join("Hash Join", "b", "a"),
            &["~ Hash Join <-> 0", " = Seq Scan on a <-> 2", " = Seq Scan on b <-> 1"],
            &["~ Hash Join <-> 0", " = Seq Scan on b <-> 2", " = Seq Scan on a <-> 1"],
        );
    }

    #[test]
    fn a_long_tree_is_cut_and_says_by_how_much() {
        let scan =
            |n: usize| format!(r#"{{"Node Type": "Seq Scan", "Relation Name": "p{n}", "Alias": "p{n}"}}"#);
        let children: Vec<String> = (0..NODES_MAX + 9).map(scan).collect();
        let wide = format!(r#"{{"Node Type": "Append", "Plans": [{}]}}"#, children.join(","));
        let (old, new) = trees(&plan(&wide), &plan(SEQ));
        assert_eq!((old.nodes.len(), old.left_out, new.left_out), (NODES_MAX, 10, 0));
    }

    proptest! {
        #[test]
        fn a_tree_beside_itself_has_nothing_marked(root in any_node()) {
            let (old, new) = trees(&plan(&root), &plan(&root));
            prop_assert!(old.nodes.iter().chain(&new.nodes).all(|node| node.change == NodeChange::Same));
        }

        #[test]
        fn counterparts_point_at_each_other(left in any_node(), right in any_node()) {
            let (old, new) = trees(&plan(&left), &plan(&right));
            for (index, node) in old.nodes.iter().enumerate() {
                if let Some(other) = node.counterpart {
                    prop_assert_eq!(new.nodes[other].counterpart, Some(index));
                    prop_assert_eq!(new.nodes[other].change, node.change);
                }
            }
        }
    }
}
