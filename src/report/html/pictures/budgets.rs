//! Every time budget as a line with the measured value and its interval, on
//! one scale a volume; then each query's latency, and the plans of broken ones.

use super::scale::LogScale;
use super::svg::{Anchor, Drawing, cut, escape};
use super::{data, growth, latency};
use crate::model::evidence::slow_queries::{BudgetEvidence, SlowQueriesEvidence, VolumeEvidence};
use crate::model::{Unit, Verdict};
use crate::report::units;

/// More budgets than this are in the table only.
const BUDGETS_DRAWN: usize = 60;
const ROW_HEIGHT: f64 = 26.0;
const LABEL_WIDTH: f64 = 250.0;
const SCALE_WIDTH: f64 = 460.0;
const VALUE_WIDTH: f64 = 250.0;

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

fn time_budgets(volume: &VolumeEvidence) -> Option<String> {
    let budgets = timed(volume);
    let all = budgets.iter().flat_map(|(_, b, value, limit)| {
        let interval = b.interval.map_or([*value; 2], |i| [i.low, i.high]);
        [*value, *limit].into_iter().chain(interval)
    });
    let scale = LogScale::around(all, LABEL_WIDTH, LABEL_WIDTH + SCALE_WIDTH)?;
    let height = 40.0 + ROW_HEIGHT * budgets.len() as f64;
    let mut drawing = Drawing::new(LABEL_WIDTH + SCALE_WIDTH + VALUE_WIDTH, height);
    for tick in scale.ticks() {
        let x = scale.at(tick);
        drawing.line((x, 20.0), (x, height), "line", true);
        drawing.text((x, 14.0), Anchor::Middle, "quiet", false, &units::duration_us(tick));
    }
    let mut words = Vec::new();
    for (row, (query, budget, value, limit)) in budgets.iter().enumerate() {
        let y = 36.0 + ROW_HEIGHT * row as f64;
        draw_budget(&mut drawing, &scale, y, query, budget, (*value, *limit));
        words.push(format!(
            "{query} {}: {}, {}",
            budget.text,
            units::duration_us(*value),
            budget.verdict.word()
        ));
    }
    let title = format!(
        "Time against budget at {}: dot and bar are the value and its interval, the upright line is the budget",
        volume.volume
    );
    Some(drawing.figure(&title, &words.join(". ")))
}

fn draw_budget(
    drawing: &mut Drawing,
    scale: &LogScale,
    y: f64,
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
    drawing.text((LABEL_WIDTH - 10.0, y + 4.0), Anchor::End, "ink", false, &cut(query, 32));
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
    let text = format!("{sign} {} of {}", units::duration_us(value), budget.text);
    drawing.text((LABEL_WIDTH + SCALE_WIDTH + 8.0, y + 4.0), Anchor::Start, colour, true, &cut(&text, 34));
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
