//! From what was found to the scenario's report: verdict, summary, measurements. Pure.

use super::comparison::Found;
use super::verdict::{self, Thresholds};
use crate::model::evidence::Evidence;
use crate::model::evidence::regression::{Change, NoiseFloor, QueryComparison};
use crate::model::{
    Interval, Measurement, MeasurementWarning, Scenario, ScenarioReport, Severity, Unit, Variant, Verdict,
};
use crate::stats::ratio::{Pair, clustered_median_ratio};

/// Confidence of the floor as it is shown.
const FLOOR_CONFIDENCE: f64 = 0.95;

/// The report of a question that could not be asked.
#[must_use]
pub fn skipped(reason: &str) -> ScenarioReport {
    ScenarioReport {
        scenario: Scenario::Regression,
        verdict: Verdict::Skipped { reason: reason.to_owned() },
        summary: format!("not run because {reason}"),
        findings: vec![],
        measurements: vec![],
        evidence: Evidence::None,
        warnings: vec![],
        duration_ms: 0,
    }
}

/// The whole report.
#[must_use]
pub fn report(found: &Found, limits: &Thresholds, duration_us: f64) -> ScenarioReport {
    let mut report = partial(found, limits);
    if cfg!(debug_assertions) {
        report.warnings.push(MeasurementWarning::DebugBuild);
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a duration is positive and short"
    )]
    let duration_ms = (duration_us / 1000.0).round() as u64;
    report.duration_ms = duration_ms;
    report
}

/// The report as far as it goes.
#[must_use]
pub fn partial(found: &Found, limits: &Thresholds) -> ScenarioReport {
    let mut findings = found.findings.clone();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    ScenarioReport {
        scenario: Scenario::Regression,
        verdict: scenario_verdict(found, limits),
        summary: summary(found, limits),
        findings,
        measurements: found
            .evidence
            .queries
            .iter()
            .flat_map(|query| measurements(query, &found.evidence.volume))
            .collect(),
        evidence: evidence(found),
        warnings: found.warnings.clone(),
        duration_ms: 0,
    }
}

fn scenario_verdict(found: &Found, limits: &Thresholds) -> Verdict {
    if found.findings.iter().any(|finding| finding.severity == Severity::Failure) {
        return Verdict::Fail;
    }
    let each: Vec<Verdict> =
        found.evidence.queries.iter().map(|query| verdict::query_verdict(query, limits)).collect();
    Verdict::of_all(&each)
        .unwrap_or_else(|| Verdict::Skipped { reason: "the project has no query to compare".into() })
}

fn summary(found: &Found, limits: &Thresholds) -> String {
    let evidence = &found.evidence;
    let mut parts = Vec::new();
    for word in ["regressed", "slower within the limit", "unstable", "improved", "unchanged", "inconclusive"]
    {
        let count = evidence.queries.iter().filter(|query| outcome(query, limits) == word).count();
        if count > 0 {
            parts.push(format!("{count} {word}"));
        }
    }
    let counts = if parts.is_empty() { "no query compared".to_owned() } else { parts.join(", ") };
    let floor = noise_floor(&found.identical).map(|floor| {
        let Interval { low, high, .. } = floor.interval;
        format!("; a clone against itself reads as {:.3}x ({low:.3} to {high:.3})", floor.ratio)
    });
    let volume =
        if evidence.volume.is_empty() { String::new() } else { format!(" at volume {}", evidence.volume) };
    let at = format!("{} → {}{volume}", evidence.from, evidence.to);
    format!("{at}: {counts}{}", floor.unwrap_or_default())
}

/// What became of a query, in the summary's words: `regressed` is only what fails.
fn outcome(query: &QueryComparison, limits: &Thresholds) -> &'static str {
    match query.change {
        Change::Regressed if verdict::fails(query, limits) => "regressed",
        Change::Regressed if query.is_unstable => "unstable",
        Change::Regressed => "slower within the limit",
        other => other.word(),
    }
}

fn measurements(query: &QueryComparison, volume: &str) -> Vec<Measurement> {
    let one = |metric, unit, value, variant, samples, interval| Measurement {
        subject: query.query.clone(),
        metric,
        unit,
        value,
        samples,
        interval,
        volume: (!volume.is_empty()).then(|| volume.to_owned()),
        variant,
    };
    let mut all = Vec::new();
    if let Some(set) = verdict::representative(&query.parameter_sets) {
        for counter in &set.counters {
            all.push(one(counter.metric, counter.unit, counter.before, Variant::Before, 1, None));
            all.push(one(counter.metric, counter.unit, counter.after, Variant::After, 1, None));
        }
        all.push(one("cost", Unit::Cost, set.cost.0, Variant::Before, 1, None));
        all.push(one("cost", Unit::Cost, set.cost.1, Variant::After, 1, None));
    }
    if let Some(time) = &query.time {
        for (metric, estimate) in [("wall_time_ratio", time.wall), ("server_time_ratio", time.server)] {
            let Some(estimate) = estimate else { continue };
            let pairs = estimate.pairs as u64;
            all.push(one(metric, Unit::Ratio, estimate.ratio, Variant::Only, pairs, Some(estimate.interval)));
        }
        for (metric, (before, after)) in
            [("wall_time", time.median_wall_us), ("server_time", time.median_server_us)]
        {
            let pairs = time.wall.map_or(0, |estimate| estimate.pairs as u64);
            all.push(one(metric, Unit::Microseconds, before, Variant::Before, pairs, None));
            all.push(one(metric, Unit::Microseconds, after, Variant::After, pairs, None));
        }
    }
    all
}

fn evidence(found: &Found) -> Evidence {
    let mut evidence = found.evidence.clone();
    evidence.noise_floor = noise_floor(&found.identical);
    Evidence::Regression(Box::new(evidence))
}

/// The floor over all queries of the run.
fn noise_floor(identical: &[Vec<Pair>]) -> Option<NoiseFloor> {
    let estimate = clustered_median_ratio(identical, FLOOR_CONFIDENCE)?;
    Some(NoiseFloor {
        ratio: estimate.value,
        interval: estimate.interval.into(),
        connection_pairs: estimate.units,
    })
}
