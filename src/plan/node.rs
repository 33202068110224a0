//! One node of a plan tree, as plain data.
//!
//! Units are EXPLAIN's own: blocks of `block_size`, kilobytes, milliseconds,
//! the planner's cost. Counts are per loop where EXPLAIN gives them per loop;
//! the methods named `total_…` multiply.

use serde_json::{Map, Value};

/// What the planner expected of a node, for one loop.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Estimate {
    /// Cost until the first row.
    pub startup_cost: f64,
    /// Cost of all rows.
    pub total_cost: f64,
    /// Rows.
    pub rows: f64,
    /// Average row width in bytes.
    pub width_bytes: f64,
}

/// What a node did, from `ANALYZE`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Actual {
    /// Milliseconds until the first row, average of a loop; `None` with `TIMING OFF`.
    pub startup_ms: Option<f64>,
    /// Milliseconds of a whole loop on average; `None` with `TIMING OFF`.
    pub total_ms: Option<f64>,
    /// Rows of a loop on average (fractional from PostgreSQL 18, rounded before).
    pub rows: f64,
    /// How often the node ran; with parallel workers, in all of them together. 0: never executed.
    pub loops: f64,
}

/// Blocks touched by a node and everything below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Buffers {
    /// Shared blocks found in the buffer cache.
    pub shared_hit: u64,
    /// Shared blocks read from outside.
    pub shared_read: u64,
    /// Shared blocks made dirty.
    pub shared_dirtied: u64,
    /// Shared blocks written out by this backend.
    pub shared_written: u64,
    /// Blocks of temporary tables found in cache.
    pub local_hit: u64,
    /// Blocks of temporary tables read.
    pub local_read: u64,
    /// Blocks of temporary tables made dirty.
    pub local_dirtied: u64,
    /// Blocks of temporary tables written.
    pub local_written: u64,
    /// Blocks of sort and hash files read.
    pub temp_read: u64,
    /// Blocks of sort and hash files written.
    pub temp_written: u64,
}

impl Buffers {
    /// Shared blocks hit + read: the same on a cold and on a warm cache.
    #[must_use]
    pub fn shared(&self) -> u64 {
        self.shared_hit + self.shared_read
    }

    /// Shared and local blocks hit + read.
    #[must_use]
    pub fn touched(&self) -> u64 {
        self.shared() + self.local_hit + self.local_read
    }

    /// Temporary blocks read + written.
    #[must_use]
    pub fn temp(&self) -> u64 {
        self.temp_read + self.temp_written
    }

    pub(super) fn combine(&self, other: &Self, with: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            shared_hit: with(self.shared_hit, other.shared_hit),
            shared_read: with(self.shared_read, other.shared_read),
            shared_dirtied: with(self.shared_dirtied, other.shared_dirtied),
            shared_written: with(self.shared_written, other.shared_written),
            local_hit: with(self.local_hit, other.local_hit),
            local_read: with(self.local_read, other.local_read),
            local_dirtied: with(self.local_dirtied, other.local_dirtied),
            local_written: with(self.local_written, other.local_written),
            temp_read: with(self.temp_read, other.temp_read),
            temp_written: with(self.temp_written, other.temp_written),
        }
    }
}

/// Write-ahead log written by a node and everything below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wal {
    /// Records.
    pub records: u64,
    /// Full-page images.
    pub full_page_images: u64,
    /// Bytes.
    pub bytes: u64,
}

/// The place a condition is applied in. Where it stands decides what it costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConditionKind {
    /// Searched for in the index: rows that fail it are not visited.
    IndexCond,
    /// Checked again on the heap after a bitmap.
    RecheckCond,
    /// Looked up by row address.
    TidCond,
    /// Rows are read, then thrown away.
    Filter,
    /// The equality of a hash join.
    HashCond,
    /// The equality of a merge join.
    MergeCond,
    /// Pairs of rows are joined, then thrown away.
    JoinFilter,
    /// Decided once, before anything below runs.
    OneTimeFilter,
    /// The distance an index scan is ordered by.
    OrderBy,
    /// Stops a window function early.
    RunCondition,
    /// `ON CONFLICT … WHERE`.
    ConflictFilter,
    /// The call of a function scan.
    FunctionCall,
    /// What a Memoize node looks up by.
    CacheKey,
}

impl ConditionKind {
    /// Every kind.
    pub const ALL: [Self; 13] = [
        Self::IndexCond,
        Self::RecheckCond,
        Self::TidCond,
        Self::Filter,
        Self::HashCond,
        Self::MergeCond,
        Self::JoinFilter,
        Self::OneTimeFilter,
        Self::OrderBy,
        Self::RunCondition,
        Self::ConflictFilter,
        Self::FunctionCall,
        Self::CacheKey,
    ];

