//! Markdown for a job summary or a pull request comment: verdicts in a table,
//! findings below, measurements folded away. Bounded as a whole and in its parts.

mod bound;

pub(super) use bound::{BYTES_MAX, bounded};

use super::grid::{self, Grid, GridRow};
use super::printable::cut;
use super::units;
use crate::model::{Finding, Measurement, RunReport, ScenarioReport, Variant, Verdict};
use std::io;

/// More findings of a scenario than this are counted, not listed.
const FINDINGS_SHOWN: usize = 50;
/// More lines of evidence than this are counted, and those beyond so many bytes: every scenario's
/// share has room for a finding.
const LINES_SHOWN: usize = 60;
const EVIDENCE_BYTES: usize = 4_000;
/// Longest line of evidence, in characters.
const LINE_CHARS: usize = 200;
/// Longest message, summary, next step or doubt, in characters.
const TEXT_CHARS: usize = 600;
/// Longest name of a subject or volume, in characters.
const NAME_CHARS: usize = 120;
/// More doubts than this are counted.
const DOUBTS_SHOWN: usize = 10;
/// More scenarios than a report can hold are not listed.
const SCENARIOS_SHOWN: usize = 8;

/// Writes the report, in no more than 60 000 bytes: what is left out is counted, and where it
/// is whole is said.
///
/// # Errors
/// Whatever `out` fails with.
pub fn write(report: &RunReport, out: &mut dyn io::Write) -> io::Result<()> {
    let (mut head, mut foot) = (Vec::new(), Vec::new());
    write_head(report, &mut head)?;
    write_footer(report, &mut foot)?;
    out.write_all(&head)?;
    let mut left = BYTES_MAX.saturating_sub(head.len() + foot.len());
    let scenarios: Vec<_> = report.scenarios.iter().take(SCENARIOS_SHOWN).collect();
    for (index, scenario) in scenarios.iter().enumerate() {
        // What one scenario does not need is left to those after it.
        let share = left / (scenarios.len() - index);
        let mut section = Vec::new();
        write_scenario(scenario, &report.run_id, share, &mut section)?;
        left = left.saturating_sub(section.len());
        out.write_all(&section)?;
    }
    out.write_all(&foot)
}

fn write_head(report: &RunReport, out: &mut dyn io::Write) -> io::Result<()> {
    writeln!(out, "## Plimsoll: {}\n", report.verdict().word())?;
    if !report.complete {
        writeln!(out, "> **Partial**: the run was cut short; this is what it had found.\n")?;
    }
    if report.scenarios.iter().any(|scenario| report.fails_in_doubt(scenario)) {
        writeln!(out, "> **Strict**: an inconclusive verdict fails this run.\n")?;
    }
    writeln!(out, "| scenario | verdict | |\n| --- | --- | --- |")?;
    for scenario in report.scenarios.iter().take(SCENARIOS_SHOWN) {
        writeln!(
            out,
            "| {} | {} {} | {} |",
            scenario.scenario.name(),
            mark(&scenario.verdict),
            scenario.verdict.word(),
            cell(&cut(&scenario.summary, TEXT_CHARS))
        )?;
    }
    Ok(())
}

/// Where a run is whole.
fn whole(run_id: &str) -> String {
    format!("`plimsoll report {} --format json`", cut(run_id, NAME_CHARS).replace('`', ""))
}

fn mark(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "✅",
        Verdict::Fail => "❌",
        Verdict::Inconclusive { .. } => "❔",
        Verdict::Skipped { .. } => "➖",
    }
}

/// In about so many bytes; findings before measurements.
fn write_scenario(
    scenario: &ScenarioReport,
    run_id: &str,
    bytes: usize,
    out: &mut Vec<u8>,
) -> io::Result<()> {
    if scenario.findings.is_empty() && scenario.measurements.is_empty() {
        return Ok(());
    }
    // For headings and for what is said of the rest.
    const FRAME: usize = 600;
    let bytes = bytes.saturating_sub(FRAME);
    use io::Write as _;
    writeln!(out, "\n### {}\n", scenario.scenario.name())?;
    let for_findings = if scenario.measurements.is_empty() { bytes } else { bytes / 4 * 3 };
    let before = out.len();
    let shown = scenario.findings.iter().take(FINDINGS_SHOWN);
    let left = scenario.findings.len() - bounded(for_findings, shown, write_finding, out)?;
    let bytes = bytes.saturating_sub(out.len() - before);
    if left > 0 {
        writeln!(out, "\nand {left} more findings: {}", whole(run_id))?;
    }
    if scenario.measurements.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n<details><summary>{} measurements</summary>\n", scenario.measurements.len())?;
    let left = if scenario.measurements.iter().all(|m| m.variant == Variant::Only) {
        write_matrix(&scenario.measurements, bytes, out)?
    } else {
        writeln!(out, "| subject | volume | metric | value | samples |\n| --- | --- | --- | ---: | ---: |")?;
        let all = scenario.measurements.iter();
        let left = all.len() - bounded(bytes, all, write_measurement, out)?;
        (left > 0).then(|| format!("{left} measurements"))
    };
    if let Some(left) = left {
        writeln!(out, "\nand {left} more: {} (or csv)", whole(run_id))?;
    }
    writeln!(out, "\n</details>")
}

