//! Markdown for a job summary or a pull request comment: verdicts in a table,
//! findings below, measurements folded away.

use super::grid::{self, Grid, GridRow};
use super::units;
use crate::model::{Finding, Measurement, RunReport, ScenarioReport, Variant, Verdict};
use std::io;

/// GitHub refuses a job summary above 1 MiB: five scenarios with so many bytes of findings and of
/// measurements stay below it.
const BYTES_MAX: usize = 80_000;
/// More findings than this are counted, not listed.
const FINDINGS_SHOWN: usize = 50;
/// More lines of evidence than this are counted.
const LINES_SHOWN: usize = 100;
/// Longest line of evidence, in characters.
const LINE_CHARS: usize = 400;

/// Writes the report.
///
/// # Errors
/// Whatever `out` fails with.
pub fn write(report: &RunReport, out: &mut dyn io::Write) -> io::Result<()> {
    writeln!(out, "## Plimsoll: {}\n", report.verdict().word())?;
    if !report.complete {
        writeln!(out, "> **Partial**: the run was cut short; this is what it had found.\n")?;
    }
    if report.scenarios.iter().any(|scenario| report.fails_in_doubt(scenario)) {
        writeln!(out, "> **Strict**: an inconclusive verdict fails this run.\n")?;
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
    let shown = scenario.findings.iter().take(FINDINGS_SHOWN);
    let left = scenario.findings.len() - bounded(shown, write_finding, out)?;
    if left > 0 {
        writeln!(out, "\nand {left} more, all in the JSON report")?;
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
    let left = scenario.measurements.len() - bounded(scenario.measurements.iter(), write_measurement, out)?;
    if left > 0 {
        writeln!(out, "\nand {left} measurements more, all in CSV and JSON")?;
    }
    writeln!(out, "\n</details>")
}

fn write_measurement(m: &Measurement, out: &mut dyn io::Write) -> io::Result<()> {
    let side = if m.variant == Variant::Only { String::new() } else { format!(" ({})", m.variant.word()) };
    writeln!(
        out,
        "| {} | {} | {}{side} | {} | {} |",
        cell(&m.subject),
        cell(m.volume.as_deref().unwrap_or_default()),
        m.metric,
        units::format(m.value, m.unit),
        m.samples
    )
}

/// Writes items until they come to [`BYTES_MAX`], and says how many it wrote.
fn bounded<T>(
    items: impl Iterator<Item = T>,
    write: impl Fn(T, &mut dyn io::Write) -> io::Result<()>,
    out: &mut dyn io::Write,
) -> io::Result<usize> {
    let (mut bytes, mut written) = (Vec::new(), 0);
    for item in items {
        let before = bytes.len();
        write(item, &mut bytes)?;
        if bytes.len() > BYTES_MAX {
            bytes.truncate(before);
            break;
        }
        written += 1;
    }
    out.write_all(&bytes)?;
    Ok(written)
}

/// What has one side only: subjects as rows, metrics as columns.
fn write_matrix(measurements: &[Measurement], out: &mut dyn io::Write) -> io::Result<()> {
    let grid = Grid::of(measurements);
    let titles: Vec<String> = grid.metrics.iter().map(|metric| grid::title(metric)).collect();
    writeln!(out, "| subject | volume | samples | {} |", titles.join(" | "))?;
    writeln!(out, "| --- | --- | ---: |{}", " ---: |".repeat(titles.len()))?;
    let write_row = |row: &GridRow<'_>, out: &mut dyn io::Write| {
        let samples = grid.of_row(*row).next().map_or(0, |m| m.samples);
        let values: Vec<String> =
            grid.metrics.iter().map(|metric| grid::text(&grid.cell(*row, metric))).collect();
        let (name, volume) = (cell(row.subject), cell(row.volume.unwrap_or_default()));
        writeln!(out, "| {name} | {volume} | {samples} | {} |", values.join(" | "))
    };
    let left = grid.rows.len() - bounded(grid.rows.iter(), write_row, out)?;
    if left > 0 {
        writeln!(out, "\nand {left} rows more, all in CSV and JSON")?;
    }
    Ok(())
}

fn write_finding(finding: &Finding, out: &mut dyn io::Write) -> io::Result<()> {
    write!(out, "\n- **{}** `{}` {}", finding.severity.mark(), finding.code, cell(&finding.message))?;
    if let Some(location) = &finding.location {
        write!(out, " ({})", code_span(&location.to_string()))?;
    }
    writeln!(out)?;
    if !finding.evidence.is_empty() {
        let longest = finding.evidence.iter().map(|line| backticks(line)).max().unwrap_or(0);
        let fence = "`".repeat(longest.max(2) + 1);
        writeln!(out, "\n  {fence}text")?;
        let lines: Vec<&str> = finding.evidence.iter().flat_map(|text| text.lines()).collect();
        for line in lines.iter().take(LINES_SHOWN) {
            writeln!(out, "  {}", line.chars().take(LINE_CHARS).collect::<String>())?;
        }
        if lines.len() > LINES_SHOWN {
            writeln!(out, "  and {} lines more", lines.len() - LINES_SHOWN)?;
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

/// Text as code, whatever backticks it has: the fence is longer than any of them.
fn code_span(text: &str) -> String {
    match backticks(text) {
        0 => format!("`{text}`"),
        longest => {
            let fence = "`".repeat(longest + 1);
            format!("{fence} {text} {fence}")
        }
    }
}

/// Text that stays one table cell, starts no markup, names nobody and refers to no issue: GitHub
/// looks for `@name` and `#1` after it has read the escapes, so that a comment parts them.
pub(super) fn cell(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' => out.push(' '),
            '&' => out.push_str("&amp;"),
            '@' | '#' => {
                out.push(c);
                out.push_str("<!-- -->");
            }
            '|' | '*' | '<' | '>' | '[' | ']' | '_' | '`' | '~' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    out
}
