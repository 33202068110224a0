//! The example of `docs/from-rust-tests.md`, whole: it is what the page shows,
//! and it runs.

use plimsoll::testing::{TestDatabase, assert_passes, describe};
use std::path::Path;
use tokio_postgres::{Client, Error, NoTls};

// The application under test: two ways to list orders with their buyers.
async fn connect(url: &str) -> Result<Client, Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn list_one_by_one(url: &str) -> Result<usize, Error> {
    let client = connect(url).await?;
    let orders = client.query("SELECT id, user_id FROM orders ORDER BY id LIMIT 20", &[]).await?;
    for order in &orders {
        let user: i64 = order.get("user_id");
        client.query_one("SELECT email FROM users WHERE id = $1", &[&user]).await?;
    }
    Ok(orders.len())
}

async fn list_at_once(url: &str) -> Result<usize, Error> {
    let joined = "SELECT orders.id, email FROM orders JOIN users ON users.id = user_id ORDER BY 1 LIMIT 20";
    Ok(connect(url).await?.query(joined, &[]).await?.len())
}

/// A project folder: migrations and data of the shop, one query with a budget.
fn project() -> tempfile::TempDir {
    let folder = crate::cli::shop();
    let queries = folder.path().join("queries");
    for entry in std::fs::read_dir(&queries).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let write = |path: &Path, text: &str| std::fs::write(path, text).unwrap();
    write(
        &folder.path().join("plimsoll.toml"),
        "[volumes]\nsmall = 1\n\n[slow-queries]\nmax-time = \"1s\"\n",
    );
    write(
        &queries.join("user_lookup.sql"),
        "-- name: user_lookup\n-- budget: buffers < 10\n-- param: email = sample(users.email)\n\
         SELECT id FROM users WHERE email = :email\n",
    );
    write(
        &queries.join("all_users.sql"),
        "-- name: all_users\n-- budget: buffers < 2\nSELECT count(*) FROM users WHERE name <> ''\n",
    );
    folder
}

#[tokio::test]
async fn the_listing_asks_once_and_the_look_up_stays_within_its_budget() {
    let folder = project();
    let database = TestDatabase::of_project(folder.path()).await.unwrap();

    let (listed, verdict) =
        database.n_plus_one("list orders", async |url| list_at_once(&url).await).await.unwrap();
    assert_eq!(listed.unwrap(), 20);
    assert_passes(&verdict);

    assert_passes(&database.slow_queries(&["user_lookup"]).await.unwrap());

    // The same assertions on what is wrong, and what they say then.
    let (listed, verdict) =
        database.n_plus_one("list orders", async |url| list_one_by_one(&url).await).await.unwrap();
    assert_eq!(listed.unwrap(), 20);
    let said = describe(&verdict);
    assert!(said.starts_with("n-plus-one: fail") && said.contains("users.id"), "{said}");
    assert!(said.contains("next: "), "{said}");
    let said = describe(&database.slow_queries(&["all_users"]).await.unwrap());
    assert!(said.contains("counter-over-budget") && said.contains("queries/all_users.sql"), "{said}");
    database.close().await.unwrap();
}

#[tokio::test]
async fn a_wrong_project_says_all_that_is_wrong_before_anything_starts() {
    let folder = project();
    std::fs::write(
        folder.path().join("queries/broken.sql"),
        "-- name: broken\n-- budget: p95 < soon\nSELECT 1\n",
    )
    .unwrap();
    let error = TestDatabase::of_project(folder.path()).await.unwrap_err().to_string();
    assert!(error.contains("broken.sql") && error.contains("soon"), "{error}");
    let error = TestDatabase::of_project_at(project().path(), "huge").await.unwrap_err().to_string();
    assert!(error.contains("huge"), "{error}");
}

#[test]
#[should_panic(expected = "slow-queries: skipped")]
fn an_assertion_on_anything_but_a_pass_panics() {
    use plimsoll::model::evidence::Evidence;
    use plimsoll::model::{Scenario, ScenarioReport, Verdict};
    assert_passes(&ScenarioReport {
        scenario: Scenario::SlowQueries,
        verdict: Verdict::Skipped { reason: "there is nothing to ask".into() },
        summary: "nothing asked".into(),
        findings: Vec::new(),
        measurements: Vec::new(),
        evidence: Evidence::None,
        warnings: Vec::new(),
        duration_ms: 0,
    });
}

/// The page shows lines of this file, as they are here.
#[test]
fn the_page_shows_what_runs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/from-rust-tests.md")).unwrap();
    let source = include_str!("testing.rs");
    let code = page.split("```rust\n").nth(1).unwrap().split("```").next().unwrap();
    for line in code.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let is_here = source.lines().any(|here| here.trim() == line);
        assert!(is_here || line.contains("of_project(\".\")"), "not in tests/it/testing.rs: {line}");
    }
}
