//! Plans as servers wrote them, shortened.

use super::{
    ConditionKind, DominatingBy, Plan, RelationName, Relations, estimate_error, index_scans, render,
    seq_scans, sort_spills, uses_index,
};

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
    let none = Relations::default();
    let name = |name: &str| RelationName::new("public", name);
    let sales = Relations::new(Vec::new(), [], [(name("sales"), name("orders"))]);
    assert_eq!(seq_scans(&plan, Some("orders"), &none).len(), 1);
    assert_eq!(seq_scans(&plan, Some("public.orders"), &none).len(), 1);
    assert_eq!(seq_scans(&plan, Some("users"), &none).len(), 0);
    assert_eq!(seq_scans(&plan, Some("sales"), &sales).len(), 1);
    assert_eq!(seq_scans(&plan, None, &none).len(), 1);
    assert!(!uses_index(&plan, "orders_pkey", &none));
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

#[test]
fn partitions_at_any_depth_belong_to_their_parent() {
    let plan = |node: &str| Plan::parse(&format!(r#"[{{"Plan": {node}}}]"#)).unwrap();
    let scan = plan(r#"{"Node Type": "Seq Scan", "Relation Name": "ev_2024_q1", "Alias": "ev"}"#);
    let index = plan(
        r#"{"Node Type": "Index Scan", "Relation Name": "ev_2024_q1", "Index Name": "ev_2024_q1_at_idx"}"#,
    );
    let below =
        |parent: &str, child: &str| (RelationName::new("public", parent), RelationName::new("public", child));
    let inherits = [
        below("ev", "ev_2024"),
        below("ev_2024", "ev_2024_q1"),
        below("ev_at", "ev_2024_at_idx"),
        below("ev_2024_at_idx", "ev_2024_q1_at_idx"),
    ];
    let known = Relations::new(Vec::new(), [], inherits);
    assert_eq!(seq_scans(&scan, Some("public.ev"), &known).len(), 1);
    assert_eq!(seq_scans(&scan, Some("other"), &known).len(), 0);
    assert!(uses_index(&index, "ev_at", &known));
    assert!(!uses_index(&index, "ev_at", &Relations::default()));
}

#[test]
fn schemas_come_from_the_verbose_plan_and_tell_tables_apart() {
    let text = r#"[{"Plan": {"Node Type": "Append", "Plans": [
        {"Node Type": "Seq Scan", "Relation Name": "orders", "Alias": "orders_1", "Actual Rows": 1, "Actual Loops": 1},
        {"Node Type": "Bitmap Heap Scan", "Relation Name": "orders", "Alias": "o", "Actual Rows": 1, "Actual Loops": 1,
         "Plans": [{"Node Type": "Bitmap Index Scan", "Index Name": "i", "Actual Rows": 0, "Actual Loops": 0}]}]}}]"#;
    let mut plan = Plan::parse(text).unwrap();
    let relations = Relations::default();
    assert_eq!(seq_scans(&plan, Some("audit.orders"), &relations).len(), 1, "no schema is known");
    let verbose = text.replacen("\"orders\",", "\"orders\", \"Schema\": \"public\",", 1);
    let verbose = verbose.replacen("\"o\",", "\"o\", \"Schema\": \"audit\",", 1);
    plan.take_schemas(&Plan::parse(&verbose).unwrap());
    assert!(seq_scans(&plan, Some("audit.orders"), &relations).is_empty());
    assert_eq!(seq_scans(&plan, Some("public.orders"), &relations).len(), 1);
    assert_eq!(index_scans(&plan, "audit.i", &relations).len(), 1);
    assert!(index_scans(&plan, "public.i", &relations).is_empty());
    assert!(!uses_index(&plan, "audit.i", &relations), "it is in the plan, but was not reached");
    // Another plan altogether: nothing is taken over.
    let mut other = Plan::parse(&text.replace("Append", "Merge Append")).unwrap();
    other.take_schemas(&Plan::parse(&verbose).unwrap());
    assert_eq!(other.root.children[0].schema, None);
}

#[test]
fn a_write_counts_the_rows_it_changes() {
    let totals = |root: &str| Plan::parse(&format!(r#"[{{"Plan": {root}}}]"#)).unwrap().totals();
    let write = |figures: &str, rows: u32| {
        totals(&format!(
            r#"{{"Node Type": "ModifyTable", "Operation": "Update", "Relation Name": "t", "Actual Rows": {rows},
                "Actual Loops": 1{figures}, "Plans": [
                {{"Node Type": "Result", "Parent Relationship": "InitPlan", "Actual Rows": 7, "Actual Loops": 1}},
                {{"Node Type": "Seq Scan", "Parent Relationship": "Outer", "Relation Name": "t", "Actual Rows": 50,
                  "Actual Loops": 1, "Rows Removed by Filter": 150}}]}}"#
        ))
    };
    for (figures, rows, expected) in [
        ("", 0, 50.0),
        ("", 50, 50.0),
        (r#", "Conflict Resolution": "NOTHING", "Tuples Inserted": 30, "Conflicting Tuples": 20"#, 0, 30.0),
        (r#", "Conflict Resolution": "UPDATE", "Tuples Inserted": 30, "Conflicting Tuples": 20"#, 0, 50.0),
        (r#", "Conflict Resolution": "NOTHING", "Tuples Inserted": 0, "Conflicting Tuples": 50"#, 0, 0.0),
        (r#", "Tuples Inserted": 1, "Tuples Updated": 2, "Tuples Deleted": 3, "Tuples Skipped": 44"#, 0, 6.0),
    ] {
        assert_eq!(write(figures, rows).rows_returned, expected, "{figures}");
    }
    assert_eq!(write("", 0).rows_read_per_row(), 4.0);
    let reads = r#"{"Node Type": "Seq Scan", "Relation Name": "t", "Actual Rows": 0, "Actual Loops": 1}"#;
    assert_eq!(totals(reads).rows_returned, 0.0);
}
