//! Why a database could not be made ready.

use crate::postgres;
use crate::project::diagnostic::Diagnostic;
use crate::seed;

/// Why a database could not be made ready.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server or a migration.
    #[error(transparent)]
    Postgres(#[from] postgres::Error),
    /// The volume is not declared.
    #[error("there is no volume {name}, only: {known}; declare it under [volumes] in plimsoll.toml")]
    UnknownVolume {
        /// As asked for.
        name: String,
        /// The declared ones.
        known: String,
    },
    /// The project's own migration command cannot go to a version.
    #[error(
        "migrate-command `{command}` always migrates to the newest version: write {{version}} where it takes \
         the version to go to"
    )]
    CommandWithoutVersion {
        /// As written.
        command: String,
    },
    /// The project's own migration command failed.
    #[error("migrate-command `{command}` {outcome}; its last output: {output}")]
    Command {
        /// As executed.
        command: String,
        /// `ended with exit status 1`.
        outcome: String,
        /// The last lines of its output.
        output: String,
    },
    /// Queries that the server refuses to prepare.
    #[error("{}", first_of(.0))]
    Queries(Vec<Diagnostic>),
    /// The declared data does not fit the schema.
    #[error("{}", first_of(.0))]
    Distributions(Vec<Diagnostic>),
    /// The schema of a version cannot be kept.
    #[error("the migration is applied, but its schema cannot be written to {}: {source}", path.display())]
    SchemaFile {
        /// The file.
        path: std::path::PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Tables hold rows already.
    #[error(transparent)]
    Seed(seed::Error),
}

impl From<seed::Error> for Error {
    fn from(error: seed::Error) -> Self {
        match error {
            seed::Error::Postgres(error) => Self::Postgres(error),
            seed::Error::Declared(diagnostics) => Self::Distributions(diagnostics),
            other => Self::Seed(other),
        }
    }
}

fn first_of(diagnostics: &[Diagnostic]) -> String {
    let Some(first) = diagnostics.first() else { return "the declared data does not fit the schema".into() };
    let place = first.line_and_column().map_or(String::new(), |(line, column)| format!(":{line}:{column}"));
    let more = match diagnostics.len() {
        1 => String::new(),
        count => format!(" (and {} more)", count - 1),
    };
    format!("{}{place}: {}{more}", first.path.display(), first.message)
}
