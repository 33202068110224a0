//! Every changed query with its plans side by side, and what changed in them.

use super::svg::escape;
use super::{over_time, plan_trees};
use crate::model::evidence::LatencySeries;
use crate::model::evidence::regression::{
    Change, CounterComparison, MigrationUnderLoad, ParameterComparison, QueryComparison, RegressionEvidence,
};
use crate::report::units;
use std::fmt::Write;

/// More changed queries than this are in the JSON report only.
const QUERIES_DRAWN: usize = 30;

pub(super) fn figures(evidence: &RegressionEvidence) -> Vec<String> {
    let mut figures = vec![method(evidence)];
    let changed = evidence.queries.iter().filter(|q| q.change != Change::Unchanged || has_plan_change(q));
    figures.extend(changed.take(QUERIES_DRAWN).map(|query| query_figure(evidence, query)));
    figures.extend(evidence.under_load.iter().flat_map(under_load));
    figures
}

/// What readers and writers waited while the migration ran.
fn under_load(load: &MigrationUnderLoad) -> Vec<String> {
    let figure = |series: &LatencySeries| {
        let title = format!("{} while the migration runs, its statements by their numbers", series.subject);
        over_time::figure(series, &title, ("a statement runs", "it is done"))
    };
    load.series.iter().filter_map(figure).collect()
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
            ". Identical clones read as a ratio of {:.3} ({:.3} to {:.3} at {}) in this run.",
            floor.ratio,
            floor.interval.low,
            floor.interval.high,
            floor.interval.percent()
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
    let open = if query.change == Change::Regressed { " open" } else { "" };
    let mut out = format!(
        "<details{open}><summary><code>{}</code>: <strong class=\"{}\">{}</strong>, {}</summary>",
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
        write_set(evidence, &query.query, set, &mut out);
    }
    out + "</details>"
}

fn write_set(evidence: &RegressionEvidence, query: &str, set: &ParameterComparison, out: &mut String) {
    let _ = write!(out, "<p class=\"quiet\">with {}</p>", escape(&set.label));
    if !set.plan_changes.is_empty() {
        out.push_str("<ul>");
        for change in &set.plan_changes {
            let _ = write!(out, "<li>{}</li>", escape(&change.sentence()));
        }
        out.push_str("</ul>");
    }
    let is_same = |c: &&CounterComparison| c.change == Change::Unchanged && (c.before - c.after).abs() < 1e-9;
    let (same, moved): (Vec<&CounterComparison>, Vec<&CounterComparison>) =
        set.counters.iter().partition(is_same);
    write_counters(query, &moved, out);
    if !same.is_empty() {
        let names: Vec<String> = same
            .iter()
            .map(|c| format!("{} {}", c.metric.replace('_', " "), units::format(c.after, c.unit)))
            .collect();
        let _ = write!(out, "<p class=\"quiet\">The same on both sides: {}</p>", escape(&names.join(", ")));
    }
    let names = (evidence.from.as_str(), evidence.to.as_str());
    if set.trees.0.nodes.is_empty() {
        write_drawn_plans(names, set, out);
    } else {
        out.push_str(&plan_trees::figure(query, names, &set.trees));
    }
}

/// The plans as they were drawn, for a run of a version that kept no trees.
fn write_drawn_plans((from, to): (&str, &str), set: &ParameterComparison, out: &mut String) {
    let _ = write!(
        out,
        "<div class=\"sides\"><div><p><strong>Before ({})</strong></p><pre tabindex=\"0\">{}</pre></div>\
         <div><p><strong>After ({})</strong></p><pre tabindex=\"0\">{}</pre></div></div>",
        escape(from),
        marked(&set.plan_before, &set.plan_after),
        escape(to),
        marked(&set.plan_after, &set.plan_before)
    );
}

fn write_counters(query: &str, moved: &[&CounterComparison], out: &mut String) {
    if moved.is_empty() {
        return;
    }
    let _ = write!(
        out,
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Counters of {} before and after\"><table><thead><tr><th scope=\"col\">counter</th><th scope=\"col\" class=\"number\">before</th>\
                  <th scope=\"col\" class=\"number\">after</th><th scope=\"col\">change</th></tr></thead><tbody>",
        escape(query)
    );
    for counter in moved {
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
    out.push_str("</tbody></table></div>");
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
