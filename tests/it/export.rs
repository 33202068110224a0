//! `plimsoll export`: tables of a real server, and receivers of metrics on loopback.

use crate::cli::{code, plimsoll, stderr};
use crate::{reports, support};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::metrics::v1::{metric, number_data_point};
use plimsoll::model::evidence::Evidence;
use plimsoll::model::evidence::deadlock::{ContentionPoint, DeadlockEvidence, LatencySummary};
use plimsoll::model::evidence::load::{
    LoadDecision, LoadEvidence, LoadLatency, LoadLimit, LoadLine, LoadQuery, LoadSlice, LoadStep,
};
use plimsoll::model::evidence::slow_queries::{
    BudgetEvidence, QueryEvidence, SlowQueriesEvidence, VolumeEvidence,
};
use plimsoll::model::{
    Interval, Measurement, RunReport, Scenario, ScenarioReport, SourceLocation, Unit, Variant, Verdict,
};
use plimsoll::postgres::results::{RunRows, store};
use plimsoll::report::{json, kept_run, tables};
use prost::Message as _;
use receiver::Receiver;
use std::fs;
use std::path::Path;

mod receiver;

/// Everything the tables have room for.
pub(crate) fn full_run() -> RunReport {
    let mut run = json::read(&reports::older_run()).unwrap();
    run.scenarios[0].findings.extend(reports::sample().scenarios[0].findings.clone());
    run.scenarios[0].evidence = Evidence::SlowQueries(budgets());
    run.scenarios[2].evidence = Evidence::Deadlock(DeadlockEvidence {
        contention_sweep: [1, 2, 4, 8].into_iter().map(load_point).collect(),
        ..DeadlockEvidence::default()
    });
    run.scenarios.push(load());
    for entry in &mut run.scenarios {
        entry.warnings.retain(|warning| warning.code() != "evidence-of-another-version");
    }
    run
}

/// A time that uses 84 % of its budget, and a number of rows that is guarded.
fn budgets() -> SlowQueriesEvidence {
    let budget = |text: &str, unit, value, limit| BudgetEvidence {
        text: text.into(),
        verdict: Verdict::Pass,
        value: Some(value),
        unit,
        limit: Some(limit),
        interval: (unit == Unit::Microseconds).then_some(Interval {
            low: 0.9 * value,
            high: 1.1 * value,
            confidence: 0.99983,
        }),
        because: String::new(),
    };
    let query = QueryEvidence {
        query: "order_history".into(),
        location: Some(SourceLocation { path: "queries/order_history.sql".into(), line: 1 }),
        origin: None,
        verdict: Verdict::Pass,
        cold: false,
        writes: false,
        latency: None,
        budgets: vec![
            budget("p95 < 5ms", Unit::Microseconds, 4_200.0, 5_000.0),
            budget("rows >= 1", Unit::Rows, 3.0, 1.0),
        ],
        parameter_sets: Vec::new(),
        worst_plan: None,
        reason: None,
        result_hash: None,
        result_hashes: Vec::new(),
    };
    let volume = VolumeEvidence {
        volume: "small".into(),
        factor: 1.0,
        ping: None,
        client_cpu_share: 0.1,
        client_cpu_us: 5.0,
        queries: vec![query],
        tables: Vec::new(),
        data: Vec::new(),
    };
    SlowQueriesEvidence { volumes: vec![volume], ..SlowQueriesEvidence::default() }
}

/// A line between 355 and 398 requests per second.
fn load() -> ScenarioReport {
    let measurement = |metric, value| Measurement {
        subject: "all requests".into(),
        metric,
        unit: Unit::PerSecond,
        value,
        samples: 6,
        interval: None,
        volume: Some("small".into()),
        variant: Variant::Only,
    };
    ScenarioReport {
        scenario: Scenario::Load,
        verdict: Verdict::Pass,
        summary: "holds at 355/s, breaks at 398/s (measured; no rate is required)".into(),
        findings: Vec::new(),
        measurements: vec![measurement("holds_at", 355.0), measurement("breaks_at", 398.0)],
        evidence: Evidence::Load(load_evidence()),
        warnings: Vec::new(),
        duration_ms: 20_000,
    }
}

