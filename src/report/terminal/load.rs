//! The load curve as a table: a line a rate, a bar for the limited percentile,
//! and the line between what holds and what breaks.

use crate::model::confidence_percent;
use crate::model::evidence::load::{LoadEvidence, LoadLatency, LoadStep};
use crate::report::table::{self, Align};
use crate::report::units;

/// Characters of a bar.
const BAR: usize = 20;

/// Empty where nothing was offered.
pub(in crate::report) fn lines(evidence: &LoadEvidence) -> Vec<String> {
    if evidence.steps.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![heading(evidence)];
    lines.extend(table::lines(&header(evidence), &rows(evidence)));
    lines.extend(legend(evidence));
    lines
}

fn heading(evidence: &LoadEvidence) -> String {
    let queries: Vec<String> = evidence
        .queries
        .iter()
        .map(|query| format!("{} {:.0} %", query.query, query.share * 100.0))
        .collect();
    let connections = evidence.connections;
    if evidence.loop_kind == "closed" {
        return format!(
            "closed loop, {connections} clients, each waits for its answer: service time · {}",
            queries.join(", ")
        );
    }
    format!(
        "open loop, {} arrivals, {connections} connections, latency from when a request was due · {}",
        evidence.pacing,
        queries.join(", ")
    )
}

fn header(evidence: &LoadEvidence) -> Vec<(&'static str, Align)> {
    let mut header = vec![
        (if evidence.loop_kind == "closed" { "served" } else { "offered" }, Align::Right),
        ("p50", Align::Right),
        ("p95", Align::Right),
        ("p99", Align::Right),
    ];
    if evidence.loop_kind != "closed" {
        header.extend([
            ("p95, log", Align::Left),
            ("queued", Align::Right),
            ("never sent", Align::Right),
            ("errors", Align::Right),
            ("slices", Align::Right),
            ("", Align::Left),
        ]);
    } else {
        header.extend([("errors", Align::Right), ("slices", Align::Right)]);
    }
    header
}

fn rows(evidence: &LoadEvidence) -> Vec<Vec<String>> {
    let p95 = |step: &LoadStep| step.latency.as_ref().map(|latency| latency.p95_us);
    let finite = || evidence.steps.iter().filter_map(p95).filter(|us| us.is_finite() && *us > 0.0);
    let (low, high) = (finite().fold(f64::INFINITY, f64::min), finite().fold(0.0, f64::max));
    evidence.steps.iter().map(|step| row(evidence, step, p95(step), (low, high))).collect()
}

fn row(evidence: &LoadEvidence, step: &LoadStep, p95_us: Option<f64>, range: (f64, f64)) -> Vec<String> {
    let shown = |of: fn(&LoadLatency) -> f64| {
        step.latency.as_ref().map_or_else(|| "-".into(), |latency| units::duration_us(of(latency)))
    };
    let share = |count: u64| match count {
        0 => String::new(),
        _ => format!("{:.1} %", 100.0 * count as f64 / step.due.max(1) as f64),
    };
    let errors = share(step.errors.iter().map(|(_, count, _)| count).sum());
    let slices = step.slices.len().to_string();
    let rate = if evidence.loop_kind == "closed" { step.offered_per_s.round() } else { step.offered_per_s };
    let mut cells = vec![
        format!("{rate}/s"),
        shown(|latency| latency.p50_us),
        shown(|latency| latency.p95_us),
        shown(|latency| latency.p99_us),
    ];
    if evidence.loop_kind == "closed" {
        cells.extend([errors, slices]);
    } else {
        let outcome = outcome(evidence, step);
        cells.extend([bar(p95_us, range), share(step.queued), share(step.dropped), errors, slices, outcome]);
    }
    cells
}

/// The outcome, with the mark of the line.
fn outcome(evidence: &LoadEvidence, step: &LoadStep) -> String {
    let is = |rate: Option<f64>| rate.is_some_and(|rate| rate.total_cmp(&step.offered_per_s).is_eq());
    let line = evidence.line.as_ref();
    let word = match step.outcome {
        "open" => "undecided",
        "generator-bound" => "generator is the limit",
        word => word,
    };
    if line.is_some_and(|line| is(line.holds_per_s)) {
        return format!("{word}  ▔▔ the line is above");
    }
    if line.is_some_and(|line| is(line.breaks_per_s)) {
        return format!("{word} ▁▁ the line is below");
    }
    word.to_owned()
}

/// On a logarithmic scale; what is not finite runs off it.
fn bar(us: Option<f64>, (low, high): (f64, f64)) -> String {
    let Some(us) = us else { return String::new() };
    if !us.is_finite() {
        return format!("{}▶", "█".repeat(BAR));
    }
    let span = (high / low).ln().max(1e-9);
    let filled = 1 + ((us.max(low) / low).ln() / span * (BAR as f64 - 1.0)).round() as usize;
    "█".repeat(filled.min(BAR))
}

fn legend(evidence: &LoadEvidence) -> Vec<String> {
    let mut lines = Vec::new();
    if evidence.limits.is_empty() {
        return lines;
    }
    let texts: Vec<&str> = evidence.limits.iter().map(|limit| limit.text.as_str()).collect();
    let origin = match evidence.limits[0].origin {
        "asked" => "",
        "project" => " (of the project)",
        _ => " (the default: set one with --limit)",
    };
    lines.push(format!(" limits: {}{origin}", texts.join(", ")));
    if let Some(line) = &evidence.line
        && !line.because.is_empty()
        && let Some(rate) = line.breaks_per_s.or(line.generator_bound_per_s)
    {
        lines.push(format!(" at {rate}/s: {}", line.because));
    }
    if let Some(line) = &evidence.line
        && let (Some(holds), Some(sustained)) = (line.holds_per_s, line.sustained_per_s)
    {
        lines.push(format!(
            " at {holds}/s: surely {sustained:.0}/s were served, {} confidence, slices as the unit",
            confidence_percent(evidence.decision.confidence)
        ));
    }
    lines
}
