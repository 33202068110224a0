//! How tables are brought together: method and order.
//!
//! Two joins are the same join when the same sources lie below them.

use super::{change, is_source};
use crate::model::evidence::regression::{PlanChange, PlanChangeKind};
use crate::plan::{Plan, PlanNode};
use std::collections::{BTreeMap, BTreeSet};

/// Sources below a join to the join's method, as often as it occurs.
type Joins = BTreeMap<Vec<String>, Vec<String>>;

/// `names` holds one name per source on each side, in the tree's order, the
/// same name for matched sources.
pub(super) fn diff(before: &Plan, after: &Plan, names: &(Vec<String>, Vec<String>)) -> Vec<PlanChange> {
    let (old, old_order) = collect(before, &names.0);
    let (new, new_order) = collect(after, &names.1);
    let mut changes = Vec::new();
    for (sources, methods) in &old {
        let Some(now) = new.get(sources).filter(|now| *now != methods) else { continue };
        let subject = sources.join(", ");
        changes.push(change(PlanChangeKind::JoinMethod, &subject, &methods.join(", "), &now.join(", ")));
    }
    let same_sources = names.0.iter().collect::<BTreeSet<_>>() == names.1.iter().collect::<BTreeSet<_>>();
    if old_order != new_order && same_sources {
        changes.push(change(PlanChangeKind::JoinOrder, "joins", &old_order, &new_order));
    }
    changes
}

fn collect(plan: &Plan, names: &[String]) -> (Joins, String) {
    let mut reader = Reader { names: names.iter(), joins: Joins::new() };
    let root = reader.read(&plan.root);
    (reader.joins, root.order)
}

struct Reader<'a> {
    names: std::slice::Iter<'a, String>,
    joins: Joins,
}

struct Below {
    sources: BTreeSet<String>,
    order: String,
}

impl Reader<'_> {
    /// Parents before children, as the sources were counted.
    fn read(&mut self, node: &PlanNode) -> Below {
        let own = if is_source(node) { self.names.next().cloned() } else { None };
        let mut sources: BTreeSet<String> = own.iter().cloned().collect();
        let mut orders: Vec<String> = own.into_iter().collect();
        for child in &node.children {
            let below = self.read(child);
            let aside = matches!(child.parent_relationship.as_deref(), Some("InitPlan" | "SubPlan"));
            if !aside {
                sources.extend(below.sources);
            }
            if !below.order.is_empty() {
                orders.push(if aside { format!("[{}]", below.order) } else { below.order });
            }
        }
        let mut order = orders.join(" ");
        if node.is_join() {
            let kind = node.join_type.as_deref().unwrap_or("Inner");
            let method = node.label().replace("Parallel ", "");
            let key: Vec<String> = sources.iter().cloned().collect();
            self.joins.entry(key).or_default().push(method);
            let sign = if kind == "Inner" { "⋈".to_owned() } else { format!("⋈{}", kind.to_lowercase()) };
            order = format!("({})", orders.join(&format!(" {sign} ")));
        }
        Below { sources, order }
    }
}
