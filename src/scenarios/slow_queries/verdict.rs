//! From records to findings and verdicts, without input or output.

use super::budget::{decide, in_statement, is_timed, show};
use super::deciding::deciding_set;
use super::doubt;
use super::reason;
use super::record::{ExplainedSet, Failure, Latencies, QueryRecord};
use super::rows::always_empty;
use super::summary::summarise;
use crate::model::evidence::slow_queries::{
    BudgetEvidence, IndexTrial, ParameterSetEvidence, QueryEvidence, Reason, ResultHash,
};
use crate::model::{Finding, Severity, Verdict};
use crate::plan;
use crate::project::budget::BudgetRule;

/// Every budget of a query, decided at this confidence.
pub(crate) fn decide_all(record: &QueryRecord, ping: &Latencies, confidence: f64) -> Vec<BudgetEvidence> {
    record.budgets.iter().map(|budget| decide(budget, record, ping, confidence)).collect()
}

/// Whether more samples could still change a verdict of this query.
pub(crate) fn is_settled(record: &QueryRecord, ping: &Latencies, confidence: f64) -> bool {
    record.budgets.iter().filter(|budget| is_timed(budget)).all(|budget| {
        matches!(decide(budget, record, ping, confidence).verdict, Verdict::Pass | Verdict::Fail)
    })
}

/// Whether a counter, a plan rule or the result guard is already broken, so
/// that no clock needs to decide.
pub(crate) fn counters_fail(record: &QueryRecord) -> bool {
    let none = Latencies::default();
    record
        .budgets
        .iter()
        .filter(|budget| !is_timed(budget))
        .any(|budget| decide(budget, record, &none, 0.5).verdict == Verdict::Fail)
}

/// A query with its verdict and what it found.
pub(crate) struct Judged {
    /// For the report's detail.
    pub(crate) evidence: QueryEvidence,
    /// Its defects.
    pub(crate) findings: Vec<Finding>,
}

impl Judged {
    /// A failure found after the budgets were judged fails the query too.
    pub(crate) fn take_findings_into_account(&mut self) {
        if self.findings.iter().any(|finding| finding.severity == Severity::Failure) {
            self.evidence.verdict = Verdict::Fail;
        }
    }
}

/// Judges one query from everything observed of it.
pub(crate) fn judge(
    record: &QueryRecord,
    ping: &Latencies,
    confidence: f64,
    trial: Option<IndexTrial>,
) -> Judged {
    let budgets = decide_all(record, ping, confidence);
    let verdict = query_verdict(record, &budgets);
    let is_broken = budgets.iter().any(|budget| budget.verdict == Verdict::Fail);
    let set = deciding_set(record, &budgets).and_then(|at| record.explained.get(at));
    let reason = set.filter(|_| is_broken).and_then(|set| reason::reason(record, set, trial));
    let mut findings = findings(record, &budgets, reason.as_ref());
    findings.extend(doubt::findings(record, &verdict, &budgets));
    let evidence = QueryEvidence {
        query: record.name.clone(),
        location: record.location.clone(),
        origin: record.origin.clone(),
        verdict,
        cold: record.cold,
        writes: record.writes,
        latency: summarise(&record.latencies),
        budgets,
        parameter_sets: record.explained.iter().zip(&record.keys).map(parameter_set).collect(),
        worst_plan: set.and_then(reason::worst_plan).map(plan::render),
        reason,
        result_hash: result_hash(record),
        result_hashes: record
            .keys
            .iter()
            .zip(&record.result_hashes)
            .map(|(&key, &hash)| ResultHash { key, hash })
            .collect(),
    };
    Judged { evidence, findings }
}

/// One hash of all results. Sets are told apart, so that two that change places do not cancel out.
fn result_hash(record: &QueryRecord) -> Option<u64> {
    let hashes = &record.result_hashes;
    (!hashes.is_empty()).then(|| hashes.iter().fold(0, |hash: u64, one| hash.rotate_left(5) ^ one))
}

fn parameter_set((set, key): (&ExplainedSet, &u64)) -> ParameterSetEvidence {
    ParameterSetEvidence {
        label: set.label.clone(),
        key: Some(*key),
        buffers: set.buffers(),
        rows: set.rows().iter().sum(),
        statement_rows: set.rows(),
        rows_read: set.rows_read() as u64,
        temp_blocks: set.temp_blocks(),
        wal_bytes: set.wal_bytes(),
        planning_us: set.planning_us(),
        execution_us: set.execution_us(),
    }
}

