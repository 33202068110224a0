//! One scenario: findings first, then a table of its measurements.

use super::paint::Paint;
use crate::model::{Finding, Measurement, ScenarioReport, Variant};
use crate::report::units;
use comfy_table::{CellAlignment, Table, presets};
use std::io;

/// More findings than this are counted, not listed; JSON has them all.
const FINDINGS_SHOWN: usize = 20;

pub(super) fn write(report: &ScenarioReport, paint: Paint, out: &mut dyn io::Write) -> io::Result<()> {
    let name = report.scenario.name();
    writeln!(
        out,
        "{} {} {}",
        paint.verdict_mark(&report.verdict),
        paint.heading(name),
        paint.quiet(&format!("({})", units::duration_us(report.duration_ms as f64 * 1e3)))
    )?;
    writeln!(out, "      {}", report.summary)?;
    for finding in report.findings.iter().take(FINDINGS_SHOWN) {
        write_finding(finding, paint, out)?;
    }
    if let Some(left) = report.findings.len().checked_sub(FINDINGS_SHOWN).filter(|left| *left > 0) {
        writeln!(out, "      and {left} more, all in --format json")?;
    }
    let table = measurement_table(&report.measurements);
    if !table.is_empty() {
        writeln!(out)?;
        for line in table.to_string().lines() {
            writeln!(out, "      {}", line.trim_end())?;
        }
    }
    for warning in &report.warnings {
        writeln!(out, "      {} {}", paint.doubt("doubt:"), warning.message())?;
    }
    Ok(())
}

fn write_finding(finding: &Finding, paint: Paint, out: &mut dyn io::Write) -> io::Result<()> {
    write!(
        out,
        "\n      {} {} {}",
        paint.severity_mark(finding.severity),
        paint.heading(finding.code),
        finding.message
    )?;
    if let Some(location) = &finding.location {
        write!(out, " {}", paint.quiet(&format!("({}:{})", location.path.display(), location.line)))?;
    }
    writeln!(out)?;
    for line in finding.evidence.iter().flat_map(|text| text.lines()) {
        writeln!(out, "           {line}")?;
    }
    if !finding.next_step.is_empty() {
        writeln!(out, "           {} {}", paint.heading("next:"), finding.next_step)?;
    }
    Ok(())
}

/// Subjects as rows, metrics as columns, in the order in which they first come;
/// `before → after` in one cell where both sides were measured.
fn measurement_table(measurements: &[Measurement]) -> Table {
    let mut metrics: Vec<&str> = Vec::new();
    let mut rows: Vec<(&str, Option<&str>)> = Vec::new();
    for m in measurements {
        if !metrics.contains(&m.metric) {
            metrics.push(m.metric);
        }
        let row = (m.subject.as_str(), m.volume.as_deref());
        if !rows.contains(&row) {
            rows.push(row);
        }
    }
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    if rows.is_empty() {
        return table;
    }
    let volumes = rows.iter().any(|(_, volume)| volume.is_some());
    let mut header = vec!["".to_owned()];
    header.extend(volumes.then(|| "volume".to_owned()));
    header.extend(metrics.iter().map(|m| m.replace('_', " ")));
    table.set_header(header);
    for (subject, volume) in rows {
        let mut cells = vec![subject.to_owned()];
        cells.extend(volumes.then(|| volume.unwrap_or_default().to_owned()));
        let of_row: Vec<_> =
            measurements.iter().filter(|m| m.subject == subject && m.volume.as_deref() == volume).collect();
        cells.extend(metrics.iter().map(|metric| cell(&of_row, metric)));
        table.add_row(cells);
    }
    for column in table.column_iter_mut().skip(1 + usize::from(volumes)) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn cell(of_row: &[&Measurement], metric: &str) -> String {
    let side = |variant| of_row.iter().find(|m| m.metric == metric && m.variant == variant);
    let text = |m: &&Measurement| units::format(m.value, m.unit);
    match (side(Variant::Before), side(Variant::After), side(Variant::Only)) {
        (Some(before), Some(after), _) => format!("{} → {}", text(before), text(after)),
        (one, other, only) => one.or(other).or(only).map(text).unwrap_or_default(),
    }
}
