//! Databases that dead runs left on a server that is not ours.

use super::naming::{PREFIX, quote_identifier};
use super::owner::Owner;
use super::{Error, Session};

/// Drops databases that are named and marked as ours and whose process is
/// clearly dead; returns their names. What cannot be dropped is left.
pub(super) async fn sweep(session: &Session) -> Result<Vec<String>, Error> {
    let rows = session
        .query(
            "SELECT datname, pg_catalog.shobj_description(oid, 'pg_database') FROM pg_catalog.pg_database \
             WHERE pg_catalog.starts_with(datname::text, $1) AND datname <> pg_catalog.current_database()",
            &[&PREFIX],
        )
        .await?;
    let mut dropped = Vec::new();
    for row in rows {
        let (name, comment): (String, Option<String>) = (row.get(0), row.get(1));
        let owner = comment.as_deref().and_then(Owner::parse);
        if !owner.is_some_and(|owner| owner.is_clearly_dead()) {
            continue;
        }
        // Without FORCE: whoever is connected has a reason to be.
        let statement = format!("DROP DATABASE IF EXISTS {}", quote_identifier(&name));
        if session.batch_execute(&statement).await.is_ok() {
            dropped.push(name);
        }
    }
    Ok(dropped)
}
