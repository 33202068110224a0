//! What the server's messages say about the requests before them.

use super::Session;
use super::columns::{Description, ResultFormats};
use super::command::Command;
use super::execution::Execution;
use super::ledger::Ledger;
use super::pending::Pending;
use super::prepared::{Cursor, Prepared};
use crate::trace::{Outcome, Protocol};
use crate::wire::{BackendMessage, CommandComplete, DataRow, Frame, TransactionStatus};
use std::rc::Rc;

impl Session {
    pub(super) fn answer(
        &mut self,
        message: &BackendMessage<'_>,
        frame: &Frame<'_>,
        at_us: u64,
        ledger: &mut Ledger,
    ) {
        match message {
            BackendMessage::DataRow(row) => self.data_row(row, frame, at_us, ledger),
            BackendMessage::CommandComplete(complete) => self.complete(complete, at_us, ledger),
            BackendMessage::ReadyForQuery(ready) => self.ready(ready.status, at_us, ledger),
            BackendMessage::ParseComplete | BackendMessage::BindComplete | BackendMessage::CloseComplete => {
                self.acknowledged(ledger);
            }
            BackendMessage::ParameterDescription(description) => {
                if let Some(Pending::DescribeStatement(Some(prepared))) = self.requests.front() {
                    *prepared.parameter_types.borrow_mut() = description.types().collect();
                }
            }
            BackendMessage::RowDescription(description) => {
                let description = ledger.descriptions.get(frame.body, description);
                ledger.described_in(self.labels.database.as_ref(), &description);
                self.described(Some(description), ledger);
            }
            BackendMessage::NoData => self.described(None, ledger),
            BackendMessage::EmptyQueryResponse => self.empty(),
            BackendMessage::PortalSuspended => self.suspended(at_us, ledger),
            BackendMessage::ErrorResponse(error) => {
                if let Some(Pending::Startup) = self.requests.front() {
                    let state = String::from_utf8_lossy(error.field(b'C').unwrap_or_default());
                    let message = String::from_utf8_lossy(error.message());
                    ledger.denials.push(format!("{message} (SQLSTATE {state})"));
                }
                self.failed(error.sqlstate().unwrap_or(*b"XX000"), at_us, ledger);
            }
            BackendMessage::CopyIn(_) => {
                self.copy_started(ledger);
                self.is_copying_in = !self.requests.forget_syncs_before_copy_end();
            }
            BackendMessage::CopyOut(_) | BackendMessage::CopyBoth(_) => self.copy_started(ledger),
            BackendMessage::CopyData => self.copy_bytes(u64::from(frame.body_bytes)),
            BackendMessage::FunctionCallResponse => self.function_returned(at_us, ledger),
            BackendMessage::ParameterStatus(status) if status.name == b"application_name" => {
                self.labels.application_name(status.value);
            }
            BackendMessage::Unknown(_) | BackendMessage::Malformed(_) => {
                ledger.losses.undecoded_messages += 1
            }
            _ => {}
        }
    }

    /// The statement that the server works on, begun where nothing was known of it.
    fn current(&mut self, ledger: &Ledger) -> Option<&mut Execution> {
        match self.requests.front()? {
            Pending::Query(query) => query.begin_statement(&self.names, ledger),
            Pending::Execute(execution, portal) => {
                let execution = execution.as_deref_mut()?;
                if let Some(portal) = portal {
                    execution.describe_by(portal);
                }
                Some(execution)
            }
            _ => None,
        }
    }

    fn data_row(&mut self, row: &DataRow<'_>, frame: &Frame<'_>, at_us: u64, ledger: &mut Ledger) {
        match self.current(ledger) {
            Some(execution) => execution.row(row, u64::from(frame.body_bytes), at_us, ledger),
            None => ledger.losses.undecoded_messages += 1,
        }
    }

    fn acknowledged(&mut self, ledger: &mut Ledger) {
        match self.requests.front() {
            Some(Pending::Parse { .. } | Pending::Bind { .. } | Pending::Close) => drop(self.requests.pop()),
            _ => ledger.losses.undecoded_messages += 1,
        }
    }

