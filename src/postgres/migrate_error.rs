//! Where in a migration something is wrong.

use super::ServerError;
use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

/// A migration that failed, or a ledger that does not match the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationError {
    /// The file; `None` where it is about all of them.
    pub path: Option<PathBuf>,
    /// One-based line.
    pub line: usize,
    /// One-based column, in characters.
    pub column: usize,
    /// What is wrong, with the next step.
    pub message: String,
    /// The server's report, where the server found it.
    pub server: Option<ServerError>,
}

impl MigrationError {
    /// About the migrations as a whole.
    pub(super) fn whole(message: String) -> Self {
        Self { path: None, line: 1, column: 1, message, server: None }
    }
}

impl fmt::Display for MigrationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.path {
            write!(f, "{}:{}:{}: ", path.display(), self.line, self.column)?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for MigrationError {}

/// Line and column of the server's `position` (one-based, in characters) in the
/// statement at `range`; without one, of the statement's start.
pub(super) fn locate(text: &str, range: Range<usize>, position: Option<u32>) -> (usize, usize) {
    let statement = &text[range.clone()];
    let characters = position.map_or(0, |position| position.saturating_sub(1) as usize);
    let offset = statement.char_indices().nth(characters).map_or(statement.len(), |(offset, _)| offset);
    let before = &text[..range.start + offset];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::locate;

    #[test]
    fn positions_count_characters_of_the_statement() {
        let text = "SELECT 1;\n\nSELECT 'é',\n  wrong FROM t;";
        let range = text.find("SELECT 'é'").unwrap()..text.len() - 1;
        assert_eq!(locate(text, range.clone(), None), (3, 1));
        // The 15th character is the w.
        assert_eq!(locate(text, range.clone(), Some(15)), (4, 3));
        assert_eq!(locate(text, range, Some(9999)).0, 4);
    }
}
