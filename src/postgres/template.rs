//! Databases on a throwaway server that were made ready as templates, and are
//! found again by a later run when the server's data directory was kept.

use super::naming::{quote_identifier, quote_literal};
use super::snapshot::{LARGEST_BYTES, SMALLEST_BYTES};
use super::{Error, Target};
use std::sync::Arc;

/// Followed by the key of the content; set last, so that it stands for a whole template.
const COMMENT: &str = "plimsoll: template ";

impl Target {
    /// A template of this content that an earlier run made. Only a throwaway
    /// server has any: on others nobody knows who changed what.
    ///
    /// # Errors
    /// The server cannot be asked.
    pub async fn find_template(&self, content: Option<&str>) -> Result<Option<String>, Error> {
        let Some(content) = content.filter(|_| self.is_ours()) else { return Ok(None) };
        let row = self
            .connect()
            .await?
            .query_opt(
                "SELECT datname FROM pg_catalog.pg_database \
                 WHERE pg_catalog.shobj_description(oid, 'pg_database') = $1 LIMIT 1",
                &[&format!("{COMMENT}{content}")],
            )
            .await?;
        let Some(name) = row.map(|row| row.get::<_, String>(0)) else { return Ok(None) };
        self.lock_templates().insert(name.clone());
        Ok(Some(name))
    }

    /// Marks a database made here as a finished template of this content.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn mark_template(&self, name: &str, content: Option<&str>) -> Result<(), Error> {
        let Some(content) = content.filter(|_| self.is_ours()) else { return Ok(()) };
        let comment = quote_literal(&format!("{COMMENT}{content}"));
        let statement = format!("COMMENT ON DATABASE {} IS {comment}", quote_identifier(name));
        self.connect().await?.batch_execute(&statement).await?;
        self.lock_templates().insert(name.to_owned());
        Ok(())
    }

    /// Keeps the templates of a throwaway server for the next start with the same
    /// [`snapshot`](super::ThrowawayOptions::snapshot), where that saves time: shuts the
    /// server down, so that only [`Target::close`] may follow. Returns whether it did.
    ///
    /// # Errors
    /// They could not be kept; the next start makes them anew.
    pub async fn keep_templates(&self) -> Result<bool, Error> {
        let Some(server) = self.server().filter(|server| server.can_keep()).map(Arc::clone) else {
            return Ok(false);
        };
        let templates: Vec<String> = self.lock_templates().iter().cloned().collect();
        let session = self.connect().await?;
        let row = session
            .query_one(
                "SELECT coalesce(sum(pg_catalog.pg_database_size(datname)), 0)::bigint, \
                        coalesce(bool_or(datname = ANY($2)), false) \
                 FROM pg_catalog.pg_database WHERE datname = ANY($1)",
                &[&templates, &self.made()],
            )
            .await?;
        let (bytes, is_any_new): (i64, bool) = (row.get(0), row.get(1));
        if !is_any_new || !(SMALLEST_BYTES..=LARGEST_BYTES).contains(&bytes) {
            return Ok(false);
        }
        for name in self.made().iter().filter(|name| !templates.contains(name)) {
            self.drop_database(name).await?;
        }
        // So that the shutdown finds nothing left to write, however long that would take it.
        session.batch_execute("CHECKPOINT").await?;
        let row = session.query_one("SELECT pg_walfile_name(pg_current_wal_insert_lsn())", &[]).await?;
        let wal_file: String = row.get(0);
        drop(session);
        let kept = tokio::task::spawn_blocking(move || server.keep(&wal_file)).await;
        kept.map_err(|error| Error::Unexpected(error.to_string()))??;
        Ok(true)
    }
}
