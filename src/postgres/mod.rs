//! The only home of catalog SQL: servers, connections, clones, migrations, locks, EXPLAIN.
//!
//! [`Target`] is the database under test and says what may be done to it;
//! [`Session`] is a connection. A throwaway server is `server.rs` with its
//! parts: programs, account, directory, cluster, settings, guard, orphan.

mod account;
pub mod activity;
mod address;
mod catalog;
mod cluster;
mod cold;
mod column;
mod connect_error;
mod copy;
mod directory;
mod durability;
mod error;
mod explain;
mod generic_plan;
mod guard;
mod hypothetical;
mod leftovers;
pub mod locks;
pub mod migrate;
mod migrate_error;
mod naming;
mod observed;
mod orphan;
mod owner;
pub mod physical;
mod programs;
pub mod results;
pub mod row_locks;
mod schema;
mod server;
mod session;
pub mod session_locks;
mod settings;
mod snapshot;
mod statements;
mod table_name;
mod table_size;
mod target;
mod template;
mod text_parameter;
mod tls;
mod version;
mod volatile;

pub use catalog::{
    Catalog, CatalogColumn, CatalogTable, CheckConstraint, ColumnType, ForeignKey, RelationKind,
    SecondaryIndex, UniqueKey, read_catalog,
};
pub use column::{ColumnDescription, ColumnLookup, ColumnStatistics, column_statistics, find_column};
pub use error::{Error, ServerError};
pub use explain::{ExplainOptions, explain, explain_json};
pub use generic_plan::{GenericPlan, generic_plan, generic_plan_json};
pub use hypothetical::{create_hypopg, hypothetical_index};
pub use migrate_error::MigrationError;
pub use naming::{quote_identifier, quote_literal};
pub use observed::{ObservedSession, ServerMessage, StatementOutcome};
pub use programs::{Programs, SUPPORTED_MAJORS};
pub use schema::schema_text;
pub use server::ThrowawayOptions;
pub use session::Session;
pub use statements::{
    ColumnProfile, StatementStatistics, TopStatements, column_profiles, row_estimates, top_statements,
};
pub use table_name::{NamedTable, name_tables, name_tables_at, tables_named};
pub use table_size::{TableExtent, table_extents};
pub use target::{DISPOSABLE_COMMENT, Target};
pub use text_parameter::TextParameter;
pub use volatile::{volatile_calls, volatile_functions};
