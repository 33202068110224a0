//! The provisioned dashboards: every query of a panel, variable or annotation,
//! expanded as Grafana does, on a real server filled by `export` and read by
//! the role that Grafana has.

use crate::{export, support};
use expansion::{Variables, expand};
use plimsoll::model::{Finding, RunReport, Severity, Variant};
use plimsoll::postgres::results::store;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, NoTls, Row};

mod expansion;

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy")
}

fn dashboards() -> Vec<(String, Value)> {
    let folder = deploy().join("grafana/dashboards");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read = |path: PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap())
    };
    files.into_iter().map(read).collect()
}

fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{pointer} in {value}"))
}

/// A week of runs: one regressed, one cut short, one without git, and a query
/// whose name has to be quoted.
fn history() -> Vec<RunReport> {
    let mut runs: Vec<RunReport> = Vec::new();
    for day in 1..=6 {
        let mut run = export::full_run();
        run.run_id = format!("2026010{day}T120000-00000{day}");
        run.started_at = format!("2026-01-0{day}T12:00:00Z");
        for m in run.scenarios.iter_mut().flat_map(|entry| &mut entry.measurements) {
            m.value *= 1.0 + f64::from(day) / 10.0;
            if m.variant == Variant::Only && m.subject == "ping" {
                m.subject = "it's a query".into();
            }
        }
        runs.push(run);
    }
    runs[2].scenarios[1].findings.push(Finding {
        code: "regressed",
        severity: Severity::Failure,
        subject: "order_history".into(),
        message: "order_history reads 39 blocks instead of 5".into(),
        evidence: Vec::new(),
        next_step: "look at the plan".into(),
        location: None,
    });
    runs[3].complete = false;
    runs[3].scenarios.truncate(1);
    runs[4].environment.git_branch = None;
    runs
}

/// A database as `deploy/compose.yaml` makes it, with a history, and Grafana's session with it.
async fn filled(label: &str) -> (support::TestDatabase, Client) {
    let database = support::database(label).await;
    let reader = fs::read_to_string(deploy().join("postgres/reader.sql")).unwrap();
    let session = database.session().await;
    for statement in reader.split_inclusive(";\n") {
        // The role belongs to the server of all tests: whoever comes first makes it.
        if let Err(error) = session.batch_execute(statement).await {
            let code = error.code().map(|code| code.code().to_owned()).unwrap_or_default();
            assert!(["42710", "23505"].contains(&code.as_str()), "{error:?}");
            assert!(statement.contains("CREATE ROLE"), "{error:?}");
        }
    }
    let url = database.target.url_for(&database.name);
    let rows: Vec<_> = history().iter().map(export::rows).collect();
    store(&url, &rows).await.unwrap();
    let (_, place) = url.rsplit_once('@').unwrap();
    let as_reader = format!("postgres://plimsoll_reader:plimsoll_reader@{place}");
    let (client, connection) = tokio_postgres::connect(&as_reader, NoTls).await.unwrap();
    tokio::spawn(connection);
    (database, client)
}

/// The values that Grafana would have: the first of a single one, all of a multiple one.
async fn variables(grafana: &Client, dashboard: &Value) -> Variables {
    let mut known = Variables::default();
    for variable in list(dashboard, "/templating/list") {
        let name = text(variable, "/name");
        let query = expand(text(variable, "/query"), &known);
        let rows = grafana.query(&query, &[]).await.unwrap_or_else(|error| panic!("${name}: {error:?}"));
        let mut values: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        assert!(!values.is_empty(), "${name} has no values");
        if variable["multi"] == false {
            values.truncate(1);
        }
        known.set(name, values);
    }
    known
}

struct Shape {
    columns: Vec<(String, Type)>,
    rows: Vec<Row>,
    /// Seconds since 1970, where there is a column `time`.
    times: Vec<f64>,
}

impl Shape {
    async fn of(grafana: &Client, sql: &str, what: &str) -> Self {
        let statement = grafana.prepare(sql).await.unwrap_or_else(|error| panic!("{what}: {error:?}\n{sql}"));
        let columns: Vec<_> =
            statement.columns().iter().map(|c| (c.name().to_owned(), c.type_().clone())).collect();
        let rows = grafana.query(&statement, &[]).await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
        assert!(!rows.is_empty(), "{what} returns no rows:\n{sql}");
        let times = match columns.iter().any(|(name, _)| name == "time") {
            true => times(grafana, sql, &columns).await,
            false => Vec::new(),
        };
        Self { columns, rows, times }
    }

    fn names(&self) -> Vec<&str> {
        self.columns.iter().map(|(name, _)| name.as_str()).collect()
    }

    fn numbers(&self) -> Vec<&str> {
        self.columns.iter().filter(|(_, kind)| is_number(kind)).map(|(name, _)| name.as_str()).collect()
    }

    fn texts(&self) -> Vec<&str> {
        self.columns.iter().filter(|(_, kind)| *kind == Type::TEXT).map(|(name, _)| name.as_str()).collect()
    }
}

