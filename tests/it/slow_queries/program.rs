//! The result guard, the comparison with a kept run, and a precious target,
//! through the program.

use crate::cli::{code, plimsoll, stderr};
use crate::support::{self, TestDatabase};
use std::fs;
use std::path::Path;
use std::process::Output;

const SCHEMA: &str = "
    CREATE TABLE orders (id int PRIMARY KEY, user_id int NOT NULL, status text NOT NULL);
    INSERT INTO orders SELECT n, n % 100, 'paid' FROM generate_series(1, 2000) n;
    CREATE INDEX orders_user_id ON orders (user_id);
    ANALYZE orders;";

fn write_project(folder: &Path, queries: &str) {
    fs::create_dir_all(folder.join("queries")).unwrap();
    let settings =
        "[volumes]\nsmall = 1\n[slow-queries]\nmax-time = \"2s\"\nconnections = 3\nmax-samples = 100\n";
    fs::write(folder.join("plimsoll.toml"), settings).unwrap();
    fs::write(folder.join("queries/all.sql"), queries).unwrap();
}

struct Shop {
    folder: tempfile::TempDir,
    database: TestDatabase,
}

impl Shop {
    async fn new(label: &str, queries: &str) -> Self {
        let database = support::database(label).await;
        database.execute(SCHEMA).await;
        let folder = tempfile::tempdir().unwrap();
        write_project(folder.path(), queries);
        Self { folder, database }
    }

