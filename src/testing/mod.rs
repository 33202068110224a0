//! Plimsoll from Rust tests: a database made from the project's migrations and
//! data for the time of a test, and the verdicts as assertions.
//!
//! ```no_run
//! use plimsoll::testing::{TestDatabase, assert_passes};
//!
//! # async fn list_orders(_url: &str) -> anyhow::Result<()> { Ok(()) }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> anyhow::Result<()> {
//! // A throwaway server with the migrations and the data of ./plimsoll.toml.
//! let database = TestDatabase::of_project(".").await?;
//!
//! // The application's own code, against a URL; whatever client it uses is recorded.
//! let (listed, verdict) = database.n_plus_one("list orders", async |url| list_orders(&url).await).await?;
//! listed?;
//! assert_passes(&verdict);
//!
//! // The budgets in queries/*.sql.
//! assert_passes(&database.slow_queries(&["order_history"]).await?);
//! database.close().await
//! # }
//! ```
//!
//! `examples/test_from_rust.rs` is a whole one that is compiled and run.

mod verdicts;

pub use verdicts::{assert_passes, describe};

use crate::model::{Progress, Quiet, ScenarioReport};
use crate::postgres::{Target, ThrowawayOptions};
use crate::prepare::{Context, Databases, cache_directory, snapshot_content};
use crate::project::Project;
use crate::proxy::{self, Recorder};
use crate::scenarios::{n_plus_one, slow_queries};
use anyhow::Context as _;
use std::path::Path;

/// The same run, the same answer.
const SEED: u64 = 42;

/// A database for the time of a test, on a throwaway server of its own.
///
/// The server and everything in it are gone when this is closed or dropped,
/// and also when the test panics or its process is killed.
#[derive(Debug)]
pub struct TestDatabase {
    project: Project,
    target: Target,
    name: String,
    volume: String,
}

impl TestDatabase {
    /// The project's newest schema with its first volume.
    ///
    /// # Errors
    /// The project is wrong (all its problems are in the message), no server
    /// programs are found, a migration fails, or the data does not fit.
    pub async fn of_project(folder: impl AsRef<Path>) -> anyhow::Result<Self> {
        Self::with_volume(folder, None).await
    }

    /// The same with the volume of that name in `plimsoll.toml`.
    ///
    /// # Errors
    /// As [`Self::of_project`]; also where no volume has the name.
    pub async fn of_project_at(folder: impl AsRef<Path>, volume: &str) -> anyhow::Result<Self> {
        Self::with_volume(folder, Some(volume)).await
    }

    async fn with_volume(folder: impl AsRef<Path>, volume: Option<&str>) -> anyhow::Result<Self> {
        let project = Project::load(folder.as_ref()).map_err(|problems| {
            anyhow::anyhow!("{}", crate::project::diagnostic::render(&problems, false))
        })?;
        let first = project.settings.volumes.first().map(|volume| volume.name.clone());
        let volume = volume.map(str::to_owned).or(first).context("plimsoll.toml declares no volume")?;
        let options = ThrowawayOptions {
            postgres_bin: std::env::var_os("PLIMSOLL_POSTGRES_BIN")
                .map(Into::into)
                .or_else(|| project.settings.database.postgres_bin.clone()),
            search_path: std::env::var_os("PATH"),
            cache_directory: cache_directory(),
            snapshot: snapshot_content(&project, std::slice::from_ref(&volume)),
            ..ThrowawayOptions::default()
        };
        let target = Target::throwaway(&options, &Quiet).await?;
        let template = Databases::new(&project, &target, &Quiet).at_head(&volume).await?;
        // No result depends on it: without, the next test makes it anew.
        let _kept = target.keep_templates().await;
        let name = target.clone_database(&template, "test").await?;
        Ok(Self { project, target, name, volume })
    }

    /// The database's URL, for any client: TCP on a port of this machine.
    #[must_use]
    pub fn url(&self) -> String {
        self.target.url_for(&self.name)
    }

    /// Runs the work against a URL under recording, and judges what it asked:
    /// the verdict fails where a query was asked once per row of another's result.
    ///
    /// Returns what the work returned, and the verdict. The URL is of a proxy
    /// in this process that forwards every byte to the database.
    ///
    /// # Errors
    /// The proxy cannot be started, or the trace not be judged.
    pub async fn n_plus_one<T>(
        &self,
        name: &str,
        work: impl AsyncFnOnce(String) -> T,
    ) -> anyhow::Result<(T, ScenarioReport)> {
        let options = proxy::Options {
            source: name.to_owned(),
            names: Some(n_plus_one::table_names(&self.url())),
            ..proxy::Options::new(&self.url(), rand::random())
        };
        let recorder = tokio::task::spawn_blocking(move || Recorder::start(&options)).await??;
        let returned = work(recorder.url()).await;
        let recording = tokio::task::spawn_blocking(move || recorder.stop()).await??;
        if let Some(failure) = recording.failure {
            anyhow::bail!("the recording is not whole: {failure}");
        }
        let options = n_plus_one::Options {
            recorded: vec![(name.to_owned(), recording.trace, self.name.clone())],
            ..n_plus_one::Options::default()
        };
        let databases = Databases::new(&self.project, &self.target, &Quiet);
        let report = Box::pin(n_plus_one::run(&self.context(&databases), &options)).await?;
        Ok((returned, report))
    }

    /// Measures queries of the project against their budgets; all of them where
    /// no name is given. A clone of the pristine database is measured, not the
    /// one the test writes to.
    ///
    /// # Errors
    /// A name is unknown, or the server is lost. A query that fails or is over
    /// budget is a verdict.
    pub async fn slow_queries(&self, queries: &[&str]) -> anyhow::Result<ScenarioReport> {
        let options = slow_queries::Options {
            queries: queries.iter().map(|&name| name.to_owned()).collect(),
            volumes: vec![self.volume.clone()],
            ..slow_queries::Options::default()
        };
        let databases = Databases::new(&self.project, &self.target, &Quiet);
        Box::pin(slow_queries::run(&self.context(&databases), &options)).await
    }

    /// Removes server and database; returns when that is done.
    ///
    /// # Errors
    /// The server could not be stopped.
    pub async fn close(self) -> anyhow::Result<()> {
        Ok(self.target.close().await?)
    }

    fn context<'a>(&'a self, databases: &'a Databases<'a>) -> Context<'a> {
        let progress: &'a dyn Progress = &Quiet;
        Context {
            project: &self.project,
            target: &self.target,
            databases,
            seed: SEED,
            progress,
            checkpoint: &|_| {},
        }
    }
}
