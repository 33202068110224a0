//! From slices to the report: pure.

use super::verdict::{self, Answer};
use super::{Options, Question};
use crate::load::Workload;
use crate::load::judge::{Judgement, Outcome, Rule};
use crate::load::search::{Line, line, rate_of};
use crate::load::slice::{LEAD_IN, Limit, Slice};
use crate::load::step::Step;
use crate::model::evidence::Evidence;
use crate::model::evidence::load::{
    LoadDecision, LoadEvidence, LoadLatency, LoadLimit, LoadLine, LoadOver, LoadQuery, LoadSlice, LoadStep,
};
use crate::model::{Interval, Measurement, Metric, Scenario, ScenarioReport, Unit, Variant};
use crate::stats::histogram::{HIGHEST, LatencyHistogram};
use crate::stats::{self, Estimate};
use std::time::Duration;

/// What was measured so far.
pub(super) struct Measured {
    pub(super) volume: String,
    pub(super) rule: Rule,
    /// Who set the limits.
    pub(super) origins: &'static str,
    /// Queries left out because they write.
    pub(super) left_out: Vec<String>,
    /// In the order in which they were first tried.
    pub(super) steps: Vec<Step>,
    /// The bound that ended the search.
    pub(super) is_cut: Option<String>,
    pub(super) duration: Duration,
}

/// The report of what was measured so far.
pub(super) fn report(measured: &Measured, options: &Options, workload: &Workload) -> ScenarioReport {
    let found = (options.question == Question::Find).then(|| line(&measured.tried()));
    let evidence = evidence(measured, options, workload, found.as_ref());
    let Answer { verdict, summary, findings } = verdict::answer(&evidence, options, found.as_ref());
    let warnings = verdict::doubts(&evidence, measured);
    ScenarioReport {
        scenario: Scenario::Load,
        verdict,
        summary,
        findings,
        measurements: measurements(&evidence, found.as_ref()),
        evidence: Evidence::Load(evidence),
        warnings,
        duration_ms: u64::try_from(measured.duration.as_millis()).unwrap_or(u64::MAX),
    }
}

fn evidence(
    measured: &Measured,
    options: &Options,
    workload: &Workload,
    found: Option<&Line>,
) -> LoadEvidence {
    let rule = &measured.rule;
    let is_closed = matches!(options.question, Question::Clients(_));
    let mut steps: Vec<LoadStep> = measured.steps.iter().map(|one| step(one, rule, is_closed)).collect();
    steps.sort_by(|a, b| a.offered_per_s.total_cmp(&b.offered_per_s));
    let queries = workload.queries.iter().zip(workload.shares());
    LoadEvidence {
        volume: measured.volume.clone(),
        loop_kind: if is_closed { "closed" } else { "open" },
        pacing: if is_closed { "back to back" } else { options.pacing.word() },
        connections: rule.connections,
        queries: queries
            .map(|(query, share)| LoadQuery {
                query: query.name.clone(),
                share,
                writes: query.writes,
                parameter_sets: query.sets.len(),
            })
            .collect(),
        limits: if is_closed {
            Vec::new()
        } else {
            rule.limits.iter().map(|one| limit(one, workload, measured.origins)).collect()
        },
        decision: LoadDecision {
            confidence: rule.confidence,
            slices_min: rule.slices_min,
            slices_max: rule.slices_max,
            slice_s: rule.slice.as_secs_f64(),
            lead_in: LEAD_IN,
        },
        steps,
        line: found.map(|found| load_line(found, options)),
        at_least: options.at_least,
    }
}

fn limit(limit: &Limit, workload: &Workload, origin: &'static str) -> LoadLimit {
    let query = limit.query.and_then(|index| workload.queries.get(index));
    LoadLimit {
        text: limit.text.clone(),
        query: query.map(|query| query.name.clone()),
        quantile: limit.quantile,
        limit_us: limit.latency.as_secs_f64() * 1e6,
        origin,
    }
}

fn step(step: &Step, rule: &Rule, is_closed: bool) -> LoadStep {
    let Judgement { outcome, over, followed } = rule.judge(&step.slices);
    let sum = |of: fn(&Slice) -> u64| step.slices.iter().map(of).sum::<u64>();
    let seconds: f64 = step.slices.iter().map(|slice| slice.length_s).sum::<f64>().max(1e-9);
    let completed_per_s = sum(|slice| slice.completed_in_time) as f64 / seconds;
    let cpus = step.slices.iter().map(|slice| slice.generator_cpus * slice.length_s).sum::<f64>() / seconds;
    LoadStep {
        offered_per_s: if is_closed { completed_per_s } else { step.rate },
        outcome: if is_closed { "measured" } else { outcome.word() },
        because: if is_closed { String::new() } else { because(&outcome) },
        due: sum(|slice| slice.due),
        completed: sum(|slice| slice.completed),
        queued: sum(|slice| slice.queued),
        dropped: sum(|slice| slice.dropped),
        errors: errors(step),
        completed_per_s,
        followed: followed.filter(|_| !is_closed).map(|followed| bounds(followed.interval)),
        latency: latency(&step.latency),
        service: latency(&step.service),
        lateness_p99_us: if is_closed { 0.0 } else { step.lateness.quantile_us(0.99).unwrap_or(0.0) },
        generator_cpu_share: cpus / rule.cpu_count.max(1) as f64,
        over: if is_closed { Vec::new() } else { over.into_iter().map(load_over).collect() },
        queries: step.queries.iter().map(latency).collect(),
        slices: step.slices.iter().map(slice).collect(),
    }
}

