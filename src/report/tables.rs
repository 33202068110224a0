//! A run as rows of the tables that `export --to postgres://…` fills. The
//! tables themselves, with their versions, are SQL and lie in `postgres/results`.

use crate::model::evidence::Evidence;
use crate::model::evidence::deadlock::ContentionPoint;
use crate::model::evidence::load::{LoadEvidence, LoadLatency, LoadStep};
use crate::model::evidence::slow_queries::{BudgetEvidence, QueryEvidence, VolumeEvidence};
use crate::model::{
    Finding, Measurement, MeasurementWarning, RunReport, Scenario, ScenarioReport, Variant, Verdict,
};
use serde_json::{Value, json};

/// Table names and their rows: JSON arrays of objects whose keys are columns.
/// The table that the others refer to comes first.
#[must_use]
pub fn rows(report: &RunReport) -> Vec<(&'static str, Value)> {
    let mut tables = vec![
        ("runs", vec![run(report)]),
        ("scenarios", report.scenarios.iter().map(|entry| scenario(report, entry)).collect()),
        ("measurements", of_scenarios(report, |entry| &entry.measurements, measurement)),
        ("benchmark_results", benchmark_results(report)),
        ("findings", of_scenarios(report, |entry| &entry.findings, finding)),
        ("warnings", warnings(report)),
        ("budgets", budgets(report)),
        ("load_points", load_points(report)),
        ("load_steps", load_steps(report)),
    ];
    for row in tables.iter_mut().flat_map(|(_, rows)| rows) {
        storable(row);
    }
    tables.into_iter().map(|(table, rows)| (table, Value::Array(rows))).collect()
}

fn run(report: &RunReport) -> Value {
    let target = report.target.as_ref();
    let durability = target.map(|target| &target.durability);
    let verdict = report.verdict();
    json!({
        "run_id": report.run_id,
        "run_at": report.started_at,
        "project": report.project,
        "verdict": verdict.word(),
        "verdict_reason": reason(&verdict),
        "complete": report.complete,
        "git_commit": report.environment.git_commit,
        "git_branch": report.environment.git_branch,
        "server_version": target.map(|target| target.short_version()),
        "server_version_num": target.map(|target| target.server_version_num),
        "target_kind": target.map(|target| target.kind.word()),
        "fsync": durability.map(|durability| durability.fsync),
        "synchronous_commit": durability.map(|durability| durability.synchronous_commit.as_str()),
        "full_page_writes": durability.map(|durability| durability.full_page_writes),
        "plimsoll_version": report.plimsoll_version,
        "seed": report.seed,
        "cpu_count": report.environment.cpu_count,
        "operating_system": report.environment.operating_system,
    })
}

fn reason(verdict: &Verdict) -> Option<&str> {
    match verdict {
        Verdict::Pass | Verdict::Fail => None,
        Verdict::Inconclusive { needs: reason } | Verdict::Skipped { reason } => Some(reason),
    }
}

fn scenario(report: &RunReport, entry: &ScenarioReport) -> Value {
    json!({
        "run_id": report.run_id,
        "scenario": entry.scenario.name(),
        "verdict": entry.verdict.word(),
        "verdict_reason": reason(&entry.verdict),
        "summary": entry.summary,
        "duration_ms": entry.duration_ms,
    })
}

/// Items of every scenario as rows, numbered within it.
fn of_scenarios<T>(
    report: &RunReport,
    items: impl Fn(&ScenarioReport) -> &Vec<T>,
    row: impl Fn(&T) -> Value,
) -> Vec<Value> {
    let mut rows = Vec::new();
    for entry in &report.scenarios {
        for (ordinal, item) in items(entry).iter().enumerate() {
            rows.push(numbered(report, entry.scenario.name(), ordinal, row(item)));
        }
    }
    rows
}

fn numbered(report: &RunReport, scenario: &str, ordinal: usize, mut row: Value) -> Value {
    row["run_id"] = json!(report.run_id);
    row["scenario"] = json!(scenario);
    row["ordinal"] = json!(ordinal);
    row
}

