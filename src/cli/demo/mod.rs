//! `plimsoll demo`: the four scenarios on an embedded shop database. Passes
//! when it finds the three things that the shop hides on purpose.

mod application;
mod files;
mod hidden;

use super::arguments::Global;
use super::execution::execute;
use super::session::load_project;
use super::{ExitCode, Failure, Terminal, output, run};
use std::fs;
use std::path::{Path, PathBuf};

/// `plimsoll demo [--keep DIR]`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Leave the shop project and its reports in DIR
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

/// `plimsoll demo-application`: hidden.
#[derive(Debug, clap::Args)]
pub(crate) struct ApplicationOptions {}

/// What the demo project wraps as its application.
pub(super) async fn application(global: &Global, _options: &ApplicationOptions) -> Result<ExitCode, Failure> {
    let Some(url) = &global.url else {
        return Err(Failure::Usage("the application needs DATABASE_URL".into()));
    };
    application::list_orders(url).await.map_err(|error| Failure::Environment(error.into()))?;
    Ok(ExitCode::Pass)
}

pub(super) async fn run(
    global: &Global,
    terminal: &Terminal,
    options: &Options,
) -> Result<ExitCode, Failure> {
    let temporary = tempfile::Builder::new().prefix("plimsoll-demo-").tempdir()?;
    let folder = match &options.keep {
        Some(folder) => new_folder(folder)?,
        None => temporary.path().join("shop"),
    };
    files::write(&folder)?;
    // The demo is about its own shop on its own server, whatever the environment names.
    let global = Global { project: folder.clone(), url: None, reports: None, ..global.clone() };
    let project = load_project(&global)?;
    let jobs = run::jobs(&global, &project, &[]);
    let finished = execute(&global, terminal, &project, jobs).await?;
    output::write_report(&global, terminal, &finished.report)?;
    let found = hidden::look_for(&finished.report);
    terminal.result(hidden::summary(&found).as_bytes())?;
    if options.keep.is_some() {
        terminal.note(&format!("report: {}", finished.kept.directory().join("report.html").display()));
        terminal.note(&format!(
            "next: plimsoll run -C {}   (exits 1: a real project would have to fix these)",
            folder.display()
        ));
    } else {
        terminal.note("next: plimsoll demo --keep shop   keeps the project and its report to look around");
    }
    Ok(if found.iter().all(|thing| thing.is_found) { ExitCode::Pass } else { ExitCode::Fail })
}

/// A folder that is not there yet, or is empty: a user's files are never written over.
fn new_folder(folder: &Path) -> Result<PathBuf, Failure> {
    fs::create_dir_all(folder)?;
    if fs::read_dir(folder)?.next().is_some() {
        return Err(Failure::Usage(format!(
            "{} is not empty; name a new folder for --keep",
            folder.display()
        )));
    }
    Ok(folder.canonicalize()?)
}
