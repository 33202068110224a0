//! The regression scenario on a real server: a shop before and after a change.

use crate::support::{TestDatabase, database};
use plimsoll::model::evidence::Evidence;
use plimsoll::model::evidence::regression::{
    Change, MigrationUnderLoad, PlanChangeKind, QueryComparison, ResultVerdict,
};
use plimsoll::model::{Quiet, ScenarioReport, Verdict};
use plimsoll::plan::Relations;
use plimsoll::scenarios::regression::attribution;
use plimsoll::scenarios::regression::cases::{Case, CaseParameters};
use plimsoll::scenarios::regression::comparison::{Bench, Found, compare_case, sessions};
use plimsoll::scenarios::regression::deepen;
use plimsoll::scenarios::regression::measure::{Method, choose_processor};
use plimsoll::scenarios::regression::sides::{self, SchemaChange};
use plimsoll::scenarios::regression::under_load;
use plimsoll::scenarios::regression::verdict::{RESOLUTION, RESOLUTION_PINNED, Thresholds};
use plimsoll::scenarios::regression::write_report::report;

const SHOP: &str = "
    CREATE TABLE users (id bigint PRIMARY KEY, email text NOT NULL UNIQUE, country text NOT NULL);
    CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint NOT NULL REFERENCES users, status text NOT NULL,
        total numeric(10,2) NOT NULL, created_at timestamptz NOT NULL, address text NOT NULL);
    INSERT INTO users SELECT i, 'user' || i || '@example.com', (ARRAY['US','DE','FR'])[1 + i % 3]
        FROM generate_series(1, 1000) i;
    INSERT INTO orders SELECT i, 1 + (i * 7919) % 1000, (ARRAY['paid','shipped'])[1 + i % 2], i % 500,
        timestamptz '2024-01-01 UTC' + i * interval '1 hour', repeat('street ', 8)
        FROM generate_series(1, 2500) i;";

const HISTORY: &str =
    "SELECT id, status, total FROM orders WHERE user_id = :user_id ORDER BY created_at DESC LIMIT 20";

fn case(name: &str, sql: &str, values: &[&str]) -> Case {
    let set =
        |value: &&str| CaseParameters { label: format!("={value}"), values: vec![Some((*value).to_owned())] };
    Case::of_statements(name, &[sql.to_owned()], values.iter().map(set).collect())
}

/// Compares the cases before and after the statements; times only where a cap is given.
async fn compare(
    template: &TestDatabase,
    change: &[&str],
    cases: &[Case],
    cap_us: Option<f64>,
) -> ScenarioReport {
    compare_deeply(template, change, cases, cap_us, false).await
}

async fn compare_deeply(
    template: &TestDatabase,
    change: &[&str],
    cases: &[Case],
    cap_us: Option<f64>,
    deep: bool,
) -> ScenarioReport {
    let target = template.target;
    let change = SchemaChange::Statements(change.iter().map(|&sql| sql.to_owned()).collect());
    let (sides, touched) = sides::prepare(target, &template.name, &change, &Quiet).await.unwrap();
    let processor = choose_processor(target).await;
    let resolution = if processor.is_some() { RESOLUTION_PINNED } else { RESOLUTION };
    let limits = Thresholds { time_ratio: 1.2, counter_ratio: 1.1, resolution };
    let method = cap_us.map(|cap_us| Method { processor, cap_us, confidence: 0.95, queries: cases.len() });
    let bench = Bench {
        target,
        sides: &sides,
        limits,
        method: method.as_ref(),
        relations: &Relations::default(),
        seed: 42,
        progress: &Quiet,
    };
    let mut found = Found::default();
    let pair = sessions(&bench).await.unwrap();
    for case in cases {
        compare_case(&bench, &pair, case, None, &mut found).await.unwrap();
    }
    drop(pair);
    if deep {
        let SchemaChange::Statements(statements) = &change else { unreachable!() };
        let steps = attribution::steps("002", &statements.join(";\n"));
        deepen::attribute(&bench, &steps, cases, &mut found).await.unwrap();
        deepen::add_write_costs(&bench, &touched, &mut found).await.unwrap();
        deepen::add_choices(&bench, cases, &mut found).await.unwrap();
    }
    sides::drop(target, &sides).await.unwrap();
    report(&found, &limits, 0.0)
}

