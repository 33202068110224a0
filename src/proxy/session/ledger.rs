//! What all sessions of a recording share: the counters, the hash key, the
//! caches, and the records that are ready.

use super::columns::{Description, Descriptions};
use super::hashing::Table;
use super::texts::Texts;
use crate::trace::{Bounds, Losses, ScopeLimit, StatementRecord, ValueHasher};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

/// Databases told apart at most.
const DATABASES_MAX: usize = 64;
/// Tables remembered of a database at most; later ones stay without names.
const TABLES_MAX: usize = 65_536;
/// Descriptions remembered as seen in their database at most; then they are looked at once more.
const SEEN_MAX: usize = 65_536;

/// The tables that results came from, in one database.
#[derive(Debug)]
pub struct DatabaseTables {
    /// Its name; `None` for all those beyond the bound.
    pub database: Option<Arc<str>>,
    /// OIDs, which mean something in it alone.
    pub oids: BTreeSet<u32>,
}

/// What is shared between the sessions of one recording.
#[derive(Debug)]
pub struct Ledger {
    pub(super) hasher: ValueHasher,
    pub(super) bounds: Bounds,
    pub(super) keeps_values: bool,
    pub(super) texts: Texts,
    pub(super) descriptions: Descriptions,
    databases: Vec<DatabaseTables>,
    /// Databases and descriptions whose tables are in already.
    seen: Table<(usize, u64), ()>,
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
            seen: Table::default(),
            next_sequence: 0,
            next_transaction: 0,
            losses: Losses::default(),
            records: Vec::new(),
            limits: Vec::new(),
            denials: Vec::new(),
        }
    }

    /// A session that is with `database` was told what a result looks like.
    pub(super) fn described_in(&mut self, database: Option<&Arc<str>>, description: &Rc<Description>) {
        let at = self.place_of(database);
        if self.seen.contains_key(&(at, description.id)) {
            return;
        }
        if self.seen.len() >= SEEN_MAX {
            self.seen.clear();
        }
        self.seen.insert((at, description.id), ());
        let known = &mut self.databases[at].oids;
        let tables = description.columns.iter().map(|column| column.table_oid).filter(|oid| *oid > 0);
        for oid in tables {
            if known.len() < TABLES_MAX {
                known.insert(oid);
            }
        }
    }

    fn place_of(&mut self, database: Option<&Arc<str>>) -> usize {
        let known = |wanted| self.databases.iter().position(|known| known.database.as_ref() == wanted);
        let told_apart = database.filter(|_| self.databases.len() < DATABASES_MAX);
        known(database).or_else(|| known(told_apart)).unwrap_or_else(|| {
            self.databases.push(DatabaseTables { database: told_apart.cloned(), oids: BTreeSet::new() });
            self.databases.len() - 1
        })
    }

    /// The tables that results came from, by the databases that sessions were with, in the order
    /// of their first results.
    #[must_use]
    pub fn tables(&self) -> &[DatabaseTables] {
        &self.databases
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
