//! Evidence of `regression`: what a schema change did to every query, and to
//! the traffic while it ran.

mod trees;

pub use trees::{ComparedNode, ComparedTree, NodeChange};

use crate::model::evidence::LatencySeries;
use crate::model::{Interval, Unit, Variant};

/// Everything a reader may want to see behind the verdict of `regression`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RegressionEvidence {
    /// The version before, such as `001`.
    pub from: String,
    /// The version after, such as `002`, or the statement that was tried.
    pub to: String,
    /// The volume the comparison was made at.
    pub volume: String,
    /// How the two sides were compared, one sentence.
    pub method: String,
    /// What identical sides read as in this run; `None` where no times were taken.
    pub noise_floor: Option<NoiseFloor>,
    /// One entry per query, in the project's order.
    pub queries: Vec<QueryComparison>,
    /// What each new, changed or dropped index costs to write.
    pub write_costs: Vec<WriteCost>,
    /// The migration under traffic; `None` where it was not asked for.
    pub under_load: Option<MigrationUnderLoad>,
    /// Every plan captured, to be kept as files.
    pub plans: Vec<KeptPlan>,
    /// How the sides differ besides the change; `None` for clones of one template.
    pub apart: Option<SidesApart>,
}

/// What differs between two sides that are not clones of one template.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SidesApart {
    /// What each side is, such as `plans kept on 2026-03-01` and `the target`.
    pub sides: (String, String),
    /// Server versions, such as `15.18`.
    pub server_versions: (String, String),
    /// Tables whose size differs.
    pub grown: Vec<TableGrowth>,
}

/// Rows of one table on two sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableGrowth {
    /// The table, as SQL text.
    pub table: String,
    /// Rows as last counted, before.
    pub rows_before: u64,
    /// Rows as last counted, after.
    pub rows_after: u64,
}

/// What a comparison of identical things read as.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NoiseFloor {
    /// Ratio of times of two identical clones: 1 would be perfect.
    pub ratio: f64,
    /// Its interval.
    pub interval: Interval,
    /// Connection pairs behind it.
    pub connection_pairs: usize,
}

/// What became of a query or of one of its metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// Better, beyond noise.
    Improved,
    /// The same, within the stated resolution.
    Unchanged,
    /// Worse, beyond noise.
    Regressed,
    /// The evidence does not decide.
    Inconclusive,
}

impl Change {
    /// `improved`, `unchanged`, `regressed` or `inconclusive`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Improved => "improved",
            Self::Unchanged => "unchanged",
            Self::Regressed => "regressed",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// One query on both sides.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryComparison {
    /// Its name.
    pub query: String,
    /// What became of it.
    pub change: Change,
    /// What the change rests on, one sentence without a full stop.
    pub because: String,
    /// One entry per parameter set.
    pub parameter_sets: Vec<ParameterComparison>,
    /// Times, all parameter sets together; `None` where none were taken.
    pub time: Option<TimeComparison>,
    /// The statement of the migration that made the difference, where it was searched for and found.
    pub attribution: Option<Attribution>,
    /// What moves this query's plan besides the migration, one sentence each.
    pub plan_choices: Vec<String>,
    /// Another ANALYZE of the same data gives one side the other's plan: the change is then no failure.
    pub is_unstable: bool,
    /// The limits it was judged by; `None`: the project's own.
    pub limits: Option<RatioLimits>,
}

/// What a query may get worse by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RatioLimits {
    /// Times: a ratio of at least this fails.
    pub time: f64,
    /// Counters: a ratio above this is a regression.
    pub counter: f64,
}

/// One query under one parameter set, on both sides.
#[derive(Debug, Clone, PartialEq)]
pub struct ParameterComparison {
    /// Such as `user_id=17 (common)`.
    pub label: String,
    /// Deterministic counters.
    pub counters: Vec<CounterComparison>,
    /// Differences of the plan trees; empty for the same shape.
    pub plan_changes: Vec<PlanChange>,
    /// The planner's cost of the whole statement, before and after.
    pub cost: (f64, f64),
    /// The plan before, drawn.
    pub plan_before: String,
    /// The plan after, drawn; empty where the query failed after the change.
    pub plan_after: String,
    /// Both plans, node by node.
    pub trees: (ComparedTree, ComparedTree),
    /// What was returned, before and after; `None` where it was not compared.
    pub result: Option<ResultComparison>,
}

/// A deterministic counter on both sides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CounterComparison {
    /// Stable name, such as `buffers`.
    pub metric: &'static str,
    /// Its unit.
    pub unit: Unit,
    /// Before.
    pub before: f64,
    /// After.
    pub after: f64,
    /// What became of it.
    pub change: Change,
}

