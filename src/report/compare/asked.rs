//! Whether a run asked about something at all: what it was not asked about has
//! neither appeared nor vanished.

use crate::model::evidence::Evidence;
use crate::model::{RunReport, Scenario, ScenarioReport, Verdict};

/// Why a run has nothing to say about a subject; `None` where it asked about it.
///
/// `volume` is where the subject was measured in the other run.
pub(super) fn not_asked(
    run: &RunReport,
    other: &RunReport,
    scenario: Scenario,
    subject: &str,
    volume: Option<&str>,
) -> Option<&'static str> {
    let found = run.scenarios.iter().find(|report| report.scenario == scenario);
    if !found.is_some_and(|report| covers(report, volume)) || !names(run, other, scenario, subject) {
        return Some("not asked");
    }
    if !run.complete {
        return Some("not reached");
    }
    found.and_then(judged_nothing)
}

/// Why a scenario that was asked for judged nothing at all.
fn judged_nothing(report: &ScenarioReport) -> Option<&'static str> {
    match (&report.verdict, &report.evidence) {
        (Verdict::Skipped { .. }, _) => Some("skipped"),
        (_, Evidence::NPlusOne(evidence)) if evidence.statements == 0 => Some("nothing recorded"),
        _ => None,
    }
}

/// Whether the command that made the run includes the subject.
fn names(run: &RunReport, other: &RunReport, scenario: Scenario, subject: &str) -> bool {
    if run.confined_to == other.confined_to {
        return true;
    }
    if run.confined_to.is_empty() {
        // A statement of a trace or of the server's statistics is found only where these were asked.
        return !is_found_elsewhere(other, scenario, subject);
    }
    run.confined_to.iter().any(|name| {
        let rest = subject.strip_prefix(name.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', ':']))
    })
}

/// Whether no file of the project declares the subject.
fn is_found_elsewhere(run: &RunReport, scenario: Scenario, subject: &str) -> bool {
    let evidence = run.scenarios.iter().filter(|report| report.scenario == scenario).map(|r| &r.evidence);
    evidence.into_iter().any(|evidence| match evidence {
        Evidence::SlowQueries(evidence) => {
            let mut queries = evidence.volumes.iter().flat_map(|volume| &volume.queries);
            queries.any(|query| query.query == subject && query.origin.is_some())
        }
        _ => false,
    })
}

/// Whether the scenario measured at that volume.
fn covers(report: &ScenarioReport, volume: Option<&str>) -> bool {
    let Some(volume) = volume else { return true };
    match &report.evidence {
        Evidence::SlowQueries(evidence) if !evidence.volumes.is_empty() => {
            evidence.volumes.iter().any(|measured| measured.volume == volume)
        }
        Evidence::Regression(evidence) if !evidence.volume.is_empty() => evidence.volume == volume,
        _ => true,
    }
}
