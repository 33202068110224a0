//! `slow-queries` against a real server: what passes, what breaks and why.

mod cold;
mod hostile;
mod names;
mod program;
mod sources;
mod transactions;
mod volumes;
mod writes;

use crate::support;
use plimsoll::model::evidence::Evidence;
use plimsoll::model::evidence::slow_queries::{QueryEvidence, SlowQueriesEvidence};
use plimsoll::model::{Quiet, ScenarioReport, Verdict};
use plimsoll::prepare::Databases;
use plimsoll::project::Project;
use plimsoll::scenarios::slow_queries::{Options, run};
use std::path::Path;

const SCHEMA: &str = "
    CREATE TABLE orders (id int PRIMARY KEY, user_id int NOT NULL, status text NOT NULL, created_at date NOT NULL);
    INSERT INTO orders SELECT n, n % 500, 'paid', date '2024-01-01' + n % 700 FROM generate_series(1, 20000) n;
    ANALYZE orders;";

/// A project of one migration and these query files, checked like any other.
fn project(root: &Path, schema: &str, queries: &[(&str, &str)]) -> Project {
    let write = |path: &str, text: &str| support::write_file(root, path, text);
    write("plimsoll.toml", "[volumes]\nsmall = 1\n\n[slow-queries]\nmax-time = \"5s\"\n");
    write("migrations/001_baseline.sql", schema);
    for (name, text) in queries {
        write(&format!("queries/{name}.sql"), &format!("-- name: {name}\n{text}\n"));
    }
    Project::load(root).unwrap_or_else(|problems| panic!("{problems:?}"))
}

async fn judge(queries: &[(&str, &str)], options: &Options) -> ScenarioReport {
    judge_with(SCHEMA, queries, options).await
}

async fn judge_with(schema: &str, queries: &[(&str, &str)], options: &Options) -> ScenarioReport {
    let folder = tempfile::tempdir().unwrap();
    let project = project(folder.path(), schema, queries);
    let databases = Databases::new(&project, support::server(), &Quiet);
    let context = support::context(&project, &databases);
    run(&context, options).await.unwrap()
}

fn evidence(report: &ScenarioReport) -> &SlowQueriesEvidence {
    let Evidence::SlowQueries(evidence) = &report.evidence else { panic!("{:?}", report.evidence) };
    evidence
}

fn query<'a>(report: &'a ScenarioReport, name: &str) -> &'a QueryEvidence {
    evidence(report).volumes[0].queries.iter().find(|query| query.query == name).unwrap()
}

fn query_at<'a>(report: &'a ScenarioReport, volume: &str, name: &str) -> &'a QueryEvidence {
    let volume = evidence(report).volumes.iter().find(|evidence| evidence.volume == volume).unwrap();
    volume.queries.iter().find(|query| query.query == name).unwrap()
}

fn codes(report: &ScenarioReport) -> Vec<(&str, &str)> {
    report.findings.iter().map(|finding| (finding.subject.as_str(), finding.code)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_index_is_named_tried_on_a_clone_and_its_effect_measured() {
    let report = judge(
        &[
            (
                "by_key",
                "-- budget: p95 < 1s, buffers < 10, no seq scan on orders\n-- param: id = sample(orders.id)\n\
                 SELECT * FROM orders WHERE id = :id;",
            ),
            (
                "history",
                "-- budget: buffers < 50, no seq scan on orders, p95 < 1s\n-- param: user_id = sample(orders.user_id)\n\
                 SELECT * FROM orders WHERE user_id = :user_id ORDER BY created_at DESC LIMIT 20;",
            ),
        ],
        &Options::default(),
    )
    .await;
    assert_eq!(report.verdict, Verdict::Fail);
    assert_eq!(codes(&report), [("history", "counter-over-budget"), ("history", "plan-rule-broken")]);
    assert_eq!(query(&report, "by_key").verdict, Verdict::Pass);
    let reason = query(&report, "history").reason.as_ref().unwrap();
    assert_eq!(reason.node, "Seq Scan on orders");
    assert_eq!((reason.node_rows_read, reason.node_rows_passed), (20000, 40));
    let trial = reason.trial.as_ref().unwrap();
    assert_eq!(trial.create_index, "CREATE INDEX ON orders (user_id, created_at DESC)");
    assert!(trial.used && trial.buffers_after < 50 && trial.buffers_before > 100, "{trial:?}");
    let finding = &report.findings[0];
    assert_eq!(finding.next_step, "add a migration with CREATE INDEX ON orders (user_id, created_at DESC)");
    assert_eq!(finding.location.as_ref().unwrap().path, Path::new("queries/history.sql"));
    let latency = query(&report, "by_key").latency.as_ref().unwrap();
    assert!(latency.connections >= 20 && latency.samples >= 500, "{latency:?}");
    assert!(report.measurements.iter().any(|m| m.subject == "ping" && m.metric == "p95"));
}

#[tokio::test(flavor = "multi_thread")]
async fn times_far_from_their_budget_are_decided_and_writes_leave_nothing() {
    let report = judge(
        &[
            ("sleeps", "-- budget: p95 < 2ms\nSELECT pg_sleep(0.01);"),
            ("relative", "-- budget: p50 < 3 x ping\nSELECT pg_sleep(0.02);"),
            ("write", "-- budget: p95 < 2s, rows >= 1\nUPDATE orders SET status = 'x' WHERE id = 7;"),
            (
                "transfer",
                "-- transaction\n-- budget: p95 < 2s\nUPDATE orders SET status = 'x' WHERE id = 1;\n\
                 UPDATE orders SET status = 'y' WHERE id = 2;",
            ),
        ],
        &Options::default(),
    )
    .await;
    assert_eq!(codes(&report), [("relative", "over-budget"), ("sleeps", "over-budget")]);
    assert!(query(&report, "write").writes && query(&report, "write").verdict == Verdict::Pass);
    assert!(query(&report, "transfer").writes);
    assert!(!query(&report, "sleeps").writes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_an_endless_and_an_empty_query_are_told_apart() {
    let report = judge(
        &[
            ("absent_table", "-- budget: p95 < 1s\nSELECT * FROM absent;"),
            ("endless", "-- budget: p95 < 1s\nSELECT pg_sleep(3600);"),
            ("guarded", "-- budget: rows >= 1\nSELECT * FROM orders WHERE id = -1;"),
            ("nothing", "-- budget: p95 < 1s\nSELECT * FROM orders WHERE id = -1;"),
        ],
        &Options::default(),
    )
    .await;
    let found = codes(&report);
    for expected in [
        ("absent_table", "query-failed"),
        ("endless", "over-budget"),
        ("guarded", "empty-result"),
        ("nothing", "empty-result"),
    ] {
        assert!(found.contains(&expected), "{expected:?} in {found:?}");
    }
    assert!(report.findings[0].evidence[0].contains("42P01"), "{:?}", report.findings[0]);
    assert!(matches!(query(&report, "nothing").verdict, Verdict::Inconclusive { .. }));
    assert_eq!(query(&report, "guarded").verdict, Verdict::Fail);
}
