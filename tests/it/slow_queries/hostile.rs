//! Queries that are odd, end their own session, or meet what others do to the database.

use super::{codes, judge, query};
use crate::cli::{code, plimsoll, stderr};
use crate::support;
use plimsoll::model::{MeasurementWarning, Verdict};
use plimsoll::scenarios::slow_queries::Options;
use std::fs;

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_its_own_session_is_a_failed_query_and_the_others_are_judged() {
    let queries = [
        ("copies", "-- budget: p95 < 5s\nCOPY orders TO STDOUT;"),
        ("ends", "-- budget: p95 < 5s\nSELECT pg_terminate_backend(pg_backend_pid());"),
        (
            "impatient",
            "-- transaction\n-- budget: p95 < 1ms\nSET LOCAL statement_timeout = 5;\nSELECT pg_sleep(1);",
        ),
        ("plain", "-- budget: p95 < 5s\nSELECT * FROM orders WHERE id = 7;"),
    ];
    let report = judge(&queries, &Options::default()).await;
    let words = queries.map(|(name, _)| query(&report, name).verdict.word());
    assert_eq!(words, ["fail", "fail", "fail", "pass"], "{:#?}", report.findings);
    let failed = codes(&report).into_iter().filter(|(_, code)| *code == "query-failed").count();
    assert_eq!(failed, 3, "no time is blamed: {:?}", codes(&report));
    let impatient = report.findings.iter().find(|finding| finding.subject == "impatient").unwrap();
    assert!(impatient.evidence[0].contains("57014"), "{impatient:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_query_sets_is_not_met_by_the_next() {
    let seen = "current_setting('plimsoll.left', true) = 'here'";
    let looks = format!("-- budget: rows < 1, rows >= 0\nSELECT 1 WHERE {seen};");
    let queries = [
        ("by_function", "-- budget: p95 < 5s\nSELECT set_config('plimsoll.left', 'here', false);"),
        ("by_statement", "-- budget: p95 < 5s\nSET plimsoll.left = 'here';"),
        ("looks", looks.as_str()),
    ];
    let report = judge(&queries, &Options::default()).await;
    assert_eq!(query(&report, "looks").verdict, Verdict::Pass, "{:#?}", report.findings);
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_queries_are_judged_like_others() {
    let schema = format!(
        "{} CREATE TABLE \"Größe\" (\"Maß\" int PRIMARY KEY); INSERT INTO \"Größe\" VALUES (1), (2); CREATE TABLE void ();
         INSERT INTO void DEFAULT VALUES; ANALYZE;",
        super::SCHEMA
    );
    let queries = [
        (
            "crlf",
            "-- budget: p95 < 5s, rows >= 1\r\n-- param: id = sample(orders.id)\r\nSELECT *\r\nFROM orders WHERE id = :id; -- done\r\n",
        ),
        ("comment", "-- budget: p95 < 5s, rows >= 1\nSELECT 1 /* no; end */ -- and no semicolon"),
        ("columnless", "-- budget: p95 < 5s, rows >= 9, rows <= 9\nSELECT FROM orders WHERE id < 10;"),
        ("void", "-- budget: p95 < 5s, rows >= 1\nSELECT * FROM void;"),
        ("exact", "-- budget: rows <= 20000, rows >= 20000\nSELECT id FROM orders;"),
        (
            "null",
            "-- budget: p95 < 5s, rows >= 0\n-- param: status = null\nSELECT * FROM orders WHERE status = :status;",
        ),
        (
            "unicode",
            "-- budget: p95 < 5s, uses index \"Größe_pkey\"\n-- param: m = sample(\"Größe\".\"Maß\")\n-- transaction\nSET LOCAL enable_seqscan = off;\nSELECT '✓' FROM \"Größe\" WHERE \"Maß\" = :m;",
        ),
        (
            "cursor",
            "-- transaction\n-- budget: p95 < 5s, rows >= 10, rows <= 10\nDECLARE c CURSOR FOR SELECT * FROM orders;\nFETCH 10 FROM c;",
        ),
    ];
    let report = super::judge_with(&schema, &queries, &Options::default()).await;
    assert_eq!(report.verdict, Verdict::Pass, "{:#?}", report.findings);
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_that_find_nothing_are_told() {
    let by = |source: &str| {
        format!("-- budget: p95 < 5s\n-- param: id = {source}\nSELECT * FROM orders WHERE id = :id;")
    };
    let (made_up, absent, sampled) =
        (by("range(1, 1000000)"), by("absent(orders.id)"), by("sample(orders.id)"));
    let queries = [("absent", &*absent), ("made_up", &*made_up), ("sampled", &*sampled)];
    let report = judge(&queries, &Options::default()).await;
    let told: Vec<&str> = report
        .warnings
        .iter()
        .filter_map(|warning| match warning {
            MeasurementWarning::ParametersUnlikeData { subject, .. } => Some(subject.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(told, ["made_up"], "{:?}", report.warnings);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_another_session_holds_makes_no_query_slow() {
    let database = support::database("held").await;
    database.execute(super::SCHEMA).await;
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("plimsoll.toml"),
        "[volumes]\nsmall = 1\n[slow-queries]\nmax-time = \"2s\"\n",
    )
    .unwrap();
    fs::create_dir(folder.path().join("queries")).unwrap();
    let text = "-- name: waits\n-- budget: p95 < 1s, max < 1s, buffers < 50, rows >= 1\nSELECT * FROM orders WHERE id = 7;";
    fs::write(folder.path().join("queries/waits.sql"), text).unwrap();
    let holder = database.session().await;
    holder.batch_execute("BEGIN; LOCK TABLE orders").await.unwrap();
    let url = database.target.url_for(&database.name);
    let mut command = plimsoll(folder.path());
    let output = command.args(["slow-queries", "--url", &url]).output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(code(&output), 0, "{shown}{}", stderr(&output));
    assert!(shown.contains("waited for another session's lock"), "{shown}");
    assert!(!shown.contains("over-budget") && shown.contains("DOUBT slow-queries"), "{shown}");
    holder.batch_execute("ROLLBACK").await.unwrap();
}
