//! Diffs of small plans, and the property that a plan diffs with itself to nothing.

use super::diff;
use crate::plan::Plan;
use proptest::prelude::*;

pub(super) fn plan(root: &str) -> Plan {
    Plan::parse(&format!("[{{\"Plan\": {root}}}]")).unwrap()
}

fn sentences(before: &str, after: &str) -> Vec<String> {
    diff(&plan(before), &plan(after)).iter().map(super::PlanChange::sentence).collect()
}

pub(super) const SEQ: &str = r#"{"Node Type": "Sort", "Sort Key": ["created_at DESC"], "Plans": [{"Node Type": "Seq Scan",
    "Relation Name": "orders", "Alias": "o", "Filter": "((user_id = 17) AND (status = 'paid'::text))"}]}"#;
pub(super) const BITMAP: &str = r#"{"Node Type": "Sort", "Sort Key": ["created_at DESC"], "Plans": [{"Node Type": "Bitmap Heap Scan",
    "Relation Name": "orders", "Alias": "o", "Recheck Cond": "(user_id = 17)", "Filter": "(status = 'paid'::text)", "Plans": [
      {"Node Type": "Bitmap Index Scan", "Index Name": "idx_user", "Index Cond": "(user_id = 17)"}]}]}"#;
pub(super) const INDEX: &str = r#"{"Node Type": "Index Scan", "Index Name": "idx_user_created", "Scan Direction": "Forward",
    "Relation Name": "orders", "Alias": "o", "Index Cond": "(user_id = $1)", "Filter": "(status = $2)"}"#;

#[test]
fn a_gained_index_is_seen_below_an_unchanged_root() {
    assert_eq!(
        sentences(SEQ, BITMAP),
        [
            "scan method: orders: Seq Scan → Bitmap Heap Scan using idx_user",
            "index gained: orders, idx_user",
            "condition moved: orders (user_id = ?): Filter → Index Cond",
        ]
    );
}

#[test]
fn a_lost_index_brings_the_filter_and_the_sort_back() {
    assert_eq!(
        sentences(INDEX, SEQ),
        [
            "scan method: orders: Index Scan using idx_user_created → Seq Scan",
            "index lost: orders, was idx_user_created",
            "condition moved: orders (user_id = ?): Index Cond → Filter",
            "sort appeared: created_at DESC, Sort",
        ]
    );
}

#[test]
fn noise_is_not_a_change() {
    let before = r#"{"Node Type": "Gather", "Workers Planned": 2, "Total Cost": 10, "Plans": [{"Node Type": "Index Scan",
        "Relation Name": "t_p1", "Alias": "t_1", "Index Name": "t_p1_a_idx", "Index Cond": "(t_1.a = 5)"}]}"#;
    let after = r#"{"Node Type": "Gather", "Workers Planned": 3, "Total Cost": 12, "Plans": [{"Node Type": "Index Scan",
        "Relation Name": "t_p1", "Alias": "t_2", "Index Name": "t_p1_a_idx1", "Index Cond": "(t_2.a = $3)"}]}"#;
    assert_eq!(sentences(before, after), [""; 0]);
}

