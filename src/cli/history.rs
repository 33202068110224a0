//! `plimsoll history`: the kept runs, oldest first, and the trend of a query.

use super::arguments::Global;
use super::{ExitCode, Failure, Terminal, kept_runs, output};
use crate::report::history::Question;
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
    if !matches!(global.format, Format::Terminal | Format::Json) {
        return Err(Failure::Usage(
            "`plimsoll history` writes terminal and json; `plimsoll report RUN --format …` shows one run in any \
             format, `plimsoll export` writes all of them"
                .into(),
        ));
    }
    let runs = kept_runs::all(global, terminal)?;
    let question = Question { query: options.query.as_deref(), schema: options.schema };
    if let Some(why) = history::unknown(&runs, question) {
        return Err(Failure::Usage(why));
    }
    let mut bytes = Vec::new();
    match question {
        _ if global.format == Format::Json => history::write_json(&runs, question, &mut bytes)?,
        Question { query, schema: true } => history::write_schema_versions(&runs, query, &mut bytes)?,
        Question { query: Some(query), .. } => history::write_trend(&runs, query, &mut bytes)?,
        Question { query: None, .. } => history::write_runs(&runs, &mut bytes)?,
    }
    output::write_bytes(global, terminal, &bytes)?;
    Ok(ExitCode::Pass)
}
