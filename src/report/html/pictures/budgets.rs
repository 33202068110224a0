//! Every time budget as a line with the measured value and its interval, on
//! one scale a volume; then each query's latency, and the plans of broken ones.

use super::scale::LogScale;
use super::svg::{Anchor, Drawing, cut, escape, for_both};
use super::{data, growth, latency};
use crate::model::evidence::slow_queries::{BudgetEvidence, SlowQueriesEvidence, VolumeEvidence};
use crate::model::{Interval, Unit, Verdict, confidence_percent};
use crate::report::units;

/// More budgets than this are in the table only.
const BUDGETS_DRAWN: usize = 60;

/// Where the parts of a row stand: beside each other, or on a narrow screen the words above their bar.
struct Layout {
    row_height: f64,
    width: f64,
    /// The ends of the scale.
    scale: (f64, f64),
    /// The words' distance above the bar.
    words_above: f64,
    /// Where the query's name stands, and how much of it.
    name: (f64, Anchor, usize),
    /// Where the value stands.
    value: (f64, Anchor),
    /// The value beside its budget, in as many words as there is room for.
    value_text: fn(&BudgetEvidence, f64, f64) -> String,
}

const WIDE: Layout = Layout {
    row_height: 26.0,
    width: 960.0,
    scale: (250.0, 710.0),
    words_above: -4.0,
    name: (240.0, Anchor::End, 32),
    value: (718.0, Anchor::Start),
    value_text: |budget, value, _| cut(&format!("{} of {}", units::duration_us(value), budget.text), 32),
};
const NARROW: Layout = Layout {
    row_height: 42.0,
    width: 356.0,
    scale: (6.0, 350.0),
    words_above: 14.0,
    name: (0.0, Anchor::Start, 26),
    value: (356.0, Anchor::End),
    value_text: |_, value, limit| format!("{} of {}", units::duration_us(value), units::duration_us(limit)),
};

pub(super) fn figures(evidence: &SlowQueriesEvidence) -> Vec<String> {
    let mut figures: Vec<_> = evidence.volumes.iter().filter_map(time_budgets).collect();
    figures.extend(evidence.volumes.iter().flat_map(broken_plans));
    figures.extend(growth::figures(evidence));
    figures.extend(evidence.volumes.iter().filter_map(latency::figures));
    figures.extend(evidence.volumes.iter().filter_map(data::figure));
    figures
}

/// Budgets in microseconds with a value, with their query.
fn timed(volume: &VolumeEvidence) -> Vec<(&str, &BudgetEvidence, f64, f64)> {
    let budgets = volume.queries.iter().flat_map(|q| q.budgets.iter().map(move |b| (q.query.as_str(), b)));
    budgets
        .filter(|(_, b)| b.unit == Unit::Microseconds)
        .filter_map(|(query, b)| Some((query, b, b.value?, b.limit?)))
        .filter(|(_, _, value, limit)| *value > 0.0 && *limit > 0.0)
        .take(BUDGETS_DRAWN)
        .collect()
}

/// Drawn for a wide and for a narrow screen; the page shows one of the two.
fn time_budgets(volume: &VolumeEvidence) -> Option<String> {
    let (wide, narrow) = (budgets_in(&WIDE, volume)?, budgets_in(&NARROW, volume)?);
    let intervals = timed(volume).into_iter().filter_map(|(_, budget, ..)| budget.interval);
    let reading = format!(
        "<p class=\"quiet\">Dot and bar: the value and its interval{}, which decides. Upright line: the budget.</p>",
        confidences(intervals)
    );
    Some(for_both(&wide, &narrow) + &reading)
}