pub(super) fn join(method: &str, outer: &str, inner: &str) -> String {
    let scan = |alias: &str, side: &str| {
        format!(
            r#"{{"Node Type": "Seq Scan", "Relation Name": "{alias}", "Alias": "{alias}", "Parent Relationship": "{side}"}}"#
        )
    };
    let (outer, inner) = (scan(outer, "Outer"), scan(inner, "Inner"));
    format!(r#"{{"Node Type": "{method}", "Join Type": "Inner", "Plans": [{outer}, {inner}]}}"#)
}

#[test]
fn joins_are_matched_by_what_lies_below_them() {
    let hash = join("Hash Join", "a", "b");
    assert_eq!(
        sentences(&hash, &join("Nested Loop", "a", "b")),
        ["join method: a, b: Hash Join → Nested Loop"]
    );
    assert_eq!(sentences(&hash, &join("Hash Join", "b", "a")), ["join order: joins: (a ⋈ b) → (b ⋈ a)"]);
    let below = format!(r#"{{"Node Type": "Limit", "Plans": [{hash}]}}"#);
    assert_eq!(sentences(&below, &hash), ["node vanished: Limit"]);
}

#[test]
fn what_has_no_name_is_still_a_change() {
    let backward = INDEX.replace("Forward", "Backward");
    assert_eq!(sentences(INDEX, &backward).len(), 1);
    let future = r#"{"Node Type": "Quantum Scan", "Relation Name": "t", "Alias": "t"}"#;
    let now = r#"{"Node Type": "Seq Scan", "Relation Name": "t", "Alias": "t"}"#;
    assert_eq!(sentences(now, future), ["scan method: t: Seq Scan → Quantum Scan"]);
    let gone = r#"{"Node Type": "Future Node", "Plans": []}"#;
    assert_eq!(
        sentences(gone, r#"{"Node Type": "Result"}"#),
        ["node appeared: Result", "node vanished: Future Node"]
    );
}

#[test]
fn an_estimate_gone_wrong_is_named() {
    let scan = |rows: u32| {
        format!(
            r#"{{"Node Type": "Seq Scan", "Relation Name": "t", "Alias": "t", "Plan Rows": {rows}, "Actual Rows": 1000, "Actual Loops": 1}}"#
        )
    };
    assert_eq!(sentences(&scan(900), &scan(10)), ["estimate error: t: off by 1x → off by 100x"]);
    assert_eq!(sentences(&scan(900), &scan(200)), [""; 0]);
}

pub(super) fn any_node() -> impl Strategy<Value = String> {
    let leaf = (0..4_usize, 0..3_usize, any::<bool>()).prop_map(|(table, method, filter)| {
        let method = ["Seq Scan", "Index Scan", "Mystery Scan"][method];
        let filter =
            if filter { r#", "Filter": "((a = 1) AND (b < 'x'::text))", "Index Name": "i""# } else { "" };
        format!(r#"{{"Node Type": "{method}", "Relation Name": "t{table}", "Alias": "t{table}"{filter}}}"#)
    });
    leaf.prop_recursive(5, 40, 4, |below| {
        (0..7_usize, prop::collection::vec(below, 0..4)).prop_map(|(kind, children)| {
            let head = [
                r#""Node Type": "Hash Join", "Join Type": "Left""#,
                r#""Node Type": "Nested Loop""#,
                r#""Node Type": "Sort", "Sort Key": ["a", "b DESC"], "Sort Space Type": "Disk""#,
                r#""Node Type": "Aggregate", "Strategy": "Hashed", "Group Key": ["a"]"#,
                r#""Node Type": "Gather", "Workers Planned": 2"#,
                r#""Node Type": "Append""#,
                r#""Node Type": "Future", "New": [1]"#,
            ][kind];
            format!(r#"{{{head}, "Plans": [{}]}}"#, children.join(","))
        })
    })
}

proptest! {
    #[test]
    fn a_plan_diffs_with_itself_to_nothing(root in any_node()) {
        prop_assert_eq!(diff(&plan(&root), &plan(&root)), vec![]);
    }

    #[test]
    fn different_shapes_never_diff_to_nothing(left in any_node(), right in any_node()) {
        let (left, right) = (plan(&left), plan(&right));
        if left.fingerprint() != right.fingerprint() {
            prop_assert!(!diff(&left, &right).is_empty());
        }
    }

    #[test]
    fn a_diff_reads_backwards_with_as_many_changes(left in any_node(), right in any_node()) {
        let (left, right) = (plan(&left), plan(&right));
        prop_assert_eq!(diff(&left, &right).is_empty(), diff(&right, &left).is_empty());
    }
}
