//! What each query costs at each version of the schema that `regression` measured.

use crate::model::evidence::Evidence;
use crate::model::{Measurement, RunReport, ScenarioReport, Variant};

/// Metrics that a schema version is known by.
pub(super) const METRICS: [&str; 4] = ["cost", "buffers", "rows_read", "server_time"];

/// A query at a schema version and a volume, as the latest run measured it.
pub(super) struct SchemaEntry<'a> {
    pub(super) query: &'a str,
    pub(super) volume: &'a str,
    pub(super) version: &'a str,
    pub(super) run_id: &'a str,
    /// One for each of [`METRICS`].
    pub(super) figures: Vec<Option<&'a Measurement>>,
}

/// Of one query or of all, by query, volume and version; the latest run of each.
pub(super) fn entries<'a>(runs: &'a [RunReport], query: Option<&str>) -> Vec<SchemaEntry<'a>> {
    let mut entries: Vec<SchemaEntry<'a>> = Vec::new();
    for entry in runs.iter().flat_map(of_run).filter(|entry| query.is_none_or(|query| query == entry.query)) {
        match entries.iter_mut().find(|known| place(known) == place(&entry)) {
            Some(latest) => *latest = entry,
            None => entries.push(entry),
        }
    }
    entries.sort_by(|a, b| place(a).cmp(&place(b)));
    entries
}

fn place<'a>(entry: &SchemaEntry<'a>) -> (&'a str, &'a str, &'a str) {
    (entry.query, entry.volume, entry.version)
}

/// Every query of a run at both versions.
fn of_run(run: &RunReport) -> Vec<SchemaEntry<'_>> {
    let mut entries = Vec::new();
    for scenario in &run.scenarios {
        let Evidence::Regression(evidence) = &scenario.evidence else { continue };
        // Sides that are no schema versions.
        if evidence.apart.is_some() {
            continue;
        }
        for query in &evidence.queries {
            for (version, side) in [(&evidence.from, Variant::Before), (&evidence.to, Variant::After)] {
                entries.push(SchemaEntry {
                    query: &query.query,
                    volume: &evidence.volume,
                    version,
                    run_id: &run.run_id,
                    figures: METRICS.map(|metric| figure(scenario, &query.query, metric, side)).into(),
                });
            }
        }
    }
    entries
}

fn figure<'a>(
    scenario: &'a ScenarioReport,
    query: &str,
    metric: &str,
    side: Variant,
) -> Option<&'a Measurement> {
    scenario.measurements.iter().find(|m| m.subject == query && m.metric == metric && m.variant == side)
}
