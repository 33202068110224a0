//! A statement's times as the usual figures, and doubt about the machine.

use super::record::{Latencies, QueryRecord};
use crate::model::evidence::slow_queries::LatencySummary;
use crate::model::{Interval, MeasurementWarning};
use crate::project::budget::{BudgetRule, TimeMetric};
use crate::stats::clustered::clustered_quantile;
use crate::stats::quantile::{median, quantile};

/// A reference statement this uneven makes the machine noisy.
const NOISY_P95_OVER_MEDIAN: f64 = 4.0;

/// A reference statement that moved by this factor between the first and the
/// last third of the connections has drifted.
const DRIFT_FACTOR: f64 = 1.25;

/// A client busy for this share of the time measures itself.
const CLIENT_BOUND_SHARE: f64 = 0.8;

/// A clock whose step is this share of the reference statement's time is coarse.
const COARSE_STEP_SHARE: f64 = 0.05;
/// So many samples show the step.
const SAMPLES_FOR_A_STEP: usize = 100;

/// A result whose way takes this share of the time, and so many microseconds, is measured by the connection.
const SATURATED_SHARE: f64 = 0.5;
const SATURATED_US: f64 = 1_000.0;

/// The usual figures. `None` without samples.
pub(crate) fn summarise(latencies: &Latencies) -> Option<LatencySummary> {
    let sorted = latencies.sorted();
    let at = |p| quantile(&sorted, p);
    Some(LatencySummary {
        samples: sorted.len() as u64,
        connections: latencies.connections.iter().filter(|samples| !samples.is_empty()).count(),
        avg_us: sorted.iter().sum::<f64>() / sorted.len() as f64,
        p50_us: at(0.5)?,
        p90_us: at(0.9)?,
        p95_us: at(0.95)?,
        p99_us: at(0.99)?,
        max_us: at(1.0)?,
        p95_interval: clustered_quantile(&latencies.connections, 0.95, 0.95)
            .map(|estimate| model_interval(estimate.interval)),
        percentiles: percentiles(&sorted),
        buckets: buckets(&sorted),
    })
}

/// The percentile curve: dense at the end that budgets ask about, and only as
/// far as the samples reach.
fn percentiles(sorted: &[f64]) -> Vec<(f64, f64)> {
    const SHARES: [f64; 14] = [0.01, 0.05, 0.1, 0.25, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999];
    let reach = 1.0 - 1.0 / sorted.len().max(1) as f64;
    let ends = [0.0, 1.0];
    let mut shares: Vec<f64> = SHARES.into_iter().filter(|share| *share <= reach).chain(ends).collect();
    shares.sort_unstable_by(f64::total_cmp);
    shares.into_iter().filter_map(|share| Some((share, quantile(sorted, share)?))).collect()
}

/// Counts in buckets of equal width on a logarithmic scale.
fn buckets(sorted: &[f64]) -> Vec<(f64, u64)> {
    const BUCKETS: usize = 24;
    let (Some(&least), Some(&most)) = (sorted.first(), sorted.last()) else { return Vec::new() };
    let least = least.max(1e-3);
    if most <= least {
        return vec![(most, sorted.len() as u64)];
    }
    let bound = |index: usize| least * (most / least).powf((index + 1) as f64 / BUCKETS as f64);
    let up_to = |index: usize| {
        if index + 1 == BUCKETS { sorted.len() } else { sorted.partition_point(|v| *v <= bound(index)) }
    };
    let mut before = 0;
    (0..BUCKETS)
        .map(|index| {
            let count = up_to(index).saturating_sub(before);
            before += count;
            (bound(index), count as u64)
        })
        .collect()
}

/// The interval in the shared vocabulary.
pub(crate) fn model_interval(interval: crate::stats::Interval) -> Interval {
    Interval { low: interval.low.max(0.0), high: interval.high, confidence: interval.confidence }
}

