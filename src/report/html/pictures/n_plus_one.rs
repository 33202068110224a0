//! Each loop as parent and children with the data that flows between them. The
//! same loop in several scopes is one picture.

use super::svg::{Anchor, Drawing, escape, for_both, wrapped};
use crate::model::evidence::n_plus_one::{FormCost, LoopGroup, NPlusOneEvidence};
use crate::report::units;
use std::fmt::Write;

/// More loops than this are in the JSON report only.
const LOOPS_DRAWN: usize = 30;
/// More children than this are a number.
const CHILDREN_DRAWN: u64 = 4;
const LINE: f64 = 18.0;

/// What fits a screen: a statement in a box, and how often beside or below it.
struct Layout {
    width: f64,
    box_width: f64,
    /// Of a line of a statement, and of the data flow.
    characters: (usize, usize),
    is_narrow: bool,
}

const WIDE: Layout = Layout { width: 700.0, box_width: 540.0, characters: (74, 80), is_narrow: false };
const NARROW: Layout = Layout { width: 356.0, box_width: 292.0, characters: (38, 36), is_narrow: true };

/// Of a form that costs more than what it is to replace.
const DEARER: &str = "the same rows, but it costs more here: not recommended";

pub(super) fn figures(evidence: &NPlusOneEvidence) -> Vec<String> {
    let mut drawn: Vec<Vec<&LoopGroup>> = Vec::new();
    for group in &evidence.loops {
        match drawn.iter_mut().find(|same| same[0].fingerprint == group.fingerprint) {
            Some(same) => same.push(group),
            None => drawn.push(vec![group]),
        }
    }
    drawn.iter().take(LOOPS_DRAWN).map(|same| figure(evidence, same)).collect()
}

fn figure(evidence: &NPlusOneEvidence, same: &[&LoopGroup]) -> String {
    let mut out = tree(same[0]);
    out.push_str(&scopes(same));
    let fingerprint = &same[0].fingerprint;
    if let Some(proof) = evidence.batched.iter().find(|b| b.fingerprint == *fingerprint) {
        let rows = match (proof.same_rows, proof.is_way_out()) {
            (true, true) => "the same rows",
            (true, false) => DEARER,
            (false, _) => "other rows: not a replacement",
        };
        let forms = [("one per row", &proof.looped), ("one for all", &proof.batched)];
        out.push_str(&tried("Batched", rows, &proof.batched_sql, forms));
    }
    if let Some(proof) = evidence.joined.iter().find(|b| b.fingerprint == *fingerprint) {
        let forms = [("parent, then one per row", &proof.looped), ("joined", &proof.joined)];
        let rows = if proof.is_way_out() { "the same rows" } else { DEARER };
        out.push_str(&tried("Joined with its parent", rows, &proof.joined_sql, forms));
    }
    for (what, refusals) in
        [("batched", &evidence.not_batched), ("joined with its parent", &evidence.not_joined)]
    {
        if let Some(refusal) = refusals.iter().find(|b| b.fingerprint == *fingerprint) {
            // Writing to a string cannot fail.
            let _ = write!(out, "<p class=\"quiet\">Not {what}, because {}</p>", escape(&refusal.reason));
        }
    }
    out
}

/// The parent's box above, the data flow on the way down, the children below.
fn tree(group: &LoopGroup) -> String {
    let flow = group.pairs.first().map_or("values".into(), |pair| format!("{} → {}", pair.from, pair.to));
    let rows = format!("asked {}, returns {}", times(group.parent_executions), rows(group.parent_rows));
    let label = format!("{} ×", units::grouped(group.executions as f64));
    let words = format!(
        "Parent: {} ({rows}). Its {flow} feed the child, one by one: {}, {label}",
        group.parent.text, group.child.text
    );
    let title = format!("{} queries where one would do", units::grouped(group.executions as f64));
    let [wide, narrow] = [WIDE, NARROW].map(|layout| drawing(&layout, group, &flow, &rows, &label));
    for_both(&wide.figure(&title, &words), &narrow.small_figure(&title, &words))
}

