//! Who waits for whom, asked of the server: blocked or not, `pg_locks` with the
//! waits' start, blocking process ids, and a row's key.
//!
//! The server's isolation tester asks `pg_isolation_test_session_is_blocked`,
//! which covers waits for a safe snapshot and overlooks autovacuum; where it may
//! not be called, `pg_blocking_pids` and `pg_safe_snapshot_blocking_pids` answer.

use super::{Error, Session, naming};
use std::time::Instant;
use tokio_postgres::Statement;

/// The questions about locks, prepared on one session for whom they are asked.
pub struct LockQuestions {
    control: Session,
    blocked: Statement,
    waiters: Statement,
    locks: Statement,
}

/// One row of `pg_locks`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// Whose.
    pub pid: i32,
    /// `relation`, `tuple`, `transactionid`, `advisory` and so on.
    pub kind: String,
    /// The relation's name as the session sees it, where it is of this database.
    pub relation: Option<String>,
    /// The relation's kind as in `pg_class.relkind`, where it is visible to us.
    pub relation_kind: Option<char>,
    /// `(page,tuple)`.
    pub ctid: Option<String>,
    /// What identifies any other object: a transaction id, or class, object and sub-object.
    pub object: Option<String>,
    /// Such as `RowExclusiveLock`.
    pub mode: String,
    /// False: waited for.
    pub is_granted: bool,
    /// When the wait began, in microseconds since the epoch by the server's clock (from version 14 on).
    pub wait_start_us: Option<i64>,
}

/// One session that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiter {
    /// Whose wait.
    pub pid: i32,
    /// Who is in its way, holding or ahead in the queue.
    pub blockers: Vec<i32>,
    /// True where it waits for other sessions' snapshots, not for a lock.
    pub for_safe_snapshot: bool,
}

/// Locks and waits of some sessions at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LockSnapshot {
    /// All their locks, held and waited for.
    pub locks: Vec<Lock>,
    /// Those of them that wait.
    pub waiters: Vec<Waiter>,
}

const LOCKS: &str = "
    SELECT l.pid, l.locktype,
           CASE WHEN l.database IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()))
                THEN l.relation::pg_catalog.regclass::text END,
           (SELECT c.relkind::text FROM pg_catalog.pg_class c WHERE c.oid = l.relation),
           CASE WHEN l.tuple IS NOT NULL THEN pg_catalog.format('(%s,%s)', l.page, l.tuple) END,
           coalesce(l.transactionid::text, l.virtualxid,
                    CASE WHEN l.objid IS NOT NULL THEN pg_catalog.format('%s/%s/%s', l.classid, l.objid, l.objsubid) END),
           l.mode, l.granted, WAIT_START
    FROM pg_catalog.pg_locks l WHERE l.pid = ANY($1) ORDER BY l.pid, l.granted, l.locktype, 3, 5, l.mode";

const WAITERS: &str = "
    SELECT pid, pg_catalog.pg_blocking_pids(pid), pg_catalog.pg_safe_snapshot_blocking_pids(pid)
    FROM pg_catalog.unnest($1::int4[]) AS pid";

impl LockQuestions {
    /// Prepares them as far as the server lets us ask.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn new(control: Session) -> Result<Self, Error> {
        let row = control
            .query_one(
                "SELECT coalesce((SELECT pg_catalog.has_function_privilege(oid, 'execute') FROM pg_catalog.pg_proc
                         WHERE proname = 'pg_isolation_test_session_is_blocked'), false),
                        pg_catalog.current_setting('server_version_num')::int >= 140000",
                &[],
            )
            .await?;
        // Reading a row's key must not join the queue it looks at.
        control.batch_execute("SET lock_timeout = '100ms'").await?;
        let (has_tester_function, has_wait_start): (bool, bool) = (row.get(0), row.get(1));
        let blocked = if has_tester_function {
            "SELECT pg_catalog.pg_isolation_test_session_is_blocked($1, $2)"
        } else {
            "SELECT pg_catalog.pg_blocking_pids($1) && $2 OR pg_catalog.pg_safe_snapshot_blocking_pids($1) && $2"
        };
        let wait_start = if has_wait_start {
            "(extract(epoch FROM l.waitstart) * 1000000)::bigint"
        } else {
            "NULL::bigint"
        };
        let blocked = control.prepare(blocked).await?;
        let waiters = control.prepare(WAITERS).await?;
        let locks = control.prepare(&LOCKS.replace("WAIT_START", wait_start)).await?;
        Ok(Self { control, blocked, waiters, locks })
    }

    /// The session the questions are asked in.
    #[must_use]
    pub fn control(&self) -> &Session {
        &self.control
    }

    /// The name of a relation, where it exists.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn relation_name(&self, oid: u32) -> Result<Option<String>, Error> {
        let sql = "SELECT oid::pg_catalog.regclass::text FROM pg_catalog.pg_class WHERE oid = $1";
        Ok(self.control.query_opt(sql, &[&oid]).await?.map(|row| row.get(0)))
    }

    /// Whether a session waits for one of `interesting`.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn is_blocked(&self, pid: i32, interesting: &[i32]) -> Result<bool, Error> {
        Ok(self.control.query_one(&self.blocked, &[&pid, &interesting]).await?.get(0))
    }

    /// The locks and waits of some sessions.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn snapshot(&self, pids: &[i32]) -> Result<LockSnapshot, Error> {
        let waiters = self.waiters(pids).await?;
        let locks = self.control.query(&self.locks, &[&pids]).await?;
        let locks = locks.iter().map(|row| Lock {
            pid: row.get(0),
            kind: row.get(1),
            relation: row.get(2),
            relation_kind: row.get::<_, Option<String>>(3).and_then(|kind| kind.chars().next()),
            ctid: row.get(4),
            object: row.get(5),
            mode: row.get(6),
            is_granted: row.get(7),
            wait_start_us: row.get(8),
        });
        Ok(LockSnapshot { locks: locks.collect(), waiters })
    }

    /// Only who waits for whom.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn waiters(&self, pids: &[i32]) -> Result<Vec<Waiter>, Error> {
        let rows = self.control.query(&self.waiters, &[&pids]).await?;
        let waiters = rows.iter().filter_map(|row| {
            let (pid, blockers, snapshots): (i32, Vec<i32>, Vec<i32>) = (row.get(0), row.get(1), row.get(2));
            let for_safe_snapshot = blockers.is_empty();
            let blockers = if for_safe_snapshot { snapshots } else { blockers };
            (!blockers.is_empty()).then_some(Waiter { pid, blockers, for_safe_snapshot })
        });
        Ok(waiters.collect())
    }
}

