//! Which parameter set broke a budget: the one to explain.

use super::budget::is_timed;
use super::plan_rules::broken_rule;
use super::record::QueryRecord;
use crate::model::Verdict;
use crate::model::evidence::slow_queries::BudgetEvidence;
use crate::project::budget::{Budget, BudgetRule, CounterMetric};

/// Position among the explained sets of the one that broke the first broken
/// budget; of a budget on a time, the slowest under EXPLAIN is the best guess,
/// so counters and plans are asked first. The most expensive one where no budget
/// is broken. `None` where nothing was explained.
pub(crate) fn deciding_set(record: &QueryRecord, decided: &[BudgetEvidence]) -> Option<usize> {
    let broken = || {
        let both = record.budgets.iter().zip(decided);
        both.filter(|(_, decided)| decided.verdict == Verdict::Fail).map(|(budget, _)| budget)
    };
    let exact = broken().filter(|budget| !is_timed(budget)).find_map(|budget| breaking(budget, record));
    exact.or_else(|| broken().find_map(|budget| breaking(budget, record))).or_else(|| most_expensive(record))
}

fn breaking(budget: &Budget, record: &QueryRecord) -> Option<usize> {
    let is_explained = |at: &usize| *at < record.explained.len();
    match &budget.rule {
        BudgetRule::Counter { metric: CounterMetric::Rows, .. } => {
            let rows = record.rows.iter().enumerate().filter_map(|(at, rows)| Some((at, rows.most()?.1)));
            rows.max_by_key(|(_, rows)| *rows).map(|(at, _)| at).filter(is_explained)
        }
        BudgetRule::RowsAtLeast(_) => {
            let rows = record.rows.iter().enumerate().filter_map(|(at, rows)| Some((at, rows.fewest()?.1)));
            rows.min_by_key(|(_, rows)| *rows).map(|(at, _)| at).filter(is_explained)
        }
        BudgetRule::Counter { metric, .. } => largest(record, |at| record.explained[at].counter(*metric)),
        BudgetRule::Plan(rule) => {
            let is_broken = |set| broken_rule(rule, set, &record.relations).is_some();
            record.explained.iter().position(is_broken)
        }
        BudgetRule::Time { .. } => largest(record, |at| record.explained[at].execution_us()),
    }
}

/// By blocks, then by time.
fn most_expensive(record: &QueryRecord) -> Option<usize> {
    let sets = record.explained.iter().enumerate();
    let cost = sets.max_by(|(_, a), (_, b)| {
        a.buffers().cmp(&b.buffers()).then(a.execution_us().total_cmp(&b.execution_us()))
    });
    cost.map(|(at, _)| at)
}

fn largest(record: &QueryRecord, figure: impl Fn(usize) -> f64) -> Option<usize> {
    (0..record.explained.len()).max_by(|&a, &b| figure(a).total_cmp(&figure(b)))
}
