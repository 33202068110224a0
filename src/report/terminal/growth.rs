//! The volume ladder as a table: how each query grows, and what that makes of its budget.

use crate::model::evidence::slow_queries::{QueryGrowth, SlowQueriesEvidence};
use crate::report::growth::{breaks_at, factor, value};
use crate::report::table::{self, Align};

/// Empty where nothing was measured at several volumes.
pub(super) fn lines(evidence: &SlowQueriesEvidence) -> Vec<String> {
    let header = [
        ("growth", Align::Left),
        ("metric", Align::Left),
        ("measured", Align::Left),
        ("class", Align::Left),
        ("exponent", Align::Right),
        ("budget", Align::Left),
    ];
    table::lines(&header, &evidence.growth.iter().map(row).collect::<Vec<_>>())
}

fn row(growth: &QueryGrowth) -> Vec<String> {
    let points: Vec<String> = growth
        .points
        .iter()
        .map(|(size, at)| format!("{} at {}", value(growth.metric, *at), factor(*size)))
        .collect();
    let interval = growth.interval;
    let bounds = if interval.low.is_finite() && interval.high.is_finite() {
        format!(" ({:.2} to {:.2} at {})", interval.low, interval.high, interval.percent())
    } else {
        String::new()
    };
    vec![
        growth.query.clone(),
        growth.metric.to_owned(),
        points.join(", "),
        growth.class.to_owned(),
        format!("{:.2}{bounds}", growth.exponent),
        breaks_at(growth).unwrap_or_default(),
    ]
}
