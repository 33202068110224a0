//! What can go wrong with a server, a connection or a statement.
//!
//! `Display` prints one line with the whole chain: message, SQLSTATE, DETAIL,
//! HINT, and the next step where one is known. There is no `source` to walk.

use std::fmt;
use std::path::PathBuf;

/// An error report of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerError {
    /// `ERROR` or `FATAL`.
    pub severity: String,
    /// Five characters, such as `42P01`.
    pub sqlstate: String,
    /// The primary message.
    pub message: String,
    /// DETAIL.
    pub detail: Option<String>,
    /// HINT.
    pub hint: Option<String>,
    /// CONTEXT: the call stack of PL/pgSQL and the like.
    pub context: Option<String>,
    /// One-based, in characters of the statement sent.
    pub position: Option<u32>,
    /// The constraint violated.
    pub constraint: Option<String>,
    /// The table concerned.
    pub table: Option<String>,
    /// The column concerned.
    pub column: Option<String>,
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (SQLSTATE {})", self.message, self.sqlstate)?;
        if let Some(detail) = &self.detail {
            write!(f, ", DETAIL: {detail}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, ", HINT: {hint}")?;
        }
        Ok(())
    }
}

impl From<&tokio_postgres::error::DbError> for ServerError {
    fn from(error: &tokio_postgres::error::DbError) -> Self {
        use tokio_postgres::error::ErrorPosition;
        let position = match error.position() {
            Some(ErrorPosition::Original(position)) => Some(*position),
            _ => None,
        };
        Self {
            severity: error.severity().to_owned(),
            sqlstate: error.code().code().to_owned(),
            message: error.message().to_owned(),
            detail: error.detail().map(str::to_owned),
            hint: error.hint().map(str::to_owned),
            context: error.where_().map(str::to_owned),
            position,
            constraint: error.constraint().map(str::to_owned),
            table: error.table().map(str::to_owned),
            column: error.column().map(str::to_owned),
        }
    }
}

/// Everything that `postgres` reports.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No usable server programs on this machine.
    #[error("{0}")]
    NoServerPrograms(String),
    /// The throwaway server could not be set up.
    #[error("the throwaway server could not be started: {0}")]
    Start(String),
    /// A file or directory of ours.
    #[error("{action} {}: {source}", path.display())]
    File {
        /// What was tried, such as `create`.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The URL cannot be understood.
    #[error("the database URL cannot be used: {0}")]
    Url(String),
    /// No connection.
    #[error("cannot connect to {place}: {message}")]
    Connect {
        /// Host, port and database, without the password.
        place: String,
        /// The chain, with the next step.
        message: String,
        /// The server's report, where the server answered.
        server: Option<Box<ServerError>>,
    },
    /// Caches cannot be emptied.
    #[error("{0}")]
    Caches(String),
    /// The server is older or newer than what is supported.
    #[error("{0}")]
    Version(String),
    /// A statement failed on the server.
    #[error("{0}")]
    Server(Box<ServerError>),
    /// The connection broke or the client library failed.
    #[error("{0}")]
    Client(String),
    /// The database is not ours to change.
    #[error("{0}")]
    Precious(String),
    /// A migration failed or was changed after it was applied.
    #[error("{0}")]
    Migration(Box<super::MigrationError>),
    /// The server answered something that was not expected.
    #[error("{0}")]
    Unexpected(String),
}

impl Error {
    /// The SQLSTATE, where the server reported one.
    #[must_use]
    pub fn sqlstate(&self) -> Option<&str> {
        self.server().map(|error| error.sqlstate.as_str())
    }

    /// The server's report, where there is one.
    #[must_use]
    pub fn server(&self) -> Option<&ServerError> {
        match self {
            Self::Server(error) => Some(error),
            Self::Connect { server, .. } => server.as_deref(),
            Self::Migration(error) => error.server.as_ref(),
            _ => None,
        }
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(report) => Self::Server(Box::new(report.into())),
            None => Self::Client(chain(&error)),
        }
    }
}

impl From<super::MigrationError> for Error {
    fn from(error: super::MigrationError) -> Self {
        Self::Migration(Box::new(error))
    }
}

/// The messages of an error and its sources, each once, outermost first.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let message = inner.to_string();
        if !text.contains(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        source = inner.source();
    }
    text
}
