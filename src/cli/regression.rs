//! `plimsoll regression`: a schema change, before and after, side by side.

use super::arguments::Global;
use super::execution::{Job, conclude, execute};
use super::session::{load_project, with_session};
use super::{ExitCode, Failure, Terminal, environment};
use crate::model::KeptPlans;
use crate::project::Project;
use crate::report::json::kept_plans;
use crate::report::kept_run;
use crate::scenarios::regression as scenario;
use std::path::{Path, PathBuf};

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
    /// Keep the plans of now in this file, for a later --baseline
    #[arg(long, value_name = "FILE", group = "sides", conflicts_with_all = ["under_load", "try_statement", "from"])]
    keep_plans: Option<PathBuf>,
    /// Compare the target as it is with plans kept earlier; nothing is cloned or migrated
    #[arg(long, value_name = "FILE", group = "sides", conflicts_with_all = ["under_load", "try_statement", "from"])]
    baseline: Option<PathBuf>,
    /// Compare two databases as they are: the one before; both are only read
    #[arg(long, value_name = "URL", group = "sides", conflicts_with_all = ["under_load", "try_statement", "from"])]
    before_url: Option<String>,
    /// The one after [default: the target]
    #[arg(long, value_name = "URL", requires = "before_url")]
    after_url: Option<String>,
    /// Migrate the target itself, which must be marked as disposable, and compare it with what it was
    #[arg(long, group = "sides", conflicts_with_all = ["under_load", "try_statement", "from"])]
    in_place: bool,
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
    if let Some(timeout) = options.lock_timeout.as_deref().filter(|timeout| !is_timeout(timeout)) {
        return Err(Failure::Usage(format!(
            "--lock-timeout `{timeout}` is no time: write 500ms, 2s, 1min, or 0 for none"
        )));
    }
    super::session::check_query_names(&project, &options.queries)?;
    let global = &with_after_url(global, options);
    if let Some(path) = &options.keep_plans {
        return keep_plans(global, terminal, &project, options, path).await;
    }
    let job = Job::Regression(scenario::Options {
        from: options.from.clone(),
        to: options.to.clone(),
        try_statement: options.try_statement.clone(),
        queries: options.queries.clone(),
        max_seconds: options.max_time,
        without_times: options.without_times,
        other: other(global, &project, options)?,
        under_load: options.under_load.then(|| under_load(global, options)),
        ..scenario_options(global)
    });
    let finished = execute(global, terminal, &project, vec![job]).await?;
    conclude(global, terminal, finished)
}

/// What the server reads as a time: whole milliseconds, or a number with a unit.
fn is_timeout(text: &str) -> bool {
    let text = text.trim();
    let unit = text.find(|letter: char| letter.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit);
    number.trim().parse::<f64>().is_ok_and(|number| number >= 0.0)
        && ["", "us", "ms", "s", "min", "h", "d"].contains(&unit)
}

/// The target is the database after.
fn with_after_url(global: &Global, options: &Options) -> Global {
    let mut global = global.clone();
    global.url = options.after_url.clone().or(global.url);
    global
}

/// Where the side before comes from, when it is no clone.
fn other(
    global: &Global,
    project: &Project,
    options: &Options,
) -> Result<Option<scenario::kept::Other>, Failure> {
    let has_url = global.url.is_some() || project.settings.database.url.is_some();
    if let Some(path) = &options.baseline {
        return read_plans(path).map(|plans| Some(scenario::kept::Other::Kept(plans)));
    }
    if let Some(url) = &options.before_url {
        let missing = "--before-url needs the other database: give it with --after-url";
        return if has_url {
            Ok(Some(scenario::kept::Other::Url(url.clone())))
        } else {
            Err(Failure::Usage(missing.into()))
        };
    }
    if options.in_place && !has_url {
        return Err(Failure::Usage(
            "--in-place migrates a database of yours: name it with --url, or leave --in-place out to compare clones".into(),
        ));
    }
    Ok(options.in_place.then_some(scenario::kept::Other::InPlace))
}

fn read_plans(path: &Path) -> Result<KeptPlans, Failure> {
    let place = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::Usage(format!(
            "cannot read the plans in {place}: {error}; `plimsoll regression --keep-plans {place}` makes the file"
        ))
    })?;
    kept_plans::read(&text)
        .map_err(|error| Failure::Usage(format!("{place} holds no plans that --keep-plans wrote: {error}")))
}

/// Nothing is compared: the plans of now go into a file.
async fn keep_plans(
    global: &Global,
    terminal: &Terminal,
    project: &Project,
    options: &Options,
    path: &Path,
) -> Result<ExitCode, Failure> {
    let asked = scenario::Options {
        to: options.to.clone(),
        queries: options.queries.clone(),
        ..scenario_options(global)
    };
    let kept = with_session(global, terminal, project, async |session| {
        let context = session.context(&|_| {});
        Ok(scenario::kept::keep(&context, &asked, &environment::started_at()).await?)
    })
    .await?;
    for (query, reason) in &kept.left_out {
        terminal.note(&format!("warning: {query} is not kept: {reason}"));
    }
    let mut bytes = Vec::new();
    kept_plans::write(&kept.plans, &mut bytes)?;
    kept_run::replace_file(path, &bytes)?;
    let count = kept.plans.queries.len();
    terminal.note(&format!(
        "kept the plans of {count} queries ({}) in {}",
        kept.plans.source,
        path.display()
    ));
    Ok(ExitCode::Pass)
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

#[cfg(test)]
mod tests {
    use super::is_timeout;

    #[test]
    fn a_timeout_is_what_the_server_takes() {
        for time in ["0", "500", "500ms", "2s", "1.5 min", "1h"] {
            assert!(is_timeout(time), "{time}");
        }
        for other in ["", "abc", "-1", "2 seconds", "s"] {
            assert!(!is_timeout(other), "{other}");
        }
    }
}
