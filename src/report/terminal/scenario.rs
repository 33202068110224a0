//! One scenario: findings first, then a table of its measurements.

use super::paint::Paint;
use crate::model::evidence::Evidence;
use crate::model::{Finding, Measurement, Metric, ScenarioReport, Variant};
use crate::report::deadlock_sweep;
use crate::report::grid::{self, Grid, GridRow};
use crate::report::table::{self, Align};
use crate::report::units;
use std::io;

/// More findings than this are counted, not listed; JSON has them all.
const FINDINGS_SHOWN: usize = 20;
/// More columns than this do not fit beside each other; CSV and JSON have them all.
const METRICS_SHOWN: usize = 9;

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
    }
    for line in table {
        writeln!(out, "     {line}")?;
    }
    let tables = match &report.evidence {
        Evidence::Deadlock(evidence) => {
            vec![deadlock_sweep::timeout_lines(evidence), deadlock_sweep::contention_lines(evidence)]
        }
        Evidence::SlowQueries(evidence) => vec![super::growth::lines(evidence)],
        Evidence::Load(evidence) => vec![super::load::lines(evidence)],
        _ => Vec::new(),
    };
    for lines in tables {
        if !lines.is_empty() {
            writeln!(out)?;
        }
        for line in lines {
            writeln!(out, "     {line}")?;
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
        write!(out, " {}", paint.quiet(&format!("({location})")))?;
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

/// `before → after` in one cell where both sides were measured.
fn measurement_table(measurements: &[Measurement]) -> Vec<String> {
    let grid = Grid::of(measurements);
    let (mut metrics, left_out): (Vec<Metric>, Vec<Metric>) =
        grid.metrics.iter().partition(|metric| tells_something(&grid, metric));
    let beyond = metrics.split_off(metrics.len().min(METRICS_SHOWN));
    let has_volumes = grid.has_volumes();
    let titles: Vec<_> = metrics.iter().map(|metric| grid::title(metric)).collect();
    let mut header = vec![("", Align::Left)];
    header.extend(has_volumes.then_some(("volume", Align::Left)));
    header.extend(titles.iter().map(|title| (title.as_str(), Align::Right)));
    let row = |row: &GridRow<'_>| {
        let mut cells = vec![row.subject.to_owned()];
        cells.extend(has_volumes.then(|| row.volume.unwrap_or_default().to_owned()));
        cells.extend(metrics.iter().map(|metric| grid::text(&grid.cell(*row, metric))));
        cells
    };
    let mut lines = table::lines(&header, &grid.rows.iter().map(row).collect::<Vec<_>>());
    if !left_out.is_empty() {
        lines.push(format!(" the same on both sides: {}", left_out.join(", ").replace('_', " ")));
    }
    if !beyond.is_empty() {
        lines.push(format!(" also measured: {} (--format csv)", beyond.join(", ").replace('_', " ")));
    }
    lines
}

/// False for what was measured on both sides and is the same for every subject.
fn tells_something(grid: &Grid<'_>, metric: Metric) -> bool {
    grid.rows.iter().any(|row| match grid.cell(*row, metric)[..] {
        [] => false,
        [before, after] if after.variant == Variant::After => (after.value - before.value).abs() > 1e-9,
        _ => true,
    })
}