fn write_measurement(m: &Measurement, out: &mut dyn io::Write) -> io::Result<()> {
    let side = if m.variant == Variant::Only { String::new() } else { format!(" ({})", m.variant.word()) };
    writeln!(
        out,
        "| {} | {} | {}{side} | {} | {} |",
        name(&m.subject),
        name(m.volume.as_deref().unwrap_or_default()),
        m.metric,
        units::format(m.value, m.unit),
        m.samples
    )
}

/// What has one side only: subjects as rows, metrics as columns. What was left out, in words.
fn write_matrix(
    measurements: &[Measurement],
    bytes: usize,
    out: &mut dyn io::Write,
) -> io::Result<Option<String>> {
    let grid = Grid::of(measurements);
    let titles: Vec<String> = grid.metrics.iter().map(|metric| grid::title(metric)).collect();
    writeln!(out, "| subject | volume | samples | {} |", titles.join(" | "))?;
    writeln!(out, "| --- | --- | ---: |{}", " ---: |".repeat(titles.len()))?;
    let write_row = |row: &GridRow<'_>, out: &mut dyn io::Write| {
        let samples = grid.of_row(*row).next().map_or(0, |m| m.samples);
        let values: Vec<String> =
            grid.metrics.iter().map(|metric| grid::text(&grid.cell(*row, metric))).collect();
        let (name, volume) = (name(row.subject), name(row.volume.unwrap_or_default()));
        writeln!(out, "| {name} | {volume} | {samples} | {} |", values.join(" | "))
    };
    let left = grid.rows.len() - bounded(bytes, grid.rows.iter(), write_row, out)?;
    Ok((left > 0).then(|| format!("{left} rows")))
}

fn name(text: &str) -> String {
    cell(&cut(text, NAME_CHARS))
}

fn write_finding(finding: &Finding, out: &mut dyn io::Write) -> io::Result<()> {
    write!(
        out,
        "\n- **{}** `{}` {}",
        finding.severity.mark(),
        finding.code,
        cell(&cut(&finding.message, TEXT_CHARS))
    )?;
    if let Some(location) = &finding.location {
        write!(out, " ({})", code_span(&cut(&location.to_string(), NAME_CHARS)))?;
    }
    writeln!(out)?;
    if !finding.evidence.is_empty() {
        let lines: Vec<&str> = finding.evidence.iter().flat_map(|text| text.lines()).collect();
        let mut bytes = 0;
        let shown: Vec<String> = lines
            .iter()
            .take(LINES_SHOWN)
            .map(|line| shortened(line))
            .take_while(|line| {
                bytes += line.len();
                bytes <= EVIDENCE_BYTES
            })
            .collect();
        let longest = shown.iter().map(|line| backticks(line)).max().unwrap_or(0);
        let fence = "`".repeat(longest.max(2) + 1);
        writeln!(out, "\n  {fence}text")?;
        for line in &shown {
            writeln!(out, "  {line}")?;
        }
        if lines.len() > shown.len() {
            writeln!(out, "  and {} lines more", lines.len() - shown.len())?;
        }
        writeln!(out, "  {fence}\n")?;
    }
    if !finding.next_step.is_empty() {
        writeln!(out, "  next: {}", cell(&cut(&finding.next_step, TEXT_CHARS)))?;
    }
    Ok(())
}

fn write_footer(report: &RunReport, out: &mut dyn io::Write) -> io::Result<()> {
    let doubts: Vec<_> =
        report.warnings.iter().chain(report.scenarios.iter().flat_map(|s| &s.warnings)).collect();
    for warning in doubts.iter().take(DOUBTS_SHOWN) {
        writeln!(out, "\n> doubt: {}", cell(&cut(&warning.message(), TEXT_CHARS)))?;
    }
    if doubts.len() > DOUBTS_SHOWN {
        writeln!(out, "\n> and {} more doubts: {}", doubts.len() - DOUBTS_SHOWN, whole(&report.run_id))?;
    }
    let (version, run_id) = (name(&report.plimsoll_version), name(&report.run_id));
    write!(out, "\n<sub>Plimsoll {version} · run {run_id} · seed {}", report.seed)?;
    if let Some(target) = &report.target {
        let server = name(target.short_version());
        write!(out, " · PostgreSQL {server} ({})", target.kind.word())?;
    }
    writeln!(out, "</sub>")
}

/// A line of evidence, its indentation kept.
fn shortened(line: &str) -> String {
    match line.char_indices().nth(LINE_CHARS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
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
