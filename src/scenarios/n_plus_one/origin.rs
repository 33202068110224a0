//! The tables that a loop's statements read when they were recorded. A statement that is tried has to
//! read the same ones: another `search_path`, a temporary table or another database make it another
//! statement.

use super::reading::numbered;
use crate::model::evidence::n_plus_one::LoopGroup;
use crate::postgres::{Session, name_tables, tables_named};
use crate::trace::{TableName, Trace};
use std::collections::BTreeSet;
use tokio_postgres::Statement;

/// What the trace says of a loop's tables.
pub(super) struct Origin<'t> {
    parent: BTreeSet<u32>,
    child: BTreeSet<u32>,
    /// Those of the parent that have names.
    tables: Vec<&'t TableName>,
    /// All names.
    names: &'t [TableName],
    is_fresh: bool,
}

impl<'t> Origin<'t> {
    /// `is_fresh`: recorded just now in the database where the forms are tried, so that the numbers
    /// of tables mean the same there. Else they are looked up by name.
    pub(super) fn of(trace: &'t Trace, group: &LoopGroup, is_fresh: bool) -> Self {
        let read_by = |hash: u64| -> BTreeSet<u32> {
            let records = trace.statements.iter().filter(|record| record.shape.hash == hash);
            let columns = records.flat_map(|record| record.columns.iter());
            columns.map(|column| column.table_oid).filter(|oid| *oid > 0).collect()
        };
        let parent = read_by(group.parent.hash);
        let tables = trace.tables.iter().filter(|table| parent.contains(&table.oid)).collect();
        Self { child: read_by(group.child.hash), parent, tables, names: &trace.tables, is_fresh }
    }

    /// Schema, table and column of what a pair says of the parent, such as `orders.user_id`.
    pub(super) fn column(&self, from: &str) -> Option<[&'t str; 3]> {
        self.tables.iter().find_map(|table| {
            let is_it = |column: &str| {
                let short = format!("{}.{column}", table.name);
                from == short || from == format!("{}.{short}", table.schema)
            };
            let (_, column) = table.columns.iter().find(|(_, column)| is_it(column))?;
            Some([&*table.schema, &*table.name, &**column])
        })
    }

    /// Finds the tables in the session's database.
    pub(super) async fn locate(&self, session: &Session, group: &LoopGroup) -> anyhow::Result<Located> {
        let located = Located {
            parent: self.find(session, &self.parent).await?,
            child: self.find(session, &self.child).await?,
        };
        // An aggregate's columns name no table: the parent's have to speak for it.
        if located.child.is_empty() {
            let what = "which tables it reads is not in the trace";
            anyhow::ensure!(!located.parent.is_empty(), "{what}");
            let parent = session.prepare(&numbered(&group.parent.text)).await;
            located.check_parent(session, &parent.map_err(|_| anyhow::anyhow!("{what}"))?).await?;
        }
        Ok(located)
    }

    /// Their numbers here.
    async fn find(&self, session: &Session, oids: &BTreeSet<u32>) -> anyhow::Result<BTreeSet<u32>> {
        let name = |oid: &u32| self.names.iter().find(|table| table.oid == *oid);
        let (named, unnamed): (Vec<u32>, Vec<u32>) =
            oids.iter().copied().partition(|oid| !self.is_fresh && name(oid).is_some());
        let names: Vec<(&str, &str)> =
            named.iter().filter_map(name).map(|table| (&*table.schema, &*table.name)).collect();
        let mut found = BTreeSet::new();
        for (oid, name) in tables_named(session, &names).await?.into_iter().zip(&names) {
            found.insert(oid.ok_or_else(|| {
                anyhow::anyhow!("it read {}.{}, which is not in this database", name.0, name.1)
            })?);
        }
        found.extend(name_tables(session, &unnamed).await?.into_iter().map(|table| table.oid));
        anyhow::ensure!(
            unnamed.iter().all(|oid| found.contains(oid)),
            "it read a table that is not in this database: a temporary one, one that was dropped, or one of another database"
        );
        Ok(found)
    }
}

/// The tables of a loop in the database where it is tried, by their numbers.
pub(super) struct Located {
    parent: BTreeSet<u32>,
    child: BTreeSet<u32>,
}

impl Located {
    pub(super) async fn check_child(&self, session: &Session, child: &Statement) -> anyhow::Result<()> {
        compare(session, &self.child, &read_here(child)).await
    }

    pub(super) async fn check_parent(&self, session: &Session, parent: &Statement) -> anyhow::Result<()> {
        compare(session, &self.parent, &read_here(parent)).await
    }

    /// Keys are taken out of the parent's tables alone.
    pub(super) async fn check_keys(&self, session: &Session, keys: &Statement) -> anyhow::Result<()> {
        let here = read_here(keys);
        if here.is_subset(&self.parent) { Ok(()) } else { compare(session, &self.parent, &here).await }
    }
}

fn read_here(statement: &Statement) -> BTreeSet<u32> {
    statement.columns().iter().filter_map(tokio_postgres::Column::table_oid).filter(|oid| *oid > 0).collect()
}

async fn compare(session: &Session, recorded: &BTreeSet<u32>, here: &BTreeSet<u32>) -> anyhow::Result<()> {
    if recorded == here {
        return Ok(());
    }
    let all: Vec<u32> = recorded.union(here).copied().collect();
    let tables = name_tables(session, &all).await?;
    let names = |oids: &BTreeSet<u32>| {
        let named = tables.iter().filter(|table| oids.contains(&table.oid));
        named.map(|table| format!("{}.{}", table.schema, table.name)).collect::<Vec<_>>().join(", ")
    };
    anyhow::bail!(
        "the application read {}, and here the same text reads {}: another search_path, or a temporary table",
        names(recorded),
        names(here)
    )
}
