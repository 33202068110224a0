//! Markdown for a job summary or a pull request comment: verdicts in a table,
//! findings below, measurements folded away.

use super::grid::{self, Grid};
use super::units;
use crate::model::{Finding, Measurement, RunReport, ScenarioReport, Variant, Verdict};
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

/// What has one side only: subjects as rows, metrics as columns.
fn write_matrix(measurements: &[Measurement], out: &mut dyn io::Write) -> io::Result<()> {
    let grid = Grid::of(measurements);
    let titles: Vec<String> = grid.metrics.iter().map(|metric| grid::title(metric)).collect();
    writeln!(out, "| subject | volume | samples | {} |", titles.join(" | "))?;
    writeln!(out, "| --- | --- | ---: |{}", " ---: |".repeat(titles.len()))?;
    for row in &grid.rows {
        let samples = grid.of_row(*row).next().map_or(0, |m| m.samples);
        let values: Vec<String> =
            grid.metrics.iter().map(|metric| grid::text(&grid.cell(*row, metric))).collect();
        let (name, volume) = (cell(row.subject), cell(row.volume.unwrap_or_default()));
        writeln!(out, "| {name} | {volume} | {samples} | {} |", values.join(" | "))?;
    }
    Ok(())
}

fn write_finding(finding: &Finding, out: &mut dyn io::Write) -> io::Result<()> {
    write!(out, "\n- **{}** `{}` {}", finding.severity.mark(), finding.code, cell(&finding.message))?;
    if let Some(location) = &finding.location {
        write!(out, " (`{location}`)")?;
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
