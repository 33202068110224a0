//! Sweeps of deadlocks as tables, for those formats that print tables.

use super::table::{self, Align};
use super::units::{duration_us, significant};
use crate::model::evidence::deadlock::{DeadlockEvidence, DeadlockTrial};
use crate::stats::quantile;

/// The specs that were swept over `deadlock_timeout`, once each, in order.
pub(super) fn timeout_specs(evidence: &DeadlockEvidence) -> Vec<&str> {
    let mut specs: Vec<&str> = evidence.timeout_sweep.iter().map(|point| point.spec.as_str()).collect();
    specs.dedup();
    specs
}

/// The specs and numbers of hot rows over which workers were swept, once each, in order.
pub(super) fn settings(evidence: &DeadlockEvidence) -> Vec<(&str, u32)> {
    let mut settings: Vec<(&str, u32)> = Vec::new();
    for point in &evidence.contention_sweep {
        let setting = (point.spec.as_str(), point.hot_rows);
        if !settings.contains(&setting) {
            settings.push(setting);
        }
    }
    settings
}

/// The median of some times, in microseconds.
pub(super) fn median_us(trials: &[DeadlockTrial], of: fn(&DeadlockTrial) -> f64) -> Option<f64> {
    let mut values: Vec<f64> = trials.iter().map(of).collect();
    quantile::sort(&mut values);
    quantile::median(&values)
}

/// Detection over `deadlock_timeout`; empty where it was not swept.
pub(super) fn timeout_lines(evidence: &DeadlockEvidence) -> Vec<String> {
    let right = |title| (title, Align::Right);
    let header = [
        ("", Align::Left),
        right("deadlock timeout"),
        right("detected after"),
        right("by the rule"),
        right("beyond it"),
        right("victim as by the rule"),
        right("victim retried in"),
    ];
    let rows = evidence.timeout_sweep.iter().map(|point| {
        let time = |of| median_us(&point.trials, of).map_or("-".into(), duration_us);
        let as_predicted =
            point.trials.iter().filter(|trial| trial.victim_session == trial.predicted_victim_session);
        vec![
            point.spec.clone(),
            duration_us(point.deadlock_timeout_us),
            time(|trial| trial.detection_us),
            time(|trial| trial.predicted_us),
            time(|trial| trial.detection_us - trial.predicted_us),
            format!("{} of {}", as_predicted.count(), point.trials.len()),
            time(|trial| trial.retry_us),
        ]
    });
    table::lines(&header, &rows.collect::<Vec<_>>())
}

/// Throughput and deadlocks over workers and hot rows; empty where they were not swept.
pub(super) fn contention_lines(evidence: &DeadlockEvidence) -> Vec<String> {
    let right = |title| (title, Align::Right);
    let header = [
        ("", Align::Left),
        right("hot rows"),
        ("rows taken", Align::Left),
        right("workers"),
        right("commits/s"),
        right("deadlocks/s"),
        right("retries"),
        right("p50"),
        right("p99"),
    ];
    let rows = evidence.contention_sweep.iter().map(|point| {
        let rate = |count: u64| significant(count as f64 / point.duration_s.max(1e-9));
        vec![
            point.spec.clone(),
            if point.hot_rows == 0 { "-".into() } else { point.hot_rows.to_string() },
            if point.ordered { "in one order" } else { "as written" }.to_owned(),
            point.workers.to_string(),
            rate(point.committed),
            rate(point.deadlocks),
            point.retries.to_string(),
            duration_us(point.latency.p50_us),
            duration_us(point.latency.p99_us),
        ]
    });
    table::lines(&header, &rows.collect::<Vec<_>>())
}
