//! Transactions of several statements: prepared one after the other, and judged one by one.

use super::{codes, judge, query};
use plimsoll::model::Verdict;
use plimsoll::scenarios::slow_queries::Options;

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_may_need_what_the_one_before_it_creates() {
    let report = judge(
        &[
            (
                "fills",
                "-- transaction\n-- budget: p95 < 5s, rows >= 1, buffers < 100000\n\
                 CREATE TEMP TABLE recent AS SELECT * FROM orders WHERE user_id = 7;\n\
                 SELECT count(*) FROM recent;",
            ),
            (
                "picks",
                "-- transaction\n-- budget: p95 < 5s, rows >= 9, buffers < 100000\n\
                 -- param: below = 10\nCREATE TEMP TABLE picked (id int) ON COMMIT DROP;\n\
                 INSERT INTO picked SELECT id FROM orders WHERE id < :below;\n\
                 SELECT * FROM orders JOIN picked USING (id);",
            ),
        ],
        &Options { hash_results: true, ..Options::default() },
    )
    .await;
    assert_eq!(report.verdict, Verdict::Pass, "{:#?}", report.findings);
    assert_eq!(query(&report, "picks").parameter_sets[0].statement_rows, [9, 9]);
    assert_eq!(query(&report, "fills").parameter_sets[0].statement_rows, [40, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rows_of_one_statement_do_not_stand_for_another() {
    let nothing_then_many =
        "UPDATE orders SET status = 'x' WHERE id = -1;\nSELECT * FROM orders WHERE id < 20;";
    let guarded = format!("-- transaction\n-- budget: rows >= 1\n{nothing_then_many}");
    let bounded = format!("-- transaction\n-- budget: rows < 20, rows >= 0\n{nothing_then_many}");
    let unguarded = format!("-- transaction\n-- budget: buffers < 1000\n{nothing_then_many}");
    let queries = [("bounded", &*bounded), ("guarded", &*guarded), ("unguarded", &*unguarded)];
    let report = judge(&queries, &Options::default()).await;
    assert_eq!(query(&report, "bounded").verdict, Verdict::Pass);
    assert_eq!(query(&report, "guarded").verdict, Verdict::Fail);
    assert!(matches!(query(&report, "unguarded").verdict, Verdict::Inconclusive { .. }));
    assert_eq!(codes(&report), [("guarded", "empty-result"), ("unguarded", "empty-result")]);
    let message = &report.findings[1].message;
    assert_eq!(message, "unguarded returned no row in statement 1 of 2 for any of 1 parameter sets");
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_without_rows_are_no_empty_result() {
    let schema = format!("{} CREATE PROCEDURE rest() LANGUAGE sql AS 'SELECT 1';", super::SCHEMA);
    let queries = [
        ("calls", "-- budget: p95 < 5s\nCALL rest();"),
        (
            "sets",
            "-- transaction\n-- budget: p95 < 5s\nSET LOCAL work_mem = '1MB';\nSELECT id FROM orders LIMIT 1;",
        ),
    ];
    let report = super::judge_with(&schema, &queries, &Options::default()).await;
    assert_eq!(report.verdict, Verdict::Pass, "{:#?}", report.findings);
}
