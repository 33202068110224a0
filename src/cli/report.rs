//! `plimsoll report`: a kept run again, in any format, or the page over all of them.

use super::arguments::Global;
use super::{ExitCode, Failure, Terminal, kept_runs, output};
use crate::report::{Format, kept_index};

/// `plimsoll report [RUN]`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// `latest`, the beginning of a run's id, or a path
    #[arg(default_value = "latest", value_name = "RUN")]
    run: String,
    /// Write index.html over all kept runs into their folder instead
    #[arg(long)]
    index: bool,
}

/// Shows the run; the exit code is not the old verdict's, since nothing was decided now.
pub(super) fn run(global: &Global, terminal: &Terminal, options: &Options) -> Result<ExitCode, Failure> {
    if options.index {
        return index(global, terminal);
    }
    if global.format == Format::Isolationtester {
        return Err(Failure::Usage(
            "a kept run holds no isolation tester's transcript; `plimsoll deadlock --format isolationtester` \
             runs the specs and prints it"
                .into(),
        ));
    }
    let mut report = kept_runs::one(global, &options.run)?;
    report.strict |= global.strict;
    output::write_report(global, terminal, &report)?;
    Ok(ExitCode::Pass)
}

fn index(global: &Global, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let folder = global.reports_folder();
    let page = kept_index::rewrite(&folder)?.ok_or_else(|| kept_runs::none_in(&folder))?;
    terminal.result(format!("{}\n", page.display()).as_bytes())?;
    Ok(ExitCode::Pass)
}
