//! `plimsoll init --from`: what is proposed for a database loads as a project.

use crate::support;
use plimsoll::model::Quiet;
use plimsoll::postgres::{Session, Target, ThrowawayOptions, TopStatements, top_statements};
use plimsoll::prepare::read_existing;
use plimsoll::project::Project;
use plimsoll::project::diagnostic::render;
use plimsoll::project::init::propose;
use std::fs;
use tempfile::TempDir;

const SCHEMA: &str = "
    CREATE SCHEMA app;
    CREATE TYPE level AS ENUM ('low', 'high');
    CREATE TABLE countries (code char(2) PRIMARY KEY, name text NOT NULL);
    CREATE TABLE users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text UNIQUE NOT NULL,
                        country char(2) NOT NULL REFERENCES countries, level level NOT NULL, place point);
    CREATE TABLE app.\"Orders\" (id bigserial PRIMARY KEY, user_id bigint NOT NULL REFERENCES users, status text,
                               total numeric(10, 2) NOT NULL, paid boolean NOT NULL, at timestamptz NOT NULL,
                               twice numeric GENERATED ALWAYS AS (total * 2) STORED);
    INSERT INTO countries VALUES ('DE', 'it''s \"Germany\"'), ('FR', 'France');
    INSERT INTO users (email, country, level) SELECT 'u' || n, CASE WHEN n % 3 = 0 THEN 'FR' ELSE 'DE' END, 'low'
    FROM generate_series(1, 2000) AS n;
    INSERT INTO app.\"Orders\" (user_id, status, total, paid, at)
    SELECT 1 + n * n % 2000, CASE WHEN n % 10 < 7 THEN 'paid' WHEN n % 10 < 9 THEN 'it''s \"lost\"' END,
           exp(3 + (n % 100) / 50.0), n % 4 > 0, timestamptz '2024-01-01 UTC' + n * interval '1 hour'
    FROM generate_series(1, 12000) AS n;
    ANALYZE";

async fn propose_and_load(session: &Session) -> Project {
    let database = read_existing(session, "shop").await.unwrap_or_else(|error| panic!("{error}"));
    let folder = TempDir::new().expect("a temporary folder");
    let mut written = String::new();
    for file in propose(&database).files {
        let path = folder.path().join(&file.path);
        fs::create_dir_all(path.parent().expect("inside the folder")).expect("a subfolder");
        fs::write(&path, &file.text).expect("a file");
        written.push_str(&file.text);
    }
    Project::load(folder.path()).unwrap_or_else(|problems| panic!("{}\n{written}", render(&problems, false)))
}

#[tokio::test]
async fn what_is_proposed_from_catalogue_and_statistics_loads() {
    let database = support::database("init").await;
    database.execute(SCHEMA).await;
    let session = database.session().await;
    let project = propose_and_load(&session).await;
    let distributions = project.distributions.expect("distributions");
    let tables: Vec<_> =
        distributions.tables.iter().map(|table| (table.table.as_str(), table.fixed)).collect();
    assert_eq!(tables, [("app.Orders", false), ("countries", true), ("users", false)]);
    let columns: Vec<_> =
        distributions.tables[0].columns.iter().map(|column| column.column.as_str()).collect();
    assert_eq!(columns, ["id", "user_id", "status", "total", "paid", "at"], "generated columns are left out");
    assert_eq!(project.settings.volumes.len(), 2);
    assert!(project.queries.is_empty());
}

#[tokio::test]
async fn an_extension_that_is_not_loaded_is_no_error() {
    let database = support::database("init statements").await;
    let session = database.session().await;
    assert_eq!(top_statements(&session, 10).await.unwrap(), TopStatements::NotCreated);
    if session.batch_execute("CREATE EXTENSION pg_stat_statements").await.is_ok() {
        assert_eq!(top_statements(&session, 10).await.unwrap(), TopStatements::NotLoaded);
    }
}

#[tokio::test]
async fn expensive_statements_become_queries() {
    let setting = ("shared_preload_libraries".to_owned(), "pg_stat_statements".to_owned());
    let options = ThrowawayOptions { settings: vec![setting], ..support::server_options() };
    let target = Target::throwaway(&options, &Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    let session = target.connect().await.unwrap();
    session.batch_execute(SCHEMA).await.unwrap();
    session.batch_execute("CREATE EXTENSION pg_stat_statements").await.unwrap();
    for user in 1..20_i64 {
        session.query("SELECT total FROM app.\"Orders\" WHERE user_id = $1 LIMIT 7", &[&user]).await.unwrap();
        session
            .query(&format!("SELECT email FROM users WHERE country = 'FR' AND id IN ({user}, 3)"), &[])
            .await
            .unwrap();
    }
    let statements = top_statements(&session, 50).await.unwrap().into_known();
    assert!(statements.iter().any(|statement| statement.calls == 19 && statement.mean_us > 0.0));
    let project = propose_and_load(&session).await;
    let names: Vec<_> = project.queries.iter().map(|query| query.name.as_str()).collect();
    assert!(names.contains(&"orders_by_user_id") && names.contains(&"users_by_country_and_id"), "{names:?}");
    for query in &project.queries {
        let sets = plimsoll::parameters::draw(&session, query, 42, 3).await;
        assert!(!sets.unwrap_or_else(|error| panic!("{error}")).is_empty());
    }
    drop(session);
    target.close().await.unwrap();
}
