//! What the isolation tester prints, as data.

/// What the isolation tester prints, as data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TranscriptEvent {
    /// A step that no permutation uses.
    UnusedStep(String),
    /// The file was read; so many sessions.
    Parsed(usize),
    /// An order begins.
    PermutationStarted(Vec<String>),
    /// A step was sent and is blocked.
    StepWaiting {
        /// Its name.
        step: String,
        /// What it sends.
        sql: String,
    },
    /// A step was sent and is done.
    StepDone {
        /// Its name.
        step: String,
        /// What it sends.
        sql: String,
    },
    /// A step that was blocked is done.
    StepCompleted(String),
    /// Rows.
    Result(ResultSet),
    /// The server's error.
    Error {
        /// `ERROR` or `FATAL`.
        severity: String,
        /// The primary message.
        message: String,
    },
    /// The server ended the connection.
    ConnectionLost,
    /// The server's notice to a session.
    Notice {
        /// Whose.
        session: String,
        /// `NOTICE`, `WARNING` and so on.
        severity: String,
        /// The primary message.
        message: String,
        /// DETAIL.
        detail: Option<String>,
        /// HINT.
        hint: Option<String>,
    },
    /// A NOTIFY that a session received.
    Notification {
        /// Who received it.
        session: String,
        /// The channel.
        channel: String,
        /// The payload.
        payload: String,
        /// Who sent it.
        sender: String,
    },
    /// A step took too long and is cancelled.
    Canceling {
        /// Its name.
        step: String,
        /// After so many seconds.
        seconds: u64,
    },
    /// A conversation line of the tester, such as a failed setup.
    Message(String),
}

/// Rows as text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResultSet {
    /// Column names.
    pub columns: Vec<String>,
    /// Values; `None` is NULL.
    pub rows: Vec<Vec<Option<String>>>,
    /// Rows beyond the bound that were not kept.
    pub rows_left_out: u64,
}
