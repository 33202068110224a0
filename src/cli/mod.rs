//! The command line: one file per command.

mod exit_code;

pub use exit_code::ExitCode;

use std::ffi::OsString;

/// Runs the command line to its exit code.
pub fn main(_arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    ExitCode::Pass
}
