//! Databases made ready once and handed out by name.

use super::{Error, command, content, earlier, migration_files, schema_files};
use crate::model::Progress;
use crate::model::evidence::data::ObtainedColumn;
use crate::postgres::{Target, migrate, read_catalog, schema_text};
use crate::project::Project;
use crate::project::migration::Migration;
use crate::project::settings::Volume;
use crate::seed::{self, Scale, SeedOutcome, SeedPlan};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;
use tokio::sync::Mutex;

/// Below this, turning `fsync` off and on again takes longer than it saves.
const ROWS_WORTH_SUSPENDING: u64 = 50_000;

/// Makes databases at a schema version and a volume, each once per run. What
/// it hands out is a template: never change it, clone it.
pub struct Databases<'a> {
    project: &'a Project,
    target: &'a Target,
    progress: &'a dyn Progress,
    /// Name by version (`None`: the newest) and volume.
    made: Mutex<BTreeMap<(Option<String>, String), String>>,
}

impl<'a> Databases<'a> {
    /// None made yet.
    #[must_use]
    pub fn new(project: &'a Project, target: &'a Target, progress: &'a dyn Progress) -> Self {
        Self { project, target, progress, made: Mutex::default() }
    }

    /// The name of a database with all migrations, holding a volume.
    ///
    /// # Errors
    /// The volume is unknown, a migration fails, the data does not fit, or the server refuses.
    pub async fn at_head(&self, volume: &str) -> Result<String, Error> {
        self.at_version(None, volume).await
    }

    /// The same at an earlier migration version.
    ///
    /// # Errors
    /// As [`Self::at_head`]; also where the version is unknown.
    pub async fn at(&self, version: &str, volume: &str) -> Result<String, Error> {
        let is_head = self.project.migrations.last().is_some_and(|last| last.version == version);
        self.at_version(if is_head { None } else { Some(version) }, volume).await
    }

    async fn at_version(&self, version: Option<&str>, volume: &str) -> Result<String, Error> {
        let volume = self.volume(volume)?;
        let key = (version.map(str::to_owned), volume.name.clone());
        // Held while making: whoever else asks for the same waits for it.
        let mut made = self.made.lock().await;
        if let Some(name) = made.get(&key) {
            return Ok(name.clone());
        }
        let content = content::database_key(self.project, version, volume);
        if let Some(name) = self.target.find_template(content.as_deref()).await? {
            made.insert(key, name.clone());
            return Ok(name);
        }
        let label = format!("{}_{}", version.unwrap_or("head"), volume.name);
        let name = self.target.create_database(&label).await?;
        self.migrate(&name, version).await?;
        self.fill(&name, version, volume).await?;
        self.target.mark_template(&name, content.as_deref()).await?;
        made.insert(key, name.clone());
        Ok(name)
    }

    /// Migrates a database, which must be one that may be changed, to a version (`None`: the newest).
    ///
    /// # Errors
    /// A migration fails, or the database is not ours to change.
    pub async fn migrate(&self, database: &str, version: Option<&str>) -> Result<(), Error> {
        self.target.require_change(database)?;
        if let Some(own_command) = &self.project.settings.database.migrate_command {
            let url = self.target.url_for(database);
            return command::run(own_command, version, &self.project.root, &url).await;
        }
        let session = self.target.connect_to(database).await?;
        migrate::apply(&session, &migration_files(self.project), version, self.progress).await?;
        Ok(())
    }

