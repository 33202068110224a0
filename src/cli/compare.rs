//! `plimsoll compare`: what differs between two kept runs.

use super::arguments::Global;
use super::{ExitCode, Failure, Terminal, output};
use crate::report::{Format, compare, kept_run};

/// `plimsoll compare BEFORE [AFTER]`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The beginning of a run's id, or a path
    #[arg(value_name = "BEFORE")]
    before: String,

    /// `latest`, the beginning of a run's id, or a path
    #[arg(default_value = "latest", value_name = "AFTER")]
    after: String,
}

/// Shows the differences; nothing is decided, so the exit code says nothing of them.
pub(super) fn run(global: &Global, terminal: &Terminal, options: &Options) -> Result<ExitCode, Failure> {
    let write = match global.format {
        Format::Terminal => compare::write_terminal,
        Format::Markdown => compare::write_markdown,
        _ => return Err(Failure::Usage("compare is written as --format terminal or markdown".into())),
    };
    let folder = global.reports_folder();
    let before = kept_run::read(&kept_run::find(&folder, &options.before)?)?;
    let after = kept_run::read(&kept_run::find(&folder, &options.after)?)?;
    let mut bytes = Vec::new();
    write(&before, &after, &mut bytes)?;
    output::write_bytes(global, terminal, &bytes)?;
    Ok(ExitCode::Pass)
}
