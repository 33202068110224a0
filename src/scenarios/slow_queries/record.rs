//! What was observed, before anything is concluded from it.

use super::interruption::{Interruption, lock_cap};
use super::rows::SetRows;
use crate::model::SourceLocation;
use crate::model::evidence::slow_queries::StatementOrigin;
use crate::plan::{Plan, Relations};
use crate::project::budget::{Budget, CounterMetric};
use std::sync::Arc;
use std::time::Duration;

/// A query as observed at one volume.
#[derive(Debug, Clone, Default)]
pub(crate) struct QueryRecord {
    /// Its name.
    pub(crate) name: String,
    /// Where it is declared; `None` for a statement that no file declares.
    pub(crate) location: Option<SourceLocation>,
    /// Where such a statement comes from.
    pub(crate) origin: Option<StatementOrigin>,
    /// The budgets that hold at this volume.
    pub(crate) budgets: Vec<Budget>,
    /// How many it has for other volumes.
    pub(crate) budgets_elsewhere: usize,
    /// Parameters whose values do not come from the data.
    pub(crate) made_up: Vec<String>,
    /// A statement of it that EXPLAIN does not take and that may do work of its own.
    pub(crate) unplanned: Option<String>,
    /// Which tables and indexes the names in plan rules mean.
    pub(crate) relations: Arc<Relations>,
    /// Whether every sample meets empty caches.
    pub(crate) cold: bool,
    /// Whether it needs a transaction that may write.
    pub(crate) writes: bool,
    /// What EXPLAIN (ANALYZE, BUFFERS) said, one entry per parameter set explained.
    pub(crate) explained: Vec<ExplainedSet>,
    /// The server's own times, one entry per EXPLAIN, each in a connection of its own.
    pub(crate) server_times: Vec<ServerTime>,
    /// The client-seen times.
    pub(crate) latencies: Latencies,
    /// The least that each would have been with a processor always free; `None`
    /// where that cannot be told, as of a server elsewhere.
    pub(crate) unhindered: Option<Latencies>,
    /// How many statements it has; several make one transaction.
    pub(crate) statements: usize,
    /// Rows of each parameter set.
    pub(crate) rows: Vec<SetRows>,
    /// Labels of the parameter sets, as `rows` counts them.
    pub(crate) labels: Vec<String>,
    /// What tells the parameter sets apart from run to run, as `rows` counts them.
    pub(crate) keys: Vec<u64>,
    /// Hashes of their results, where they were asked for and every set could be executed.
    pub(crate) result_hashes: Vec<u64>,
    /// What looks at its sessions saw, where others are connected.
    pub(crate) lock_looks: Option<LockLooks>,
    /// Whether only Plimsoll is connected to its database, as to a clone.
    pub(crate) is_alone: bool,
    /// Why it could not be executed, or not further.
    pub(crate) failure: Option<Failure>,
    /// The cap that ended sampling, such as `10 s`.
    pub(crate) cap: Option<String>,
}

/// Why a query could not be executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The server reported an error.
    Failed {
        /// The whole message with SQLSTATE.
        message: String,
    },
    /// It was cancelled at the time cap, in microseconds.
    TimedOut {
        /// The cap.
        after_us: u64,
        /// With which parameter set; empty where it is not known or there are none.
        label: String,
    },
    /// It waited for another session's lock until it was cancelled, in microseconds.
    Blocked {
        /// How long.
        after_us: u64,
        /// With which parameter set; empty where it is not known or there are none.
        label: String,
    },
    /// It writes and the target may not be changed.
    WritesToPrecious,
    /// A statement that no file declares, and that cannot be asked again as it is.
    Unfit {
        /// Why.
        reason: String,
    },
}

impl Failure {
    /// Ended by a cap; `cap` is that of a statement.
    pub(crate) fn interrupted(by: Interruption, cap: Duration, label: &str) -> Self {
        let us = |cap: Duration| u64::try_from(cap.as_micros()).unwrap_or(u64::MAX);
        let label = label.to_owned();
        match by {
            Interruption::TimedOut => Self::TimedOut { after_us: us(cap), label },
            Interruption::Blocked => Self::Blocked { after_us: us(lock_cap(cap)), label },
        }
    }
}

/// Looks at a query's session while it was at work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct LockLooks {
    /// How many.
    pub(crate) at_work: u64,
    /// At how many of them it waited for a lock.
    pub(crate) waiting: u64,
}

/// The server's own times of one execution under EXPLAIN, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ServerTime {
    /// Planning.
    pub(crate) planning_us: f64,
    /// Execution.
    pub(crate) execution_us: f64,
}

/// One parameter set under EXPLAIN (ANALYZE, BUFFERS).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ExplainedSet {
    /// Such as `user_id=17`.
    pub(crate) label: String,
    /// One plan per explained statement of the query.
    pub(crate) plans: Vec<Plan>,
    /// The same explained once more with the time of every node, where it broke a budget. It
    /// decides nothing.
    pub(crate) timed: Vec<Plan>,
}

