//! The formats a run report is written in.

use super::printable;
use crate::model::RunReport;
use std::io;

/// An outgoing format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Tables for a person
    Terminal,
    /// The whole report, versioned (docs/run.schema.json)
    Json,
    /// One self-contained page with pictures
    Html,
    /// JUnit XML
    Junit,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// A job summary or a pull request comment
    Markdown,
    /// GitHub workflow commands: findings at their line
    Github,
    /// The measurements
    Csv,
    /// What PostgreSQL's isolation tester prints (`deadlock` only)
    Isolationtester,
}

impl Format {
    /// Writes `report` to `out`. `colour` matters to the terminal only.
    ///
    /// # Errors
    /// Whatever `out` fails with.
    pub fn write(self, report: &RunReport, colour: bool, out: &mut dyn io::Write) -> io::Result<()> {
        match self {
            Self::Terminal => {
                printable::write(out, colour, |out| super::terminal::write(report, colour, out))
            }
            Self::Json => super::json::write(report, out),
            Self::Html => super::html::write(report, out),
            Self::Junit => super::junit::write(report, out),
            Self::Sarif => super::sarif::write(report, out),
            Self::Markdown => printable::write(out, false, |out| super::markdown::write(report, out)),
            Self::Github => printable::write(out, false, |out| super::github::write(report, out)),
            Self::Csv => super::csv::write(report, out),
            Self::Isolationtester => super::isolationtester::write(report, out),
        }
    }
}
