//! `plimsoll slow-queries`: budgets.

use super::arguments::Global;
use super::execution::{Job, conclude, execute};
use super::session::{load_project, load_project_or_default, volumes};
use super::{ExitCode, Failure, Terminal};
use crate::model::{RunReport, Scenario, Verdict};
use crate::project::Project;
use crate::report::kept_run;
use crate::scenarios::slow_queries as scenario;
use std::path::PathBuf;

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
    /// Suppose indexes with the extension hypopg (the planner's cost only) instead of trying them on a clone
    #[arg(long)]
    suppose_indexes: bool,
    /// Measure the N statements that took the most time, as the target's `pg_stat_statements`
    /// counted [default N: 10]
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "10",
          value_parser = clap::value_parser!(u16).range(1..=1000))]
    from_statements: Option<u16>,
    /// Measure the statements that a trace recorded, those that took the most time first
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
}

impl Options {
    fn has_other_source(&self) -> bool {
        self.from_statements.is_some() || self.trace.is_some()
    }
}

pub(super) async fn run(
    global: &Global,
    terminal: &Terminal,
    options: &Options,
) -> Result<ExitCode, Failure> {
    let project =
        if options.has_other_source() { load_project_or_default(global)? } else { load_project(global)? };
    check_sources(global, &project, options)?;
    super::session::check_query_names(&project, &options.queries)?;
    let job = Job::SlowQueries(scenario::Options {
        queries: options.queries.clone(),
        baseline: options.baseline.as_deref().map(|run| baseline(global, run)).transpose()?,
        hash_results: options.hash_results,
        suppose_indexes: options.suppose_indexes,
        from_statements: options.from_statements.map(usize::from),
        trace: options.trace.clone(),
        // Named ones are measured beside what other sources give.
        with_declared: !options.has_other_source() || !options.queries.is_empty(),
        ..scenario_options(global, &project)
    });
    let finished = execute(global, terminal, &project, vec![job]).await?;
    conclude(global, terminal, finished)
}

/// What the other sources need, before anything is started.
fn check_sources(global: &Global, project: &Project, options: &Options) -> Result<(), Failure> {
    if options.from_statements.is_some() && global.url.is_none() && project.settings.database.url.is_none() {
        return Err(Failure::Usage(
            "--from-statements reads what a running server counted: name it with --url or DATABASE_URL"
                .into(),
        ));
    }
    match options.trace.as_ref().filter(|path| !path.is_file()) {
        Some(path) => Err(Failure::Usage(format!(
            "there is no trace {}; record one with `plimsoll trace -o {} -- CMD`",
            path.display(),
            path.display()
        ))),
        None => Ok(()),
    }
}

/// The kept run that a reference names, where it ran this scenario; `latest` is the last
/// complete one in which it did not fail.
pub(super) fn baseline(global: &Global, reference: &str) -> Result<scenario::Baseline, Failure> {
    let fits = |run: &RunReport| {
        let ran = run.scenarios.iter().find(|ran| ran.scenario == Scenario::SlowQueries);
        run.complete
            && ran.is_some_and(|ran| matches!(ran.verdict, Verdict::Pass | Verdict::Inconclusive { .. }))
    };
    let wanted = "is complete, ran slow-queries and did not fail";
    let run = kept_run::read_fitting(&global.reports_folder(), reference, fits, wanted)?;
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
