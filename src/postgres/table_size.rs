//! How large tables are.

use super::{Error, Session, quote_identifier};

/// A table's size.
#[derive(Debug, Clone, PartialEq)]
pub struct TableExtent {
    /// Schema and table, quoted where needed.
    pub name: String,
    /// Rows, as ANALYZE or VACUUM counted last; 0 where neither ever ran.
    pub rows: f64,
    /// Data on disk with TOAST and without indexes, in bytes.
    pub bytes: u64,
}

/// The sizes of tables with these schemas and names; those without a schema are found through the
/// search path, and what is not found is left out.
///
/// # Errors
/// The server fails.
pub async fn table_extents(
    session: &Session,
    tables: &[(Option<String>, String)],
) -> Result<Vec<TableExtent>, Error> {
    let quoted = |(schema, table): &(Option<String>, String)| match schema {
        Some(schema) => format!("{}.{}", quote_identifier(schema), quote_identifier(table)),
        None => quote_identifier(table),
    };
    let names: Vec<String> = tables.iter().map(quoted).collect();
    let statement = "
        SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), greatest(c.reltuples, 0)::float8,
               pg_catalog.pg_table_size(c.oid)
        FROM pg_catalog.unnest($1::text[]) AS wanted(name)
        JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(wanted.name)
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'm') ORDER BY 1";
    let rows = session.query(statement, &[&names]).await?;
    let extent = |row: &tokio_postgres::Row| TableExtent {
        name: row.get(0),
        rows: row.get(1),
        bytes: row.get::<_, i64>(2).unsigned_abs(),
    };
    Ok(rows.iter().map(extent).collect())
}