    /// The same, version by version, and keeps the schema of each version as
    /// `.plimsoll/schema/<version>.sql` in the project's folder.
    ///
    /// # Errors
    /// As [`Self::migrate`]; the file cannot be written.
    pub async fn migrate_and_record(
        &self,
        database: &str,
        version: Option<&str>,
    ) -> Result<Vec<PathBuf>, Error> {
        let all: Vec<&str> =
            self.project.migrations.iter().map(|migration| migration.version.as_str()).collect();
        let last = version.and_then(|version| all.iter().position(|known| *known == version));
        // A command of the project's own goes to one version; only that is known.
        let steps: Vec<Option<&str>> = match last {
            _ if self.project.settings.database.migrate_command.is_some() => vec![version],
            Some(last) => all[..=last].iter().copied().map(Some).collect(),
            None => all.iter().copied().map(Some).collect(),
        };
        let ledger = self.target.connect_to(database).await?;
        let applied = migrate::applied_versions(&ledger).await?;
        drop(ledger);
        let mut files = Vec::new();
        for step in steps {
            self.migrate(database, step).await?;
            // An applied version is not the schema of now any more.
            if step.is_some_and(|step| applied.iter().any(|version| version == step)) {
                continue;
            }
            let session = self.target.connect_to(database).await?;
            let text = schema_text(&session).await?;
            files.push(schema_files::write(&self.project.root, step.unwrap_or("head"), &text)?);
        }
        Ok(files)
    }

    /// Fills the empty tables of a database at the newest version, which must be one
    /// that may be changed, with a volume. `None`: the project declares no data.
    ///
    /// # Errors
    /// The volume is unknown, the data does not fit the schema, or the server refuses.
    pub async fn seed(&self, database: &str, volume: &str) -> Result<Option<SeedOutcome>, Error> {
        self.fill(database, None, self.volume(volume)?).await
    }

    async fn fill(
        &self,
        database: &str,
        version: Option<&str>,
        volume: &Volume,
    ) -> Result<Option<SeedOutcome>, Error> {
        let Some(plan) = self.seed_plan(database, version, volume).await? else { return Ok(None) };
        let is_large = plan.row_count() > ROWS_WORTH_SUSPENDING;
        if is_large {
            self.target.suspend_durability().await?;
        }
        let outcome = seed::fill(self.target, database, &plan, self.progress).await;
        if is_large {
            self.progress.phase("writing the data to the disk", None);
            self.target.restore_durability().await?;
        }
        Ok(Some(outcome?))
    }

    async fn seed_plan(
        &self,
        database: &str,
        version: Option<&str>,
        volume: &Volume,
    ) -> Result<Option<SeedPlan>, Error> {
        let Some(declared) = &self.project.distributions else { return Ok(None) };
        let catalog = read_catalog(&self.target.connect_to(database).await?).await?;
        let declared = match version {
            Some(version) => Cow::Owned(earlier::fitting(declared, &catalog, self.later_than(version))),
            None => Cow::Borrowed(declared),
        };
        let volumes = &self.project.settings.volumes;
        let scale = Scale::new(volume.factor, volumes.iter().map(|volume| volume.factor));
        seed::plan(&catalog, &declared, &scale).map(Some).map_err(Error::Distributions)
    }

    /// What a database at the newest version that was filled with a volume holds, beside what was
    /// declared: a query each column over a bounded sample. Empty where the project declares no data.
    ///
    /// # Errors
    /// The volume is unknown, or the server refuses.
    pub async fn obtained(&self, database: &str, volume: &str) -> Result<Vec<ObtainedColumn>, Error> {
        let Some(plan) = self.seed_plan(database, None, self.volume(volume)?).await? else {
            return Ok(Vec::new());
        };
        let session = self.target.connect_to(database).await?;
        Ok(seed::measure(&session, &plan).await?)
    }

    fn later_than(&self, version: &str) -> &'a [Migration] {
        let migrations = &self.project.migrations;
        let position = migrations.iter().position(|migration| migration.version == version);
        position.map_or(&[], |position| &migrations[position + 1..])
    }

    fn volume(&self, name: &str) -> Result<&'a Volume, Error> {
        let volumes = &self.project.settings.volumes;
        volumes.iter().find(|volume| volume.name == name).ok_or_else(|| Error::UnknownVolume {
            name: name.to_owned(),
            known: volumes.iter().map(|volume| volume.name.as_str()).collect::<Vec<_>>().join(", "),
        })
    }
}

impl std::fmt::Debug for Databases<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Databases").field("project", &self.project.name).finish_non_exhaustive()
    }
}
