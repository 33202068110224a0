//! Plans as servers wrote them, shortened.

use super::{ConditionKind, DominatingBy, Plan, estimate_error, render, seq_scans, sort_spills, uses_index};

const SEQ: &str = r#"[{"Plan": {"Node Type": "Limit", "Startup Cost": 101.3, "Total Cost": 101.35, "Plan Rows": 20,
  "Plan Width": 30, "Actual Rows": 3, "Actual Loops": 1, "Shared Hit Blocks": 37, "Shared Read Blocks": 2,
  "Plans": [{"Node Type": "Sort", "Parent Relationship": "Outer", "Total Cost": 101.3, "Plan Rows": 25,
    "Sort Key": ["created_at DESC"], "Sort Method": "external merge", "Sort Space Used": 25, "Sort Space Type": "Disk",
    "Actual Rows": 3, "Actual Loops": 1, "Shared Hit Blocks": 37, "Shared Read Blocks": 2,
    "Plans": [{"Node Type": "Seq Scan", "Parent Relationship": "Outer", "Relation Name": "orders", "Alias": "o",
      "Total Cost": 70.25, "Plan Rows": 100, "Filter": "(user_id = 17)", "Rows Removed by Filter": 2497,
      "Actual Rows": 3.00, "Actual Loops": 1, "Shared Hit Blocks": 37, "Shared Read Blocks": 2,
      "From The Future": {"kept": true}}]}]},
  "Planning": {"Shared Hit Blocks": 64, "Memory Used": 12}, "Planning Time": 0.1, "Execution Time": 0.4,
  "Query Identifier": -77, "Triggers": [{"Trigger Name": "t", "Relation": "orders", "Time": 0.5, "Calls": 2}]}]"#;

#[test]
fn a_plan_is_read_and_nothing_is_lost() {
    let plan = Plan::parse(SEQ).unwrap();
    let scan = &plan.root.children[0].children[0];
    assert_eq!(scan.label(), "Seq Scan on orders o");
    assert_eq!(scan.condition(ConditionKind::Filter), Some("(user_id = 17)"));
    assert_eq!(scan.other["From The Future"]["kept"], true);
    assert_eq!(plan.other["Planning"]["Memory Used"], 12);
    assert_eq!(plan.planning_buffers.unwrap().shared(), 64);
    assert_eq!(plan.query_identifier, Some(-77));
    assert_eq!(plan.server_time_us(), Some(500.0));
    assert_eq!(plan.triggers[0].calls, 2.0);
}

#[test]
fn totals_add_up_and_exclusive_figures_point_at_the_scan() {
    let plan = Plan::parse(SEQ).unwrap();
    let totals = plan.totals();
    assert_eq!(totals.buffers.unwrap().shared(), 39);
    assert_eq!((totals.rows_read, totals.rows_removed, totals.rows_returned), (2500.0, 2497.0, 3.0));
    assert_eq!(totals.spills, 1);
    let dominating = plan.dominating().unwrap();
    assert_eq!((dominating.node.node_type.as_str(), dominating.by), ("Seq Scan", DominatingBy::Buffers));
    assert!((dominating.share - 1.0).abs() < 1e-9);
}

#[test]
fn rules_see_the_whole_tree() {
    let plan = Plan::parse(SEQ).unwrap();
    assert_eq!(seq_scans(&plan, Some("orders"), &[]).len(), 1);
    assert_eq!(seq_scans(&plan, Some("public.orders"), &[]).len(), 1);
    assert_eq!(seq_scans(&plan, Some("users"), &[]).len(), 0);
    assert_eq!(seq_scans(&plan, Some("sales"), &["public.orders".into()]).len(), 1);
    assert_eq!(seq_scans(&plan, None, &[]).len(), 1);
    assert!(uses_index(&plan, "orders_pkey").is_empty());
    assert_eq!(sort_spills(&plan).len(), 1);
    // The limit may have stopped nothing here: the sort below it reads all, so the scan counts.
    let worst = estimate_error(&plan).unwrap();
    assert_eq!((worst.node.node_type.as_str(), worst.planned), ("Seq Scan", 100.0));
    assert!((worst.factor - 100.0 / 3.0).abs() < 1e-9);
}

#[test]
fn a_fingerprint_forgets_costs_and_parameters_but_not_the_method() {
    let plan = |text: &str| Plan::parse(text).unwrap().fingerprint();
    let other_value = SEQ.replace("17", "$1").replace("70.25", "71").replace("\"o\"", "\"o_1\"");
    assert_eq!(plan(SEQ), plan(&other_value));
    assert_ne!(plan(SEQ), plan(&SEQ.replace("Seq Scan", "Sample Scan")));
    assert_ne!(plan(SEQ), plan(&SEQ.replace("\"Filter\"", "\"Index Cond\"")));
}

#[test]
fn an_init_plan_is_taken_off_where_it_runs() {
    let text = r#"[{"Plan": {"Node Type": "Hash Join", "Join Type": "Inner", "Shared Hit Blocks": 30, "Plans": [
        {"Node Type": "Aggregate", "Parent Relationship": "InitPlan", "Subplan Name": "CTE big", "Shared Hit Blocks": 20},
        {"Node Type": "CTE Scan", "Parent Relationship": "Outer", "CTE Name": "big", "Shared Hit Blocks": 20},
        {"Node Type": "Seq Scan", "Parent Relationship": "Inner", "Relation Name": "t", "Shared Hit Blocks": 9}]}}]"#;
    let plan = Plan::parse(text).unwrap();
    let own: Vec<u64> = plan.exclusive().iter().map(|own| own.buffers.shared()).collect();
    assert_eq!(own, [1, 20, 0, 9]);
}

#[test]
fn what_is_no_plan_is_said() {
    let message = |text: &str| Plan::parse(text).unwrap_err().to_string();
    assert!(message("Seq Scan on t").starts_with("the plan is not readable JSON"));
    assert_eq!(
        message(r#"["Utility Statement"]"#),
        "not a plan: expected an object with a \"Plan\", found \"Utility Statement\""
    );
    assert!(message("[]").contains("expected a list"));
    let two = r#"[{"Plan": {"Node Type": "Result"}}, {"Plan": {"Node Type": "Result"}}]"#;
    assert!(message(two).starts_with("2 plans"));
    assert_eq!(Plan::parse_all(two).unwrap().len(), 2);
}

#[test]
fn a_drawing_shows_every_node_with_its_conditions() {
    insta::assert_snapshot!(render(&Plan::parse(SEQ).unwrap()), @r"
    Limit  (cost=101.35 rows=20, actual rows=3 loops=1)
      ->  Sort  (cost=101.30 rows=25, actual rows=3 loops=1)
            Sort Key: created_at DESC
            Sort Method: external merge, Disk 25 kB
            ->  Seq Scan on orders o  (cost=70.25 rows=100, actual rows=3 loops=1)  own blocks=39
                  Filter: (user_id = 17)
                  Rows removed: 2497
    Trigger t: calls=2
    ");
}
