//! The volume ladder: each query's figures over the volumes, the power law
//! fitted through them, and the volume at which the law reaches the budget.

use super::scale::LogScale;
use super::svg::{Anchor, Drawing, escape};
use crate::model::evidence::slow_queries::{QueryGrowth, SlowQueriesEvidence};
use crate::report::growth::{breaks_at, factor, value};
use std::fmt::Write;

const WIDTH: f64 = 360.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = WIDTH - 14.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 176.0;
/// The line is drawn this many times beyond the largest volume at most.
const AHEAD_MAX: f64 = 100.0;
/// More curves than this are in the table only.
const CURVES_DRAWN: usize = 60;

pub(super) fn figures(evidence: &SlowQueriesEvidence) -> Option<String> {
    if evidence.growth.is_empty() {
        return None;
    }
    let drawn: String = evidence.growth.iter().take(CURVES_DRAWN).map(figure).collect();
    Some(format!(
        "<h3>Growth with the volume</h3>{}<p class=\"quiet\">Dots: measured. Line: the fitted power law, dashed where \
         nothing was measured. Dashed across: the budget; the shaded part is where the law may reach it.</p>\
         <div class=\"grid\">{drawn}</div>",
        table(&evidence.growth)
    ))
}

fn figure(growth: &QueryGrowth) -> String {
    let largest = growth.points.iter().map(|(size, _)| *size).fold(0.0, f64::max);
    let limit = growth.limit.as_ref();
    let far = limit.map_or(largest, |l| l.factor).min(largest * AHEAD_MAX).max(largest * 2.0);
    let law = |size: f64| growth.scale * size.powf(growth.exponent);
    let sizes = growth.points.iter().map(|(size, _)| *size).chain([far]);
    let Some(x) = LogScale::around(sizes, LEFT, RIGHT) else { return String::new() };
    let values = growth.points.iter().map(|(_, v)| *v).chain(limit.map(|l| l.limit)).chain([law(far)]);
    let Some(y) = LogScale::around(values, BOTTOM, TOP) else { return String::new() };
    let mut drawing = Drawing::new(WIDTH, BOTTOM + 26.0);
    for tick in y.ticks() {
        drawing.text(
            (LEFT - 6.0, y.at(tick) + 4.0),
            Anchor::End,
            "quiet",
            false,
            &value(growth.metric, tick),
        );
        drawing.line((LEFT, y.at(tick)), (RIGHT, y.at(tick)), "line", false);
    }
    for tick in x.ticks() {
        drawing.text((x.at(tick), BOTTOM + 20.0), Anchor::Middle, "quiet", false, &factor(tick));
    }
    if let Some(limit) = limit {
        draw_limit(&mut drawing, (&x, &y), limit);
    }
    let smallest = growth.points.iter().map(|(size, _)| *size).fold(f64::INFINITY, f64::min);
    let line = |from: f64, to: f64| [from, to].map(|size| (x.at(size), y.at(law(size))));
    drawing.polyline(&line(smallest, largest), "mark", false);
    drawing.polyline(&line(largest, far), "mark", true);
    for (size, measured) in &growth.points {
        drawing.dot((x.at(*size), y.at(*measured)), 4.5, "mark");
    }
    let said = format!(
        "{}, exponent {:.2}; {}",
        growth.class,
        growth.exponent,
        breaks_at(growth).unwrap_or_else(|| "no budget".into())
    );
    drawing.small_figure(&format!("{} {}: {}", growth.query, growth.metric, growth.class), &said)
}

fn draw_limit(
    drawing: &mut Drawing,
    (x, y): (&LogScale, &LogScale),
    limit: &crate::model::evidence::slow_queries::GrowthLimit,
) {
    let level = y.at(limit.limit);
    let low = x.at(limit.interval.low.max(x.low));
    let high = if limit.interval.high.is_finite() { x.at(limit.interval.high) } else { x.to };
    if limit.interval.low.is_finite() && limit.interval.low < x.high {
        drawing.shade((low, level - 6.0), (high - low, 12.0), "doubt");
    }
    drawing.line((LEFT, level), (RIGHT, level), "ink", true);
    let below = if level < TOP + 16.0 { 16.0 } else { -6.0 };
    drawing.text((LEFT + 4.0, level + below), Anchor::Start, "ink", true, &limit.budget);
    if limit.factor.is_finite() && limit.factor <= x.high {
        let at = (x.at(limit.factor), level);
        drawing.line((at.0, at.1 - 7.0), (at.0, at.1 + 7.0), "fail", false);
        drawing.text((at.0, at.1 - 10.0), Anchor::End, "fail", true, &factor(limit.factor));
    }
}

fn table(growth: &[QueryGrowth]) -> String {
    let mut rows = String::new();
    for entry in growth {
        let interval = if entry.interval.low.is_finite() && entry.interval.high.is_finite() {
            format!("{:.2} to {:.2} at {}", entry.interval.low, entry.interval.high, entry.interval.percent())
        } else {
            "not bounded".into()
        };
        // Writing to a string cannot fail.
        let _ = write!(
            rows,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td class=\"number\">{:.2}</td><td class=\"number\">{interval}</td><td>{}</td></tr>",
            escape(&entry.query),
            entry.metric,
            entry.class,
            entry.exponent,
            escape(&breaks_at(entry).unwrap_or_default())
        );
    }
    format!(
        "<figure><figcaption>An exponent of 0 stays, 1 grows like the data</figcaption><div class=\"scroll\" tabindex=\"0\" \
         role=\"region\" aria-label=\"Growth with the volume\"><table><thead><tr>\
         <th scope=\"col\">query</th><th scope=\"col\">metric</th><th scope=\"col\">growth</th><th scope=\"col\" class=\"number\">exponent</th>\
         <th scope=\"col\" class=\"number\">interval</th><th scope=\"col\">budget</th></tr></thead><tbody>{rows}</tbody></table></div></figure>"
    )
}
