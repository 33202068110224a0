//! The queries behind [`Catalog`], one per kind of object.

use super::{
    Catalog, CatalogColumn, CatalogTable, CheckConstraint, ColumnType, ForeignKey, RelationKind,
    SecondaryIndex, UniqueKey,
};
use crate::postgres::{Error, Session};
use std::collections::BTreeMap;
use tokio_postgres::Row;

/// Tables that people made, by oid: the others belong to the server or an extension.
const TABLES: &str = "\
WITH relation AS (
  SELECT c.oid, c.relname, c.relkind, c.relispartition, c.relowner, n.nspname
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't'
    AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                    WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'))
";

/// Reads the catalogue of the session's database.
///
/// # Errors
/// The server refuses or the connection breaks.
pub async fn read_catalog(session: &Session) -> Result<Catalog, Error> {
    let mut tables: BTreeMap<u32, CatalogTable> = BTreeMap::new();
    let query = format!(
        "{TABLES} SELECT r.oid, r.nspname::text, r.relname::text, r.relkind::text, \
                pg_catalog.pg_table_is_visible(r.oid), \
                EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = r.oid \
                        AND NOT t.tgisinternal AND t.tgenabled <> 'D') \
         FROM relation r"
    );
    for row in session.query(&query, &[]).await? {
        let kind = match row.get::<_, &str>(3) {
            "r" => RelationKind::Table,
            "p" => RelationKind::Partitioned,
            _ => RelationKind::Other,
        };
        let table = CatalogTable {
            schema: row.get(1),
            name: row.get(2),
            is_visible: row.get(4),
            kind,
            columns: Vec::new(),
            unique_keys: Vec::new(),
            foreign_keys: Vec::new(),
            checks: Vec::new(),
            secondary_indexes: Vec::new(),
            has_triggers: row.get(5),
        };
        tables.insert(row.get(0), table);
    }
    read_columns(session, &mut tables).await?;
    read_unique_keys(session, &mut tables).await?;
    read_foreign_keys(session, &mut tables).await?;
    read_checks(session, &mut tables).await?;
    read_secondary_indexes(session, &mut tables).await?;
    let mut tables: Vec<CatalogTable> = tables.into_values().collect();
    tables.sort_by(|a, b| (&a.schema, &a.name).cmp(&(&b.schema, &b.name)));
    Ok(Catalog { tables })
}

type Tables = BTreeMap<u32, CatalogTable>;

async fn read_columns(session: &Session, tables: &mut Tables) -> Result<(), Error> {
    // A domain stores what its base type stores; one level is resolved, deeper ones count as "other".
    let query = format!(
        "{TABLES} SELECT a.attrelid, a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod), \
                b.typname::text, b.typnamespace = 'pg_catalog'::regnamespace, b.typtype::text, \
                CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END, \
                (SELECT pg_catalog.array_agg(e.enumlabel::text ORDER BY e.enumsortorder) \
                 FROM pg_catalog.pg_enum e WHERE e.enumtypid = b.oid), \
                a.attnotnull OR t.typnotnull, \
                a.atthasdef OR a.attidentity <> '' OR t.typdefault IS NOT NULL, a.attgenerated <> '', \
                pg_catalog.pg_get_serial_sequence(pg_catalog.format('%I.%I', r.nspname, r.relname), a.attname) \
         FROM relation r \
         JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped \
         JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
         JOIN pg_catalog.pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END \
         ORDER BY a.attrelid, a.attnum"
    );
    for row in session.query(&query, &[]).await? {
        let column = CatalogColumn {
            name: row.get(1),
            type_name: row.get(2),
            column_type: column_type(&row),
            not_null: row.get(8),
            has_default: row.get(9),
            is_generated: row.get(10),
            sequence: row.get(11),
        };
        if let Some(table) = tables.get_mut(&row.get(0)) {
            table.columns.push(column);
        }
    }
    Ok(())
}

fn column_type(row: &Row) -> ColumnType {
    let (name, is_builtin, kind, modifier): (&str, bool, &str, i32) =
        (row.get(3), row.get(4), row.get(5), row.get(6));
    if kind == "e" {
        return ColumnType::Enum(row.get::<_, Option<Vec<String>>>(7).unwrap_or_default());
    }
    // Of numeric: precision in the high half, scale in the low half, both after 4.
    let modifier = modifier.checked_sub(4).and_then(|modifier| u32::try_from(modifier).ok());
    match name {
        _ if !is_builtin => ColumnType::Other,
        "bool" => ColumnType::Bool,
        "int2" => ColumnType::Int2,
        "int4" => ColumnType::Int4,
        "int8" => ColumnType::Int8,
        "float4" => ColumnType::Float4,
        "float8" => ColumnType::Float8,
        // Negative scales and those above the precision (PostgreSQL 15) have bit 10 or a large value.
        "numeric" => match modifier.map(|modifier| (modifier >> 16, modifier & 0x7ff)) {
            Some((precision, scale)) if scale > precision => ColumnType::Other,
            bounds => ColumnType::Numeric(bounds),
        },
        "text" | "name" => ColumnType::Text(None),
        "varchar" | "bpchar" => ColumnType::Text(modifier),
        "uuid" => ColumnType::Uuid,
        "date" => ColumnType::Date,
        "timestamp" | "timestamptz" => ColumnType::Timestamp,
        "json" => ColumnType::Json,
        "jsonb" => ColumnType::Jsonb,
        "bytea" => ColumnType::Bytea,
        _ => ColumnType::Other,
    }
}

