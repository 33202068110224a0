//! The kept runs of a folder as one page: a line a run, and every query's
//! trend with the points at which its level changed.

use super::pictures::trend;
use super::render;
use crate::model::{RunReport, Scenario};
use crate::report::history::{LevelChange, newest_first, query_trends, scenarios_of};
use serde::Serialize;
use std::io;

/// A kept run, and the pages beside it.
#[derive(Debug)]
pub struct IndexedRun {
    /// What it found.
    pub report: RunReport,
    /// Its page, relative to the folder; `None` where it has none.
    pub page: Option<String>,
}

/// More trends than this are left to `plimsoll history QUERY`.
const TRENDS_SHOWN: usize = 60;

/// What the template shows.
#[derive(Serialize)]
struct Page<'a> {
    project: &'a str,
    scenarios: Vec<&'static str>,
    runs: Vec<Row>,
    left_out: usize,
    trends_left: usize,
    changes: Vec<Change>,
    /// Figures: markup of our own, escaped where it was made.
    trends: Vec<String>,
}

/// A change of level, and where to look.
#[derive(Serialize)]
struct Change {
    sentence: String,
    /// The first run at the new level, and the last before it.
    run_id: String,
    previous_run_id: String,
    /// The page of the first run at the new level.
    page: Option<String>,
}

#[derive(Serialize)]
struct Row {
    run_id: String,
    page: Option<String>,
    started_at: String,
    commit: String,
    server: String,
    is_complete: bool,
    verdicts: Vec<&'static str>,
}

/// Writes the page: newest run first.
///
/// # Errors
/// Whatever `out` fails with.
pub fn write_index(runs: &[IndexedRun], left_out: usize, out: &mut dyn io::Write) -> io::Result<()> {
    let reports: Vec<&RunReport> = runs.iter().map(|run| &run.report).collect();
    let scenarios = scenarios_of(reports.iter().copied());
    let mut trends = query_trends(&reports);
    // What changed is what a reader looks for.
    trends.sort_by_key(|trend| std::cmp::Reverse(trend.changes.len()));
    let page = Page {
        project: reports.last().map(|run| run.project.as_str()).unwrap_or_default(),
        scenarios: scenarios.iter().map(|scenario| scenario.name()).collect(),
        runs: runs.iter().rev().map(|run| row(run, &scenarios)).collect(),
        left_out,
        trends_left: trends.len().saturating_sub(TRENDS_SHOWN),
        changes: newest_first(&trends).iter().map(|change| change_of_level(runs, change)).collect(),
        trends: trends.iter().take(TRENDS_SHOWN).map(trend::figure).collect(),
    };
    render("index.html", include_str!("index.html"), &page, out)
}

fn row(run: &IndexedRun, scenarios: &[Scenario]) -> Row {
    let report = &run.report;
    let word = |scenario: &Scenario| {
        report.scenarios.iter().find(|s| s.scenario == *scenario).map_or("not asked", |s| s.verdict.word())
    };
    Row {
        run_id: report.run_id.clone(),
        page: run.page.clone(),
        started_at: report.started_at.clone(),
        commit: report.environment.short_commit().unwrap_or_default().to_owned(),
        server: report.target.as_ref().map_or_else(String::new, |t| t.short_version().to_owned()),
        is_complete: report.complete,
        verdicts: scenarios.iter().map(word).collect(),
    }
}

fn change_of_level(runs: &[IndexedRun], change: &LevelChange<'_>) -> Change {
    let run_id = &change.run.run_id;
    Change {
        sentence: change.sentence(),
        run_id: run_id.clone(),
        previous_run_id: change.previous.run_id.clone(),
        page: runs.iter().find(|run| run.report.run_id == *run_id).and_then(|run| run.page.clone()),
    }
}
