//! One session followed: frames of both directions in, statement records out.
//! Pure: no sockets, no clock; times come in with the frames.
//!
//! The client's requests are queued, the server's answers are matched to them
//! by order, as the protocol defines it. Whatever the follower does not
//! understand is counted, and never disturbs the session itself.

mod answers;
mod columns;
mod command;
mod execution;
pub(super) mod hashing;
mod labels;
mod ledger;
mod parameters;
mod pending;
mod prepared;
mod requests;
mod resolve;
mod texts;

pub(super) use ledger::DatabaseTables;
pub use ledger::Ledger;

use crate::trace::Outcome;
use crate::wire::{BackendMessage, Frame, FrontendMessage, KEPT_BYTES_DEFAULT, Splitter};
use execution::Execution;
use labels::SessionLabels;
use pending::{Pending, Requests};
use prepared::SessionNames;
use std::sync::Arc;

/// A session of the recorded application.
#[derive(Debug)]
pub struct Session {
    client: Splitter,
    server: Splitter,
    requests: Requests,
    names: SessionNames,
    labels: SessionLabels,
    /// The server ignores everything until the next Sync. Holds the error
    /// that the next Execute is to report, where its own Parse or Bind failed.
    skipping: Option<Option<[u8; 5]>>,
    /// The server takes COPY data in and ignores Sync.
    is_copying_in: bool,
    /// Given up: nothing is decoded any more.
    is_opaque: bool,
}

impl Session {
    /// A session from its first byte on.
    #[must_use]
    pub fn new(connection: u64) -> Self {
        Self {
            client: Splitter::frontend(KEPT_BYTES_DEFAULT),
            server: Splitter::typed(KEPT_BYTES_DEFAULT),
            requests: Requests::default(),
            names: SessionNames::default(),
            labels: SessionLabels::new(connection),
            skipping: None,
            is_copying_in: false,
            is_opaque: false,
        }
    }

    /// Bytes the client sent.
    pub fn client_bytes(&mut self, mut bytes: &[u8], at_us: u64, ledger: &mut Ledger) {
        let mut splitter = std::mem::replace(&mut self.client, Splitter::typed(0));
        while !self.is_opaque {
            match splitter.next(&mut bytes) {
                Ok(Some(frame)) => self.client_frame(&frame, at_us, ledger),
                Ok(None) => break,
                Err(_) => self.give_up(ledger),
            }
        }
        self.client = splitter;
    }

    /// Bytes the server sent, from the first message after the start-up on.
    pub fn server_bytes(&mut self, mut bytes: &[u8], at_us: u64, ledger: &mut Ledger) {
        let mut splitter = std::mem::replace(&mut self.server, Splitter::typed(0));
        while !self.is_opaque {
            match splitter.next(&mut bytes) {
                Ok(Some(frame)) => self.server_frame(&frame, at_us, ledger),
                Ok(None) => break,
                Err(_) => self.give_up(ledger),
            }
        }
        self.server = splitter;
    }

    /// The scope that the session has set.
    #[must_use]
    pub fn scope(&self) -> Option<&Arc<str>> {
        self.labels.scope()
    }

    /// The database that the session is with.
    #[must_use]
    pub fn database(&self) -> Option<&Arc<str>> {
        self.labels.database.as_ref()
    }

    /// The connection is over: what was not answered is reported as unfinished.
    pub fn end(&mut self, at_us: u64, ledger: &mut Ledger) {
        while let Some(pending) = self.requests.pop() {
            match pending {
                Pending::Execute(Some(execution), _) | Pending::Function(Some(execution)) => {
                    self.record(*execution, Outcome::Unfinished, at_us, None, ledger);
                }
                Pending::Query(mut query) if !query.is_failed => {
                    while let Some(execution) = query.take_statement(&self.names, ledger) {
                        self.record(*execution, Outcome::Unfinished, at_us, None, ledger);
                    }
                }
                _ => {}
            }
        }
    }

    fn client_frame(&mut self, frame: &Frame<'_>, at_us: u64, ledger: &mut Ledger) {
        if self.requests.is_full() || self.names.statements.is_full() || self.names.portals.is_full() {
            return self.give_up(ledger);
        }
        self.request(&FrontendMessage::decode(frame), frame, at_us, ledger);
    }

    fn server_frame(&mut self, frame: &Frame<'_>, at_us: u64, ledger: &mut Ledger) {
        self.answer(&BackendMessage::decode(frame), frame, at_us, ledger);
    }

    /// Stops following a session whose stream cannot be understood.
    fn give_up(&mut self, ledger: &mut Ledger) {
        if !self.is_opaque {
            self.is_opaque = true;
            ledger.losses.opaque_connections += 1;
        }
    }

    fn record(
        &self,
        execution: Execution,
        outcome: Outcome,
        end_us: u64,
        rows: Option<u64>,
        ledger: &mut Ledger,
    ) {
        ledger.records.push(execution.finish(outcome, end_us, rows, self.labels.current()));
    }
}

#[cfg(test)]
mod tests;
