//! `plimsoll trace -- CMD`: a command recorded into a trace file.

use super::arguments::Global;
use super::recording::{RecordOptions, record, trace_file};
use super::session::{load_project_or_default, with_session};
use super::{ExitCode, Failure, Terminal};
use crate::proxy::Destination;
use crate::scenarios::n_plus_one::read_baseline;

/// `plimsoll trace -- CMD`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The command to record
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<String>,
    #[command(flatten)]
    record: RecordOptions,
}

pub(super) async fn run(
    global: &Global,
    terminal: &Terminal,
    options: &Options,
) -> Result<ExitCode, Failure> {
    let project = load_project_or_default(global)?;
    options.record.check()?;
    options.record.check_command(&options.command)?;
    let known = read_baseline(&project, None).map_err(|error| Failure::Usage(format!("{error:#}")))?;
    let options_of_record = options.record.judging(None, known);
    let recorded = with_session(global, terminal, &project, async |session| {
        record(session, &options_of_record, &options.command, Destination::File(trace_file(global))).await
    })
    .await?;
    if recorded.trace.connections == 0 {
        terminal.error("the command never connected through the recorder: it may use a hard-coded address, a server of its own (Testcontainers), or a Unix socket");
    }
    terminal.note(&format!(
        "trace: {}   next: plimsoll n-plus-one --trace {0}, or plimsoll deadlock --trace {0}",
        trace_file(global).display()
    ));
    Ok(recorded.child_code.unwrap_or(ExitCode::Pass))
}
