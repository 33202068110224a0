//! The clones a comparison is made on: before, the same again, and after.
//!
//! Statistics are taken once, before cloning, so that all sides plan from the
//! same; afterwards only what the change touched is analysed again. A second
//! ANALYZE of an untouched table would only add its sampling noise.

use super::touched::{self, Touched};
use crate::model::Progress;
use crate::postgres::{Error as PostgresError, Session, Target, physical};
use crate::prepare::Databases;
use crate::project::migration::Migration;

/// What turns the side before into the side after.
#[derive(Debug)]
pub enum SchemaChange<'a> {
    /// The project's migrations, up to a version (none: the newest).
    Migrations {
        /// Applies them.
        databases: &'a Databases<'a>,
        /// Up to and including.
        version: Option<String>,
        /// Their text, to see what they touch.
        sql: String,
    },
    /// Statements, each in a transaction of its own.
    Statements(Vec<String>),
}

impl<'a> SchemaChange<'a> {
    /// By these migrations of the project, up to a version.
    pub fn of_migrations<'m>(
        databases: &'a Databases<'a>,
        version: Option<String>,
        migrations: impl Iterator<Item = &'m Migration>,
    ) -> Self {
        let sql: Vec<&str> = migrations.map(|migration| migration.sql.as_str()).collect();
        Self::Migrations { databases, version, sql: sql.join("\n;\n") }
    }
}

/// Names of the clones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sides {
    /// As it was.
    pub before: String,
    /// As it was, again: what identical sides differ by.
    pub identical: String,
    /// With the change.
    pub after: String,
}

impl Sides {
    /// All of them.
    #[must_use]
    pub fn names(&self) -> [&str; 3] {
        [&self.before, &self.identical, &self.after]
    }
}

/// Makes the clones from `template`, changes one, and brings all into the same
/// state: analysed, vacuumed, checkpointed, in the cache.
///
/// # Errors
/// The server refuses a clone, or the change fails.
pub async fn prepare(
    target: &Target,
    template: &str,
    change: &SchemaChange<'_>,
    progress: &dyn Progress,
) -> anyhow::Result<(Sides, Touched)> {
    progress.phase("cloning", Some(4));
    let before = target.clone_database(template, "before").await?;
    {
        let session = target.connect_to(&before).await?;
        session.batch_execute("VACUUM (ANALYZE)").await.map_err(PostgresError::from)?;
    }
    progress.advance_to(1);
    let identical = target.clone_database(&before, "identical").await?;
    progress.advance_to(2);
    let after = target.clone_database(&before, "after").await?;
    progress.advance_to(3);
    let touched = apply(target, &after, change).await?;
    let sides = Sides { before, identical, after };
    progress.phase("settling the clones", None);
    settle(target, &sides).await?;
    Ok((sides, touched))
}

/// Applies the change to a database and analyses what it touched.
///
/// # Errors
/// The change fails.
pub async fn apply(target: &Target, database: &str, change: &SchemaChange<'_>) -> anyhow::Result<Touched> {
    let session = target.connect_to(database).await?;
    let old = touched::state(&session).await?;
    let sql = match change {
        SchemaChange::Migrations { databases, version, sql } => {
            databases.migrate(database, version.as_deref()).await?;
            sql.clone()
        }
        SchemaChange::Statements(statements) => {
            for statement in statements {
                session.batch_execute(statement).await.map_err(PostgresError::from)?;
            }
            statements.join(";\n")
        }
    };
    let touched = touched::compare(&old, &touched::state(&session).await?, &sql);
    for table in &touched.to_analyse {
        session.batch_execute(&format!("VACUUM (ANALYZE) {table}")).await.map_err(PostgresError::from)?;
    }
    Ok(touched)
}

/// A checkpoint where we may ask for one, and the data in the cache.
async fn settle(target: &Target, sides: &Sides) -> Result<(), PostgresError> {
    for name in sides.names() {
        let session = target.connect_to(name).await?;
        prewarm(&session).await?;
    }
    if target.is_ours() {
        target.connect().await?.batch_execute("CHECKPOINT").await?;
    }
    Ok(())
}

/// Reads the data of a clone into the cache, as far as that can be done.
///
/// # Errors
/// The connection broke.
pub async fn prewarm(session: &Session) -> Result<(), PostgresError> {
    // The extension goes into a schema of ours; without it the queries' own warm-up does.
    session.batch_execute("SET client_min_messages = warning; CREATE SCHEMA IF NOT EXISTS plimsoll").await?;
    physical::prewarm(session).await?;
    Ok(())
}

/// Removes the clones. The target would do so at its end too.
///
/// # Errors
/// The server refuses.
pub async fn drop(target: &Target, sides: &Sides) -> Result<(), PostgresError> {
    for name in sides.names() {
        target.drop_database(name).await?;
    }
    Ok(())
}