fn query_verdict(record: &QueryRecord, budgets: &[BudgetEvidence]) -> Verdict {
    match &record.failure {
        Some(Failure::Failed { .. }) => return Verdict::Fail,
        Some(Failure::WritesToPrecious) => {
            return Verdict::Skipped { reason: "it writes and the target may only be read".into() };
        }
        Some(Failure::Unfit { reason }) => return Verdict::Skipped { reason: reason.clone() },
        Some(Failure::Blocked { .. }) => {
            let needs = "a time when no other session holds a lock that it waits for".into();
            return Verdict::Inconclusive { needs };
        }
        Some(Failure::TimedOut { .. }) | None => {}
    }
    let decided = Verdict::of_all(budgets.iter().map(|budget| &budget.verdict))
        .unwrap_or_else(|| Verdict::Skipped { reason: without_budget(record) });
    match decided {
        Verdict::Pass if always_empty(&record.rows).is_some() && !guards_rows(record) => Verdict::Inconclusive {
            needs:
                "parameters for which the query returns rows, or a budget `rows >= 0` that says none is right"
                    .into(),
        },
        other => other,
    }
}

fn without_budget(record: &QueryRecord) -> String {
    match record.budgets_elsewhere {
        0 => "it has no budget".into(),
        1 => "its one budget is for another volume".into(),
        count => format!("its {count} budgets are for other volumes"),
    }
}

fn guards_rows(record: &QueryRecord) -> bool {
    record.budgets.iter().any(|budget| matches!(budget.rule, BudgetRule::RowsAtLeast(_)))
}

fn findings(record: &QueryRecord, budgets: &[BudgetEvidence], reason: Option<&Reason>) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    if let Some(Failure::Failed { message }) = &record.failure {
        found.push(finding(
            record,
            "query-failed",
            Severity::Failure,
            format!("{} cannot be executed", record.name),
            vec![message.clone()],
            "correct the query or its parameters".into(),
        ));
    }
    for (budget, decided) in record.budgets.iter().zip(budgets) {
        if decided.verdict == Verdict::Fail {
            found.push(broken(record, &budget.rule, decided, reason));
        }
    }
    if let Some(statement) = always_empty(&record.rows).filter(|_| !guards_rows(record)) {
        let message = format!(
            "{} returned no row{} for any of {} parameter sets",
            record.name,
            in_statement(statement, record),
            record.rows.iter().filter(|rows| rows.is_known()).count()
        );
        let next = "give parameters that the data holds, such as sample(table.column), or add the budget `rows >= 0`";
        found.push(finding(record, "empty-result", Severity::Warning, message, Vec::new(), next.into()));
    }
    found
}

fn broken(
    record: &QueryRecord,
    rule: &BudgetRule,
    decided: &BudgetEvidence,
    reason: Option<&Reason>,
) -> Finding {
    let text = &decided.text;
    let value = decided.value.map(|value| show(value, decided.unit)).unwrap_or_default();
    let (code, message) = match rule {
        BudgetRule::Time { .. } => {
            ("over-budget", format!("{} takes {value}, over its budget of {text}", record.name))
        }
        BudgetRule::Counter { .. } => {
            ("counter-over-budget", format!("{} needs {value}, over its budget of {text}", record.name))
        }
        BudgetRule::Plan(_) => {
            ("plan-rule-broken", format!("the plan of {} breaks its budget of {text}", record.name))
        }
        BudgetRule::RowsAtLeast(_) => {
            ("empty-result", format!("{} returned {value}, fewer than its budget of {text}", record.name))
        }
    };
    let mut evidence = vec![decided.because.clone()];
    evidence.extend(reason.map(reason::lines).unwrap_or_default());
    let next_step = match rule {
        BudgetRule::RowsAtLeast(_) => "check the query's conditions and the parameters it was given".into(),
        _ => reason::next_step(reason),
    };
    finding(record, code, Severity::Failure, message, evidence, next_step)
}

pub(super) fn finding(
    record: &QueryRecord,
    code: &'static str,
    severity: Severity,
    message: String,
    evidence: Vec<String>,
    next_step: String,
) -> Finding {
    Finding {
        code,
        severity,
        subject: record.name.clone(),
        message,
        evidence,
        next_step,
        location: record.location.clone(),
    }
}

/// One sentence for the whole scenario.
pub(crate) fn summary(queries: &[&QueryEvidence]) -> String {
    let count = |wanted: &str| queries.iter().filter(|query| query.verdict.word() == wanted).count();
    let judged = queries.len() - count("skipped");
    let mut text = format!("{} of {judged} queries within budget", count("pass"));
    for (word, phrase) in [("fail", "over"), ("inconclusive", "undecided"), ("skipped", "skipped")] {
        if count(word) > 0 {
            text.push_str(&format!(", {} {phrase}", count(word)));
        }
    }
    text
}

/// The verdict of the scenario over all queries and volumes.
pub(crate) fn scenario_verdict(queries: &[&QueryEvidence]) -> Verdict {
    Verdict::of_all(queries.iter().map(|query| &query.verdict))
        .unwrap_or_else(|| Verdict::Skipped { reason: "the project has no queries".into() })
}
