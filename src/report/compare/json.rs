//! A comparison as JSON: verdicts, findings and every measurement with its judgement.

use super::{Comparison, Judgement};
use crate::model::{Finding, Measurement, RunReport, Scenario};
use serde_json::{Value, json};
use std::io;

/// Goes up when a key changes its meaning or goes away.
const SCHEMA_VERSION: u32 = 2;

/// Writes the comparison, indented, with a final newline.
///
/// # Errors
/// Whatever `out` fails with.
pub fn write(comparison: &Comparison<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    let fairness = &comparison.fairness;
    let value = json!({
        "schema_version": SCHEMA_VERSION,
        "before": run(comparison.before),
        "after": run(comparison.after),
        "differences": fairness.differences,
        "times_not_judged_because": fairness.times,
        "counters_not_judged_because": fairness.counters,
        "verdicts": comparison.verdicts.iter().map(|pair| json!({
            "scenario": pair.scenario.name(),
            "before": pair.before.map(|s| s.verdict.word()),
            "after": pair.after.map(|s| s.verdict.word()),
            "change": pair.change(),
        })).collect::<Vec<_>>(),
        "findings": {
            "new": findings(&comparison.new),
            "gone": findings(&comparison.gone),
            "in_both": comparison.kept,
            "not_asked_in_one": comparison.not_asked,
        },
        "level_changes_between": comparison.since,
        "measurements": comparison.measurements.iter().map(|pair| {
            let m = pair.any();
            json!({
                "scenario": pair.scenario.name(),
                "subject": m.subject,
                "metric": m.metric,
                "unit": m.unit.suffix(),
                "volume": m.volume,
                "variant": m.variant.word(),
                "before": pair.before.map(figure),
                "after": pair.after.map(figure),
                "ratio": pair.ratio(),
                "judgement": pair.judgement.word().replace(' ', "-"),
                "because": match &pair.judgement { Judgement::NotJudged(why) => Some(why), _ => None },
            })
        }).collect::<Vec<_>>(),
    });
    serde_json::to_writer_pretty(&mut *out, &value)?;
    writeln!(out)
}

fn run(report: &RunReport) -> Value {
    json!({
        "run_id": report.run_id,
        "started_at": report.started_at,
        "git_commit": report.environment.git_commit,
        "server_version": report.target.as_ref().map(|target| &target.server_version),
        "seed": report.seed,
        "complete": report.complete,
        "verdict": report.verdict().word(),
    })
}

fn findings(findings: &[(Scenario, &Finding)]) -> Vec<Value> {
    let entry = |(scenario, finding): &(Scenario, &Finding)| {
        json!({
            "scenario": scenario.name(),
            "code": finding.code,
            "subject": finding.subject,
            "message": finding.message,
            "next_step": finding.next_step,
        })
    };
    findings.iter().map(entry).collect()
}

/// Numbers that are not finite become `null`, as in the run report.
fn figure(m: &Measurement) -> Value {
    let interval = m.interval.map(|i| json!({ "low": i.low, "high": i.high, "confidence": i.confidence }));
    json!({ "value": m.value, "samples": m.samples, "interval": interval })
}
