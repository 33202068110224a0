//! Where a session stands: its transaction block, its scope, its name.
//!
//! The scope is a setting, so it follows the server's rules: SET LOCAL ends
//! with the transaction, and a rolled-back transaction or savepoint takes its
//! SET back.

use super::execution::Labels;
use super::ledger::Ledger;
use crate::trace::ScopeLimit;
use crate::wire::{StartupMessage, TransactionStatus};
use std::sync::Arc;

/// The session's labels, as of the statement that completes next.
#[derive(Debug)]
pub(super) struct SessionLabels {
    current: Labels,
    scope_before_transaction: Option<Arc<str>>,
    scope_after_commit: Option<Arc<str>>,
    /// What was last set; none where nothing ever was.
    pub(super) max_statements: Option<Option<u64>>,
    savepoints: Vec<Savepoint>,
    /// The database that the session is with.
    pub(super) database: Option<Arc<str>>,
}

/// Savepoints of one transaction whose scopes are remembered. Beyond that many
/// the outermost are forgotten; going back to one keeps the scope as it is.
const SAVEPOINTS_MAX: usize = 4096;

/// The scopes as they were at a savepoint.
#[derive(Debug)]
struct Savepoint {
    name: Vec<u8>,
    scope: Option<Arc<str>>,
    scope_after_commit: Option<Arc<str>>,
}

impl SessionLabels {
    pub(super) fn new(connection: u64) -> Self {
        let current = Labels { connection, transaction: None, scope: None, application_name: None };
        Self {
            current,
            scope_before_transaction: None,
            scope_after_commit: None,
            savepoints: Vec::new(),
            database: None,
            max_statements: None,
        }
    }

    /// The bound on the current scope, where one was set.
    pub(super) fn limit(&self) -> Option<ScopeLimit> {
        let statements = self.max_statements?;
        Some(ScopeLimit {
            connection: self.current.connection,
            scope: self.current.scope.clone(),
            statements,
        })
    }

    pub(super) fn scope(&self) -> Option<&Arc<str>> {
        self.current.scope.as_ref()
    }

    pub(super) fn current(&self) -> Labels {
        self.current.clone()
    }

    /// Settings may come with the start-up message, also inside `options`.
    pub(super) fn startup(&mut self, startup: &StartupMessage<'_>) {
        if let Some(name) = startup.parameter("application_name") {
            self.application_name(name);
        }
        // The user's own database is the default.
        let database = startup.parameter("database").or_else(|| startup.parameter("user"));
        self.database = database.map(|name| Arc::from(String::from_utf8_lossy(name).as_ref()));
        let mut scope =
            startup.parameter("plimsoll.scope").map(|scope| String::from_utf8_lossy(scope).into_owned());
        if let Some(options) = startup.parameter("options") {
            let options = String::from_utf8_lossy(options);
            for word in options.split_ascii_whitespace() {
                let setting = word.trim_start_matches("--").trim_start_matches("-c");
                if let Some(value) = setting.strip_prefix("plimsoll.scope=") {
                    scope = Some(value.to_owned());
                }
            }
        }
        self.set_scope(scope.filter(|scope| !scope.is_empty()), false);
    }

    pub(super) fn application_name(&mut self, name: &[u8]) {
        let name = String::from_utf8_lossy(name);
        self.current.application_name = (!name.is_empty()).then(|| Arc::from(name.as_ref()));
    }

    pub(super) fn set_scope(&mut self, scope: Option<String>, is_local: bool) {
        let scope = scope.map(Arc::from);
        self.current.scope.clone_from(&scope);
        if !is_local {
            self.scope_after_commit = scope;
        }
    }

    /// A savepoint was set.
    pub(super) fn savepoint(&mut self, name: &[u8]) {
        if self.savepoints.len() == SAVEPOINTS_MAX {
            self.savepoints.remove(0);
        }
        self.savepoints.push(Savepoint {
            name: name.to_vec(),
            scope: self.current.scope.clone(),
            scope_after_commit: self.scope_after_commit.clone(),
        });
    }

    /// A savepoint was released, and those set after it; what was set since stays.
    pub(super) fn release(&mut self, name: &[u8]) {
        if let Some(at) = self.savepoints.iter().rposition(|savepoint| savepoint.name == name) {
            self.savepoints.truncate(at);
        }
    }

    /// Back to a savepoint, which stays.
    pub(super) fn rollback_to(&mut self, name: &[u8]) {
        if let Some(at) = self.savepoints.iter().rposition(|savepoint| savepoint.name == name) {
            self.savepoints.truncate(at + 1);
            let savepoint = &self.savepoints[at];
            self.current.scope.clone_from(&savepoint.scope);
            self.scope_after_commit.clone_from(&savepoint.scope_after_commit);
        }
    }

    /// A command tag that begins a block gives the block its number.
    pub(super) fn begin_with(&mut self, tag: &[u8], ledger: &mut Ledger) {
        if self.current.transaction.is_none() && matches!(tag, b"BEGIN" | b"START TRANSACTION") {
            self.begin(ledger);
        }
    }

    /// True where the command tag ended a block.
    pub(super) fn end_with(&mut self, tag: &[u8]) -> bool {
        match tag {
            b"COMMIT" | b"PREPARE TRANSACTION" => {
                self.current.scope.clone_from(&self.scope_after_commit);
            }
            b"ROLLBACK" => {
                self.current.scope.clone_from(&self.scope_before_transaction);
                self.scope_after_commit.clone_from(&self.scope_before_transaction);
            }
            _ => return false,
        }
        self.current.transaction = None;
        self.savepoints.clear();
        self.scope_before_transaction.clone_from(&self.current.scope);
        true
    }

    /// What the server says at the end of a group is the truth.
    pub(super) fn ready(&mut self, status: TransactionStatus, ledger: &mut Ledger) {
        match status {
            TransactionStatus::Idle => {
                self.current.transaction = None;
                self.scope_before_transaction.clone_from(&self.current.scope);
            }
            TransactionStatus::Open | TransactionStatus::Failed => {
                if self.current.transaction.is_none() {
                    self.begin(ledger);
                }
            }
        }
    }

    fn begin(&mut self, ledger: &mut Ledger) {
        self.current.transaction = Some(ledger.transaction());
        self.scope_before_transaction.clone_from(&self.current.scope);
        self.scope_after_commit.clone_from(&self.current.scope);
    }
}
