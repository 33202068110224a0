//! What the kept runs show together: a line a run, and the trend of a query
//! with the points at which its level changed.

use super::compare::Fairness;
use super::table::{self, Align};
use super::units;
use crate::model::evidence::Evidence;
use crate::model::{Measurement, RunReport, Scenario, Unit, Variant};
use crate::stats::change_points::{ChangePoint, ChangePointOptions, change_points};
use std::io;

/// Metrics whose trend is shown, most telling first.
const TREND_METRICS: [&str; 6] = ["p50", "p95", "p99", "avg", "buffers", "rows"];
/// Metrics of the page over all queries.
const INDEX_METRICS: [&str; 2] = ["p95", "buffers"];
/// Fewest runs that make a trend.
const RUNS_MIN: usize = 2;

/// One line a run, oldest first.
///
/// # Errors
/// Whatever `out` fails with.
pub fn write_runs(runs: &[RunReport], out: &mut dyn io::Write) -> io::Result<()> {
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

/// The columns of a list of runs: the four, and `load` where one of them is of it.
pub(super) fn scenarios_of<'a>(mut runs: impl Iterator<Item = &'a RunReport>) -> Vec<Scenario> {
    let has_load = runs.any(|run| run.scenarios.iter().any(|entry| entry.scenario == Scenario::Load));
    Scenario::ALL.into_iter().chain(has_load.then_some(Scenario::Load)).collect()
}

/// A metric of a query over the runs in which it was measured, at one volume:
/// figures of different data sizes are not comparable.
#[derive(Debug)]
pub struct QueryTrend<'a> {
    /// The query.
    pub query: &'a str,
    /// The metric.
    pub metric: &'static str,
    /// The volume.
    pub volume: Option<&'a str>,
    /// Oldest first.
    pub points: Vec<TrendPoint<'a>>,
    /// Where the level changed, in order.
    pub changes: Vec<ChangePoint>,
}

/// One run's value.
#[derive(Debug)]
pub struct TrendPoint<'a> {
    /// The run.
    pub run: &'a RunReport,
    /// What it measured.
    pub measurement: &'a Measurement,
    /// Measured in other surroundings than the run before it.
    pub is_elsewhere: bool,
    /// What these differ in, where it keeps the two values from being compared.
    pub because: Option<String>,
}

impl QueryTrend<'_> {
    /// `order_history p95 at small`.
    #[must_use]
    pub fn name(&self) -> String {
        let at = self.volume.map(|v| format!(" at {v}")).unwrap_or_default();
        format!("{} {}{at}", self.query, self.metric)
    }

    /// One sentence per change of level.
    #[must_use]
    pub fn sentences(&self) -> Vec<String> {
        let sentence = |change: &ChangePoint| {
            let point = self.points.get(change.index)?;
            let unit = point.measurement.unit;
            let elsewhere = point.elsewhere();
            Some(format!(
                "{}: {} before run {}, {} since (p = {:.3}{elsewhere})",
                self.name(),
                units::format(change.before, unit),
                point.run.run_id,
                units::format(change.after, unit),
                change.p_value
            ))
        };
        self.changes.iter().filter_map(sentence).collect()
    }
}

impl TrendPoint<'_> {
    fn elsewhere(&self) -> String {
        self.because.as_ref().map(|why| format!("; not the query alone: {why}")).unwrap_or_default()
    }
}

/// The trends of every query that at least two runs measured.
#[must_use]
pub fn query_trends<'a>(runs: &[&'a RunReport]) -> Vec<QueryTrend<'a>> {
    let mut trends = Vec::new();
    for metric in INDEX_METRICS {
        trends.extend(trends_of(runs, None, metric).into_iter().filter(|t| t.points.len() >= RUNS_MIN));
    }
    trends
}

/// The query's metrics over the runs, with change points.
///
/// # Errors
/// Whatever `out` fails with.
pub fn write_trend(runs: &[RunReport], query: &str, out: &mut dyn io::Write) -> io::Result<()> {
    let runs: Vec<&RunReport> = runs.iter().collect();
    for metric in TREND_METRICS {
        for trend in trends_of(&runs, Some(query), metric) {
            write_metric(&trend, out)?;
        }
    }
    Ok(())
}

/// Why there is nothing to show of a query, or, of `schema` versions, of any; `None` where there is.
#[must_use]
pub fn unknown(runs: &[RunReport], query: Option<&str>, schema: bool) -> Option<String> {
    let is_wanted = |name: &str| query.is_none_or(|query| query == name);
    if schema {
        let is_there = runs.iter().flat_map(schema_entries).any(|(entry, _)| is_wanted(entry.query));
        let what = query.map_or_else(|| "a query".into(), |query| format!("`{query}`"));
        return (!is_there).then(|| {
            format!("no kept run compared {what} at two schema versions; `plimsoll regression` does")
        });
    }
    let query = query?;
    let runs: Vec<&RunReport> = runs.iter().collect();
    let mut known: Vec<_> = slow_query_measurements(&runs).map(|(_, m)| m.subject.as_str()).collect();
    known.sort_unstable();
    known.dedup();
    (!known.contains(&query)).then(|| match known.len() {
        0 => format!("no kept run measured `{query}`, nor any other query; `plimsoll slow-queries` does"),
        _ => format!("no kept run measured `{query}`; measured were: {}", known.join(", ")),
    })
}

