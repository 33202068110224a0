//! What is wrong, in words: from a comparison to findings. Pure.

use super::capture::Failure;
use super::verdict::{self, Thresholds};
use crate::model::evidence::regression::{
    Attribution, Change, IndexSize, ParameterComparison, PlanChange, PlanChangeKind, QueryComparison,
    ResultVerdict, TimeComparison, WriteCost,
};
use crate::model::{Finding, Severity, SourceLocation, Variant};
use crate::project::query::Query;

/// Where a query is declared.
#[must_use]
pub fn location(query: &Query) -> SourceLocation {
    SourceLocation { path: query.path.clone(), line: query.line }
}

/// The statement behind a change, as a line of evidence.
#[must_use]
pub fn attribution_line(attribution: &Attribution) -> String {
    format!(
        "because of statement {} of {} (line {}): {}",
        attribution.number, attribution.version, attribution.line, attribution.statement
    )
}

/// The findings of one query that ran on both sides.
#[must_use]
pub fn of_comparison(
    comparison: &QueryComparison,
    location: Option<SourceLocation>,
    limits: &Thresholds,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(of_results(comparison, location.clone()));
    match comparison.change {
        Change::Regressed => findings.push(regressed(comparison, location, limits)),
        Change::Improved => findings.push(improved(comparison, location)),
        Change::Unchanged | Change::Inconclusive => {}
    }
    findings
}

fn of_results(comparison: &QueryComparison, location: Option<SourceLocation>) -> Option<Finding> {
    let (set, result) = comparison
        .parameter_sets
        .iter()
        .filter_map(|set| Some((set, set.result?)))
        .find(|(_, result)| result.verdict != ResultVerdict::Same)?;
    let (code, severity, message, next_step) = match result.verdict {
        ResultVerdict::Same => return None,
        ResultVerdict::Changed => (
            "result-changed",
            Severity::Failure,
            format!(
                "{} returns other rows after the change ({} before, {} after)",
                comparison.query, result.rows_before, result.rows_after
            ),
            "compare the rows of both versions under these parameters, and correct the migration or the query",
        ),
        ResultVerdict::TiesOnly => (
            "result-ties",
            Severity::Note,
            format!(
                "{} lets its LIMIT cut through rows that sort alike, and now another of them comes first",
                comparison.query
            ),
            "add a unique column to ORDER BY so that the same rows come back whatever the plan",
        ),
        ResultVerdict::Undetermined => (
            "result-undetermined",
            Severity::Note,
            format!(
                "{} does not return the same rows twice, so its results were not compared",
                comparison.query
            ),
            "make the query deterministic, or leave it out of result comparison knowingly",
        ),
    };
    Some(Finding {
        code,
        severity,
        subject: comparison.query.clone(),
        message,
        evidence: parameters_line(set).into_iter().collect(),
        next_step: next_step.into(),
        location,
    })
}

fn parameters_line(set: &ParameterComparison) -> Option<String> {
    (!set.label.is_empty()).then(|| format!("with {}", set.label))
}

fn regressed(comparison: &QueryComparison, location: Option<SourceLocation>, limits: &Thresholds) -> Finding {
    let by_counters = verdict::counters_change(&comparison.parameter_sets) == Change::Regressed;
    let changes = plan_changes(comparison);
    let code = match (by_counters, changes.is_empty()) {
        (true, false) => "plan-regressed",
        (true, true) => "counter-regressed",
        (false, _) => "time-regressed",
    };
    let severity = if verdict::fails(comparison, limits) { Severity::Failure } else { Severity::Warning };
    Finding {
        code,
        severity,
        subject: comparison.query.clone(),
        message: format!("{} got worse: {}", comparison.query, comparison.because),
        evidence: evidence(comparison, &changes),
        next_step: next_step(&changes),
        location,
    }
}

/// What the change is for, told so that a reader sees that it was worth it.
fn improved(comparison: &QueryComparison, location: Option<SourceLocation>) -> Finding {
    Finding {
        code: "improved",
        severity: Severity::Note,
        subject: comparison.query.clone(),
        message: format!("{} got better: {}", comparison.query, comparison.because),
        evidence: evidence(comparison, &plan_changes(comparison)),
        next_step: String::new(),
        location,
    }
}

/// Plan changes, the counters that moved with the query, and times.
fn evidence(comparison: &QueryComparison, changes: &[PlanChange]) -> Vec<String> {
    let moved = comparison.parameter_sets.iter().filter_map(|set| counters_line(set, comparison.change));
    let mut lines: Vec<String> = changes.iter().map(PlanChange::sentence).collect();
    lines.extend(moved);
    lines.extend(comparison.time.as_ref().map(times_line));
    lines
}

fn times_line(time: &TimeComparison) -> String {
    let ((wall, wall_now), (server, server_now)) = (time.median_wall_us, time.median_server_us);
    let (planning, planning_now) = time.median_planning_us;
    format!(
        "medians: {wall:.0} → {wall_now:.0} µs at the client; {server:.0} → {server_now:.0} µs in the server, \
         of it planning {planning:.0} → {planning_now:.0} µs"
    )
}

