//! A connection on which a statement is in flight while others are asked, with
//! everything the server sends kept in order: result sets, errors, notices and
//! notifications.
//!
//! Invariant: when a statement's outcome is there, all notices the server sent
//! before its end are in the inbox.

use super::tls::MakeTls;
use super::{Error, ServerError, Target};
use crate::model::evidence::deadlock::ResultSet;
use crate::stats::clock;
use futures_util::{StreamExt, future};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::sync::oneshot;
use tokio_postgres::{AsyncMessage, CancelToken, Client, Config, SimpleQueryMessage};

/// Rows kept of one result set; more are counted.
const MAX_ROWS: usize = 10_000;
/// Notices and notifications kept until they are taken; more are counted.
const MAX_MESSAGES: usize = 10_000;

/// What the server sends unasked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerMessage {
    /// A notice or warning.
    Notice(ServerError),
    /// A NOTIFY.
    Notification {
        /// The sender's process id.
        sender_pid: i32,
        /// The channel.
        channel: String,
        /// The payload.
        payload: String,
    },
}

/// How a query string ended.
#[derive(Debug)]
pub struct StatementOutcome {
    /// One per statement that returns rows, up to the first error.
    pub results: Vec<ResultSet>,
    /// The last command was one that returned rows.
    pub ended_with_rows: bool,
    /// Rows that all its statements returned or changed.
    pub rows: u64,
    /// What ended it early.
    pub error: Option<Error>,
    /// When the error, or else the end, arrived.
    pub finished_at: Instant,
}

/// An open connection. Dropping it ends the session.
pub struct ObservedSession {
    client: Arc<Client>,
    cancel_token: CancelToken,
    tls: MakeTls,
    backend_pid: i32,
    inbox: Arc<Mutex<Inbox>>,
}

#[derive(Debug, Default)]
struct Inbox {
    messages: Vec<ServerMessage>,
    left_out: u64,
}

impl Target {
    /// Connects a session whose notices are kept.
    ///
    /// # Errors
    /// The server cannot be reached or refuses.
    pub async fn observe(&self, config: &Config) -> Result<ObservedSession, Error> {
        ObservedSession::open(config, self.tls()).await
    }
}

impl ObservedSession {
    async fn open(config: &Config, tls: &MakeTls) -> Result<Self, Error> {
        let (client, mut connection) = config.connect(tls.clone()).await?;
        let inbox = Arc::new(Mutex::new(Inbox::default()));
        let received = Arc::clone(&inbox);
        // Ends with the client; what it reports, the client's own calls report too.
        tokio::spawn(async move {
            while let Some(Ok(message)) = future::poll_fn(|context| connection.poll_message(context)).await {
                keep(&received, message);
            }
        });
        let cancel_token = client.cancel_token();
        let row = client.simple_query("SELECT pg_catalog.pg_backend_pid()").await?;
        let backend_pid = row
            .iter()
            .find_map(|message| match message {
                SimpleQueryMessage::Row(row) => row.get(0)?.parse().ok(),
                _ => None,
            })
            .ok_or_else(|| Error::Unexpected("the server did not tell its process id".into()))?;
        Ok(Self { client: Arc::new(client), cancel_token, tls: tls.clone(), backend_pid, inbox })
    }

    /// The process id of the backend.
    #[must_use]
    pub fn backend_pid(&self) -> i32 {
        self.backend_pid
    }

    /// Sends a query string; its outcome arrives later.
    #[must_use]
    pub fn start(&self, sql: &str) -> oneshot::Receiver<StatementOutcome> {
        let (sender, receiver) = oneshot::channel();
        let (client, sql) = (Arc::clone(&self.client), sql.to_owned());
        tokio::spawn(async move {
            // Nobody listens any more where the run was given up.
            let _ = sender.send(execute(&client, &sql).await);
        });
        receiver
    }

    /// Sends a query string and waits for its end.
    pub async fn execute(&self, sql: &str) -> StatementOutcome {
        execute(&self.client, sql).await
    }

    /// Takes what the server sent unasked, in order.
    #[must_use]
    pub fn take_messages(&self) -> Vec<ServerMessage> {
        std::mem::take(&mut self.inbox.lock().unwrap_or_else(PoisonError::into_inner).messages)
    }

    /// How many messages were not kept, because nobody took them in time, since this was asked last.
    #[must_use]
    pub fn take_left_out(&self) -> u64 {
        std::mem::take(&mut self.inbox.lock().unwrap_or_else(PoisonError::into_inner).left_out)
    }

    /// Asks the server to cancel what this session is executing.
    ///
    /// # Errors
    /// The request could not be delivered. Whether it came in time is not known.
    pub async fn cancel(&self) -> Result<(), Error> {
        Ok(self.cancel_token.cancel_query(self.tls.clone()).await?)
    }
}

impl std::fmt::Debug for ObservedSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ObservedSession").field("backend_pid", &self.backend_pid).finish_non_exhaustive()
    }
}

fn keep(inbox: &Mutex<Inbox>, message: AsyncMessage) {
    let message = match message {
        AsyncMessage::Notice(notice) => ServerMessage::Notice((&notice).into()),
        AsyncMessage::Notification(notification) => ServerMessage::Notification {
            sender_pid: notification.process_id(),
            channel: notification.channel().to_owned(),
            payload: notification.payload().to_owned(),
        },
        _ => return,
    };
    let mut inbox = inbox.lock().unwrap_or_else(PoisonError::into_inner);
    if inbox.messages.len() < MAX_MESSAGES {
        inbox.messages.push(message);
    } else {
        inbox.left_out += 1;
    }
}

async fn execute(client: &Client, sql: &str) -> StatementOutcome {
    let mut outcome = StatementOutcome {
        results: Vec::new(),
        ended_with_rows: false,
        rows: 0,
        error: None,
        finished_at: clock::now(),
    };
    let stream = match client.simple_query_raw(sql).await {
        Ok(stream) => stream,
        Err(error) => {
            outcome.error = Some(error.into());
            outcome.finished_at = clock::now();
            return outcome;
        }
    };
    let mut stream = std::pin::pin!(stream);
    let mut is_rows = false;
    while let Some(message) = stream.next().await {
        match message {
            Ok(SimpleQueryMessage::RowDescription(columns)) => {
                is_rows = true;
                let columns = columns.iter().map(|column| column.name().to_owned()).collect();
                outcome.results.push(ResultSet { columns, ..ResultSet::default() });
            }
            Ok(SimpleQueryMessage::Row(row)) => {
                if let Some(result) = outcome.results.last_mut() {
                    if result.rows.len() < MAX_ROWS {
                        result.rows.push((0..row.len()).map(|i| row.get(i).map(str::to_owned)).collect());
                    } else {
                        result.rows_left_out += 1;
                    }
                }
            }
            Ok(SimpleQueryMessage::CommandComplete(rows)) => {
                outcome.rows += rows;
                outcome.ended_with_rows = is_rows;
                is_rows = false;
            }
            Ok(_) => {}
            Err(error) => {
                if is_rows {
                    // The error ends the statement whose rows were arriving: they are not a result.
                    outcome.results.pop();
                    is_rows = false;
                }
                if outcome.error.is_none() {
                    outcome.error = Some(error.into());
                    outcome.finished_at = clock::now();
                } else {
                    break;
                }
            }
        }
    }
    if outcome.error.is_none() {
        outcome.finished_at = clock::now();
    }
    outcome
}