fn because(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Holds => "every limit is kept and the server follows".into(),
        Outcome::Breaks(why) | Outcome::GeneratorBound(why) => why.clone(),
        Outcome::Open { needs, .. } => format!("would be decided by {needs}"),
    }
}

fn bounds(interval: stats::Interval) -> Interval {
    Interval { low: interval.low, high: interval.high, confidence: interval.confidence }
}

fn load_over(over: Estimate) -> LoadOver {
    LoadOver { share: over.value, interval: bounds(over.interval) }
}

fn errors(step: &Step) -> Vec<(String, u64, String)> {
    let text = |sqlstate: &[u8; 5]| String::from_utf8_lossy(sqlstate).into_owned();
    let message = |sqlstate: &[u8; 5]| step.messages.get(sqlstate).cloned().unwrap_or_default();
    let mut all = std::collections::BTreeMap::new();
    for (sqlstate, count) in step.slices.iter().flat_map(|slice| &slice.errors) {
        *all.entry(sqlstate).or_insert(0) += count;
    }
    all.into_iter().map(|(sqlstate, count)| (text(sqlstate), count, message(sqlstate))).collect()
}

/// `None` where nothing was answered.
fn latency(histogram: &LatencyHistogram) -> Option<LoadLatency> {
    // What was never sent lies beyond the end of the histogram.
    let end_us = HIGHEST.as_secs_f64() * 1e6 * 0.999;
    let finite = |us: f64| if us < end_us { us } else { f64::INFINITY };
    let at = |p| histogram.quantile_us(p).map(finite);
    Some(LoadLatency {
        samples: histogram.count(),
        avg_us: if histogram.saturated() > 0 { f64::INFINITY } else { histogram.mean_us()? },
        p50_us: at(0.5)?,
        p90_us: at(0.9)?,
        p95_us: at(0.95)?,
        p99_us: at(0.99)?,
        max_us: histogram.max_us().map(finite)?,
    })
}

fn slice(slice: &Slice) -> LoadSlice {
    let [p50_us, p95_us, p99_us] = slice.percentiles_us.unwrap_or([f64::NAN; 3]);
    LoadSlice {
        began_s: slice.began_s,
        length_s: slice.length_s,
        p50_us,
        p95_us,
        p99_us,
        completed_per_s: slice.completed_in_time as f64 / slice.length_s.max(1e-9),
    }
}

fn load_line(found: &Line, options: &Options) -> LoadLine {
    let because = match (&found.breaks, &found.generator_bound) {
        (Some(tried), _) | (None, Some(tried)) => match &tried.outcome {
            Outcome::Breaks(why) | Outcome::GeneratorBound(why) => why.clone(),
            _ => String::new(),
        },
        (None, None) => String::new(),
    };
    LoadLine {
        holds_per_s: found.holds.as_ref().map(|tried| rate_of(tried.rung)),
        sustained_per_s: found.holds.as_ref().map(|tried| tried.sustained),
        breaks_per_s: found.breaks.as_ref().map(|tried| rate_of(tried.rung)),
        generator_bound_per_s: found.generator_bound.as_ref().map(|tried| rate_of(tried.rung)),
        because,
        verdict: verdict::of_line(found, options),
    }
}

/// What trends and comparisons follow: the line, and the latency at the highest rate that holds,
/// or at the only one.
fn measurements(evidence: &LoadEvidence, found: Option<&Line>) -> Vec<Measurement> {
    let mut all = Vec::new();
    let volume = &evidence.volume;
    let mut add = |subject: &str, metric: Metric, unit: Unit, value: f64, samples: u64, interval| {
        if value.is_finite() {
            let (subject, volume) = (subject.to_owned(), Some(volume.clone()));
            let variant = Variant::Only;
            all.push(Measurement { subject, metric, unit, value, samples, interval, volume, variant });
        }
    };
    if let Some(line) = &evidence.line {
        let slices = |rate: f64| {
            let step = evidence.steps.iter().find(|step| step.offered_per_s.total_cmp(&rate).is_eq());
            step.map_or(0, |step| step.slices.len() as u64)
        };
        if let Some(holds) = line.holds_per_s {
            let interval = Interval {
                low: line.sustained_per_s.unwrap_or(holds),
                high: line.breaks_per_s.unwrap_or(f64::INFINITY),
                confidence: evidence.decision.confidence,
            };
            add("all requests", "holds_at", Unit::PerSecond, holds, slices(holds), Some(interval));
        }
        if let Some(breaks) = line.breaks_per_s {
            add("all requests", "breaks_at", Unit::PerSecond, breaks, slices(breaks), None);
        }
    }
    let shown = match found {
        Some(found) => {
            let rate = found.holds.as_ref().map(|tried| rate_of(tried.rung));
            rate.and_then(|rate| {
                evidence.steps.iter().find(|step| step.offered_per_s.total_cmp(&rate).is_eq())
            })
        }
        None => evidence.steps.first(),
    };
    let Some(shown) = shown else { return all };
    if found.is_none() {
        add("all requests", "completed", Unit::PerSecond, shown.completed_per_s, shown.completed, None);
    }
    let of_queries = evidence.queries.iter().map(|query| query.query.as_str()).zip(&shown.queries);
    let subjects = std::iter::once(("all requests", &shown.latency)).chain(of_queries);
    for (subject, latency) in subjects {
        let Some(latency) = latency else { continue };
        for (metric, value) in [
            ("avg", latency.avg_us),
            ("p50", latency.p50_us),
            ("p95", latency.p95_us),
            ("p99", latency.p99_us),
            ("max", latency.max_us),
        ] {
            add(subject, metric, Unit::Microseconds, value, latency.samples, None);
        }
    }
    all
}