fn measurement(measurement: &Measurement) -> Value {
    json!({
        "subject": measurement.subject,
        "volume": measurement.volume,
        "variant": measurement.variant.word(),
        "metric": measurement.metric,
        "unit": measurement.unit.suffix(),
        "value": measurement.value,
        "samples": measurement.samples,
        "interval_low": measurement.interval.map(|interval| interval.low),
        "interval_high": measurement.interval.map(|interval| interval.high),
        "confidence": measurement.interval.map(|interval| interval.confidence),
    })
}

fn finding(finding: &Finding) -> Value {
    json!({
        "code": finding.code,
        "severity": finding.severity.word(),
        "subject": finding.subject,
        "message": finding.message,
        "evidence": finding.evidence,
        "next_step": finding.next_step,
        "path": finding.location.as_ref().map(|location| location.path.to_string_lossy()),
        "line": finding.location.as_ref().map(|location| location.line),
    })
}

fn warnings(report: &RunReport) -> Vec<Value> {
    let row = |warning: &MeasurementWarning| json!({ "code": warning.code(), "message": warning.message() });
    let of_run = report.warnings.iter().enumerate();
    let mut rows: Vec<_> = of_run.map(|(ordinal, w)| numbered(report, "", ordinal, row(w))).collect();
    rows.extend(of_scenarios(report, |entry| &entry.warnings, row));
    rows
}

/// The column of `benchmark_results` of a metric of `slow-queries`, and what turns the value into it.
const BENCHMARK_COLUMNS: [(&str, &str, f64); 9] = [
    ("avg", "avg_ms", 1e-3),
    ("p50", "p50_ms", 1e-3),
    ("p90", "p90_ms", 1e-3),
    ("p95", "p95_ms", 1e-3),
    ("p99", "p99_ms", 1e-3),
    ("max", "max_ms", 1e-3),
    ("buffers", "buffers", 1.0),
    ("rows", "rows_returned", 1.0),
    ("rows_read", "rows_read", 1.0),
];

/// The figures of a query at a volume side by side.
fn benchmark_results(report: &RunReport) -> Vec<Value> {
    let mut rows: Vec<Value> = Vec::new();
    let measured = report.scenarios.iter().filter(|entry| entry.scenario == Scenario::SlowQueries);
    for m in measured.flat_map(|entry| &entry.measurements) {
        let Some((_, column, factor)) = BENCHMARK_COLUMNS.iter().find(|(metric, ..)| *metric == m.metric)
        else {
            continue;
        };
        if m.variant != Variant::Only {
            continue;
        }
        let volume = m.volume.as_deref().unwrap_or_default();
        let is_same = |row: &Value| row["volume"] == volume && row["query_label"] == m.subject.as_str();
        let index = rows.iter().position(is_same).unwrap_or(rows.len());
        if index == rows.len() {
            rows.push(empty_benchmark_row(report, volume, &m.subject));
        }
        let row = &mut rows[index];
        row[column] = json!(m.value * factor);
        if m.metric == "p95" {
            row["samples"] = json!(m.samples);
            row["p95_low_ms"] = json!(m.interval.map(|interval| interval.low * factor));
            row["p95_high_ms"] = json!(m.interval.map(|interval| interval.high * factor));
            row["p95_confidence"] = json!(m.interval.map(|interval| interval.confidence));
        }
    }
    rows
}

fn empty_benchmark_row(report: &RunReport, volume: &str, query: &str) -> Value {
    json!({
        "run_at": report.started_at,
        "run_id": report.run_id,
        "project": report.project,
        "volume": volume,
        "query_label": query,
        "git_commit": report.environment.git_commit,
        "git_branch": report.environment.git_branch,
        "server_version": report.target.as_ref().map(|target| target.short_version()),
    })
}

fn budgets(report: &RunReport) -> Vec<Value> {
    let mut rows = Vec::new();
    for volume in report.scenarios.iter().flat_map(|entry| match &entry.evidence {
        Evidence::SlowQueries(evidence) => evidence.volumes.as_slice(),
        _ => &[],
    }) {
        for query in &volume.queries {
            for budget in &query.budgets {
                rows.push(budget_row(report, rows.len(), volume, query, budget));
            }
        }
    }
    rows
}