    fn described(&mut self, description: Option<Rc<Description>>, ledger: &mut Ledger) {
        match self.requests.front() {
            Some(Pending::DescribeStatement(prepared)) => {
                if let Some(prepared) = prepared {
                    *prepared.description.borrow_mut() = description;
                }
                self.requests.pop();
            }
            Some(Pending::DescribePortal(portal)) => {
                if let Some(portal) = portal {
                    // Most drivers describe each portal; its statement's result is the same.
                    portal.prepared.description.borrow_mut().clone_from(&description);
                    *portal.description.borrow_mut() = description;
                }
                self.requests.pop();
            }
            _ => {
                if let Some(execution) = self.current(ledger) {
                    execution.describe(description, ResultFormats::Described);
                }
            }
        }
    }

    fn complete(&mut self, complete: &CommandComplete<'_>, at_us: u64, ledger: &mut Ledger) {
        let rows = complete.rows();
        self.current(ledger);
        let execution = match self.requests.front() {
            Some(Pending::Query(query)) => {
                query.next += 1;
                query.start_us = at_us;
                query.current.take()
            }
            Some(Pending::Execute(execution, _)) => {
                let execution = execution.take();
                self.requests.pop();
                execution
            }
            // COPY BOTH ends with a tag of its own before the group's end.
            _ => None,
        };
        let tag = complete.command();
        let Some(execution) = execution else {
            self.labels.begin_with(tag, ledger);
            self.labels.end_with(tag);
            return;
        };
        let statement = execution.statement.clone();
        let (sequence, shape) =
            (execution.sequence, statement.inner.as_ref().map(|inner| inner.template.shape.clone()));
        self.labels.begin_with(tag, ledger);
        self.record(*execution, Outcome::Ok, at_us, rows, ledger);
        let is_partial = matches!(statement.command, Command::RollbackToSavepoint { .. });
        if !is_partial && self.labels.end_with(tag) {
            self.names.cursors.retain(|cursor| cursor.is_held);
        }
        match &statement.command {
            Command::Other | Command::Execute { .. } | Command::Fetch { .. } => {}
            Command::Savepoint { name } => self.labels.savepoint(name),
            Command::Release { name } => self.labels.release(name),
            Command::RollbackToSavepoint { name } => self.labels.rollback_to(name),
            Command::Prepare { name, .. } => {
                self.names.statements.replace(name, Some(Prepared::new(statement.inner.clone(), Vec::new())));
            }
            Command::Deallocate { name: Some(name) } => drop(self.names.statements.replace(name, None)),
            Command::Deallocate { name: None } => self.names.statements.clear(),
            Command::Declare { name, is_held, .. } => {
                let shape = shape.unwrap_or_else(|| statement.template.shape.clone());
                self.names
                    .cursors
                    .replace(name, Some(Rc::new(Cursor { first: sequence, shape, is_held: *is_held })));
            }
            Command::CloseCursor { name: Some(name) } => drop(self.names.cursors.replace(name, None)),
            Command::CloseCursor { name: None } => self.names.cursors.clear(),
            Command::Scope { scope, is_local } => {
                self.labels.set_scope(scope.clone(), *is_local);
                // The bound is a setting of the session: it goes on for the next scope.
                ledger.limits.extend(
                    self.labels.limit().filter(|limit| limit.scope.is_some() && limit.statements.is_some()),
                );
            }
            Command::MaxStatements { statements } => {
                self.labels.max_statements = Some(*statements);
                ledger.limits.extend(self.labels.limit());
            }
            Command::DiscardAll => {
                self.names.statements.clear();
                self.names.cursors.clear();
                self.labels.set_scope(None, false);
            }
        }
    }

    fn suspended(&mut self, at_us: u64, ledger: &mut Ledger) {
        self.current(ledger);
        if !matches!(self.requests.front(), Some(Pending::Execute(..))) {
            ledger.losses.undecoded_messages += 1;
            return;
        }
        if let Some(Pending::Execute(Some(execution), portal)) = self.requests.pop() {
            if let Some(portal) = portal {
                portal.first.set(portal.first.get().or(Some(execution.sequence)));
            }
            self.record(*execution, Outcome::Ok, at_us, None, ledger);
        }
    }

