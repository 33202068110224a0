//! `plimsoll history`: the kept runs, oldest first, and the trend of a query.

use super::arguments::Global;
use super::{ExitCode, Failure, Terminal, kept_runs, output};
use crate::report::{Format, history};

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
    if global.format != Format::Terminal {
        return Err(Failure::Usage(
            "`plimsoll history` writes terminal only; `plimsoll report RUN --format …` shows one run in any \
             format, `plimsoll export` writes all of them"
                .into(),
        ));
    }
    let runs = kept_runs::all(global, terminal)?;
    if let Some(why) = history::unknown(&runs, options.query.as_deref(), options.schema) {
        return Err(Failure::Usage(why));
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