async fn times(grafana: &Client, sql: &str, columns: &[(String, Type)]) -> Vec<f64> {
    let (_, kind) = columns.iter().find(|(name, _)| name == "time").unwrap();
    let seconds = match *kind {
        Type::TIMESTAMPTZ => "extract(epoch FROM q.time)",
        _ if is_number(kind) => "q.time",
        ref other => panic!("`time` is {other}"),
    };
    let query = format!("SELECT ({seconds})::float8 FROM ({sql}) q");
    grafana.query(&query, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

fn is_number(kind: &Type) -> bool {
    [Type::FLOAT8, Type::INT4, Type::INT8, Type::NUMERIC].contains(kind)
}

#[tokio::test]
async fn every_panel_gets_rows_of_the_shape_it_draws() {
    let (_database, grafana) = filled("grafana_panels").await;
    let mut drawn = BTreeSet::new();
    for (file, dashboard) in dashboards() {
        let known = variables(&grafana, &dashboard).await;
        for panel in list(&dashboard, "/panels") {
            let what = format!("{file}, {}", text(panel, "/title"));
            for target in list(panel, "/targets") {
                let sql = expand(text(target, "/rawSql"), &known);
                let shape = Shape::of(&grafana, &sql, &what).await;
                check_shape(panel, target, &shape, &what);
                check_overrides(panel, &shape, &what);
            }
            drawn.insert(text(panel, "/type").to_owned());
        }
    }
    let expected = ["barchart", "bargauge", "stat", "table", "timeseries"].map(str::to_owned);
    assert_eq!(drawn, BTreeSet::from(expected), "every kind of panel has a shape that is checked");
}

fn check_shape(panel: &Value, target: &Value, shape: &Shape, what: &str) {
    match text(panel, "/type") {
        "timeseries" => {
            assert_eq!(target["format"], "time_series", "{what}");
            assert!(shape.texts().iter().all(|name| *name == "metric"), "{what}: {:?}", shape.texts());
            let values = shape.numbers().into_iter().filter(|name| *name != "time").count();
            assert_eq!(values, 1, "{what}: a series is named by `metric` where there is one value");
            let is_sorted = shape.times.windows(2).all(|pair| pair[0] <= pair[1]);
            assert!(shape.times.len() > 1 && is_sorted, "{what}: {:?}", shape.times);
        }
        "stat" => {
            assert_eq!(shape.rows.len(), 1, "{what}");
            for name in shape.texts() {
                let word: Option<String> = shape.rows[0].get(name);
                let word = word.unwrap_or_else(|| panic!("{what}: {name} is empty"));
                let mapped = panel.pointer(&format!("/fieldConfig/defaults/mappings/0/options/{word}"));
                assert!(mapped.is_some(), "{what}: `{word}` has no colour");
            }
        }
        "bargauge" => {
            assert_eq!((shape.texts().len(), shape.numbers().len()), (1, 1), "{what}: {:?}", shape.names());
        }
        "barchart" => {
            let x = text(panel, "/options/xField");
            assert_eq!(shape.texts(), [x], "{what}");
            assert!(!shape.numbers().is_empty(), "{what}");
        }
        "table" => assert_eq!(target["format"], "table", "{what}"),
        other => panic!("{what}: nobody says what a {other} needs"),
    }
}

/// An override of a column that is not there does nothing, without a word.
/// (A series' name is a value of `metric`.)
fn check_overrides(panel: &Value, shape: &Shape, what: &str) {
    for matcher in list(panel, "/fieldConfig/overrides") {
        let name = text(matcher, "/matcher/options");
        let is_verdict = ["pass", "fail", "inconclusive", "skipped"].contains(&name);
        assert!(shape.names().contains(&name) || is_verdict, "{what}: no column {name}");
    }
}

#[tokio::test]
async fn annotations_have_a_time_a_text_and_tags() {
    let (_database, grafana) = filled("grafana_annotations").await;
    let mut names = BTreeSet::new();
    for (file, dashboard) in dashboards() {
        let known = variables(&grafana, &dashboard).await;
        for annotation in list(&dashboard, "/annotations/list").iter().filter(|a| a["target"].is_object()) {
            let what = format!("{file}, {}", text(annotation, "/name"));
            let sql = expand(text(annotation, "/target/rawSql"), &known);
            let shape = Shape::of(&grafana, &sql, &what).await;
            assert_eq!(shape.names(), ["time", "text", "tags"], "{what}");
            assert_eq!(shape.columns[0].1, Type::TIMESTAMPTZ, "{what}");
            assert_eq!(shape.texts(), ["text", "tags"], "{what}");
            names.insert(text(annotation, "/name").to_owned());
            if text(annotation, "/name") == "Regressions" {
                let tags: String = shape.rows[0].get("tags");
                assert_eq!((shape.rows.len(), tags.as_str()), (1, "regressed,order_history,01234567"));
            }
        }
    }
    assert!(names.contains("Regressions"), "{names:?}");
}

#[tokio::test]
async fn figures_on_the_dashboards_are_those_that_were_measured() {
    let (_database, grafana) = filled("grafana_figures").await;
    let all = dashboards();
    let dashboard = |name: &str| &all.iter().find(|(file, _)| file == name).unwrap().1;
    let trends = dashboard("trends.json");
    let known = variables(&grafana, trends).await;
    let panel =
        list(trends, "/panels").iter().find(|p| text(p, "/title") == "Latency, 95th percentile").unwrap();
    let shape = Shape::of(&grafana, &expand(text(panel, "/targets/0/rawSql"), &known), "p95").await;
    let shown: Vec<f64> = shape
        .rows
        .iter()
        .filter(|row| row.get::<_, &str>("metric") == "order_history @ small")
        .map(|row| row.get("p95"))
        .collect();
    let measured: Vec<f64> = history()
        .iter()
        .map(|run| {
            let mut all = run.scenarios[0].measurements.iter();
            all.find(|m| m.subject == "order_history" && m.metric == "p95").unwrap().value * 1e-3
        })
        .collect();
    assert_eq!(shown, measured);
    let latest = dashboard("latest.json");
    let known = variables(&grafana, latest).await;
    let panel = list(latest, "/panels").iter().find(|p| text(p, "/title") == "Run").unwrap();
    let shape = Shape::of(&grafana, &expand(text(panel, "/targets/0/rawSql"), &known), "run").await;
    assert_eq!(shape.rows[0].get::<_, &str>("run"), history()[5].run_id);
}

#[tokio::test]
async fn grafanas_role_reads_and_changes_nothing() {
    let (_database, grafana) = filled("grafana_reader").await;
    let error = grafana.execute("DELETE FROM plimsoll.runs", &[]).await.unwrap_err();
    assert_eq!(error.code().unwrap().code(), "42501");
}

#[test]
fn dashboards_fit_the_part_of_grafanas_schema_that_they_use() {
    let schema: Value = serde_json::from_str(include_str!("grafana/dashboard.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for (file, dashboard) in dashboards() {
        let wrong: Vec<_> = validator
            .iter_errors(&dashboard)
            .map(|error| format!("{file} {}: {error}", error.instance_path()))
            .collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        let mut broken = dashboard.clone();
        broken["panels"][0]["gridPos"]["w"] = serde_json::json!(48);
        assert!(!validator.is_valid(&broken), "the schema lets everything pass");
    }
}

#[test]
fn dashboards_are_provisioned_where_compose_puts_them_and_ask_the_source_that_is_there() {
    let read = |path: &str| fs::read_to_string(deploy().join(path)).unwrap();
    let source = read("grafana/provisioning/datasources/plimsoll.yaml");
    let compose = read("compose.yaml");
    let provider = read("grafana/provisioning/dashboards/plimsoll.yaml");
    let folder = provider.lines().find_map(|line| line.trim().strip_prefix("path: ")).unwrap();
    assert!(compose.contains(&format!("./grafana/dashboards:{folder}:ro")), "{folder}");
    assert!(compose.contains("./grafana/provisioning:/etc/grafana/provisioning:ro"));
    assert!(compose.contains("./postgres/reader.sql:/docker-entrypoint-initdb.d/"));
    for image in compose.lines().filter_map(|line| line.trim().strip_prefix("image: ")) {
        let version = image.split_once(':').map_or("", |(_, version)| version);
        assert!(version.chars().filter(|c| *c == '.').count() >= 1, "{image} is not pinned");
    }
    let mut uids = BTreeSet::new();
    for (file, dashboard) in dashboards() {
        assert!(uids.insert(text(&dashboard, "/uid").to_owned()), "{file}: its uid is taken");
        let all = dashboard.to_string();
        for uid in all.split("\"grafana-postgresql-datasource\",\"uid\":\"").skip(1) {
            let uid = uid.split('"').next().unwrap();
            assert!(source.contains(&format!("uid: {uid}\n")), "{file}: no data source {uid}");
        }
        let ids: BTreeSet<_> = list(&dashboard, "/panels").iter().map(|p| p["id"].to_string()).collect();
        assert_eq!(ids.len(), list(&dashboard, "/panels").len(), "{file}: an id is there twice");
        assert_panels_do_not_overlap(&file, &dashboard);
    }
}

fn assert_panels_do_not_overlap(file: &str, dashboard: &Value) {
    let mut taken = BTreeSet::new();
    for panel in list(dashboard, "/panels") {
        let edge = |name: &str| panel["gridPos"][name].as_u64().unwrap();
        for x in edge("x")..edge("x") + edge("w") {
            for y in edge("y")..edge("y") + edge("h") {
                assert!(taken.insert((x, y)), "{file}: {} lies over another", panel["title"]);
            }
        }
    }
}
