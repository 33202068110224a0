//! Why there was no load: each says what to do instead.

/// A load that cannot be begun.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server may be anybody's.
    #[error(
        "{host} is not this machine, and a load can make a server unusable for others: add --allow-remote if it is yours to load"
    )]
    Remote {
        /// Where it is.
        host: String,
    },
    /// The database may not be written to.
    #[error("{} and the database may only be read: name queries that only read, or mark it as disposable",
        if .queries.len() == 1 { format!("{} writes,", .queries[0]) } else { format!("{} write,", .queries.join(", ")) })]
    OnlyWrites {
        /// All that were asked for.
        queries: Vec<String>,
    },
    /// No request succeeded.
    #[error("no request succeeded; the first error: {message}")]
    NothingSucceeds {
        /// What the server said.
        message: String,
    },
}
