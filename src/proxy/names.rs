//! Names for the tables that results come from. The wire has their OIDs only, so
//! whoever runs the recorder asks the server, once the recording has ended.

use crate::stats::clock;
use crate::trace::TableName;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// Databases asked at most: those connected to first.
const DATABASES_MAX: usize = 16;
/// No further database is asked after so long, in microseconds: the command has ended, and somebody waits.
const ASKING_US_MAX: f64 = 20_000_000.0;

/// Looks up tables by their OIDs in a database of the recorded server. It may block: it is called on
/// a thread of its own.
#[derive(Clone)]
pub struct TableNames(Arc<Lookup>);

type Lookup = dyn Fn(&str, &[u32]) -> Result<Vec<TableName>, String> + Send + Sync;

impl TableNames {
    /// From a function of a database's name and OIDs, which tells those that exist.
    pub fn new(
        lookup: impl Fn(&str, &[u32]) -> Result<Vec<TableName>, String> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(lookup))
    }
}

impl fmt::Debug for TableNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TableNames")
    }
}

/// Which tables have names already, and which not.
#[derive(Debug, Default)]
pub(super) struct Naming {
    lookup: Option<TableNames>,
    named: BTreeSet<u32>,
    unnamed: BTreeSet<u32>,
    /// Why a database could not be asked.
    pub(super) failure: Option<String>,
}

impl Naming {
    pub(super) fn new(lookup: Option<TableNames>) -> Self {
        Self { lookup, ..Self::default() }
    }

    /// The same with a database that a session is with right now, where there are any of `seen` that
    /// nobody was asked for yet.
    pub(super) fn resolve_new(&mut self, seen: &BTreeSet<u32>, database: Option<Arc<str>>) -> Vec<TableName> {
        let is_new = |oid: &&u32| !self.named.contains(oid) && !self.unnamed.contains(oid);
        if !seen.iter().any(|oid| is_new(&oid)) {
            return Vec::new();
        }
        self.resolve(seen, database.as_slice())
    }

    /// Names those of `seen`, and those before them, that are in one of these databases. A number
    /// that means different tables in two of them has no name.
    pub(super) fn resolve(&mut self, seen: &BTreeSet<u32>, databases: &[Arc<str>]) -> Vec<TableName> {
        let Some(lookup) = &self.lookup else { return Vec::new() };
        self.unnamed.extend(seen.difference(&self.named));
        let oids: Vec<u32> = self.unnamed.iter().copied().collect();
        if oids.is_empty() {
            return Vec::new();
        }
        let mut found: BTreeMap<u32, Option<TableName>> = BTreeMap::new();
        let start = clock::now();
        for database in databases.iter().take(DATABASES_MAX) {
            if clock::elapsed_us(start) > ASKING_US_MAX {
                break;
            }
            match (lookup.0)(database, &oids) {
                Ok(tables) => tables.into_iter().for_each(|table| add(&mut found, table)),
                Err(reason) => {
                    self.failure.get_or_insert(reason);
                }
            }
        }
        let named: Vec<TableName> = found.into_values().flatten().collect();
        for table in &named {
            self.unnamed.remove(&table.oid);
            self.named.insert(table.oid);
        }
        named
    }
}

fn add(found: &mut BTreeMap<u32, Option<TableName>>, table: TableName) {
    let same = Some(table);
    let oid = same.as_ref().map_or(0, |table| table.oid);
    match found.get_mut(&oid) {
        Some(known) if *known == same => {}
        Some(known) => *known = None,
        None => {
            found.insert(oid, same);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(oid: u32, name: &str) -> TableName {
        TableName { oid, schema: "public".into(), name: name.into(), columns: vec![(1, "id".into())] }
    }

    #[test]
    fn a_session_that_asks_again_and_again_costs_one_look() {
        let looks = Arc::new(std::sync::atomic::AtomicU32::new(0));
        let counted = looks.clone();
        let mut naming = Naming::new(Some(TableNames::new(move |_, _| {
            counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Ok(vec![table(1, "orders")])
        })));
        let database: Option<Arc<str>> = Some(Arc::from("shop"));
        let mut looks_after = |seen: &[u32]| {
            naming.resolve_new(&seen.iter().copied().collect(), database.clone());
            looks.load(std::sync::atomic::Ordering::Relaxed)
        };
        // The second is nowhere; a third is a reason to look again.
        let seen: [&[u32]; 4] = [&[1, 2], &[1, 2], &[1, 2, 3], &[1, 2, 3]];
        assert_eq!(seen.map(&mut looks_after), [1, 1, 2, 2]);
        // The last look, over all databases, is for whatever has no name yet.
        naming.resolve(&BTreeSet::from([1, 2, 3]), database.as_slice());
        assert_eq!(looks.load(std::sync::atomic::Ordering::Relaxed), 3);
    }

    #[test]
    fn tables_are_named_once_and_only_where_databases_agree() {
        let lookup = TableNames::new(|database, oids| {
            let tables = match database {
                "shop" => vec![table(1, "orders"), table(2, "users"), table(3, "stock")],
                "clone" => vec![table(1, "orders"), table(2, "people")],
                _ => return Err("no such database".into()),
            };
            Ok(tables.into_iter().filter(|table| oids.contains(&table.oid)).collect())
        });
        let mut naming = Naming::new(Some(lookup));
        let mut names = |seen: &[u32], databases: &[&str]| -> Vec<String> {
            let databases: Vec<Arc<str>> = databases.iter().map(|name| Arc::from(*name)).collect();
            let named = naming.resolve(&seen.iter().copied().collect(), &databases);
            named.into_iter().map(|table| table.name).collect()
        };
        assert_eq!(names(&[1, 2, 9], &["gone", "shop", "clone"]), ["orders"]);
        assert_eq!(names(&[1, 3], &["shop"]), ["users", "stock"]);
        assert_eq!(names(&[1, 2, 3], &["shop"]), Vec::<String>::new());
        assert_eq!(naming.failure.as_deref(), Some("no such database"));
    }
}