    /// EXPLAIN's own name, such as `Index Cond`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::IndexCond => "Index Cond",
            Self::RecheckCond => "Recheck Cond",
            Self::TidCond => "TID Cond",
            Self::Filter => "Filter",
            Self::HashCond => "Hash Cond",
            Self::MergeCond => "Merge Cond",
            Self::JoinFilter => "Join Filter",
            Self::OneTimeFilter => "One-Time Filter",
            Self::OrderBy => "Order By",
            Self::RunCondition => "Run Condition",
            Self::ConflictFilter => "Conflict Filter",
            Self::FunctionCall => "Function Call",
            Self::CacheKey => "Cache Key",
        }
    }
}

/// A condition and where it is applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Where.
    pub kind: ConditionKind,
    /// As EXPLAIN deparses it, such as `(user_id = 17)`.
    pub text: String,
}

/// Rows read or joined and then thrown away, per loop.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct RowsRemoved {
    /// By the node's filter.
    pub by_filter: f64,
    /// By a join's filter.
    pub by_join_filter: f64,
    /// By checking an inexact index result again.
    pub by_index_recheck: f64,
    /// Not inserted because of `ON CONFLICT`.
    pub by_conflict_filter: f64,
}

/// How a sort was done.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SortUse {
    /// `quicksort`, `top-N heapsort`, `external merge`, …
    pub method: Option<String>,
    /// Space used in kB.
    pub space_kb: Option<f64>,
    /// `Memory` or `Disk`.
    pub space_type: Option<String>,
    /// Groups of an incremental sort sorted by all keys.
    pub full_sort_groups: Option<SortGroups>,
    /// Groups of an incremental sort sorted by the remaining keys only.
    pub presorted_groups: Option<SortGroups>,
}

/// The groups of an incremental sort.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SortGroups {
    /// How many.
    pub count: f64,
    /// Methods used.
    pub methods: Vec<String>,
    /// Peak memory in kB.
    pub peak_memory_kb: Option<f64>,
    /// Peak disk space in kB: set where it spilled.
    pub peak_disk_kb: Option<f64>,
}

/// How a hash table was built, for a join or an aggregate.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct HashUse {
    /// Buckets.
    pub buckets: Option<u64>,
    /// Buckets planned.
    pub original_buckets: Option<u64>,
    /// Batches; more than 1: it did not fit into `work_mem`.
    pub batches: Option<u64>,
    /// Batches planned.
    pub original_batches: Option<u64>,
    /// Partitions a hash aggregate planned for.
    pub planned_partitions: Option<u64>,
    /// Peak memory in kB.
    pub peak_memory_kb: Option<f64>,
    /// Disk space of a hash aggregate in kB.
    pub disk_kb: Option<f64>,
}

/// How a Memoize node's cache did.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MemoizeUse {
    /// `logical` or `binary`.
    pub mode: Option<String>,
    /// Lookups answered from the cache.
    pub hits: Option<u64>,
    /// Lookups that ran the node below.
    pub misses: Option<u64>,
    /// Entries thrown out for lack of memory.
    pub evictions: Option<u64>,
    /// Entries too big to keep.
    pub overflows: Option<u64>,
}

