//! A project and its target, opened together and closed whatever happens in between.

use super::arguments::Global;
use super::interrupt::Interrupts;
use super::{Failure, Terminal};
use crate::model::{Progress, ScenarioReport};
use crate::postgres::{Target, ThrowawayOptions};
use crate::prepare::{Context, Databases, snapshot_content};
use crate::project::Project;
use crate::project::settings::Settings;
use crate::project::transaction::SpecFile;
use crate::scenarios::deadlock;

/// What most commands work with.
pub(super) struct Session<'a> {
    pub(super) terminal: &'a Terminal,
    pub(super) project: &'a Project,
    pub(super) target: &'a Target,
    pub(super) databases: &'a Databases<'a>,
    pub(super) seed: u64,
    pub(super) interrupts: &'a Interrupts,
}

impl Session<'_> {
    /// What a scenario works with.
    pub(super) fn context<'b>(
        &'b self,
        checkpoint: &'b (dyn Fn(&ScenarioReport) + Send + Sync),
    ) -> Context<'b> {
        Context {
            project: self.project,
            target: self.target,
            databases: self.databases,
            seed: self.seed,
            progress: self.terminal,
            checkpoint,
        }
    }
}

/// The seed where none is asked for: the same run, the same answer.
const DEFAULT_SEED: u64 = 42;

pub(super) fn seed(global: &Global) -> u64 {
    global.seed.unwrap_or(DEFAULT_SEED)
}

/// The server that the command line or the project names; none: a throwaway one.
pub(super) fn url<'a>(global: &'a Global, project: &'a Project) -> Option<&'a str> {
    global.url.as_deref().or(project.settings.database.url.as_deref())
}

/// The project, checked whole: its files, its specs, and the options that name
/// parts of it. Nothing has been touched yet.
pub(super) fn load_project(global: &Global) -> Result<Project, Failure> {
    let check_spec = |file: &SpecFile| deadlock::spec::parse(file).err().unwrap_or_default();
    let project = Project::load_with(&global.project, check_spec)?;
    let known: Vec<_> = project.settings.volumes.iter().map(|v| v.name.as_str()).collect();
    match global.volume.iter().find(|asked| !known.contains(&asked.as_str())) {
        Some(unknown) => Err(Failure::Usage(format!(
            "no volume is called `{unknown}`; plimsoll.toml has {}",
            known.join(", ")
        ))),
        None => Ok(project),
    }
}

/// The project where there is one, else an empty one with the defaults: for
/// commands that need nothing of it.
pub(super) fn load_project_or_default(global: &Global) -> Result<Project, Failure> {
    if global.project.join("plimsoll.toml").exists() {
        return load_project(global);
    }
    let root = global.project.clone();
    let name =
        root.canonicalize().ok().and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    Ok(Project {
        name: name.unwrap_or_else(|| "no project".into()),
        root,
        settings: Settings::default(),
        migrations: Vec::new(),
        distributions: None,
        queries: Vec::new(),
        transactions: Vec::new(),
    })
}

pub(super) fn volumes(global: &Global, project: &Project) -> Vec<String> {
    if global.volume.is_empty() {
        project.settings.volumes.first().map(|v| v.name.clone()).into_iter().collect()
    } else {
        global.volume.clone()
    }
}

/// Opens the target, does `work`, and closes the target: also after an error
/// or a signal.
pub(super) async fn with_session<T>(
    global: &Global,
    terminal: &Terminal,
    project: &Project,
    work: impl AsyncFnOnce(&Session<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let interrupts = Interrupts::default();
    let target = interrupts.stop(open(global, terminal, project, url(global, project))).await?;
    let result = {
        let databases = Databases::new(project, &target, terminal);
        let seed = seed(global);
        let session = Session {
            terminal,
            project,
            target: &target,
            databases: &databases,
            seed,
            interrupts: &interrupts,
        };
        interrupts.stop(work(&session)).await
    };
    if result.is_ok() {
        keep(&target, terminal, &interrupts).await;
    }
    terminal.finish_progress();
    let closed = target.close().await;
    let value = result?;
    closed?;
    Ok(value)
}

/// No result depends on it: without, the next run makes its templates anew.
async fn keep(target: &Target, terminal: &Terminal, interrupts: &Interrupts) {
    terminal.phase("keeping the templates for the next run", None);
    let kept = interrupts.stop(async { Ok(target.keep_templates().await) }).await;
    if let Ok(Err(error)) = kept {
        terminal.say(&format!("the templates are not kept for the next run: {error}"));
    }
}

async fn open(
    global: &Global,
    terminal: &Terminal,
    project: &Project,
    url: Option<&str>,
) -> Result<Target, Failure> {
    if let Some(url) = url {
        terminal.phase("connecting", None);
        return Ok(Target::at_url(url).await?);
    }
    terminal.phase("starting a throwaway PostgreSQL", None);
    let options = ThrowawayOptions {
        postgres_bin: global.postgres_bin.clone().or_else(|| project.settings.database.postgres_bin.clone()),
        search_path: std::env::var_os("PATH"),
        cache_directory: crate::prepare::cache_directory(),
        without_durability: global.no_fsync,
        snapshot: snapshot_content(project, &volumes(global, project)),
        ..ThrowawayOptions::default()
    };
    Ok(Target::throwaway(&options, terminal).await?)
}

/// The queries asked for, of a command that is about nothing else.
pub(super) fn require_queries(project: &Project, asked: &[String]) -> Result<(), Failure> {
    check_query_names(project, asked)?;
    if project.queries.is_empty() {
        return Err(Failure::Usage("the project has no queries/*.sql".into()));
    }
    Ok(())
}

/// A misspelt query must not pass as "nothing was over budget".
pub(super) fn check_query_names(project: &Project, asked: &[String]) -> Result<(), Failure> {
    let known: Vec<_> = project.queries.iter().map(|q| q.name.as_str()).collect();
    match asked.iter().find(|name| !known.contains(&name.as_str())) {
        Some(unknown) => {
            Err(Failure::Usage(format!("no query is called `{unknown}`; there are {}", known.join(", "))))
        }
        None => Ok(()),
    }
}
