//! `migrations/*.sql`: ordered SQL files.

use std::path::PathBuf;

/// One migration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// The leading digits of the file name, as written: `001`.
    pub version: String,
    /// The rest of the file name without `.sql`: `baseline`.
    pub label: String,
    /// Relative to the project folder.
    pub path: PathBuf,
    /// The whole file.
    pub sql: String,
    /// False where the file says `-- plimsoll: no-transaction`.
    pub in_transaction: bool,
}
