//! What the catalogue knows about a column: its type, its table's key and size,
//! and how ANALYZE saw its values.

use super::{Error, Session, quote_identifier};

/// A column with what is needed to draw values from it.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnDescription {
    /// Schema and table, quoted for SQL.
    pub table_sql: String,
    /// The column, quoted for SQL.
    pub column_sql: String,
    /// `pg_type.typname`, domains resolved to what they are made of: `int4`, `varchar`, `uuid`.
    pub type_name: String,
    /// Whether it is an enumeration.
    pub is_enum: bool,
    /// Longest text in characters, for `varchar(n)` and `char(n)`.
    pub length_max: Option<i32>,
    /// Columns of the primary key, quoted for SQL; empty without one.
    pub key_sql: Vec<String>,
    /// Whether the primary key is one column of whole numbers.
    pub has_integer_key: bool,
    /// `pg_class.relkind`: `r` table, `p` partitioned table, `v` view, `m` materialised view, `f` foreign table.
    pub relation_kind: char,
    /// Size of the table's data with its partitions; `None` for what has no storage of its own.
    pub size_bytes: Option<i64>,
}

/// What became of the search for a column.
#[derive(Debug, Clone, PartialEq)]
pub enum ColumnLookup {
    /// It is there.
    Found(ColumnDescription),
    /// There is no such table; the names of those there are, without schema.
    NoTable(Vec<String>),
    /// The table has no such column; the names of those it has.
    NoColumn(Vec<String>),
}

/// How ANALYZE saw a column.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ColumnStatistics {
    /// The most common values, most frequent first, as text.
    pub most_common: Vec<String>,
    /// Whether every value is different, as far as the sample shows.
    pub is_unique: bool,
}

const TABLE: &str = "
    SELECT c.oid, pg_catalog.format('%I.%I', n.nspname, c.relname), c.relkind::text,
           CASE c.relkind
               WHEN 'p' THEN (SELECT sum(pg_catalog.pg_relation_size(t.relid))::bigint
                              FROM pg_catalog.pg_partition_tree(c.oid) t WHERE t.isleaf)
               WHEN 'r' THEN pg_catalog.pg_relation_size(c.oid)
               WHEN 'm' THEN pg_catalog.pg_relation_size(c.oid)
           END
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = pg_catalog.to_regclass($1) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')";

const TABLES: &str = "
    SELECT c.relname::text
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT LIKE 'pg\\_%'
      AND n.nspname <> 'information_schema'
    ORDER BY 1 LIMIT 1000";

const COLUMN: &str = "
    WITH RECURSIVE type(oid, modifier, depth) AS (
        SELECT a.atttypid, a.atttypmod, 0 FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = $1 AND a.attname = $2 AND a.attnum > 0 AND NOT a.attisdropped
        UNION ALL
        SELECT t.typbasetype, t.typtypmod, type.depth + 1
        FROM type JOIN pg_catalog.pg_type t ON t.oid = type.oid WHERE t.typtype = 'd'
    )
    SELECT t.typname::text, t.typtype::text = 'e',
           CASE WHEN t.typname IN ('varchar', 'bpchar') AND type.modifier > 4 THEN type.modifier - 4 END
    FROM type JOIN pg_catalog.pg_type t ON t.oid = type.oid ORDER BY type.depth DESC LIMIT 1";

const COLUMNS: &str = "
    SELECT a.attname::text FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";

const KEY: &str = "
    SELECT pg_catalog.quote_ident(a.attname), t.typname::text
    FROM pg_catalog.pg_index i
    CROSS JOIN LATERAL pg_catalog.unnest(i.indkey) WITH ORDINALITY k(attnum, position)
    JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
    WHERE i.indrelid = $1 AND i.indisprimary ORDER BY k.position";

const STATISTICS: &str = "
    SELECT coalesce(s.most_common_vals::text::text[], '{}'), s.n_distinct = -1
    FROM pg_catalog.pg_stats s
    WHERE pg_catalog.format('%I.%I', s.schemaname, s.tablename) = $1
      AND '\"' || pg_catalog.replace(s.attname, '\"', '\"\"') || '\"' = $2
    ORDER BY s.inherited DESC LIMIT 1";

/// Looks a column up; without a schema through the search path.
///
/// # Errors
/// The server fails.
pub async fn find_column(
    session: &Session,
    schema: Option<&str>,
    table: &str,
    column: &str,
) -> Result<ColumnLookup, Error> {
    let schema = schema.map(|schema| format!("{}.", quote_identifier(schema))).unwrap_or_default();
    let name = format!("{schema}{}", quote_identifier(table));
    let Some(found) = session.query_opt(TABLE, &[&name]).await? else {
        let tables = session.query(TABLES, &[]).await?;
        return Ok(ColumnLookup::NoTable(tables.iter().map(|row| row.get(0)).collect()));
    };
    let oid: u32 = found.get(0);
    let Some(kind) = session.query_opt(COLUMN, &[&oid, &column]).await? else {
        let columns = session.query(COLUMNS, &[&oid]).await?;
        return Ok(ColumnLookup::NoColumn(columns.iter().map(|row| row.get(0)).collect()));
    };
    let key = session.query(KEY, &[&oid]).await?;
    let is_integer = |name: String| matches!(name.as_str(), "int2" | "int4" | "int8");
    Ok(ColumnLookup::Found(ColumnDescription {
        table_sql: found.get(1),
        column_sql: quote_identifier(column),
        type_name: kind.get(0),
        is_enum: kind.get(1),
        length_max: kind.get(2),
        key_sql: key.iter().map(|row| row.get(0)).collect(),
        has_integer_key: key.len() == 1 && key.iter().all(|row| is_integer(row.get(1))),
        relation_kind: found.get::<_, String>(2).chars().next().unwrap_or('r'),
        size_bytes: found.get(3),
    }))
}

/// What ANALYZE kept about a column; nothing where it never ran.
///
/// # Errors
/// The server fails.
pub async fn column_statistics(
    session: &Session,
    column: &ColumnDescription,
) -> Result<ColumnStatistics, Error> {
    let found = session.query_opt(STATISTICS, &[&column.table_sql, &column.column_sql]).await?;
    Ok(found.map_or_else(ColumnStatistics::default, |row| ColumnStatistics {
        most_common: row.get(0),
        is_unique: row.get(1),
    }))
}