/// What the reference statement and the client's CPU say about the machine.
pub(crate) fn doubts(
    ping: &Latencies,
    client_cpu_share: f64,
    is_debug_build: bool,
) -> Vec<MeasurementWarning> {
    let mut warnings = Vec::new();
    if is_debug_build {
        warnings.push(MeasurementWarning::DebugBuild);
    }
    if client_cpu_share > CLIENT_BOUND_SHARE {
        warnings.push(MeasurementWarning::ClientBound { cpu_share: client_cpu_share });
    }
    let sorted = ping.sorted();
    warnings.extend(coarse_timer(&sorted));
    if let (Some(p95), Some(p50)) = (quantile(&sorted, 0.95), quantile(&sorted, 0.5)) {
        let p95_over_median = p95 / p50;
        if p95_over_median > NOISY_P95_OVER_MEDIAN {
            warnings.push(MeasurementWarning::NoisyMachine { p95_over_median });
        }
    }
    if let Some(ratio) = drift(ping).filter(|ratio| *ratio > DRIFT_FACTOR || *ratio < 1.0 / DRIFT_FACTOR) {
        warnings.push(MeasurementWarning::Drift { ratio });
    }
    warnings
}

/// The smallest difference between two samples of many is the clock's step or finer.
fn coarse_timer(ping: &[f64]) -> Option<MeasurementWarning> {
    let ping_us = quantile(ping, 0.5)?;
    let steps = ping.windows(2).map(|pair| pair[1] - pair[0]).filter(|step| *step > 0.0);
    let step_us = steps.min_by(f64::total_cmp)?;
    let is_coarse = ping.len() >= SAMPLES_FOR_A_STEP && step_us > COARSE_STEP_SHARE * ping_us;
    is_coarse.then_some(MeasurementWarning::CoarseTimer { step_us, ping_us })
}

/// A query of which the client sees much more time than the server spends on it.
pub(crate) fn saturated(record: &QueryRecord) -> Option<MeasurementWarning> {
    let seen = quantile(&record.latencies.sorted(), 0.5)?;
    let executions: Vec<f64> = record.server_times.iter().map(|times| times.execution_us).collect();
    let transfer = seen - median(&executions)?;
    let is_saturated = transfer > SATURATED_SHARE * seen && transfer > SATURATED_US;
    is_saturated.then(|| MeasurementWarning::SaturatedConnection {
        subject: record.name.clone(),
        transfer_share: transfer / seen,
    })
}

/// A percentile that a time budget asks for, with fewer samples than any distribution-free interval
/// of it takes: the largest sample must lie above it with this confidence.
pub(crate) fn too_few(record: &QueryRecord, confidence: f64) -> Option<MeasurementWarning> {
    let samples = record.latencies.count() as u64;
    let needed = record.budgets.iter().filter_map(|budget| match budget.rule {
        BudgetRule::Time { metric, .. } => Some(percentile(metric)?),
        _ => None,
    });
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few thousand at most")]
    let needed = needed.map(|p| ((1.0 - confidence).ln() / p.ln()).ceil() as u64).max()?;
    let was_executed = record.failure.is_none() && samples > 0;
    (was_executed && samples < needed).then(|| MeasurementWarning::TooFewSamples {
        subject: record.name.clone(),
        samples,
        needed,
    })
}

fn percentile(metric: TimeMetric) -> Option<f64> {
    match metric {
        TimeMetric::P50 => Some(0.5),
        TimeMetric::P90 => Some(0.9),
        TimeMetric::P95 => Some(0.95),
        TimeMetric::P99 => Some(0.99),
        _ => None,
    }
}

/// Median of the last third of the connections' medians over that of the first.
fn drift(ping: &Latencies) -> Option<f64> {
    let medians: Vec<f64> = ping.connections.iter().filter_map(|samples| median(samples)).collect();
    let third = medians.len() / 3;
    if third < 3 {
        return None;
    }
    Some(median(&medians[medians.len() - third..])? / median(&medians[..third])?)
}

#[cfg(test)]
mod tests {
    use super::super::record::ServerTime;
    use super::*;
    use crate::project::budget::{Budget, TimeLimit};

    #[test]
    fn a_percentile_needs_enough_samples_for_an_interval() {
        let time = |metric| Budget {
            text: "a budget".into(),
            rule: BudgetRule::Time { metric, limit: TimeLimit::AbsoluteUs(1.0) },
            volume: None,
            is_default: false,
        };
        let record = |metric, samples: usize| QueryRecord {
            budgets: vec![time(TimeMetric::Max), time(metric)],
            latencies: Latencies { connections: vec![vec![1.0; samples]] },
            ..QueryRecord::default()
        };
        // 1 - 0.99^n reaches 0.99 at 459 samples.
        let warning = too_few(&record(TimeMetric::P99, 458), 0.99);
        assert_eq!(warning.map(|warning| warning.code()), Some("too-few-samples"));
        assert_eq!(too_few(&record(TimeMetric::P99, 459), 0.99), None);
        assert_eq!(too_few(&record(TimeMetric::P50, 7), 0.99), None);
        assert_eq!(too_few(&record(TimeMetric::Avg, 1), 0.99), None);
    }

