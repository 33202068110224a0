//! `plimsoll demo`: the four scenarios on an embedded shop database. Passes
//! when it finds the three things that the shop hides on purpose.

mod files;
mod hidden;

use super::arguments::Global;
use super::execution::{Job, execute};
use super::session::load_project;
use super::{ExitCode, Failure, Terminal, output, run};
use crate::model::Scenario;
use crate::scenarios::n_plus_one;
use std::fs;
use std::path::{Path, PathBuf};

/// `plimsoll demo [--keep DIR]`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Leave the shop project and its reports in DIR
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
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
    let mut jobs = run::jobs(&global, &project, &[]);
    jobs.retain(|job| job.scenario() != Scenario::NPlusOne);
    jobs.push(Job::NPlusOne(n_plus_one::Options { list_orders: true, ..n_plus_one::Options::default() }));
    let (report, kept) = execute(&global, terminal, &project, &jobs).await?;
    output::write_report(&global, terminal, &report)?;
    let found = hidden::look_for(&report);
    terminal.result(hidden::summary(&found).as_bytes())?;
    if options.keep.is_some() {
        terminal.note(&format!("report: {}", kept.directory().join("run.json").display()));
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
