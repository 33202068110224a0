//! What a whole execution did, added up over the tree.

use super::node::{Buffers, PlanNode, Wal};
use super::plan_tree::Plan;
use super::rules;

/// Deterministic counters of one execution. Planning is not in them.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Totals {
    /// Blocks of the whole tree; `None` without `BUFFERS`.
    pub buffers: Option<Buffers>,
    /// WAL of the whole tree; `None` without `WAL`.
    pub wal: Option<Wal>,
    /// Rows the statement returned, or changed where it writes without RETURNING.
    pub rows_returned: f64,
    /// Rows read by scans of tables, those filtered away included, all loops.
    pub rows_read: f64,
    /// Rows read or joined and then thrown away, all loops.
    pub rows_removed: f64,
    /// Executions of nodes, all nodes together.
    pub loops: f64,
    /// Peak memory of sorts and hash tables, added up, in kB.
    pub memory_kb: f64,
    /// Sorts and hash tables that went to disk.
    pub spills: usize,
}

impl Totals {
    /// Rows read by scans per row returned, which counts as at least one.
    #[must_use]
    pub fn rows_read_per_row(&self) -> f64 {
        self.rows_read / self.rows_returned.max(1.0)
    }
}

impl PlanNode {
    /// Rows a scan read in all loops: those it passed on and those it threw away. 0 for other nodes.
    #[must_use]
    pub fn rows_read(&self) -> f64 {
        let Some(actual) = self.actual.filter(|_| self.reads_relation()) else { return 0.0 };
        (actual.rows + self.rows_removed.by_filter + self.rows_removed.by_index_recheck) * actual.loops
    }

    /// Rows thrown away in all loops.
    #[must_use]
    pub fn total_rows_removed(&self) -> f64 {
        let removed = &self.rows_removed;
        let per_loop = removed.by_filter + removed.by_join_filter + removed.by_index_recheck;
        self.actual.map_or(0.0, |actual| per_loop * actual.loops)
    }

    /// Rows of a root node: what it returned, or what a write without RETURNING changed.
    fn rows_returned(&self) -> f64 {
        let returned = self.total_rows().unwrap_or(0.0);
        if self.node_type != "ModifyTable" || returned > 0.0 {
            return returned;
        }
        let count = |name: &str| self.other.get(name).and_then(serde_json::Value::as_f64);
        // MERGE and ON CONFLICT do not change every row they are given, and say so.
        let counted = ["Tuples Inserted", "Tuples Updated", "Tuples Deleted"].map(count);
        if counted.iter().any(Option::is_some) {
            let does_update =
                self.other.get("Conflict Resolution").is_some_and(|resolution| resolution == "UPDATE");
            let conflicting = count("Conflicting Tuples").filter(|_| does_update).unwrap_or(0.0);
            let kept_back =
                self.rows_removed.by_conflict_filter * self.actual.map_or(0.0, |actual| actual.loops);
            return counted.iter().flatten().sum::<f64>() + (conflicting - kept_back).max(0.0);
        }
        // PostgreSQL 13 has one member for every partition.
        let feeds = |child: &&Self| matches!(child.parent_relationship.as_deref(), Some("Outer" | "Member"));
        self.children.iter().filter(feeds).filter_map(Self::total_rows).sum()
    }

    fn memory_kb(&self) -> f64 {
        let in_memory = |sort: &super::SortUse| match sort.space_type.as_deref() {
            Some("Memory") => sort.space_kb.unwrap_or(0.0),
            _ => 0.0,
        };
        in_memory(&self.sort)
            + self.workers.iter().map(|worker| in_memory(&worker.sort)).sum::<f64>()
            + self.hash.peak_memory_kb.unwrap_or(0.0)
    }
}

impl Plan {
    /// Adds up the tree.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let mut totals = Totals {
            buffers: self.root.buffers,
            wal: self.root.wal,
            rows_returned: self.root.rows_returned(),
            spills: rules::spills(self).len(),
            ..Totals::default()
        };
        for visit in self.walk() {
            totals.rows_read += visit.node.rows_read();
            totals.rows_removed += visit.node.total_rows_removed();
            totals.loops += visit.node.actual.map_or(0.0, |actual| actual.loops);
            totals.memory_kb += visit.node.memory_kb();
        }
        totals
    }
}
