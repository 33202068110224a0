//! JUnit XML: a test suite a scenario, a test case a subject (for `n-plus-one` a
//! scope), so that a CI server lists what failed by name.

mod scopes;

use crate::model::evidence::Evidence;
use crate::model::evidence::regression::Change;
use crate::model::{Finding, RunReport, Scenario, ScenarioReport, Severity, Verdict};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

/// Of a query that nobody asked for a verdict.
const NOT_JUDGED: &str = "not-judged";

/// The statement that `slow-queries` measures the machine with: no query of the project.
const REFERENCE: &str = "ping";

/// Writes the report.
///
/// # Errors
/// Whatever `out` fails with.
pub fn write(report: &RunReport, out: &mut dyn io::Write) -> io::Result<()> {
    let mut junit = Report::new("plimsoll");
    for scenario in &report.scenarios {
        junit.add_test_suite(suite(scenario, report.fails_in_doubt(scenario)));
    }
    if !report.complete {
        junit.add_test_suite(cut_short());
    }
    let xml = junit.to_string().map_err(io::Error::other)?;
    out.write_all(without_total_of_skipped(&xml).as_bytes())
}

/// A run that was cut short has not passed, whatever it had found until then.
fn cut_short() -> TestSuite {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    status.set_message("the run was cut short: what follows is missing").set_type("partial");
    let mut case = TestCase::new("complete", status);
    case.set_classname("plimsoll.run");
    let mut suite = TestSuite::new("run");
    suite.add_test_case(case);
    suite
}

/// The schema that Jenkins reads by knows `skipped` of a suite, not of all suites.
fn without_total_of_skipped(xml: &str) -> String {
    let Some((before, tag)) = xml.split_once("<testsuites ") else { return xml.to_owned() };
    let (tag, after) = tag.split_once('>').unwrap_or((tag, ""));
    let kept: Vec<_> = tag.split(' ').filter(|attribute| !attribute.starts_with("skipped=")).collect();
    format!("{before}<testsuites {}>{after}", kept.join(" "))
}

/// Where `doubt_fails`, what nobody came to a verdict on is a failure, since the exit code is one.
fn suite(scenario: &ScenarioReport, doubt_fails: bool) -> TestSuite {
    let mut suite = TestSuite::new(scenario.scenario.name());
    suite.set_time(Duration::from_millis(scenario.duration_ms));
    suite.add_test_cases(match &scenario.evidence {
        Evidence::NPlusOne(evidence) => {
            let mut cases = scopes::cases(evidence);
            cases.extend(other_cases(scenario, doubt_fails));
            cases
        }
        _ => subject_cases(scenario, doubt_fails),
    });
    suite.add_test_case(verdict_case(scenario, doubt_fails));
    suite
}

/// What is found of `n-plus-one` beside loops and repetitions: a case each.
fn other_cases(scenario: &ScenarioReport, doubt_fails: bool) -> Vec<TestCase> {
    let others = scenario.findings.iter().filter(|finding| !scopes::CODES.contains(&finding.code));
    let name = |finding: &Finding| format!("{}: {}", finding.subject, finding.code);
    others.map(|finding| subject_case(scenario, &name(finding), &[finding], doubt_fails)).collect()
}

fn subject_cases(scenario: &ScenarioReport, doubt_fails: bool) -> Vec<TestCase> {
    let case = |subject| {
        let findings: Vec<_> = scenario.findings.iter().filter(|f| f.subject == subject).collect();
        subject_case(scenario, subject, &findings, doubt_fails)
    };
    subjects(scenario).into_iter().map(case).collect()
}

/// Everything measured or found, once each, in a stable order.
fn subjects(scenario: &ScenarioReport) -> BTreeSet<&str> {
    let is_query = |subject: &&str| scenario.scenario != Scenario::SlowQueries || *subject != REFERENCE;
    let measured = scenario.measurements.iter().map(|m| m.subject.as_str()).filter(is_query);
    measured.chain(scenario.findings.iter().map(|f| f.subject.as_str())).collect()
}

