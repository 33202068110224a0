//! `plimsoll report`: a kept run again, in any format.

use super::arguments::Global;
use super::{ExitCode, Failure, Terminal, output};
use crate::report::kept_run;

/// `plimsoll report [RUN]`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// `latest`, the beginning of a run's id, or a path
    #[arg(default_value = "latest", value_name = "RUN")]
    run: String,
}

/// Shows the run; the exit code is not the old verdict's, since nothing was decided now.
pub(super) fn run(global: &Global, terminal: &Terminal, options: &Options) -> Result<ExitCode, Failure> {
    let path = kept_run::find(&global.reports_folder(), &options.run)?;
    let report = kept_run::read(&path)?;
    output::write_report(global, terminal, &report)?;
    Ok(ExitCode::Pass)
}
