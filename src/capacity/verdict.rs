//! What the bracket, or the one rate asked for, comes to.

use super::evidence::Measured;
use super::{Options, Question};
use crate::load::search::{Line, rate_of};
use crate::model::evidence::load::{LoadEvidence, LoadStep};
use crate::model::{Finding, MeasurementWarning, Severity, Verdict};

/// A generator this busy leaves less for a server on the same machine.
const BUSY_GENERATOR_SHARE: f64 = 0.2;

const MORE: &str = "longer slices (--slice 5s), more of them (--slices 30), or more time (--max-time 10min)";

/// What is said.
pub(super) struct Answer {
    pub(super) verdict: Verdict,
    pub(super) summary: String,
    pub(super) findings: Vec<Finding>,
}

/// The verdict with its sentence.
pub(super) fn answer(evidence: &LoadEvidence, options: &Options, found: Option<&Line>) -> Answer {
    let mut findings: Vec<Finding> = errors(evidence).into_iter().collect();
    let (verdict, summary) = match (options.question, found) {
        (Question::Find, Some(found)) => {
            findings.extend(of_finding(evidence, found, options));
            (of_line(found, options), line_summary(found, options))
        }
        (Question::Clients(clients), _) => (Verdict::Pass, closed_summary(evidence, clients)),
        _ => {
            findings.extend(of_rate(evidence));
            rate_answer(evidence)
        }
    };
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    Answer { verdict, summary, findings }
}

fn per_second(rate: f64) -> String {
    // Rates are preferred numbers or what somebody typed: shown as they are.
    format!("{rate}/s")
}

/// Of the floor, where there is one; without, the line has to be there.
pub(super) fn of_line(found: &Line, options: &Options) -> Verdict {
    if found.is_contradicted {
        return Verdict::Inconclusive {
            needs: "a quiet machine: a rate broke, and a higher one held at another time".into(),
        };
    }
    let Some(floor) = options.at_least else { return without_floor(found) };
    if found.proves(floor) {
        return Verdict::Pass;
    }
    if found.refutes(floor) {
        return Verdict::Fail;
    }
    Verdict::Inconclusive { needs: floor_needs(found, floor) }
}

fn without_floor(found: &Line) -> Verdict {
    match (&found.holds, &found.breaks, &found.generator_bound) {
        (_, None, Some(bound)) => Verdict::Inconclusive { needs: generator_needs(rate_of(bound.rung)) },
        (None, None, None) => Verdict::Inconclusive { needs: MORE.into() },
        _ => Verdict::Pass,
    }
}

fn generator_needs(rate: f64) -> String {
    format!(
        "a generator that keeps up with {}: run it on another machine, or on one with more processors",
        per_second(rate)
    )
}

fn floor_needs(found: &Line, floor: f64) -> String {
    if let Some(bound) = found.generator_bound.as_ref().filter(|bound| rate_of(bound.rung) <= floor) {
        return generator_needs(rate_of(bound.rung));
    }
    let holds = found.holds.as_ref().map_or(0.0, |holds| holds.sustained);
    match &found.breaks {
        None if found.holds.is_some() && holds < floor => {
            format!("rates above {}: raise --max-rate", per_second(floor))
        }
        _ => format!("{MORE}: {} lies between what surely holds and what surely breaks", per_second(floor)),
    }
}

/// `holds at 316/s, breaks at 355/s`.
fn bracket(found: &Line) -> String {
    let holds = match &found.holds {
        Some(holds) => format!("holds at {}", per_second(rate_of(holds.rung))),
        None => "no rate surely holds".into(),
    };
    match (&found.breaks, &found.generator_bound) {
        (Some(breaks), _) => format!("{holds}, breaks at {}", per_second(rate_of(breaks.rung))),
        (None, Some(bound)) => {
            format!("{holds}; at {} the generator itself is the limit", per_second(rate_of(bound.rung)))
        }
        (None, None) => format!("{holds}, and no rate that was tried surely breaks"),
    }
}

fn line_summary(found: &Line, options: &Options) -> String {
    match options.at_least {
        Some(floor) => format!("{}; {} is required", bracket(found), per_second(floor)),
        None => format!("{} (measured; no rate is required)", bracket(found)),
    }
}

fn closed_summary(evidence: &LoadEvidence, clients: usize) -> String {
    let served = evidence.steps.first().map_or(0.0, |step| step.completed_per_s);
    format!(
        "closed loop of {clients} client{}: {served:.0}/s answered; service time only, measured, not judged",
        if clients == 1 { "" } else { "s" }
    )
}