/// Rows returned on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResultComparison {
    /// Rows before.
    pub rows_before: u64,
    /// Rows after.
    pub rows_after: u64,
    /// Whether the rows are the same, in whatever order.
    pub verdict: ResultVerdict,
}

/// Whether two sides returned the same rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResultVerdict {
    /// The same rows.
    Same,
    /// Other rows, and the query determines which.
    Changed,
    /// Other rows, but only which of several tied rows a LIMIT let through.
    TiesOnly,
    /// The statement does not return the same rows twice on one side.
    Undetermined,
}

/// Times of both sides.
#[derive(Debug, Clone, PartialEq)]
pub struct TimeComparison {
    /// What the verdict used: `server time` (planning + execution) or `wall time`.
    pub judged_by: &'static str,
    /// Wall time after / before.
    pub wall: Option<RatioEstimate>,
    /// The server's planning + execution time after / before.
    pub server: Option<RatioEstimate>,
    /// Median wall time in microseconds, before and after.
    pub median_wall_us: (f64, f64),
    /// Median server time in microseconds, before and after.
    pub median_server_us: (f64, f64),
    /// Median planning time in microseconds, before and after: every new index is one more to consider.
    pub median_planning_us: (f64, f64),
    /// What became of it.
    pub change: Change,
}

/// A ratio with its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RatioEstimate {
    /// After / before.
    pub ratio: f64,
    /// Its interval.
    pub interval: Interval,
    /// Connection pairs: the independent units behind the interval.
    pub connection_pairs: usize,
    /// Pairs of executions.
    pub pairs: usize,
}

/// What a plan differs by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PlanChangeKind {
    /// A table is read in another way.
    ScanMethod,
    /// An index is read that was not.
    IndexGained,
    /// An index is no longer read.
    IndexLost,
    /// A condition moved between index and filter.
    ConditionMoved,
    /// A condition reads differently.
    ConditionChanged,
    /// The same tables are joined in another way.
    JoinMethod,
    /// Tables are joined in another order or with sides swapped.
    JoinOrder,
    /// A sort appeared.
    SortAppeared,
    /// A sort vanished.
    SortVanished,
    /// A sort is done in another way.
    SortMethod,
    /// A sort or hash table now goes to disk.
    SpillAppeared,
    /// A sort or hash table no longer goes to disk.
    SpillVanished,
    /// Parallel workers are used that were not.
    ParallelismGained,
    /// Parallel workers are no longer used.
    ParallelismLost,
    /// Rows are grouped in another way.
    AggregateStrategy,
    /// A table or partition is read that was not.
    RelationAppeared,
    /// A table or partition is no longer read.
    RelationVanished,
    /// The planner's row estimate became much better or worse.
    EstimateError,
    /// A node of another kind appeared.
    NodeAppeared,
    /// A node of another kind vanished.
    NodeVanished,
    /// The tree differs in another way.
    Shape,
}

impl PlanChangeKind {
    /// Kebab-case name, as in `scan-method`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ScanMethod => "scan-method",
            Self::IndexGained => "index-gained",
            Self::IndexLost => "index-lost",
            Self::ConditionMoved => "condition-moved",
            Self::ConditionChanged => "condition-changed",
            Self::JoinMethod => "join-method",
            Self::JoinOrder => "join-order",
            Self::SortAppeared => "sort-appeared",
            Self::SortVanished => "sort-vanished",
            Self::SortMethod => "sort-method",
            Self::SpillAppeared => "spill-appeared",
            Self::SpillVanished => "spill-vanished",
            Self::ParallelismGained => "parallelism-gained",
            Self::ParallelismLost => "parallelism-lost",
            Self::AggregateStrategy => "aggregate-strategy",
            Self::RelationAppeared => "relation-appeared",
            Self::RelationVanished => "relation-vanished",
            Self::EstimateError => "estimate-error",
            Self::NodeAppeared => "node-appeared",
            Self::NodeVanished => "node-vanished",
            Self::Shape => "shape",
        }
    }
}

/// One difference of two plan trees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanChange {
    /// What differs.
    pub kind: PlanChangeKind,
    /// The table, alias, index, condition or sort key it is about.
    pub subject: String,
    /// How it was; empty where there was nothing.
    pub before: String,
    /// How it is; empty where there is nothing.
    pub after: String,
}

impl PlanChange {
    /// One phrase, such as `orders: Seq Scan → Index Scan using idx_orders_user`.
    #[must_use]
    pub fn sentence(&self) -> String {
        let name = self.kind.name().replace('-', " ");
        match (self.before.is_empty(), self.after.is_empty()) {
            (true, true) => format!("{name}: {}", self.subject),
            (true, false) => format!("{name}: {}, {}", self.subject, self.after),
            (false, true) => format!("{name}: {}, was {}", self.subject, self.before),
            (false, false) => format!("{name}: {}: {} → {}", self.subject, self.before, self.after),
        }
    }
}

