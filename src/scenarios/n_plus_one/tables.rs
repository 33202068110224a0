//! Names for the tables that a trace's columns come from.

use crate::postgres::{NamedTable, Session, name_tables};
use crate::trace::{TableName, Trace};

/// Names the tables that a trace's columns come from.
pub(super) async fn resolve_tables(
    session: &Session,
    trace: &mut Trace,
) -> Result<(), crate::postgres::Error> {
    let mut oids: Vec<u32> = trace
        .statements
        .iter()
        .flat_map(|record| record.columns.iter().map(|column| column.table_oid))
        .filter(|oid| *oid > 0 && trace.tables.iter().all(|table| table.oid != *oid))
        .collect();
    oids.sort_unstable();
    oids.dedup();
    if oids.is_empty() {
        return Ok(());
    }
    for NamedTable { oid, schema, name, columns } in name_tables(session, &oids).await? {
        trace.tables.push(TableName { oid, schema, name, columns });
    }
    Ok(())
}
