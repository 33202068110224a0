//! Fills a database: one connection and one transaction per table, several tables at
//! a time, rows in their order, so that the same plan makes the same pages.
//!
//! Where the server allows it, foreign keys are not checked row by row: generated
//! references are right by construction (`parents.rs`). Otherwise parents are
//! committed before their children start. Dropping the future ends everything: the
//! open transactions roll back with their connections.

use super::check::{check, refused};
use super::copy;
use super::error::Error;
use super::measure;
use super::plan::{SeedPlan, TablePlan};
use crate::model::Progress;
use crate::model::evidence::data::ObtainedColumn;
use crate::postgres::{Session, Target};
use crate::stats::clock;
use futures_util::SinkExt as _;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Tables filled at the same time, at most.
const MAX_CONNECTIONS: usize = 4;

/// What seeding made.
#[derive(Debug, Clone, PartialEq)]
pub struct SeedOutcome {
    /// In the order in which they were done.
    pub tables: Vec<TableOutcome>,
    /// Rows of all tables.
    pub rows: u64,
    /// From the first COPY to the last commit, with indexes, in seconds.
    pub copy_seconds: f64,
    /// VACUUM and ANALYZE afterwards, in seconds.
    pub settle_seconds: f64,
    /// Connections used at the same time.
    pub connections: usize,
    /// Whether foreign keys were left to the construction of the rows.
    pub skipped_triggers: bool,
    /// What was declared against what the database holds, column by column.
    pub obtained: Vec<ObtainedColumn>,
}

impl SeedOutcome {
    /// Rows per second of COPY, all connections together.
    #[must_use]
    pub fn rows_per_second(&self) -> f64 {
        self.rows as f64 / self.copy_seconds.max(1e-9)
    }
}

/// One table filled.
#[derive(Debug, Clone, PartialEq)]
pub struct TableOutcome {
    /// Its name, with the schema if that is not `public`.
    pub table: String,
    /// Rows written.
    pub rows: u64,
    /// Its own transaction, in seconds.
    pub seconds: f64,
    /// Bytes sent.
    pub bytes: u64,
}

impl TableOutcome {
    /// Rows per second of its own transaction.
    #[must_use]
    pub fn rows_per_second(&self) -> f64 {
        self.rows as f64 / self.seconds.max(1e-9)
    }
}

/// Fills the planned tables of a database, which are empty, and settles them: hint bits and
/// visibility maps set, statistics taken, sequences moved on.
///
/// # Errors
/// The database may not be changed or holds rows, declared values are not ones that the
/// server takes (found before the first row), or the server fails.
pub async fn fill(
    target: &Target,
    database: &str,
    plan: &SeedPlan,
    progress: &dyn Progress,
) -> Result<SeedOutcome, Error> {
    // As many as the machine has processors: the server's side of COPY is bound by them.
    let processors = std::thread::available_parallelism().map_or(2, usize::from);
    fill_with(target, database, plan, processors.clamp(2, MAX_CONNECTIONS), progress).await
}

/// [`fill`] with a number of connections, of which each fills one table at a time.
///
/// # Errors
/// As for [`fill`].
pub async fn fill_with(
    target: &Target,
    database: &str,
    plan: &SeedPlan,
    connections: usize,
    progress: &dyn Progress,
) -> Result<SeedOutcome, Error> {
    target.require_change(database)?;
    let session = target.connect_to(database).await?;
    check(&session, plan).await?;
    let skips_triggers = session.batch_execute("SET session_replication_role = replica").await.is_ok();
    if skips_triggers {
        session.batch_execute("RESET session_replication_role").await?;
    }
    let mut fill = Fill {
        target,
        database,
        plan,
        progress,
        tables: plan.tables.iter().cloned().map(Arc::new).collect(),
        skips_triggers,
        rows: AtomicU64::new(0),
        connections: connections.min(plan.tables.len()).max(1),
    };
    progress.phase(&format!("seeding {}", tables(plan.tables.len())), Some(plan.row_count()));
    let start = clock::now();
    let outcomes = fill.copy_tables().await?;
    let copy_seconds = clock::elapsed_us(start) / 1e6;
    progress.phase(&format!("settling {}", tables(plan.tables.len())), Some(plan.tables.len() as u64));
    let start = clock::now();
    fill.settle(&session).await?;
    let settle_seconds = clock::elapsed_us(start) / 1e6;
    let obtained = measure::measure(&session, plan).await?;
    Ok(SeedOutcome {
        rows: outcomes.iter().map(|table| table.rows).sum(),
        tables: outcomes,
        copy_seconds,
        settle_seconds,
        connections: fill.connections,
        skipped_triggers: skips_triggers,
        obtained,
    })
}

