//! Queries that no file declares: `--from-statements` and `--trace`, through the program.

use crate::cli::{code, plimsoll, stderr};
use crate::support;
use plimsoll::model::Quiet;
use plimsoll::postgres::{Session, Target, ThrowawayOptions};
use plimsoll::trace::{
    Bounds, Header, Outcome, Protocol, StatementRecord, StatementTemplate, Trace, ValueHasher, write,
};
use std::fs;
use std::path::Path;
use std::process::Output;

const SCHEMA: &str = "
    CREATE TABLE orders (id int PRIMARY KEY, user_id int NOT NULL, status text NOT NULL, created_at date NOT NULL);
    INSERT INTO orders SELECT n, n % 50, 'paid', date '2024-01-01' + n % 700 FROM generate_series(1, 2000) n;
    CREATE FUNCTION touch(id int) RETURNS int LANGUAGE sql VOLATILE AS 'SELECT id';
    ANALYZE orders;";

const PROJECT: &str = "[volumes]\nsmall = 1\n[budgets]\np95 = \"10s\"\n[slow-queries]\nmax-time = \"2s\"\n";

async fn ask(session: &Session) {
    for user in 1..=9_i32 {
        let history = "SELECT id, status FROM orders WHERE user_id = $1 ORDER BY created_at DESC LIMIT 20";
        session.query(history, &[&user]).await.unwrap();
        let inlined = [
            "SELECT count(*) FROM orders WHERE created_at BETWEEN '2024-02-01' AND '2024-03-01'".to_owned(),
            format!("SELECT o.id FROM orders o WHERE o.status LIKE '%a{user}%'"),
            format!("SELECT o.id FROM orders o WHERE lower(o.status) = 'p{user}'"),
            format!("SELECT o.id FROM orders o WHERE o.status ~ 'p{user}'"),
            format!("UPDATE orders SET status = 'x' WHERE id = {user}"),
            format!("SELECT touch(user_id) FROM orders WHERE id = {user}"),
            format!("SELECT date '2024-01-0{user}' FROM orders WHERE id = {user}"),
            "SELECT count(*) FROM pg_catalog.pg_class".to_owned(),
        ];
        for statement in inlined {
            session.batch_execute(&statement).await.unwrap();
        }
    }
}

fn queries(output: &Output) -> Vec<serde_json::Value> {
    let report: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", stderr(output)));
    report["scenarios"][0]["evidence"]["slow-queries"]["volumes"][0]["queries"].as_array().unwrap().clone()
}

