//! `plimsoll history`: the kept runs, oldest first, and the trend of a query.

use super::arguments::Global;
use super::{ExitCode, Failure, Terminal, output};
use crate::model::RunReport;
use crate::report::history;
use crate::report::kept_run;

/// `plimsoll history [QUERY]`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The query whose trend to show; without one, the runs are listed
    #[arg(value_name = "QUERY")]
    query: Option<String>,
    /// What each query costs at each schema version that `plimsoll regression` measured
    #[arg(long)]
    schema: bool,
}

/// Lists what is kept. A run that cannot be read is named, and the rest is shown.
pub(super) fn run(global: &Global, terminal: &Terminal, options: &Options) -> Result<ExitCode, Failure> {
    let folder = global.reports_folder();
    let mut runs: Vec<RunReport> = Vec::new();
    for path in kept_run::list(&folder)? {
        match kept_run::read(&path) {
            Ok(run) => runs.push(run),
            Err(error) => terminal.note(&format!("warning: left out: {error}")),
        }
    }
    if runs.is_empty() {
        return Err(Failure::Usage(format!(
            "no runs are kept in {}; `plimsoll run` makes one",
            folder.display()
        )));
    }
    let mut bytes = Vec::new();
    match &options.query {
        query if options.schema => history::write_schema_versions(&runs, query.as_deref(), &mut bytes)?,
        Some(query) => history::write_trend(&runs, query, &mut bytes)?,
        None => history::write_runs(&runs, &mut bytes)?,
    }
    output::write_bytes(global, terminal, &bytes)?;
    Ok(ExitCode::Pass)
}
