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
    /// Rows the statement returned (0 for a write without RETURNING).
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
            rows_returned: self.root.total_rows().unwrap_or(0.0),
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
