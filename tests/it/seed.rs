//! Seeding on a real server: prefixes, keys, rules, and what was obtained.

use crate::support::{self, TestDatabase};
use plimsoll::model::Quiet;
use plimsoll::postgres::read_catalog;
use plimsoll::prepare::Databases;
use plimsoll::project::{Project, distributions};
use plimsoll::seed::{self, Scale, SeedOutcome};
use std::path::Path;

const SCHEMA: &str = include_str!("../../demo/migrations/001_baseline.sql");
const INDEXES: &str = include_str!("../../demo/migrations/002_add_indexes.sql");
const DISTRIBUTIONS: &str = include_str!("../../demo/data/distributions.toml");

/// Plans the file's tables on a database, as `line: message` where there are problems.
async fn plan(database: &TestDatabase, toml: &str, scale: &Scale) -> Result<seed::SeedPlan, Vec<String>> {
    let show = |problems: Vec<plimsoll::project::diagnostic::Diagnostic>| {
        problems
            .iter()
            .map(|problem| format!("{}: {}", problem.line_and_column().expect("a place").0, problem.message))
            .collect()
    };
    let distributions = distributions::parse(Path::new("data/distributions.toml"), toml).map_err(show)?;
    let catalog = read_catalog(&database.session().await).await.expect("the catalogue");
    seed::plan(&catalog, &distributions, scale).map_err(show)
}

/// A new database with a schema, filled.
async fn seeded(label: &str, schema: &str, toml: &str, scale: &Scale) -> (TestDatabase, SeedOutcome) {
    let database = support::database(label).await;
    database.execute(schema).await;
    let plan = plan(&database, toml, scale).await.expect("no problems");
    let outcome = seed::fill(database.target, &database.name, &plan, &Quiet).await;
    let outcome = outcome.unwrap_or_else(|error| panic!("{error}"));
    (database, outcome)
}

/// The problems of a plan, or of the rows that the server refused.
async fn problems(label: &str, schema: &str, toml: &str) -> Vec<String> {
    let database = support::database(label).await;
    database.execute(schema).await;
    match plan(&database, toml, &Scale::new(1.0, [])).await {
        Err(problems) => problems,
        Ok(plan) => {
            let error =
                seed::fill(database.target, &database.name, &plan, &Quiet).await.expect_err("refused");
            assert!(!error.diagnostics().is_empty(), "{error}");
            error
                .diagnostics()
                .iter()
                .map(|problem| {
                    format!("{}: {}", problem.line_and_column().expect("a place").0, problem.message)
                })
                .collect()
        }
    }
}

async fn number(database: &TestDatabase, query: &str) -> i64 {
    database
        .session()
        .await
        .query_one(query, &[])
        .await
        .unwrap_or_else(|error| panic!("{error}: {query}"))
        .get(0)
}

#[tokio::test]
async fn the_demo_is_filled_as_declared() {
    let (database, outcome) =
        seeded("seed_demo", SCHEMA, DISTRIBUTIONS, &Scale::new(1.0, [1.0, 100.0])).await;
    for (table, rows) in [("users", 1000), ("inventory", 500), ("orders", 2500)] {
        assert_eq!(number(&database, &format!("SELECT count(*) FROM {table}")).await, rows, "{table}");
    }
    let items = number(&database, "SELECT count(*) FROM order_items").await;
    assert_eq!(
        items as u64,
        outcome.tables.iter().find(|table| table.table == "order_items").expect("items").rows
    );
    assert!((6000..6500).contains(&items), "{items} items");
    // The figures that the demo's story rests on.
    let blocks = "SELECT pg_relation_size('orders') / 8192";
    assert_eq!(number(&database, blocks).await, 39, "blocks of orders");
    let next = "INSERT INTO orders (user_id, created_at, status, total, shipping_address) \
                VALUES (1, now(), 'paid', 1, 'x') RETURNING id";
    assert_eq!(number(&database, next).await, 2501);
}

#[tokio::test]
async fn databases_at_a_version_hold_the_same_rows_as_the_newest() {
    let project = Project::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("demo")).expect("the demo");
    let target = support::server();
    let databases = Databases::new(&project, target, &Quiet);
    let mut sums = Vec::new();
    for name in
        [databases.at("001", "small").await.expect("001"), databases.at_head("small").await.expect("head")]
    {
        let database = TestDatabase { target, name };
        sums.push(checksums(&database, "").await);
    }
    assert_eq!(sums[0], sums[1]);
}

/// A checksum of each table's rows in the order of their ids, and how many there are.
async fn checksums(database: &TestDatabase, condition: &str) -> Vec<(String, i64, String)> {
    let session = database.session().await;
    let mut sums = Vec::new();
    for table in ["users", "inventory", "orders", "order_items"] {
        let query = format!(
            "SELECT count(*), coalesce(md5(string_agg(t::text, chr(10) ORDER BY id)), '') FROM {table} t {}",
            condition.replace("TABLE", table)
        );
        let row = session.query_one(&query, &[]).await.unwrap_or_else(|error| panic!("{error}: {query}"));
        sums.push((table.to_owned(), row.get(0), row.get(1)));
    }
    sums
}
