//! A run as gauges, for systems that keep time series. One list of families;
//! `prometheus` and `otlp` write it down.

pub mod otlp;
pub mod prometheus;

use crate::model::{Measurement, RunReport, ScenarioReport, Severity, Unit};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Gauges of one name and unit.
#[derive(Debug, Clone, PartialEq)]
struct Family {
    /// As OpenTelemetry writes it, without the unit: `plimsoll.measured.time`.
    otlp_name: &'static str,
    /// In UCUM, such as `s`; `1` for none.
    otlp_unit: &'static str,
    /// As Prometheus writes it, with the base unit: `plimsoll_measured_seconds`.
    prometheus_name: &'static str,
    /// One sentence without a full stop.
    help: &'static str,
    points: Vec<Point>,
}

/// A value with what tells it apart from the others of its family.
#[derive(Debug, Clone, PartialEq)]
struct Point {
    labels: Vec<(&'static str, String)>,
    value: f64,
}

/// The verdicts of which one is 1 and the others are 0.
const VERDICTS: [&str; 4] = ["pass", "fail", "inconclusive", "skipped"];

/// Everything, in a stable order; families without points are left out, and of two values of one
/// series the later one.
fn families(report: &RunReport) -> Vec<Family> {
    let mut all = every_point(report);
    all.iter_mut().for_each(|family| drop(keep_one_a_series(family)));
    all
}

/// What is not sent, since a receiver refuses the whole where a series comes twice: one
/// sentence for each value, with the series and the value that is sent instead.
#[must_use]
pub fn left_out(report: &RunReport) -> Vec<String> {
    every_point(report).iter_mut().flat_map(keep_one_a_series).collect()
}

fn every_point(report: &RunReport) -> Vec<Family> {
    let mut all = vec![verdicts(report), findings(report), complete(report), started(report)];
    all.extend(MEASURED.iter().map(|measured| measurements(report, measured)));
    all.retain(|family| !family.points.is_empty());
    all
}

/// Two values of one series, in words, where they differ.
fn keep_one_a_series(family: &mut Family) -> Vec<String> {
    let mut known: BTreeMap<Vec<(&'static str, String)>, f64> = BTreeMap::new();
    let mut said = Vec::new();
    for point in &mut family.points {
        // An empty label is no label, to those who read it.
        point.labels.retain(|(_, value)| !value.is_empty());
    }
    let name = family.prometheus_name;
    family.points.retain(|point| match known.entry(point.labels.clone()) {
        Entry::Vacant(entry) => {
            entry.insert(point.value);
            true
        }
        Entry::Occupied(first) => {
            if first.get().total_cmp(&point.value).is_ne() {
                let labels: Vec<String> =
                    point.labels.iter().map(|(label, value)| format!("{label}={value:?}")).collect();
                let (labels, sent, left) = (labels.join(","), first.get(), point.value);
                said.push(format!(
                    "{name}{{{labels}}} was measured twice: {sent} is sent, {left} is left out"
                ));
            }
            false
        }
    });
    said
}

fn verdicts(report: &RunReport) -> Family {
    let points = report.scenarios.iter().flat_map(|entry| {
        VERDICTS.iter().map(|verdict| Point {
            labels: vec![("scenario", entry.scenario.name().into()), ("verdict", (*verdict).into())],
            value: f64::from(u8::from(entry.verdict.word() == *verdict)),
        })
    });
    Family {
        otlp_name: "plimsoll.scenario.verdict",
        otlp_unit: "1",
        prometheus_name: "plimsoll_scenario_verdict",
        help: "1 for the verdict that the scenario came to, 0 for the others",
        points: points.collect(),
    }
}

/// A zero for every severity, so that an alert sees the difference between none and unknown.
fn findings(report: &RunReport) -> Family {
    let severities = [Severity::Failure, Severity::Warning, Severity::Note];
    let points = report.scenarios.iter().flat_map(|entry| {
        severities.iter().map(|severity| Point {
            labels: vec![("scenario", entry.scenario.name().into()), ("severity", severity.word().into())],
            value: entry.findings.iter().filter(|finding| finding.severity == *severity).count() as f64,
        })
    });
    Family {
        otlp_name: "plimsoll.findings",
        otlp_unit: "{finding}",
        prometheus_name: "plimsoll_findings",
        help: "Findings of the scenario",
        points: points.collect(),
    }
}

fn complete(report: &RunReport) -> Family {
    Family {
        otlp_name: "plimsoll.run.complete",
        otlp_unit: "1",
        prometheus_name: "plimsoll_run_complete",
        help: "1 for a whole run, 0 for one that was cut short",
        points: vec![Point { labels: Vec::new(), value: f64::from(u8::from(report.complete)) }],
    }
}

fn started(report: &RunReport) -> Family {
    let seconds = start_nanoseconds(report).map(|nanoseconds| (nanoseconds / 1_000_000_000) as f64);
    Family {
        otlp_name: "plimsoll.run.start_time",
        otlp_unit: "s",
        prometheus_name: "plimsoll_run_start_timestamp_seconds",
        help: "When the run started, in seconds since 1970",
        points: seconds.map(|value| Point { labels: Vec::new(), value }).into_iter().collect(),
    }
}

/// Since 1970; nothing where the report has no readable start.
fn start_nanoseconds(report: &RunReport) -> Option<u64> {
    let started: jiff::Timestamp = report.started_at.parse().ok()?;
    u64::try_from(started.as_nanosecond()).ok()
}

/// How the measurements of a unit are called, and what brings them to the base unit.
struct Measured {
    unit: Unit,
    factor: f64,
    otlp: (&'static str, &'static str),
    prometheus: &'static str,
}

const MEASURED: [Measured; 8] = [
    measured(Unit::Microseconds, 1e-6, ("plimsoll.measured.time", "s"), "plimsoll_measured_seconds"),
    measured(Unit::Blocks, 1.0, ("plimsoll.measured.blocks", "{block}"), "plimsoll_measured_blocks"),
    measured(Unit::Rows, 1.0, ("plimsoll.measured.rows", "{row}"), "plimsoll_measured_rows"),
    measured(Unit::Bytes, 1.0, ("plimsoll.measured.size", "By"), "plimsoll_measured_bytes"),
    measured(Unit::Ratio, 1.0, ("plimsoll.measured.ratio", "1"), "plimsoll_measured_ratio"),
    measured(Unit::Count, 1.0, ("plimsoll.measured.count", "1"), "plimsoll_measured_count"),
    measured(Unit::PerSecond, 1.0, ("plimsoll.measured.rate", "1/s"), "plimsoll_measured_per_second"),
    measured(Unit::Cost, 1.0, ("plimsoll.measured.cost", "1"), "plimsoll_measured_planner_cost"),
];

const fn measured(
    unit: Unit,
    factor: f64,
    otlp: (&'static str, &'static str),
    prometheus: &'static str,
) -> Measured {
    Measured { unit, factor, otlp, prometheus }
}

fn measurements(report: &RunReport, measured: &Measured) -> Family {
    let mut points: Vec<Point> = Vec::new();
    for entry in &report.scenarios {
        for m in entry.measurements.iter().filter(|m| m.unit == measured.unit && m.value.is_finite()) {
            points.push(Point { labels: labels(entry, m), value: m.value * measured.factor });
        }
    }
    Family {
        otlp_name: measured.otlp.0,
        otlp_unit: measured.otlp.1,
        prometheus_name: measured.prometheus,
        help: "What the run measured, told apart by subject and metric",
        points,
    }
}

fn labels(entry: &ScenarioReport, m: &Measurement) -> Vec<(&'static str, String)> {
    let mut labels = vec![
        ("scenario", entry.scenario.name().to_owned()),
        ("subject", m.subject.clone()),
        ("metric", m.metric.to_owned()),
    ];
    labels.extend(m.volume.iter().map(|volume| ("volume", volume.clone())));
    if m.variant != crate::model::Variant::Only {
        labels.push(("variant", m.variant.word().to_owned()));
    }
    labels
}
