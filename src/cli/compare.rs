//! `plimsoll compare`: two kept runs beside each other.

use super::arguments::Global;
use super::{ExitCode, Failure, Terminal, kept_runs, output};
use crate::model::RunReport;
use crate::report::compare::{self, Comparison};
use crate::report::{Format, history, html};

/// `plimsoll compare RUN [RUN]`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The run compared with: `latest`, the beginning of a run's id, or a path
    #[arg(value_name = "BEFORE")]
    before: String,
    /// The run in question
    #[arg(value_name = "AFTER", default_value = "latest")]
    after: String,
}

/// What the kept runs between the two tell of when a level changed; nothing where they do not lie
/// in the same folder.
fn since_when(global: &Global, before: &RunReport, after: &RunReport) -> Vec<String> {
    let runs = kept_runs::followed(global, [&before.run_id, &after.run_id]);
    let changes = history::changes_between(&runs, &before.run_id, &after.run_id);
    changes.iter().map(history::LevelChange::sentence).collect()
}

/// Compares; the exit code is not a verdict, since nothing was decided now.
pub(super) fn run(global: &Global, terminal: &Terminal, options: &Options) -> Result<ExitCode, Failure> {
    let (before, after) = (kept_runs::one(global, &options.before)?, kept_runs::one(global, &options.after)?);
    if before.run_id == after.run_id {
        return Err(Failure::Usage(format!(
            "`{}` and `{}` are the same run, {}; `plimsoll history` lists the runs",
            options.before, options.after, after.run_id
        )));
    }
    let mut comparison = Comparison::of(&before, &after);
    comparison.since = since_when(global, &before, &after);
    let mut bytes = Vec::new();
    match global.format {
        Format::Terminal => compare::write_terminal(&comparison, &mut bytes)?,
        Format::Markdown => compare::write_markdown(&comparison, &mut bytes)?,
        Format::Json => compare::write_json(&comparison, &mut bytes)?,
        Format::Html => html::write_comparison(&comparison, &mut bytes)?,
        _ => {
            return Err(Failure::Usage("`plimsoll compare` writes terminal, json, html and markdown".into()));
        }
    }
    output::write_bytes(global, terminal, &bytes)?;
    Ok(ExitCode::Pass)
}
