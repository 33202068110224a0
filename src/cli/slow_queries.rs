//! `plimsoll slow-queries`: budgets.

use super::arguments::Global;
use super::execution::{Job, conclude, execute};
use super::session::{load_project, volumes};
use super::{ExitCode, Failure, Terminal};
use crate::project::Project;
use crate::scenarios::slow_queries as scenario;

/// `plimsoll slow-queries`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only these queries
    #[arg(value_name = "QUERY")]
    queries: Vec<String>,
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
        ..scenario_options(global, &project)
    });
    let (report, kept) = execute(global, terminal, &project, &[job]).await?;
    conclude(global, terminal, &report, &kept)
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
