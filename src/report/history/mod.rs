//! What the kept runs show together: a line a run, the trend of each query with
//! the points at which its level changed, and what queries cost at each version
//! of the schema. For a person at a terminal, and as JSON.

mod branches;
mod json;
mod schema_versions;
mod text;
mod trend;

pub use json::{schema, write as write_json};
pub use text::{write_runs, write_schema_versions, write_trend};
pub use trend::{LevelChange, QueryTrend, TrendPoint, changes_between, newest_first, query_trends};

use crate::model::{Measurement, RunReport, Scenario};

/// What is asked of the runs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Question<'a> {
    /// Of one query, or of all of them.
    pub query: Option<&'a str>,
    /// What queries cost at each version of the schema, in place of their trends.
    pub schema: bool,
}

/// The columns of a list of runs: the four, and `load` where one of them is of it.
pub(super) fn scenarios_of<'a>(mut runs: impl Iterator<Item = &'a RunReport>) -> Vec<Scenario> {
    let has_load = runs.any(|run| run.scenarios.iter().any(|entry| entry.scenario == Scenario::Load));
    Scenario::ALL.into_iter().chain(has_load.then_some(Scenario::Load)).collect()
}

/// Why there is nothing to show of what was asked; `None` where there is.
#[must_use]
pub fn unknown(runs: &[RunReport], question: Question<'_>) -> Option<String> {
    if question.schema {
        let is_there = !schema_versions::entries(runs, question.query).is_empty();
        let what = question.query.map_or_else(|| "a query".into(), |query| format!("`{query}`"));
        return (!is_there).then(|| {
            format!("no kept run compared {what} at two schema versions; `plimsoll regression` does")
        });
    }
    let query = question.query?;
    let mut known: Vec<_> = slow_query_measurements(runs).map(|(_, m)| m.subject.as_str()).collect();
    known.sort_unstable();
    known.dedup();
    (!known.contains(&query)).then(|| match known.len() {
        0 => format!("no kept run measured `{query}`, nor any other query; `plimsoll slow-queries` does"),
        _ => format!("no kept run measured `{query}`; measured were: {}", known.join(", ")),
    })
}

fn slow_query_measurements(runs: &[RunReport]) -> impl Iterator<Item = (&RunReport, &Measurement)> {
    runs.iter().flat_map(|run| {
        let entries = run.scenarios.iter().filter(|s| s.scenario == Scenario::SlowQueries);
        entries.flat_map(|entry| &entry.measurements).map(move |m| (run, m))
    })
}
