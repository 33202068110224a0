//! One scenario: findings first, then a table of its measurements.

use super::paint::Paint;
use crate::model::evidence::Evidence;
use crate::model::{Finding, Measurement, ScenarioReport, Variant};
use crate::report::deadlock_sweep;
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
fn measurement_table(measurements: &[Measurement]) -> Vec<String> {
    let mut metrics: Vec<&str> = Vec::new();
    let mut subjects: Vec<(&str, Option<&str>)> = Vec::new();
    for m in measurements {
        if !metrics.contains(&m.metric) {
            metrics.push(m.metric);
        }
        let subject = (m.subject.as_str(), m.volume.as_deref());
        if !subjects.contains(&subject) {
            subjects.push(subject);
        }
    }
    let (mut metrics, left_out): (Vec<&str>, Vec<&str>) =
        metrics.into_iter().partition(|metric| tells_something(measurements, metric));
    let beyond = metrics.split_off(metrics.len().min(METRICS_SHOWN));
    let has_volumes = subjects.iter().any(|(_, volume)| volume.is_some());
    let titles: Vec<_> = metrics.iter().map(|m| m.replace('_', " ")).collect();
    let mut header = vec![("", Align::Left)];
    header.extend(has_volumes.then_some(("volume", Align::Left)));
    header.extend(titles.iter().map(|title| (title.as_str(), Align::Right)));
    let rows: Vec<Vec<String>> = subjects
        .iter()
        .map(|(subject, volume)| {
            let of_row: Vec<_> = measurements
                .iter()
                .filter(|m| m.subject == *subject && m.volume.as_deref() == *volume)
                .collect();
            let mut cells = vec![(*subject).to_owned()];
            cells.extend(has_volumes.then(|| volume.unwrap_or_default().to_owned()));
            cells.extend(metrics.iter().map(|metric| cell(&of_row, metric)));
            cells
        })
        .collect();
    let mut lines = table::lines(&header, &rows);
    if !left_out.is_empty() {
        lines.push(format!(" the same on both sides: {}", left_out.join(", ").replace('_', " ")));
    }
    if !beyond.is_empty() {
        lines.push(format!(" also measured: {} (--format csv)", beyond.join(", ").replace('_', " ")));
    }
    lines
}

/// False for what was measured on both sides and is the same for every subject.
fn tells_something(measurements: &[Measurement], metric: &str) -> bool {
    measurements.iter().filter(|m| m.metric == metric).any(|m| match m.variant {
        Variant::Only => true,
        Variant::After => false,
        Variant::Before => measurements
            .iter()
            .find(|after| {
                after.metric == metric
                    && after.variant == Variant::After
                    && after.subject == m.subject
                    && after.volume == m.volume
            })
            .is_none_or(|after| (after.value - m.value).abs() > 1e-9),
    })
}

fn cell(of_row: &[&Measurement], metric: &str) -> String {
    let side = |variant| of_row.iter().find(|m| m.metric == metric && m.variant == variant);
    let text = |m: &&Measurement| units::format(m.value, m.unit);
    match (side(Variant::Before), side(Variant::After), side(Variant::Only)) {
        (Some(before), Some(after), _) => format!("{} → {}", text(before), text(after)),
        (one, other, only) => one.or(other).or(only).map(text).unwrap_or_default(),
    }
}
