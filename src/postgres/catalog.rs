//! The user tables of a database as plain data: columns, keys, rules.
//!
//! What seeding and parameters need to know. System schemas, temporary and
//! extension-owned tables are left out.

mod read;

pub use read::read_catalog;

/// The user tables of one database.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Catalog {
    /// In the order of schema and name.
    pub tables: Vec<CatalogTable>,
}

impl Catalog {
    /// A table by `name` (found through the search path) or `schema.name`.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<&CatalogTable> {
        self.tables.iter().find(|table| table.is_visible && table.name == name).or_else(|| {
            let (schema, name) = name.split_once('.')?;
            self.tables.iter().find(|table| table.schema == schema && table.name == name)
        })
    }
}

/// What a relation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelationKind {
    /// An ordinary table.
    Table,
    /// A partitioned table: rows go to its partitions.
    Partitioned,
    /// A view, materialised view or foreign table.
    Other,
}

/// One table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogTable {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Whether the search path finds it without its schema.
    pub is_visible: bool,
    /// What it is.
    pub kind: RelationKind,
    /// In their order.
    pub columns: Vec<CatalogColumn>,
    /// Primary key, unique constraints and unique indexes on plain columns.
    pub unique_keys: Vec<UniqueKey>,
    /// References to other tables.
    pub foreign_keys: Vec<ForeignKey>,
    /// CHECK constraints.
    pub checks: Vec<CheckConstraint>,
    /// Indexes that can be dropped and made again from their definition alone.
    pub secondary_indexes: Vec<SecondaryIndex>,
    /// Whether it has enabled triggers besides those of constraints.
    pub has_triggers: bool,
}

impl CatalogTable {
    /// A column by name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&CatalogColumn> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// `"schema"."table"`.
    #[must_use]
    pub fn quoted(&self) -> String {
        format!("{}.{}", super::quote_identifier(&self.schema), super::quote_identifier(&self.name))
    }
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogColumn {
    /// Its name.
    pub name: String,
    /// As PostgreSQL writes it, such as `numeric(10,2)`.
    pub type_name: String,
    /// What it stores, domains resolved.
    pub column_type: ColumnType,
    /// Whether NULL is refused.
    pub not_null: bool,
    /// Whether it has a default, an identity or a generation expression.
    pub has_default: bool,
    /// Whether it is computed from other columns and cannot be written.
    pub is_generated: bool,
    /// The sequence that numbers it (identity, serial), as quoted SQL.
    pub sequence: Option<String>,
}

/// What a column stores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnType {
    /// `boolean`.
    Bool,
    /// `smallint`.
    Int2,
    /// `integer`.
    Int4,
    /// `bigint`.
    Int8,
    /// `real`.
    Float4,
    /// `double precision`.
    Float8,
    /// `numeric`, with precision and scale where they are declared.
    Numeric(Option<(u32, u32)>),
    /// `text`, `varchar` or `char`, with the declared length in characters.
    Text(Option<u32>),
    /// An enum with its labels.
    Enum(Vec<String>),
    /// `uuid`.
    Uuid,
    /// `date`.
    Date,
    /// `timestamp` with or without time zone.
    Timestamp,
    /// `json`.
    Json,
    /// `jsonb`.
    Jsonb,
    /// `bytea`.
    Bytea,
    /// Anything else: read by its input function.
    Other,
}

/// Columns whose values may not repeat together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UniqueKey {
    /// Of the constraint or index.
    pub name: String,
    /// In the key's order.
    pub columns: Vec<String>,
}

/// A reference to another table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKey {
    /// Of the constraint.
    pub name: String,
    /// Referencing columns.
    pub columns: Vec<String>,
    /// The parent's schema.
    pub parent_schema: String,
    /// The parent's name.
    pub parent_table: String,
    /// Referenced columns, in the order of `columns`.
    pub parent_columns: Vec<String>,
}

/// A CHECK constraint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckConstraint {
    /// Its name.
    pub name: String,
    /// The expression, as SQL over the table's columns.
    pub expression: String,
    /// The columns it reads.
    pub columns: Vec<String>,
}

/// An index that backs no constraint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecondaryIndex {
    /// As quoted SQL, with its schema.
    pub name: String,
    /// The CREATE INDEX statement.
    pub definition: String,
}
