//! How each query grows with the volume, and the volume at which its budget
//! would break.

use super::record::{ExplainedSet, QueryRecord};
use super::summary::model_interval;
use crate::model::Interval;
use crate::model::evidence::slow_queries::{GrowthLimit, QueryGrowth};
use crate::project::budget::{Budget, BudgetRule, CounterMetric, TimeLimit, TimeMetric};
use crate::stats::growth::{GrowthPoint, crossing, fit};
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

/// An exponent known no better than this says nothing.
const WIDEST: f64 = 1.0;

/// What is followed over the volumes.
struct Followed {
    name: &'static str,
    value: fn(&QueryRecord) -> Option<f64>,
    limit: fn(&Budget) -> Option<f64>,
}

const FOLLOWED: [Followed; 4] = [
    Followed { name: "buffers", value: most_buffers, limit: buffers_limit },
    Followed { name: "p50", value: |r| percentile(r, 0.5), limit: |b| time_limit(b, TimeMetric::P50) },
    Followed { name: "p95", value: |r| percentile(r, 0.95), limit: |b| time_limit(b, TimeMetric::P95) },
    Followed { name: "p99", value: |r| percentile(r, 0.99), limit: |b| time_limit(b, TimeMetric::P99) },
];

/// Exponents of every query measured at three volumes or more: of blocks and
/// p95 always, of the other percentiles where they have a budget.
pub(crate) fn growth(volumes: &[VolumeRecords<'_>], confidence: f64) -> Vec<QueryGrowth> {
    let Some(first) = volumes.first().filter(|_| volumes.len() >= VOLUMES_MIN) else { return Vec::new() };
    let mut found = Vec::new();
    for query in first.records {
        let of_query: Vec<(f64, &QueryRecord)> = volumes
            .iter()
            .filter_map(|volume| {
                Some((volume.factor, volume.records.iter().find(|record| record.name == query.name)?))
            })
            .collect();
        found.extend(FOLLOWED.iter().filter_map(|followed| grown(followed, &of_query, confidence)));
    }
    found
}

fn grown(followed: &Followed, of_query: &[(f64, &QueryRecord)], confidence: f64) -> Option<QueryGrowth> {
    let points: Vec<GrowthPoint> = of_query
        .iter()
        .filter_map(|(factor, record)| {
            Some(GrowthPoint { size: *factor, value: (followed.value)(record).filter(|v| *v > 0.0)? })
        })
        .collect();
    // The budget of the largest volume it holds at.
    let budget = of_query.iter().rev().find_map(|(_, record)| {
        record.budgets.iter().find_map(|budget| Some((budget, (followed.limit)(budget)?)))
    });
    if budget.is_none() && !["buffers", "p95"].contains(&followed.name) {
        return None;
    }
    let fitted = fit(&points, confidence).filter(|_| points.len() >= VOLUMES_MIN)?;
    let exponent = fitted.exponent;
    Some(QueryGrowth {
        query: of_query.first()?.1.name.clone(),
        metric: followed.name,
        exponent: exponent.value,
        interval: Interval { low: exponent.interval.low, ..model_interval(exponent.interval) },
        scale: fitted.scale,
        class: class(exponent.value, exponent.interval),
        points: points.iter().map(|point| (point.size, point.value)).collect(),
        limit: budget.and_then(|(budget, limit)| {
            let reached = crossing(&points, limit, confidence)?;
            Some(GrowthLimit {
                budget: budget.text.clone(),
                limit,
                factor: reached.size,
                interval: model_interval(reached.interval),
            })
        }),
    })
}

/// The exponent in a word. A word is only given where the interval leaves room for few.
fn class(exponent: f64, interval: crate::stats::Interval) -> &'static str {
    match exponent {
        _ if interval.high - interval.low > WIDEST => "undecided",
        b if b < 0.15 => "constant",
        b if b < 0.85 => "sublinear",
        b if b <= 1.15 => "linear",
        _ => "superlinear",
    }
}

/// Blocks of the most expensive parameter set: what a budget on them judges.
fn most_buffers(record: &QueryRecord) -> Option<f64> {
    record.explained.iter().map(ExplainedSet::buffers).max().map(|blocks| blocks as f64)
}

fn percentile(record: &QueryRecord, p: f64) -> Option<f64> {
    quantile(&record.latencies.sorted(), p)
}

fn buffers_limit(budget: &Budget) -> Option<f64> {
    match budget.rule {
        BudgetRule::Counter { metric: CounterMetric::Buffers, limit } => Some(limit),
        _ => None,
    }
}

fn time_limit(budget: &Budget, of: TimeMetric) -> Option<f64> {
    match budget.rule {
        BudgetRule::Time { metric, limit: TimeLimit::AbsoluteUs(limit) } if metric == of => Some(limit),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Interval as Bounds;

    #[test]
    fn a_word_needs_an_interval_that_leaves_few() {
        let narrow = |b: f64| Bounds { low: b - 0.1, high: b + 0.1, confidence: 0.95 };
        let words = [0.0, 0.5, 1.0, 2.0].map(|b| class(b, narrow(b)));
        assert_eq!(words, ["constant", "sublinear", "linear", "superlinear"]);
        assert_eq!(class(1.0, Bounds { low: 0.2, high: 1.8, confidence: 0.95 }), "undecided");
        assert_eq!(
            class(1.0, Bounds { low: f64::NEG_INFINITY, high: f64::INFINITY, confidence: 0.95 }),
            "undecided"
        );
    }
}