fn tables(count: usize) -> String {
    if count == 1 { "1 table".into() } else { format!("{count} tables") }
}

struct Fill<'a> {
    target: &'a Target,
    database: &'a str,
    plan: &'a SeedPlan,
    progress: &'a dyn Progress,
    tables: Vec<Arc<TablePlan>>,
    skips_triggers: bool,
    rows: AtomicU64,
    connections: usize,
}

impl Fill<'_> {
    /// Whether a table has to wait for its parents' rows.
    fn checks_references(&self, table: &TablePlan) -> bool {
        !self.skips_triggers || table.has_triggers
    }

    async fn copy_tables(&mut self) -> Result<Vec<TableOutcome>, Error> {
        let this = &*self;
        let mut waiting: Vec<usize> = (0..this.tables.len()).collect();
        // The longest first, so that the end is not spent on one connection.
        waiting.sort_by_key(|index| std::cmp::Reverse(this.tables[*index].rows));
        let mut done = vec![false; this.tables.len()];
        let mut outcomes = Vec::new();
        let mut running = FuturesUnordered::new();
        while outcomes.len() < this.tables.len() {
            while running.len() < this.connections {
                let is_ready = |index: &usize| {
                    let table = &this.tables[*index];
                    !this.checks_references(table) || table.parents.iter().all(|parent| done[*parent])
                };
                let Some(place) = waiting.iter().position(is_ready) else { break };
                let index = waiting.remove(place);
                running.push(async move { (index, this.copy_table(&this.tables[index]).await) });
            }
            let Some((index, outcome)) = running.next().await else { break };
            outcomes.push(outcome?);
            done[index] = true;
        }
        Ok(outcomes)
    }

    async fn copy_table(&self, table: &Arc<TablePlan>) -> Result<TableOutcome, Error> {
        let start = clock::now();
        let session = self.target.connect_to(self.database).await?;
        // VACUUM marks no page all-visible while the commit of its rows is not flushed.
        session.batch_execute("SET synchronous_commit = local").await?;
        if !self.checks_references(table) {
            session.batch_execute("SET session_replication_role = replica").await?;
        }
        session.batch_execute(&format!("BEGIN; {}", drop_indexes(table))).await?;
        let bytes = match self.copy_rows(&session, table).await {
            Err(Error::Postgres(error)) => return Err(self.explain(table, error)),
            other => other?,
        };
        session.batch_execute(&make_indexes(table)).await?;
        move_sequences(&session, table).await?;
        session.batch_execute("COMMIT").await?;
        Ok(TableOutcome {
            table: table.label(),
            rows: table.rows,
            seconds: clock::elapsed_us(start) / 1e6,
            bytes,
        })
    }

    /// Sends the rows as they are made; returns the bytes sent.
    async fn copy_rows(&self, session: &Session, table: &Arc<TablePlan>) -> Result<u64, Error> {
        let mut chunks = copy::generate(Arc::clone(table));
        let mut sink = Box::pin(session.copy_in(&copy::statement(table, &table.quoted)).await?);
        let mut bytes = 0;
        while let Some(chunk) = chunks.recv().await {
            bytes += chunk.bytes.len() as u64;
            sink.feed(chunk.bytes).await?;
            self.progress.advance_to(self.rows.fetch_add(chunk.rows, Ordering::Relaxed) + chunk.rows);
        }
        sink.as_mut().finish().await?;
        Ok(bytes)
    }

    /// A value that the sample did not show belongs to its place in the file.
    fn explain(&self, table: &TablePlan, error: crate::postgres::Error) -> Error {
        match error.server() {
            // Classes 22 (data) and 23 (integrity): the rows are at fault, not the server.
            Some(report) if report.sqlstate.starts_with("22") || report.sqlstate.starts_with("23") => {
                Error::Declared(vec![refused(self.plan, table, report)])
            }
            _ => error.into(),
        }
    }

    /// VACUUM first and ANALYZE after it: the snapshot of an ANALYZE beside it would keep
    /// pages from becoming all-visible.
    async fn settle(&self, session: &Session) -> Result<(), Error> {
        self.on_every_table("VACUUM (FREEZE)").await?;
        for _ in 0..VACUUM_ATTEMPTS {
            // A short-lived snapshot elsewhere in the database can still have been in the way.
            let unsettled = self.unsettled(session).await?;
            if unsettled.is_empty() {
                break;
            }
            for table in unsettled {
                session.batch_execute(&format!("VACUUM (FREEZE) {}", table.quoted)).await?;
            }
        }
        self.on_every_table("ANALYZE").await
    }

    async fn on_every_table(&self, command: &str) -> Result<(), Error> {
        let mut waiting = self.tables.iter();
        let mut running = FuturesUnordered::new();
        let mut done = 0;
        loop {
            while running.len() < self.connections {
                let Some(table) = waiting.next() else { break };
                running.push(async move {
                    let session = self.target.connect_to(self.database).await?;
                    session.batch_execute(&format!("{command} {}", table.quoted)).await?;
                    Ok::<(), Error>(())
                });
            }
            let Some(result) = running.next().await else { return Ok(()) };
            result?;
            done += 1;
            self.progress.advance_to(done);
        }
    }

    /// Tables with pages that VACUUM could not mark as visible to all.
    async fn unsettled(&self, session: &Session) -> Result<Vec<&TablePlan>, Error> {
        let mut unsettled = Vec::new();
        for table in &self.tables {
            let row = session.query_one(ARE_PAGES_UNSETTLED, &[&table.quoted]).await?;
            if row.get(0) {
                unsettled.push(&**table);
            }
        }
        Ok(unsettled)
    }
}

