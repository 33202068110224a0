//! What can go wrong between the thin client and a server.

use crate::wire::ErrorResponse;

/// A failure of the thin client. After [`Error::Server`] the connection can
/// still be used; after any other it cannot.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection came about.
    #[error("cannot connect to {address}: {source}")]
    Connect {
        /// Where to.
        address: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The server asks for something this client does not offer.
    #[error("{0}")]
    Unsupported(String),
    /// The server wants a password and none is known.
    #[error("the server asks for a password and none is set: add one to the URL or set PGPASSWORD")]
    PasswordMissing,
    /// The login exchange failed on our side.
    #[error("login failed: {0}")]
    Login(std::io::Error),
    /// TLS could not be agreed on.
    #[error("TLS failed: {0}")]
    Tls(String),
    /// The server reports an error.
    #[error("{0}")]
    Server(Box<ServerError>),
    /// A query of a workload is refused before its first request.
    #[error("query `{query}` cannot be prepared: {answer}{}", after_timeout(.answer))]
    Prepare {
        /// Its name.
        query: String,
        /// Why not.
        answer: Box<ServerError>,
    },
    /// The server broke the protocol.
    #[error("unexpected answer from the server: {0}")]
    Protocol(String),
    /// The connection is gone or timed out.
    #[error("connection to the server lost: {0}")]
    Connection(#[from] std::io::Error),
}

impl Error {
    /// The server's error, where it is one.
    #[must_use]
    pub fn server(&self) -> Option<&ServerError> {
        match self {
            Self::Server(error) => Some(error),
            _ => None,
        }
    }
}

/// Preparing takes only locks and parsing, so what it waits for until a timeout is a lock.
fn after_timeout(error: &ServerError) -> &'static str {
    match error.sqlstate.as_str() {
        "57014" | "55P03" => {
            ". Another session holds a lock on what the query reads: look for it with \
             `SELECT * FROM pg_locks WHERE granted AND mode = 'AccessExclusiveLock'`"
        }
        _ => "",
    }
}

/// An error message of the server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServerError {
    /// Five characters, such as `57014`.
    pub sqlstate: String,
    /// The primary message.
    pub message: String,
    /// DETAIL.
    pub detail: Option<String>,
    /// HINT.
    pub hint: Option<String>,
    /// One-based character position in the statement.
    pub position: Option<usize>,
}

impl ServerError {
    pub(super) fn of(response: &ErrorResponse<'_>) -> Self {
        let text = |letter| response.field(letter).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        Self {
            sqlstate: text(b'C').unwrap_or_default(),
            message: text(b'M').unwrap_or_default(),
            detail: text(b'D'),
            hint: text(b'H'),
            position: text(b'P').and_then(|position| position.parse().ok()),
        }
    }
}

impl std::fmt::Display for ServerError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} (SQLSTATE {})", self.message, self.sqlstate)?;
        if let Some(detail) = &self.detail {
            write!(formatter, "; detail: {detail}")?;
        }
        if let Some(hint) = &self.hint {
            write!(formatter, "; hint: {hint}")?;
        }
        Ok(())
    }
}