fn subject_case(
    scenario: &ScenarioReport,
    subject: &str,
    findings: &[&Finding],
    doubt_fails: bool,
) -> TestCase {
    let failures: Vec<_> = findings.iter().filter(|f| f.severity == Severity::Failure).collect();
    let mut status = TestCaseStatus::success();
    if let Some(first) = failures.first() {
        status = failure(&first.message, first.code);
        status.set_description(failures.iter().map(|f| description(f)).collect::<Vec<_>>().join("\n\n"));
    }
    if let (true, Some(doubt)) = (failures.is_empty(), findings.iter().find(|f| is_unjudged(f))) {
        let message = format!("{}; {}", doubt.message, doubt.next_step);
        // What was not asked for a verdict is in no doubt.
        status = in_doubt(&message, doubt_fails && doubt.code != NOT_JUDGED);
    } else if let (true, Some(open)) = (failures.is_empty(), undecided(&scenario.evidence, subject)) {
        status = in_doubt(&open.message, doubt_fails && open.was_judged);
    }
    let mut case = TestCase::new(subject, status);
    case.set_classname(format!("plimsoll.{}", scenario.scenario.name()));
    let notes: Vec<_> =
        findings.iter().filter(|f| f.severity != Severity::Failure).map(|f| description(f)).collect();
    if !notes.is_empty() {
        case.set_system_out(notes.join("\n\n"));
    }
    case
}

/// A subject nobody came to a verdict on must not look like one that passed.
fn is_unjudged(finding: &Finding) -> bool {
    matches!(finding.code, "undecided" | NOT_JUDGED | "query-cancelled")
}

/// What was neither passed nor failed.
struct Open {
    message: String,
    /// Whether anybody tried to: else it was skipped.
    was_judged: bool,
}

impl Open {
    fn of(verdict: &Verdict) -> Option<Self> {
        match verdict {
            Verdict::Inconclusive { needs } => {
                let message = format!("inconclusive: would be decided by {needs}");
                Some(Self { message, was_judged: true })
            }
            Verdict::Skipped { reason } => Some(Self { message: reason.clone(), was_judged: false }),
            Verdict::Pass | Verdict::Fail => None,
        }
    }
}

/// Why the evidence does not decide about a subject: there need not be a finding of it.
fn undecided(evidence: &Evidence, subject: &str) -> Option<Open> {
    match evidence {
        Evidence::Regression(evidence) => evidence
            .queries
            .iter()
            .find(|query| query.query == subject && query.change == Change::Inconclusive)
            .map(|query| Open { message: format!("inconclusive: {}", query.because), was_judged: true }),
        Evidence::SlowQueries(evidence) => {
            let queries = evidence.volumes.iter().flat_map(|volume| &volume.queries);
            queries.filter(|query| query.query == subject).find_map(|query| Open::of(&query.verdict))
        }
        Evidence::Deadlock(evidence) => {
            evidence.specs.iter().filter(|spec| spec.name == subject).find_map(|spec| Open::of(&spec.verdict))
        }
        _ => None,
    }
}

/// The scenario's own verdict, so that doubt and skipping are visible, too.
fn verdict_case(scenario: &ScenarioReport, doubt_fails: bool) -> TestCase {
    let status = match Open::of(&scenario.verdict) {
        Some(open) => in_doubt(&open.message, doubt_fails),
        None if scenario.verdict == Verdict::Fail => failure(&scenario.summary, "verdict"),
        None => TestCaseStatus::success(),
    };
    let mut case = TestCase::new("verdict", status);
    case.set_classname(format!("plimsoll.{}", scenario.scenario.name()));
    let doubts = scenario.warnings.iter().map(|w| format!("doubt: {}", w.message()));
    let lines: Vec<_> = std::iter::once(scenario.summary.clone()).chain(doubts).collect();
    case.set_system_out(lines.join("\n"));
    case
}

/// Skipped, or a failure where doubt is one.
fn in_doubt(message: &str, fails: bool) -> TestCaseStatus {
    if fails {
        return failure(&format!("{message} (--strict: doubt fails)"), "inconclusive");
    }
    let mut status = TestCaseStatus::skipped();
    status.set_message(message);
    status
}

fn failure(message: &str, kind: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_message(message).set_type(kind);
    status
}

fn description(finding: &Finding) -> String {
    let mut lines = vec![format!("{}: {}", finding.code, finding.message)];
    lines.extend(finding.location.iter().map(|l| format!("at {l}")));
    lines.extend(finding.evidence.iter().cloned());
    if !finding.next_step.is_empty() {
        lines.push(format!("next: {}", finding.next_step));
    }
    lines.join("\n")
}
