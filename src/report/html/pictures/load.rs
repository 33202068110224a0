//! The load curve: percentiles of the latency over the offered rate, the limits across, and the
//! band in which the line lies.

use super::scale::LogScale;
use super::svg::{Anchor, Drawing, escape, for_both};
use crate::model::evidence::load::{LoadEvidence, LoadLatency, LoadLimit, LoadStep};
use crate::report::units::duration_us;
use std::fmt::Write;

/// For a wide and for a narrow screen.
const WIDTHS: [f64; 2] = [720.0, 356.0];
const LEFT: f64 = 70.0;
/// Room for the names of the curves.
const NAMES: f64 = 60.0;
/// Rates closer than this are left out below the curves.
const RATE_WIDTH: f64 = 56.0;
/// A rate so close to an end has its words above the others'.
const NEAR_END: f64 = 90.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 300.0;
/// More limits than this are in the table only.
const LIMITS_DRAWN: usize = 4;
/// Names of curves that would lie closer are moved apart.
const LABEL_HEIGHT: f64 = 15.0;

/// A percentile, its colour, and where a latency has it.
type Curve = (&'static str, &'static str, fn(&LoadLatency) -> f64);
const CURVES: [Curve; 3] = [
    ("p50", "quiet", |latency| latency.p50_us),
    ("p95", "mark", |latency| latency.p95_us),
    ("p99", "ink", |latency| latency.p99_us),
];

pub(super) fn figures(evidence: &LoadEvidence) -> Vec<String> {
    let mut figures = Vec::new();
    if evidence.loop_kind != "closed" && evidence.steps.len() > 1 {
        figures.extend(curve(evidence));
    }
    if !evidence.steps.is_empty() {
        figures.push(table(evidence));
    }
    figures
}

fn curve(evidence: &LoadEvidence) -> Option<String> {
    let title = "Latency over the offered rate, from when a request was due";
    let [wide, narrow] = WIDTHS.map(|width| drawing(evidence, width));
    let ((wide, said), (narrow, _)) = (wide?, narrow?);
    Some(for_both(&wide.figure(title, &said), &narrow.small_figure(title, &said)))
}

/// The drawing, and what it says.
fn drawing(evidence: &LoadEvidence, width: f64) -> Option<(Drawing, String)> {
    let steps = &evidence.steps;
    let x = LogScale::around(steps.iter().map(|step| step.offered_per_s), LEFT, width - NAMES)?;
    let latencies = steps.iter().filter_map(|step| step.latency.as_ref());
    let values = latencies.flat_map(|latency| CURVES.map(|(_, _, of)| of(latency)));
    let drawn: Vec<&LoadLimit> = evidence.limits.iter().take(LIMITS_DRAWN).collect();
    let y = LogScale::around(values.chain(drawn.iter().map(|limit| limit.limit_us)), BOTTOM, TOP)?;
    let mut drawing = Drawing::new(width, BOTTOM + 44.0);
    axes(&mut drawing, &x, &y);
    let said = draw_line(&mut drawing, &x, evidence);
    draw_limits(&mut drawing, (&x, &y), &drawn);
    draw_curves(&mut drawing, &x, &y, steps);
    Some((drawing, said))
}

fn axes(drawing: &mut Drawing, x: &LogScale, y: &LogScale) {
    for tick in y.ticks() {
        drawing.line((LEFT, y.at(tick)), (x.to, y.at(tick)), "line", false);
        drawing.text((LEFT - 8.0, y.at(tick) + 4.0), Anchor::End, "quiet", false, &duration_us(tick));
    }
    let mut labelled = f64::NEG_INFINITY;
    for tick in x.ticks() {
        if x.at(tick) - labelled < RATE_WIDTH {
            continue;
        }
        labelled = x.at(tick);
        drawing.line((x.at(tick), BOTTOM), (x.at(tick), BOTTOM + 5.0), "quiet", false);
        drawing.text((x.at(tick), BOTTOM + 20.0), Anchor::Middle, "quiet", false, &format!("{tick}/s"));
    }
    let below = (0.5 * (LEFT + x.to), BOTTOM + 38.0);
    drawing.text(below, Anchor::Middle, "quiet", false, "requests due per second");
}

