//! How each query grows with the volume.

use super::record::QueryRecord;
use super::summary::model_interval;
use crate::model::Interval;
use crate::model::evidence::slow_queries::QueryGrowth;
use crate::stats::growth::{GrowthPoint, fit};
use crate::stats::quantile::quantile;

/// What was observed of every query at one volume.
pub(crate) struct VolumeRecords<'a> {
    /// The volume's size as a multiple of the declared rows.
    pub(crate) factor: f64,
    /// One per query.
    pub(crate) records: &'a [QueryRecord],
}

/// Fewest volumes for an exponent with an interval.
const VOLUMES_MIN: usize = 3;

/// Exponents of blocks and p95 of every query measured at three volumes or more.
pub(crate) fn growth(volumes: &[VolumeRecords<'_>], confidence: f64) -> Vec<QueryGrowth> {
    let Some(first) = volumes.first().filter(|_| volumes.len() >= VOLUMES_MIN) else { return Vec::new() };
    let mut found = Vec::new();
    for query in first.records {
        for (metric, value) in [("buffers", mean_buffers as fn(&QueryRecord) -> Option<f64>), ("p95", p95)] {
            let points: Vec<GrowthPoint> = volumes
                .iter()
                .filter_map(|volume| {
                    let record = volume.records.iter().find(|record| record.name == query.name)?;
                    Some(GrowthPoint { size: volume.factor, value: value(record)? })
                })
                .collect();
            let fitted = fit(&points, confidence).filter(|_| points.len() >= VOLUMES_MIN);
            found.extend(fitted.map(|fitted| QueryGrowth {
                query: query.name.clone(),
                metric,
                exponent: fitted.exponent.value,
                interval: Interval {
                    low: fitted.exponent.interval.low,
                    ..model_interval(fitted.exponent.interval)
                },
                points: points.iter().map(|point| (point.size, point.value)).collect(),
            }));
        }
    }
    found
}

fn mean_buffers(record: &QueryRecord) -> Option<f64> {
    let sets = record.explained.len();
    let total: u64 = record.explained.iter().map(super::record::ExplainedSet::buffers).sum();
    (sets > 0).then(|| total as f64 / sets as f64)
}

fn p95(record: &QueryRecord) -> Option<f64> {
    quantile(&record.latencies.sorted(), 0.95)
}
