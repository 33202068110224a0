//! The throwaway server and what is done with a target.

mod lifecycle;
mod targets;
pub(crate) mod tls;

use crate::support;
use plimsoll::postgres::{ExplainOptions, TextParameter, explain};

#[tokio::test]
async fn a_throwaway_server_answers_by_socket_and_by_loopback_with_its_password() {
    let target = support::server();
    let session = target.connect().await.unwrap();
    let version: String = session.query_one("SHOW server_version_num", &[]).await.unwrap().get(0);
    assert_eq!(version, target.description().server_version_num.to_string());

    let url = target.url_for(target.database());
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let is_tcp: bool = client.query_one("SELECT inet_client_addr() IS NOT NULL", &[]).await.unwrap().get(0);
    assert!(is_tcp);

    let wrong = url.replacen(':', ":x", 2).replacen(":x", ":", 1);
    let refused = tokio_postgres::connect(&wrong, tokio_postgres::NoTls).await.err().unwrap();
    assert_eq!(refused.code().map(|code| code.code()), Some("28P01"), "{wrong}: {refused:?}");
}

#[tokio::test]
async fn a_clone_holds_the_rows_of_its_source_and_is_dropped() {
    let database = support::database("clone source").await;
    database.execute("CREATE TABLE t AS SELECT generate_series(1, 10) AS id").await;
    let clone = database.target.clone_database(&database.name, "clone").await.unwrap();
    let session = database.target.connect_to(&clone).await.unwrap();
    let count: i64 = session.query_one("SELECT count(*) FROM t", &[]).await.unwrap().get(0);
    assert_eq!(count, 10);
    database.target.drop_database(&clone).await.unwrap();
    let error = database.target.connect_to(&clone).await.unwrap_err();
    assert_eq!(error.sqlstate(), Some("3D000"));
    let error = database.target.drop_database("postgres").await.unwrap_err().to_string();
    assert!(error.contains("was not made by this run"), "{error}");
}

#[tokio::test]
async fn parameters_are_sent_as_text_and_typed_by_the_server() {
    let session = support::server().connect().await.unwrap();
    let values = TextParameter::all(&[Some("2024-01-31".into()), Some("{1,2}".into()), None]);
    let row = session
        .query_one(
            "SELECT ($1::date + 1)::text, ($2::int[])[2], $3::int IS NULL",
            &TextParameter::references(&values),
        )
        .await
        .unwrap();
    assert_eq!(row.get::<_, &str>(0), "2024-02-01");
    assert_eq!(row.get::<_, i32>(1), 2);
    assert!(row.get::<_, bool>(2));
}

#[tokio::test]
async fn explaining_a_write_changes_nothing() {
    let database = support::database("explain").await;
    database.execute("CREATE TABLE t (id int)").await;
    let session = database.session().await;
    let values = [Some("7".to_owned())];
    let plan =
        explain(&session, "INSERT INTO t VALUES ($1)", &values, ExplainOptions::default()).await.unwrap();
    assert_eq!(plan.root.node_type, "ModifyTable");
    let count: i64 = session.query_one("SELECT count(*) FROM t", &[]).await.unwrap().get(0);
    assert_eq!(count, 0);
    let error = explain(&session, "SELECT * FROM absent", &[], ExplainOptions::default()).await.unwrap_err();
    assert_eq!(error.sqlstate(), Some("42P01"));
    // The failed attempt left no transaction behind.
    session.batch_execute("SELECT 1").await.unwrap();
}

#[tokio::test]
async fn durability_is_the_servers_own_except_while_it_is_suspended() {
    let scratch = support::scratch::Scratch::new();
    let options = plimsoll::postgres::ThrowawayOptions {
        without_durability: false,
        scratch_directory: Some(scratch.path().to_owned()),
        ..support::server_options()
    };
    let target = plimsoll::postgres::Target::throwaway(&options, &plimsoll::model::Quiet).await.unwrap();
    assert!(target.description().durability.fsync && target.description().durability.full_page_writes);
    assert_eq!(target.description().durability.synchronous_commit, "on");
    let session = target.connect().await.unwrap();
    let mut seen = Vec::new();
    for suspend in [false, true, false] {
        match (suspend, seen.len()) {
            (true, _) => target.suspend_durability().await.unwrap(),
            (false, 0) => {}
            (false, _) => target.restore_durability().await.unwrap(),
        }
        let row =
            session.query_one("SELECT current_setting('fsync'), current_setting('full_page_writes')", &[]);
        let row = row.await.unwrap();
        seen.push((row.get::<_, String>(0), row.get::<_, String>(1)));
    }
    let both = |value: &str| (value.to_owned(), value.to_owned());
    assert_eq!(seen, [both("on"), both("off"), both("on")]);
    target.close().await.unwrap();
    // The server of the test run has given it up, and says so.
    assert!(!support::server().description().durability.fsync);
}