pub(crate) fn load_evidence() -> LoadEvidence {
    let step = |offered_per_s: f64, outcome, p95_us, dropped| LoadStep {
        offered_per_s,
        outcome,
        because: "p95 < 50ms".into(),
        due: 2000,
        completed: 2000 - dropped,
        queued: 100,
        dropped,
        completed_per_s: offered_per_s.min(370.0),
        latency: Some(LoadLatency {
            samples: 2000,
            avg_us: 6_000.0,
            p50_us: 5_300.0,
            p90_us: 9_000.0,
            p95_us,
            p99_us: if dropped > 0 { f64::INFINITY } else { 2.0 * p95_us },
            max_us: f64::INFINITY,
        }),
        slices: vec![LoadSlice::default(); 6],
        ..LoadStep::default()
    };
    LoadEvidence {
        volume: "small".into(),
        loop_kind: "open",
        pacing: "poisson",
        connections: 2,
        queries: vec![LoadQuery { query: "sleeper".into(), share: 1.0, writes: false, parameter_sets: 1 }],
        limits: vec![LoadLimit {
            text: "p95 < 50ms".into(),
            query: None,
            quantile: 0.95,
            limit_us: 50_000.0,
            origin: "default",
        }],
        steps: vec![
            step(178.0, "open", 10_300.0, 0),
            step(355.0, "holds", 44_000.0, 0),
            step(398.0, "breaks", 140_000.0, 84),
        ],
        line: Some(LoadLine {
            holds_per_s: Some(355.0),
            sustained_per_s: Some(346.0),
            breaks_per_s: Some(398.0),
            generator_bound_per_s: None,
            because: "p95 < 50ms is broken".into(),
            verdict: Verdict::Pass,
        }),
        at_least: Some(200.0),
        decision: LoadDecision { confidence: 0.95, ..LoadDecision::default() },
    }
}

fn load_point(workers: u32) -> ContentionPoint {
    ContentionPoint {
        deadlock_timeout_us: 100_000.0,
        failures: 0,
        spec: "ship_orders".into(),
        workers,
        hot_rows: 2,
        ordered: workers == 1,
        duration_s: 2.0,
        committed: 400 / u64::from(workers),
        deadlocks: u64::from(workers) - 1,
        retries: 3,
        latency: LatencySummary { samples: 400, p50_us: 900.0, p99_us: 4_200.0, max_us: 9_000.0 },
    }
}

pub(crate) fn rows(run: &RunReport) -> RunRows {
    RunRows { run_id: run.run_id.clone(), tables: tables::rows(run) }
}

/// Everything in the tables, as text.
async fn content(database: &support::TestDatabase) -> String {
    let session = database.session().await;
    let mut text = String::new();
    for (table, _) in tables::rows(&reports::sample()) {
        let query = format!("SELECT t::text FROM plimsoll.{table} t ORDER BY t::text");
        for row in session.query(&query, &[]).await.unwrap() {
            text += &format!("{table} {}\n", row.get::<_, String>(0));
        }
    }
    text
}