/// Attempts at a table whose pages stay unsettled; long transactions elsewhere can keep them so.
const VACUUM_ATTEMPTS: u32 = 5;

const ARE_PAGES_UNSETTLED: &str = "SELECT relkind = 'r' AND relallvisible < relpages FROM pg_catalog.pg_class WHERE oid = $1::text::regclass";

/// Making an index of all rows at once takes a fraction of adding them one by one, and leaves
/// it dense and the same every time.
fn drop_indexes(table: &TablePlan) -> String {
    table.secondary_indexes.iter().map(|index| format!("DROP INDEX {};", index.name)).collect()
}

fn make_indexes(table: &TablePlan) -> String {
    if table.secondary_indexes.is_empty() {
        return String::new();
    }
    let definitions: String =
        table.secondary_indexes.iter().map(|index| format!("{};", index.definition)).collect();
    format!("SET LOCAL maintenance_work_mem = '256MB'; {definitions}")
}

/// Identity and serial columns go on after the last row.
async fn move_sequences(session: &Session, table: &TablePlan) -> Result<(), Error> {
    for column in &table.columns {
        if let Some(sequence) = &column.sequence {
            let name = crate::postgres::quote_identifier(&column.name);
            let query = format!(
                "SELECT pg_catalog.setval($1::text::regclass, max({name})) FROM {} HAVING max({name}) > 0",
                table.quoted
            );
            session.execute(&query, &[sequence]).await?;
        }
    }
    Ok(())
}
