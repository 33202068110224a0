//! Every changed query with its plans side by side, and what changed in them.

use super::svg::escape;
use crate::model::evidence::regression::{Change, ParameterComparison, QueryComparison, RegressionEvidence};
use crate::report::units;
use std::fmt::Write;

/// More changed queries than this are in the JSON report only.
const QUERIES_DRAWN: usize = 30;

pub(super) fn figures(evidence: &RegressionEvidence) -> Vec<String> {
    let mut figures = vec![method(evidence)];
    let changed = evidence.queries.iter().filter(|q| q.change != Change::Unchanged || has_plan_change(q));
    figures.extend(changed.take(QUERIES_DRAWN).map(|query| query_figure(evidence, query)));
    figures
}

fn has_plan_change(query: &QueryComparison) -> bool {
    query.parameter_sets.iter().any(|set| !set.plan_changes.is_empty())
}

fn method(evidence: &RegressionEvidence) -> String {
    let mut text = format!("<p class=\"quiet\">{}", escape(&evidence.method));
    if let Some(floor) = &evidence.noise_floor {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            " Identical clones read as a ratio of {:.3} ({:.3} to {:.3}) in this run.",
            floor.ratio, floor.interval.low, floor.interval.high
        );
    }
    text + "</p>"
}

/// One query: the parameter set that differs most, in full.
fn query_figure(evidence: &RegressionEvidence, query: &QueryComparison) -> String {
    let shown = query
        .parameter_sets
        .iter()
        .max_by(|a, b| weight(a).total_cmp(&weight(b)))
        .or(query.parameter_sets.first());
    let mut out = format!(
        "<figure><figcaption><code>{}</code>: <strong class=\"{}\">{}</strong>, {}</figcaption>",
        escape(&query.query),
        class(query.change),
        query.change.word(),
        escape(&query.because)
    );
    if let Some(attribution) = &query.attribution {
        let _ = write!(
            out,
            "<p>Made by <code>{}</code> (migration {}, line {})</p>",
            escape(&attribution.statement),
            escape(&attribution.version),
            attribution.line
        );
    }
    if let Some(set) = shown {
        write_set(evidence, set, &mut out);
    }
    out + "</figure>"
}

fn write_set(evidence: &RegressionEvidence, set: &ParameterComparison, out: &mut String) {
    let _ = write!(out, "<p class=\"quiet\">with {}</p>", escape(&set.label));
    if !set.plan_changes.is_empty() {
        out.push_str("<ul>");
        for change in &set.plan_changes {
            let _ = write!(out, "<li>{}</li>", escape(&change.sentence()));
        }
        out.push_str("</ul>");
    }
    out.push_str("<table><thead><tr><th scope=\"col\">counter</th><th scope=\"col\" class=\"number\">before</th>\
                  <th scope=\"col\" class=\"number\">after</th><th scope=\"col\">change</th></tr></thead><tbody>");
    for counter in &set.counters {
        let _ = write!(
            out,
            "<tr><th scope=\"row\">{}</th><td class=\"number\">{}</td><td class=\"number\">{}</td><td class=\"{}\">{}</td></tr>",
            counter.metric.replace('_', " "),
            units::format(counter.before, counter.unit),
            units::format(counter.after, counter.unit),
            class(counter.change),
            counter.change.word()
        );
    }
    let _ = write!(
        out,
        "</tbody></table><div class=\"sides\"><div><h4>Before ({})</h4><pre tabindex=\"0\">{}</pre></div>\
         <div><h4>After ({})</h4><pre tabindex=\"0\">{}</pre></div></div>",
        escape(&evidence.from),
        marked(&set.plan_before, &set.plan_after),
        escape(&evidence.to),
        marked(&set.plan_after, &set.plan_before)
    );
}

/// How much work a parameter set lost or gained: the largest ratio of a counter, either way.
fn weight(set: &ParameterComparison) -> f64 {
    set.counters.iter().map(|c| ((c.after + 1.0) / (c.before + 1.0)).ln().abs()).fold(0.0, f64::max)
}

/// The plan with the nodes that the other side does not have marked, in words
/// for a screen reader and by weight for the eye. Figures at the end of a line
/// do not count as a difference.
fn marked(plan: &str, other: &str) -> String {
    let known: Vec<_> = other.lines().map(node_of).collect();
    let mut out = String::new();
    for line in plan.lines() {
        if known.contains(&node_of(line)) {
            let _ = writeln!(out, "{}", escape(line));
        } else {
            let _ = writeln!(out, "<mark>{}</mark>", escape(line));
        }
    }
    out
}

/// A drawn line without its figures: what comes before the first bracket, or the whole.
fn node_of(line: &str) -> &str {
    let line = line.trim_matches(|c: char| !c.is_alphanumeric());
    line.split("  ").next().unwrap_or(line)
}

fn class(change: Change) -> &'static str {
    match change {
        Change::Improved => "pass",
        Change::Unchanged => "skipped",
        Change::Regressed => "fail",
        Change::Inconclusive => "inconclusive",
    }
}
