//! `plimsoll run`: every scenario the project has something for.

use super::arguments::Global;
use super::execution::{Job, conclude, execute};
use super::session::load_project;
use super::{ExitCode, Failure, Terminal};
use super::{deadlock, n_plus_one, regression, slow_queries};
use crate::model::Scenario;
use crate::project::Project;

/// `plimsoll run [SCENARIO…]`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only these scenarios
    #[arg(value_parser = scenario_name, value_name = "SCENARIO")]
    scenarios: Vec<Scenario>,
    /// Of slow-queries, also tell what changed since this kept run, and fail where a result shrank
    #[arg(long, value_name = "RUN")]
    baseline: Option<String>,
    /// Of slow-queries, hash every result, so that a later run can tell whether it changed
    #[arg(long)]
    hash_results: bool,
}

fn scenario_name(text: &str) -> Result<Scenario, String> {
    Scenario::ALL
        .into_iter()
        .find(|s| s.name() == text)
        .ok_or_else(|| format!("not a scenario; there are {}", Scenario::ALL.map(Scenario::name).join(", ")))
}

pub(super) async fn run(
    global: &Global,
    terminal: &Terminal,
    options: &Options,
) -> Result<ExitCode, Failure> {
    let project = load_project(global)?;
    let mut jobs = jobs(global, &project, &options.scenarios);
    let baseline = options.baseline.as_deref().map(|run| slow_queries::baseline(global, run)).transpose()?;
    for job in &mut jobs {
        if let Job::SlowQueries(asked) = job {
            asked.baseline.clone_from(&baseline);
            asked.hash_results = options.hash_results;
        }
    }
    let finished = execute(global, terminal, &project, jobs).await?;
    conclude(global, terminal, finished)
}

/// One job a scenario; those the project has nothing for are skipped with the reason.
pub(super) fn jobs(global: &Global, project: &Project, asked: &[Scenario]) -> Vec<Job> {
    Scenario::ALL
        .into_iter()
        .filter(|scenario| asked.is_empty() || asked.contains(scenario))
        .map(|scenario| {
            let job = match scenario {
                Scenario::SlowQueries => slow_queries::default_job(global, project),
                Scenario::Regression => regression::default_job(global, project),
                Scenario::Deadlock => deadlock::default_job(project),
                Scenario::NPlusOne => n_plus_one::default_job(project),
                // Not among the four: what it takes has to be asked for.
                Scenario::Load => Err("`plimsoll load` is a command of its own".into()),
            };
            job.unwrap_or_else(|reason| Job::Skip(scenario, reason))
        })
        .collect()
}
