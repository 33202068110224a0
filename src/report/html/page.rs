//! What the page shows, as plain text for the template: all choosing, ordering
//! and formatting happens here.

use crate::model::{Finding, Measurement, RunReport, Scenario, ScenarioReport, Severity, Verdict};
use crate::report::grid::{self, Grid, GridRow};
use crate::report::printable::cut;
use crate::report::units;
use serde::Serialize;

/// The findings of the first screen.
const FINDINGS_FIRST: usize = 3;

/// Lines of evidence on the first screen, where there is room for them, and the longest.
const LINES_FIRST: usize = 2;
const LINE_CHARS: usize = 300;

/// The whole page.
#[derive(Serialize)]
pub(super) struct Page {
    project: String,
    run_id: String,
    started_at: String,
    version: String,
    seed: String,
    commit: String,
    branch: String,
    server: String,
    is_complete: bool,
    verdict: Badge,
    headline: String,
    /// The heading of the first screen's second half.
    first_title: &'static str,
    first_findings: Vec<FindingCard>,
    /// Failures and warnings beyond the first.
    findings_left: usize,
    scenarios: Vec<ScenarioSection>,
    warnings: Vec<String>,
}

/// A verdict as word, class and sign.
#[derive(Serialize)]
struct Badge {
    word: &'static str,
    sign: &'static str,
}

/// One scenario.
#[derive(Serialize)]
struct ScenarioSection {
    name: &'static str,
    question: &'static str,
    verdict: Badge,
    summary: String,
    /// Its first clause, for the first screen.
    short_summary: String,
    doubt: String,
    duration: String,
    findings: Vec<FindingCard>,
    /// Figures: markup of our own, escaped where it was made.
    pictures: Vec<String>,
    table: MeasurementTable,
    warnings: Vec<String>,
}

/// One finding.
#[derive(Serialize)]
struct FindingCard {
    scenario: &'static str,
    /// What it is about, where the message does not say so.
    subject: String,
    severity: &'static str,
    code: String,
    message: String,
    evidence: String,
    /// The beginning of the evidence, a line each.
    first_lines: Vec<String>,
    next_step: String,
    place: String,
}

/// Subjects as rows, metrics as columns.
#[derive(Serialize)]
struct MeasurementTable {
    has_volumes: bool,
    metrics: Vec<String>,
    rows: Vec<MeasurementRow>,
}

#[derive(Serialize)]
struct MeasurementRow {
    subject: String,
    volume: String,
    cells: Vec<MeasurementCell>,
}

#[derive(Serialize, Default)]
struct MeasurementCell {
    text: String,
    /// Samples and interval, shown on hover and read aloud.
    detail: String,
}

impl Page {
    pub(super) fn of(report: &RunReport) -> Self {
        let scenarios: Vec<_> = report.scenarios.iter().map(section).collect();
        let server = report.target.as_ref().map_or("not reached".to_owned(), |target| {
            let fsync = if target.durability.fsync { "" } else { ", fsync off" };
            format!("PostgreSQL {} ({}{fsync})", target.short_version(), target.kind.word())
        });
        Self {
            project: report.project.clone(),
            run_id: report.run_id.clone(),
            started_at: report.started_at.clone(),
            version: report.plimsoll_version.clone(),
            seed: report.seed.to_string(),
            commit: report.environment.short_commit().unwrap_or_default().to_owned(),
            branch: report.environment.git_branch.clone().unwrap_or_default(),
            server,
            is_complete: report.complete,
            verdict: badge(&report.verdict()),
            headline: headline(report),
            first_title: first_title(report),
            findings_left: ranked_findings(report).len().saturating_sub(FINDINGS_FIRST),
            first_findings: first_findings(report),
            scenarios,
            warnings: report.warnings.iter().map(crate::model::MeasurementWarning::message).collect(),
        }
    }
}

fn badge(verdict: &Verdict) -> Badge {
    let sign = match verdict {
        Verdict::Pass => "✓",
        Verdict::Fail => "✗",
        Verdict::Inconclusive { .. } => "?",
        Verdict::Skipped { .. } => "–",
    };
    Badge { word: verdict.word(), sign }
}

/// What a person does now, in a few words.
fn first_title(report: &RunReport) -> &'static str {
    match report.verdict() {
        _ if !ranked_findings(report).is_empty() => "What to do first",
        _ if !report.complete => "Run it again, to its end",
        Verdict::Inconclusive { .. } => "Nothing failed, and not everything is decided",
        Verdict::Skipped { .. } => "Nothing was asked",
        _ => "Nothing to do",
    }
}

