//! `plimsoll slow-queries`: budgets.

use super::arguments::Global;
use super::execution::{Job, conclude, execute};
use super::session::{load_project, volumes};
use super::{ExitCode, Failure, Terminal};
use crate::project::Project;
use crate::report::kept_run;
use crate::scenarios::slow_queries as scenario;

/// `plimsoll slow-queries`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only these queries
    #[arg(value_name = "QUERY")]
    queries: Vec<String>,
    /// Also tell what changed since this kept run, and fail where a result shrank
    #[arg(long, value_name = "RUN")]
    baseline: Option<String>,
    /// Hash every result, so that a later run can tell whether it changed
    #[arg(long)]
    hash_results: bool,
}

pub(super) async fn run(
    global: &Global,
    terminal: &Terminal,
    options: &Options,
) -> Result<ExitCode, Failure> {
    let project = load_project(global)?;
    super::session::check_query_names(&project, &options.queries)?;
    let job = Job::SlowQueries(scenario::Options {
        queries: options.queries.clone(),
        baseline: options.baseline.as_deref().map(|run| baseline(global, run)).transpose()?,
        hash_results: options.hash_results,
        ..scenario_options(global, &project)
    });
    let finished = execute(global, terminal, &project, vec![job]).await?;
    conclude(global, terminal, finished)
}

/// The kept run that a reference names, where it ran this scenario.
fn baseline(global: &Global, reference: &str) -> Result<scenario::Baseline, Failure> {
    let path = kept_run::find(&global.reports_folder(), reference)?;
    let run = kept_run::read(&path)?;
    scenario::Baseline::of(&run)
        .ok_or_else(|| Failure::Usage(format!("run {} did not run slow-queries", run.run_id)))
}

/// What `plimsoll run` does for this scenario.
///
/// # Errors
/// The reason to skip it.
pub(super) fn default_job(global: &Global, project: &Project) -> Result<Job, String> {
    if project.queries.is_empty() {
        return Err("the project has no queries/*.sql".into());
    }
    Ok(Job::SlowQueries(scenario_options(global, project)))
}

fn scenario_options(global: &Global, project: &Project) -> scenario::Options {
    scenario::Options { volumes: volumes(global, project), ..scenario::Options::default() }
}
