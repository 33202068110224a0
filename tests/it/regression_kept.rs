//! Regression without clones: kept plans, two databases, one database in place.

use crate::cli::{code, plimsoll, stderr};
use crate::support::{TestDatabase, database};
use plimsoll::postgres::DISPOSABLE_COMMENT;
use std::fs;
use std::path::Path;
use std::process::Output;

const SHOP: &str = "
    CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint NOT NULL, total numeric(10,2) NOT NULL);
    CREATE INDEX idx_orders_user ON orders (user_id);";
const ROWS: &str =
    "INSERT INTO orders SELECT i, 1 + i % 500, i % 90 FROM generate_series(1, 5000) i; ANALYZE orders;";

/// A project of one query and one write.
fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| crate::support::write_file(folder.path(), path, text);
    write("plimsoll.toml", "[volumes]\nsmall = 1\n");
    write("migrations/001_baseline.sql", SHOP);
    write(
        "data/distributions.toml",
        "seed = 1\n[orders]\nrows = 5000\nid = { sequence = 1 }\nuser_id = { uniform = [1, 500], scale = 0 }\ntotal = { uniform = [1, 90], scale = 0 }\n",
    );
    write(
        "queries/history.sql",
        "-- name: history\n-- param: user_id = sample(orders.user_id)\nSELECT * FROM orders WHERE user_id = :user_id;\n\
         -- name: pay\n-- param: id = sample(orders.id)\nUPDATE orders SET total = 0 WHERE id = :id;\n",
    );
    folder
}

fn regression(folder: &Path, words: &[&str]) -> Output {
    plimsoll(folder).arg("regression").args(words).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Its URL, its tables' definition and rows, and whether anything of ours is in it.
async fn state(database: &TestDatabase) -> String {
    let sql = "SELECT (SELECT string_agg(indexdef, ';' ORDER BY indexname) FROM pg_indexes WHERE schemaname = 'public') || \
                      (SELECT sum(hashtext(o::text)) FROM orders o)::text || \
                      (SELECT string_agg(nspname, ' ' ORDER BY nspname) FROM pg_namespace WHERE nspname NOT LIKE 'pg_t%')";
    database.session().await.query_one(sql, &[]).await.unwrap().get(0)
}

#[test]
fn kept_plans_hold_until_an_index_goes() {
    let folder = project();
    let kept = regression(folder.path(), &["--keep-plans", "plans.json"]);
    assert_eq!(code(&kept), 0, "{}", stderr(&kept));
    let text = fs::read_to_string(folder.path().join("plans.json")).unwrap();
    assert!(text.contains("Index Scan") || text.contains("Bitmap Heap Scan"), "{text}");
    assert!(!text.contains("Execution Time"), "times differ each time");
    let same = regression(folder.path(), &["--baseline", "plans.json"]);
    assert_eq!(code(&same), 0, "{}{}", stdout(&same), stderr(&same));
    assert!(stdout(&same).contains("2 unchanged"), "{}", stdout(&same));
    fs::write(folder.path().join("migrations/002_drop.sql"), "DROP INDEX idx_orders_user;").unwrap();
    let lost = regression(folder.path(), &["--baseline", "plans.json"]);
    assert_eq!(code(&lost), 1, "{}{}", stdout(&lost), stderr(&lost));
    assert!(stdout(&lost).contains("1 regressed, 1 unchanged"), "{}", stdout(&lost));
    assert!(stdout(&lost).contains("keep index idx_orders_user"), "{}", stdout(&lost));
    let missing = regression(folder.path(), &["--baseline", "none.json"]);
    assert_eq!(code(&missing), 2);
    assert!(stderr(&missing).contains("--keep-plans none.json"), "{}", stderr(&missing));
    let wrong = regression(folder.path(), &["--baseline", "plimsoll.toml"]);
    assert_eq!(code(&wrong), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_databases_are_compared_and_neither_is_written() {
    let (before, after) = (database("kept_before").await, database("kept_after").await);
    for side in [&before, &after] {
        side.execute(SHOP).await;
        side.execute(ROWS).await;
    }
    after.execute("DROP INDEX idx_orders_user").await;
    // Three times the rows explain three times the work of the same plan, and no other plan.
    after
        .execute(
            "INSERT INTO orders SELECT i, 1 + i % 500, 1 FROM generate_series(5001, 15000) i; ANALYZE orders",
        )
        .await;
    let (old, new) = (state(&before).await, state(&after).await);
    let folder = project();
    let (before_url, after_url) = (before.target.url_for(&before.name), after.target.url_for(&after.name));
    let output = regression(folder.path(), &["--before-url", &before_url, "--after-url", &after_url]);
    let text = stdout(&output);
    assert_eq!(code(&output), 1, "{text}{}", stderr(&output));
    assert!(text.contains("1 regressed"), "{text}");
    assert!(text.contains("orders has 15000 rows, 5000 before"), "{text}");
    assert!(
        text.contains("pay was not compared: cannot execute UPDATE in a read-only transaction"),
        "{text}"
    );
    assert!(text.contains("a slowdown by time alone and other rows are not seen"), "{text}");
    assert_eq!((state(&before).await, state(&after).await), (old, new));
    let one = regression(folder.path(), &["--before-url", &before_url]);
    assert_eq!(code(&one), 2);
    assert!(stderr(&one).contains("--after-url"), "{}", stderr(&one));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_database_is_migrated_in_place_only_where_it_is_marked() {
    let own = database("kept_in_place").await;
    own.execute(&SHOP.replace("CREATE INDEX", "-- CREATE INDEX")).await;
    own.execute(ROWS).await;
    let folder = project();
    fs::write(
        folder.path().join("migrations/001_baseline.sql"),
        "CREATE INDEX idx_orders_user ON orders (user_id);",
    )
    .unwrap();
    let url = own.target.url_for(&own.name);
    let untouched = state(&own).await;
    let refused = regression(folder.path(), &["--in-place", "--url", &url]);
    assert_eq!(code(&refused), 3, "{}", stderr(&refused));
    assert!(stderr(&refused).contains("COMMENT ON DATABASE"), "{}", stderr(&refused));
    assert_eq!(state(&own).await, untouched);
    own.execute(&format!("COMMENT ON DATABASE {} IS '{DISPOSABLE_COMMENT}'", own.name)).await;
    let output = regression(folder.path(), &["--in-place", "--url", &url]);
    assert_eq!(code(&output), 0, "{}{}", stdout(&output), stderr(&output));
    assert!(stdout(&output).contains("improved history got better"), "{}", stdout(&output));
    assert!(state(&own).await.contains("idx_orders_user"));
    let again = regression(folder.path(), &["--in-place", "--url", &url]);
    assert!(stderr(&again).contains("nothing to migrate"), "{}", stderr(&again));
}
