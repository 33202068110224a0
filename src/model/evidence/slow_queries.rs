//! Evidence of `slow-queries`: what was measured of every query, how each of
//! its budgets was decided, and why a broken one is broken.

use super::data::ObtainedColumn;
use crate::model::{Interval, SourceLocation, Unit, Verdict};

/// Everything a reader may want to see behind the verdict of `slow-queries`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SlowQueriesEvidence {
    /// One entry per volume measured, smallest first.
    pub volumes: Vec<VolumeEvidence>,
    /// How each query grows, where three volumes or more were measured.
    pub growth: Vec<QueryGrowth>,
    /// How times were decided.
    pub decision: DecisionRule,
}

/// How times were decided: stated, so that a reader can check it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DecisionRule {
    /// Confidence of the whole run: no budget is falsely broken, none falsely kept (0.99).
    pub confidence: f64,
    /// Time budgets decided together, all volumes.
    pub time_budgets: usize,
    /// How often the samples may be looked at before the cap.
    pub looks: usize,
    /// The one-sided confidence each look at each budget has.
    pub each: f64,
    /// Executions of each statement before anything is recorded, per connection.
    pub warm_up: usize,
    /// Whether the caches were declared cold, for one query at least.
    pub cold: bool,
}

/// One data size.
#[derive(Debug, Clone, PartialEq)]
pub struct VolumeEvidence {
    /// Its name.
    pub volume: String,
    /// Its size as a multiple of the declared rows.
    pub factor: f64,
    /// The reference statement, interleaved with the queries.
    pub ping: Option<LatencySummary>,
    /// Share of the measuring time the client was on the CPU.
    pub client_cpu_share: f64,
    /// Client CPU per executed statement, in microseconds.
    pub client_cpu_us: f64,
    /// One entry per query.
    pub queries: Vec<QueryEvidence>,
    /// The tables that plans read, by name.
    pub tables: Vec<TableSize>,
    /// What was declared and what the database holds, where Plimsoll filled it.
    pub data: Vec<ObtainedColumn>,
}

/// How large a table is.
#[derive(Debug, Clone, PartialEq)]
pub struct TableSize {
    /// Its name, with its schema.
    pub table: String,
    /// Rows, as ANALYZE or VACUUM counted last.
    pub rows: f64,
    /// Its data on disk with TOAST and without indexes, in bytes.
    pub bytes: u64,
}

/// A statement that no file declares.
#[derive(Debug, Clone, PartialEq)]
pub struct StatementOrigin {
    /// `pg_stat_statements`, or the trace's file.
    pub source: String,
    /// Its text there, with `$n` for values.
    pub statement: String,
    /// How often it was executed there.
    pub calls: u64,
    /// Its mean time there, in microseconds: execution on the server, or client-seen in a trace.
    pub mean_us: f64,
}

/// The client-seen time of a statement, in microseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct LatencySummary {
    /// Executions recorded.
    pub samples: u64,
    /// Connections they were made in, one after another.
    pub connections: usize,
    /// Mean.
    pub avg_us: f64,
    /// Median.
    pub p50_us: f64,
    /// 90th percentile.
    pub p90_us: f64,
    /// 95th percentile.
    pub p95_us: f64,
    /// 99th percentile.
    pub p99_us: f64,
    /// Largest.
    pub max_us: f64,
    /// Bounds of the 95th percentile at 95 %, with the connection as the unit.
    pub p95_interval: Option<Interval>,
    /// The percentile curve: (share of executions, 0 to 1, time in microseconds), rising.
    pub percentiles: Vec<(f64, f64)>,
    /// The distribution: (upper bound in microseconds, executions up to it and above the one before).
    pub buckets: Vec<(f64, u64)>,
}

/// One query at one volume.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryEvidence {
    /// Its name.
    pub query: String,
    /// Where it is declared; `None` for a statement that no file declares.
    pub location: Option<SourceLocation>,
    /// Where such a statement comes from.
    pub origin: Option<StatementOrigin>,
    /// Of all its budgets.
    pub verdict: Verdict,
    /// Whether every sample met empty caches.
    pub cold: bool,
    /// Whether it writes, so that it was measured in transactions rolled back.
    pub writes: bool,
    /// The client-seen time; `None` where it could not be executed.
    pub latency: Option<LatencySummary>,
    /// Its budgets, in the file's order.
    pub budgets: Vec<BudgetEvidence>,
    /// What every explained parameter set came to.
    pub parameter_sets: Vec<ParameterSetEvidence>,
    /// The plan under the parameter set that broke a budget, else under the most expensive one, drawn.
    pub worst_plan: Option<String>,
    /// Why a broken budget is broken.
    pub reason: Option<Reason>,
    /// Hash of the results of all parameter sets, where one was asked for.
    pub result_hash: Option<u64>,
    /// Hash of the result of each parameter set, where they were asked for.
    pub result_hashes: Vec<ResultHash>,
}

/// What one parameter set returned, as a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResultHash {
    /// Hash of the set's whole values.
    pub key: u64,
    /// Hash of the rows it returned.
    pub hash: u64,
}

