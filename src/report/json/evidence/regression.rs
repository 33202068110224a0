//! The published form of the evidence of `regression`.

use super::super::mirror::{Mirror, Omitted, Real};
use super::super::run::{Bounds, UnitWord};
use super::series::LatencySeriesEntry;
use crate::model::evidence::regression::{
    Attribution, Change, ComparedNode, ComparedTree, CounterComparison, DurationGrowth, IndexSize, LockTaken,
    MigrationUnderLoad, NodeChange, NoiseFloor, ParameterComparison, PlanChange, PlanChangeKind,
    QueryComparison, RatioEstimate, RatioLimits, RegressionEvidence, ResultComparison, ResultVerdict,
    SidesApart, StatementUnderLoad, TableGrowth, TimeComparison, WriteCost,
};

mirror! {
    /// Everything a reader may want to see behind the verdict of `regression`.
    struct RegressionEvidenceEntry of RegressionEvidence {
        /// The version before, such as `001`.
        from: String,
        /// The version after, such as `002`, or the statement that was tried.
        to: String,
        /// The volume the comparison was made at.
        volume: String,
        /// How the two sides were compared, one sentence.
        method: String,
        /// What identical sides read as in this run; `None` where no times were taken.
        noise_floor: Option<NoiseFloorEntry>,
        /// One entry per query, in the project's order.
        queries: Vec<QueryComparisonEntry>,
        /// What each new, changed or dropped index costs to write.
        write_costs: Vec<WriteCostEntry>,
        /// The migration under traffic; `None` where it was not asked for.
        under_load: Option<MigrationUnderLoadEntry>,
        /// Every plan captured, to be kept as files.
        #[serde(skip, default)]
        plans: Omitted,
        /// How the sides differ besides the change; `None` for clones of one template.
        apart: Option<SidesApartEntry>,
    }

    /// What differs between two sides that are not clones of one template.
    struct SidesApartEntry of SidesApart {
        /// What each side is, such as `plans kept on 2026-03-01` and `the target`.
        sides: (String, String),
        /// Server versions, such as `15.18`.
        server_versions: (String, String),
        /// Tables whose size differs.
        grown: Vec<TableGrowthEntry>,
    }

    /// Rows of one table on two sides.
    struct TableGrowthEntry of TableGrowth {
        /// The table, as SQL text.
        table: String,
        /// Rows as last counted, before.
        rows_before: u64,
        /// Rows as last counted, after.
        rows_after: u64,
    }

    /// What a comparison of identical things read as.
    struct NoiseFloorEntry of NoiseFloor {
        /// Ratio of times of two identical clones: 1 would be perfect.
        ratio: Real,
        /// Its interval.
        interval: Bounds,
        /// Connection pairs behind it.
        connection_pairs: usize,
    }

    /// What became of a query or of one of its metrics.
    words ChangeEntry of Change {
        Improved = "improved",
        Unchanged = "unchanged",
        Regressed = "regressed",
        Inconclusive = "inconclusive",
    }

    /// One query on both sides.
    struct QueryComparisonEntry of QueryComparison {
        /// Its name.
        query: String,
        /// What became of it.
        change: ChangeEntry,
        /// What the change rests on, one sentence without a full stop.
        because: String,
        /// One entry per parameter set.
        parameter_sets: Vec<ParameterComparisonEntry>,
        /// Times, all parameter sets together; `None` where none were taken.
        time: Option<TimeComparisonEntry>,
        /// The statement of the migration that made the difference, where it was searched for and found.
        attribution: Option<AttributionEntry>,
        /// What moves this query's plan besides the migration, one sentence each.
        plan_choices: Vec<String>,
        /// Another ANALYZE of the same data gives one side the other's plan: the change is then no failure.
        is_unstable: bool,
        /// The limits it was judged by; `None`: the project's own.
        limits: Option<RatioLimitsEntry>,
    }

    /// What a query may get worse by.
    struct RatioLimitsEntry of RatioLimits {
        /// Times: a ratio of at least this fails.
        time: Real,
        /// Counters: a ratio above this is a regression.
        counter: Real,
    }

    /// One query under one parameter set, on both sides.
    struct ParameterComparisonEntry of ParameterComparison {
        /// Such as `user_id=17 (common)`.
        label: String,
        /// Deterministic counters.
        counters: Vec<CounterComparisonEntry>,
        /// Differences of the plan trees; empty for the same shape.
        plan_changes: Vec<PlanChangeEntry>,
        /// The planner's cost of the whole statement, before and after.
        cost: (Real, Real),
        /// The plan before, drawn.
        plan_before: String,
        /// The plan after, drawn; empty where the query failed after the change.
        plan_after: String,
        /// Both plans, node by node.
        #[serde(default)]
        trees: (ComparedTreeEntry, ComparedTreeEntry),
        /// What was returned, before and after; `None` where it was not compared.
        result: Option<ResultComparisonEntry>,
    }

    /// A plan tree, ready to be drawn.
    #[derive(Default)]
    struct ComparedTreeEntry of ComparedTree {
        /// Its nodes, parents first.
        nodes: Vec<ComparedNodeEntry>,
        /// Nodes beyond the bound on `nodes`.
        left_out: usize,
    }

    /// One node and what the other side has in its place.
    struct ComparedNodeEntry of ComparedNode {
        /// 0 at the root.
        depth: usize,
        /// Such as `Index Scan using idx_orders_user on orders o`.
        label: String,
        /// Which part of the statement it starts, such as `CTE recent`; empty for most.
        part: String,
        /// Conditions, keys and space, one line each.
        details: Vec<String>,
        /// The planner's cost of it and all below.
        cost: Real,
        /// Rows the planner expected of a loop.
        planned_rows: Real,
        /// Rows of a loop on average; `None` where nothing was executed.
        actual_rows: Option<Real>,
        /// How often it ran; 0 where the execution never came here.
        loops: Option<Real>,
        /// Shared and local blocks of it and all below; `None` where they were not counted.
        buffers: Option<u64>,
        /// Of these, its own.
        own_buffers: Option<u64>,
        /// Against the other side.
        change: NodeChangeEntry,
        /// The place of its counterpart in the other tree's nodes.
        counterpart: Option<usize>,
    }

    /// What became of a node.
    words NodeChangeEntry of NodeChange {
        Same = "same",
        Differs = "differs",
        OnlyHere = "only-here",
    }

    /// A deterministic counter on both sides.
    struct CounterComparisonEntry of CounterComparison {
        /// Stable name, such as `buffers`.
        metric: String,
        /// Its unit.
        unit: UnitWord,
        /// Before.
        before: Real,
        /// After.
        after: Real,
        /// What became of it.
        change: ChangeEntry,
    }

    /// Rows returned on both sides.
    struct ResultComparisonEntry of ResultComparison {
        /// Rows before.
        rows_before: u64,
        /// Rows after.
        rows_after: u64,
        /// Whether the rows are the same, in whatever order.
        verdict: ResultVerdictEntry,
    }

    /// Whether two sides returned the same rows.
    words ResultVerdictEntry of ResultVerdict {
        Same = "same",
        Changed = "changed",
        TiesOnly = "ties-only",
        Undetermined = "undetermined",
    }

    /// Times of both sides.
    struct TimeComparisonEntry of TimeComparison {
        /// What the verdict used: `server time` (planning + execution) or `wall time`.
        judged_by: String,
        /// Wall time after / before.
        wall: Option<RatioEstimateEntry>,
        /// The server's planning + execution time after / before.
        server: Option<RatioEstimateEntry>,
        /// Median wall time in microseconds, before and after.
        median_wall_us: (Real, Real),
        /// Median server time in microseconds, before and after.
        median_server_us: (Real, Real),
        /// Median planning time in microseconds, before and after: every new index is one more to consider.
        median_planning_us: (Real, Real),
        /// What became of it.
        change: ChangeEntry,
    }

    /// A ratio with its interval.
    struct RatioEstimateEntry of RatioEstimate {
        /// After / before.
        ratio: Real,
        /// Its interval.
        interval: Bounds,
        /// Connection pairs: the independent units behind the interval.
        connection_pairs: usize,
        /// Pairs of executions.
        pairs: usize,
    }

    /// What a plan differs by.
    words PlanChangeKindEntry of PlanChangeKind {
        ScanMethod = "scan-method",
        IndexGained = "index-gained",
        IndexLost = "index-lost",
        ConditionMoved = "condition-moved",
        ConditionChanged = "condition-changed",
        JoinMethod = "join-method",
        JoinOrder = "join-order",
        SortAppeared = "sort-appeared",
        SortVanished = "sort-vanished",
        SortMethod = "sort-method",
        SpillAppeared = "spill-appeared",
        SpillVanished = "spill-vanished",
        ParallelismGained = "parallelism-gained",
        ParallelismLost = "parallelism-lost",
        AggregateStrategy = "aggregate-strategy",
        RelationAppeared = "relation-appeared",
        RelationVanished = "relation-vanished",
        EstimateError = "estimate-error",
        NodeAppeared = "node-appeared",
        NodeVanished = "node-vanished",
        Shape = "shape",
    }

    /// One difference of two plan trees.
    struct PlanChangeEntry of PlanChange {
        /// What differs.
        kind: PlanChangeKindEntry,
        /// The table, alias, index, condition or sort key it is about.
        subject: String,
        /// How it was; empty where there was nothing.
        before: String,
        /// How it is; empty where there is nothing.
        after: String,
    }

    /// The statement of a migration that made a query's difference.
    struct AttributionEntry of Attribution {
        /// The migration's version.
        version: String,
        /// One-based place of the statement in the migration.
        number: usize,
        /// One-based line in the migration's file.
        line: usize,
        /// The statement, shortened.
        statement: String,
    }

    /// What a table's indexes cost a writer, before and after.
    struct WriteCostEntry of WriteCost {
        /// The table.
        table: String,
        /// Indexes that are new.
        indexes_added: Vec<IndexSizeEntry>,
        /// Indexes that are gone.
        indexes_dropped: Vec<IndexSizeEntry>,
        /// WAL bytes per inserted row, before and after; `None` where no row could be written.
        insert_wal_bytes: Option<(Real, Real)>,
        /// WAL bytes per updated row, before and after; `None` where no row could be written.
        update_wal_bytes: Option<(Real, Real)>,
        /// Share of updates that stay within their page and touch no index, 0 to 1, before and after.
        hot_share: Option<(Real, Real)>,
        /// Rows written for each figure.
        rows: u64,
        /// What the updates wrote to, such as `every column but keys`.
        update_of: String,
        /// Why a figure is missing; empty otherwise.
        left_out: String,
    }

    /// An index and its size.
    struct IndexSizeEntry of IndexSize {
        /// Its name.
        name: String,
        /// Bytes on disk.
        bytes: u64,
        /// Rows in its table at that time.
        table_rows: u64,
    }

    /// What running the migration did to traffic.
    struct MigrationUnderLoadEntry of MigrationUnderLoad {
        /// Readers and writers that ran, each described in a few words.
        traffic: Vec<String>,
        /// One entry per statement, in order.
        statements: Vec<StatementUnderLoadEntry>,
        /// The project's `lock_timeout` used, as given to the server.
        lock_timeout: String,
        /// Readers and writers over time; the spans are the migration's statements by their numbers.
        #[serde(default)]
        series: Vec<LatencySeriesEntry>,
        /// Indexes left behind invalid.
        invalid_indexes: Vec<String>,
        /// How the whole migration's duration grows with its largest table; `None` with a single volume.
        growth: Option<DurationGrowthEntry>,
    }

    /// One statement of a migration, run while others read and write.
    struct StatementUnderLoadEntry of StatementUnderLoad {
        /// One-based place in the migration.
        number: usize,
        /// The statement, shortened.
        statement: String,
        /// Wall time in milliseconds.
        duration_ms: Real,
        /// `None` where it succeeded; otherwise SQLSTATE and message.
        error: Option<String>,
        /// Locks it took or waited for.
        locks: Vec<LockTakenEntry>,
        /// Most sessions seen waiting behind it at once.
        most_queued: usize,
        /// What they were executing, each statement once.
        #[serde(default)]
        queued: Vec<String>,
        /// Worst wall time of a reader's statement during it, in milliseconds.
        worst_reader_ms: Real,
        /// Worst wall time of a writer's statement during it, in milliseconds.
        worst_writer_ms: Real,
        /// Tables whose file was replaced: every row rewritten.
        rewritten: Vec<String>,
        /// WAL bytes written by the server during it, the traffic's included.
        wal_bytes: u64,
        /// Indexes that it made, with their sizes.
        #[serde(default)]
        indexes_built: Vec<IndexSizeEntry>,
        /// A safer form, where PostgreSQL has one.
        safer_form: Option<String>,
        /// How its duration without traffic grows with its table; `None` with a single volume.
        growth: Option<DurationGrowthEntry>,
    }

    /// A lock seen in `pg_locks`.
    struct LockTakenEntry of LockTaken {
        /// The relation.
        relation: String,
        /// Such as `AccessExclusiveLock`.
        mode: String,
        /// False where it was only ever waited for.
        granted: bool,
        /// How long it was seen held, in milliseconds, from first to last sight.
        held_ms: u64,
        /// How long it was seen waited for, in milliseconds.
        waited_ms: u64,
    }

    /// Duration of a statement, or of a whole migration, over the size of the data.
    struct DurationGrowthEntry of DurationGrowth {
        /// The largest table it touches.
        table: String,
        /// (rows of that table, milliseconds) of each execution without traffic, smallest first.
        points: Vec<(u64, Real)>,
        /// Rows projected to.
        target_rows: u64,
        /// Projected milliseconds.
        projected_ms: Real,
        /// Bounds of the projection in milliseconds; `None` with too few executions for any.
        interval: Option<Bounds>,
        /// The curve that fits best, such as `constant + rows`.
        curve: String,
    }
}
