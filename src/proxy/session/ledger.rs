//! What all sessions of a recording share: the counters, the hash key, the
//! caches, and the records that are ready.

use super::columns::Descriptions;
use super::texts::Texts;
use crate::trace::{Bounds, Losses, ScopeLimit, StatementRecord, ValueHasher};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Databases remembered at most.
const DATABASES_MAX: usize = 64;

/// What is shared between the sessions of one recording.
#[derive(Debug)]
pub struct Ledger {
    pub(super) hasher: ValueHasher,
    pub(super) bounds: Bounds,
    pub(super) keeps_values: bool,
    pub(super) texts: Texts,
    pub(super) descriptions: Descriptions,
    databases: Vec<Arc<str>>,
    next_sequence: u64,
    next_transaction: u64,
    /// What could not be kept since it was last taken.
    pub losses: Losses,
    /// Finished statements, for whoever writes them down to drain.
    pub records: Vec<StatementRecord>,
    /// Bounds that sessions set, likewise.
    pub limits: Vec<ScopeLimit>,
    /// Why the server refused logins, likewise.
    pub denials: Vec<String>,
}

impl Ledger {
    /// An empty one. `keeps_values` keeps arguments as text beside their hashes.
    #[must_use]
    pub fn new(hasher: ValueHasher, bounds: Bounds, keeps_values: bool) -> Self {
        Self {
            hasher,
            texts: Texts::new(hasher, bounds.clone(), keeps_values),
            bounds,
            keeps_values,
            descriptions: Descriptions::default(),
            databases: Vec::new(),
            next_sequence: 0,
            next_transaction: 0,
            losses: Losses::default(),
            records: Vec::new(),
            limits: Vec::new(),
            denials: Vec::new(),
        }
    }

    pub(super) fn connected_to(&mut self, database: Option<&Arc<str>>) {
        if let Some(database) = database
            && self.databases.len() < DATABASES_MAX
            && !self.databases.contains(database)
        {
            self.databases.push(database.clone());
        }
    }

    /// The databases that sessions are with, in the order of their first connection.
    #[must_use]
    pub fn databases(&self) -> &[Arc<str>] {
        &self.databases
    }

    /// OIDs of the tables that results came from.
    #[must_use]
    pub fn tables(&self) -> &BTreeSet<u32> {
        &self.descriptions.tables
    }

    /// Numbers `count` requests; returns the first number.
    pub(super) fn sequence(&mut self, count: usize) -> u64 {
        let first = self.next_sequence;
        self.next_sequence += count as u64;
        first
    }

    pub(super) fn transaction(&mut self) -> u64 {
        self.next_transaction += 1;
        self.next_transaction
    }
}
