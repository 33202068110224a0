//! Names for the table OIDs and column numbers of result descriptions.

use super::address::Address;
use super::tls::MakeTls;
use super::{Error, Session, connect_error};

/// A table and its columns, by the numbers of RowDescription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedTable {
    /// OID of the table.
    pub oid: u32,
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Its columns: number and name.
    pub columns: Vec<(i16, String)>,
}

/// [`name_tables`] in a database of the server with this URL, in a session of its own.
///
/// # Errors
/// The server cannot be reached, has no such database, or refuses.
pub async fn name_tables_at(url: &str, database: &str, oids: &[u32]) -> Result<Vec<NamedTable>, Error> {
    let address = Address::parse(url)?;
    let session = Session::open(&address.config(database), &MakeTls::new(&address.tls)?)
        .await
        .map_err(|error| connect_error::explain(&address, database, &error))?;
    name_tables(&session, oids).await
}

/// The tables with these OIDs, as far as they still exist.
///
/// # Errors
/// The server refuses or the connection breaks.
pub async fn name_tables(session: &Session, oids: &[u32]) -> Result<Vec<NamedTable>, Error> {
    let rows = session
        .query(
            "SELECT c.oid, n.nspname::text, c.relname::text, a.attnum, a.attname::text \
             FROM pg_catalog.pg_class c \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid \
             WHERE c.oid = ANY($1) AND a.attnum > 0 AND NOT a.attisdropped \
             ORDER BY c.oid, a.attnum",
            &[&oids],
        )
        .await?;
    let mut tables: Vec<NamedTable> = Vec::new();
    for row in rows {
        let oid: u32 = row.get(0);
        let column = (row.get(3), row.get(4));
        match tables.last_mut().filter(|table| table.oid == oid) {
            Some(table) => table.columns.push(column),
            None => {
                let (schema, name) = (row.get(1), row.get(2));
                tables.push(NamedTable { oid, schema, name, columns: vec![column] });
            }
        }
    }
    Ok(tables)
}

/// The numbers of the tables with these schemas and names; none where there is no such table.
///
/// # Errors
/// The server refuses or the connection breaks.
pub async fn tables_named(session: &Session, names: &[(&str, &str)]) -> Result<Vec<Option<u32>>, Error> {
    let (schemas, tables): (Vec<&str>, Vec<&str>) = names.iter().copied().unzip();
    let rows = session
        .query(
            "SELECT pg_catalog.to_regclass(pg_catalog.format('%I.%I', n.schema, n.name))::oid \
             FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS n(schema, name, place) ORDER BY n.place",
            &[&schemas, &tables],
        )
        .await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
