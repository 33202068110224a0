//! `plimsoll n-plus-one`: loops in what a command asks, or in recorded traces.

use super::arguments::Global;
use super::execution::{Job, conclude, execute};
use super::recording::RecordOptions;
use super::session::{load_project, load_project_or_default};
use super::{ExitCode, Failure, Terminal};
use crate::project::Project;
use crate::scenarios::n_plus_one as scenario;
use crate::trace::{Reader, TraceFileError};
use std::path::PathBuf;

/// `plimsoll n-plus-one [-- CMD]`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The application's own test command, such as `pytest -q`
    #[arg(last = true, value_name = "CMD")]
    command: Vec<String>,
    /// Judge this trace instead (repeatable)
    #[arg(long = "trace", value_name = "FILE", conflicts_with = "command")]
    traces: Vec<PathBuf>,
    /// Children of one parent execution that make a finding
    #[arg(long, value_name = "N")]
    threshold: Option<u64>,
    /// Known findings with reasons: only new ones fail
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Do not try the batched form of loops on the database
    #[arg(long)]
    without_batching: bool,
    #[command(flatten)]
    record: RecordOptions,
}

pub(super) async fn run(
    global: &Global,
    terminal: &Terminal,
    options: &Options,
) -> Result<ExitCode, Failure> {
    let has_source = !options.command.is_empty() || !options.traces.is_empty();
    let project = if has_source { load_project_or_default(global)? } else { load_project(global)? };
    check_traces(&options.traces)?;
    options.record.check()?;
    let chosen = scenario::Options {
        traces: options.traces.clone(),
        threshold: options.threshold,
        baseline: options.baseline.clone(),
        without_batching: options.without_batching,
        ..scenario::Options::default()
    };
    let job = if !options.command.is_empty() {
        Job::RecordedCommand {
            words: options.command.clone(),
            record: options.record.clone(),
            options: chosen,
        }
    } else if options.traces.is_empty() {
        default_job(&project).map_err(Failure::Usage)?
    } else {
        Job::NPlusOne(chosen)
    };
    let finished = execute(global, terminal, &project, vec![job]).await?;
    conclude(global, terminal, finished)
}

/// What cannot be read is said before a server is started for it.
fn check_traces(paths: &[PathBuf]) -> Result<(), Failure> {
    let mut problems = Vec::new();
    for path in paths {
        let opened = std::fs::File::open(path).map_err(TraceFileError::from);
        if let Err(error) = opened.and_then(Reader::new) {
            problems.push(format!("{}: {error}", path.display()));
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    problems.push("record one with `plimsoll trace --output FILE -- CMD`".into());
    Err(Failure::Usage(problems.join("\n")))
}

/// What `plimsoll run` does for this scenario.
///
/// # Errors
/// The reason to skip it.
pub(super) fn default_job(project: &Project) -> Result<Job, String> {
    let settings = &project.settings.n_plus_one;
    if let Some(words) = &settings.command {
        return Ok(Job::RecordedCommand {
            words: words.clone(),
            record: RecordOptions::default(),
            options: scenario::Options::default(),
        });
    }
    if settings.traces.is_empty() {
        return Err("the project names no command and no traces under [n-plus-one]".into());
    }
    Ok(Job::NPlusOne(scenario::Options::default()))
}
