//! Plan rules: which table and index a name means, and what plans cannot show.

use super::record::{ExplainedSet, Latencies, QueryRecord};
use super::verdict::judge;
use super::verdict_tests::{CONFIDENCE, asks, record, scan};
use crate::model::Verdict;
use crate::plan::{Plan, RelationKind, RelationName, Relations};
use crate::project::budget::{BudgetRule, PlanRule};
use std::sync::Arc;

#[test]
fn a_scan_of_a_partition_is_a_scan_of_its_table() {
    let mut partitioned = record(vec![asks(BudgetRule::Plan(PlanRule::NoSeqScan(Some("ev".into()))))]);
    partitioned.explained = vec![ExplainedSet::new("", vec![scan("ev_2024", 4, 4, 1.0)])];
    let judged =
        |record: &QueryRecord| judge(record, &Latencies::default(), CONFIDENCE, None).evidence.verdict;
    assert_eq!(judged(&partitioned), Verdict::Pass);
    let name = |name: &str| RelationName::new("public", name);
    partitioned.relations = Arc::new(Relations::new(Vec::new(), [], [(name("ev"), name("ev_2024"))]));
    assert_eq!(judged(&partitioned), Verdict::Fail);
}

#[test]
fn a_rule_about_nothing_that_plans_name_is_undecided() {
    let decided = |rule: PlanRule, kind: RelationKind| {
        let mut scans = record(vec![asks(BudgetRule::Plan(rule))]);
        let names = [("public", "orders", RelationKind::Table), ("public", "other", kind)];
        let kinds = names.map(|(schema, name, kind)| (RelationName::new(schema, name), kind));
        scans.relations = Arc::new(Relations::new(vec!["public".into()], kinds, []));
        let evidence = judge(&scans, &Latencies::default(), CONFIDENCE, None).evidence;
        (evidence.verdict.word(), evidence.budgets[0].because.clone())
    };
    let no_scan = |table: &str| PlanRule::NoSeqScan(Some(table.to_owned()));
    let told = |word: &'static str, because: &str| (word, because.to_owned());
    assert_eq!(
        decided(no_scan("ordrs"), RelationKind::Table),
        told("inconclusive", "the database has no table ordrs")
    );
    assert_eq!(
        decided(no_scan("other"), RelationKind::View),
        told("inconclusive", "other is a view, and plans never name one")
    );
    assert_eq!(decided(no_scan("other"), RelationKind::Table), told("pass", "it holds in all 1 plans"));
    assert_eq!(
        decided(PlanRule::UsesIndex("i".into()), RelationKind::Table),
        told("fail", "the database has no index i")
    );
}

#[test]
fn an_index_in_the_plan_that_was_not_reached_is_not_missing() {
    let joined = |loops: u32| {
        Plan::parse(&format!(
            r#"[{{"Plan": {{"Node Type": "Nested Loop", "Actual Rows": 0, "Actual Loops": 1, "Plans": [
                {{"Node Type": "Index Scan", "Relation Name": "items", "Index Name": "items_order",
                  "Actual Rows": 0, "Actual Loops": {loops}}}]}}}}]"#
        ))
        .unwrap()
    };
    let decided = |loops: &[u32]| {
        let mut joins = record(vec![asks(BudgetRule::Plan(PlanRule::UsesIndex("items_order".into())))]);
        joins.explained = loops.iter().map(|loops| ExplainedSet::new("", vec![joined(*loops)])).collect();
        let evidence = judge(&joins, &Latencies::default(), CONFIDENCE, None).evidence;
        (evidence.budgets[0].verdict.word(), evidence.budgets[0].because.clone())
    };
    assert_eq!(decided(&[0, 3]), ("pass", "it holds in all 2 plans".to_owned()));
    let unreached = "items_order is in the plan, but was not reached with any of 2 parameter sets";
    assert_eq!(decided(&[0, 0]), ("inconclusive", unreached.to_owned()));
}
