//! `transactions/*.spec`: files for the deadlock scenario, still unparsed.

use std::path::PathBuf;

/// One spec file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecFile {
    /// The file name without `.spec`.
    pub name: String,
    /// Relative to the project folder.
    pub path: PathBuf,
    /// The whole file.
    pub text: String,
}
