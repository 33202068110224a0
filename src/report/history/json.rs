//! The history as JSON: a published, versioned format of its own, apart from
//! the run report's. A reader ignores keys it does not know.

use super::trend::{QUERY_METRICS, trends_of};
use super::{LevelChange, QueryTrend, Question, query_trends, schema_versions};
use crate::model::{self, RunReport};
use schemars::JsonSchema;
use serde::Serialize;
use std::io;

/// Goes up when a key changes its meaning or goes away, never for a new key.
const SCHEMA_VERSION: u32 = 1;

/// What the kept runs of a folder show together.
#[derive(Serialize, JsonSchema)]
struct History<'a> {
    /// The version of this format.
    schema_version: u32,
    /// Oldest first; runs that cannot be read are left out.
    runs: Vec<RunLine<'a>>,
    /// A metric of a query at a volume over the runs that measured it: of one query, where one is named.
    trends: Vec<Trend<'a>>,
    /// What queries cost at each version of the schema (with `--schema`, in place of the trends).
    schema_versions: Vec<SchemaVersion<'a>>,
}

/// One kept run.
#[derive(Serialize, JsonSchema)]
struct RunLine<'a> {
    run_id: &'a str,
    /// UTC, RFC 3339.
    started_at: &'a str,
    project: &'a str,
    git_commit: Option<&'a str>,
    git_branch: Option<&'a str>,
    server_version: Option<&'a str>,
    /// False where the run was cut short.
    complete: bool,
    /// `pass`, `fail`, `inconclusive` or `skipped`.
    verdict: &'static str,
    /// Of the scenarios that were asked for.
    scenarios: Vec<ScenarioVerdict>,
}

/// What a scenario came to.
#[derive(Serialize, JsonSchema)]
struct ScenarioVerdict {
    scenario: &'static str,
    verdict: &'static str,
}

/// A metric of a query at one volume, oldest run first.
#[derive(Serialize, JsonSchema)]
struct Trend<'a> {
    query: &'a str,
    metric: &'static str,
    /// Unit of values, intervals and levels.
    unit: &'static str,
    volume: Option<&'a str>,
    points: Vec<Point<'a>>,
    /// Where the level changed, oldest first.
    level_changes: Vec<Change<'a>>,
}

/// One run's value.
#[derive(Serialize, JsonSchema)]
struct Point<'a> {
    run_id: &'a str,
    value: f64,
    samples: u64,
    interval: Option<Bounds>,
    /// What keeps it from being compared with the point before it, such as another machine.
    not_comparable_because: Option<&'a str>,
}

/// Bounds that hold the true value with the stated confidence; `null` where there is no bound.
#[derive(Serialize, JsonSchema)]
struct Bounds {
    low: Option<f64>,
    high: Option<f64>,
    confidence: f64,
}

/// A change of level: medians of the stretches of runs on both sides.
#[derive(Serialize, JsonSchema)]
struct Change<'a> {
    /// The last run at the level before.
    previous_run_id: &'a str,
    /// The first run at the new level.
    since_run_id: &'a str,
    since_git_commit: Option<&'a str>,
    since_git_branch: Option<&'a str>,
    /// The first run at the level after this one; `null` where this one lasts.
    until_run_id: Option<&'a str>,
    /// Runs at the new level.
    runs: usize,
    before: f64,
    after: f64,
    /// How often chance alone splits the series as clearly, 0 to 1.
    p_value: f64,
    /// What changed besides the query, where anything is known to have; or which branches have it.
    because: Option<String>,
}

/// A query at a version of the schema, as the latest run measured it.
#[derive(Serialize, JsonSchema)]
struct SchemaVersion<'a> {
    query: &'a str,
    volume: &'a str,
    version: &'a str,
    run_id: &'a str,
    figures: Vec<Figure>,
}

/// One number.
#[derive(Serialize, JsonSchema)]
struct Figure {
    metric: &'static str,
    unit: &'static str,
    value: Option<f64>,
}

