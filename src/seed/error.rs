//! Why a database could not be filled.

use crate::postgres;
use crate::project::diagnostic::Diagnostic;

/// Nothing was committed, or whole tables only.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server refused, or may not be changed.
    #[error(transparent)]
    Postgres(#[from] postgres::Error),
    /// The declared values are not ones that the tables take.
    #[error("{}", summary(.0))]
    Declared(Vec<Diagnostic>),
    /// Seeding adds to nothing and deletes nothing.
    #[error("table {table} already holds rows: seed an empty, freshly migrated database")]
    NotEmpty {
        /// The first such table.
        table: String,
    },
}

impl Error {
    /// The problems that belong to places in the distributions file.
    #[must_use]
    pub fn diagnostics(&self) -> &[Diagnostic] {
        match self {
            Self::Declared(diagnostics) => diagnostics,
            _ => &[],
        }
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Postgres(error.into())
    }
}

fn summary(diagnostics: &[Diagnostic]) -> String {
    let lines: Vec<String> = diagnostics
        .iter()
        .map(|problem| {
            let line = problem.line_and_column().map_or(String::new(), |(line, _)| format!(":{line}"));
            format!("{}{line}: {}", problem.path.display(), problem.message)
        })
        .collect();
    lines.join("; ")
}