    fn empty(&mut self) {
        if let Some(Pending::Execute(..)) = self.requests.front() {
            self.requests.pop();
        }
    }

    fn failed(&mut self, sqlstate: [u8; 5], at_us: u64, ledger: &mut Ledger) {
        self.is_copying_in = false;
        let outcome = Outcome::Error(sqlstate);
        match self.requests.front() {
            // An error between groups is the server's own, such as a shutdown;
            // one at Sync is of the implicit transaction's commit.
            None | Some(Pending::Startup | Pending::Sync | Pending::CopyEnd) => {}
            Some(Pending::Query(query)) => {
                query.is_failed = true;
                let mut outcome = outcome;
                while let Some(execution) = query.take_statement(&self.names, ledger) {
                    ledger.records.push(execution.finish(outcome, at_us, None, self.labels.current()));
                    outcome = Outcome::Skipped;
                }
            }
            Some(Pending::Function(execution)) => {
                if let Some(execution) = execution.take() {
                    self.record(*execution, outcome, at_us, None, ledger);
                }
            }
            Some(_) => self.pipeline_failed(sqlstate, at_us, ledger),
        }
    }

    /// The request in front failed, and the server skips to the next Sync.
    fn pipeline_failed(&mut self, sqlstate: [u8; 5], at_us: u64, ledger: &mut Ledger) {
        let (group, has_sync) = self.requests.take_group();
        let mut error = Some(sqlstate);
        let mut undone = Vec::new();
        for pending in group {
            match pending {
                Pending::Execute(Some(execution), _) => {
                    let outcome = error.take().map_or(Outcome::Skipped, Outcome::Error);
                    self.record(*execution, outcome, at_us, None, ledger);
                }
                Pending::Execute(None, _) => error = None,
                other => undone.push(other),
            }
        }
        if has_sync {
            self.undo(undone);
        } else {
            // The Execute to come still has to find its portal; a name that
            // was given in vain is only ever used again after a new Parse.
            self.skipping = Some(error);
        }
    }

    /// Names that the skipped requests would have changed.
    fn undo(&mut self, skipped: Vec<Pending>) {
        for pending in skipped.into_iter().rev() {
            match pending {
                Pending::Parse { name, previous } => drop(self.names.statements.replace(&name, previous)),
                Pending::Bind { name, previous } => drop(self.names.portals.replace(&name, previous)),
                _ => {}
            }
        }
    }

    fn ready(&mut self, status: TransactionStatus, at_us: u64, ledger: &mut Ledger) {
        loop {
            match self.requests.pop() {
                None => {
                    ledger.losses.undecoded_messages += 1;
                    break;
                }
                Some(Pending::Query(query)) => {
                    if !query.is_failed && query.next < query.statements.len() {
                        ledger.losses.statements += (query.statements.len() - query.next) as u64;
                    }
                    break;
                }
                Some(pending) if pending.ends_group() => break,
                Some(Pending::Execute(Some(execution), _)) => {
                    ledger.losses.undecoded_messages += 1;
                    self.record(*execution, Outcome::Unfinished, at_us, None, ledger);
                }
                Some(_) => ledger.losses.undecoded_messages += 1,
            }
        }
        self.labels.ready(status, ledger);
        if status == TransactionStatus::Idle {
            self.names.cursors.retain(|cursor| cursor.is_held);
        }
    }

    fn copy_started(&mut self, ledger: &mut Ledger) {
        if let Some(execution) = self.current(ledger) {
            execution.protocol = Protocol::Copy;
        }
    }

    /// COPY data in either direction counts to the statement that runs.
    pub(super) fn copy_bytes(&mut self, bytes: u64) {
        match self.requests.front() {
            Some(Pending::Execute(Some(execution), _)) => execution.bytes += bytes,
            Some(Pending::Query(query)) => {
                if let Some(execution) = &mut query.current {
                    execution.bytes += bytes;
                }
            }
            _ => {}
        }
    }

    fn function_returned(&mut self, at_us: u64, ledger: &mut Ledger) {
        if let Some(Pending::Function(execution)) = self.requests.front()
            && let Some(execution) = execution.take()
        {
            self.record(*execution, Outcome::Ok, at_us, None, ledger);
        }
    }
}
