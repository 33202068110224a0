//! The scenario's report, as it grows from volume to volume.

use super::plan::MeasuringPlan;
use super::record::{Latencies, QueryRecord};
use super::summary::summarise;
use super::verdict::{scenario_verdict, summary};
use crate::model::evidence::Evidence;
use crate::model::evidence::data::ObtainedColumn;
use crate::model::evidence::slow_queries::{
    LatencySummary, ParameterSetEvidence, QueryEvidence, SlowQueriesEvidence, TableSize, VolumeEvidence,
};
use crate::model::{
    Finding, Measurement, MeasurementWarning, Metric, Scenario, ScenarioReport, Unit, Variant,
};
use crate::project::settings::Volume;
use std::time::Duration;

/// One volume, observed and judged.
pub(super) struct MeasuredVolume {
    pub(super) records: Vec<QueryRecord>,
    pub(super) queries: Vec<QueryEvidence>,
    pub(super) findings: Vec<Finding>,
    pub(super) ping: Latencies,
    pub(super) cpu_share: f64,
    pub(super) cpu_per_execution_us: f64,
    pub(super) warnings: Vec<MeasurementWarning>,
    pub(super) tables: Vec<TableSize>,
    pub(super) data: Vec<ObtainedColumn>,
}

/// The report as it grows.
pub(super) struct Report {
    pub(super) evidence: SlowQueriesEvidence,
    pub(super) findings: Vec<Finding>,
    pub(super) measurements: Vec<Measurement>,
    pub(super) warnings: Vec<MeasurementWarning>,
}

impl Report {
    pub(super) fn new(plan: &MeasuringPlan) -> Self {
        Self {
            evidence: SlowQueriesEvidence { decision: plan.rule(), ..SlowQueriesEvidence::default() },
            findings: Vec::new(),
            measurements: Vec::new(),
            warnings: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, volume: &Volume, measured: &MeasuredVolume) {
        let ping = summarise(&measured.ping);
        if let Some(ping) = &ping {
            self.measurements.extend(time_measurements("ping", ping, &volume.name));
        }
        for query in &measured.queries {
            self.measurements.extend(measurements(query, &volume.name));
        }
        self.findings.extend(measured.findings.iter().cloned());
        for warning in &measured.warnings {
            if !self.warnings.contains(warning) {
                self.warnings.push(warning.clone());
            }
        }
        self.evidence.volumes.push(VolumeEvidence {
            volume: volume.name.clone(),
            factor: volume.factor,
            ping,
            client_cpu_share: measured.cpu_share,
            client_cpu_us: measured.cpu_per_execution_us,
            queries: measured.queries.clone(),
            tables: measured.tables.clone(),
            data: measured.data.clone(),
        });
    }

    pub(super) fn finish(&self, duration: Duration) -> ScenarioReport {
        let queries: Vec<&QueryEvidence> =
            self.evidence.volumes.iter().flat_map(|volume| &volume.queries).collect();
        let mut findings = self.findings.clone();
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        ScenarioReport {
            scenario: Scenario::SlowQueries,
            verdict: scenario_verdict(&queries),
            summary: summary(&queries),
            findings,
            measurements: self.measurements.clone(),
            evidence: Evidence::SlowQueries(self.evidence.clone()),
            warnings: self.warnings.clone(),
            duration_ms: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

fn measurement(
    subject: &str,
    volume: &str,
    metric: Metric,
    unit: Unit,
    value: f64,
    samples: u64,
) -> Measurement {
    Measurement {
        subject: subject.to_owned(),
        metric,
        unit,
        value,
        samples,
        interval: None,
        volume: Some(volume.to_owned()),
        variant: Variant::Only,
    }
}

fn time_measurements(subject: &str, latency: &LatencySummary, volume: &str) -> Vec<Measurement> {
    let figures: [(Metric, f64); 6] = [
        ("avg", latency.avg_us),
        ("p50", latency.p50_us),
        ("p90", latency.p90_us),
        ("p95", latency.p95_us),
        ("p99", latency.p99_us),
        ("max", latency.max_us),
    ];
    let mut all: Vec<Measurement> = figures
        .into_iter()
        .map(|(metric, value)| {
            measurement(subject, volume, metric, Unit::Microseconds, value, latency.samples)
        })
        .collect();
    if let Some(p95) = all.iter_mut().find(|measurement| measurement.metric == "p95") {
        p95.interval = latency.p95_interval;
    }
    all
}

fn measurements(query: &QueryEvidence, volume: &str) -> Vec<Measurement> {
    let mut all: Vec<Measurement> =
        query.latency.iter().flat_map(|latency| time_measurements(&query.query, latency, volume)).collect();
    let sets = query.parameter_sets.len() as u64;
    if sets == 0 {
        return all;
    }
    let mean = |figure: fn(&ParameterSetEvidence) -> u64| {
        query.parameter_sets.iter().map(figure).sum::<u64>() as f64 / sets as f64
    };
    all.push(measurement(&query.query, volume, "buffers", Unit::Blocks, mean(|set| set.buffers), sets));
    all.push(measurement(&query.query, volume, "rows", Unit::Rows, mean(|set| set.rows), sets));
    all.push(measurement(&query.query, volume, "rows_read", Unit::Rows, mean(|set| set.rows_read), sets));
    all
}
