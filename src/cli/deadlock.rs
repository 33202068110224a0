//! `plimsoll deadlock`: transaction specs, explored.

use super::arguments::Global;
use super::execution::{Job, conclude, execute};
use super::recording::{check_traces, duration};
use super::session::{load_project, load_project_or_default};
use super::{ExitCode, Failure, Terminal};
use crate::project::Project;
use crate::project::transaction::SpecFile;
use crate::report::Format;
use crate::scenarios::deadlock as scenario;
use crate::scenarios::deadlock::spec::Expectation;
use crate::scenarios::deadlock::sweep::{MAX_WORKERS, Sweep};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// `plimsoll deadlock`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Spec files [default: transactions/*.spec of the project]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Predict from the transactions of this trace (repeatable); only named specs run beside it
    #[arg(long = "trace", value_name = "TRACE")]
    traces: Vec<PathBuf>,
    /// How often a deadlocking order is measured
    #[arg(long, value_name = "N")]
    repetitions: Option<u32>,
    /// The most orders executed per spec
    #[arg(long, value_name = "N")]
    max_interleavings: Option<u64>,
    /// How long a step may take
    #[arg(long, value_name = "SECONDS")]
    step_timeout: Option<f64>,
    /// What every spec is expected to come to: none (no order deadlocks), deadlock,
    /// serialization-failure, lock-timeout, unique-violation, queue-reordered
    #[arg(long, value_name = "WHAT", value_parser = expectation)]
    expect: Option<Expectation>,
    #[command(flatten)]
    sweep: SweepOptions,
}

/// `--sweep` and what it sweeps.
#[derive(Debug, clap::Args)]
struct SweepOptions {
    /// Measure deadlocking specs over timeouts and over concurrent workers on hot rows
    #[arg(long)]
    sweep: bool,
    /// Values of `deadlock_timeout` [default: 10ms,100ms,1s]
    #[arg(long, value_name = "TIMES", value_delimiter = ',', value_parser = duration, requires = "sweep")]
    deadlock_timeouts: Option<Vec<Duration>>,
    /// Numbers of concurrent workers [default: 1,2,4,8]
    #[arg(long, value_name = "N", value_delimiter = ',', requires = "sweep",
          value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_WORKERS)))]
    workers: Option<Vec<u32>>,
    /// Numbers of rows the workers share [default: 2,16]
    #[arg(long, value_name = "N", value_delimiter = ',', requires = "sweep",
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    hot_rows: Option<Vec<u32>>,
    /// How long each number of workers and rows runs [default: 1s]
    #[arg(long, value_name = "TIME", value_parser = duration, requires = "sweep")]
    sweep_time: Option<Duration>,
}

impl SweepOptions {
    fn chosen(&self) -> Result<Option<Sweep>, Failure> {
        const LIMIT: Duration = Duration::from_secs(60);
        let default = Sweep::default();
        let sweep = Sweep {
            deadlock_timeouts: self.deadlock_timeouts.clone().unwrap_or(default.deadlock_timeouts),
            workers: self.workers.clone().unwrap_or(default.workers),
            hot_rows: self.hot_rows.clone().unwrap_or(default.hot_rows),
            point: self.sweep_time.unwrap_or(default.point),
            workers_timeout: default.workers_timeout,
        };
        let is_time = |time: &Duration| (Duration::from_millis(1)..=LIMIT).contains(time);
        if !sweep.deadlock_timeouts.iter().chain([&sweep.point]).all(is_time) {
            return Err(Failure::Usage("times of a sweep lie between 1ms and 60s".into()));
        }
        Ok(self.sweep.then_some(sweep))
    }
}

fn expectation(word: &str) -> Result<Expectation, String> {
    Expectation::of(word).ok_or_else(|| format!("expect {}", Expectation::WORDS))
}

pub(super) async fn run(
    global: &Global,
    terminal: &Terminal,
    options: &Options,
) -> Result<ExitCode, Failure> {
    let files = read_specs(&options.files)?;
    check_traces(&options.traces)?;
    let has_source = !files.is_empty() || !options.traces.is_empty();
    let project = if has_source { load_project_or_default(global)? } else { load_project(global)? };
    if !has_source && project.transactions.is_empty() {
        return Err(Failure::Usage("no spec is named, and the project has no transactions/*.spec".into()));
    }
    let mut chosen = scenario::Options { files, ..scenario::Options::of(&project.settings.deadlock) };
    chosen.expect = options.expect;
    chosen.sweep = options.sweep.chosen()?;
    chosen.traces.clone_from(&options.traces);
    chosen.transcript = global.format == Format::Isolationtester;
    chosen.repetitions = options.repetitions.unwrap_or(chosen.repetitions);
    chosen.max_interleavings = options.max_interleavings.unwrap_or(chosen.max_interleavings);
    if let Some(seconds) = options.step_timeout {
        chosen.step_timeout = Duration::try_from_secs_f64(seconds)
            .map_err(|error| Failure::Usage(format!("--step-timeout {seconds}: {error}")))?;
    }
    let finished = execute(global, terminal, &project, vec![Job::Deadlock(chosen)]).await?;
    conclude(global, terminal, finished)
}

/// What `plimsoll run` does for this scenario.
///
/// # Errors
/// The reason to skip it.
pub(super) fn default_job(project: &Project) -> Result<Job, String> {
    if project.transactions.is_empty() {
        return Err("the project has no transactions/*.spec".into());
    }
    Ok(Job::Deadlock(scenario::Options::of(&project.settings.deadlock)))
}

/// Spec files from outside the project, checked like its own.
fn read_specs(paths: &[PathBuf]) -> Result<Vec<SpecFile>, Failure> {
    let mut problems = Vec::new();
    let mut files = Vec::new();
    for path in paths {
        let file = read_spec(path)?;
        problems.extend(scenario::spec::parse(&file).err().into_iter().flatten());
        files.push(file);
    }
    if problems.is_empty() { Ok(files) } else { Err(Failure::Project(problems)) }
}

fn read_spec(path: &Path) -> Result<SpecFile, Failure> {
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::Usage(format!("cannot read the spec {}: {error}", path.display())))?;
    let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(SpecFile { name, path: path.to_owned(), text })
}