fn query<'a>(report: &'a ScenarioReport, name: &str) -> &'a QueryComparison {
    let Evidence::Regression(evidence) = &report.evidence else { panic!("no evidence") };
    evidence.queries.iter().find(|query| query.query == name).unwrap()
}

fn codes(report: &ScenarioReport) -> Vec<&str> {
    report.findings.iter().map(|finding| finding.code).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_index_added_is_an_improvement_and_touches_nothing_else() {
    let shop = database("regression_added").await;
    shop.execute(SHOP).await;
    let cases = [
        case("order_history", HISTORY, &["17", "500", "-1"]),
        case("user_lookup", "SELECT * FROM users WHERE email = :email", &["user5@example.com"]),
        case("by_country", "SELECT country, count(*) FROM users WHERE id > :low GROUP BY 1", &["0"]),
    ];
    let change = ["CREATE INDEX idx_orders_user_created ON orders (user_id, created_at DESC)"];
    let report = compare(&shop, &change, &cases, Some(3e6)).await;
    let history = query(&report, "order_history");
    assert_eq!(history.change, Change::Improved, "{}", history.because);
    let set = &history.parameter_sets[0];
    let kinds: Vec<PlanChangeKind> = set.plan_changes.iter().map(|change| change.kind).collect();
    assert!(
        kinds.contains(&PlanChangeKind::ScanMethod) && kinds.contains(&PlanChangeKind::IndexGained),
        "{kinds:?}"
    );
    assert!(set.cost.0 / set.cost.1 > 4.0, "cost {:?}", set.cost);
    assert_eq!(set.result.unwrap().verdict, ResultVerdict::Same);
    let blocks = set.counters.iter().find(|counter| counter.metric == "buffers").unwrap();
    assert!(blocks.before > 25.0 && blocks.after < 10.0, "{blocks:?}");
    assert!(history.time.as_ref().unwrap().wall.unwrap().ratio < 0.8, "{:?}", history.time);
    for other in ["user_lookup", "by_country"] {
        let other = query(&report, other);
        assert!(matches!(other.change, Change::Unchanged | Change::Inconclusive), "{other:?}");
        assert!(other.parameter_sets.iter().all(|set| set.plan_changes.is_empty()));
    }
    assert_eq!(codes(&report), ["improved"], "{:?}", report.findings);
    assert!(report.summary.contains("1 improved"), "{}", report.summary);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_index_is_caught_by_counters_alone() {
    let shop = database("regression_dropped").await;
    shop.execute(SHOP).await;
    shop.execute("CREATE INDEX idx_orders_user ON orders (user_id)").await;
    let report =
        compare(&shop, &["DROP INDEX idx_orders_user"], &[case("order_history", HISTORY, &["17"])], None)
            .await;
    assert_eq!(report.verdict, Verdict::Fail);
    assert_eq!(codes(&report), ["plan-regressed"]);
    assert!(report.findings[0].next_step.contains("idx_orders_user"), "{}", report.findings[0].next_step);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_rows_and_a_failing_query_are_findings_of_their_own() {
    let shop = database("regression_results").await;
    shop.execute(SHOP).await;
    let cases = [
        case("paid", "SELECT id FROM orders WHERE status <> 'settled' AND user_id = :user_id", &["501", "6"]),
        case("totals", "SELECT sum(total) FROM orders WHERE user_id = :user_id", &["6"]),
        case("random", "SELECT random() WHERE :one = 1", &["1"]),
    ];
    let change = [
        "UPDATE orders SET status = 'settled' WHERE user_id = 6",
        "ALTER TABLE orders RENAME total TO amount",
    ];
    let report = compare(&shop, &change, &cases, None).await;
    let mut found = codes(&report);
    found.sort_unstable();
    assert_eq!(found, ["query-failed-after", "result-changed", "result-undetermined"]);
    assert_eq!(report.verdict, Verdict::Fail);
    let failed = report.findings.iter().find(|finding| finding.code == "query-failed-after").unwrap();
    assert!(failed.message.contains("42703"), "{}", failed.message);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ties_at_a_limit_are_not_another_result() {
    let shop = database("regression_ties").await;
    shop.execute(SHOP).await;
    let cases = [case("ties", "SELECT id FROM orders WHERE id >= :low ORDER BY status LIMIT 5", &["1"])];
    let report = compare(&shop, &["CREATE INDEX ON orders (status, id DESC)"], &cases, None).await;
    assert_eq!(query(&report, "ties").parameter_sets[0].result.unwrap().verdict, ResultVerdict::TiesOnly);
    assert_eq!(codes(&report), ["result-ties", "improved"]);
    assert_eq!(report.verdict, Verdict::Pass);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_is_measured_and_rolled_back() {
    let shop = database("regression_write").await;
    shop.execute(SHOP).await;
    let cases = [case("pay", "UPDATE orders SET status = 'paid' WHERE user_id = :user_id", &["17"])];
    let report = compare(&shop, &["CREATE INDEX ON orders (status)"], &cases, Some(1e6)).await;
    let set = &query(&report, "pay").parameter_sets[0];
    let wal = set.counters.iter().find(|counter| counter.metric == "wal_records").unwrap();
    assert!(wal.after > wal.before, "{wal:?}");
    assert_eq!(set.result.unwrap().verdict, ResultVerdict::Same);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slowdown_by_time_only_is_found() {
    let shop = database("regression_time").await;
    let burn = |rounds: u32| {
        format!(
            "CREATE OR REPLACE FUNCTION burn(n int) RETURNS int LANGUAGE plpgsql AS \
             $$ BEGIN FOR i IN 1..{rounds} LOOP n := n + 1; END LOOP; RETURN n; END $$"
        )
    };
    shop.execute(&burn(500)).await;
    let cases = [case("burn", "SELECT burn(:n)", &["1"])];
    let report = compare(&shop, &[&burn(10_000)], &cases, Some(10e6)).await;
    let burnt = query(&report, "burn");
    assert_eq!(burnt.change, Change::Regressed, "{}", burnt.because);
    assert_eq!(codes(&report), ["result-changed", "time-regressed"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_change_is_attributed_to_its_statement_and_indexes_are_charged() {
    let shop = database("regression_deep").await;
    shop.execute(SHOP).await;
    let cases = [
        case("order_history", HISTORY, &["17", "-1"]),
        case("by_country", "SELECT id FROM users WHERE country = :country AND id < 5", &["US", "XX"]),
        case("lookup", "SELECT * FROM users WHERE email = :email", &["user5@example.com"]),
    ];
    let change = [
        "CREATE INDEX idx_users_country ON users (country, id)",
        "ALTER TABLE users ADD note text",
        "CREATE INDEX idx_orders_user_created ON orders (user_id, created_at DESC)",
        "CREATE INDEX idx_orders_status ON orders (status)",
    ];
    let report = compare_deeply(&shop, &change, &cases, None, true).await;
    let history = query(&report, "order_history");
    let attribution = history.attribution.as_ref().unwrap();
    assert_eq!((attribution.number, attribution.line), (3, 3), "{attribution:?}");
    assert!(attribution.statement.contains("idx_orders_user_created"));
    assert_eq!(query(&report, "lookup").attribution, None);
    let Evidence::Regression(evidence) = &report.evidence else { panic!("no evidence") };
    let orders = evidence.write_costs.iter().find(|cost| cost.table == "orders").unwrap();
    assert_eq!(orders.left_out, "");
    assert_eq!((orders.indexes_added.len(), orders.rows), (2, 2000));
    assert!(orders.indexes_added.iter().all(|index| index.bytes > 8192 && index.table_rows == 2500));
    let (before, after) = orders.insert_wal_bytes.unwrap();
    assert!(after > before * 1.2, "an insert costs {before} then {after} bytes of WAL");
    let (hot_before, hot_after) = orders.hot_share.unwrap();
    assert!(hot_before > 0.9 && hot_after < 0.1, "{} {hot_before} {hot_after}", orders.update_of);
    assert!(evidence.queries.iter().all(|query| !query.is_unstable), "{:?}", evidence.queries);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_that_depends_on_its_parameter_is_said_so() {
    let shop = database("regression_choices").await;
    shop.execute(SHOP).await;
    shop.execute(
        "CREATE TABLE events (id bigint, kind text, body text);
         INSERT INTO events SELECT i, CASE WHEN i % 1000 = 0 THEN 'rare' ELSE 'common' END, repeat('x', 200)
             FROM generate_series(1, 20000) i;
         CREATE INDEX events_kind ON events (kind)",
    )
    .await;
    let cases =
        [case("events", "SELECT sum(length(body)) FROM events WHERE kind = :kind", &["rare", "common"])];
    let report = compare_deeply(&shop, &["ALTER TABLE users ADD x int"], &cases, None, true).await;
    let choices = &query(&report, "events").plan_choices;
    assert!(choices[0].starts_with("the plan depends on the parameters"), "{choices:?}");
    assert!(choices.iter().any(|choice| choice.starts_with("a generic plan differs")), "{choices:?}");
}

/// Runs the statements under load on a clone of the shop.
async fn under_load(
    shop: &TestDatabase,
    sql: &str,
    in_transaction: bool,
    options: &under_load::Options,
) -> MigrationUnderLoad {
    let clone = shop.target.clone_database(&shop.name, "under_load").await.unwrap();
    let migration = under_load::Migration { steps: attribution::steps("002", sql), in_transaction };
    let tables = ["orders".to_owned()];
    under_load::run(shop.target, &clone, &migration, &tables, &[], options, &Quiet).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_metadata_only_change_behind_a_long_reader_stalls_others() {
    let shop = database("regression_stall").await;
    shop.execute(SHOP).await;
    let options = under_load::Options::default();
    let load = under_load(&shop, "ALTER TABLE orders ADD COLUMN note text", true, &options).await;
    let statement = &load.statements[0];
    assert_eq!(statement.error, None);
    assert!(statement.worst_reader_ms > 1_000.0, "{statement:?}");
    assert!(statement.worst_writer_ms > 1_000.0, "{statement:?}");
    assert!(statement.most_queued >= 2, "{statement:?}");
    assert!(statement.queued.iter().any(|sql| sql == "SELECT 1 FROM orders LIMIT 1"), "{statement:?}");
    assert!(statement.queued.iter().any(|sql| sql.starts_with("UPDATE orders")), "{statement:?}");
    let lock = statement.locks.iter().find(|lock| lock.mode == "AccessExclusiveLock").unwrap();
    assert!(lock.relation == "orders" && lock.waited_ms > 1_000, "{lock:?}");
    assert!(statement.rewritten.is_empty() && load.invalid_indexes.is_empty());
    // Over time: the stall is in the series of both, beside the statement that made it.
    let subjects: Vec<&str> = load.series.iter().map(|series| series.subject.as_str()).collect();
    assert_eq!(subjects, ["readers", "writers"]);
    for series in &load.series {
        let slowest_us = series.buckets.iter().map(|bucket| bucket.max_us).fold(0.0, f64::max);
        assert!(slowest_us > 1_000_000.0 && series.spans.len() == 1, "{slowest_us} {:?}", series.spans);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rewrite_is_seen_by_its_new_file() {
    let shop = database("regression_rewrite").await;
    shop.execute(SHOP).await;
    let options = under_load::Options { long_transaction_seconds: 0.0, ..Default::default() };
    let load = under_load(&shop, "ALTER TABLE orders ALTER id TYPE numeric", true, &options).await;
    assert_eq!(load.statements[0].rewritten, ["orders"]);
    assert!(load.statements[0].safer_form.as_ref().unwrap().contains("new column"));
    assert!(load.statements[0].wal_bytes > 100_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_build_cut_short_leaves_an_invalid_index() {
    let shop = database("regression_invalid").await;
    shop.execute(SHOP).await;
    let options = under_load::Options { lock_timeout: "200ms".into(), ..Default::default() };
    let sql = "CREATE INDEX CONCURRENTLY idx_orders_status ON orders (status)";
    let load = under_load(&shop, sql, false, &options).await;
    assert!(load.statements[0].error.as_ref().unwrap().contains("55P03"), "{load:?}");
    assert_eq!(load.invalid_indexes, ["idx_orders_status"]);
}

#[test]
fn the_command_measures_a_migration_under_load_and_over_volumes() {
    let folder = crate::cli::shop();
    let settings = "[volumes]\nsmall = 1\nmedium = 8\n[regression]\nfrom = \"001\"\nto = \"002\"\n";
    std::fs::write(folder.path().join("plimsoll.toml"), settings).unwrap();
    let words = "regression order_history --under-load --without-times --format json --project-to 25000000";
    let refused = crate::cli::plimsoll(folder.path()).args(words.split(' ')).output().unwrap();
    assert_eq!(crate::cli::code(&refused), 2);
    assert!(
        crate::cli::stderr(&refused).contains("--volume small,medium"),
        "{}",
        crate::cli::stderr(&refused)
    );
    let output = crate::cli::plimsoll(folder.path())
        .args(words.split(' '))
        .args(["--volume", "small,medium"])
        .output()
        .unwrap();
    assert_eq!(crate::cli::code(&output), 0, "{}", crate::cli::stderr(&output));
    let run: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let load = &run["scenarios"][0]["evidence"]["regression"]["under_load"];
    let statements = load["statements"].as_array().unwrap_or_else(|| panic!("{run:#}"));
    assert_eq!(statements.len(), 3);
    let orders = &statements[0];
    let locks = orders["locks"].as_array().unwrap();
    assert!(
        locks.iter().any(|lock| lock["relation"] == "orders" && lock["mode"] == "ShareLock"),
        "{locks:?}"
    );
    assert!(orders["safer_form"].as_str().unwrap().contains("CONCURRENTLY"));
    assert_eq!(orders["indexes_built"][0]["name"], "idx_orders_user_created");
    let growth = &orders["growth"];
    let sizes: Vec<u64> =
        growth["points"].as_array().unwrap().iter().map(|point| point[0].as_u64().unwrap()).collect();
    assert_eq!(sizes, [2500, 2500, 2500, 20_000, 20_000, 20_000]);
    assert_eq!(
        (growth["table"].as_str(), growth["target_rows"].as_u64()),
        (Some("orders"), Some(25_000_000))
    );
    let bound = |name: &str| growth["interval"][name].as_f64().unwrap();
    let projected = growth["projected_ms"].as_f64().unwrap();
    assert!(bound("low") <= projected && projected <= bound("high"), "{growth}");
    let codes: Vec<_> = run["scenarios"][0]["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["code"].as_str().unwrap())
        .collect();
    for code in ["migration-growth", "write-cost", "improved"] {
        assert!(codes.contains(&code), "{codes:?}");
    }
    let history = crate::cli::plimsoll(folder.path()).args(["history", "--schema"]).output().unwrap();
    let history = String::from_utf8_lossy(&history.stdout).into_owned();
    assert!(history.contains(" blocks"), "{history}");
    let lines: Vec<&str> = history.lines().filter(|line| line.contains("order_history")).collect();
    assert!(lines.len() == 2 && lines[0].contains("001") && lines[1].contains("002"), "{history}");
    // Plans are files of the run.
    let reports = std::fs::read_dir(folder.path().join("reports")).unwrap();
    let run = reports.map(|entry| entry.unwrap().path()).find(|path| path.is_dir()).unwrap();
    assert!(std::fs::read_dir(run.join("plans")).unwrap().count() >= 4);
}
