//! Readers and writers on every table a migration touches, and one long transaction.

use super::stalls::{Operation, Role};
use crate::postgres::{Error, Session, Target, TextParameter, physical};
use crate::scenarios::regression::cases::{Case, CaseParameters};
use crate::sql::statement::StatementKind;
use crate::stats::clock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::task::JoinHandle;

/// Operations recorded at most, all workers together.
const MOST_OPERATIONS: usize = 1_000_000;
/// Project queries that read along, at most.
const MOST_QUERIES: usize = 8;

/// A statement that one worker repeats.
#[derive(Debug, Clone)]
struct Repeated {
    role: Role,
    sql: String,
    values: Vec<Option<String>>,
    described: String,
}

/// Running traffic.
pub(super) struct Traffic {
    stop: Arc<AtomicBool>,
    recorded: Arc<Mutex<Vec<Operation>>>,
    workers: Vec<JoinHandle<Result<(), Error>>>,
    /// Each worker in a few words.
    pub(super) described: Vec<String>,
}

/// What the traffic came to.
pub(super) struct Record {
    pub(super) operations: Vec<Operation>,
    /// The first failure of a worker: of its own statements, not of the migration.
    pub(super) failure: Option<String>,
}

impl Traffic {
    /// Starts a reader and a writer on every table, and a reader for every
    /// reading query that names one. Returns when each has executed once.
    pub(super) async fn start(
        target: &Target,
        database: &str,
        tables: &[String],
        cases: &[Case],
        origin: Instant,
    ) -> Result<Self, Error> {
        let session = target.connect_to(database).await?;
        let repeated = statements(&session, tables, cases).await?;
        let stop = Arc::new(AtomicBool::new(false));
        let recorded = Arc::new(Mutex::new(Vec::new()));
        let mut workers = Vec::new();
        let mut described = Vec::new();
        for repeated in repeated {
            let session = target.connect_to(database).await?;
            // A statement that cannot run at all is no traffic.
            if execute(&session, &repeated).await.is_err() {
                continue;
            }
            described.push(repeated.described.clone());
            let (stop, recorded) = (Arc::clone(&stop), Arc::clone(&recorded));
            workers.push(tokio::spawn(work(session, repeated, origin, stop, recorded)));
        }
        Ok(Self { stop, recorded, workers, described })
    }

    /// Lets every worker finish its statement, and hands over what was recorded.
    pub(super) async fn stop(self) -> Record {
        self.stop.store(true, Ordering::Relaxed);
        let mut failure = None;
        for worker in self.workers {
            let ended = worker.await;
            if let Ok(Err(error)) = ended {
                failure.get_or_insert_with(|| error.to_string());
            }
        }
        let operations = std::mem::take(&mut *self.recorded.lock().unwrap_or_else(PoisonError::into_inner));
        Record { operations, failure }
    }
}

async fn work(
    session: Session,
    repeated: Repeated,
    origin: Instant,
    stop: Arc<AtomicBool>,
    recorded: Arc<Mutex<Vec<Operation>>>,
) -> Result<(), Error> {
    while !stop.load(Ordering::Relaxed) {
        let start_us = clock::elapsed_us(origin);
        execute(&session, &repeated).await?;
        let operation = Operation { role: repeated.role, start_us, end_us: clock::elapsed_us(origin) };
        let mut recorded = recorded.lock().unwrap_or_else(PoisonError::into_inner);
        if recorded.len() >= MOST_OPERATIONS {
            return Ok(());
        }
        recorded.push(operation);
    }
    Ok(())
}

async fn execute(session: &Session, repeated: &Repeated) -> Result<(), Error> {
    let parameters = TextParameter::all(&repeated.values);
    session.query(&repeated.sql, &TextParameter::references(&parameters)).await?;
    Ok(())
}

async fn statements(session: &Session, tables: &[String], cases: &[Case]) -> Result<Vec<Repeated>, Error> {
    let mut repeated = Vec::new();
    for table in tables {
        repeated.push(Repeated {
            role: Role::Reader,
            sql: format!("SELECT 1 FROM {table} LIMIT 1"),
            values: vec![],
            described: format!("a reader of {table}"),
        });
        if let Some(column) = physical::plain_column(session, table).await? {
            repeated.push(Repeated {
                role: Role::Writer,
                sql: format!(
                    "UPDATE {table} SET {column} = {column} WHERE ctid = (SELECT ctid FROM {table} LIMIT 1)"
                ),
                values: vec![],
                described: format!("a writer of {table}"),
            });
        }
    }
    let reads = |case: &&Case| {
        let [statement] = case.statements.as_slice() else { return false };
        let names = |table: &String| statement.sql.contains(table.rsplit('.').next().unwrap_or(table));
        statement.kind == StatementKind::Read && tables.iter().any(names)
    };
    for case in cases.iter().filter(reads).take(MOST_QUERIES) {
        let none = CaseParameters { label: String::new(), values: vec![] };
        let parameters = case.parameter_sets.first().unwrap_or(&none);
        repeated.push(Repeated {
            role: Role::Reader,
            sql: case.statements[0].sql.clone(),
            values: case.statements[0].values(parameters),
            described: format!("a reader by {}", case.query),
        });
    }
    Ok(repeated)
}

/// A transaction that has read every table and then lasts `seconds`: returns
/// once it holds its locks, and what to wait for until it ends.
pub(super) async fn long_transaction(
    target: &Target,
    database: &str,
    tables: &[String],
    seconds: f64,
) -> Result<JoinHandle<Result<(), Error>>, Error> {
    let session = target.connect_to(database).await?;
    session.batch_execute("BEGIN").await?;
    for table in tables {
        // Answered means: the lock is held until the end of the transaction.
        session.batch_execute(&format!("SELECT 1 FROM {table} LIMIT 1")).await?;
    }
    Ok(tokio::spawn(async move {
        session.batch_execute(&format!("SELECT pg_catalog.pg_sleep({seconds}); COMMIT")).await?;
        Ok(())
    }))
}

/// Waits until a long transaction has ended.
pub(super) async fn end_of(long: JoinHandle<Result<(), Error>>) -> Result<(), Error> {
    long.await.map_err(|error| Error::Unexpected(error.to_string()))?
}
