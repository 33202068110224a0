//! How each table is reached: method, indexes, conditions, row estimate.

use super::{change, is_source, surplus};
use crate::model::evidence::regression::{PlanChange, PlanChangeKind};
use crate::plan::{ConditionKind, Plan, PlanNode, normalise_expression, stable_index_name};
use std::collections::BTreeSet;

/// Estimates are compared where one side is at least this far off.
const NOTEWORTHY_ERROR: f64 = 10.0;
/// And the other side at least so many times closer.
const NOTEWORTHY_GROWTH: f64 = 3.0;

/// One source of rows in a plan.
pub(super) struct Site<'a> {
    pub(super) node: &'a PlanNode,
    alias: &'a str,
    relation: &'a str,
    indexes: Vec<&'a str>,
    indexed: Vec<String>,
    filtered: Vec<String>,
}

/// Pairs of positions in the two lists of sites.
pub(super) type Matched = Vec<(usize, usize)>;

/// Every source of rows, in the tree's order.
pub(super) fn collect(plan: &Plan) -> Vec<Site<'_>> {
    plan.walk().map(|visit| visit.node).filter(|node| is_source(node)).map(site).collect()
}

fn site(node: &PlanNode) -> Site<'_> {
    let below = bitmap_nodes(node);
    let conjuncts = |kinds: &[ConditionKind]| -> Vec<String> {
        below
            .iter()
            .flat_map(|part| &part.conditions)
            .filter(|condition| kinds.contains(&condition.kind))
            .flat_map(|condition| conjuncts(&condition.text))
            .collect()
    };
    let mut indexed = conjuncts(&[ConditionKind::IndexCond, ConditionKind::TidCond]);
    indexed.sort();
    indexed.dedup();
    let mut filtered = conjuncts(&[ConditionKind::Filter]);
    filtered.sort();
    Site {
        node,
        alias: node.alias.as_deref().unwrap_or_default(),
        relation: [&node.relation, &node.cte, &node.source]
            .into_iter()
            .find_map(Option::as_deref)
            .unwrap_or_default(),
        indexes: below.iter().filter_map(|part| part.index.as_deref()).collect(),
        indexed,
        filtered,
    }
}

/// The scan itself and the bitmap nodes that feed it.
fn bitmap_nodes(node: &PlanNode) -> Vec<&PlanNode> {
    let mut nodes = vec![node];
    let mut at = 0;
    while let Some(&next) = nodes.get(at) {
        let bitmap = |child: &&PlanNode| {
            matches!(child.node_type.as_str(), "Bitmap Index Scan" | "BitmapAnd" | "BitmapOr")
        };
        nodes.extend(next.children.iter().filter(bitmap));
        at += 1;
    }
    nodes
}

/// The parts of a condition joined by AND at its top, normalised.
fn conjuncts(text: &str) -> Vec<String> {
    let text = normalise_expression(text);
    let inner = match text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        Some(inner) if is_balanced(inner) => inner,
        _ => text.as_str(),
    };
    let mut parts = vec![String::new()];
    let mut depth = 0_i32;
    for piece in inner.split_inclusive(' ') {
        if depth == 0 && piece == "AND " {
            parts.push(String::new());
            continue;
        }
        depth += nesting(piece);
        if let Some(last) = parts.last_mut() {
            last.push_str(piece);
        }
    }
    let bare = |part: &String| {
        let part = part.trim();
        let inner = part.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
        inner.filter(|inner| is_balanced(inner)).unwrap_or(part).to_owned()
    };
    parts.iter().map(bare).collect()
}

fn nesting(text: &str) -> i32 {
    text.chars().map(|c| i32::from(c == '(') - i32::from(c == ')')).sum()
}

fn is_balanced(text: &str) -> bool {
    let mut depth = 0_i32;
    text.chars().all(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        depth >= 0
    }) && depth == 0
}

/// Matches sources: same table and alias, then same alias, then same table.
pub(super) fn matched(old: &[Site<'_>], new: &[Site<'_>]) -> Matched {
    type Same = fn(&Site<'_>, &Site<'_>) -> bool;
    let passes: [Same; 4] = [
        |a, b| a.alias == b.alias && a.relation == b.relation,
        |a, b| a.relation == b.relation && unnumbered(a.alias) == unnumbered(b.alias),
        |a, b| a.alias == b.alias,
        |a, b| a.relation == b.relation,
    ];
    let mut pairs = Matched::new();
    let mut free_new: BTreeSet<usize> = (0..new.len()).collect();
    let mut free_old: BTreeSet<usize> = (0..old.len()).collect();
    for same in passes {
        for left in free_old.clone() {
            let found = free_new.iter().copied().find(|&right| same(&old[left], &new[right]));
            if let Some(right) = found {
                free_old.remove(&left);
                free_new.remove(&right);
                pairs.push((left, right));
            }
        }
    }
    pairs.sort_unstable();
    pairs
}

