//! Runs a migration statement by statement under traffic and puts down what
//! each did to others.

use super::safer::safer_form;
use super::stalls::{self, Operation, Role};
use super::traffic::{self, Traffic};
use super::watch::{self, Sight, Watch};
use crate::model::Progress;
use crate::model::evidence::regression::{IndexSize, MigrationUnderLoad, StatementUnderLoad};
use crate::postgres::{Error, Session, Target, quote_literal, session_locks};
use crate::scenarios::regression::attribution::Step;
use crate::scenarios::regression::cases::Case;
use crate::scenarios::regression::comparison::shortened;
use crate::scenarios::regression::touched::{self, SchemaState};
use crate::scenarios::regression::write_cost;
use crate::stats::clock;
use std::time::Instant;

/// How the migration is run under load.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// `lock_timeout` of the migrating session, as the server reads it; `0`: wait for ever.
    pub lock_timeout: String,
    /// How long the long transaction lasts that every statement meets, in seconds.
    pub long_transaction_seconds: f64,
    /// Volumes at which the migration alone is timed; fewer than two: at none.
    pub ladder: Vec<String>,
    /// Rows of a table to project durations to; none: ten times the largest measured.
    pub project_to_rows: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            lock_timeout: "0".into(),
            long_transaction_seconds: 2.0,
            ladder: vec![],
            project_to_rows: None,
        }
    }
}

/// What is migrated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// Its statements.
    pub steps: Vec<Step>,
    /// Whether they run in one transaction.
    pub in_transaction: bool,
}

/// What one statement did, before the traffic is evaluated.
struct Executed {
    window: (f64, f64),
    /// When its outcome was read: inside a transaction its locks are held so long at least.
    settled_us: f64,
    error: Option<String>,
    rewritten: Vec<String>,
    indexes_built: Vec<IndexSize>,
    wal_bytes: u64,
}

/// Migrates `database`, which must be a clone, while others read and write the
/// tables that the migration touches.
///
/// # Errors
/// A connection breaks. A statement that fails is reported and ends the migration.
pub async fn run(
    target: &Target,
    database: &str,
    migration: &Migration,
    tables: &[String],
    cases: &[Case],
    options: &Options,
    progress: &dyn Progress,
) -> Result<MigrationUnderLoad, Error> {
    progress.phase("migrating under traffic", Some(migration.steps.len() as u64));
    let origin = clock::now();
    let traffic = Traffic::start(target, database, tables, cases, origin).await?;
    let migrator = target.connect_to(database).await?;
    let timeout = quote_literal(&options.lock_timeout);
    migrator.batch_execute(&format!("SET lock_timeout = {timeout}")).await?;
    let watch = Watch::start(target.connect_to(database).await?, migrator.backend_pid(), origin);
    let mut described = traffic.described.clone();
    described.push(format!("a transaction of {} s before each statement", options.long_transaction_seconds));
    let executed =
        Box::pin(execute_all(target, database, &migrator, migration, tables, options, origin)).await;
    let sights = watch.stop().await;
    let record = traffic.stop().await;
    let (executed, sights) = (executed?, sights?);
    if let Some(failure) = record.failure {
        described.push(format!("one of them ended early: {failure}"));
    }
    let end = touched::state(&migrator).await?;
    let windows: Vec<(f64, f64)> = executed.iter().map(|executed| executed.window).collect();
    let statement = |(index, (step, one)): (usize, (&Step, &Executed))| {
        let mine = stalls::met_first_in(&record.operations, &windows, index);
        describe(step, one, &sights, &mine)
    };
    Ok(MigrationUnderLoad {
        traffic: described,
        statements: migration.steps.iter().zip(&executed).enumerate().map(statement).collect(),
        lock_timeout: options.lock_timeout.clone(),
        series: stalls::over_time(&record.operations, &windows),
        invalid_indexes: end
            .indexes
            .iter()
            .filter(|index| !index.is_valid)
            .map(|index| index.name.clone())
            .collect(),
        growth: None,
    })
}