/// The columns of a table's primary key, in its order; none where it has none.
///
/// # Errors
/// The connection broke.
pub async fn primary_key(control: &Session, relation: &str) -> Result<Vec<String>, Error> {
    let columns = control
        .query(
            "SELECT a.attname::text FROM pg_catalog.pg_index i
             JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
             WHERE i.indrelid = pg_catalog.to_regclass($1) AND i.indisprimary
             ORDER BY pg_catalog.array_position(i.indkey::int2[], a.attnum)",
            &[&relation],
        )
        .await?;
    Ok(columns.iter().map(|row| row.get(0)).collect())
}

/// The primary key of a row, such as `id=1`, or `None` where the table has none
/// or no version of the row is visible.
///
/// # Errors
/// The connection broke, or the table went away.
pub async fn row_key(control: &Session, relation: &str, ctid: &str) -> Result<Option<String>, Error> {
    let names = primary_key(control, relation).await?;
    if names.is_empty() {
        return Ok(None);
    }
    let quoted: Vec<String> =
        names.iter().map(|name| format!("{}::text", naming::quote_identifier(name))).collect();
    // `relation` came from a regclass, which quotes what needs it.
    let sql = format!(
        "SELECT {} FROM {relation} WHERE ctid = {}::tid",
        quoted.join(", "),
        naming::quote_literal(ctid)
    );
    let row = control.query_opt(&sql, &[]).await?;
    Ok(row.map(|row| {
        let parts = names.iter().enumerate().map(|(i, name)| {
            let value: Option<String> = row.get(i);
            format!("{name}={}", value.as_deref().unwrap_or("NULL"))
        });
        parts.collect::<Vec<_>>().join(", ")
    }))
}

/// The smallest keys of a table whose key is one column, such as `id=1`.
///
/// # Errors
/// The connection broke, or the table has no such column.
pub async fn first_keys(
    control: &Session,
    relation: &str,
    column: &str,
    count: u32,
) -> Result<Vec<String>, Error> {
    let quoted = naming::quote_identifier(column);
    // `relation` came from a regclass, which quotes what needs it.
    let sql = format!("SELECT {quoted}::text FROM {relation} ORDER BY {quoted} LIMIT {count}");
    let rows = control.query(&sql, &[]).await?;
    Ok(rows.iter().map(|row| format!("{column}={}", row.get::<_, String>(0))).collect())
}

/// How the server's clock relates to ours.
#[derive(Debug, Clone, Copy)]
pub struct ServerClock {
    at: Instant,
    server_us: i64,
    /// Half of the shortest round trip: how far off the relation may be, in microseconds.
    pub uncertainty_us: f64,
}

impl ServerClock {
    /// Asks for the time a few times and keeps the quickest answer.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn of(control: &Session) -> Result<Self, Error> {
        use crate::stats::clock;
        let statement = control
            .prepare("SELECT (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000000)::bigint")
            .await?;
        let mut best: Option<Self> = None;
        for _ in 0..9 {
            let before = clock::now();
            let server_us: i64 = control.query_one(&statement, &[]).await?.get(0);
            let uncertainty_us = clock::elapsed_us(before) / 2.0;
            if best.is_none_or(|best| uncertainty_us < best.uncertainty_us) {
                let at = before + std::time::Duration::from_secs_f64(uncertainty_us / 1e6);
                best = Some(Self { at, server_us, uncertainty_us });
            }
        }
        best.ok_or_else(|| Error::Unexpected("the server did not tell the time".into()))
    }

    /// A moment of ours by the server's clock, in microseconds since the epoch.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "microseconds of a run fit by far")]
    pub fn at(&self, moment: Instant) -> i64 {
        let after = moment.saturating_duration_since(self.at).as_micros() as i64;
        let before = self.at.saturating_duration_since(moment).as_micros() as i64;
        self.server_us + after - before
    }
}
