//! Two kept runs side by side: which verdicts, findings and figures differ.
//!
//! A counter is listed where it differs; an estimate only where the intervals of
//! both runs do not overlap, which two runs of the same thing rarely do not.

use super::table::{self, Align};
use super::units;
use crate::model::{Finding, Measurement, RunReport, Scenario, ScenarioReport, Severity, Unit, Variant};
use std::io;

/// Longer lists say how many were left out.
const ROWS_SHOWN: usize = 40;
/// Counters that are means are compared up to rounding.
const ROUNDING: f64 = 1e-9;

/// What differs between two runs.
struct Comparison<'a> {
    doubts: Vec<String>,
    verdicts: Vec<(Scenario, &'a str, &'a str)>,
    new_findings: Vec<(Scenario, &'a Finding)>,
    gone_findings: Vec<(Scenario, &'a Finding)>,
    changes: Vec<Change<'a>>,
    compared: usize,
}

/// A figure that differs.
struct Change<'a> {
    before: &'a Measurement,
    after: &'a Measurement,
}

impl Change<'_> {
    fn ratio(&self) -> f64 {
        self.after.value / self.before.value
    }
}

/// For a person.
///
/// # Errors
/// Whatever `out` fails with.
pub fn write_terminal(before: &RunReport, after: &RunReport, out: &mut dyn io::Write) -> io::Result<()> {
    let comparison = compare(before, after);
    writeln!(out, "before  {}", described(before))?;
    writeln!(out, "after   {}", described(after))?;
    for doubt in &comparison.doubts {
        writeln!(out, "doubt: {doubt}")?;
    }
    writeln!(out)?;
    for line in lines(&comparison) {
        writeln!(out, "{line}")?;
    }
    if comparison.changes.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    let right = |name| (name, Align::Right);
    let header =
        [("subject", Align::Left), ("metric", Align::Left), right("before"), right("after"), right("ratio")];
    let rows: Vec<_> =
        comparison.changes.iter().take(ROWS_SHOWN).map(|change| cells(change).to_vec()).collect();
    table::write(&header, &rows, out)?;
    write_left_out(&comparison, out)
}

/// For a job summary.
///
/// # Errors
/// Whatever `out` fails with.
pub fn write_markdown(before: &RunReport, after: &RunReport, out: &mut dyn io::Write) -> io::Result<()> {
    let comparison = compare(before, after);
    writeln!(out, "\n## Plimsoll: before and after\n")?;
    writeln!(out, "before {}, after {}\n", described(before), described(after))?;
    for doubt in &comparison.doubts {
        writeln!(out, "> doubt: {doubt}\n")?;
    }
    for line in lines(&comparison) {
        writeln!(out, "- {}", escaped(&line))?;
    }
    if comparison.changes.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n| subject | metric | before | after | ratio |\n| --- | --- | ---: | ---: | ---: |")?;
    for change in comparison.changes.iter().take(ROWS_SHOWN) {
        writeln!(out, "| {} |", cells(change).map(|cell| escaped(&cell)).join(" | "))?;
    }
    writeln!(out)?;
    write_left_out(&comparison, out)
}

fn write_left_out(comparison: &Comparison<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    match comparison.changes.len().saturating_sub(ROWS_SHOWN) {
        0 => Ok(()),
        more => writeln!(out, "and {more} more that differ less"),
    }
}

/// `run 20261123T144804-f33faa (main 1dde028e): fail`.
fn described(run: &RunReport) -> String {
    let commit = run.environment.git_commit.as_deref().map(|commit| commit.get(..8).unwrap_or(commit));
    let parts: Vec<_> = run.environment.git_branch.as_deref().into_iter().chain(commit).collect();
    let place = if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(" ")) };
    format!("run {}{place}: {}", run.run_id, run.verdict().word())
}

/// The sentences that need no table.
fn lines(comparison: &Comparison<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    for (scenario, before, after) in &comparison.verdicts {
        lines.push(format!("{}: {before} before, {after} after", scenario.name()));
    }
    for (what, findings) in [("new", &comparison.new_findings), ("gone", &comparison.gone_findings)] {
        for (scenario, finding) in findings {
            lines.push(format!("{what}: {} {}: {}", scenario.name(), finding.code, finding.message));
        }
    }
    if lines.is_empty() {
        lines.push("the same verdicts and findings".into());
    }
    lines.push(format!(
        "{} of {} figures that both runs have differ: counters by their value, estimates where their intervals do \
         not overlap",
        comparison.changes.len(),
        comparison.compared
    ));
    lines
}

