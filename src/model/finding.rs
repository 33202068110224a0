//! A defect found, with its evidence and what to do next.

use std::fmt;
use std::path::PathBuf;

/// How a finding bears on the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing; never fails a run.
    Note,
    /// Doubtful or accepted by a baseline; does not fail a run.
    Warning,
    /// Fails the scenario.
    Failure,
}

impl Severity {
    /// `note`, `warning` or `failure`: what JSON, tables and metrics say.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Failure => "failure",
        }
    }

    /// `note`, `warn` or `fail`: four letters before a message that people read.
    #[must_use]
    pub fn mark(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warn",
            Self::Failure => "fail",
        }
    }
}

/// Where in the project a finding belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceLocation {
    /// Relative to the project folder.
    pub path: PathBuf,
    /// One-based.
    pub line: usize,
}

impl fmt::Display for SourceLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.path.display(), self.line)
    }
}

/// One defect. The sentence stands alone; evidence backs it; the next step can be acted on.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Stable, kebab-case, documented in `docs/findings.md`: CI filters on it.
    pub code: &'static str,
    /// How it bears on the verdict.
    pub severity: Severity,
    /// The query, transaction spec or scope it is about.
    pub subject: String,
    /// One sentence without a full stop.
    pub message: String,
    /// Facts that back the message, one a line, most telling first.
    pub evidence: Vec<String>,
    /// What a person does now, as an imperative.
    pub next_step: String,
    /// The file the subject is declared in, where there is one.
    pub location: Option<SourceLocation>,
}
