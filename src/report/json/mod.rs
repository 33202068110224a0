//! The run report as JSON: a published, versioned format apart from the
//! model, so that the model stays free to move.
//!
//! A reader ignores keys it does not know. The version goes up when a key
//! changes its meaning or disappears, never for a new one.

#[macro_use]
mod mirror;
mod evidence;
mod intern;
/// Kept plans as a file.
pub mod kept_plans;
mod run;

use crate::model::{Finding, RunReport};
use std::io;

/// The version this build writes.
pub const SCHEMA_VERSION: u32 = 1;

/// Why a kept run could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Not JSON, or not a run report.
    #[error("not a run report: {0}")]
    Malformed(#[from] serde_json::Error),
    /// Written by a newer Plimsoll.
    #[error(
        "written in format {found}, this Plimsoll reads up to {SCHEMA_VERSION}; read it with a newer one"
    )]
    TooNew {
        /// The version found.
        found: u32,
    },
}

/// Findings alone, on one line, in the form they have in the report.
#[must_use]
pub fn findings(findings: &[Finding]) -> String {
    // Plain strings and numbers: nothing that could fail to be written.
    serde_json::to_string(&run::findings(findings)).unwrap_or_default()
}

/// Writes the report, indented, with a final newline.
///
/// # Errors
/// Whatever `out` fails with.
pub fn write(report: &RunReport, out: &mut dyn io::Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, &run::Run::of(report))?;
    writeln!(out)
}

/// Reads a report that any version up to this one wrote.
///
/// # Errors
/// Where the text is no run report, or one of a newer format.
pub fn read(text: &str) -> Result<RunReport, ReadError> {
    #[derive(serde::Deserialize)]
    struct Version {
        schema_version: u32,
    }
    let Version { schema_version } = serde_json::from_str(text)?;
    if schema_version > SCHEMA_VERSION {
        return Err(ReadError::TooNew { found: schema_version });
    }
    Ok(serde_json::from_str::<run::Run>(text)?.restore_report())
}

/// The format's JSON Schema, as published in `docs/run.schema.json`.
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(run::Run).to_value()
}
