//! Findings about queries that no budget decided: doubt that shows only in a
//! count is overlooked.

use super::budget::show;
use super::record::{Failure, QueryRecord};
use super::verdict::finding;
use crate::model::evidence::slow_queries::BudgetEvidence;
use crate::model::{Finding, Severity, Unit, Verdict};

/// One finding for each budget in doubt, for a cancelled execution, and for a
/// declared query that was not judged.
pub(super) fn findings(record: &QueryRecord, verdict: &Verdict, budgets: &[BudgetEvidence]) -> Vec<Finding> {
    let mut found: Vec<Finding> = cancelled(record).into_iter().collect();
    found.extend(budgets.iter().filter_map(|budget| undecided(record, budget)));
    if let Verdict::Skipped { reason } = verdict
        && record.origin.is_none()
    {
        let message = format!("{} was not judged: {reason}", record.name);
        let next = "give it a budget that holds at this volume, such as `-- budget: p95 < 5ms, buffers < 50`";
        let next = if reason.contains("budget") { next } else { "run it against a database it may write to" };
        found.push(finding(record, "not-judged", Severity::Note, message, Vec::new(), next.into()));
    }
    found
}

fn cancelled(record: &QueryRecord) -> Option<Finding> {
    let (after_us, label, ended, next) = match &record.failure {
        Some(Failure::TimedOut { after_us, label }) => (
            after_us,
            label,
            "was cancelled after",
            "look at its plan with this parameter set, or raise [slow-queries] max-time",
        ),
        Some(Failure::Blocked { after_us, label }) => (
            after_us,
            label,
            "waited for another session's lock and was cancelled after",
            "run it when nobody holds a lock on its tables (pg_locks tells who), or on a copy of the database",
        ),
        _ => return None,
    };
    let with = if label.is_empty() { String::new() } else { format!(" with {label}") };
    let after = show(*after_us as f64, Unit::Microseconds);
    let message = format!("an execution of {}{with} {ended} {after}", record.name);
    let evidence = vec![format!("{} parameter sets came to their end under EXPLAIN", record.explained.len())];
    Some(finding(record, "query-cancelled", Severity::Warning, message, evidence, next.to_owned()))
}

fn undecided(record: &QueryRecord, budget: &BudgetEvidence) -> Option<Finding> {
    let Verdict::Inconclusive { needs } = &budget.verdict else { return None };
    let message = format!("{} may or may not keep {}", record.name, budget.text);
    let next = format!("decided by {needs}");
    Some(finding(record, "undecided", Severity::Warning, message, vec![budget.because.clone()], next))
}