fn cells(change: &Change<'_>) -> [String; 5] {
    let m = change.before;
    let volume = m.volume.as_ref().map(|volume| format!(" @ {volume}")).unwrap_or_default();
    let side = if m.variant == Variant::Only { String::new() } else { format!(" ({})", m.variant.word()) };
    let ratio = change.ratio();
    let ratio = if ratio.is_finite() { format!("{ratio:.2}x") } else { "-".into() };
    [
        format!("{}{volume}", m.subject),
        format!("{}{side}", m.metric),
        units::format(m.value, m.unit),
        units::format(change.after.value, change.after.unit),
        ratio,
    ]
}

fn compare<'a>(before: &'a RunReport, after: &'a RunReport) -> Comparison<'a> {
    let mut comparison = Comparison {
        doubts: doubts(before, after),
        verdicts: Vec::new(),
        new_findings: Vec::new(),
        gone_findings: Vec::new(),
        changes: Vec::new(),
        compared: 0,
    };
    for later in &after.scenarios {
        let Some(earlier) = before.scenarios.iter().find(|entry| entry.scenario == later.scenario) else {
            continue;
        };
        compare_scenario(earlier, later, &mut comparison);
    }
    let distance = |change: &Change<'_>| change.ratio().ln().abs();
    comparison.changes.sort_by(|a, b| distance(b).total_cmp(&distance(a)));
    comparison
}

fn compare_scenario<'a>(earlier: &'a ScenarioReport, later: &'a ScenarioReport, into: &mut Comparison<'a>) {
    if earlier.verdict.word() != later.verdict.word() {
        into.verdicts.push((later.scenario, earlier.verdict.word(), later.verdict.word()));
    }
    let name = later.scenario;
    into.new_findings.extend(missing(&later.findings, &earlier.findings).map(|finding| (name, finding)));
    into.gone_findings.extend(missing(&earlier.findings, &later.findings).map(|finding| (name, finding)));
    for m in &later.measurements {
        let Some(b) = earlier.measurements.iter().find(|b| is_same_figure(b, m)) else { continue };
        let is_clocked = matches!(m.unit, Unit::Microseconds | Unit::PerSecond);
        if is_clocked && (m.interval.is_none() || b.interval.is_none()) {
            continue;
        }
        into.compared += 1;
        if differs(b, m) {
            into.changes.push(Change { before: b, after: m });
        }
    }
}

/// Findings that matter and that the other list does not have. The message is
/// no part of a finding's identity, since it holds figures.
fn missing<'a>(of: &'a [Finding], from: &'a [Finding]) -> impl Iterator<Item = &'a Finding> {
    let is_there = |finding: &Finding| {
        from.iter().any(|other| {
            (other.code, &other.subject, other.severity) == (finding.code, &finding.subject, finding.severity)
        })
    };
    of.iter().filter(move |finding| finding.severity != Severity::Note && !is_there(finding))
}

fn is_same_figure(a: &Measurement, b: &Measurement) -> bool {
    (&a.subject, a.metric, a.unit, &a.volume, a.variant)
        == (&b.subject, b.metric, b.unit, &b.volume, b.variant)
}

fn differs(before: &Measurement, after: &Measurement) -> bool {
    match (before.interval, after.interval) {
        (Some(b), Some(a)) => a.low > b.high || a.high < b.low,
        _ => (after.value - before.value).abs() > ROUNDING * before.value.abs().max(after.value.abs()),
    }
}

/// What makes the two runs less comparable than they look.
fn doubts(before: &RunReport, after: &RunReport) -> Vec<String> {
    let mut doubts = Vec::new();
    for (which, run) in [("before", before), ("after", after)] {
        if !run.complete {
            doubts.push(format!("the run {which} was cut short"));
        }
    }
    let target = |run: &RunReport| {
        run.target.as_ref().map(|target| {
            let durability = if target.durability.fsync { "" } else { " without fsync" };
            format!("PostgreSQL {}{durability}", target.short_version())
        })
    };
    let machine = |run: &RunReport| {
        format!("{} with {} processors", run.environment.operating_system, run.environment.cpu_count)
    };
    let facts = [
        (Some(before.project.clone()), Some(after.project.clone()), "projects"),
        (target(before), target(after), "servers"),
        (Some(machine(before)), Some(machine(after)), "machines"),
        (Some(before.seed.to_string()), Some(after.seed.to_string()), "seeds"),
    ];
    for (b, a, what) in facts {
        if let (Some(b), Some(a)) = (b, a)
            && a != b
        {
            doubts.push(format!("the {what} differ: {b} before, {a} after"));
        }
    }
    doubts
}

/// Text that starts no markup and stays one cell.
fn escaped(text: &str) -> String {
    super::markdown::cell(text)
}
