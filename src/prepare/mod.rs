//! Databases at a schema version and a volume, ready for a scenario.
//!
//! On a throwaway or disposable server: a database is created, migrated to the
//! version, seeded with the volume and kept as a template for clones. On a
//! precious target nothing of the target is changed; new databases are made
//! beside it where the rights allow.

mod cache;
mod check;
mod command;
mod content;
mod databases;
mod earlier;
mod error;
mod existing;
mod schema_files;

pub use cache::cache_directory;
pub use databases::Databases;
pub use error::Error;
pub use existing::read_existing;

use crate::model::{Progress, ScenarioReport};
use crate::postgres::Target;
use crate::postgres::migrate::MigrationFile;
use crate::project::Project;

/// What every scenario works with.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The project under test.
    pub project: &'a Project,
    /// The server and the database under test.
    pub target: &'a Target,
    /// Databases made ready.
    pub databases: &'a Databases<'a>,
    /// Replays everything random.
    pub seed: u64,
    /// Tells a person that work goes on.
    pub progress: &'a dyn Progress,
    /// Takes a report that is not whole yet, so that nothing is lost when the run is cut short.
    pub checkpoint: &'a (dyn Fn(&ScenarioReport) + Send + Sync),
}

/// For [`ThrowawayOptions::snapshot`](crate::postgres::ThrowawayOptions): stands for all that
/// runs with these volumes make of the project as it is now. None where that is unknown.
#[must_use]
pub fn snapshot_content(project: &Project, volumes: &[String]) -> Option<String> {
    content::project_key(project, volumes)
}

/// The project's migrations as `postgres` takes them.
#[must_use]
pub fn migration_files(project: &Project) -> Vec<MigrationFile> {
    let file = |migration: &crate::project::migration::Migration| MigrationFile {
        version: migration.version.clone(),
        label: migration.label.clone(),
        path: migration.path.clone(),
        sql: migration.sql.clone(),
        in_transaction: migration.in_transaction,
    };
    project.migrations.iter().map(file).collect()
}
