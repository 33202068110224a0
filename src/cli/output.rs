//! Where a result goes: stdout, or a file that is replaced atomically.

use super::arguments::Global;
use super::{Failure, Terminal};
use crate::model::RunReport;
use crate::report::Format;
use crate::report::kept_run::replace_file;

/// Writes the report in the format asked for.
///
/// # Errors
/// Where stdout or the file cannot be written.
pub(super) fn write_report(global: &Global, terminal: &Terminal, report: &RunReport) -> Result<(), Failure> {
    let to_terminal = global.output.is_none() && global.format == Format::Terminal;
    let mut bytes = Vec::new();
    global.format.write(report, to_terminal && terminal.stdout_colour(), &mut bytes)?;
    write_bytes(global, terminal, &bytes)
}

/// Writes bytes to stdout or `--output`.
///
/// # Errors
/// Where stdout or the file cannot be written.
pub(super) fn write_bytes(global: &Global, terminal: &Terminal, bytes: &[u8]) -> Result<(), Failure> {
    match &global.output {
        Some(path) => Ok(replace_file(path, bytes)?),
        None => Ok(terminal.result(bytes)?),
    }
}