async fn number(database: &support::TestDatabase, query: &str) -> i64 {
    database.session().await.query_one(query, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn exporting_a_run_twice_leaves_the_same_rows_as_once() {
    let database = support::database("export_twice").await;
    let url = database.target.url_for(&database.name);
    let run = full_run();
    assert_eq!(store(&url, &[rows(&run)]).await.unwrap().found_version, 0);
    let once = content(&database).await;
    assert_eq!(store(&url, &[rows(&run)]).await.unwrap().found_version, 4);
    assert_eq!(content(&database).await, once);
    assert_eq!(once.lines().filter(|line| line.starts_with("runs ")).count(), 1);
    assert_eq!(once.lines().filter(|line| line.starts_with("load_points ")).count(), 4);
    assert_eq!(once.lines().filter(|line| line.starts_with("load_steps ")).count(), 3);
    assert!(once.lines().any(|line| line.starts_with("budgets ")), "{once}");
}

#[tokio::test]
async fn every_figure_of_a_row_arrives_in_its_column() {
    let database = support::database("export_columns").await;
    store(&database.target.url_for(&database.name), &[rows(&full_run())]).await.unwrap();
    let session = database.session().await;
    for (table, expected) in tables::rows(&full_run()) {
        // A key that is no column would be dropped without a word.
        let query = format!("SELECT coalesce(jsonb_agg(to_jsonb(t)), '[]')::text FROM plimsoll.{table} t");
        let stored: serde_json::Value =
            serde_json::from_str(&session.query_one(&query, &[]).await.unwrap().get::<_, String>(0)).unwrap();
        let (stored, expected) = (stored.as_array().unwrap(), expected.as_array().unwrap());
        assert_eq!(stored.len(), expected.len(), "{table}");
        for row in expected {
            let same_number = |a: &serde_json::Value, b: &serde_json::Value| {
                a == b || a.as_f64().zip(b.as_f64()).is_some_and(|(a, b)| a == b)
            };
            let is_kept = |stored: &&serde_json::Value| {
                row.as_object().unwrap().iter().all(|(key, value)| match stored.get(key) {
                    Some(kept) => key == "run_at" || same_number(kept, value),
                    None => false,
                })
            };
            assert!(stored.iter().any(|stored| is_kept(&stored)), "{table}: {row}");
        }
    }
}

#[tokio::test]
async fn the_original_columns_hold_milliseconds_of_each_query_and_volume() {
    let database = support::database("export_original").await;
    let run = full_run();
    store(&database.target.url_for(&database.name), &[rows(&run)]).await.unwrap();
    let query = "SELECT run_at = $1::text::timestamptz, volume, avg_ms, p95_ms, max_ms, p95_low_ms, git_branch \
                 FROM plimsoll.benchmark_results WHERE query_label = 'order_history'";
    let row = database.session().await.query_one(query, &[&run.started_at]).await.unwrap();
    let figure = |metric: &str| {
        let all = &run.scenarios[0].measurements;
        let found = all.iter().find(|m| m.subject == "order_history" && m.metric == metric).unwrap();
        (found.value * 1e-3, found.interval.map(|interval| interval.low * 1e-3))
    };
    assert!(row.get::<_, bool>(0));
    assert_eq!(row.get::<_, &str>(1), "small");
    assert_eq!(row.get::<_, f64>(2), figure("avg").0);
    assert_eq!((row.get::<_, f64>(3), row.get::<_, Option<f64>>(5)), figure("p95"));
    assert_eq!(row.get::<_, f64>(4), figure("max").0);
    assert_eq!(row.get::<_, &str>(6), "main");
}

#[tokio::test]
async fn a_partial_run_is_marked_and_replaced_by_the_whole_one() {
    let database = support::database("export_partial").await;
    let url = database.target.url_for(&database.name);
    let whole = full_run();
    let mut partial = RunReport { complete: false, target: None, ..whole.clone() };
    partial.scenarios.truncate(1);
    store(&url, &[rows(&partial)]).await.unwrap();
    let partial_runs = "SELECT count(*) FROM plimsoll.runs WHERE NOT complete AND verdict <> 'pass'";
    assert_eq!(number(&database, partial_runs).await, 1);
    store(&url, &[rows(&whole)]).await.unwrap();
    assert_eq!(number(&database, partial_runs).await, 0);
    assert_eq!(number(&database, "SELECT count(*) FROM plimsoll.scenarios").await, 5);
}

#[tokio::test]
async fn what_a_database_cannot_hold_is_made_storable() {
    let database = support::database("export_odd").await;
    let mut run = reports::sample();
    run.seed = u64::MAX;
    run.scenarios[0].findings[0].message = "it's \0 a \"quote\" \\ and ü".into();
    store(&database.target.url_for(&database.name), &[rows(&run)]).await.unwrap();
    let query = "SELECT f.message, r.seed::text FROM plimsoll.findings f JOIN plimsoll.runs r USING (run_id) \
                 WHERE f.code = 'over-budget'";
    let row = database.session().await.query_one(query, &[]).await.unwrap();
    assert_eq!(row.get::<_, &str>(0), "it's \u{fffd} a \"quote\" \\ and ü");
    assert_eq!(row.get::<_, &str>(1), u64::MAX.to_string());
    // Infinity is not a figure to average.
    let infinite = "SELECT count(*) FROM plimsoll.measurements WHERE metric = 'time_ratio' AND value IS NULL";
    assert_eq!(number(&database, infinite).await, 1);
}

#[tokio::test]
async fn many_runs_are_stored_whole_and_of_two_with_one_id_the_later_one() {
    let database = support::database("export_many").await;
    let url = database.target.url_for(&database.name);
    let run = |number: usize| RunReport { run_id: format!("20260102T000000-{number:06}"), ..full_run() };
    let copied = RunReport { project: "copied".into(), ..run(0) };
    let all: Vec<RunRows> = (0..120).map(run).chain([copied]).map(|run| rows(&run)).collect();
    for _ in 0..2 {
        store(&url, &all).await.unwrap();
        for (table, own) in &all[0].tables {
            let stored = number(&database, &format!("SELECT count(*) FROM plimsoll.{table}")).await;
            assert_eq!(stored as usize, 120 * own.as_array().unwrap().len(), "{table}");
        }
    }
    assert_eq!(number(&database, "SELECT count(*) FROM plimsoll.runs WHERE project = 'copied'").await, 1);
}

#[tokio::test]
async fn two_exports_at_once_make_the_tables_once() {
    let database = support::database("export_race").await;
    let url = database.target.url_for(&database.name);
    let other = RunReport { run_id: "20260103T000000-000001".into(), ..full_run() };
    let (first, second) = ([rows(&full_run())], [rows(&other)]);
    let (a, b) = tokio::join!(store(&url, &first), store(&url, &second));
    let mut found = [a.unwrap().found_version, b.unwrap().found_version];
    found.sort_unstable();
    assert_eq!(found, [0, 4]);
    assert_eq!(number(&database, "SELECT count(*) FROM plimsoll.runs").await, 2);
}

#[tokio::test]
async fn tables_of_an_earlier_version_are_brought_up_to_date_with_their_rows() {
    let database = support::database("export_earlier").await;
    let first_version = include_str!("../../src/postgres/results/001_runs.sql");
    database
        .execute(&format!(
            "CREATE SCHEMA plimsoll; CREATE TABLE plimsoll.results_version (version integer NOT NULL); \
             INSERT INTO plimsoll.results_version VALUES (1); {first_version}; \
             INSERT INTO plimsoll.runs (run_id, run_at, project, verdict, complete, plimsoll_version, seed, \
             cpu_count, operating_system) VALUES ('old', now(), 'shop', 'pass', true, '0.0.1', 1, 2, 'linux')"
        ))
        .await;
    let stored = store(&database.target.url_for(&database.name), &[rows(&full_run())]).await.unwrap();
    assert_eq!((stored.found_version, stored.version), (1, 4));
    assert_eq!(number(&database, "SELECT count(*) FROM plimsoll.runs").await, 2);
    assert!(number(&database, "SELECT count(*) FROM plimsoll.budgets").await > 0);
}

#[tokio::test]
async fn the_confidence_of_a_budget_arrives_and_is_unknown_of_what_was_exported_before() {
    let database = support::database("export_confidence").await;
    let earlier = [
        include_str!("../../src/postgres/results/001_runs.sql"),
        include_str!("../../src/postgres/results/002_load.sql"),
        include_str!("../../src/postgres/results/003_load_line.sql"),
    ];
    database
        .execute(&format!(
            "CREATE SCHEMA plimsoll; CREATE TABLE plimsoll.results_version (version integer NOT NULL); \
             INSERT INTO plimsoll.results_version VALUES (3); {}; \
             INSERT INTO plimsoll.runs (run_id, run_at, project, verdict, complete, plimsoll_version, seed, \
             cpu_count, operating_system) VALUES ('old', now(), 'shop', 'pass', true, '0.0.1', 1, 2, 'linux'); \
             INSERT INTO plimsoll.budgets VALUES ('old', 0, 'small', 'q', 'p95 < 2ms', 'pass', 'us', 1, 2, 0.9, 1.1)",
            earlier.join(";")
        ))
        .await;
    let stored = store(&database.target.url_for(&database.name), &[rows(&full_run())]).await.unwrap();
    assert_eq!((stored.found_version, stored.version), (3, 4));
    let query =
        "SELECT run_id = 'old', confidence FROM plimsoll.budgets WHERE interval_low IS NOT NULL ORDER BY 1";
    let kept = database.session().await.query(query, &[]).await.unwrap();
    let kept: Vec<(bool, Option<f64>)> = kept.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(kept, [(false, Some(0.99983)), (true, None)]);
}

#[tokio::test]
async fn tables_of_a_later_version_are_left_alone() {
    let database = support::database("export_later").await;
    let url = database.target.url_for(&database.name);
    store(&url, &[]).await.unwrap();
    database.execute("UPDATE plimsoll.results_version SET version = 99").await;
    let error = store(&url, &[rows(&full_run())]).await.unwrap_err().to_string();
    assert!(error.contains("version 99") && error.contains("newer Plimsoll"), "{error}");
    assert_eq!(number(&database, "SELECT count(*) FROM plimsoll.runs").await, 0);
}

#[tokio::test]
async fn a_table_of_somebody_else_is_not_touched() {
    let database = support::database("export_foreign").await;
    database.execute("CREATE SCHEMA plimsoll; CREATE TABLE plimsoll.findings (mine integer)").await;
    let url = database.target.url_for(&database.name);
    let error = store(&url, &[rows(&full_run())]).await.unwrap_err().to_string();
    assert!(error.contains("\"findings\"") && error.contains("another database"), "{error}");
    assert_eq!(number(&database, "SELECT count(mine) FROM plimsoll.findings").await, 0);
    assert_eq!(number(&database, "SELECT count(*) FROM pg_tables WHERE schemaname = 'plimsoll'").await, 1);
}

#[tokio::test]
async fn a_run_that_is_refused_takes_the_whole_export_back() {
    let database = support::database("export_whole").await;
    let url = database.target.url_for(&database.name);
    let bad = RunReport { run_id: "bad".into(), started_at: "yesterday, I think".into(), ..full_run() };
    let error = store(&url, &[rows(&full_run()), rows(&bad)]).await.unwrap_err().to_string();
    assert!(error.contains("yesterday"), "{error}");
    let is_there = "SELECT count(*) FROM pg_namespace WHERE nspname = 'plimsoll'";
    assert_eq!(number(&database, is_there).await, 0);
}

#[tokio::test]
async fn a_role_that_may_not_make_tables_is_told_what_to_grant() {
    let database = support::database("export_rights").await;
    let url = database.target.url_for(&database.name);
    let role = format!("writer_{}", std::process::id());
    database.execute(&format!("CREATE ROLE {role} LOGIN PASSWORD 'w'")).await;
    let (_, place) = url.rsplit_once('@').unwrap();
    let as_writer = format!("postgres://{role}:w@{place}");
    let error = store(&as_writer, &[rows(&full_run())]).await.unwrap_err().to_string();
    assert!(error.contains("GRANT CREATE ON DATABASE"), "{error}");
    store(&url, &[]).await.unwrap();
    database
        .execute(&format!(
            "GRANT USAGE ON SCHEMA plimsoll TO {role}; \
             GRANT SELECT, INSERT, DELETE ON ALL TABLES IN SCHEMA plimsoll TO {role}"
        ))
        .await;
    store(&as_writer, &[rows(&full_run())]).await.unwrap();
    assert_eq!(number(&database, "SELECT count(*) FROM plimsoll.runs").await, 1);
}

/// A folder of kept runs: an older one, a partial one, and one nobody can read.
fn kept_runs() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let keep = |id: &str, run: RunReport| {
        let kept = kept_run::KeptRun::create(&folder.path().join("reports"), id).unwrap();
        kept.write(&RunReport { run_id: id.into(), ..run }).unwrap();
    };
    keep("20260101T000000-aaaaaa", full_run());
    keep("20260102T000000-bbbbbb", RunReport { complete: false, ..reports::sample() });
    keep("20260100T000000-ffffff", full_run());
    fs::write(folder.path().join("reports/20260100T000000-ffffff/run.json"), "{").unwrap();
    folder
}

fn export(folder: &Path, arguments: &[&str]) -> std::process::Output {
    let mut command = plimsoll(folder);
    for name in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env_remove(name);
    }
    command.env_remove("PLIMSOLL_EXPORT_TO").env_remove("OTEL_EXPORTER_OTLP_HEADERS");
    command.arg("export").args(arguments).output().unwrap()
}