fn drawing(layout: &Layout, group: &LoopGroup, flow: &str, rows: &str, label: &str) -> Drawing {
    let (characters, flow_characters) = layout.characters;
    let parent = wrapped(&group.parent.text, characters, 3);
    let child = wrapped(&group.child.text, characters, 3);
    let flow = wrapped(&format!("{flow}, one by one"), flow_characters, 2);
    let parent_height = 30.0 + LINE * parent.len() as f64;
    let child_height = 12.0 + LINE * child.len() as f64;
    let first_child = parent_height + 36.0 + LINE * flow.len() as f64;
    let shown = group.executions.min(CHILDREN_DRAWN);
    let step = 14.0;
    let bottom = first_child + child_height + step * shown as f64;
    let mut drawing = Drawing::new(layout.width, bottom + 24.0);
    drawing.bar((4.0, 4.0), (layout.box_width, parent_height), "ink", false);
    write_lines(&mut drawing, (16.0, 22.0), &parent);
    drawing.text((16.0, 22.0 + LINE * parent.len() as f64), Anchor::Start, "quiet", true, rows);
    let down = 60.0;
    drawing.arrow((down, parent_height + 4.0), (down, first_child), "fail", false);
    for (line, text) in flow.iter().enumerate() {
        let place = (down + 14.0, parent_height + 34.0 + LINE * line as f64);
        drawing.text(place, Anchor::Start, "fail", true, text);
    }
    for index in (0..shown).rev() {
        let shift = step * index as f64;
        drawing.bar((4.0 + shift, first_child + shift), (layout.box_width, child_height), "fail", false);
    }
    write_lines(&mut drawing, (16.0, first_child + 20.0), &child);
    let beside = (layout.box_width + 60.0, first_child + child_height / 2.0 + 6.0);
    let place = if layout.is_narrow { (16.0, bottom + 10.0) } else { beside };
    drawing.text(place, Anchor::Start, "fail", true, label);
    drawing
}

fn write_lines(drawing: &mut Drawing, at: (f64, f64), lines: &[String]) {
    for (number, line) in lines.iter().enumerate() {
        drawing.text((at.0, at.1 + LINE * number as f64), Anchor::Start, "ink", false, line);
    }
}

fn times(count: u64) -> String {
    if count == 1 { "once".into() } else { format!("{} times", units::grouped(count as f64)) }
}

fn rows(count: u64) -> String {
    units::format(count as f64, crate::model::Unit::Rows)
}

/// Where it happened, and what it cost there.
fn scopes(same: &[&LoopGroup]) -> String {
    let mut out = format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Where loop {} ran\"><table><thead><tr><th scope=\"col\">where</th>\
         <th scope=\"col\" class=\"number\">queries</th><th scope=\"col\" class=\"number\">different values</th>\
         <th scope=\"col\" class=\"number\">explained by the parent</th><th scope=\"col\" class=\"number\">time</th>\
         <th scope=\"col\" class=\"number\">of the scope's time</th><th scope=\"col\">certainty</th></tr></thead><tbody>",
        same[0].fingerprint
    );
    for group in same {
        let place = group.call_site.as_deref().map(|site| format!(" ({site})")).unwrap_or_default();
        let _ = write!(
            out,
            "<tr><th scope=\"row\">{}{}</th><td class=\"number\">{}</td><td class=\"number\">{}</td><td class=\"number\">{:.0} %</td>\
             <td class=\"number\">{}</td><td class=\"number\">{:.0} %</td><td>{}</td></tr>",
            escape(&group.scope),
            escape(&place),
            units::grouped(group.executions as f64),
            units::grouped(group.distinct_values as f64),
            group.explained * 100.0,
            units::duration_us(group.total_us as f64),
            group.share_of_scope * 100.0,
            group.certainty.word()
        );
    }
    out + "</tbody></table></div>"
}

/// Another form of the loop, and what both cost.
fn tried(form: &str, rows: &str, sql: &str, forms: [(&str, &FormCost); 2]) -> String {
    let mut out = format!("<p>{form}, {rows}: <code>{}</code></p>", escape(sql));
    out.push_str(
        "<table><thead><tr><th scope=\"col\">form</th><th scope=\"col\" class=\"number\">round trips</th>\
         <th scope=\"col\" class=\"number\">time</th><th scope=\"col\" class=\"number\">blocks</th></tr></thead><tbody>",
    );
    for (name, cost) in forms {
        let _ = write!(
            out,
            "<tr><th scope=\"row\">{name}</th><td class=\"number\">{}</td><td class=\"number\">{}</td><td class=\"number\">{}</td></tr>",
            cost.round_trips,
            units::duration_us(cost.time_us),
            units::grouped(cost.buffers as f64)
        );
    }
    out + "</tbody></table>"
}