/// The query whose statement contains a text.
fn asked<'a>(queries: &'a [serde_json::Value], text: &str) -> &'a serde_json::Value {
    let is_it = |query: &&serde_json::Value| {
        query["origin"]["statement"].as_str().unwrap().to_lowercase().contains(text)
    };
    queries.iter().find(is_it).unwrap_or_else(|| panic!("{text} in {queries:#?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_counted_is_measured_or_named_with_the_reason() {
    let setting = ("shared_preload_libraries".to_owned(), "pg_stat_statements".to_owned());
    let options = ThrowawayOptions { settings: vec![setting], ..support::server_options() };
    let target = Target::throwaway(&options, &Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    let name = target.create_database("statements").await.unwrap();
    let session = target.connect_to(&name).await.unwrap();
    session.batch_execute(SCHEMA).await.unwrap();
    let url = target.url_for(&name);
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("plimsoll.toml"), PROJECT).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = plimsoll(folder.path());
        command.args(["slow-queries", "--url", &url, "--format", "json"]).args(arguments).output().unwrap()
    };

    let output = run(&["--from-statements"]);
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    assert!(stderr(&output).contains("CREATE EXTENSION pg_stat_statements"), "{}", stderr(&output));

    session.batch_execute("CREATE EXTENSION pg_stat_statements").await.unwrap();
    ask(&session).await;
    let output = run(&["--from-statements=20"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let queries = queries(&output);
    let verdict = |text: &str| asked(&queries, text)["verdict"]["verdict"].as_str().unwrap().to_owned();
    let reason = |text: &str| asked(&queries, text)["verdict"]["reason"].as_str().unwrap().to_owned();

    let history = asked(&queries, "order by created_at");
    assert_eq!(verdict("order by created_at"), "pass", "{history:#}");
    assert!(history["query"].as_str().unwrap().starts_with("select_orders_"), "{history:#}");
    assert_eq!(history["origin"]["calls"], 9);
    assert_eq!(history["location"], serde_json::Value::Null);
    let label = history["parameter_sets"][0]["label"].as_str().unwrap();
    assert!(label.starts_with("user_id=") && label.contains("limit=20"), "{label}");
    assert!(history["parameter_sets"][0]["rows"].as_u64().unwrap() > 0);

    assert_eq!(verdict("between"), "pass");
    for set in asked(&queries, "between")["parameter_sets"].as_array().unwrap() {
        let label = set["label"].as_str().unwrap();
        let days: Vec<&str> = label.split(", ").filter_map(|part| part.split(['=', ' ']).nth(1)).collect();
        assert!(days[0] <= days[1], "{label}");
    }
    assert_eq!(verdict("like"), "pass");
    let like = asked(&queries, "like")["parameter_sets"][0].clone();
    assert_eq!((&like["label"], &like["rows"]), (&"status=pai%".into(), &1991.into()));
    let lower = asked(&queries, "lower")["parameter_sets"][0].clone();
    assert_eq!((&lower["label"], &lower["rows"]), (&"status=paid".into(), &1991.into()));
    assert!(
        reason("status ~ ").contains("$1 (text) is not compared with a column"),
        "{}",
        reason("status ~ ")
    );
    assert!(reason("update").contains("may only be read"), "{}", reason("update"));
    assert!(reason("touch").contains("touch, which is volatile"), "{}", reason("touch"));
    assert!(reason("select date").contains("without its values"), "{}", reason("select date"));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(!text.contains("pg_class"));
    assert!(text.contains("statement-skipped") && text.contains("statement-measured"));
    let written: i64 =
        session.query_one("SELECT count(*) FROM orders WHERE status = 'x'", &[]).await.unwrap().get(0);
    assert_eq!(written, 9, "a precious target is as it was");

    let url_less = plimsoll(folder.path()).args(["slow-queries", "--from-statements"]).output().unwrap();
    assert_eq!(code(&url_less), 2);
    assert!(stderr(&url_less).contains("--url"), "{}", stderr(&url_less));
    drop(session);
    target.close().await.unwrap();
}

fn record(text: &str, keep: bool) -> StatementRecord {
    let (hasher, bounds) = (ValueHasher::new(1), Bounds::default());
    let template = StatementTemplate::parse(text, &hasher, &bounds);
    StatementRecord {
        sequence: 1,
        connection: 1,
        transaction: None,
        scope: None,
        start_us: 100,
        first_row_us: None,
        end_us: 350,
        arguments: template.arguments(&hasher, 100, |_| None),
        shape: template.shape,
        rows: 3,
        bytes: 0,
        columns: Vec::new().into(),
        values: Vec::new(),
        outcome: Outcome::Ok,
        protocol: Protocol::Simple,
        continues: None,
        application_name: None,
        tags: None,
        kept_arguments: keep.then(|| StatementTemplate::kept_arguments(text, |_| None)),
        kept_text: None,
    }
}

fn write_trace(path: &Path, records: Vec<StatementRecord>) {
    let header =
        Header { hash_key_id: 1, started_at_us: 0, source: "test".into(), bounds: Bounds::default() };
    let mut trace = Trace::new(header);
    trace.statements = records;
    write(path, &trace).unwrap();
}

#[test]
fn the_shapes_of_a_trace_are_measured_with_their_values_or_with_the_data() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("plimsoll.toml"), PROJECT).unwrap();
    fs::create_dir(folder.path().join("migrations")).unwrap();
    fs::write(folder.path().join("migrations/001_schema.sql"), SCHEMA).unwrap();
    let trace = folder.path().join("suite.trace");
    write_trace(
        &trace,
        vec![
            record("SELECT id FROM orders WHERE user_id IN (3, 4) AND status = 'paid'", true),
            record("SELECT id FROM orders WHERE status LIKE 'pa%'", true),
            record("SELECT id FROM orders WHERE id = 7", false),
            record("SELECT id FROM orders WHERE lower(status) = 'paid'", false),
            record("UPDATE orders SET status = 'sent' WHERE id = 8", true),
            record("BEGIN", true),
        ],
    );
    let mut command = plimsoll(folder.path());
    let output =
        command.args(["slow-queries", "--format", "json", "--trace", "suite.trace"]).output().unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let queries = queries(&output);
    assert_eq!(queries.len(), 5, "{queries:#?}");
    let label = |text: &str| asked(&queries, text)["parameter_sets"][0]["label"].as_str().unwrap().to_owned();
    assert_eq!(label("user_id"), "user_id_list={\"3\",\"4\"} (recorded), status=paid (recorded)");
    assert_eq!(label("like"), "status=pa% (recorded)");
    assert!(label("id = $1").ends_with(" (sample)"), "{}", label("id = $1"));
    assert_eq!(label("lower(status)"), "status=paid");
    assert_eq!(asked(&queries, "update")["writes"], true);
    assert_eq!(asked(&queries, "update")["verdict"]["verdict"], "pass");

    let output = plimsoll(folder.path()).args(["slow-queries", "--trace", "absent.trace"]).output().unwrap();
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("there is no trace absent.trace"), "{}", stderr(&output));
}