/// One budget and what it came to.
#[derive(Debug, Clone, PartialEq)]
pub struct BudgetEvidence {
    /// As written.
    pub text: String,
    /// What came of it.
    pub verdict: Verdict,
    /// The measured value in `unit`; `None` for a property of the plan.
    pub value: Option<f64>,
    /// Unit of value, limit and interval.
    pub unit: Unit,
    /// The limit; a relative one multiplied out.
    pub limit: Option<f64>,
    /// The interval it was decided by; `None` for a deterministic counter.
    pub interval: Option<Interval>,
    /// What the verdict rests on, one phrase.
    pub because: String,
}

/// One parameter set under EXPLAIN (ANALYZE, BUFFERS).
#[derive(Debug, Clone, PartialEq)]
pub struct ParameterSetEvidence {
    /// Such as `user_id=17`.
    pub label: String,
    /// Hash of its whole values, by which another run finds the same set; `None` in older runs.
    pub key: Option<u64>,
    /// Shared blocks hit and read, planning apart.
    pub buffers: u64,
    /// Rows returned, or changed by a write without RETURNING; of all statements together.
    pub rows: u64,
    /// The same of each explained statement; empty in older runs.
    pub statement_rows: Vec<u64>,
    /// Rows scans read, those thrown away included.
    pub rows_read: u64,
    /// Temporary blocks read and written.
    pub temp_blocks: u64,
    /// WAL bytes; `None` where the statement does not write.
    pub wal_bytes: Option<u64>,
    /// The server's planning time, in microseconds.
    pub planning_us: f64,
    /// The server's execution time under EXPLAIN, in microseconds.
    pub execution_us: f64,
}

/// Why a budget is broken.
#[derive(Debug, Clone, PartialEq)]
pub struct Reason {
    /// The parameter set that broke it.
    pub parameter_set: String,
    /// The node to look at first, such as `Seq Scan on orders`.
    pub node: String,
    /// Its share of the whole, 0 to 1.
    pub node_share: f64,
    /// By what: `time`, `blocks`, `rows` or `cost`.
    pub share_of: &'static str,
    /// Blocks touched there.
    pub node_buffers: u64,
    /// Rows read there.
    pub node_rows_read: u64,
    /// Rows passed on from there.
    pub node_rows_passed: u64,
    /// Where the client-seen time goes.
    pub shares: TimeShares,
    /// An index that was tried, and what came of it.
    pub trial: Option<IndexTrial>,
}

/// Where the client-seen time of a statement goes. Shares of 1; what EXPLAIN
/// itself adds makes them approximate.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct TimeShares {
    /// Planning on the server (paid per execution by clients that do not prepare).
    pub planning: f64,
    /// Execution on the server.
    pub execution: f64,
    /// Protocol, network and the client.
    pub transfer: f64,
    /// Waiting for other sessions' locks, a part of the execution; `None` where it was not seen at work.
    pub lock_wait: Option<f64>,
    /// How many looks that share comes from; 0 where nobody else was connected.
    pub lock_looks: u64,
}

/// An index tried to see what it would do: created in a clone and measured, or
/// only believed in by the planner.
#[derive(Debug, Clone, PartialEq)]
pub struct IndexTrial {
    /// The statement that creates it.
    pub create_index: String,
    /// Whether the planner uses it.
    pub used: bool,
    /// Whether it was never built: then only the planner's costs are known, the rest is 0.
    pub hypothetical: bool,
    /// The planner's cost before.
    pub cost_before: f64,
    /// The planner's cost with it.
    pub cost_after: f64,
    /// Blocks before.
    pub buffers_before: u64,
    /// Blocks with it.
    pub buffers_after: u64,
    /// Server time before, in microseconds.
    pub execution_before_us: f64,
    /// Server time with it, in microseconds.
    pub execution_after_us: f64,
}

/// How a query grows with the volume: `y = a · n^b`.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryGrowth {
    /// Its name.
    pub query: String,
    /// What grows: `p95`, `buffers`.
    pub metric: &'static str,
    /// The exponent b.
    pub exponent: f64,
    /// Its interval; infinite bounds where the points do not give one.
    pub interval: Interval,
    /// `a` of the fitted law, in the metric's unit.
    pub scale: f64,
    /// The exponent in a word: `constant`, `sublinear`, `linear`, `superlinear`, or `undecided`.
    pub class: &'static str,
    /// Size and value at each volume.
    pub points: Vec<(f64, f64)>,
    /// Where the metric would reach its budget, if it has one.
    pub limit: Option<GrowthLimit>,
}

/// The volume at which a budget would break, by the fitted law.
#[derive(Debug, Clone, PartialEq)]
pub struct GrowthLimit {
    /// The budget as written.
    pub budget: String,
    /// Its limit, in the metric's unit.
    pub limit: f64,
    /// The volume as a multiple of the declared rows; not finite where the law never reaches it.
    pub factor: f64,
    /// Bounds of that volume; an upper bound that is not finite is none.
    pub interval: Interval,
}