fn budget_row(
    report: &RunReport,
    ordinal: usize,
    volume: &VolumeEvidence,
    query: &QueryEvidence,
    budget: &BudgetEvidence,
) -> Value {
    json!({
        "run_id": report.run_id,
        "ordinal": ordinal,
        "volume": volume.volume,
        "query_label": query.query,
        "budget": budget.text,
        "verdict": budget.verdict.word(),
        "unit": budget.unit.suffix(),
        "value": budget.value,
        "budget_limit": budget.limit,
        "interval_low": budget.interval.map(|interval| interval.low),
        "interval_high": budget.interval.map(|interval| interval.high),
        "confidence": budget.interval.map(|interval| interval.confidence),
    })
}

fn load_points(report: &RunReport) -> Vec<Value> {
    let points = report.scenarios.iter().flat_map(|entry| match &entry.evidence {
        Evidence::Deadlock(evidence) => evidence.contention_sweep.as_slice(),
        _ => &[],
    });
    points.enumerate().map(|(ordinal, point)| load_point(report, ordinal, point)).collect()
}

fn load_point(report: &RunReport, ordinal: usize, point: &ContentionPoint) -> Value {
    json!({
        "run_id": report.run_id,
        "ordinal": ordinal,
        "subject": point.spec,
        "sessions": point.workers,
        "hot_rows": point.hot_rows,
        "ordered": point.ordered,
        "duration_s": point.duration_s,
        "committed": point.committed,
        "deadlocks": point.deadlocks,
        "retries": point.retries,
        "p50_ms": point.latency.p50_us * 1e-3,
        "p99_ms": point.latency.p99_us * 1e-3,
    })
}

fn load_steps(report: &RunReport) -> Vec<Value> {
    let steps = report.scenarios.iter().filter_map(|entry| match &entry.evidence {
        Evidence::Load(evidence) => Some(evidence),
        _ => None,
    });
    let steps = steps.flat_map(|evidence| evidence.steps.iter().map(move |step| (evidence, step)));
    steps.enumerate().map(|(ordinal, (evidence, step))| load_step(report, ordinal, evidence, step)).collect()
}

fn load_step(report: &RunReport, ordinal: usize, evidence: &LoadEvidence, step: &LoadStep) -> Value {
    // What requests without an answer reach into is not finite, and so NULL.
    let ms = |of: fn(&LoadLatency) -> f64| step.latency.as_ref().map(|latency| of(latency) * 1e-3);
    json!({
        "run_id": report.run_id,
        "ordinal": ordinal,
        "volume": evidence.volume,
        "loop_kind": evidence.loop_kind,
        "offered_per_s": step.offered_per_s,
        "outcome": step.outcome,
        "because": step.because,
        "requests": step.due,
        "completed": step.completed,
        "completed_per_s": step.completed_per_s,
        "queued": step.queued,
        "dropped": step.dropped,
        "errors": step.errors.iter().map(|(_, count, _)| count).sum::<u64>(),
        "p50_ms": ms(|latency| latency.p50_us),
        "p95_ms": ms(|latency| latency.p95_us),
        "p99_ms": ms(|latency| latency.p99_us),
        "service_p95_ms": step.service.as_ref().map(|service| service.p95_us * 1e-3),
        "generator_late_p99_ms": step.lateness_p99_us * 1e-3,
        "generator_cpu_share": step.generator_cpu_share,
        "slices": step.slices.len(),
    })
}

/// PostgreSQL's text holds every character but NUL.
fn storable(value: &mut Value) {
    match value {
        Value::String(text) if text.contains('\0') => *text = text.replace('\0', "\u{fffd}"),
        Value::Array(items) => items.iter_mut().for_each(storable),
        Value::Object(fields) => fields.values_mut().for_each(storable),
        _ => {}
    }
}