/// The statement of a migration that made a query's difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribution {
    /// The migration's version.
    pub version: String,
    /// One-based place of the statement in the migration.
    pub number: usize,
    /// One-based line in the migration's file.
    pub line: usize,
    /// The statement, shortened.
    pub statement: String,
}

/// A plan as the server wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptPlan {
    /// The query.
    pub query: String,
    /// Before or after.
    pub side: Variant,
    /// The parameter set.
    pub parameter_label: String,
    /// `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON)`.
    pub json: String,
}

/// What a table's indexes cost a writer, before and after.
#[derive(Debug, Clone, PartialEq)]
pub struct WriteCost {
    /// The table.
    pub table: String,
    /// Indexes that are new.
    pub indexes_added: Vec<IndexSize>,
    /// Indexes that are gone.
    pub indexes_dropped: Vec<IndexSize>,
    /// WAL bytes per inserted row, before and after; `None` where no row could be written.
    pub insert_wal_bytes: Option<(f64, f64)>,
    /// WAL bytes per updated row, before and after; `None` where no row could be written.
    pub update_wal_bytes: Option<(f64, f64)>,
    /// Share of updates that stay within their page and touch no index, 0 to 1, before and after.
    pub hot_share: Option<(f64, f64)>,
    /// Rows written for each figure.
    pub rows: u64,
    /// What the updates wrote to, such as `every column but keys`.
    pub update_of: String,
    /// Why a figure is missing; empty otherwise.
    pub left_out: String,
}

/// An index and its size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexSize {
    /// Its name.
    pub name: String,
    /// Bytes on disk.
    pub bytes: u64,
    /// Rows in its table at that time.
    pub table_rows: u64,
}

/// What running the migration did to traffic.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MigrationUnderLoad {
    /// Readers and writers that ran, each described in a few words.
    pub traffic: Vec<String>,
    /// One entry per statement, in order.
    pub statements: Vec<StatementUnderLoad>,
    /// The project's `lock_timeout` used, as given to the server.
    pub lock_timeout: String,
    /// Readers and writers over time; the spans are the migration's statements by their numbers.
    pub series: Vec<LatencySeries>,
    /// Indexes left behind invalid.
    pub invalid_indexes: Vec<String>,
    /// How the whole migration's duration grows with its largest table; `None` with a single volume.
    pub growth: Option<DurationGrowth>,
}

/// One statement of a migration, run while others read and write.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StatementUnderLoad {
    /// One-based place in the migration.
    pub number: usize,
    /// The statement, shortened.
    pub statement: String,
    /// Wall time in milliseconds.
    pub duration_ms: f64,
    /// `None` where it succeeded; otherwise SQLSTATE and message.
    pub error: Option<String>,
    /// Locks it took or waited for.
    pub locks: Vec<LockTaken>,
    /// Most sessions seen waiting behind it at once.
    pub most_queued: usize,
    /// What they were executing, each statement once.
    pub queued: Vec<String>,
    /// Worst wall time of a reader's statement during it, in milliseconds.
    pub worst_reader_ms: f64,
    /// Worst wall time of a writer's statement during it, in milliseconds.
    pub worst_writer_ms: f64,
    /// Tables whose file was replaced: every row rewritten.
    pub rewritten: Vec<String>,
    /// WAL bytes written by the server during it, the traffic's included.
    pub wal_bytes: u64,
    /// Indexes that it made, with their sizes.
    pub indexes_built: Vec<IndexSize>,
    /// A safer form, where PostgreSQL has one.
    pub safer_form: Option<String>,
    /// How its duration without traffic grows with its table; `None` with a single volume.
    pub growth: Option<DurationGrowth>,
}

/// A lock seen in `pg_locks`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockTaken {
    /// The relation.
    pub relation: String,
    /// Such as `AccessExclusiveLock`.
    pub mode: String,
    /// False where it was only ever waited for.
    pub granted: bool,
    /// How long it was seen held, in milliseconds, from first to last sight.
    pub held_ms: u64,
    /// How long it was seen waited for, in milliseconds.
    pub waited_ms: u64,
}

/// Duration of a statement, or of a whole migration, over the size of the data.
#[derive(Debug, Clone, PartialEq)]
pub struct DurationGrowth {
    /// The largest table it touches.
    pub table: String,
    /// (rows of that table, milliseconds) of each execution without traffic, smallest first.
    pub points: Vec<(u64, f64)>,
    /// Rows projected to.
    pub target_rows: u64,
    /// Projected milliseconds.
    pub projected_ms: f64,
    /// Bounds of the projection in milliseconds; `None` with too few executions for any.
    pub interval: Option<Interval>,
    /// The curve that fits best, such as `constant + rows`.
    pub curve: String,
}