fn stdout(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn all_kept_runs_go_and_what_cannot_be_read_is_named() {
    let database = support::database("export_all").await;
    let url = database.target.url_for(&database.name);
    let folder = kept_runs();
    let output = export(folder.path(), &["--all", "--to", &url]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let said = stdout(&output);
    assert!(said.starts_with("2 runs (") && said.contains("1 of them cut short"), "{said}");
    let (_, place) = url.rsplit_once('@').unwrap();
    assert!(said.contains(place.split('/').next().unwrap()), "{said}");
    let warned = stderr(&output);
    assert!(warned.contains("left out") && warned.contains("20260100T000000-ffffff"), "{warned}");
    assert_eq!(number(&database, "SELECT count(*) FROM plimsoll.runs").await, 2);
    let again = export(folder.path(), &["20260101", "--to", &url]);
    assert!(stdout(&again).starts_with("1 run ("), "{}", stdout(&again));
    assert_eq!(number(&database, "SELECT count(*) FROM plimsoll.runs").await, 2);
}

#[test]
fn wrong_use_says_what_to_do_and_shows_no_password() {
    let folder = kept_runs();
    let unreachable = "postgres://u:secret@127.0.0.1:1/d";
    for (arguments, expected_code, expected) in [
        (vec!["--to", "mysql://u:secret@h/d"], 2, "postgres://user@host/database"),
        (vec!["--to", "results.txt"], 2, "FILE.prom"),
        (vec![], 2, "--to"),
        (vec!["--all", "--to", "x.prom"], 2, "holds the latest run"),
        (vec!["--all", "2026", "--to", unreachable], 2, "cannot be used with"),
        (vec!["2025", "--to", unreachable], 2, "plimsoll history"),
        (vec!["20260100", "--to", unreachable], 3, "not a run report"),
        (vec!["20260101", "--to", unreachable], 3, "cannot connect to database d at 127.0.0.1:1"),
        (vec!["20260101", "--to", "postgres://h/d?colour=red"], 3, "unknown option"),
        (vec!["20260101", "--to", "no/such/folder/x.prom"], 3, "no/such/folder"),
        (vec!["20260101", "--to", "otlp+http://127.0.0.1:1"], 3, "cannot send to 127.0.0.1:1"),
        (vec!["20260101", "--to", "otlp+http://h", "--header", "secret"], 2, "NAME=VALUE"),
    ] {
        let output = export(folder.path(), &arguments);
        let said = stderr(&output);
        assert_eq!(code(&output), expected_code, "{arguments:?}: {said}");
        assert!(said.contains(expected) && !said.contains("secret"), "{arguments:?}: {said}");
    }
}

/// Samples of Prometheus' text: name, labels, value.
fn samples(text: &str) -> Vec<(String, String, f64)> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            (name.to_owned(), labels.trim_end_matches('}').to_owned(), value.parse().unwrap())
        })
        .collect()
}