/// The band between the highest rate that holds and the lowest that breaks; what it says.
fn draw_line(drawing: &mut Drawing, x: &LogScale, evidence: &LoadEvidence) -> String {
    let Some(line) = &evidence.line else { return "one rate".into() };
    let breaks = line.breaks_per_s.or(line.generator_bound_per_s);
    let (from, to) =
        (line.holds_per_s.map_or(LEFT, |rate| x.at(rate)), breaks.map_or(x.to, |rate| x.at(rate)));
    drawing.shade((from, TOP), (to - from, BOTTOM - TOP), "doubt");
    let mut said = Vec::new();
    let holds_near = line.holds_per_s.is_some() && from < LEFT + NEAR_END;
    if let Some(holds) = line.holds_per_s {
        drawing.line((from, TOP - 8.0), (from, BOTTOM), "pass", false);
        let anchor = if holds_near { Anchor::Start } else { Anchor::End };
        let height = if holds_near { TOP - 26.0 } else { TOP - 12.0 };
        drawing.text((from - 5.0, height), anchor, "pass", true, &format!("holds at {holds}/s"));
        said.push(format!("holds at {holds}/s"));
    }
    if let Some(breaks) = breaks {
        let word = if line.breaks_per_s.is_some() { "breaks" } else { "generator is the limit" };
        drawing.line((to, TOP - 8.0), (to, BOTTOM), "fail", false);
        let is_near = to > x.to - NEAR_END;
        let anchor = if is_near { Anchor::End } else { Anchor::Start };
        let height = if is_near && !holds_near { TOP - 26.0 } else { TOP - 12.0 };
        drawing.text((to + 5.0, height), anchor, "fail", true, &format!("{word} at {breaks}/s"));
        said.push(format!("{word} at {breaks}/s"));
    }
    if let Some(floor) = evidence.at_least {
        let words = format!("required: {floor}/s");
        if floor < x.low {
            // Left of what was tried.
            drawing.text((LEFT + 4.0, BOTTOM - 8.0), Anchor::Start, "ink", true, &format!("◂ {words}"));
        } else {
            let is_left = x.at(floor) < 0.5 * (LEFT + x.to);
            let (anchor, beside) = if is_left { (Anchor::Start, 5.0) } else { (Anchor::End, -5.0) };
            drawing.line((x.at(floor), TOP), (x.at(floor), BOTTOM), "ink", true);
            drawing.text((x.at(floor) + beside, BOTTOM - 8.0), anchor, "ink", true, &words);
        }
        said.push(format!("{floor}/s is required"));
    }
    if said.is_empty() { "no rate is decided".into() } else { said.join(", ") }
}

fn draw_limits(drawing: &mut Drawing, (x, y): (&LogScale, &LogScale), limits: &[&LoadLimit]) {
    let mut known: Vec<f64> = Vec::new();
    for limit in limits {
        let level = y.at(limit.limit_us);
        // Several queries with one limit share its line.
        if known.iter().any(|other| (other - level).abs() < LABEL_HEIGHT) {
            continue;
        }
        known.push(level);
        drawing.line((LEFT, level), (x.to, level), "ink", true);
        let below = if level < TOP + 20.0 { 16.0 } else { -6.0 };
        drawing.text((LEFT + 4.0, level + below), Anchor::Start, "ink", true, &limit.text);
    }
}

/// Each curve ends where requests without an answer reach into it.
fn draw_curves(drawing: &mut Drawing, x: &LogScale, y: &LogScale, steps: &[LoadStep]) {
    let mut label_at = f64::INFINITY;
    for (name, colour, of) in CURVES {
        let at = |step: &LoadStep| {
            let value = step.latency.as_ref().map(of).filter(|us| us.is_finite() && *us > 0.0)?;
            Some((x.at(step.offered_per_s), y.at(value)))
        };
        let points: Vec<(f64, f64)> = steps.iter().map_while(at).collect();
        drawing.polyline(&points, colour, false);
        points.iter().for_each(|point| drawing.dot(*point, 3.5, colour));
        let Some(last) = points.last() else { continue };
        label_at = (last.1 + 4.0).min(label_at - LABEL_HEIGHT);
        drawing.text((last.0 + 8.0, label_at), Anchor::Start, colour, true, name);
    }
}

fn table(evidence: &LoadEvidence) -> String {
    let mut rows = String::new();
    for step in &evidence.steps {
        let shown =
            |of: fn(&LoadLatency) -> f64| step.latency.as_ref().map_or("-".into(), |l| duration_us(of(l)));
        let errors: u64 = step.errors.iter().map(|(_, count, _)| count).sum();
        // Writing to a string cannot fail.
        let _ = write!(
            rows,
            "<tr><th scope=\"row\" class=\"number\">{}/s</th><td>{}</td><td class=\"number\">{}</td><td class=\"number\">{}</td>\
             <td class=\"number\">{}</td><td class=\"number\">{}</td><td class=\"number\">{}</td><td class=\"number\">{errors}</td>\
             <td class=\"number\">{}</td><td class=\"number\">{}</td><td>{}</td></tr>",
            if evidence.loop_kind == "closed" { step.offered_per_s.round() } else { step.offered_per_s },
            step.outcome,
            shown(|l| l.p50_us),
            shown(|l| l.p95_us),
            shown(|l| l.p99_us),
            step.queued,
            step.dropped,
            duration_us(step.lateness_p99_us),
            step.slices.len(),
            escape(&step.because)
        );
    }
    let title = if evidence.loop_kind == "closed" {
        "Closed loop: service time, from when a request was sent"
    } else {
        "Every rate; a latency that requests without an answer reach into is -"
    };
    format!(
        "<figure><figcaption>{title}</figcaption><div class=\"scroll\" tabindex=\"0\" role=\"region\" \
         aria-label=\"Every rate\"><table><thead><tr><th scope=\"col\" class=\"number\">{}</th><th scope=\"col\">outcome</th>\
         <th scope=\"col\" class=\"number\">p50</th><th scope=\"col\" class=\"number\">p95</th><th scope=\"col\" class=\"number\">p99</th>\
         <th scope=\"col\" class=\"number\">queued</th><th scope=\"col\" class=\"number\">never sent</th><th scope=\"col\" class=\"number\">errors</th>\
         <th scope=\"col\" class=\"number\">generator late, p99</th><th scope=\"col\" class=\"number\">slices</th><th scope=\"col\">because</th></tr></thead>\
         <tbody>{rows}</tbody></table></div></figure>",
        if evidence.loop_kind == "closed" { "served" } else { "offered" }
    )
}
