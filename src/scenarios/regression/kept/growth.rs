//! What larger or smaller tables explain of a plan's counters. Pure.

use crate::model::KeptTable;
use crate::model::evidence::regression::TableGrowth;
use crate::plan::Plan;

/// A table whose rows differ by less than this factor has the same size.
const SAME_SIZE: f64 = 1.05;

/// The factors within which the tables of a plan explain a change of its counters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Growth {
    /// At most 1: how much the table that shrank most shrank.
    pub least: f64,
    /// At least 1: how much the table that grew most grew.
    pub most: f64,
}

impl Growth {
    /// The same size.
    pub const NONE: Self = Self { least: 1.0, most: 1.0 };
}

/// The tables of another size, by SQL name.
#[must_use]
pub fn grown(before: &[KeptTable], after: &[KeptTable]) -> Vec<(KeptTable, TableGrowth)> {
    let one = |now: &KeptTable| {
        let was = before.iter().find(|was| was.name == now.name)?;
        let growth = TableGrowth { table: now.name.clone(), rows_before: was.rows, rows_after: now.rows };
        let factor = factor(&growth);
        (!(1.0 / SAME_SIZE..=SAME_SIZE).contains(&factor)).then(|| (now.clone(), growth))
    };
    after.iter().filter_map(one).collect()
}

/// What the tables that two plans read explain.
#[must_use]
pub fn of_plans(before: &Plan, after: &Plan, grown: &[(KeptTable, TableGrowth)]) -> Growth {
    let read = grown.iter().filter(|(table, _)| reads(before, table) || reads(after, table));
    let factors = read.map(|(_, growth)| factor(growth));
    factors
        .fold(Growth::NONE, |all, factor| Growth { least: all.least.min(factor), most: all.most.max(factor) })
}

/// Whether a plan reads the table.
#[must_use]
pub fn reads(plan: &Plan, table: &KeptTable) -> bool {
    plan.walk().any(|visit| visit.node.relation.as_deref() == Some(table.bare_name.as_str()))
}

/// `orders has 20000 rows, 2500 before`.
#[must_use]
pub fn sentence(growth: &TableGrowth) -> String {
    format!("{} has {} rows, {} before", growth.table, growth.rows_after, growth.rows_before)
}

#[expect(clippy::cast_precision_loss, reason = "a number of rows")]
fn factor(growth: &TableGrowth) -> f64 {
    growth.rows_after.max(1) as f64 / growth.rows_before.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tables_that_a_plan_reads_explain_it() {
        let table = |name: &str, rows| KeptTable { name: name.into(), bare_name: name.into(), rows };
        let before = [table("orders", 2_500), table("users", 1_000), table("items", 100)];
        let after = [table("orders", 20_000), table("users", 1_010), table("items", 50), table("new", 9)];
        let grown = grown(&before, &after);
        let names: Vec<_> = grown.iter().map(|(_, growth)| sentence(growth)).collect();
        assert_eq!(names, ["orders has 20000 rows, 2500 before", "items has 50 rows, 100 before"]);
        let plan = |table: &str| {
            Plan::parse(&format!(r#"[{{"Plan": {{"Node Type": "Seq Scan", "Relation Name": "{table}"}}}}]"#))
                .unwrap()
        };
        let of = |left, right| of_plans(&plan(left), &plan(right), &grown);
        assert_eq!(of("orders", "orders"), Growth { least: 1.0, most: 8.0 });
        assert_eq!(of("orders", "items"), Growth { least: 0.5, most: 8.0 });
        assert_eq!(of("users", "users"), Growth::NONE);
    }
}