/// Each plan change once, over all parameter sets.
fn plan_changes(comparison: &QueryComparison) -> Vec<PlanChange> {
    let mut changes: Vec<PlanChange> = Vec::new();
    for change in comparison.parameter_sets.iter().flat_map(|set| &set.plan_changes) {
        if !changes.contains(change) {
            changes.push(change.clone());
        }
    }
    changes
}

fn counters_line(set: &ParameterComparison, change: Change) -> Option<String> {
    let moved: Vec<String> = set
        .counters
        .iter()
        .filter(|counter| counter.change == change)
        .map(|counter| {
            format!("{} {:.0} → {:.0}", counter.metric.replace('_', " "), counter.before, counter.after)
        })
        .collect();
    let label = parameters_line(set).unwrap_or_else(|| "counters".into());
    (!moved.is_empty()).then(|| format!("{label}: {}", moved.join(", ")))
}

fn next_step(changes: &[PlanChange]) -> String {
    let of_kind = |kind| changes.iter().find(|change| change.kind == kind);
    if let Some(lost) = of_kind(PlanChangeKind::IndexLost) {
        return format!(
            "keep index {} on {}, or add one that serves the same condition",
            lost.before, lost.subject
        );
    }
    if let Some(moved) = of_kind(PlanChangeKind::ConditionMoved).filter(|change| change.after == "Filter") {
        return format!("make the condition on {} usable by an index again", moved.subject);
    }
    if of_kind(PlanChangeKind::EstimateError).is_some() {
        return "run ANALYZE in the migration, or add extended statistics for the columns it changed".into();
    }
    if of_kind(PlanChangeKind::SpillAppeared).is_some() {
        return "bring the rows sorted or hashed down, or raise work_mem for this query".into();
    }
    "compare the two plans in the report, and change the migration or the query".into()
}

/// What moves a plan besides the change, where no other finding of the query says so.
#[must_use]
pub fn of_choices(comparison: &QueryComparison) -> Finding {
    Finding {
        code: "plan-varies",
        severity: Severity::Note,
        subject: comparison.query.clone(),
        message: format!("{} does not have one plan only", comparison.query),
        evidence: comparison.plan_choices.clone(),
        next_step: String::new(),
        location: None,
    }
}

/// What other indexes cost a writer.
#[must_use]
pub fn of_write_cost(cost: &WriteCost) -> Finding {
    let names = |indexes: &[IndexSize]| {
        let each = indexes.iter().map(|index| format!("{} ({} kB)", index.name, index.bytes / 1024));
        each.collect::<Vec<_>>().join(", ")
    };
    let changes: Vec<String> = [("gains", &cost.indexes_added), ("loses", &cost.indexes_dropped)]
        .into_iter()
        .filter(|(_, indexes)| !indexes.is_empty())
        .map(|(word, indexes)| format!("{word} {}", names(indexes)))
        .collect();
    let mut evidence = Vec::new();
    let bytes = |what: &str, (before, after): (f64, f64)| {
        format!("{what}: {before:.0} → {after:.0} bytes of WAL ({:+.0} %)", 100.0 * (after / before - 1.0))
    };
    evidence.extend(cost.insert_wal_bytes.map(|pair| bytes("an inserted row", pair)));
    evidence
        .extend(cost.update_wal_bytes.map(|pair| bytes(&format!("an update of {}", cost.update_of), pair)));
    evidence.extend(cost.hot_share.map(|(before, after)| {
        let (before, after) = (before * 100.0, after * 100.0);
        format!("updates of {} that touch no index: {before:.0} % → {after:.0} %", cost.update_of)
    }));
    if !cost.left_out.is_empty() {
        evidence.push(cost.left_out.clone());
    }
    Finding {
        code: "write-cost",
        severity: Severity::Note,
        subject: cost.table.clone(),
        message: format!("{} {}, which every write pays for", cost.table, changes.join(" and ")),
        evidence,
        next_step: String::new(),
        location: None,
    }
}

/// The finding of a query that failed on a side.
#[must_use]
pub fn of_failure(query: &str, failure: &Failure, location: Option<SourceLocation>) -> Finding {
    let with = if failure.parameter_label.is_empty() {
        vec![failure.message.clone()]
    } else {
        vec![failure.message.clone(), format!("with {}", failure.parameter_label)]
    };
    let (code, severity, message, next_step) = if failure.side == Variant::After {
        (
            "query-failed-after",
            Severity::Failure,
            format!("{query} fails after the change: {}", failure.message),
            "change the query together with the migration, or keep what it uses until no caller needs it",
        )
    } else {
        (
            "query-failed-before",
            Severity::Note,
            format!(
                "{query} cannot run before the change, so there is nothing to compare: {}",
                failure.message
            ),
            "nothing, if the query is new with this migration; else correct it",
        )
    };
    Finding {
        code,
        severity,
        subject: query.into(),
        message,
        evidence: with,
        next_step: next_step.into(),
        location,
    }
}
