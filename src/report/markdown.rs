//! Markdown for a job summary or a pull request comment: verdicts in a table,
//! findings below, measurements folded away.

use super::units;
use crate::model::{Finding, Measurement, RunReport, ScenarioReport, Severity, Variant, Verdict};
use std::io;

/// GitHub cuts a job summary at 1 MiB; this many findings stay well below it.
const FINDINGS_SHOWN: usize = 50;

/// Writes the report.
///
/// # Errors
/// Whatever `out` fails with.
pub fn write(report: &RunReport, out: &mut dyn io::Write) -> io::Result<()> {
    writeln!(out, "## Plimsoll: {}\n", report.verdict().word())?;
    if !report.complete {
        writeln!(out, "> **Partial**: the run was cut short; this is what it had found.\n")?;
    }
    writeln!(out, "| scenario | verdict | |\n| --- | --- | --- |")?;
    for scenario in &report.scenarios {
        writeln!(
            out,
            "| {} | {} {} | {} |",
            scenario.scenario.name(),
            mark(&scenario.verdict),
            scenario.verdict.word(),
            cell(&scenario.summary)
        )?;
    }
    for scenario in &report.scenarios {
        write_scenario(scenario, out)?;
    }
    write_footer(report, out)
}

fn mark(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "✅",
        Verdict::Fail => "❌",
        Verdict::Inconclusive { .. } => "❔",
        Verdict::Skipped { .. } => "➖",
    }
}

fn write_scenario(scenario: &ScenarioReport, out: &mut dyn io::Write) -> io::Result<()> {
    if scenario.findings.is_empty() && scenario.measurements.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n### {}\n", scenario.scenario.name())?;
    for finding in scenario.findings.iter().take(FINDINGS_SHOWN) {
        write_finding(finding, out)?;
    }
    if scenario.findings.len() > FINDINGS_SHOWN {
        writeln!(out, "\nand {} more, all in the JSON report", scenario.findings.len() - FINDINGS_SHOWN)?;
    }
    if scenario.measurements.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n<details><summary>{} measurements</summary>\n", scenario.measurements.len())?;
    if scenario.measurements.iter().all(|m| m.variant == Variant::Only) {
        write_matrix(&scenario.measurements, out)?;
        return writeln!(out, "\n</details>");
    }
    writeln!(out, "| subject | volume | metric | value | samples |\n| --- | --- | --- | ---: | ---: |")?;
    for m in &scenario.measurements {
        let side =
            if m.variant == Variant::Only { String::new() } else { format!(" ({})", m.variant.word()) };
        writeln!(
            out,
            "| {} | {} | {}{side} | {} | {} |",
            cell(&m.subject),
            cell(m.volume.as_deref().unwrap_or_default()),
            m.metric,
            units::format(m.value, m.unit),
            m.samples
        )?;
    }
    writeln!(out, "\n</details>")
}

/// What has one side only: subjects as rows, metrics as columns, in the order in which they first come.
fn write_matrix(measurements: &[Measurement], out: &mut dyn io::Write) -> io::Result<()> {
    let mut metrics: Vec<&str> = Vec::new();
    let mut subjects: Vec<(&str, &str)> = Vec::new();
    for m in measurements {
        if !metrics.contains(&m.metric) {
            metrics.push(m.metric);
        }
        let subject = (m.subject.as_str(), m.volume.as_deref().unwrap_or_default());
        if !subjects.contains(&subject) {
            subjects.push(subject);
        }
    }
    let titles: Vec<String> = metrics.iter().map(|metric| metric.replace('_', " ")).collect();
    writeln!(out, "| subject | volume | samples | {} |", titles.join(" | "))?;
    writeln!(out, "| --- | --- | ---: |{}", " ---: |".repeat(metrics.len()))?;
    for (name, volume) in subjects {
        let of_row =
            |m: &&Measurement| m.subject == name && m.volume.as_deref().unwrap_or_default() == volume;
        let value = |metric: &&str| {
            let found = measurements.iter().filter(of_row).find(|m| m.metric == *metric);
            found.map(|m| units::format(m.value, m.unit)).unwrap_or_default()
        };
        let samples = measurements.iter().find(of_row).map_or(0, |m| m.samples);
        let values: Vec<String> = metrics.iter().map(value).collect();
        writeln!(out, "| {} | {} | {samples} | {} |", cell(name), cell(volume), values.join(" | "))?;
    }
    Ok(())
}

fn write_finding(finding: &Finding, out: &mut dyn io::Write) -> io::Result<()> {
    let severity = match finding.severity {
        Severity::Failure => "fail",
        Severity::Warning => "warn",
        Severity::Note => "note",
    };
    write!(out, "\n- **{severity}** `{}` {}", finding.code, cell(&finding.message))?;
    if let Some(location) = &finding.location {
        write!(out, " (`{}:{}`)", location.path.display(), location.line)?;
    }
    writeln!(out)?;
    if !finding.evidence.is_empty() {
        let longest = finding.evidence.iter().map(|line| backticks(line)).max().unwrap_or(0);
        let fence = "`".repeat(longest.max(2) + 1);
        writeln!(out, "\n  {fence}text")?;
        for line in finding.evidence.iter().flat_map(|text| text.lines()) {
            writeln!(out, "  {line}")?;
        }
        writeln!(out, "  {fence}\n")?;
    }
    if !finding.next_step.is_empty() {
        writeln!(out, "  next: {}", cell(&finding.next_step))?;
    }
    Ok(())
}

fn write_footer(report: &RunReport, out: &mut dyn io::Write) -> io::Result<()> {
    for warning in report.warnings.iter().chain(report.scenarios.iter().flat_map(|s| &s.warnings)) {
        writeln!(out, "\n> doubt: {}", cell(&warning.message()))?;
    }
    write!(
        out,
        "\n<sub>Plimsoll {} · run {} · seed {}",
        report.plimsoll_version, report.run_id, report.seed
    )?;
    if let Some(target) = &report.target {
        write!(out, " · PostgreSQL {} ({})", target.short_version(), target.kind.word())?;
    }
    writeln!(out, "</sub>")
}

/// The longest run of backticks in a line: a fence must be longer.
fn backticks(line: &str) -> usize {
    line.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// Text that stays one table cell and starts no markup.
pub(super) fn cell(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' => out.push(' '),
            '|' | '*' | '<' | '>' | '[' | ']' | '_' | '`' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    out
}
