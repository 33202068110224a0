//! The history for a person at a terminal.

use super::trend::{QUERY_METRICS, trends_of};
use super::{LevelChange, QueryTrend, TrendPoint, newest_first, query_trends, scenarios_of, schema_versions};
use crate::model::RunReport;
use crate::report::printable;
use crate::report::table::{self, Align};
use crate::report::units;
use std::io;

/// More changes than this are counted, not listed.
const CHANGES_SHOWN: usize = 20;

/// One line a run, oldest first; then the levels that changed, the latest first.
///
/// # Errors
/// Whatever `out` fails with.
pub fn write_runs(runs: &[RunReport], out: &mut dyn io::Write) -> io::Result<()> {
    printable::write(out, false, |out| {
        runs_table(runs, out)?;
        let followed: Vec<&RunReport> = runs.iter().collect();
        write_changes(&newest_first(&query_trends(&followed)), out)
    })
}

fn runs_table(runs: &[RunReport], out: &mut dyn io::Write) -> io::Result<()> {
    let mut header = vec![("run", Align::Left), ("started", Align::Left), ("commit", Align::Left)];
    let scenarios = scenarios_of(runs.iter());
    header.extend(scenarios.iter().map(|scenario| (scenario.name(), Align::Left)));
    let mut rows = Vec::new();
    for run in runs {
        let commit = run.environment.short_commit().unwrap_or("-");
        let partial = if run.complete { "" } else { " (partial)" };
        let mut row = vec![format!("{}{partial}", run.run_id), run.started_at.clone(), commit.to_owned()];
        row.extend(scenarios.iter().map(|scenario| {
            let entry = run.scenarios.iter().find(|s| s.scenario == *scenario);
            entry.map_or("-", |entry| entry.verdict.word()).to_owned()
        }));
        rows.push(row);
    }
    table::write(&header, &rows, out)
}

fn write_changes(changes: &[LevelChange<'_>], out: &mut dyn io::Write) -> io::Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nlevels that changed, the latest first (`plimsoll history QUERY` shows every run):")?;
    for change in changes.iter().take(CHANGES_SHOWN) {
        writeln!(out, "  {}", change.sentence())?;
        writeln!(out, "    {}", compare_command(change))?;
    }
    if changes.len() > CHANGES_SHOWN {
        writeln!(out, "  and {} more, all in --format json", changes.len() - CHANGES_SHOWN)?;
    }
    Ok(())
}

/// What shows all that differs where a level changed.
fn compare_command(change: &LevelChange<'_>) -> String {
    format!("plimsoll compare {} {}", change.previous.run_id, change.run.run_id)
}

/// The query's metrics over the runs, with change points.
///
/// # Errors
/// Whatever `out` fails with.
pub fn write_trend(runs: &[RunReport], query: &str, out: &mut dyn io::Write) -> io::Result<()> {
    let runs: Vec<&RunReport> = runs.iter().collect();
    printable::write(out, false, |out| {
        for metric in QUERY_METRICS {
            for trend in trends_of(&runs, Some(query), metric) {
                write_metric(&trend, out)?;
            }
        }
        Ok(())
    })
}

fn write_metric(trend: &QueryTrend<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    let values: Vec<f64> = trend.points.iter().map(|point| point.measurement.value).collect();
    writeln!(out, "{}: {} runs {}", trend.name(), values.len(), sparkline(&values))?;
    let changes = trend.level_changes();
    if let Some(last) = changes.last() {
        let (before, after) =
            (units::format(last.change.before, last.unit), units::format(last.change.after, last.unit));
        writeln!(out, "  now {after}, since run {}; {before} before ({})", last.run.run_id, last.grounds())?;
        writeln!(out, "  what else differs: {}", compare_command(last))?;
    }
    for (index, TrendPoint { run, measurement: m, .. }) in trend.points.iter().enumerate() {
        let change = changes.iter().find(|change| change.change.index == index);
        let change = change.map(describe).unwrap_or_default();
        writeln!(out, "  {}  {:>12}{change}", run.run_id, units::format(m.value, m.unit))?;
    }
    Ok(())
}

fn describe(change: &LevelChange<'_>) -> String {
    format!(
        "  <- level changed from {} to {} ({})",
        units::format(change.change.before, change.unit),
        units::format(change.change.after, change.unit),
        change.grounds()
    )
}

/// A value a character, from lowest to highest.
fn sparkline(values: &[f64]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let span = (high - low).max(f64::MIN_POSITIVE);
    values.iter().map(|v| BARS[(((v - low) / span * 7.0).round() as usize).min(7)]).collect()
}

/// What each query costs at each schema version that `regression` measured, the
/// latest run of each; of all queries, or of one.
///
/// # Errors
/// Whatever `out` fails with.
pub fn write_schema_versions(
    runs: &[RunReport],
    query: Option<&str>,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let mut header = vec![("query", Align::Left), ("volume", Align::Left), ("version", Align::Left)];
    let titles = schema_versions::METRICS.map(|metric| metric.replace('_', " "));
    header.extend(titles.iter().map(|title| (title.as_str(), Align::Right)));
    header.push(("run", Align::Left));
    let rows: Vec<Vec<String>> = schema_versions::entries(runs, query)
        .into_iter()
        .map(|entry| {
            let place = [entry.query, entry.volume, entry.version].map(str::to_owned);
            let value = |m: &Option<&crate::model::Measurement>| {
                m.map(|m| units::format(m.value, m.unit)).unwrap_or_default()
            };
            let figures = entry.figures.iter().map(value);
            place.into_iter().chain(figures).chain([entry.run_id.to_owned()]).collect()
        })
        .collect();
    printable::write(out, false, |out| table::write(&header, &rows, out))
}
