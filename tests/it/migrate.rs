//! Applying migrations: order, transactions, the ledger, errors with their place.

use crate::support::{self, TestDatabase};
use plimsoll::model::Quiet;
use plimsoll::postgres::migrate::{AppliedMigration, MigrationFile, apply};
use plimsoll::postgres::{Error, Session};

fn file(version: &str, sql: &str) -> MigrationFile {
    MigrationFile {
        version: version.into(),
        label: "x".into(),
        path: format!("migrations/{version}_x.sql").into(),
        sql: sql.into(),
        in_transaction: !sql.contains("-- plimsoll: no-transaction"),
    }
}

async fn ready(label: &str) -> (TestDatabase, Session) {
    let database = support::database(label).await;
    let session = database.session().await;
    (database, session)
}

async fn migrate(session: &Session, files: &[MigrationFile]) -> Result<Vec<AppliedMigration>, Error> {
    apply(session, files, None, &Quiet).await
}

async fn has_table(session: &Session, name: &str) -> bool {
    session.query_one("SELECT to_regclass($1) IS NOT NULL", &[&name]).await.unwrap().get(0)
}

#[tokio::test]
async fn files_are_applied_once_in_order_and_up_to_a_version() {
    let (_database, session) = ready("migrate order").await;
    let files = [
        file("001", "CREATE TABLE a (id int); SET search_path = ''; "),
        file("002", "ALTER TABLE a ADD b int"),
        file("003", "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1; SELECT 2'"),
    ];
    let versions = |applied: Vec<AppliedMigration>| -> Vec<String> {
        applied.into_iter().map(|migration| migration.version).collect()
    };
    let first = apply(&session, &files, Some("002"), &Quiet).await.unwrap();
    assert_eq!(versions(first), ["001", "002"], "and the search_path of 001 did not reach 002");
    assert_eq!(versions(migrate(&session, &files).await.unwrap()), ["003"]);
    assert_eq!(versions(migrate(&session, &files).await.unwrap()), [""; 0]);
}

#[tokio::test]
async fn a_failing_file_is_rolled_back_and_named_with_line_sqlstate_detail_and_hint() {
    let (_database, session) = ready("migrate error").await;
    let files = [
        file("001", "CREATE TABLE a (id int PRIMARY KEY)"),
        file("002", "CREATE TABLE b ();\n\nINSERT INTO a\nVALUES (1), (1);\n"),
        file("003", "CREATE TABLE c ()"),
    ];
    let error = migrate(&session, &files).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "migrations/002_x.sql:3:1: duplicate key value violates unique constraint \"a_pkey\" \
         (SQLSTATE 23505), DETAIL: Key (id)=(1) already exists.; nothing of this file was applied"
    );
    assert_eq!(error.sqlstate(), Some("23505"));
    assert!(has_table(&session, "a").await);
    assert!(!has_table(&session, "b").await && !has_table(&session, "c").await);

    let files =
        [files[0].clone(), file("002", "CREATE TABLE b ();\n-- note\nSELECT 'é',\n   lower(17) FROM a;")];
    let error = migrate(&session, &files).await.unwrap_err().to_string();
    assert!(error.starts_with("migrations/002_x.sql:4:4: function lower(integer) does not exist"), "{error}");
    assert!(error.contains("SQLSTATE 42883") && error.contains("HINT: No function matches"), "{error}");
}

#[tokio::test]
async fn a_deferred_constraint_that_fails_at_the_end_is_reported_for_its_file() {
    let (_database, session) = ready("migrate deferred").await;
    let sql = "CREATE TABLE p (id int PRIMARY KEY); \
               CREATE TABLE c (p int REFERENCES p DEFERRABLE INITIALLY DEFERRED); INSERT INTO c VALUES (1)";
    let error = migrate(&session, &[file("001", sql)]).await.unwrap_err();
    assert_eq!(error.sqlstate(), Some("23503"));
    assert!(!has_table(&session, "c").await);
}

#[tokio::test]
async fn a_file_without_a_transaction_runs_statement_by_statement() {
    let (_database, session) = ready("migrate no transaction").await;
    let concurrently = "CREATE TABLE a (id int);\nCREATE INDEX CONCURRENTLY i ON a (id);";
    let error = migrate(&session, &[file("001", concurrently)]).await.unwrap_err().to_string();
    assert!(
        error.contains(":2:1:") && error.contains("put `-- plimsoll: no-transaction` at the top"),
        "{error}"
    );

    let marked = format!("-- plimsoll: no-transaction\n{concurrently}");
    migrate(&session, &[file("001", &marked)]).await.unwrap();
    assert!(has_table(&session, "i").await);

    let failing = file("002", "-- plimsoll: no-transaction\nCREATE TABLE kept ();\nSELECT 1 / 0;");
    let error = migrate(&session, &[file("001", &marked), failing]).await.unwrap_err().to_string();
    assert!(error.contains("migrations/002_x.sql:3:1: division by zero"), "{error}");
    assert!(error.contains("its first 1 statements stay applied"), "{error}");
    assert!(has_table(&session, "kept").await);
}

#[tokio::test]
async fn a_file_that_changed_after_it_was_applied_is_an_error() {
    let (_database, session) = ready("migrate checksum").await;
    migrate(&session, &[file("001", "CREATE TABLE a ()")]).await.unwrap();
    let changed = [file("001", "CREATE TABLE a (id int)"), file("002", "CREATE TABLE b ()")];
    let error = migrate(&session, &changed).await.unwrap_err().to_string();
    assert!(error.starts_with("migrations/001_x.sql changed after it was applied at "), "{error}");
    assert!(!has_table(&session, "b").await);
}

#[tokio::test]
async fn two_runs_at_once_apply_every_file_once() {
    let (database, first) = ready("migrate at once").await;
    let second = database.session().await;
    let files = [file("001", "CREATE TABLE a (); SELECT pg_sleep(0.05)"), file("002", "CREATE TABLE b ()")];
    let (one, two) = tokio::join!(migrate(&first, &files), migrate(&second, &files));
    assert_eq!(one.unwrap().len() + two.unwrap().len(), 2);
}
