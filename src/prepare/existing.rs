//! Reads what `project::init` needs to propose a project for a database that exists. Reads only.

use crate::postgres::{
    self, Catalog, CatalogColumn, CatalogTable, ColumnProfile, ColumnType, RelationKind, Session,
    column_profiles, read_catalog, row_estimates, top_statements,
};
use crate::project::init::{ColumnKind, ExistingColumn, ExistingDatabase, ExistingStatement, ExistingTable};

/// So many of the most expensive statements are looked at.
const STATEMENTS: u32 = 50;

/// Catalogue, statistics and expensive statements of a database; no dump of its schema.
///
/// # Errors
/// The server fails.
pub async fn read_existing(session: &Session, name: &str) -> Result<ExistingDatabase, postgres::Error> {
    let catalog = read_catalog(session).await?;
    let profiles = column_profiles(session).await?;
    let rows = row_estimates(session).await?;
    let statements = top_statements(session, STATEMENTS).await?.into_known();
    let tables = catalog.tables.iter().filter(|table| table.kind != RelationKind::Other).map(|table| {
        let estimate = rows.iter().find(|(schema, name, _)| *schema == table.schema && *name == table.name);
        let columns = table.columns.iter().filter(|column| !column.is_generated);
        ExistingTable {
            schema: (!table.is_visible).then(|| table.schema.clone()),
            name: table.name.clone(),
            rows: estimate.map_or(0, |(_, _, rows)| whole(*rows)),
            columns: columns.map(|column| existing_column(&catalog, table, column, &profiles)).collect(),
        }
    });
    Ok(ExistingDatabase {
        name: name.to_owned(),
        tables: tables.collect(),
        statements: statements
            .into_iter()
            .map(|statement| ExistingStatement {
                text: statement.text,
                calls: statement.calls,
                mean_us: statement.mean_us,
            })
            .collect(),
        schema_sql: None,
    })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a row count, not negative")]
fn whole(rows: f64) -> u64 {
    rows.max(0.0) as u64
}

fn existing_column(
    catalog: &Catalog,
    table: &CatalogTable,
    column: &CatalogColumn,
    profiles: &[ColumnProfile],
) -> ExistingColumn {
    let profile = profiles.iter().find(|profile| {
        profile.schema == table.schema && profile.table == table.name && profile.column == column.name
    });
    let alone = |columns: &[String]| matches!(columns, [only] if *only == column.name);
    let reference = table.foreign_keys.iter().find(|key| alone(&key.columns)).and_then(|key| {
        let is_parent =
            |table: &&CatalogTable| table.schema == key.parent_schema && table.name == key.parent_table;
        let parent = catalog.tables.iter().find(is_parent)?;
        let path = if parent.is_visible {
            parent.name.clone()
        } else {
            format!("{}.{}", parent.schema, parent.name)
        };
        Some((path, key.parent_columns.first()?.clone()))
    });
    ExistingColumn {
        name: column.name.clone(),
        kind: kind(column),
        has_default: column.has_default,
        not_null: column.not_null,
        is_unique: table.unique_keys.iter().any(|key| alone(&key.columns)),
        reference,
        null_share: profile.map_or(0.0, |profile| profile.null_share),
        distinct: profile.map_or(0.0, |profile| profile.distinct),
        most_common: profile.map(|profile| profile.most_common.clone()).unwrap_or_default(),
        bounds: profile.map(|profile| profile.bounds.clone()).unwrap_or_default(),
        width_bytes: profile.map_or(0, |profile| profile.width_bytes),
    }
}

fn kind(column: &CatalogColumn) -> ColumnKind {
    match &column.column_type {
        ColumnType::Bool => ColumnKind::Boolean,
        ColumnType::Int2 | ColumnType::Int4 | ColumnType::Int8 => ColumnKind::Integer,
        ColumnType::Float4 | ColumnType::Float8 => ColumnKind::Number(None),
        ColumnType::Numeric(precision) => ColumnKind::Number(precision.map(|(_, scale)| scale)),
        ColumnType::Text(length) => ColumnKind::Text(*length),
        ColumnType::Enum(labels) => ColumnKind::Enumeration(labels.clone()),
        ColumnType::Uuid => ColumnKind::Uuid,
        ColumnType::Date | ColumnType::Timestamp => ColumnKind::Time,
        ColumnType::Json | ColumnType::Jsonb => ColumnKind::Json,
        ColumnType::Bytea | ColumnType::Other => ColumnKind::Other(column.type_name.clone()),
    }
}