/// Writes the history, indented, with a final newline.
///
/// # Errors
/// Whatever `out` fails with.
pub fn write(runs: &[RunReport], question: Question<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    let all: Vec<&RunReport> = runs.iter().collect();
    let trends: Vec<QueryTrend<'_>> = match question.query {
        _ if question.schema => Vec::new(),
        Some(query) => QUERY_METRICS.iter().flat_map(|metric| trends_of(&all, Some(query), metric)).collect(),
        None => query_trends(&all),
    };
    let entries = if question.schema { schema_versions::entries(runs, question.query) } else { Vec::new() };
    let history = History {
        schema_version: SCHEMA_VERSION,
        runs: runs.iter().map(run_line).collect(),
        trends: trends.iter().map(trend_entry).collect(),
        schema_versions: entries.iter().map(schema_version).collect(),
    };
    serde_json::to_writer_pretty(&mut *out, &history)?;
    writeln!(out)
}

/// The format's JSON Schema, as published in `docs/history.schema.json`.
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(History<'_>).to_value()
}

fn run_line(run: &RunReport) -> RunLine<'_> {
    let verdict = |entry: &model::ScenarioReport| ScenarioVerdict {
        scenario: entry.scenario.name(),
        verdict: entry.verdict.word(),
    };
    RunLine {
        run_id: &run.run_id,
        started_at: &run.started_at,
        project: &run.project,
        git_commit: run.environment.git_commit.as_deref(),
        git_branch: run.environment.git_branch.as_deref(),
        server_version: run.target.as_ref().map(|target| target.server_version.as_str()),
        complete: run.complete,
        verdict: run.verdict().word(),
        scenarios: run.scenarios.iter().map(verdict).collect(),
    }
}

fn trend_entry<'a>(trend: &'a QueryTrend<'a>) -> Trend<'a> {
    let unit = trend.points.first().map_or(model::Unit::Count, |point| point.measurement.unit);
    Trend {
        query: trend.query,
        metric: trend.metric,
        unit: unit.suffix(),
        volume: trend.volume,
        points: trend.points.iter().map(point).collect(),
        level_changes: trend.level_changes().into_iter().map(level_change).collect(),
    }
}

fn point<'a>(point: &'a super::TrendPoint<'a>) -> Point<'a> {
    let finite = |bound: f64| bound.is_finite().then_some(bound);
    let bounds = |interval: model::Interval| Bounds {
        low: finite(interval.low),
        high: finite(interval.high),
        confidence: interval.confidence,
    };
    Point {
        run_id: &point.run.run_id,
        value: point.measurement.value,
        samples: point.measurement.samples,
        interval: point.measurement.interval.map(bounds),
        not_comparable_because: point.because.as_deref(),
    }
}

fn level_change(change: LevelChange<'_>) -> Change<'_> {
    Change {
        previous_run_id: &change.previous.run_id,
        since_run_id: &change.run.run_id,
        since_git_commit: change.run.environment.git_commit.as_deref(),
        since_git_branch: change.run.environment.git_branch.as_deref(),
        until_run_id: change.until.map(|run| run.run_id.as_str()),
        runs: change.runs,
        before: change.change.before,
        after: change.change.after,
        p_value: change.change.p_value,
        because: change.because,
    }
}

fn schema_version<'a>(entry: &schema_versions::SchemaEntry<'a>) -> SchemaVersion<'a> {
    let figure = |m: &Option<&model::Measurement>| {
        m.map(|m| Figure {
            metric: m.metric,
            unit: m.unit.suffix(),
            value: m.value.is_finite().then_some(m.value),
        })
    };
    SchemaVersion {
        query: entry.query,
        volume: entry.volume,
        version: entry.version,
        run_id: entry.run_id,
        figures: entry.figures.iter().filter_map(figure).collect(),
    }
}
