//! The published form of the evidence of `slow-queries`.

use super::super::mirror::{Hex, Mirror, Real};
use super::super::run::{Bounds, Location, UnitWord, VerdictEntry};
use super::data::ObtainedColumnEntry;
use crate::model::evidence::slow_queries::{
    BudgetEvidence, DecisionRule, GrowthLimit, IndexTrial, LatencySummary, ParameterSetEvidence,
    QueryEvidence, QueryGrowth, Reason, ResultHash, SlowQueriesEvidence, StatementOrigin, TableSize,
    TimeShares, VolumeEvidence,
};

mirror! {
    /// Everything a reader may want to see behind the verdict of `slow-queries`.
    struct SlowQueriesEvidenceEntry of SlowQueriesEvidence {
        /// One entry per volume measured, smallest first.
        volumes: Vec<VolumeEvidenceEntry>,
        /// How each query grows, where three volumes or more were measured.
        growth: Vec<QueryGrowthEntry>,
        /// How times were decided.
        decision: DecisionRuleEntry,
    }

    /// How times were decided: stated, so that a reader can check it.
    struct DecisionRuleEntry of DecisionRule {
        /// Confidence of the whole run: no budget is falsely broken, none falsely kept (0.99).
        confidence: Real,
        /// Time budgets decided together, all volumes.
        time_budgets: usize,
        /// How often the samples may be looked at before the cap.
        looks: usize,
        /// The one-sided confidence each look at each budget has.
        each: Real,
        /// Executions of each statement before anything is recorded, per connection.
        warm_up: usize,
        /// Whether the caches were declared cold, for one query at least.
        cold: bool,
    }

    /// One data size.
    struct VolumeEvidenceEntry of VolumeEvidence {
        /// Its name.
        volume: String,
        /// Its size as a multiple of the declared rows.
        factor: Real,
        /// The reference statement, interleaved with the queries.
        ping: Option<LatencySummaryEntry>,
        /// Share of the measuring time the client was on the CPU.
        client_cpu_share: Real,
        /// Client CPU per executed statement, in microseconds.
        client_cpu_us: Real,
        /// One entry per query.
        queries: Vec<QueryEvidenceEntry>,
        /// The tables that plans read, by name.
        #[serde(default)]
        tables: Vec<TableSizeEntry>,
        /// What was declared and what the database holds, where Plimsoll filled it.
        #[serde(default)]
        data: Vec<ObtainedColumnEntry>,
    }

    /// How large a table is.
    struct TableSizeEntry of TableSize {
        /// Its name, with its schema.
        table: String,
        /// Rows, as ANALYZE or VACUUM counted last.
        rows: Real,
        /// Its data on disk with TOAST and without indexes, in bytes.
        bytes: u64,
    }

    /// A statement that no file declares.
    struct StatementOriginEntry of StatementOrigin {
        /// `pg_stat_statements`, or the trace's file.
        source: String,
        /// Its text there, with `$n` for values.
        statement: String,
        /// How often it was executed there.
        calls: u64,
        /// Its mean time there, in microseconds: execution on the server, or client-seen in a trace.
        mean_us: Real,
    }

    /// The client-seen time of a statement, in microseconds.
    struct LatencySummaryEntry of LatencySummary {
        /// Executions recorded.
        samples: u64,
        /// Connections they were made in, one after another.
        connections: usize,
        /// Mean.
        avg_us: Real,
        /// Median.
        p50_us: Real,
        /// 90th percentile.
        p90_us: Real,
        /// 95th percentile.
        p95_us: Real,
        /// 99th percentile.
        p99_us: Real,
        /// Largest.
        max_us: Real,
        /// Bounds of the 95th percentile at 95 %, with the connection as the unit.
        p95_interval: Option<Bounds>,
        /// The percentile curve: (share of executions, 0 to 1, time in microseconds), rising.
        #[serde(default)]
        percentiles: Vec<(Real, Real)>,
        /// The distribution: (upper bound in microseconds, executions up to it and above the one before).
        #[serde(default)]
        buckets: Vec<(Real, u64)>,
    }

    /// One query at one volume.
    struct QueryEvidenceEntry of QueryEvidence {
        /// Its name.
        query: String,
        /// Where it is declared; `None` for a statement that no file declares.
        location: Option<Location>,
        /// Where such a statement comes from.
        origin: Option<StatementOriginEntry>,
        /// Of all its budgets.
        verdict: VerdictEntry,
        /// Whether every sample met empty caches.
        #[serde(default)]
        cold: bool,
        /// Whether it writes, so that it was measured in transactions rolled back.
        writes: bool,
        /// The client-seen time; `None` where it could not be executed.
        latency: Option<LatencySummaryEntry>,
        /// Its budgets, in the file's order.
        budgets: Vec<BudgetEvidenceEntry>,
        /// What every explained parameter set came to.
        parameter_sets: Vec<ParameterSetEvidenceEntry>,
        /// The plan under the parameter set that broke a budget, else under the most expensive one, drawn.
        worst_plan: Option<String>,
        /// Why a broken budget is broken.
        reason: Option<ReasonEntry>,
        /// Hash of the results of all parameter sets, where one was asked for.
        result_hash: Option<Hex>,
        /// Hash of the result of each parameter set, where they were asked for.
        #[serde(default)]
        result_hashes: Vec<ResultHashEntry>,
    }

    /// What one parameter set returned, as a hash.
    struct ResultHashEntry of ResultHash {
        /// Hash of the set's whole values.
        key: Hex,
        /// Hash of the rows it returned.
        hash: Hex,
    }

    /// One budget and what it came to.
    struct BudgetEvidenceEntry of BudgetEvidence {
        /// As written.
        text: String,
        /// What came of it.
        verdict: VerdictEntry,
        /// The measured value in `unit`; `None` for a property of the plan.
        value: Option<Real>,
        /// Unit of value, limit and interval.
        unit: UnitWord,
        /// The limit; a relative one multiplied out.
        limit: Option<Real>,
        /// The interval it was decided by; `None` for a deterministic counter.
        interval: Option<Bounds>,
        /// What the verdict rests on, one phrase.
        because: String,
    }

    /// One parameter set under EXPLAIN (ANALYZE, BUFFERS).
    struct ParameterSetEvidenceEntry of ParameterSetEvidence {
        /// Such as `user_id=17`.
        label: String,
        /// Hash of its whole values, by which another run finds the same set; `None` in older runs.
        #[serde(default)]
        key: Option<Hex>,
        /// Shared blocks hit and read, planning apart.
        buffers: u64,
        /// Rows returned, or changed by a write without RETURNING; of all statements together.
        rows: u64,
        /// The same of each explained statement; empty in older runs.
        #[serde(default)]
        statement_rows: Vec<u64>,
        /// Rows scans read, those thrown away included.
        rows_read: u64,
        /// Temporary blocks read and written.
        temp_blocks: u64,
        /// WAL bytes; `None` where the statement does not write.
        wal_bytes: Option<u64>,
        /// The server's planning time, in microseconds.
        planning_us: Real,
        /// The server's execution time under EXPLAIN, in microseconds.
        execution_us: Real,
    }

    /// Why a budget is broken.
    struct ReasonEntry of Reason {
        /// The parameter set that broke it.
        parameter_set: String,
        /// The node to look at first, such as `Seq Scan on orders`.
        node: String,
        /// Its share of the whole, 0 to 1.
        node_share: Real,
        /// By what: `time`, `blocks`, `rows` or `cost`.
        share_of: String,
        /// Blocks touched there.
        node_buffers: u64,
        /// Rows read there.
        node_rows_read: u64,
        /// Rows passed on from there.
        node_rows_passed: u64,
        /// Where the client-seen time goes.
        shares: TimeSharesEntry,
        /// An index that was tried, and what came of it.
        trial: Option<IndexTrialEntry>,
    }

    /// Where the client-seen time of a statement goes. Shares of 1; what EXPLAIN
    /// itself adds makes them approximate.
    struct TimeSharesEntry of TimeShares {
        /// Planning on the server (paid per execution by clients that do not prepare).
        planning: Real,
        /// Execution on the server.
        execution: Real,
        /// Protocol, network and the client.
        transfer: Real,
        /// Waiting for other sessions' locks, a part of the execution; null where it was not seen at work.
        #[serde(default)]
        lock_wait: Option<Real>,
        /// How many looks that share comes from; 0 where nobody else was connected.
        #[serde(default)]
        lock_looks: u64,
    }

    /// An index tried to see what it would do: created in a clone and measured, or
    /// only believed in by the planner.
    struct IndexTrialEntry of IndexTrial {
        /// The statement that creates it.
        create_index: String,
        /// Whether the planner uses it.
        used: bool,
        /// Whether it was never built: then only the planner's costs are known, the rest is 0.
        #[serde(default)]
        hypothetical: bool,
        /// The planner's cost before.
        #[serde(default = "Real::unknown")]
        cost_before: Real,
        /// The planner's cost with it.
        #[serde(default = "Real::unknown")]
        cost_after: Real,
        /// Blocks before.
        buffers_before: u64,
        /// Blocks with it.
        buffers_after: u64,
        /// Server time before, in microseconds.
        execution_before_us: Real,
        /// Server time with it, in microseconds.
        execution_after_us: Real,
    }

    /// How a query grows with the volume: `y = a · n^b`.
    struct QueryGrowthEntry of QueryGrowth {
        /// Its name.
        query: String,
        /// What grows: `p95`, `buffers`.
        metric: String,
        /// The exponent b.
        exponent: Real,
        /// Its interval; infinite bounds where the points do not give one.
        interval: Bounds,
        /// `a` of the fitted law, in the metric's unit.
        #[serde(default)]
        scale: Real,
        /// The exponent in a word: `constant`, `sublinear`, `linear`, `superlinear`, or `undecided`.
        #[serde(default)]
        class: String,
        /// Size and value at each volume.
        points: Vec<(Real, Real)>,
        /// Where the metric would reach its budget, if it has one.
        limit: Option<GrowthLimitEntry>,
    }

    /// The volume at which a budget would break, by the fitted law.
    struct GrowthLimitEntry of GrowthLimit {
        /// The budget as written.
        budget: String,
        /// Its limit, in the metric's unit.
        limit: Real,
        /// The volume as a multiple of the declared rows; `null` where the law never reaches it.
        factor: Real,
        /// Bounds of that volume; an upper bound of `null` is none.
        interval: Bounds,
    }
}
