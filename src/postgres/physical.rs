//! What a schema is made of on disk: tables with their files and columns,
//! indexes with their sizes. Two states of a database are told apart by it.

use super::{Error, Session};
use crate::plan::{RelationKind, RelationName, Relations};

/// A table, partition or materialised view of the user's.
#[derive(Debug, Clone, PartialEq)]
pub struct TableState {
    /// Object identifier.
    pub oid: u32,
    /// As SQL text: qualified and quoted where needed.
    pub name: String,
    /// Without schema and quotes, as EXPLAIN and `pg_class` have it.
    pub bare_name: String,
    /// The partitioned table or parent it belongs to, as SQL text.
    pub parent: Option<String>,
    /// The file; another one after a rewrite. 0 for a partitioned table.
    pub file: u32,
    /// Columns with types, in order: changes with the table's shape.
    pub columns: String,
    /// Rows as last counted.
    pub rows: f64,
    /// Bytes on disk, indexes not counted.
    pub bytes: i64,
}

/// An index of a user's table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexState {
    /// As SQL text.
    pub name: String,
    /// Without schema and quotes.
    pub bare_name: String,
    /// Its table, as SQL text.
    pub table: String,
    /// `CREATE INDEX …`.
    pub definition: String,
    /// False for what a failed CREATE INDEX CONCURRENTLY leaves behind.
    pub is_valid: bool,
    /// On expressions, which have statistics of their own.
    pub has_expressions: bool,
    /// Bytes on disk.
    pub bytes: i64,
    /// The file; another one after a rebuild.
    pub file: u32,
}

const NOT_OURS: &str = "n.nspname NOT IN ('pg_catalog', 'information_schema', 'plimsoll') \
     AND n.nspname NOT LIKE 'pg\\_toast%' AND n.nspname NOT LIKE 'pg\\_temp%'";

/// Every table of the user's, by name.
///
/// # Errors
/// The server refuses.
pub async fn tables(session: &Session) -> Result<Vec<TableState>, Error> {
    let sql = format!(
        "SELECT c.oid, c.oid::regclass::text, c.relname::text, \
                (SELECT i.inhparent::regclass::text FROM pg_inherits i WHERE i.inhrelid = c.oid LIMIT 1), \
                coalesce(pg_relation_filenode(c.oid), 0::oid), \
                coalesce((SELECT string_agg(format('%s %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' \
                                   ORDER BY a.attnum) \
                          FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), ''), \
                greatest(c.reltuples, 0)::float8, \
                CASE WHEN c.relkind = 'p' THEN 0::int8 ELSE pg_table_size(c.oid) END \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'p', 'm') AND c.relpersistence <> 't' AND {NOT_OURS} ORDER BY 2"
    );
    let rows = session.query(&sql, &[]).await?;
    let table = |row: &tokio_postgres::Row| TableState {
        oid: row.get(0),
        name: row.get(1),
        bare_name: row.get(2),
        parent: row.get(3),
        file: row.get(4),
        columns: row.get(5),
        rows: row.get(6),
        bytes: row.get(7),
    };
    Ok(rows.iter().map(table).collect())
}

/// The relations of a database and the session's search path, as plan rules need them.
///
/// # Errors
/// The server refuses.
pub async fn relations(session: &Session) -> Result<Relations, Error> {
    let path: Vec<String> =
        session.query_one("SELECT pg_catalog.current_schemas(true)::text[]", &[]).await?.get(0);
    let rows = session
        .query(
            "SELECT n.nspname::text, c.relname::text, c.relkind IN ('i', 'I'), c.relkind = 'v' \
             FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relkind IN ('r', 'p', 'm', 'f', 'v', 'i', 'I') AND n.nspname NOT LIKE 'pg\\_toast%' \
               AND n.nspname NOT LIKE 'pg\\_temp%'",
            &[],
        )
        .await?;
    let kind = |row: &tokio_postgres::Row| match (row.get(2), row.get(3)) {
        (true, _) => RelationKind::Index,
        (_, true) => RelationKind::View,
        _ => RelationKind::Table,
    };
    let name = |row: &tokio_postgres::Row, at: usize| {
        RelationName::new(row.get::<_, String>(at), row.get::<_, String>(at + 1))
    };
    let kinds: Vec<_> = rows.iter().map(|row| (name(row, 0), kind(row))).collect();
    let inherits = session
        .query(
            "SELECT pn.nspname::text, p.relname::text, cn.nspname::text, c.relname::text \
             FROM pg_catalog.pg_inherits i \
             JOIN pg_catalog.pg_class p ON p.oid = i.inhparent JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace \
             JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid JOIN pg_catalog.pg_namespace cn ON cn.oid = c.relnamespace \
             ORDER BY 1, 2, 3, 4",
            &[],
        )
        .await?;
    Ok(Relations::new(path, kinds, inherits.iter().map(|row| (name(row, 0), name(row, 2)))))
}

/// Every index of the user's, by name.
///
/// # Errors
/// The server refuses.
pub async fn indexes(session: &Session) -> Result<Vec<IndexState>, Error> {
    let sql = format!(
        "SELECT c.oid::regclass::text, c.relname::text, i.indrelid::regclass::text, pg_get_indexdef(c.oid), \
                i.indisvalid, i.indexprs IS NOT NULL, \
                CASE WHEN c.relkind = 'I' THEN 0::int8 ELSE pg_relation_size(c.oid) END, \
                coalesce(pg_relation_filenode(c.oid), 0::oid) \
         FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relpersistence <> 't' AND {NOT_OURS} ORDER BY 1"
    );
    let rows = session.query(&sql, &[]).await?;
    let index = |row: &tokio_postgres::Row| IndexState {
        name: row.get(0),
        bare_name: row.get(1),
        table: row.get(2),
        definition: row.get(3),
        is_valid: row.get(4),
        has_expressions: row.get(5),
        bytes: row.get(6),
        file: row.get(7),
    };
    Ok(rows.iter().map(index).collect())
}

/// A column of the table that can be written to itself: not generated, not an
/// identity that is always generated. None for a materialised view or a table without one.
///
/// # Errors
/// The server refuses.
pub async fn plain_column(session: &Session, table: &str) -> Result<Option<String>, Error> {
    let rows = session
        .query(
            "SELECT quote_ident(a.attname) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid \
             WHERE c.oid = $1::text::regclass AND c.relkind IN ('r', 'p') AND a.attnum > 0 \
               AND NOT a.attisdropped AND a.attgenerated = '' AND a.attidentity <> 'a' \
             ORDER BY a.attnum DESC LIMIT 1",
            &[&table],
        )
        .await?;
    Ok(rows.first().map(|row| row.get(0)))
}

/// Reads every user table and index into the server's cache, where `pg_prewarm`
/// can be had and all of it fits into half the cache. False where not.
///
/// # Errors
/// The connection broke.
pub async fn prewarm(session: &Session) -> Result<bool, Error> {
    let fits: bool = session
        .query_one(
            "SELECT pg_database_size(current_database()) * 2 < \
                    (SELECT setting::int8 * current_setting('block_size')::int8 FROM pg_settings \
                     WHERE name = 'shared_buffers')",
            &[],
        )
        .await?
        .get(0);
    if !fits
        || session
            .batch_execute("CREATE EXTENSION IF NOT EXISTS pg_prewarm WITH SCHEMA plimsoll")
            .await
            .is_err()
    {
        return Ok(false);
    }
    let sql = format!(
        "SELECT count(plimsoll.pg_prewarm(c.oid)) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'm', 'i', 't') AND {NOT_OURS}"
    );
    Ok(session.query_one(&sql, &[]).await.is_ok())
}
