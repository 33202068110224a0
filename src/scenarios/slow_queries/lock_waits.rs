//! How much of a query's time goes into waiting for other sessions' locks,
//! where others are connected: the server is asked what the sampling session is
//! doing, again and again while it samples.

use super::record::{LockLooks, QueryRecord};
use super::sample::ConnectionSamples;
use super::workload::PreparedQuery;
use crate::load::{APPLICATION_NAME, Error};
use crate::postgres::Session;
use crate::postgres::activity::{AtWork, at_work};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// Between two looks. Each is a statement of its own on another connection.
const PAUSE: Duration = Duration::from_millis(10);

/// Waits for a connection's samples and looks at it meanwhile.
///
/// # Errors
/// The sampling failed, or the observer's connection is lost.
pub(super) async fn watch(
    observer: &Session,
    mut sampling: JoinHandle<Result<ConnectionSamples, Error>>,
    queries: &[Arc<PreparedQuery>],
    records: &mut [QueryRecord],
) -> anyhow::Result<ConnectionSamples> {
    loop {
        tokio::select! {
            done = &mut sampling => return Ok(done??),
            () = tokio::time::sleep(PAUSE) => {
                for seen in at_work(observer, APPLICATION_NAME).await? {
                    count(&seen, queries, records);
                }
            }
        }
    }
}

fn count(seen: &AtWork, queries: &[Arc<PreparedQuery>], records: &mut [QueryRecord]) {
    if seen.statement.is_empty() {
        return;
    }
    let is_of = |query: &Arc<PreparedQuery>| {
        query.statements.iter().any(|statement| statement.sql.starts_with(&seen.statement))
    };
    for (_, record) in queries.iter().zip(records).filter(|(query, _)| is_of(query)) {
        let looks = record.lock_looks.get_or_insert_with(LockLooks::default);
        looks.at_work += 1;
        looks.waiting += u64::from(seen.waits_for_lock);
    }
}
