//! Names for the tables that a trace's columns come from.
//!
//! A table's number means something on the recorded server alone, so names are
//! asked for there, by whoever records, and go into the trace with the rest. A
//! trace from a file is never named by a server: nobody knows whether it is the one.

use crate::postgres::{NamedTable, name_tables_at};
use crate::proxy::TableNames;
use crate::trace::TableName;
use anyhow::Context as _;
use std::time::Duration;

/// How long a server may take to say the names.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// The names of tables on the server with this URL, for a recorder.
#[must_use]
pub fn table_names(url: &str) -> TableNames {
    let url = url.to_owned();
    TableNames::new(move |database, oids| {
        ask(&url, database, oids).map_err(|error| format!("database {database}: {error:#}"))
    })
}

/// Blocks, on a thread that runs no tasks.
fn ask(url: &str, database: &str, oids: &[u32]) -> anyhow::Result<Vec<TableName>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = async { tokio::time::timeout(ANSWER_TIMEOUT, name_tables_at(url, database, oids)).await };
    let named = runtime.block_on(answer).context("no answer in time")??;
    Ok(named.into_iter().map(table_name).collect())
}

fn table_name(NamedTable { oid, schema, name, columns }: NamedTable) -> TableName {
    TableName { oid, schema, name, columns }
}
