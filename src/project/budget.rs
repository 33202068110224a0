//! Limits on a metric of a query: `p95 < 2ms`, `buffers < 50`, `no seq scan on orders`.
//!
//! The grammar is in `budget/parse.rs` and, for users, in `docs/reference-project.md`.

mod parse;

pub use parse::BudgetError;

/// One limit.
#[derive(Debug, Clone, PartialEq)]
pub struct Budget {
    /// As written, normalised: what reports show.
    pub text: String,
    /// What it asks.
    pub rule: BudgetRule,
    /// Holds only at this volume (`p95 < 20ms @ medium`); `None`: at every one.
    pub volume: Option<String>,
    /// Taken from the project's `[budgets]`, not from the query's own header.
    pub is_default: bool,
}

/// What a budget asks.
#[derive(Debug, Clone, PartialEq)]
pub enum BudgetRule {
    /// The client-seen or server-reported time stays below a limit.
    Time {
        /// Which statistic of which time.
        metric: TimeMetric,
        /// How much.
        limit: TimeLimit,
    },
    /// A deterministic counter stays below a limit (exclusive; `<= 50` is kept as the next
    /// number above 50, so that one comparison serves both).
    Counter {
        /// Which counter.
        metric: CounterMetric,
        /// In the counter's unit.
        limit: f64,
    },
    /// A property of the plan tree.
    Plan(PlanRule),
    /// `rows >= 1`: the result guard.
    RowsAtLeast(u64),
}

/// A statistic of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimeMetric {
    /// Mean of the client-seen time.
    Avg,
    /// Median of the client-seen time.
    P50,
    /// 90th percentile of the client-seen time.
    P90,
    /// 95th percentile of the client-seen time.
    P95,
    /// 99th percentile of the client-seen time.
    P99,
    /// Largest client-seen time.
    Max,
    /// Median of the server's planning time.
    Planning,
    /// Median of the server's execution time.
    Execution,
}

/// How much time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TimeLimit {
    /// In microseconds.
    AbsoluteUs(f64),
    /// A multiple of the reference statement's same statistic (`8 x ping`).
    TimesPing(f64),
}

/// A deterministic counter of one execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CounterMetric {
    /// Shared blocks hit + read, whole tree.
    Buffers,
    /// Rows read by scans (returned and filtered away) per row returned.
    RowsReadPerRow,
    /// Temporary blocks read + written.
    TempBlocks,
    /// WAL bytes.
    WalBytes,
    /// Rows returned.
    Rows,
}

/// A property of the plan tree.
#[derive(Debug, Clone, PartialEq)]
pub enum PlanRule {
    /// `no seq scan on orders`; `None`: on any table.
    NoSeqScan(Option<String>),
    /// `uses index idx_orders_user_created`.
    UsesIndex(String),
    /// `estimate error < 10x`, either way, at the worst node.
    EstimateErrorBelow(f64),
    /// `no sort spill`.
    NoSortSpill,
}