fn headline(report: &RunReport) -> String {
    let names = |is_wanted: fn(&Verdict) -> bool| -> Vec<&str> {
        report.scenarios.iter().filter(|s| is_wanted(&s.verdict)).map(|s| s.scenario.name()).collect()
    };
    let failed = names(|verdict| *verdict == Verdict::Fail);
    let open = names(|verdict| matches!(verdict, Verdict::Inconclusive { .. })).join(", ");
    let open = if open.is_empty() { open } else { format!("; undecided: {open}") };
    match failed[..] {
        [] => match report.verdict() {
            Verdict::Pass => "every verdict passes".into(),
            Verdict::Inconclusive { needs } if report.strict => {
                format!("in doubt, which fails this strict run; would be decided by {needs}")
            }
            Verdict::Inconclusive { needs } => {
                format!("nothing failed; in doubt, would be decided by {needs}")
            }
            _ => "nothing was asked".into(),
        },
        [one] if report.scenarios.len() == 1 => format!("{one} fails"),
        [one] => format!("1 of {} scenarios fails: {one}{open}", report.scenarios.len()),
        _ => {
            format!(
                "{} of {} scenarios fail: {}{open}",
                failed.len(),
                report.scenarios.len(),
                failed.join(", ")
            )
        }
    }
}

/// Failures first, one of each scenario before the second of any; no notes.
fn ranked_findings(report: &RunReport) -> Vec<(&ScenarioReport, &Finding)> {
    let mut ranked: Vec<_> = report
        .scenarios
        .iter()
        .flat_map(|s| s.findings.iter().enumerate().map(move |(index, f)| (f.severity, index, s, f)))
        .filter(|(severity, ..)| *severity > Severity::Note)
        .collect();
    ranked.sort_by_key(|(severity, index, ..)| (std::cmp::Reverse(*severity), *index));
    ranked.into_iter().map(|(_, _, s, f)| (s, f)).collect()
}

fn first_findings(report: &RunReport) -> Vec<FindingCard> {
    ranked_findings(report).into_iter().take(FINDINGS_FIRST).map(|(s, f)| card(s, f)).collect()
}

fn section(report: &ScenarioReport) -> ScenarioSection {
    let doubt = match &report.verdict {
        Verdict::Inconclusive { needs } => format!("would be decided by {needs}"),
        Verdict::Skipped { reason } if *reason != report.summary => reason.clone(),
        _ => String::new(),
    };
    ScenarioSection {
        name: report.scenario.name(),
        question: question(report),
        verdict: badge(&report.verdict),
        summary: report.summary.clone(),
        short_summary: report.summary.split(';').next().unwrap_or_default().to_owned(),
        doubt,
        duration: units::duration_us(report.duration_ms as f64 * 1e3),
        findings: report.findings.iter().map(|f| card(report, f)).collect(),
        pictures: super::pictures::of(&report.evidence),
        table: table(&report.measurements),
        warnings: report.warnings.iter().map(crate::model::MeasurementWarning::message).collect(),
    }
}

fn question(report: &ScenarioReport) -> &'static str {
    match report.scenario {
        Scenario::SlowQueries => "Does every critical query stay within its budget?",
        Scenario::Regression => "What did this migration do to every query?",
        Scenario::Deadlock => "Can these transactions deadlock, and what does it cost?",
        Scenario::Load => "Which rate does the database hold, and where does it break?",
        Scenario::NPlusOne => "Does the application ask per row what it could ask once?",
    }
}

fn card(report: &ScenarioReport, finding: &Finding) -> FindingCard {
    // A loop is told by its statements; where it ran is a place.
    let is_scope = report.scenario == Scenario::NPlusOne;
    let is_named = finding.message.contains(&finding.subject);
    let location = finding.location.as_ref().map(ToString::to_string);
    let scope = (is_scope && !is_named).then(|| format!("in {}", finding.subject));
    FindingCard {
        scenario: report.scenario.name(),
        subject: if is_named || is_scope { String::new() } else { finding.subject.clone() },
        severity: finding.severity.mark(),
        code: finding.code.to_owned(),
        message: finding.message.clone(),
        evidence: finding.evidence.join("\n"),
        first_lines: finding.evidence.iter().take(LINES_FIRST).map(|line| cut(line, LINE_CHARS)).collect(),
        next_step: finding.next_step.clone(),
        place: location.into_iter().chain(scope).collect::<Vec<_>>().join(", "),
    }
}

fn table(measurements: &[Measurement]) -> MeasurementTable {
    let grid = Grid::of(measurements);
    let row = |row: &GridRow<'_>| MeasurementRow {
        subject: row.subject.to_owned(),
        volume: row.volume.unwrap_or_default().to_owned(),
        cells: grid.metrics.iter().map(|metric| cell(&grid.cell(*row, metric))).collect(),
    };
    MeasurementTable {
        has_volumes: grid.has_volumes(),
        rows: grid.rows.iter().map(row).collect(),
        metrics: grid.metrics.iter().map(|metric| grid::title(metric)).collect(),
    }
}

fn cell(measured: &[&Measurement]) -> MeasurementCell {
    MeasurementCell {
        text: grid::text(measured),
        detail: measured.iter().map(|m| detail(m)).collect::<Vec<_>>().join("; "),
    }
}

fn detail(m: &Measurement) -> String {
    let samples = if m.samples == 1 { "1 sample".to_owned() } else { format!("{} samples", m.samples) };
    match m.interval {
        Some(i) => format!(
            "{samples}, {} interval {} to {}",
            i.percent(),
            units::format(i.low, m.unit),
            units::format(i.high, m.unit)
        ),
        None => samples,
    }
}
