//! `plimsoll n-plus-one`: loops in recorded statements.

use super::arguments::Global;
use super::execution::{Job, conclude, execute};
use super::session::load_project;
use super::{ExitCode, Failure, Terminal};
use crate::project::Project;
use crate::scenarios::n_plus_one as scenario;
use std::path::PathBuf;

/// `plimsoll n-plus-one`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Judge this trace (repeatable)
    #[arg(long = "trace", value_name = "FILE")]
    traces: Vec<PathBuf>,
    /// Children of one parent execution that make a finding
    #[arg(long, value_name = "N")]
    threshold: Option<u64>,
    /// Known findings with reasons: only new ones fail
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
}

pub(super) async fn run(
    global: &Global,
    terminal: &Terminal,
    options: &Options,
) -> Result<ExitCode, Failure> {
    let project = load_project(global)?;
    if options.traces.is_empty() {
        default_job(&project).map_err(Failure::Usage)?;
    }
    let job = Job::NPlusOne(scenario::Options {
        traces: options.traces.clone(),
        threshold: options.threshold,
        baseline: options.baseline.clone(),
        ..scenario::Options::default()
    });
    let (report, kept) = execute(global, terminal, &project, &[job]).await?;
    conclude(global, terminal, &report, &kept)
}

/// What `plimsoll run` does for this scenario.
///
/// # Errors
/// The reason to skip it.
pub(super) fn default_job(project: &Project) -> Result<Job, String> {
    let settings = &project.settings.n_plus_one;
    if settings.traces.is_empty() {
        return Err("the project names no traces under [n-plus-one]".into());
    }
    Ok(Job::NPlusOne(scenario::Options::default()))
}
