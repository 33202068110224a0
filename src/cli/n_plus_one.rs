//! `plimsoll n-plus-one`: loops in what a command asks, or in recorded traces.

use super::arguments::Global;
use super::execution::{Job, conclude, execute};
use super::recording::{RecordOptions, check_traces, duration};
use super::session::{load_project, load_project_or_default};
use super::{ExitCode, Failure, Terminal};
use crate::model::evidence::Evidence;
use crate::project::Project;
use crate::scenarios::n_plus_one as scenario;
use anyhow::Context as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

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
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(2..=1_000_000))]
    threshold: Option<u64>,
    /// Known findings with reasons: only new ones fail
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Write the loops that are not accepted yet to a new file, for you to fill the reasons in
    #[arg(long, value_name = "FILE")]
    draft_baseline: Option<PathBuf>,
    /// Do not try the batched form of loops on the database
    #[arg(long)]
    without_batching: bool,
    /// Run the command at two volumes and compare how often it asks each statement: the
    /// project's first two, or those named
    #[arg(
        long,
        value_name = "SMALL,LARGE",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "",
        requires = "command"
    )]
    grow: Option<String>,
    /// Reckon what the loops wait for at these round-trip times, such as 0.5ms,2ms
    #[arg(long = "rtt", value_name = "TIME", value_delimiter = ',', value_parser = duration)]
    round_trips: Vec<Duration>,
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
    // Before the command runs: its time is somebody's.
    let known = scenario::read_baseline(&project, options.baseline.as_deref())
        .map_err(|error| Failure::Usage(format!("{error:#}")))?;
    options.draft_baseline.as_deref().map_or(Ok(()), check_draft)?;
    let chosen = scenario::Options {
        traces: options.traces.clone(),
        threshold: options.threshold,
        baseline: options.baseline.clone(),
        without_batching: options.without_batching,
        grow: options.grow.as_deref().map(|names| volumes_to_compare(&project, names)).transpose()?,
        round_trips_us: options.round_trips.iter().map(|time| time.as_micros() as u64).collect(),
        ..scenario::Options::default()
    };
    let job = if !options.command.is_empty() {
        Job::RecordedCommand {
            words: options.command.clone(),
            record: options.record.judging(options.threshold, known),
            options: chosen,
        }
    } else if options.traces.is_empty() {
        default_job(&project).map_err(Failure::Usage)?
    } else {
        Job::NPlusOne(chosen)
    };
    let finished = execute(global, terminal, &project, vec![job]).await?;
    if let Some(path) = &options.draft_baseline {
        let loops = finished.report.scenarios.iter().filter_map(|scenario| match &scenario.evidence {
            Evidence::NPlusOne(evidence) => Some(evidence.loops.as_slice()),
            _ => None,
        });
        std::fs::write(
            path,
            scenario::baseline::draft(loops.flatten().cloned().collect::<Vec<_>>().as_slice()),
        )
        .with_context(|| format!("cannot write {}", path.display()))?;
        terminal.note(&format!("draft: {}   next: fill the reasons in, then --baseline {0}", path.display()));
    }
    conclude(global, terminal, finished)
}

/// Whether a draft can be written, before the command runs.
fn check_draft(path: &Path) -> Result<(), Failure> {
    let wrong = |problem: &str| Err(Failure::Usage(format!("{} {problem}", path.display())));
    if path.exists() {
        return wrong("exists: a draft goes to a new file");
    }
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) if !folder.is_dir() => wrong("cannot be written: its folder does not exist"),
        _ => Ok(()),
    }
}

/// The smaller and the larger volume of `--grow`.
fn volumes_to_compare(project: &Project, names: &str) -> Result<[String; 2], Failure> {
    let usage = |problem: &str| Err(Failure::Usage(format!("--grow: {problem}")));
    let known = &project.settings.volumes;
    if project.distributions.is_none() {
        return usage("the project has no data/distributions.toml, so that all its volumes are empty");
    }
    let chosen: Vec<_> = if names.is_empty() {
        known.iter().take(2).collect()
    } else {
        names.split(',').filter_map(|name| known.iter().find(|volume| volume.name == name.trim())).collect()
    };
    match chosen.as_slice() {
        [small, large] if small.factor < large.factor => Ok([small.name.clone(), large.name.clone()]),
        [_, _] => usage("the first volume must be the smaller one"),
        _ => {
            let names: Vec<_> = known.iter().map(|volume| volume.name.as_str()).collect();
            usage(&format!(
                "two volumes of [volumes] are needed, such as --grow=small,medium; there is {}",
                names.join(", ")
            ))
        }
    }
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
