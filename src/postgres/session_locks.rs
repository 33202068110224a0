//! The relation locks of one session, who waits behind it, and how much WAL
//! the server has written.

use super::{Error, Session};

/// A relation lock that a session holds or waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionLock {
    /// The relation, as SQL text.
    pub relation: String,
    /// Such as `AccessExclusiveLock`.
    pub mode: String,
    /// False while it is waited for.
    pub granted: bool,
}

/// Characters kept of a waiting statement.
const STATEMENT_CHARACTERS: i32 = 80;

/// The relation locks of a backend, and what each session executes that waits
/// for it, directly or behind it in a queue.
///
/// # Errors
/// The connection broke.
pub async fn of_session(
    session: &Session,
    backend_pid: i32,
) -> Result<(Vec<SessionLock>, Vec<String>), Error> {
    let rows = session
        .query(
            "SELECT l.relation::regclass::text, l.mode, l.granted FROM pg_catalog.pg_locks l \
             WHERE l.pid = $1 AND l.locktype = 'relation' \
               AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())",
            &[&backend_pid],
        )
        .await?;
    let lock = |row: &tokio_postgres::Row| SessionLock {
        relation: row.get(0),
        mode: row.get(1),
        granted: row.get(2),
    };
    let waiting = session
        .query(
            "SELECT left(query, $2) FROM pg_catalog.pg_stat_activity \
             WHERE wait_event_type = 'Lock' AND pid <> $1 AND $1 = ANY (pg_catalog.pg_blocking_pids(pid))",
            &[&backend_pid, &STATEMENT_CHARACTERS],
        )
        .await?;
    Ok((rows.iter().map(lock).collect(), waiting.iter().map(|row| row.get(0)).collect()))
}

/// Bytes of WAL ever written by the server.
///
/// # Errors
/// The connection broke.
pub async fn wal_position(session: &Session) -> Result<u64, Error> {
    let sql = "SELECT pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_insert_lsn(), '0/0')::int8";
    let position: i64 = session.query_one(sql, &[]).await?.get(0);
    Ok(u64::try_from(position).unwrap_or(0))
}