/// What one parallel worker did in a node.
#[derive(Debug, Clone, PartialEq)]
pub struct Worker {
    /// Zero-based.
    pub number: Option<u64>,
    /// Its own share.
    pub actual: Option<Actual>,
    /// Its sort.
    pub sort: SortUse,
    /// Everything else, as EXPLAIN gave it.
    pub other: Map<String, Value>,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PlanNode {
    /// `Seq Scan`, `Hash Join`, …: carried as it is, also where unknown.
    pub node_type: String,
    /// How it hangs below its parent: `Outer`, `Inner`, `Member`, `InitPlan`, `SubPlan`, `Subquery`.
    pub parent_relationship: Option<String>,
    /// `CTE recent`, `InitPlan 1 (returns $0)`, `SubPlan 2`.
    pub subplan_name: Option<String>,
    /// `Plain`, `Sorted`, `Hashed`, `Mixed` of an aggregate or set operation.
    pub strategy: Option<String>,
    /// `Simple`, `Partial`, `Finalize` of an aggregate.
    pub partial_mode: Option<String>,
    /// `Insert`, `Update`, `Delete`, `Merge` of a `ModifyTable` or foreign scan.
    pub operation: Option<String>,
    /// `Intersect`, `Except`, … of a set operation.
    pub command: Option<String>,
    /// Shares its work between parallel workers.
    pub parallel_aware: bool,
    /// May run beside its siblings (foreign scans).
    pub async_capable: bool,
    /// Used although its method was disabled (PostgreSQL 18).
    pub disabled: bool,
    /// Table, without schema.
    pub relation: Option<String>,
    /// Schema of the table (only with `VERBOSE`).
    pub schema: Option<String>,
    /// Alias in the query.
    pub alias: Option<String>,
    /// Index read.
    pub index: Option<String>,
    /// CTE read by a CTE scan.
    pub cte: Option<String>,
    /// Function, tuplestore, custom provider or other source of a scan without a table.
    pub source: Option<String>,
    /// `Inner`, `Left`, `Full`, `Right`, `Semi`, `Anti`, `Right Anti`, `Right Semi`.
    pub join_type: Option<String>,
    /// The inner side yields at most one match a row.
    pub inner_unique: bool,
    /// `Forward`, `Backward`, `NoMovement`.
    pub scan_direction: Option<String>,
    /// What the planner expected.
    pub estimate: Estimate,
    /// What happened; `None` without `ANALYZE`.
    pub actual: Option<Actual>,
    /// Conditions, in EXPLAIN's order.
    pub conditions: Vec<Condition>,
    /// Rows thrown away, per loop.
    pub rows_removed: RowsRemoved,
    /// `Sort Key`.
    pub sort_key: Vec<String>,
    /// The leading sort keys the input already had.
    pub presorted_key: Vec<String>,
    /// `Group Key`.
    pub group_key: Vec<String>,
    /// Columns put out (only with `VERBOSE`).
    pub output: Vec<String>,
    /// How it sorted.
    pub sort: SortUse,
    /// How it hashed.
    pub hash: HashUse,
    /// How it cached.
    pub memoize: MemoizeUse,
    /// Rows of an index-only scan that needed the heap; a sign of a table not vacuumed.
    pub heap_fetches: Option<u64>,
    /// Bitmap heap blocks known by row.
    pub exact_heap_blocks: Option<u64>,
    /// Bitmap heap blocks known by block only: the bitmap outgrew `work_mem`.
    pub lossy_heap_blocks: Option<u64>,
    /// Descents into the index (PostgreSQL 18).
    pub index_searches: Option<u64>,
    /// Partitions left out at execution start.
    pub subplans_removed: Option<u64>,
    /// Parallel workers planned.
    pub workers_planned: Option<u64>,
    /// Parallel workers launched.
    pub workers_launched: Option<u64>,
    /// What each parallel worker did.
    pub workers: Vec<Worker>,
    /// Blocks of this node and all below, all loops; `None` without `BUFFERS`.
    pub buffers: Option<Buffers>,
    /// WAL of this node and all below; `None` without `WAL`.
    pub wal: Option<Wal>,
    /// Everything else, as EXPLAIN gave it.
    pub other: Map<String, Value>,
    /// Children in EXPLAIN's order, `InitPlan` and `SubPlan` nodes among them.
    pub children: Vec<Self>,
}

impl PlanNode {
    /// The condition of that kind, where the node has one.
    #[must_use]
    pub fn condition(&self, kind: ConditionKind) -> Option<&str> {
        self.conditions.iter().find(|condition| condition.kind == kind).map(|found| found.text.as_str())
    }

    /// Rows of all loops together; `None` without `ANALYZE`.
    #[must_use]
    pub fn total_rows(&self) -> Option<f64> {
        self.actual.map(|actual| actual.rows * actual.loops)
    }

    /// True where the execution never came here.
    #[must_use]
    pub fn never_executed(&self) -> bool {
        self.actual.is_some_and(|actual| actual.loops == 0.0)
    }

    /// True where it reads a table's rows (not where it only collects row addresses from an index).
    #[must_use]
    pub fn reads_relation(&self) -> bool {
        self.node_type.ends_with("Scan")
            && self.node_type != "Bitmap Index Scan"
            && (self.relation.is_some() || self.node_type == "Foreign Scan")
    }

    /// True for the three join methods.
    #[must_use]
    pub fn is_join(&self) -> bool {
        matches!(self.node_type.as_str(), "Nested Loop" | "Hash Join" | "Merge Join")
    }

    /// True where it sorts.
    #[must_use]
    pub fn is_sort(&self) -> bool {
        matches!(self.node_type.as_str(), "Sort" | "Incremental Sort")
    }

    /// True where parallel workers' rows come together.
    #[must_use]
    pub fn is_gather(&self) -> bool {
        matches!(self.node_type.as_str(), "Gather" | "Gather Merge")
    }
}
