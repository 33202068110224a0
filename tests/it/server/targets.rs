//! Servers that are not ours: what may be done to them, and what is said when it fails.

use crate::support;
use plimsoll::model::TargetKind;
use plimsoll::postgres::Target;

/// A database on the server of this test run, reached as a user would reach any server.
async fn url_of_a_database(label: &str) -> (support::TestDatabase, String) {
    let database = support::database(label).await;
    let url = database.target.url_for(&database.name);
    (database, url)
}

async fn message(url: &str) -> String {
    Target::at_url(url).await.unwrap_err().to_string()
}

#[tokio::test]
async fn a_database_that_is_not_marked_is_read_only_and_the_message_shows_how_to_mark_it() {
    let (database, url) = url_of_a_database("precious").await;
    let target = Target::at_url(&url).await.unwrap();
    assert_eq!(target.description().kind, TargetKind::Precious);
    let session = target.connect().await.unwrap();
    let error = session.batch_execute("CREATE TABLE t ()").await.unwrap_err();
    assert_eq!(error.code().map(|code| code.code()), Some("25006"), "read_only_sql_transaction");
    let error = target.require_change(target.database()).unwrap_err().to_string();
    let statement = format!("COMMENT ON DATABASE \"{}\" IS 'plimsoll: disposable'", database.name);
    assert!(error.contains(&statement), "{error}");

    // Exactly the command that the message shows.
    database.execute(&statement).await;
    let target = Target::at_url(&url).await.unwrap();
    assert_eq!(target.description().kind, TargetKind::Disposable);
    target.require_change(target.database()).unwrap();
    target.connect().await.unwrap().batch_execute("CREATE TABLE t ()").await.unwrap();
    target.require_change("postgres").unwrap_err();
}

#[tokio::test]
async fn databases_made_beside_a_precious_one_may_be_changed_and_go_at_the_end() {
    let (database, url) = url_of_a_database("beside").await;
    database.execute("CREATE TABLE t AS SELECT 1 AS id").await;
    let target = Target::at_url(&url).await.unwrap();
    let empty = target.create_database("empty").await.unwrap();
    let clone = target.clone_database(target.database(), "clone").await.unwrap();
    for name in [&empty, &clone] {
        target.require_change(name).unwrap();
        let session = target.connect_to(name).await.unwrap();
        session
            .batch_execute("CREATE TABLE IF NOT EXISTS t (id int); INSERT INTO t VALUES (2)")
            .await
            .unwrap();
    }
    let session = database.session().await;
    let count = async || -> i64 {
        let sql = "SELECT count(*) FROM pg_database WHERE datname = ANY($1)";
        session.query_one(sql, &[&vec![empty.clone(), clone.clone()]]).await.unwrap().get(0)
    };
    assert_eq!(count().await, 2);
    target.close().await.unwrap();
    assert_eq!(count().await, 0);
    let rows: i64 = session.query_one("SELECT count(*) FROM t", &[]).await.unwrap().get(0);
    assert_eq!(rows, 1, "the precious one is as it was");
}

#[tokio::test]
async fn what_a_dead_run_left_beside_a_target_is_dropped_and_nothing_else() {
    let (database, url) = url_of_a_database("leftovers").await;
    let session = database.session().await;
    let alive = Target::at_url(&url).await.unwrap();
    let in_use = alive.create_database("in use").await.unwrap();
    let comment: String = session
        .query_one(
            "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = $1",
            &[&in_use],
        )
        .await
        .unwrap()
        .get(0);
    // The same words with a start time that no living process has.
    let (before, rest) = comment.split_once(" started ").unwrap();
    let machine = rest.split_once(" on ").unwrap().1;
    let dead = format!("{before} started 1 on {machine}");
    let make = async |name: &str, comment: &str| {
        session.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
        session.batch_execute(&format!("COMMENT ON DATABASE {name} IS '{comment}'")).await.unwrap();
    };
    make("plimsoll_left_by_dead", &dead).await;
    make("plimsoll_somebody_elses", "of a person").await;
    make("other_name", &dead).await;
    make("plimsoll_of_another_machine", &dead.replace(machine, "elsewhere")).await;

    Target::at_url(&url).await.unwrap();
    let exists = async |name: &str| -> bool {
        let sql = "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)";
        session.query_one(sql, &[&name]).await.unwrap().get(0)
    };
    assert!(!exists("plimsoll_left_by_dead").await);
    for name in ["plimsoll_somebody_elses", "other_name", "plimsoll_of_another_machine", &in_use] {
        assert!(exists(name).await, "{name}");
    }
    alive.close().await.unwrap();
}

#[tokio::test]
async fn without_the_right_to_make_databases_the_message_says_what_to_do() {
    let (database, url) = url_of_a_database("no createdb").await;
    database.execute("CREATE ROLE visitor LOGIN PASSWORD 'guest'").await;
    let (_, location) = url.split_once('@').unwrap();
    let target = Target::at_url(&format!("postgres://visitor:guest@{location}")).await.unwrap();
    let error = target.create_database("x").await.unwrap_err().to_string();
    assert!(error.contains("SQLSTATE 42501") && error.contains("ALTER ROLE … CREATEDB"), "{error}");
}

#[tokio::test]
async fn a_server_that_cannot_be_used_is_explained() {
    let (database, url) = url_of_a_database("unreachable").await;
    let error = message("postgres://u@127.0.0.1:1/shop").await;
    assert!(error.starts_with("cannot connect to database shop at 127.0.0.1:1: "), "{error}");
    assert!(error.contains("is the server running there?"), "{error}");

    let (credentials, location) = url.split_once('@').unwrap();
    let password = credentials.rsplit(':').next().unwrap();
    let error = message(&url.replace(password, "wrong")).await;
    assert!(error.contains("SQLSTATE 28P01") && error.contains("check user and password"), "{error}");
    assert!(!error.contains("wrong"), "{error}");

    let error = message(&format!("postgres://postgres@{location}")).await;
    assert!(error.contains("the server asks for a password, and the URL has none"), "{error}");

    let error = message(&url.replace(&database.name, "absent")).await;
    assert!(error.contains("SQLSTATE 3D000") && error.contains("createdb absent"), "{error}");

    let error = message(&format!("{url}?sslmode=require")).await;
    assert!(error.contains("server does not support TLS") && error.contains("sslmode=disable"), "{error}");

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || drop(listener.accept()));
    let error = message(&format!("postgres://u@127.0.0.1:{port}/d")).await;
    assert!(error.contains("cannot connect to database d at"), "{error}");
}
