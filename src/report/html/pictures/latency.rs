//! The latency of each query at a volume: its distribution beside its
//! percentile curve, with the budgets as lines and the interval of the p95.

use super::scale::LogScale;
use super::svg::{Anchor, Drawing, escape};
use crate::model::evidence::slow_queries::{BudgetEvidence, LatencySummary, QueryEvidence, VolumeEvidence};
use crate::model::{Unit, Verdict};
use crate::report::units::{duration_us, grouped};

/// More queries than this are in the table only.
const QUERIES_DRAWN: usize = 60;
const WIDTH: f64 = 360.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 186.0;
const LEFT: f64 = 62.0;
const HISTOGRAM_WIDTH: f64 = 64.0;
const CURVE_LEFT: f64 = LEFT + HISTOGRAM_WIDTH + 14.0;
const CURVE_RIGHT: f64 = WIDTH - 12.0;

/// Small figures side by side, those that do not pass first and in sight.
pub(super) fn figures(volume: &VolumeEvidence) -> Option<String> {
    let (passing, others): (Vec<_>, Vec<_>) = volume
        .queries
        .iter()
        .filter_map(|query| Some((query, query.latency.as_ref().filter(|l| !l.percentiles.is_empty())?)))
        .take(QUERIES_DRAWN)
        .partition(|(query, _)| query.verdict == Verdict::Pass);
    let grid = |drawn: &[(&QueryEvidence, &LatencySummary)]| -> String {
        drawn.iter().map(|(query, latency)| figure(query, latency)).collect()
    };
    if passing.is_empty() && others.is_empty() {
        return None;
    }
    let mut out = String::new();
    if !others.is_empty() {
        out.push_str(&format!(
            "<h3>Distribution and percentiles at {}</h3><p class=\"quiet\">{READING}</p><div class=\"grid\">{}</div>",
            escape(&volume.volume),
            grid(&others)
        ));
    }
    if !passing.is_empty() {
        out.push_str(&format!(
            "<details><summary>Distribution and percentiles of {} queries that pass at {}</summary><p class=\"quiet\">{READING}</p><div class=\"grid\">{}</div></details>",
            passing.len(),
            escape(&volume.volume),
            grid(&passing)
        ));
    }
    Some(out)
}

const READING: &str = "Left: how many executions took how long. Right: the share of executions that were as fast \
    or faster. Dashed: the budget. The bar on the curve: the interval of the p95 at 95 %; budgets are decided by a wider one.";

/// The horizontal place of a share: as far apart as the nines are.
fn place(share: f64, nines_max: f64) -> f64 {
    let nines = -(1.0 - share).max(10f64.powf(-nines_max)).log10();
    CURVE_LEFT + nines / nines_max * (CURVE_RIGHT - CURVE_LEFT)
}

fn figure(query: &QueryEvidence, latency: &LatencySummary) -> String {
    let budgets: Vec<&BudgetEvidence> =
        query.budgets.iter().filter(|b| b.unit == Unit::Microseconds && b.limit.is_some()).collect();
    let shown = latency.percentiles.iter().map(|(_, us)| *us).chain(budgets.iter().filter_map(|b| b.limit));
    let Some(scale) = LogScale::around(shown, BOTTOM, TOP) else { return String::new() };
    let mut drawing = Drawing::new(WIDTH, BOTTOM + 26.0);
    for tick in scale.ticks() {
        drawing.text((LEFT - 6.0, scale.at(tick) + 4.0), Anchor::End, "quiet", false, &duration_us(tick));
        drawing.line((LEFT, scale.at(tick)), (CURVE_RIGHT, scale.at(tick)), "line", false);
    }
    histogram(&mut drawing, &scale, latency);
    curve(&mut drawing, &scale, latency);
    for budget in &budgets {
        let y = scale.at(budget.limit.unwrap_or_default());
        drawing.line((LEFT, y), (CURVE_RIGHT, y), "ink", true);
        let above = if y < TOP + 16.0 { 15.0 } else { -5.0 };
        drawing.text((CURVE_LEFT + 4.0, y + above), Anchor::Start, "ink", true, &budget.text);
    }
    let said: Vec<String> = budgets.iter().map(|b| format!("{}: {}", b.text, b.verdict.word())).collect();
    let words = format!(
        "{} executions: median {}, 95 % within {}, 99 % within {}, slowest {}. {}",
        grouped(latency.samples as f64),
        duration_us(latency.p50_us),
        duration_us(latency.p95_us),
        duration_us(latency.p99_us),
        duration_us(latency.max_us),
        said.join(", ")
    );
    drawing.small_figure(&format!("{} ({})", query.query, query.verdict.word()), &words)
}

fn histogram(drawing: &mut Drawing, scale: &LogScale, latency: &LatencySummary) {
    let most = latency.buckets.iter().map(|(_, count)| *count).max().unwrap_or(0).max(1) as f64;
    let mut below = latency.percentiles.first().map_or(scale.low, |(_, us)| *us);
    for (bound, count) in &latency.buckets {
        let (top, bottom) = (scale.at(*bound), scale.at(below));
        let width = *count as f64 / most * HISTOGRAM_WIDTH;
        drawing.shade((LEFT, top), (width, (bottom - top).max(1.0)), "mark");
        below = *bound;
    }
}

fn curve(drawing: &mut Drawing, scale: &LogScale, latency: &LatencySummary) {
    let nines_max = (latency.samples.max(10) as f64).log10().max(2.0);
    for (share, name) in [(0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (0.999, "p99.9")] {
        if share < 1.0 - 10f64.powf(-nines_max) {
            let x = place(share, nines_max);
            drawing.line((x, BOTTOM), (x, BOTTOM + 5.0), "quiet", false);
            drawing.text((x, BOTTOM + 20.0), Anchor::Middle, "quiet", false, name);
        }
    }
    let points: Vec<(f64, f64)> =
        latency.percentiles.iter().map(|(share, us)| (place(*share, nines_max), scale.at(*us))).collect();
    drawing.polyline(&points, "mark", false);
    let at = (place(0.95, nines_max), scale.at(latency.p95_us));
    if let Some(interval) = latency.p95_interval {
        let high = if interval.high.is_finite() { scale.at(interval.high) } else { TOP };
        let low = scale.at(interval.low);
        drawing.shade((at.0 - 4.0, high), (8.0, low - high), "doubt");
    }
    drawing.dot(at, 4.0, "mark");
}