    #[test]
    fn a_clock_that_ticks_coarsely_is_told_from_a_fine_one() {
        let ticks = |step: f64| (0..200).map(|i| 100.0 + step * f64::from(i % 5)).collect::<Vec<f64>>();
        let sorted = |mut samples: Vec<f64>| {
            crate::stats::quantile::sort(&mut samples);
            coarse_timer(&samples).map(|warning| warning.code())
        };
        assert_eq!(sorted(ticks(10.0)), Some("coarse-timer"));
        assert_eq!(sorted(ticks(0.1)), None);
        assert_eq!(sorted(vec![100.0; 200]), None, "no step was seen");
    }

    #[test]
    fn a_result_that_takes_longer_to_send_than_to_find_saturates_the_connection() {
        let with = |seen: f64, execution_us: f64| {
            let record = QueryRecord {
                latencies: flat(&[seen; 5]),
                server_times: vec![ServerTime { planning_us: 10.0, execution_us }],
                ..QueryRecord::default()
            };
            saturated(&record).map(|warning| warning.code())
        };
        assert_eq!(with(50_000.0, 20_000.0), Some("saturated-connection"));
        assert_eq!(with(50_000.0, 30_000.0), None);
        assert_eq!(with(300.0, 20.0), None, "what a round trip costs is no saturation");
    }

    fn flat(levels: &[f64]) -> Latencies {
        Latencies { connections: levels.iter().map(|level| vec![*level; 20]).collect() }
    }

    #[test]
    fn figures_of_known_samples() {
        let latencies = Latencies {
            connections: vec![(1..=50).map(f64::from).collect(), (51..=100).map(f64::from).collect()],
        };
        let summary = summarise(&latencies).unwrap();
        assert_eq!((summary.samples, summary.connections, summary.max_us), (100, 2, 100.0));
        assert!((summary.avg_us - 50.5).abs() < 1e-9 && (summary.p95_us - 95.05).abs() < 1e-9);
        assert_eq!(summarise(&Latencies::default()), None);
    }

    #[test]
    fn the_distribution_holds_every_sample_once() {
        let latencies = Latencies { connections: vec![(1..=1000).map(f64::from).collect()] };
        let summary = summarise(&latencies).unwrap();
        assert_eq!(summary.buckets.iter().map(|(_, count)| count).sum::<u64>(), 1000);
        assert!(summary.buckets.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert!(summary.percentiles.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1));
        assert_eq!(summary.percentiles.last(), Some(&(1.0, 1000.0)));
        let flat = summarise(&Latencies { connections: vec![vec![7.0; 5]] }).unwrap();
        assert_eq!(flat.buckets, [(7.0, 5)]);
    }

    #[test]
    fn a_quiet_machine_raises_no_doubt() {
        assert_eq!(doubts(&flat(&[100.0; 20]), 0.2, false), []);
    }

    #[test]
    fn each_doubt_is_raised_by_its_cause() {
        let codes = |ping: &Latencies, share, debug| {
            doubts(ping, share, debug).iter().map(MeasurementWarning::code).collect::<Vec<_>>()
        };
        assert_eq!(codes(&flat(&[100.0; 20]), 0.9, true), ["debug-build", "client-bound"]);
        let step = |sample: i32| f64::from(sample) * 0.1;
        let levels: Vec<f64> = (0..21).map(|c| step(c) + if c < 7 { 100.0 } else { 140.0 }).collect();
        assert_eq!(codes(&flat(&levels), 0.1, false), ["drift"]);
        let uneven: Vec<f64> =
            (0..20).map(|sample| step(sample) + if sample < 2 { 900.0 } else { 100.0 }).collect();
        assert_eq!(codes(&Latencies { connections: vec![uneven; 20] }, 0.1, false), ["noisy-machine"]);
    }
}
