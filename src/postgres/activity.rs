//! What sessions are doing at one look (manual, `pg_stat_activity`).

use super::{Error, Session};

/// A session at work at one look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtWork {
    /// Its statement as it was sent, cut at `track_activity_query_size`.
    pub statement: String,
    /// Whether it waits for a heavyweight lock that another session holds.
    pub waits_for_lock: bool,
}

/// The other sessions of this name that are at work in this database.
///
/// # Errors
/// The server cannot be reached.
pub async fn at_work(session: &Session, application_name: &str) -> Result<Vec<AtWork>, Error> {
    let rows = session
        .query(
            "SELECT query, coalesce(wait_event_type = 'Lock', false) FROM pg_stat_activity
             WHERE application_name = $1 AND state = 'active' AND datname = current_database()
               AND pid <> pg_backend_pid()",
            &[&application_name],
        )
        .await?;
    Ok(rows.iter().map(|row| AtWork { statement: row.get(0), waits_for_lock: row.get(1) }).collect())
}