/// The names of an array of column numbers of a relation, in the array's order.
fn names(relation: &str, numbers: &str) -> String {
    format!(
        "(SELECT pg_catalog.array_agg(a.attname::text ORDER BY u.place) \
          FROM pg_catalog.unnest({numbers}) WITH ORDINALITY AS u(number, place) \
          JOIN pg_catalog.pg_attribute a ON a.attrelid = {relation} AND a.attnum = u.number)"
    )
}

async fn read_unique_keys(session: &Session, tables: &mut Tables) -> Result<(), Error> {
    let columns = names("i.indrelid", "i.indkey[0:i.indnkeyatts - 1]");
    let query = format!(
        "{TABLES} SELECT i.indrelid, c.relname::text, {columns} \
         FROM relation r JOIN pg_catalog.pg_index i ON i.indrelid = r.oid \
         JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
         WHERE i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL \
         ORDER BY i.indrelid, NOT i.indisprimary, c.relname"
    );
    for row in session.query(&query, &[]).await? {
        if let Some(table) = tables.get_mut(&row.get(0)) {
            table.unique_keys.push(UniqueKey { name: row.get(1), columns: row.get(2) });
        }
    }
    Ok(())
}

async fn read_foreign_keys(session: &Session, tables: &mut Tables) -> Result<(), Error> {
    let (columns, parent_columns) = (names("k.conrelid", "k.conkey"), names("k.confrelid", "k.confkey"));
    let query = format!(
        "{TABLES} SELECT k.conrelid, k.conname::text, {columns}, n.nspname::text, p.relname::text, {parent_columns} \
         FROM relation r JOIN pg_catalog.pg_constraint k ON k.conrelid = r.oid AND k.contype = 'f' \
         JOIN pg_catalog.pg_class p ON p.oid = k.confrelid \
         JOIN pg_catalog.pg_namespace n ON n.oid = p.relnamespace \
         ORDER BY k.conrelid, k.conname"
    );
    for row in session.query(&query, &[]).await? {
        if let Some(table) = tables.get_mut(&row.get(0)) {
            table.foreign_keys.push(ForeignKey {
                name: row.get(1),
                columns: row.get(2),
                parent_schema: row.get(3),
                parent_table: row.get(4),
                parent_columns: row.get(5),
            });
        }
    }
    Ok(())
}

async fn read_checks(session: &Session, tables: &mut Tables) -> Result<(), Error> {
    let columns = names("k.conrelid", "k.conkey");
    let query = format!(
        "{TABLES} SELECT k.conrelid, k.conname::text, pg_catalog.pg_get_expr(k.conbin, k.conrelid), {columns} \
         FROM relation r JOIN pg_catalog.pg_constraint k ON k.conrelid = r.oid AND k.contype = 'c' \
         ORDER BY k.conrelid, k.conname"
    );
    for row in session.query(&query, &[]).await? {
        if let Some(table) = tables.get_mut(&row.get(0)) {
            let columns: Option<Vec<String>> = row.get(3);
            table.checks.push(CheckConstraint {
                name: row.get(1),
                expression: row.get(2),
                columns: columns.unwrap_or_default(),
            });
        }
    }
    Ok(())
}

async fn read_secondary_indexes(session: &Session, tables: &mut Tables) -> Result<(), Error> {
    // What a definition does not carry (comment, CLUSTER mark, replica identity, tablespace,
    // statistics targets, a partition's parent) would be lost, so that such an index stays.
    let query = format!(
        "{TABLES} SELECT i.indrelid, pg_catalog.format('%I.%I', r.nspname, c.relname), pg_catalog.pg_get_indexdef(i.indexrelid) \
         FROM relation r JOIN pg_catalog.pg_index i ON i.indrelid = r.oid \
         JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
         WHERE r.relkind = 'r' AND NOT r.relispartition AND pg_catalog.pg_has_role(r.relowner, 'USAGE') AND NOT i.indisunique AND i.indisvalid \
           AND NOT i.indisclustered AND NOT i.indisreplident AND NOT i.indisexclusion AND c.reltablespace = 0 \
           AND pg_catalog.obj_description(i.indexrelid, 'pg_class') IS NULL \
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a \
                           WHERE a.attrelid = i.indexrelid AND a.attstattarget > 0) \
         ORDER BY i.indrelid, c.relname"
    );
    for row in session.query(&query, &[]).await? {
        if let Some(table) = tables.get_mut(&row.get(0)) {
            table.secondary_indexes.push(SecondaryIndex { name: row.get(1), definition: row.get(2) });
        }
    }
    Ok(())
}