fn budgets_in(layout: &Layout, volume: &VolumeEvidence) -> Option<String> {
    let budgets = timed(volume);
    let all = budgets.iter().flat_map(|(_, b, value, limit)| {
        let interval = b.interval.map_or([*value; 2], |i| [i.low, i.high]);
        [*value, *limit].into_iter().chain(interval)
    });
    let scale = LogScale::around(all, layout.scale.0, layout.scale.1)?;
    let height = 40.0 + layout.row_height * budgets.len() as f64;
    let mut drawing = Drawing::new(layout.width, height);
    for tick in scale.ticks() {
        let x = scale.at(tick);
        drawing.line((x, 20.0), (x, height), "line", true);
        drawing.text((x, 14.0), Anchor::Middle, "quiet", false, &units::duration_us(tick));
    }
    let mut words = Vec::new();
    for (row, (query, budget, value, limit)) in budgets.iter().enumerate() {
        let y = 36.0 + layout.words_above.max(0.0) + layout.row_height * row as f64;
        draw_budget(&mut drawing, layout, (&scale, y), query, budget, (*value, *limit));
        words.push(format!(
            "{query} {}: {}{}, {}",
            budget.text,
            units::duration_us(*value),
            budget.interval.map(bounds).unwrap_or_default(),
            budget.verdict.word()
        ));
    }
    let title = format!("Time against budget at {}", volume.volume);
    Some(drawing.figure(&title, &words.join(". ")))
}

fn bounds(interval: Interval) -> String {
    let (low, high) = (units::duration_us(interval.low), units::duration_us(interval.high));
    format!(" ({low} to {high} at {})", interval.percent())
}

/// ` at 99.983 %`, or from the least to the most where they differ; nothing without an interval.
fn confidences(intervals: impl Iterator<Item = Interval>) -> String {
    let mut all: Vec<f64> = intervals.map(|interval| interval.confidence).collect();
    all.sort_by(f64::total_cmp);
    let mut words: Vec<String> =
        all.first().into_iter().chain(all.last()).copied().map(confidence_percent).collect();
    words.dedup();
    if words.is_empty() { String::new() } else { format!(" at {}", words.join(" to ")) }
}

fn draw_budget(
    drawing: &mut Drawing,
    layout: &Layout,
    (scale, y): (&LogScale, f64),
    query: &str,
    budget: &BudgetEvidence,
    figures: (f64, f64),
) {
    let (value, limit) = figures;
    let colour = match budget.verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "fail",
        Verdict::Inconclusive { .. } => "doubt",
        Verdict::Skipped { .. } => "skip",
    };
    let words_y = y - layout.words_above;
    let (x, anchor, characters) = layout.name;
    drawing.text((x, words_y), anchor, "ink", false, &cut(query, characters));
    let (low, high) = budget.interval.map_or((value, value), |i| (i.low, i.high));
    let left = scale.at(if low.is_finite() { low } else { scale.low });
    let right = scale.at(if high.is_finite() { high } else { scale.high });
    drawing.bar((left, y - 3.0), ((right - left).max(2.0), 6.0), colour, true);
    drawing.bar((scale.at(value) - 4.0, y - 6.0), (8.0, 12.0), colour, true);
    drawing.line((scale.at(limit), y - 10.0), (scale.at(limit), y + 10.0), "ink", false);
    let sign = match budget.verdict {
        Verdict::Pass => "✓",
        Verdict::Fail => "✗",
        Verdict::Inconclusive { .. } => "?",
        Verdict::Skipped { .. } => "–",
    };
    let (x, anchor) = layout.value;
    let text = format!("{sign} {}", (layout.value_text)(budget, value, limit));
    drawing.text((x, words_y), anchor, colour, true, &text);
}

/// The plan of every query with a broken budget.
fn broken_plans(volume: &VolumeEvidence) -> Vec<String> {
    let broken = volume.queries.iter().filter(|q| q.verdict == Verdict::Fail);
    broken
        .filter_map(|query| {
            let plan = query.worst_plan.as_ref()?;
            let with = query.reason.as_ref().map(|r| format!(" with {}", r.parameter_set)).unwrap_or_default();
            Some(format!(
                "<figure><figcaption>Plan of <code>{}</code> at {}{}</figcaption><pre tabindex=\"0\">{}</pre></figure>",
                escape(&query.query),
                escape(&volume.volume),
                escape(&with),
                escape(plan)
            ))
        })
        .collect()
}
