//! Indexes that exist for the planner of one session only, by the extension hypopg.

use super::{Error, Session, quote_identifier};

/// Lets the session's planner believe in an index; its name there. `None` where the database has no hypopg.
///
/// # Errors
/// The extension refuses the statement.
pub async fn hypothetical_index(session: &Session, create_index: &str) -> Result<Option<String>, Error> {
    let schema = "SELECT n.nspname::text FROM pg_catalog.pg_extension e
                  JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'hypopg'";
    let Some(schema) = session.query_opt(schema, &[]).await? else { return Ok(None) };
    let schema = quote_identifier(schema.get(0));
    let create = format!("SELECT indexname::text FROM {schema}.hypopg_create_index($1)");
    Ok(Some(session.query_one(&create, &[&create_index]).await?.get(0)))
}

/// Makes hypopg known to a database of ours.
///
/// # Errors
/// It is not installed on the server, or may not be created.
pub async fn create_hypopg(session: &Session) -> Result<(), Error> {
    Ok(session.batch_execute("CREATE EXTENSION IF NOT EXISTS hypopg").await?)
}
