//! `plimsoll migrate`: the project's migrations, applied to the target; on a
//! throwaway server that proves that they apply from nothing.

use super::arguments::Global;
use super::session::{Session, load_project, with_session};
use super::{ExitCode, Failure, Terminal};
use crate::model::Progress as _;
use crate::project::Project;

/// `plimsoll migrate`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Stop after this version
    #[arg(long, value_name = "VERSION")]
    to: Option<String>,
}

pub(super) async fn run(
    global: &Global,
    terminal: &Terminal,
    options: &Options,
) -> Result<ExitCode, Failure> {
    let project = load_project(global)?;
    check_version(&project, options.to.as_deref())?;
    with_session(global, terminal, &project, async |session| migrate(session, options).await).await
}

async fn migrate(session: &Session<'_>, options: &Options) -> Result<ExitCode, Failure> {
    let database = if session.target.is_ours() {
        session.target.create_database("migrate").await?
    } else {
        session.target.database().to_owned()
    };
    let recorded = session.databases.migrate_and_record(&database, options.to.as_deref()).await?;
    session.terminal.finish_progress();
    let version = options.to.as_deref().or(session.project.migrations.last().map(|m| m.version.as_str()));
    let place = if session.target.is_ours() { "a throwaway database (now gone)" } else { database.as_str() };
    session.terminal.result(format!("{place} is at version {}\n", version.unwrap_or("head")).as_bytes())?;
    for path in recorded {
        session.terminal.say(&format!("its schema is in {}", path.display()));
    }
    Ok(ExitCode::Pass)
}

/// A version that is not there must not pass as "nothing to do".
fn check_version(project: &Project, version: Option<&str>) -> Result<(), Failure> {
    let Some(version) = version else { return Ok(()) };
    if project.settings.database.migrate_command.is_some()
        || project.migrations.iter().any(|m| m.version == version)
    {
        return Ok(());
    }
    let known: Vec<_> = project.migrations.iter().map(|m| m.version.as_str()).collect();
    Err(Failure::Usage(format!("there is no migration {version}; there are {}", known.join(", "))))
}
