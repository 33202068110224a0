//! `load` against a real server: the line of a query whose service time is known.

use crate::cli::{code, plimsoll, stderr};
use crate::{export, support};
use plimsoll::capacity::{Error, Options, Question, run};
use plimsoll::model::evidence::Evidence;
use plimsoll::model::evidence::load::LoadEvidence;
use plimsoll::model::{Quiet, Scenario, ScenarioReport, Verdict};
use plimsoll::prepare::{Context, Databases};
use plimsoll::project::Project;
use plimsoll::project::budget::Budget;
use plimsoll::report::{Format, json};
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

const SCHEMA: &str = "CREATE TABLE accounts (id int PRIMARY KEY, balance int NOT NULL);
    INSERT INTO accounts SELECT n, 0 FROM generate_series(1, 1000) n; ANALYZE accounts;";

fn project(root: &Path, queries: &str) -> Project {
    let write = |path: &str, text: &str| crate::support::write_file(root, path, text);
    write("plimsoll.toml", "");
    write("migrations/001_baseline.sql", SCHEMA);
    write("queries/all.sql", queries);
    Project::load(root).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// The report, and how many parts of it came before it was whole.
async fn load(queries: &str, options: &Options) -> (anyhow::Result<ScenarioReport>, usize) {
    let folder = tempfile::tempdir().unwrap();
    let project = project(folder.path(), queries);
    let target = support::server();
    let databases = Databases::new(&project, target, &Quiet);
    let parts = Mutex::new(0);
    let checkpoint = |_: &ScenarioReport| *parts.lock().unwrap() += 1;
    let context = Context {
        project: &project,
        target,
        databases: &databases,
        seed: 42,
        progress: &Quiet,
        checkpoint: &checkpoint,
    };
    let report = run(&context, options).await;
    let parts = *parts.lock().unwrap();
    (report, parts)
}

fn evidence(report: &ScenarioReport) -> &LoadEvidence {
    let Evidence::Load(evidence) = &report.evidence else { panic!("{:?}", report.evidence) };
    evidence
}

fn limits(text: &str) -> Vec<Budget> {
    Budget::latency_limits(text).unwrap()
}

/// Two connections that sleep 5 ms serve at most 400 per second; where the line is below that
/// depends on how late this machine wakes up.
#[tokio::test(flavor = "multi_thread")]
async fn the_line_of_a_known_service_time_lies_below_its_capacity() {
    let options = Options {
        connections: Some(2),
        slice: Duration::from_millis(300),
        limits: limits("p95 < 100ms"),
        max_time: Duration::from_secs(40),
        ..Options::default()
    };
    let (report, parts) = load("-- name: sleeps\nSELECT pg_sleep(0.005);", &options).await;
    let report = report.unwrap();
    let evidence = evidence(&report);
    let line = evidence.line.as_ref().unwrap();
    // A machine that is too busy says that nothing is decided; it never says something wrong.
    if let Some(holds) = line.sustained_per_s {
        assert!(holds < 405.0, "{line:?}");
    }
    if let (Some(holds), Some(breaks)) = (line.holds_per_s, line.breaks_per_s) {
        assert!(holds < breaks && report.verdict == Verdict::Pass, "{line:?}");
    }
    // A machine that is very busy may seem to break before that.
    for overloaded in evidence.steps.iter().filter(|step| step.offered_per_s > 420.0) {
        assert_ne!(overloaded.outcome, "holds", "{overloaded:?}");
        assert!(overloaded.completed_per_s < 405.0, "{overloaded:?}");
        let (latency, service) = (overloaded.latency.as_ref().unwrap(), overloaded.service.as_ref().unwrap());
        assert!(latency.p50_us > 1.5 * service.p50_us, "the queue is in the latency: {overloaded:?}");
    }
    assert!(parts >= evidence.steps.len(), "a report after every slice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_far_off_the_line_is_decided_and_errors_are_no_fast_answers() {
    let options = |question, slice_ms| Options {
        question,
        slice: Duration::from_millis(slice_ms),
        connections: Some(2),
        limits: limits("p95 < 2s"),
        ..Options::default()
    };
    let (report, _) = load("-- name: one\nSELECT 1;", &options(Question::Rate(40.0), 500)).await;
    let report = report.unwrap();
    assert_eq!(report.verdict, Verdict::Pass, "{report:?}");
    assert!(evidence(&report).line.is_none());
    // Half of the requests divide by zero: they are answered fast, and count as over the limit.
    let failing = "-- name: halves\n-- param: n = one_of(0, 1)\nSELECT 1 / :n::int;";
    let (report, _) = load(failing, &options(Question::Rate(60.0), 500)).await;
    let report = report.unwrap();
    assert_eq!(report.verdict, Verdict::Fail, "{report:?}");
    let codes: Vec<_> = report.findings.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, ["rate-not-held", "load-errors"]);
    let step = &evidence(&report).steps[0];
    let (sqlstate, count, message) = &step.errors[0];
    assert_eq!((sqlstate.as_str(), *count + step.completed), ("22012", step.due));
    assert!(message.contains("division by zero"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_are_rolled_back_and_a_closed_loop_says_that_it_is_one() {
    let queries = "-- name: deposit\n-- weight: 3\n-- param: id = sample(accounts.id)\n\
        UPDATE accounts SET balance = balance + 1 WHERE id = :id;\n\
        -- name: untouched\nSELECT 1 / (count(*) = 0)::int FROM accounts WHERE balance > 0;";
    // The second one fails unless no account has a balance: it cannot see what is rolled back.
    let options = Options {
        question: Question::Clients(3),
        slice: Duration::from_millis(200),
        limits: limits("p95 < 1s"),
        ..Options::default()
    };
    let (report, _) = load(queries, &options).await;
    let report = report.unwrap();
    let evidence = evidence(&report);
    assert_eq!((evidence.loop_kind, evidence.connections, report.verdict.word()), ("closed", 3, "pass"));
    assert_eq!(
        evidence.queries.iter().map(|q| (q.share, q.writes)).collect::<Vec<_>>(),
        [(0.75, true), (0.25, false)]
    );
    assert!(report.summary.starts_with("closed loop of 3 clients"), "{}", report.summary);
    assert!(report.warnings.iter().any(|warning| warning.code() == "rolled-back"));
    let step = &evidence.steps[0];
    assert!(step.errors.is_empty() && step.completed > 100 && step.over.is_empty(), "{step:?}");
    assert_eq!(step.latency, step.service);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_on_which_nothing_succeeds_is_refused_with_the_servers_words() {
    let (outcome, _) = load("-- name: fails\nSELECT 1 / 0;", &Options::default()).await;
    let error = outcome.unwrap_err();
    let refusal = error.downcast_ref::<Error>().unwrap();
    assert!(matches!(refusal, Error::NothingSucceeds { message } if message.contains("22012")), "{refusal}");
}

fn written(format: Format) -> String {
    let mut run = export::full_run();
    run.scenarios.retain(|entry| entry.scenario == Scenario::Load);
    let mut bytes = Vec::new();
    format.write(&run, false, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn the_terminal_shows_the_curve_with_the_line() {
    let text = written(Format::Terminal);
    let lines: Vec<&str> = text.lines().skip_while(|line| !line.contains("open loop")).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn the_page_draws_the_curve_and_says_it_in_words() {
    let page = written(Format::Html);
    for part in [
        "Latency over the offered rate",
        "holds at 355/s, breaks at 398/s, 200/s is required",
        ">required: 200/s</text>",
        ">p95 &lt; 50ms</text>",
        "Which rate does the database hold",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    // p50, p95, and p99 as far as there are answers; once for wide and once for narrow screens.
    assert_eq!(page.matches("<polyline").count(), 2 * 3);
}

#[test]
fn a_kept_load_reads_back_as_it_was_written() {
    let run = json::read(&written(Format::Json)).unwrap();
    let read = evidence(&run.scenarios[0]).clone();
    let whole = export::load_evidence();
    assert_eq!((&read.line, &read.limits, &read.queries), (&whole.line, &whole.limits, &whole.queries));
    assert_eq!(read.steps.len(), 3);
    // JSON has no infinity: a figure that was none reads as none.
    assert!(read.steps[2].latency.as_ref().unwrap().p99_us.is_nan());
}

/// Through the program: what cannot be is refused before a server is started.
#[test]
fn wrong_usage_is_refused_with_the_next_step() {
    let folder = tempfile::tempdir().unwrap();
    project(folder.path(), "-- name: one\nSELECT 1;");
    for (arguments, said) in [
        (vec!["absent"], "no query is called `absent`; there are one"),
        (vec!["--limit", "p95 < 5"], "--limit"),
        (vec!["--limit", "buffers < 5"], "not a limit on p50, p90, p95 or p99"),
        (vec!["--at-least", "0"], "a rate is a number of requests per second"),
        (vec!["--at-least", "2000", "--max-rate", "1000"], "--max-rate is 1000/s: raise it"),
        (vec!["--slice", "1ms"], "a slice is from 100ms to 60s long"),
        (vec!["--rate", "5", "--clients", "2"], "cannot be used with"),
        (vec!["--find", "--rate", "5"], "cannot be used with"),
        (vec!["--volume", "absent"], "no volume is called `absent`"),
    ] {
        let output = plimsoll(folder.path()).arg("load").args(&arguments).output().unwrap();
        assert_eq!(code(&output), 2, "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(said), "{arguments:?}: {}", stderr(&output));
    }
    assert!(!folder.path().join("reports").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_precious_database_is_only_read_and_a_gate_has_exit_codes() {
    let database = support::database("load precious").await;
    database.execute(SCHEMA).await;
    let folder = tempfile::tempdir().unwrap();
    let queries = "-- name: look\nSELECT 1;\n-- name: change\nUPDATE accounts SET balance = 1;";
    project(folder.path(), queries);
    let url = database.target.url_for(&database.name);
    let run = |arguments: &[&str]| {
        let mut command = plimsoll(folder.path());
        let common = ["load", "--url", &url, "--connections", "2", "--slice", "300ms", "--limit", "p95 < 2s"];
        let output = command.args(common).args(arguments).output().unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), stderr(&output));
        (code(&output), text)
    };
    let (passed, text) = run(&["--rate", "30"]);
    assert_eq!(passed, 0, "{text}");
    assert!(text.contains("change: left out, the database may only be read"), "{text}");
    assert!(text.contains("30/s holds"), "{text}");
    let (refused, text) = run(&["change"]);
    assert_eq!(refused, 2, "{text}");
    assert!(text.contains("change writes, and the database may only be read"), "{text}");
    // A second in the server for each request of two connections: at most 2/s.
    std::fs::write(folder.path().join("queries/all.sql"), "-- name: slow\nSELECT pg_sleep(1);").unwrap();
    let (failed, text) = run(&["--rate", "40"]);
    assert_eq!(failed, 1, "{text}");
    assert!(text.contains("rate-not-held") && text.contains("40/s does not hold"), "{text}");
    let changed = database.session().await.query_one("SELECT max(balance) FROM accounts", &[]).await.unwrap();
    assert_eq!(changed.get::<_, i32>(0), 0, "a precious database is as it was");
}

/// What another session holds is named, and found before any request is due.
#[tokio::test(flavor = "multi_thread")]
async fn a_query_behind_a_lock_is_named_and_the_command_ends() {
    let database = support::database("load locked").await;
    database.execute(SCHEMA).await;
    let folder = tempfile::tempdir().unwrap();
    project(folder.path(), "-- name: look\nSELECT count(*) FROM accounts;");
    let holder = database.session().await;
    holder.batch_execute("BEGIN; LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let url = format!("{}?options=-c%20lock_timeout%3D200ms", database.target.url_for(&database.name));
    let arguments = ["load", "--url", &url, "--rate", "30", "--connections", "1"];
    let output = plimsoll(folder.path()).args(arguments).output().unwrap();
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    for part in ["`look` cannot be prepared", "SQLSTATE 55P03", "pg_locks"] {
        assert!(stderr(&output).contains(part), "{part} in {}", stderr(&output));
    }
}