async fn execute_all(
    target: &Target,
    database: &str,
    migrator: &Session,
    migration: &Migration,
    tables: &[String],
    options: &Options,
    origin: Instant,
) -> Result<Vec<Executed>, Error> {
    let bystander = target.connect_to(database).await?;
    let mut state = touched::state(migrator).await?;
    let mut executed = Vec::new();
    let mut long_transactions = Vec::new();
    if migration.in_transaction {
        migrator.batch_execute("BEGIN").await?;
    }
    for step in &migration.steps {
        // Inside a transaction the locks of earlier statements would make it wait for us.
        let is_first = executed.is_empty();
        let long = if is_first || !migration.in_transaction {
            Some(traffic::long_transaction(target, database, tables, options.long_transaction_seconds).await?)
        } else {
            None
        };
        let one = execute(migrator, &bystander, step, &mut state, origin).await?;
        // Waited for between statements only where that keeps no lock of the migration's.
        match long {
            Some(long) if migration.in_transaction => long_transactions.push(long),
            Some(long) => traffic::end_of(long).await?,
            None => {}
        }
        let failed = one.error.is_some();
        executed.push(one);
        if failed {
            break;
        }
    }
    if migration.in_transaction {
        let failed = executed.last().is_some_and(|last| last.error.is_some());
        migrator.batch_execute(if failed { "ROLLBACK" } else { "COMMIT" }).await?;
    }
    for long in long_transactions {
        traffic::end_of(long).await?;
    }
    Ok(executed)
}

async fn execute(
    migrator: &Session,
    bystander: &Session,
    step: &Step,
    state: &mut SchemaState,
    origin: Instant,
) -> Result<Executed, Error> {
    let wal = session_locks::wal_position(bystander).await?;
    let start = clock::elapsed_us(origin);
    let outcome = migrator.batch_execute(&step.sql).await.map_err(Error::from);
    let window = (start, clock::elapsed_us(origin));
    let wal_bytes = session_locks::wal_position(bystander).await?.saturating_sub(wal);
    let error = match outcome {
        Ok(()) => None,
        Err(Error::Server(report)) => Some(report.to_string()),
        Err(other) => return Err(other),
    };
    let (mut rewritten, mut indexes_built) = (Vec::new(), Vec::new());
    if error.is_none() {
        let now = touched::state(migrator).await?;
        let touched = touched::compare(state, &now, "");
        indexes_built = touched
            .indexes_added
            .iter()
            .map(|index| write_cost::size_of(index, now.rows_of(&index.table)))
            .collect();
        rewritten = touched.rewritten;
        *state = now;
    }
    let settled_us = clock::elapsed_us(origin);
    Ok(Executed { window, settled_us, error, rewritten, indexes_built, wal_bytes })
}

fn describe(
    step: &Step,
    executed: &Executed,
    sights: &[Sight],
    operations: &[Operation],
) -> StatementUnderLoad {
    let (most_queued, queued) = watch::queue_of(sights, executed.window);
    let mut locks = watch::locks_of(sights, (executed.window.0, executed.settled_us));
    // A lock on the catalogue says nothing; one on what only this transaction sees has a number for a name.
    let has_name = |relation: &str| relation.chars().any(|letter| !letter.is_ascii_digit());
    locks.retain(|lock| !lock.relation.starts_with("pg_") && has_name(&lock.relation));
    StatementUnderLoad {
        number: step.number,
        statement: shortened(&step.sql),
        duration_ms: (executed.window.1 - executed.window.0) / 1000.0,
        error: executed.error.clone(),
        locks,
        most_queued,
        queued,
        worst_reader_ms: stalls::worst_ms(operations, Role::Reader, executed.window),
        worst_writer_ms: stalls::worst_ms(operations, Role::Writer, executed.window),
        rewritten: executed.rewritten.clone(),
        wal_bytes: executed.wal_bytes,
        indexes_built: executed.indexes_built.clone(),
        safer_form: safer_form(&step.sql, !executed.rewritten.is_empty()),
        growth: None,
    }
}
