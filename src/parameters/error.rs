//! Why no values could be drawn: always with the file, the line and the next step.

use crate::project::query::{Parameter, Query};
use std::path::PathBuf;

/// No values for a parameter.
#[derive(Debug, thiserror::Error)]
#[error("{}:{line}: parameter `{parameter}` of `{query}`: {reason}", path.display())]
pub struct Error {
    /// The query's file, relative to the project folder.
    pub path: PathBuf,
    /// One-based line of the declaration.
    pub line: usize,
    /// The query's name.
    pub query: String,
    /// The parameter's name.
    pub parameter: String,
    /// Why.
    #[source]
    pub reason: Reason,
}

impl Error {
    pub(super) fn new(query: &Query, parameter: &Parameter, reason: impl Into<Reason>) -> Self {
        Self {
            path: query.path.clone(),
            line: parameter.line,
            query: query.name.clone(),
            parameter: parameter.name.clone(),
            reason: reason.into(),
        }
    }
}

/// Why there are no values.
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    /// The source names a table that the database does not have.
    #[error("there is no table `{table}`: {help}")]
    NoTable {
        /// As the source writes it.
        table: String,
        /// The next step.
        help: String,
    },
    /// The source names a column that its table does not have.
    #[error("`{table}` has no column `{column}`: {help}")]
    NoColumn {
        /// As the source writes it.
        table: String,
        /// As the source writes it.
        column: String,
        /// The next step.
        help: String,
    },
    /// The table has no row in which all the sampled columns hold a value.
    #[error("no row of {table} has a value in {column}: seed the table first, or write a value instead")]
    NoValues {
        /// Quoted.
        table: String,
        /// Quoted.
        column: String,
    },
    /// Every value that the type allows is in use, or the type has no known order of values.
    #[error(
        "cannot find a value of type {type_name} that no row of {table} holds: write one that you know is absent"
    )]
    NoAbsentValue {
        /// Quoted.
        table: String,
        /// The type.
        type_name: String,
    },
    /// An expression has no value.
    #[error("{0}")]
    Expression(String),
    /// The server failed.
    #[error(transparent)]
    Server(#[from] crate::postgres::Error),
}

impl From<tokio_postgres::Error> for Reason {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Server(error.into())
    }
}
