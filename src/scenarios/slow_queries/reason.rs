//! Why a broken budget is broken: the node to look at, what it reads under the
//! parameter set that broke it, and where the client-seen time goes.

use super::index::{IndexCandidate, candidate};
use super::record::{ExplainedSet, QueryRecord};
use crate::model::evidence::slow_queries::{IndexTrial, Reason, TimeShares};
use crate::plan::{DominatingBy, Plan, Relations};
use crate::stats::quantile::quantile;

/// The plan of a set that costs most; a transaction has several.
pub(crate) fn worst_plan(set: &ExplainedSet) -> Option<&Plan> {
    set.shown().iter().max_by(|a, b| cost(a).total_cmp(&cost(b)))
}

/// An index for the statement that costs most, or for the next one that lets one be read off.
pub(crate) fn index_candidate(set: &ExplainedSet, relations: &Relations) -> Option<IndexCandidate> {
    let mut plans: Vec<&Plan> = set.shown().iter().collect();
    plans.sort_by(|a, b| cost(b).total_cmp(&cost(a)));
    plans.into_iter().find_map(|plan| candidate(plan, relations))
}

fn cost(plan: &Plan) -> f64 {
    plan.execution_ms.unwrap_or(0.0)
}

/// The reason under the parameter set that decided, as far as plans and times tell it.
pub(crate) fn reason(record: &QueryRecord, set: &ExplainedSet, trial: Option<IndexTrial>) -> Option<Reason> {
    let plan = worst_plan(set)?;
    let dominating = plan.dominating()?;
    let node = dominating.node;
    let own = plan.exclusive().into_iter().find(|own| std::ptr::eq(own.node, node))?;
    Some(Reason {
        parameter_set: set.label.clone(),
        node: node.label(),
        node_share: dominating.share,
        share_of: match dominating.by {
            DominatingBy::Time => "time",
            DominatingBy::Buffers => "blocks",
            DominatingBy::Rows => "rows",
            DominatingBy::Cost => "cost",
        },
        node_buffers: own.buffers.touched(),
        node_rows_read: node.rows_read() as u64,
        node_rows_passed: node.total_rows().unwrap_or(0.0) as u64,
        shares: shares(record, set),
        trial,
    })
}

/// Shares of the time a client that does not prepare its statements would see
/// for this set: the server's own figures, and the rest of the measured median.
fn shares(record: &QueryRecord, set: &ExplainedSet) -> TimeShares {
    let planning = set.planning_us();
    let execution = set.execution_us();
    // EXPLAIN slows execution down, so the rest can come out below zero.
    let seen = quantile(&record.latencies.sorted(), 0.5).unwrap_or(0.0);
    let transfer = (seen - execution).max(0.0);
    let total = planning + execution + transfer;
    if total <= 0.0 {
        return TimeShares::default();
    }
    let (lock_wait, lock_looks) = lock_wait(record);
    TimeShares {
        planning: planning / total,
        execution: execution / total,
        transfer: transfer / total,
        lock_wait,
        lock_looks,
    }
}

/// The share of looks that found the query waiting for a lock, and their number.
fn lock_wait(record: &QueryRecord) -> (Option<f64>, u64) {
    match record.lock_looks {
        _ if record.is_alone => (Some(0.0), 0),
        Some(looks) if looks.at_work > 0 => {
            (Some(looks.waiting as f64 / looks.at_work as f64), looks.at_work)
        }
        _ => (None, 0),
    }
}

/// The reason in words, most telling first.
pub(crate) fn lines(reason: &Reason) -> Vec<String> {
    let mut lines = vec![
        format!(
            "{} takes {:.0} % of the {} with {}",
            reason.node,
            reason.node_share * 100.0,
            reason.share_of,
            reason.parameter_set
        ),
        format!(
            "it touches {} blocks and reads {} rows to pass on {}",
            reason.node_buffers, reason.node_rows_read, reason.node_rows_passed
        ),
        format!(
            "time: planning {:.0} %, execution {:.0} %, transfer and client {:.0} %; {}",
            reason.shares.planning * 100.0,
            reason.shares.execution * 100.0,
            reason.shares.transfer * 100.0,
            lock_words(&reason.shares)
        ),
    ];
    if let Some(trial) = &reason.trial {
        lines.push(trial_line(trial));
    }
    lines
}

fn lock_words(shares: &TimeShares) -> String {
    match (shares.lock_wait, shares.lock_looks) {
        (None, _) => "waiting for locks: never seen at work, so not known".into(),
        (Some(_), 0) => "waiting for locks none, as nobody else is connected".into(),
        (Some(share), looks) => format!("waiting for locks {:.0} % ({looks} looks)", share * 100.0),
    }
}

fn trial_line(trial: &IndexTrial) -> String {
    if trial.hypothetical {
        let used = if trial.used { "uses it" } else { "does not use it" };
        return format!(
            "supposed by hypopg, neither built nor executed: with {} the planner {used} and its cost goes from {:.0} to {:.0}",
            trial.create_index, trial.cost_before, trial.cost_after
        );
    }
    if !trial.used {
        return format!("tried on a clone: {} is not used by the planner", trial.create_index);
    }
    format!(
        "tried on a clone: with {} it touches {} blocks instead of {} and executes in {:.3} ms instead of {:.3} ms",
        trial.create_index,
        trial.buffers_after,
        trial.buffers_before,
        trial.execution_after_us / 1e3,
        trial.execution_before_us / 1e3,
    )
}

/// What to do next about a broken budget.
pub(crate) fn next_step(reason: Option<&Reason>) -> String {
    let Some(reason) = reason else {
        return "run EXPLAIN (ANALYZE, BUFFERS) on the query and raise the budget only with a reason".into();
    };
    match &reason.trial {
        Some(trial) if trial.hypothetical && trial.used && trial.cost_after * 2.0 <= trial.cost_before => {
            format!("try {} on a copy of the database: only its cost is known so far", trial.create_index)
        }
        Some(trial) if trial.helps() => {
            format!("add a migration with {}", trial.create_index)
        }
        _ => format!(
            "look at {} under {}: read fewer rows there, or raise the budget with a reason",
            reason.node, reason.parameter_set
        ),
    }
}

impl IndexTrial {
    /// Whether the index made a difference worth a migration: used, and at most half the blocks.
    pub(crate) fn helps(&self) -> bool {
        !self.hypothetical && self.used && self.buffers_after * 2 <= self.buffers_before
    }
}
