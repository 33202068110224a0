//! `plimsoll regression`: a schema change, before and after, side by side.

use super::arguments::Global;
use super::execution::{Job, conclude, execute};
use super::session::load_project;
use super::{ExitCode, Failure, Terminal};
use crate::project::Project;
use crate::scenarios::regression as scenario;

/// `plimsoll regression`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only these queries
    #[arg(value_name = "QUERY")]
    queries: Vec<String>,
    /// The version before [default: the last but one]
    #[arg(long, value_name = "VERSION")]
    from: Option<String>,
    /// The version after [default: the last]
    #[arg(long, value_name = "VERSION", conflicts_with = "try_statement")]
    to: Option<String>,
    /// Answer for one statement typed by hand instead of a migration
    #[arg(long = "try", value_name = "SQL")]
    try_statement: Option<String>,
    /// Plans and counters only: fast and exact
    #[arg(long)]
    without_times: bool,
    /// Seconds per query for times
    #[arg(long, value_name = "SECONDS")]
    max_time: Option<f64>,
    /// Run the migration under traffic too: locks, queues, stalls, rewrites
    #[arg(long)]
    under_load: bool,
    /// `lock_timeout` of the migration under traffic, such as 2s [default: none]
    #[arg(long, value_name = "TIMEOUT", requires = "under_load")]
    lock_timeout: Option<String>,
    /// Project the migration's duration, measured at each --volume, to a table of so many rows
    /// [default: ten times the largest]
    #[arg(long, value_name = "ROWS", requires = "under_load")]
    project_to: Option<u64>,
}

pub(super) async fn run(
    global: &Global,
    terminal: &Terminal,
    options: &Options,
) -> Result<ExitCode, Failure> {
    let project = load_project(global)?;
    if options.project_to.is_some() && global.volume.len() < 2 {
        return Err(Failure::Usage(
            "--project-to needs several volumes to project from, such as --volume small,medium".into(),
        ));
    }
    super::session::check_query_names(&project, &options.queries)?;
    let job = Job::Regression(scenario::Options {
        from: options.from.clone(),
        to: options.to.clone(),
        try_statement: options.try_statement.clone(),
        queries: options.queries.clone(),
        max_seconds: options.max_time,
        without_times: options.without_times,
        under_load: options.under_load.then(|| under_load(global, options)),
        ..scenario_options(global)
    });
    let finished = execute(global, terminal, &project, vec![job]).await?;
    conclude(global, terminal, finished)
}

fn under_load(global: &Global, options: &Options) -> scenario::under_load::Options {
    let defaults = scenario::under_load::Options::default();
    scenario::under_load::Options {
        lock_timeout: options.lock_timeout.clone().unwrap_or(defaults.lock_timeout),
        ladder: global.volume.clone(),
        project_to_rows: options.project_to,
        ..defaults
    }
}

/// What `plimsoll run` does for this scenario.
///
/// # Errors
/// The reason to skip it.
pub(super) fn default_job(global: &Global, project: &Project) -> Result<Job, String> {
    if project.queries.is_empty() {
        return Err("the project has no queries/*.sql".into());
    }
    let settings = &project.settings;
    let names_both = settings.regression.from.is_some() && settings.regression.to.is_some();
    if !names_both && project.migrations.len() < 2 {
        return Err("there is no second migration to compare with the first".into());
    }
    Ok(Job::Regression(scenario_options(global)))
}

fn scenario_options(global: &Global) -> scenario::Options {
    scenario::Options { volume: global.volume.first().cloned(), ..scenario::Options::default() }
}