fn rate_answer(evidence: &LoadEvidence) -> (Verdict, String) {
    let Some(step) = evidence.steps.first() else {
        return (Verdict::Inconclusive { needs: "a slice".into() }, "nothing was offered".into());
    };
    let rate = per_second(step.offered_per_s);
    match step.outcome {
        "holds" => (Verdict::Pass, format!("{rate} holds")),
        "breaks" => (Verdict::Fail, format!("{rate} breaks: {}", step.because)),
        "generator-bound" => (
            Verdict::Inconclusive { needs: generator_needs(step.offered_per_s) },
            format!("{rate} is more than the generator can offer here: {}", step.because),
        ),
        _ => {
            let needs = step.because.strip_prefix("would be decided by ").unwrap_or(&step.because);
            (Verdict::Inconclusive { needs: needs.to_owned() }, format!("{rate} is not decided"))
        }
    }
}

fn of_rate(evidence: &LoadEvidence) -> Option<Finding> {
    let step = evidence.steps.first().filter(|step| step.outcome == "breaks")?;
    Some(not_held(step, step.offered_per_s))
}

fn of_finding(evidence: &LoadEvidence, found: &Line, options: &Options) -> Option<Finding> {
    let breaks = found.breaks.as_ref()?;
    let rate = rate_of(breaks.rung);
    let step = evidence.steps.iter().find(|step| step.offered_per_s.total_cmp(&rate).is_eq())?;
    match options.at_least {
        Some(floor) if of_line(found, options) == Verdict::Fail => Some(not_held(step, floor)),
        None if found.holds.is_none() => Some(Finding {
            code: "no-rate-holds",
            severity: Severity::Warning,
            subject: "load".into(),
            message: format!("no rate holds, {} breaks already", per_second(rate)),
            evidence: vec![step.because.clone()],
            next_step: "see with `plimsoll slow-queries` whether the queries keep these limits alone, or set others with --limit".into(),
            location: None,
        }),
        _ => None,
    }
}

fn not_held(step: &LoadStep, wanted: f64) -> Finding {
    let mut evidence = vec![format!("at {}: {}", per_second(step.offered_per_s), step.because)];
    evidence.push(format!(
        "{:.0}/s were answered; {} of {} requests found every connection busy, {} were never sent",
        step.completed_per_s, step.queued, step.due, step.dropped
    ));
    let slowest = step.queries.iter().flatten().map(|latency| latency.p95_us).fold(0.0, f64::max);
    if slowest.is_finite() && slowest > 0.0 {
        evidence.push(format!("the slowest query has a p95 of {:.1} ms there", slowest / 1e3));
    }
    Finding {
        code: "rate-not-held",
        severity: Severity::Failure,
        subject: "load".into(),
        message: format!("{} does not hold", per_second(wanted)),
        evidence,
        next_step: "make the query that takes most of the time cheaper (`plimsoll slow-queries`), or try more connections (--connections)".into(),
        location: None,
    }
}

fn errors(evidence: &LoadEvidence) -> Option<Finding> {
    let mut all: Vec<(&str, u64, &str)> = Vec::new();
    for (sqlstate, count, message) in evidence.steps.iter().flat_map(|step| &step.errors) {
        match all.iter_mut().find(|(known, ..)| known == sqlstate) {
            Some(known) => known.1 += count,
            None => all.push((sqlstate, *count, message)),
        }
    }
    let total: u64 = all.iter().map(|(_, count, _)| count).sum();
    let due: u64 = evidence.steps.iter().map(|step| step.due).sum();
    (total > 0).then(|| Finding {
        code: "load-errors",
        severity: Severity::Warning,
        subject: "load".into(),
        message: format!("{total} of {due} requests failed; each counts as over every limit"),
        evidence: all
            .iter()
            .map(|(sqlstate, count, message)| format!("{sqlstate} × {count}: {message}"))
            .collect(),
        next_step: "see which query it is and under which parameters: `plimsoll slow-queries` names both"
            .into(),
        location: None,
    })
}

/// What makes the line weaker than it looks.
pub(super) fn doubts(evidence: &LoadEvidence, measured: &Measured) -> Vec<MeasurementWarning> {
    let mut doubts = Vec::new();
    let writers: Vec<&str> =
        evidence.queries.iter().filter(|query| query.writes).map(|query| query.query.as_str()).collect();
    let mut say = |code, message| doubts.push(MeasurementWarning::Other { code, message });
    if !writers.is_empty() {
        let message = format!(
            "{}: writes are rolled back, so that no commit waits for the disk; the line with commits is lower",
            writers.join(", ")
        );
        say("rolled-back", message);
    }
    if !measured.left_out.is_empty() {
        let message = format!("{}: left out, the database may only be read", measured.left_out.join(", "));
        say("writes-left-out", message);
    }
    let busiest = evidence.steps.iter().map(|step| step.generator_cpu_share).fold(0.0, f64::max);
    if busiest >= BUSY_GENERATOR_SHARE {
        let message = format!(
            "the generator kept up to {:.0} % of this machine's processors busy: a server on the same machine has the rest, and holds more when it is loaded from another one",
            busiest * 100.0
        );
        say("busy-generator", message);
    }
    if let Some(bound) = &measured.is_cut {
        let left_out = "the rest of the search".into();
        doubts.push(MeasurementWarning::BoundReached { bound: bound.clone(), left_out });
    }
    doubts
}