impl QueryRecord {
    /// Takes in what was explained, and its rows with it; `positions` are those of the explained statements.
    pub(crate) fn take_explained(&mut self, sets: Vec<ExplainedSet>, positions: &[usize]) {
        for (rows, set) in self.rows.iter_mut().zip(&sets) {
            positions.iter().zip(set.rows()).for_each(|(at, count)| rows.add(*at, count));
        }
        self.explained = sets;
    }

    /// A failure as it counts for this query: what no file declares is at fault for nothing.
    pub(crate) fn fail(&mut self, failure: Failure) {
        self.failure = Some(match failure {
            Failure::Failed { message } if self.origin.is_some() => Failure::Unfit {
                reason: format!("it fails with the parameters that could be found: {message}"),
            },
            other => other,
        });
    }
}

impl ExplainedSet {
    /// What was explained, not yet with the time of every node.
    pub(crate) fn new(label: impl Into<String>, plans: Vec<Plan>) -> Self {
        Self { label: label.into(), plans, timed: Vec::new() }
    }

    /// The plans to show: those with the time of every node, where there are any.
    pub(crate) fn shown(&self) -> &[Plan] {
        if self.timed.is_empty() { &self.plans } else { &self.timed }
    }

    /// A counter of the execution.
    pub(crate) fn counter(&self, metric: CounterMetric) -> f64 {
        match metric {
            CounterMetric::Buffers => self.buffers() as f64,
            CounterMetric::RowsReadPerRow => self.rows_read_per_row(),
            CounterMetric::TempBlocks => self.temp_blocks() as f64,
            CounterMetric::WalBytes => self.wal_bytes().unwrap_or(0) as f64,
            CounterMetric::Rows => self.rows().iter().copied().max().unwrap_or(0) as f64,
        }
    }

    /// Adds a figure up over the statements.
    fn sum(&self, figure: impl Fn(&Plan) -> f64) -> f64 {
        self.plans.iter().map(figure).sum()
    }

    /// The server's own times.
    pub(crate) fn server_time(&self) -> ServerTime {
        ServerTime { planning_us: self.planning_us(), execution_us: self.execution_us() }
    }

    /// Shared blocks hit and read.
    pub(crate) fn buffers(&self) -> u64 {
        self.plans.iter().filter_map(|plan| plan.totals().buffers).map(|buffers| buffers.shared()).sum()
    }

    /// Temporary blocks read and written.
    pub(crate) fn temp_blocks(&self) -> u64 {
        self.plans.iter().filter_map(|plan| plan.totals().buffers).map(|buffers| buffers.temp()).sum()
    }

    /// WAL bytes, where the plans count them.
    pub(crate) fn wal_bytes(&self) -> Option<u64> {
        let counted: Vec<u64> =
            self.plans.iter().filter_map(|plan| plan.totals().wal).map(|wal| wal.bytes).collect();
        (!counted.is_empty()).then(|| counted.iter().sum())
    }

    /// Rows that each explained statement returned, or changed without RETURNING.
    pub(crate) fn rows(&self) -> Vec<u64> {
        self.plans.iter().map(|plan| plan.totals().rows_returned as u64).collect()
    }

    /// Rows scans read, those thrown away included.
    pub(crate) fn rows_read(&self) -> f64 {
        self.sum(|plan| plan.totals().rows_read)
    }

    /// Rows read per row returned, which counts as at least one: of the statement that reads most so.
    pub(crate) fn rows_read_per_row(&self) -> f64 {
        self.plans.iter().map(|plan| plan.totals().rows_read_per_row()).fold(0.0, f64::max)
    }

    /// The server's planning time, in microseconds.
    pub(crate) fn planning_us(&self) -> f64 {
        self.sum(|plan| plan.planning_ms.unwrap_or(0.0) * 1e3)
    }

    /// The server's execution time under EXPLAIN, in microseconds.
    pub(crate) fn execution_us(&self) -> f64 {
        self.sum(|plan| plan.execution_ms.unwrap_or(0.0) * 1e3)
    }
}

/// Client-seen times of one statement, in microseconds, by connection in the
/// order the connections were opened.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Latencies {
    /// Each connection's samples in order.
    pub(crate) connections: Vec<Vec<f64>>,
}

impl Latencies {
    /// Those of the first connections only.
    pub(crate) fn of_first(&self, connections: usize) -> Self {
        Self { connections: self.connections.iter().take(connections).cloned().collect() }
    }

    /// How many samples.
    pub(crate) fn count(&self) -> usize {
        self.connections.iter().map(Vec::len).sum()
    }

    /// All samples, sorted.
    pub(crate) fn sorted(&self) -> Vec<f64> {
        let mut all: Vec<f64> = self.connections.iter().flatten().copied().collect();
        crate::stats::quantile::sort(&mut all);
        all
    }
}
