//! Queries that write, beside others that must not notice.

use super::{judge, query};
use plimsoll::model::Verdict;
use plimsoll::scenarios::slow_queries::Options;

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_is_rolled_back_leaves_nothing_that_others_read() {
    // 20 000 rows are about 130 blocks; each update that is rolled back would leave as many.
    let count = "-- budget: buffers < 200\nSELECT count(*) FROM orders;";
    let update = "-- budget: buffers < 1000000, rows < 20001, rows read per row < 2\n\
                  UPDATE orders SET status = 'x';";
    let queries = [("a_count", count), ("b_update", update), ("c_update", update), ("d_count", count)];
    let report = judge(&queries, &Options { hash_results: true, ..Options::default() }).await;
    let blocks = |name: &str| query(&report, name).parameter_sets[0].buffers;
    assert!((100..200).contains(&blocks("a_count")), "{}", blocks("a_count"));
    assert_eq!(blocks("a_count"), blocks("d_count"));
    let (one, other) = (blocks("b_update") as f64, blocks("c_update") as f64);
    assert!((one / other - 1.0).abs() < 0.02, "{one} and {other} blocks");
    assert_eq!(query(&report, "b_update").parameter_sets[0].rows, 20_000);
    assert_eq!(report.verdict, Verdict::Pass, "{:?}", report.findings);
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_and_their_indexes_stand_for_the_whole() {
    let report = super::judge_with(
        "CREATE TABLE ev (id int, at date) PARTITION BY RANGE (at);
         CREATE TABLE year_2024 PARTITION OF ev FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
         INSERT INTO ev SELECT n, date '2024-01-01' + n % 300 FROM generate_series(1, 20000) n;
         CREATE INDEX ev_id ON ev (id);
         ANALYZE ev;",
        &[
            ("scans", "-- budget: no seq scan on ev\nSELECT count(*) FROM ev WHERE at = '2024-02-01';"),
            ("looks_up", "-- budget: uses index ev_id\nSELECT * FROM ev WHERE id = 7;"),
        ],
        &Options::default(),
    )
    .await;
    assert_eq!(query(&report, "scans").verdict, Verdict::Fail);
    assert_eq!(query(&report, "looks_up").verdict, Verdict::Pass, "{:?}", report.findings);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_for_a_write_is_tried_on_tables_as_they_were() {
    let write = "-- budget: buffers < 60\nUPDATE orders SET status = 'x' WHERE user_id = 7;";
    let report = judge(&[("write", write)], &Options::default()).await;
    assert_eq!(query(&report, "write").verdict, Verdict::Fail);
    let trial = query(&report, "write").reason.as_ref().unwrap().trial.as_ref().unwrap();
    // 40 rows are updated on 40 pages of 130: what a first try left would show.
    let first = query(&report, "write").parameter_sets[0].buffers;
    assert!(trial.buffers_before.abs_diff(first) <= 4, "{trial:?} after {first} blocks");
    assert!(trial.used && trial.buffers_after < trial.buffers_before, "{trial:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cap_that_left_sets_out_is_the_one_told() {
    let slow = "-- budget: rows >= 1\n-- param: id = sample(orders.id)\n\
                UPDATE orders SET status = 'x' WHERE id = :id AND pg_sleep(0.5) IS NOT NULL;";
    let report = judge(&[("slow", slow)], &Options::default()).await;
    let told: Vec<String> =
        report.warnings.iter().map(plimsoll::model::MeasurementWarning::message).collect();
    let is_told = |text: &&String| text.contains("explaining slow");
    let text = told.iter().find(is_told).unwrap_or_else(|| panic!("{told:?}"));
    assert!(text.contains("5.0 s explaining slow"), "{text}");
}
