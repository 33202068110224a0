//! Names for the tables that results come from. The wire has their OIDs only, so
//! whoever runs the recorder asks the server, once the recording has ended.

use crate::trace::TableName;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// Databases asked at most: those connected to first.
const DATABASES_MAX: usize = 16;

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
        for database in databases.iter().take(DATABASES_MAX) {
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