/// Metrics that a schema version is known by.
const SCHEMA_METRICS: [&str; 4] = ["cost", "buffers", "rows_read", "server_time"];

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
    let titles = SCHEMA_METRICS.map(|metric| metric.replace('_', " "));
    header.extend(titles.iter().map(|title| (title.as_str(), Align::Right)));
    header.push(("run", Align::Left));
    let mut entries: Vec<(SchemaEntry<'_>, Vec<String>)> = Vec::new();
    for run in runs {
        for (entry, cells) in schema_entries(run) {
            match entries.iter_mut().find(|(known, _)| *known == entry) {
                Some((_, latest)) => *latest = cells,
                None => entries.push((entry, cells)),
            }
        }
    }
    entries.retain(|(entry, _)| query.is_none_or(|query| query == entry.query));
    entries.sort_by(|(a, _), (b, _)| (a.query, a.volume, a.version).cmp(&(b.query, b.volume, b.version)));
    let rows: Vec<Vec<String>> = entries
        .into_iter()
        .map(|(entry, cells)| {
            let place = [entry.query, entry.volume, entry.version].map(str::to_owned);
            place.into_iter().chain(cells).collect()
        })
        .collect();
    table::write(&header, &rows, out)
}

#[derive(PartialEq)]
struct SchemaEntry<'a> {
    query: &'a str,
    volume: &'a str,
    version: &'a str,
}

/// Every query of a run at both versions, with its figures and the run's id.
fn schema_entries(run: &RunReport) -> Vec<(SchemaEntry<'_>, Vec<String>)> {
    let mut entries = Vec::new();
    for scenario in &run.scenarios {
        let Evidence::Regression(evidence) = &scenario.evidence else { continue };
        // Sides that are no schema versions.
        if evidence.apart.is_some() {
            continue;
        }
        for query in &evidence.queries {
            for (version, side) in [(&evidence.from, Variant::Before), (&evidence.to, Variant::After)] {
                let cell = |metric: &&str| {
                    let of_side = |m: &&Measurement| {
                        m.subject == query.query && m.metric == *metric && m.variant == side
                    };
                    let found = scenario.measurements.iter().find(of_side);
                    found.map(|m| units::format(m.value, m.unit)).unwrap_or_default()
                };
                let mut cells: Vec<String> = SCHEMA_METRICS.iter().map(cell).collect();
                cells.push(run.run_id.clone());
                let entry = SchemaEntry { query: &query.query, volume: &evidence.volume, version };
                entries.push((entry, cells));
            }
        }
    }
    entries
}

fn slow_query_measurements<'a>(
    runs: &[&'a RunReport],
) -> impl Iterator<Item = (&'a RunReport, &'a Measurement)> {
    runs.iter().flat_map(|run| {
        let entries = run.scenarios.iter().filter(|s| s.scenario == Scenario::SlowQueries);
        entries.flat_map(|entry| &entry.measurements).map(move |m| (*run, m))
    })
}

fn trends_of<'a>(runs: &[&'a RunReport], query: Option<&str>, metric: &'static str) -> Vec<QueryTrend<'a>> {
    let mut trends: Vec<QueryTrend<'a>> = Vec::new();
    for (run, m) in slow_query_measurements(runs) {
        let is_wanted = query.is_none_or(|query| m.subject == query) && m.metric == metric;
        if !is_wanted || m.variant != Variant::Only || !m.value.is_finite() {
            continue;
        }
        let volume = m.volume.as_deref();
        let point = TrendPoint { run, measurement: m, is_elsewhere: false, because: None };
        match trends.iter_mut().find(|t| t.query == m.subject && t.volume == volume) {
            Some(trend) => trend.points.push(point),
            None => {
                let (points, changes) = (vec![point], Vec::new());
                trends.push(QueryTrend { query: &m.subject, metric, volume, points, changes });
            }
        }
    }
    for trend in &mut trends {
        let values: Vec<f64> = trend.points.iter().map(|point| point.measurement.value).collect();
        trend.changes = change_points(&values, ChangePointOptions::default());
        for index in 1..trend.points.len() {
            let because = not_comparable(&trend.points[index - 1], &trend.points[index]);
            trend.points[index].is_elsewhere = because.is_some();
            trend.points[index].because = because;
        }
    }
    trends
}

/// What keeps two values from being compared, by the rules of `compare`.
fn not_comparable(before: &TrendPoint<'_>, now: &TrendPoint<'_>) -> Option<String> {
    let fairness = Fairness::of(before.run, now.run);
    if let Some(volume) = now.measurement.volume.as_ref().filter(|volume| fairness.resized.contains(volume)) {
        return Some(format!("volume {volume} changed its size"));
    }
    if now.measurement.unit == Unit::Microseconds { fairness.times } else { fairness.counters }
}

fn write_metric(trend: &QueryTrend<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    let values: Vec<f64> = trend.points.iter().map(|point| point.measurement.value).collect();
    writeln!(out, "{}: {} runs {}", trend.name(), values.len(), sparkline(&values))?;
    for (index, point) in trend.points.iter().enumerate() {
        let TrendPoint { run, measurement: m, .. } = point;
        let change = trend.changes.iter().find(|c| c.index == index);
        let change = change.map(|c| describe(c, point)).unwrap_or_default();
        writeln!(out, "  {}  {:>12}{change}", run.run_id, units::format(m.value, m.unit))?;
    }
    Ok(())
}

fn describe(change: &ChangePoint, point: &TrendPoint<'_>) -> String {
    let unit = point.measurement.unit;
    format!(
        "  <- level changed from {} to {} (p = {:.3}{})",
        units::format(change.before, unit),
        units::format(change.after, unit),
        change.p_value,
        point.elsewhere()
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