#[test]
fn the_text_file_holds_one_sample_a_series_in_base_units() {
    let folder = kept_runs();
    let output = export(folder.path(), &["20260101", "--to", "plimsoll.prom"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let text = fs::read_to_string(folder.path().join("plimsoll.prom")).unwrap();
    let samples = samples(&text);
    let value = |name: &str, parts: &[&str]| {
        let fits = |labels: &String| parts.iter().all(|part| labels.contains(part));
        let found: Vec<_> = samples.iter().filter(|(n, labels, _)| n == name && fits(labels)).collect();
        assert_eq!(found.len(), 1, "{name} {parts:?}: {found:?}");
        found[0].2
    };
    let run = full_run();
    let p95 =
        run.scenarios[0].measurements.iter().find(|m| m.metric == "p95" && m.subject == "ping").unwrap();
    let labels = ["project=\"shop\"", "subject=\"ping\"", "metric=\"p95\"", "volume=\"small\""];
    assert!((value("plimsoll_measured_seconds", &labels) - p95.value * 1e-6).abs() < 1e-12);
    assert_eq!(value("plimsoll_scenario_verdict", &["scenario=\"deadlock\"", "verdict=\"fail\""]), 1.0);
    assert_eq!(value("plimsoll_scenario_verdict", &["scenario=\"deadlock\"", "verdict=\"pass\""]), 0.0);
    assert_eq!(value("plimsoll_findings", &["scenario=\"deadlock\"", "severity=\"failure\""]), 1.0);
    assert_eq!(value("plimsoll_run_info", &["git_branch=\"main\""]), 1.0);
    let mut series: Vec<_> = samples.iter().map(|(name, labels, _)| (name, labels)).collect();
    let all = series.len();
    series.sort_unstable();
    series.dedup();
    assert_eq!(series.len(), all, "a series twice makes the collector refuse the file");
    for line in text.lines().filter(|line| line.starts_with("# TYPE")) {
        assert!(line.ends_with(" gauge"), "{line}");
    }
}

/// Labels as their reader takes them.
fn unescaped(label: &str) -> String {
    let mut text = String::new();
    let mut characters = label.chars();
    while let Some(c) = characters.next() {
        text.push(match (c, c == '\\') {
            (_, true) => match characters.next().unwrap() {
                'n' => '\n',
                other => other,
            },
            (c, false) => c,
        });
    }
    text
}

#[test]
fn names_that_differ_in_escaped_characters_stay_apart_and_one_name_twice_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = reports::sample();
    let named = |subject: &str, value: f64| Measurement {
        subject: subject.into(),
        value,
        ..reports::sample().scenarios[0].measurements[1].clone()
    };
    let names = ["a\"b", "a\\\"b", "a\nb", "a\\nb", "a\\\nb", "a\\", "a", "a\tb", "a}b", "a,b=\"c\""];
    run.scenarios[0].measurements = names.iter().map(|name| named(name, 1.0)).collect();
    // Twice the same value is one sample; another one is left out, and said.
    run.scenarios[0].measurements.extend([named("a\nb", 1.0), named("a\\nb", 7.0)]);
    // To their readers, an empty label is none.
    run.scenarios[1].measurements = vec![
        Measurement { volume: None, ..named("q", 2.0) },
        Measurement { volume: Some(String::new()), ..named("q", 3.0) },
    ];
    kept_run::KeptRun::create(&folder.path().join("reports"), &run.run_id).unwrap().write(&run).unwrap();
    let output = export(folder.path(), &["--to", "plimsoll.prom"]);
    let said = stderr(&output);
    assert_eq!(code(&output), 0, "{said}");
    let warned: Vec<&str> = said.lines().filter(|line| line.contains("measured twice")).collect();
    assert_eq!(warned.len(), 2, "{said}");
    assert!(
        warned[0].contains("subject=\"a\\\\nb\"") && warned[0].contains(": 1 is sent, 7 is left out"),
        "{said}"
    );
    assert!(
        warned[1].contains("subject=\"q\"") && warned[1].contains(": 2 is sent, 3 is left out"),
        "{said}"
    );
    let text = fs::read_to_string(folder.path().join("plimsoll.prom")).unwrap();
    let blocks = text.lines().filter(|line| line.starts_with("plimsoll_measured_blocks{"));
    let subjects: Vec<String> = blocks
        .map(|line| {
            let (_, rest) = line.split_once("subject=\"").unwrap();
            unescaped(rest.rsplit_once("\",metric=").unwrap().0)
        })
        .collect();
    let mut expected: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    expected.push("q".into());
    assert_eq!(subjects, expected, "{text}");
}

#[test]
fn a_pushgateway_gets_the_text_in_place_of_what_it_had_of_the_project() {
    let folder = kept_runs();
    let receiver = Receiver::answering(202, Vec::new());
    let to = format!("pushgateway+http://{}/", receiver.address());
    let output = export(folder.path(), &["20260101", "--to", &to, "--header", "Authorization=Basic dTpw"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let request = receiver.request();
    assert_eq!(request.line, "PUT /metrics/job/plimsoll/project/shop HTTP/1.1");
    assert_eq!(request.header("authorization"), Some("Basic dTpw"));
    let text = String::from_utf8(request.body).unwrap();
    assert!(text.ends_with('\n') && !samples(&text).is_empty(), "{text}");
}

#[test]
fn a_refusal_is_shown_with_the_receivers_words() {
    let folder = kept_runs();
    let receiver = Receiver::answering(400, b"pushed metrics are invalid".to_vec());
    let to = format!("pushgateway+http://u:secret@{}", receiver.address());
    let output = export(folder.path(), &["20260101", "--to", &to]);
    let said = stderr(&output);
    assert_eq!(code(&output), 3, "{said}");
    assert!(said.contains("refused with 400") && said.contains("pushed metrics are invalid"), "{said}");
    assert!(!said.contains("secret"), "{said}");
}

#[test]
fn an_otlp_receiver_gets_gauges_at_the_time_of_the_run() {
    let folder = kept_runs();
    let receiver = Receiver::answering(200, Vec::new());
    let output = export(folder.path(), &["20260101", "--to", &format!("otlp+http://{}", receiver.address())]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let request = receiver.request();
    assert_eq!(request.line, "POST /v1/metrics HTTP/1.1");
    assert_eq!(request.header("content-type"), Some("application/x-protobuf"));
    let decoded = ExportMetricsServiceRequest::decode(request.body.as_slice()).unwrap();
    let resource = &decoded.resource_metrics[0];
    let keys: Vec<_> = resource
        .resource
        .as_ref()
        .unwrap()
        .attributes
        .iter()
        .map(|attribute| attribute.key.as_str())
        .collect();
    assert!(keys.contains(&"service.name") && keys.contains(&"vcs.ref.head.revision"), "{keys:?}");
    let metrics = &resource.scope_metrics[0].metrics;
    let times = metrics.iter().find(|metric| metric.name == "plimsoll.measured.time").unwrap();
    assert_eq!(times.unit, "s");
    let Some(metric::Data::Gauge(gauge)) = &times.data else { panic!("not a gauge") };
    let run = full_run();
    let expected = run.scenarios.iter().flat_map(|entry| &entry.measurements);
    let expected = expected.filter(|m| m.unit == plimsoll::model::Unit::Microseconds).count();
    assert_eq!(gauge.data_points.len(), expected);
    let started: jiff::Timestamp = run.started_at.parse().unwrap();
    for point in &gauge.data_points {
        assert_eq!(i128::from(point.time_unix_nano), started.as_nanosecond());
        let Some(number_data_point::Value::AsDouble(seconds)) = point.value else { panic!("no double") };
        assert!((0.0..60.0).contains(&seconds), "{seconds}");
    }
}

#[test]
fn points_that_a_receiver_rejects_are_an_error_although_it_answers_200() {
    let folder = kept_runs();
    let partial =
        ExportMetricsPartialSuccess { rejected_data_points: 3, error_message: "out of order".into() };
    let answer = ExportMetricsServiceResponse { partial_success: Some(partial) }.encode_to_vec();
    let receiver = Receiver::answering(200, answer);
    let output = export(folder.path(), &["20260101", "--to", &format!("otlp+http://{}", receiver.address())]);
    assert_eq!(code(&output), 3);
    assert!(stderr(&output).contains("rejected 3 points: out of order"), "{}", stderr(&output));
}
