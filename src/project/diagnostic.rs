//! A problem in a project file, with the place that a person can go to.

use std::ops::Range;
use std::path::PathBuf;

/// One problem in one file. Rendered with a caret by the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Relative to the project folder.
    pub path: PathBuf,
    /// The file's text, for showing the line; empty where the file is missing.
    pub text: String,
    /// Byte range in `text` that is wrong; `None` for the file as a whole.
    pub span: Option<Range<usize>>,
    /// What is wrong, one sentence without a full stop.
    pub message: String,
    /// The next step, where one is known (for example the nearest known key).
    pub help: Option<String>,
}

impl Diagnostic {
    /// One-based line and column (in characters) of the span's start.
    #[must_use]
    pub fn line_and_column(&self) -> Option<(usize, usize)> {
        let start = self.span.as_ref()?.start.min(self.text.len());
        let before = self.text.get(..start)?;
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Some((before.matches('\n').count() + 1, before[line_start..].chars().count() + 1))
    }
}
