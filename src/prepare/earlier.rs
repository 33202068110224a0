//! Declared data for an earlier schema version, which lacks what later migrations add.

use crate::postgres::Catalog;
use crate::project::distributions::{Distributions, RowCount, TableDistribution, ValueSource};
use crate::project::migration::Migration;

/// Leaves out tables and columns that are not there yet, as far as a later
/// migration speaks of them: a misspelt name stays in, and is reported.
pub(super) fn fitting(
    distributions: &Distributions,
    catalog: &Catalog,
    later: &[Migration],
) -> Distributions {
    let comes_later = |name: &str| {
        let bare = name.rsplit('.').next().unwrap_or(name).to_lowercase();
        later.iter().any(|migration| migration.sql.to_lowercase().contains(&bare))
    };
    let lacks_table = |name: &str| catalog.table(name).is_none() && comes_later(name);
    let mut fitting = distributions.clone();
    fitting.tables.retain(|table| !lacks_table(&table.table) && !lacks_table(parent_of(table)));
    for table in &mut fitting.tables {
        let Some(known) = catalog.table(&table.table) else { continue };
        table.columns.retain(|column| {
            let is_missing = known.column(&column.column).is_none() && comes_later(&column.column);
            let refers_to_missing =
                matches!(&column.source, ValueSource::References { table, .. } if lacks_table(table));
            !is_missing && !refers_to_missing
        });
        let declared: Vec<&str> = table.columns.iter().map(|column| column.column.as_str()).collect();
        table.unique.retain(|set| set.columns.iter().all(|name| declared.contains(&name.as_str())));
    }
    fitting
}

/// The table whose rows its own are children of, or itself.
fn parent_of(table: &TableDistribution) -> &str {
    match &table.rows {
        RowCount::PerParent { table, .. } => table,
        RowCount::Fixed(_) => &table.table,
    }
}
