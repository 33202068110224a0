//! A read-only transaction in which a form of a loop is tried, bounded in time, rows and bytes: the
//! database may be one that others work with.

use crate::plan::Plan;
use crate::postgres::{ExplainOptions, Session, TextParameter, explain};
use crate::stats::clock;
use futures_util::TryStreamExt as _;
use std::time::{Duration, Instant};
use tokio_postgres::{Row, Statement};

/// All trials of a run together.
pub(super) const ALL_TRIALS: Duration = Duration::from_secs(30);
/// One form of one loop; the statement then running has [`GUARD`]'s time to end.
const ONE_TRIAL: Duration = Duration::from_secs(4);
/// What the session of all trials begins with. A lock that is not to be had at once is somebody else's.
pub(super) const GUARD: &str = "SET statement_timeout = '2s'; SET lock_timeout = '250ms';
    SET idle_in_transaction_session_timeout = '15s'; SET default_transaction_read_only = on";
/// Rows held of one round of the loop, and of the other form.
pub(super) const ROWS_MAX: usize = 20_000;
/// Bytes held of them.
const BYTES_MAX: usize = 64 << 20;

/// One form being tried. To be ended whatever came of it.
pub(super) struct Trial<'s> {
    session: &'s Session,
    ends: Instant,
    rows: usize,
    bytes: usize,
}

impl<'s> Trial<'s> {
    /// Begins; `ends` is when all trials do.
    pub(super) async fn begin(session: &'s Session, ends: Instant) -> anyhow::Result<Self> {
        session.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        Ok(Self { session, ends: ends.min(clock::now() + ONE_TRIAL), rows: 0, bytes: 0 })
    }

    pub(super) async fn end(self) -> anyhow::Result<()> {
        Ok(self.session.batch_execute("ROLLBACK").await?)
    }

    pub(super) fn left(&self) -> Duration {
        self.ends.saturating_duration_since(clock::now())
    }

    /// Whether what took so long can be done `times` times more.
    pub(super) fn has_time(&self, took_us: f64, times: f64) -> bool {
        took_us * times < clock::duration_us(self.left())
    }

    /// The rows read so far are held no longer.
    pub(super) fn forget(&mut self) {
        (self.rows, self.bytes) = (0, 0);
    }

    pub(super) async fn prepare(&self, sql: &str) -> anyhow::Result<Statement> {
        self.check_time()?;
        Ok(self.session.prepare(sql).await?)
    }

    pub(super) async fn query(
        &mut self,
        statement: &Statement,
        values: &[Option<String>],
    ) -> anyhow::Result<Vec<Row>> {
        self.check_time()?;
        let stream = self.session.query_raw(statement, TextParameter::all(values)).await?;
        let mut stream = std::pin::pin!(stream);
        let mut rows = Vec::new();
        while let Some(row) = stream.try_next().await? {
            self.rows += 1;
            self.bytes += row.raw_size_bytes();
            anyhow::ensure!(self.rows <= ROWS_MAX, "it returns more than {ROWS_MAX} rows in all");
            anyhow::ensure!(self.bytes <= BYTES_MAX, "it returns more than {} MB in all", BYTES_MAX >> 20);
            rows.push(row);
        }
        Ok(rows)
    }

    /// Refuses a statement whose result the planner expects to be too large, before it is run.
    pub(super) async fn expect_few_rows(&self, sql: &str, values: &[Option<String>]) -> anyhow::Result<()> {
        let options = ExplainOptions { in_transaction: true, ..ExplainOptions::estimate() };
        let expected = self.explain(sql, values, options).await?.root.estimate.rows;
        anyhow::ensure!(
            expected <= ROWS_MAX as f64,
            "the planner expects {expected:.0} rows of it, and {ROWS_MAX} are compared at most"
        );
        Ok(())
    }

    /// Shared blocks that one execution touches.
    pub(super) async fn buffers(&self, sql: &str, values: &[Option<String>]) -> anyhow::Result<u64> {
        let options = ExplainOptions {
            timing: false,
            settings: false,
            in_transaction: true,
            ..ExplainOptions::default()
        };
        let plan = self.explain(sql, values, options).await?;
        Ok(plan.totals().buffers.map_or(0, |buffers| buffers.shared()))
    }

    async fn explain(
        &self,
        sql: &str,
        values: &[Option<String>],
        options: ExplainOptions,
    ) -> anyhow::Result<Plan> {
        self.check_time()?;
        Ok(explain(self.session, sql, values, options).await?)
    }

    fn check_time(&self) -> anyhow::Result<()> {
        let seconds = ONE_TRIAL.as_secs();
        anyhow::ensure!(
            self.left() > Duration::ZERO,
            "trying it took longer than the {seconds} s that it may"
        );
        Ok(())
    }
}
