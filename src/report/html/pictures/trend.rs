//! A metric of a query over the kept runs.

use super::scale::LogScale;
use super::svg::{Anchor, Drawing};
use crate::report::history::{LevelChange, QueryTrend};
use crate::report::units;

const WIDTH: f64 = 360.0;
const LEFT: f64 = 92.0;
const RIGHT: f64 = WIDTH - 14.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 110.0;

/// The trend as a small figure; nothing where no value can be shown.
pub(in crate::report::html) fn figure(trend: &QueryTrend<'_>) -> String {
    let values = trend.points.iter().map(|point| point.measurement.value);
    let Some(scale) = LogScale::around(values, BOTTOM, TOP) else { return String::new() };
    let mut drawing = Drawing::new(WIDTH, BOTTOM + 10.0);
    let unit = trend.points.first().map_or(crate::model::Unit::Count, |point| point.measurement.unit);
    for tick in scale.ticks() {
        drawing.line((LEFT, scale.at(tick)), (RIGHT, scale.at(tick)), "line", false);
        drawing.text(
            (LEFT - 6.0, scale.at(tick) + 4.0),
            Anchor::End,
            "quiet",
            false,
            &units::format(tick, unit),
        );
    }
    let steps = trend.points.len().saturating_sub(1).max(1) as f64;
    let x = |index: usize| LEFT + 8.0 + index as f64 / steps * (RIGHT - LEFT - 16.0);
    for change in &trend.changes {
        drawing.line((x(change.index), TOP), (x(change.index), BOTTOM), "doubt", true);
    }
    let at: Vec<(f64, f64)> =
        trend.points.iter().enumerate().map(|(i, p)| (x(i), scale.at(p.measurement.value))).collect();
    drawing.polyline(&at, "mark", false);
    for (point, place) in trend.points.iter().zip(&at) {
        if point.because.is_some() {
            drawing.ring(*place, 7.0, "doubt");
        }
        drawing.dot(*place, 3.5, "mark");
    }
    let last = trend.points.last().map(|p| units::format(p.measurement.value, unit)).unwrap_or_default();
    let changes = trend.level_changes();
    let sentences: Vec<String> = changes.iter().map(LevelChange::sentence).collect();
    let words = format!("{} runs, the last {last}. {}", trend.points.len(), sentences.join(". "));
    let since = changes.last().map(|change| since(change)).unwrap_or_default();
    drawing.small_figure(&format!("{}: {last}{since}", trend.name()), &words)
}

/// What the last level was before, and since when it is: beside the figure, whichever run is the last.
fn since(change: &LevelChange<'_>) -> String {
    let before = units::format(change.change.before, change.unit);
    format!(" ({before} before run {}, {} runs at the new level)", change.run.run_id, change.runs)
}
