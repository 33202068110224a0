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

impl Budget {
    /// Reads a comma-separated list of limits on percentiles of the latency.
    ///
    /// # Errors
    /// What is wrong with it, in one sentence.
    pub fn latency_limits(text: &str) -> Result<Vec<Self>, String> {
        let limits = Self::parse(text, 0).map_err(|errors| {
            errors.iter().map(|error| error.message.as_str()).collect::<Vec<_>>().join("; ")
        })?;
        match limits.iter().find(|limit| limit.percentile_limit().is_none() || limit.volume.is_some()) {
            Some(other) => {
                Err(format!("`{}` is not a limit on p50, p90, p95 or p99 in milliseconds", other.text))
            }
            None => Ok(limits),
        }
    }

    /// The percentile, as a share, and its limit in microseconds, where it limits one of the
    /// client-seen time by an absolute figure.
    #[must_use]
    pub fn percentile_limit(&self) -> Option<(f64, f64)> {
        let BudgetRule::Time { metric, limit: TimeLimit::AbsoluteUs(limit_us) } = self.rule else {
            return None;
        };
        let quantile = match metric {
            TimeMetric::P50 => 0.5,
            TimeMetric::P90 => 0.9,
            TimeMetric::P95 => 0.95,
            TimeMetric::P99 => 0.99,
            TimeMetric::Avg | TimeMetric::Max | TimeMetric::Planning | TimeMetric::Execution => return None,
        };
        Some((quantile, limit_us))
    }
}

#[cfg(test)]
mod tests {
    use super::Budget;

    #[test]
    fn limits_of_a_load_are_percentiles() {
        let limits = Budget::latency_limits("p95 < 50ms, p99 < 0.2s").unwrap();
        let figures: Vec<_> = limits.iter().filter_map(Budget::percentile_limit).collect();
        assert_eq!(figures, [(0.95, 50_000.0), (0.99, 200_000.0)]);
        for wrong in ["buffers < 5", "max < 1s", "p95 < 3 x ping", "p95 < 5ms @ small", "p95 50ms", ""] {
            assert!(Budget::latency_limits(wrong).is_err(), "{wrong}");
        }
    }
}
