//! Kept results in a database of the user's: the tables, their versions, and
//! how the rows of a run get into them. What a row says is decided in `report`.

use super::address::Address;
use super::session::Session;
use super::tls::MakeTls;
use super::{Error, connect_error, naming};
use std::collections::BTreeMap;
use tokio_postgres::Transaction;

/// A version of the tables is what all files up to it make.
const VERSIONS: [&str; 4] = [
    include_str!("001_runs.sql"),
    include_str!("002_load.sql"),
    include_str!("003_load_line.sql"),
    include_str!("004_budget_confidence.sql"),
];

/// Two exports at once would make the tables twice: the second one waits.
const LOCK: i64 = 0x706c_696d_736f_6c6c;

/// Far below what one value of type `jsonb` holds, and enough that the way to the server counts no more.
const RUNS_PER_STATEMENT: usize = 50;

/// The rows of one run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRows {
    /// Its id.
    pub run_id: String,
    /// A table of the schema `plimsoll` and a JSON array of objects whose keys
    /// are its columns; the table that others refer to comes first.
    pub tables: Vec<(&'static str, serde_json::Value)>,
}

/// Where and of what version the tables are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultTables {
    /// Database, host and port, without the password.
    pub place: String,
    /// The version that the tables have now.
    pub version: usize,
    /// The version that was found; 0 for none.
    pub found_version: usize,
}

/// Makes the tables or brings them up to date, and puts the runs into them,
/// each in place of what was there of it. All of it happens or nothing.
///
/// # Errors
/// The URL is malformed, the server cannot be reached or refuses, or the tables
/// are of a later version than this program writes.
pub async fn store(url: &str, runs: &[RunRows]) -> Result<ResultTables, Error> {
    let address = Address::parse(url)?;
    let tls = MakeTls::new(&address.tls)?;
    let database = address.database.clone();
    let mut session = Session::open(&address.config(&database), &tls)
        .await
        .map_err(|error| connect_error::explain(&address, &database, &error))?;
    let outcome = store_in(&mut session, runs).await;
    let found_version = outcome.map_err(|error| explain(error, &database))?;
    let place = format!("database {database} at {}", address.place);
    Ok(ResultTables { place, version: VERSIONS.len(), found_version })
}

async fn store_in(session: &mut Session, runs: &[RunRows]) -> Result<usize, Error> {
    let transaction = session.transaction().await?;
    transaction.execute("SELECT pg_catalog.pg_advisory_xact_lock($1)", &[&LOCK]).await?;
    let found_version = migrate(&transaction).await?;
    let runs = latest_of_each(runs);
    for runs in runs.chunks(RUNS_PER_STATEMENT) {
        replace(&transaction, runs).await?;
    }
    transaction.commit().await?;
    Ok(found_version)
}

/// The version found; afterwards it is the current one.
async fn migrate(transaction: &Transaction<'_>) -> Result<usize, Error> {
    let found_version = version(transaction).await?;
    if found_version > VERSIONS.len() {
        return Err(Error::Unexpected(format!(
            "the tables in schema plimsoll are of version {found_version}, and this Plimsoll writes version {}: \
             export with the newer Plimsoll that made them",
            VERSIONS.len()
        )));
    }
    if found_version == VERSIONS.len() {
        return Ok(found_version);
    }
    if found_version == 0 {
        make_schema(transaction).await?;
    }
    for statements in &VERSIONS[found_version..] {
        transaction.batch_execute(statements).await?;
    }
    let version = VERSIONS.len();
    transaction.batch_execute(&format!("UPDATE plimsoll.results_version SET version = {version}")).await?;
    Ok(found_version)
}

async fn version(transaction: &Transaction<'_>) -> Result<usize, Error> {
    let is_there = "SELECT pg_catalog.to_regclass('plimsoll.results_version') IS NOT NULL";
    if !transaction.query_one(is_there, &[]).await?.get::<_, bool>(0) {
        return Ok(0);
    }
    let row = transaction.query_opt("SELECT version FROM plimsoll.results_version", &[]).await?;
    Ok(row.map_or(0, |row| usize::try_from(row.get::<_, i32>(0)).unwrap_or_default()))
}

async fn make_schema(transaction: &Transaction<'_>) -> Result<(), Error> {
    // CREATE SCHEMA IF NOT EXISTS wants the right to make one even where it is there.
    let is_missing = "SELECT pg_catalog.to_regnamespace('plimsoll') IS NULL";
    if transaction.query_one(is_missing, &[]).await?.get::<_, bool>(0) {
        transaction.batch_execute("CREATE SCHEMA plimsoll").await?;
    }
    let table = "CREATE TABLE plimsoll.results_version (version integer NOT NULL); \
                 INSERT INTO plimsoll.results_version VALUES (0)";
    Ok(transaction.batch_execute(table).await?)
}

/// Of runs with one id, as in a copied folder, the last one.
fn latest_of_each(runs: &[RunRows]) -> Vec<&RunRows> {
    let by_id: BTreeMap<&str, &RunRows> = runs.iter().map(|run| (run.run_id.as_str(), run)).collect();
    by_id.into_values().collect()
}

/// One statement a table, whatever the number of runs.
async fn replace(transaction: &Transaction<'_>, runs: &[&RunRows]) -> Result<(), Error> {
    let run_ids: Vec<&str> = runs.iter().map(|run| run.run_id.as_str()).collect();
    transaction.execute("DELETE FROM plimsoll.runs WHERE run_id = ANY($1)", &[&run_ids]).await?;
    for (table, _) in runs.iter().take(1).flat_map(|run| &run.tables) {
        let of_table = runs.iter().flat_map(|run| &run.tables).filter(|(name, _)| name == table);
        let rows: Vec<&serde_json::Value> =
            of_table.filter_map(|(_, rows)| rows.as_array()).flatten().collect();
        let json = serde_json::to_string(&rows).map_err(|error| Error::Unexpected(error.to_string()))?;
        let name = format!("plimsoll.{}", naming::quote_identifier(table));
        let insert = format!(
            "INSERT INTO {name} SELECT * FROM pg_catalog.jsonb_populate_recordset(NULL::{name}, $1::text::jsonb)"
        );
        transaction.execute(&insert, &[&json]).await?;
    }
    Ok(())
}

/// What is refused most often gets its next step.
fn explain(error: Error, database: &str) -> Error {
    match error.sqlstate() {
        Some("42501") => Error::Unexpected(format!(
            "{error}; to make the tables, the role needs: GRANT CREATE ON DATABASE {} TO …; afterwards rights on \
             the tables in schema plimsoll are enough",
            naming::quote_identifier(database)
        )),
        Some("42P07") => Error::Unexpected(format!(
            "{error}; schema plimsoll holds a table of that name that no export made: rename it, or export to \
             another database"
        )),
        Some("25006") => Error::Unexpected(format!(
            "{error}; results are written, so the URL has to name a database that may be written to"
        )),
        _ => error,
    }
}