    /// Exit code and what was printed.
    fn run(&self, arguments: &[&str]) -> (i32, String) {
        let url = self.database.target.url_for(&self.database.name);
        let mut command = plimsoll(self.folder.path());
        let output: Output = command.args(["slow-queries", "--url", &url]).args(arguments).output().unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), stderr(&output));
        (code(&output), text)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_since_a_kept_run_is_told_with_the_broken_budget() {
    let query = "-- name: history\n-- budget: buffers < 25\n-- param: user_id = sample(orders.user_id)\n\
                 SELECT id FROM orders WHERE user_id = :user_id;\n";
    let shop = Shop::new("slow baseline", query).await;
    let (passed, text) = shop.run(&[]);
    assert_eq!(passed, 0, "{text}");
    let reports = fs::read_dir(shop.folder.path().join("reports")).unwrap();
    // The page over all runs lies beside them.
    let run = reports.map(|entry| entry.unwrap().path()).find(|path| path.is_dir()).unwrap();
    let kept = run.join("run.json");
    let report = fs::read_to_string(&kept).unwrap();
    let version =
        report.split("\"server_version\": \"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    fs::write(&kept, report.replace(&version, "12.1")).unwrap();

    shop.database
        .execute(
            "DROP INDEX orders_user_id;
             INSERT INTO orders SELECT n, n % 100, 'paid' FROM generate_series(2001, 5000) n; ANALYZE orders",
        )
        .await;
    let (failed, text) = shop.run(&["--baseline", "latest"]);
    assert_eq!(failed, 1, "{text}");
    let id = run.file_name().unwrap().to_str().unwrap();
    for line in [
        "the plan changed: ",
        " became Seq Scan on orders",
        "blocks went from ",
        "the table public.orders went from 2000 to 5000 rows, ",
        &format!("the server went from 12.1 to {version}"),
    ] {
        assert!(
            text.lines().any(|shown| shown.contains(&format!("since run {id}")) && shown.contains(line)),
            "{line} in {text}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_result_and_an_emptied_table_fail() {
    let query = "-- name: everything\n-- budget: buffers < 1000, rows >= 1\nSELECT id, status FROM orders;\n\
                 -- name: unguarded\n-- budget: buffers < 1000\nSELECT id FROM orders WHERE user_id = 3;\n";
    let shop = Shop::new("slow results", query).await;
    let (passed, text) = shop.run(&["--hash-results"]);
    assert_eq!(passed, 0, "{text}");
    let (same, text) = shop.run(&["--hash-results", "--baseline", "latest"]);
    assert_eq!(same, 0, "the same rows give the same hash: {text}");

    shop.database.execute("UPDATE orders SET status = 'lost' WHERE id = 1999").await;
    let (changed, text) = shop.run(&["--hash-results", "--baseline", "latest"]);
    assert_eq!(changed, 1, "{text}");
    assert!(text.contains("result-changed everything returned other rows"), "{text}");
    assert!(!text.contains("result-changed unguarded"), "{text}");

    shop.database.execute("TRUNCATE orders").await;
    let (emptied, text) = shop.run(&["--baseline", "latest"]);
    assert_eq!(emptied, 1, "{text}");
    for finding in [
        "fail empty-result everything returned 0 rows",
        "fail result-shrunk everything returned 0 rows, down from 2000",
        "fail result-shrunk unguarded returned 0 rows, down from 20",
        "warn empty-result unguarded returned no row",
    ] {
        assert!(text.contains(finding), "{finding} in {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_baseline_that_holds_nothing_of_it_is_no_pass() {
    let query = |name: &str| format!("-- name: {name}\n-- budget: buffers < 1000\nSELECT id FROM orders;\n");
    let shop = Shop::new("slow incomparable", &query("before")).await;
    let (none, text) = shop.run(&["--baseline", "latest"]);
    assert_eq!(none, 2, "{text}");
    assert!(text.contains("is complete, ran slow-queries and did not fail"), "{text}");
    assert_eq!(shop.run(&[]).0, 0);
    let (same, text) = shop.run(&["--baseline", "latest"]);
    assert!(same == 0 && !text.contains("baseline-partly"), "{text}");

    write_project(shop.folder.path(), &query("renamed"));
    let (_, text) = shop.run(&["--baseline", "latest"]);
    assert!(text.contains("holds 0 of 1 queries (it lacks renamed) and 0 of 1 parameter sets"), "{text}");
    assert!(text.contains("1 undecided"), "{text}");

    let (ambiguous, text) = shop.run(&["--baseline", "2"]);
    assert_eq!(ambiguous, 2, "{text}");
    assert!(text.contains("`2` begins the names of"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_precious_database_is_only_read() {
    let query = "-- name: reads\n-- budget: buffers < 1000\nSELECT count(*) FROM orders;\n\
                 -- name: writes\n-- budget: buffers < 1000\nUPDATE orders SET status = 'x' WHERE id = 1;\n\
                 -- name: hides\n-- budget: buffers < 1000\n\
                 WITH gone AS (DELETE FROM orders RETURNING id) SELECT count(*) FROM gone;\n\
                 -- name: several\n-- transaction\n-- budget: buffers < 1000\n\
                 SELECT 1 FROM orders LIMIT 1; INSERT INTO orders VALUES (0, 0, 'x');\n";
    let shop = Shop::new("slow precious", query).await;
    let (passed, text) = shop.run(&["--format", "json"]);
    assert_eq!(passed, 0, "{text}");
    assert_eq!(text.matches("not judged: it writes and the target may only be read").count(), 3, "{text}");
    assert!(text.contains("1 of 1 queries within budget, 3 skipped"), "{text}");
    let session = shop.database.session().await;
    let untouched = "SELECT count(*) FROM orders WHERE status = 'paid' AND id > 0";
    let rows: i64 = session.query_one(untouched, &[]).await.unwrap().get(0);
    assert_eq!(rows, 2000);
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_others_locks_is_told_apart_where_others_are_connected() {
    let query = "-- name: waits\n-- budget: buffers < 1\nSELECT count(*) FROM orders;\n";
    let shop = Shop::new("slow locks", query).await;
    let holder = shop.database.session().await;
    let holding = tokio::spawn(async move {
        // Bounded; the test ends it sooner.
        for _ in 0..200 {
            let hold = "BEGIN; LOCK TABLE orders; SELECT pg_sleep(0.2); COMMIT; SELECT pg_sleep(0.02)";
            holder.batch_execute(hold).await.unwrap();
        }
    });
    let (failed, text) = tokio::task::block_in_place(|| shop.run(&[]));
    holding.abort();
    assert_eq!(failed, 1, "{text}");
    let share = text.split("waiting for locks ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    assert!(share.parse::<u32>().unwrap() > 0, "{text}");
    assert!(text.contains("looks)"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_clone_is_allowed_an_index_is_supposed() {
    let query = "-- name: by_status\n-- budget: buffers < 5\n-- param: status = sample(orders.status)\n\
                 SELECT id FROM orders WHERE status = :status;\n";
    let shop = Shop::new("slow hypopg", query).await;
    for statement in ["UPDATE orders SET status = 'n' || id", "VACUUM FULL orders", "ANALYZE orders"] {
        shop.database.execute(statement).await;
    }
    let session = shop.database.session().await;
    if session.batch_execute("CREATE EXTENSION hypopg").await.is_err() {
        println!("skipped: the server has no hypopg");
        return;
    }
    let (failed, text) = shop.run(&[]);
    assert_eq!(failed, 1, "{text}");
    assert!(text.contains("supposed by hypopg, neither built nor executed"), "{text}");
    assert!(text.contains("the planner uses it and its cost goes from"), "{text}");
    assert!(text.contains("next: try CREATE INDEX ON orders (status) on a copy"), "{text}");
}

#[test]
fn several_statements_are_one_query_only_as_a_named_transaction() {
    let folder = tempfile::tempdir().unwrap();
    write_project(folder.path(), "-- name: both\nSELECT 1; SELECT 2;\n");
    let output = plimsoll(folder.path()).arg("slow-queries").output().unwrap();
    assert_eq!(code(&output), 2, "{}", stderr(&output));
    let text = stderr(&output);
    assert!(text.contains("queries/all.sql:2:11") && text.contains("`-- transaction`"), "{text}");
}
