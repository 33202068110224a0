//! Names for the tables that results come from. The wire has their OIDs only, so
//! whoever runs the recorder asks the server, once the recording has ended.

use super::session::DatabaseTables;
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

/// Which tables have names already, and which were asked for while the recording went on.
#[derive(Debug, Default)]
pub(super) struct Naming {
    lookup: Option<TableNames>,
    named: BTreeSet<u32>,
    asked: BTreeMap<Arc<str>, BTreeSet<u32>>,
    /// Why a database could not be asked.
    pub(super) failure: Option<String>,
}

/// What the databases say of each number: a table, or that it cannot be told.
type Found = BTreeMap<u32, Option<TableName>>;

impl Naming {
    pub(super) fn new(lookup: Option<TableNames>) -> Self {
        Self { lookup, ..Self::default() }
    }

    /// Names the tables of a database that a session is with right now, where there are any that it
    /// was not asked for yet.
    pub(super) fn resolve_new(
        &mut self,
        seen: &[DatabaseTables],
        database: Option<&Arc<str>>,
    ) -> Vec<TableName> {
        let of_database = seen.iter().find(|tables| tables.database.as_ref() == database);
        let (Some(name), Some(tables)) = (database, of_database) else { return Vec::new() };
        let asked = self.asked.entry(name.clone()).or_default();
        if tables.oids.iter().all(|oid| self.named.contains(oid) || asked.contains(oid)) {
            return Vec::new();
        }
        asked.extend(tables.oids.difference(&self.named));
        self.resolve(std::slice::from_ref(tables))
    }

    /// Names those of `seen`, each by the database that it was seen in. A number that was seen in
    /// two databases has a name only where both say the same: one of a test may be gone by now.
    pub(super) fn resolve(&mut self, seen: &[DatabaseTables]) -> Vec<TableName> {
        let mut found = Found::new();
        let start = clock::now();
        for (place, tables) in seen.iter().enumerate() {
            let oids: Vec<u32> = tables.oids.difference(&self.named).copied().collect();
            if oids.is_empty() {
                continue;
            }
            let is_in_time = place < DATABASES_MAX && clock::elapsed_us(start) <= ASKING_US_MAX;
            let answer = match &tables.database {
                Some(database) if is_in_time => self.ask(database, &oids),
                _ => Vec::new(),
            };
            let answer: BTreeMap<u32, TableName> =
                answer.into_iter().map(|table| (table.oid, table)).collect();
            for oid in oids {
                add(&mut found, oid, answer.get(&oid));
            }
        }
        let named: Vec<TableName> = found.into_values().flatten().collect();
        self.named.extend(named.iter().map(|table| table.oid));
        named
    }

    fn ask(&mut self, database: &str, oids: &[u32]) -> Vec<TableName> {
        let Some(lookup) = &self.lookup else { return Vec::new() };
        (lookup.0)(database, oids).unwrap_or_else(|reason| {
            self.failure.get_or_insert(reason);
            Vec::new()
        })
    }
}

fn add(found: &mut Found, oid: u32, table: Option<&TableName>) {
    match found.get_mut(&oid) {
        Some(known) if known.as_ref() == table => {}
        Some(known) => *known = None,
        None => {
            found.insert(oid, table.cloned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(oid: u32, name: &str) -> TableName {
        TableName { oid, schema: "public".into(), name: name.into(), columns: vec![(1, "id".into())] }
    }

    fn seen(database: &str, oids: &[u32]) -> DatabaseTables {
        DatabaseTables { database: Some(Arc::from(database)), oids: oids.iter().copied().collect() }
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
        let mut looks_after = |oids: &[u32]| {
            naming.resolve_new(&[seen("shop", oids)], database.as_ref());
            looks.load(std::sync::atomic::Ordering::Relaxed)
        };
        // The second is nowhere; a third is a reason to look again.
        let asked: [&[u32]; 4] = [&[1, 2], &[1, 2], &[1, 2, 3], &[1, 2, 3]];
        assert_eq!(asked.map(&mut looks_after), [1, 1, 2, 2]);
        // The last look, over all databases, is for whatever has no name yet.
        naming.resolve(&[seen("shop", &[1, 2, 3])]);
        assert_eq!(looks.load(std::sync::atomic::Ordering::Relaxed), 3);
    }

    #[test]
    fn tables_are_named_once_and_only_where_databases_agree() {
        let lookup = TableNames::new(|database, oids| {
            let tables = match database {
                "shop" => {
                    [table(1, "orders"), table(2, "users"), table(3, "stock"), table(4, "people")].into()
                }
                "clone" => vec![table(1, "orders"), table(2, "people")],
                _ => return Err("no such database".into()),
            };
            Ok(tables.into_iter().filter(|table| oids.contains(&table.oid)).collect())
        });
        let mut naming = Naming::new(Some(lookup));
        let mut names = |tables: &[DatabaseTables]| -> Vec<String> {
            naming.resolve(tables).into_iter().map(|table| table.name).collect()
        };
        // Two are called alike in both; two are not; one is known to a database that is gone.
        let both = [seen("gone", &[4]), seen("shop", &[1, 2, 4, 9]), seen("clone", &[1, 2])];
        assert_eq!(names(&both), ["orders"]);
        assert_eq!(names(&[seen("shop", &[1, 3])]), ["stock"]);
        assert_eq!(names(&[seen("shop", &[1, 3])]), Vec::<String>::new());
        // What was read in a database that is gone is not named by another one.
        assert_eq!(names(&[seen("gone", &[2]), seen("shop", &[9])]), Vec::<String>::new());
        assert_eq!(naming.failure.as_deref(), Some("no such database"));
    }
}