fn unnumbered(alias: &str) -> &str {
    alias.trim_end_matches(|last: char| last.is_ascii_digit()).trim_end_matches('_')
}

/// One name for each source on both sides, for joins: (node addresses are not stable, places are).
pub(super) fn names(old: &[Site<'_>], new: &[Site<'_>], matched: &Matched) -> (Vec<String>, Vec<String>) {
    let before: Vec<String> = old.iter().map(|site| site.alias.to_owned()).collect();
    let mut after: Vec<String> = new.iter().map(|site| site.alias.to_owned()).collect();
    for &(left, right) in matched {
        after[right].clone_from(&before[left]);
    }
    (before, after)
}

/// Changes of matched sources, and sources without a match.
pub(super) fn diff(old: &[Site<'_>], new: &[Site<'_>], matched: &Matched) -> Vec<PlanChange> {
    let mut changes = Vec::new();
    for &(left, right) in matched {
        site_changes(&old[left], &new[right], &mut changes);
    }
    for (index, site) in old.iter().enumerate() {
        if !matched.iter().any(|&(left, _)| left == index) {
            let label = site.node.label();
            changes.push(change(PlanChangeKind::RelationVanished, subject(site), &label, ""));
        }
    }
    for (index, site) in new.iter().enumerate() {
        if !matched.iter().any(|&(_, right)| right == index) {
            let label = site.node.label();
            changes.push(change(PlanChangeKind::RelationAppeared, subject(site), "", &label));
        }
    }
    changes
}

fn subject<'a>(site: &Site<'a>) -> &'a str {
    if site.relation.is_empty() { site.alias } else { site.relation }
}

fn site_changes(old: &Site<'_>, new: &Site<'_>, changes: &mut Vec<PlanChange>) {
    if method(old) != method(new) {
        let (before, after) = (access(old), access(new));
        changes.push(change(PlanChangeKind::ScanMethod, subject(old), &before, &after));
    }
    let names = |site: &Site<'_>| -> Vec<String> {
        site.indexes.iter().map(|name| stable_index_name(name).to_owned()).collect()
    };
    let (lost, gained) = surplus(&names(old), &names(new));
    for index in lost {
        changes.push(change(PlanChangeKind::IndexLost, subject(old), &index, ""));
    }
    for index in gained {
        changes.push(change(PlanChangeKind::IndexGained, subject(new), "", &index));
    }
    condition_changes(old, new, changes);
    changes.extend(estimate_change(old, new));
}

fn method<'a>(site: &Site<'a>) -> &'a str {
    &site.node.node_type
}

fn access(site: &Site<'_>) -> String {
    match site.indexes.as_slice() {
        [] => method(site).to_owned(),
        indexes => format!("{} using {}", method(site), indexes.join(", ")),
    }
}

fn condition_changes(old: &Site<'_>, new: &Site<'_>, changes: &mut Vec<PlanChange>) {
    let (left_index, entered_index) = surplus(&old.indexed, &new.indexed);
    let (left_filter, entered_filter) = surplus(&old.filtered, &new.filtered);
    let mut moved = |condition: &str, before: &str, after: &str| {
        let subject = format!("{} ({condition})", subject(old));
        changes.push(change(PlanChangeKind::ConditionMoved, &subject, before, after));
    };
    for condition in left_index.iter().filter(|condition| entered_filter.contains(condition)) {
        moved(condition, "Index Cond", "Filter");
    }
    for condition in left_filter.iter().filter(|condition| entered_index.contains(condition)) {
        moved(condition, "Filter", "Index Cond");
    }
    // A partial index makes its own condition needless: gone from the filter, and nowhere else.
    let gone: Vec<&String> = left_filter.iter().filter(|c| !entered_index.contains(c)).collect();
    let come: Vec<&String> = entered_filter.iter().filter(|c| !left_index.contains(c)).collect();
    if !gone.is_empty() || !come.is_empty() {
        let join = |list: &[&String]| list.iter().map(|c| format!("({c})")).collect::<Vec<_>>().join(" AND ");
        let subject = format!("filter on {}", subject(old));
        changes.push(change(PlanChangeKind::ConditionChanged, &subject, &join(&gone), &join(&come)));
    }
}

fn estimate_change(old: &Site<'_>, new: &Site<'_>) -> Option<PlanChange> {
    let (before, after) = (error(old.node)?, error(new.node)?);
    let (worse, better) = (before.max(after), before.min(after));
    if worse < NOTEWORTHY_ERROR || worse < better * NOTEWORTHY_GROWTH {
        return None;
    }
    let text = |factor: f64| format!("off by {factor:.0}x");
    Some(change(PlanChangeKind::EstimateError, subject(old), &text(before), &text(after)))
}

fn error(node: &PlanNode) -> Option<f64> {
    let actual = node.actual.filter(|actual| actual.loops > 0.0)?;
    let (planned, found) = (node.estimate.rows.max(1.0), actual.rows.max(1.0));
    Some((planned / found).max(found / planned))
}
