//! Each loop as parent and child with the data that flows between them.

use super::svg::escape;
use crate::model::evidence::n_plus_one::{BatchProof, LoopGroup, NPlusOneEvidence};
use crate::report::units;
use std::fmt::Write;

/// More loops than this are in the JSON report only.
const LOOPS_DRAWN: usize = 30;

pub(super) fn figures(evidence: &NPlusOneEvidence) -> Vec<String> {
    evidence.loops.iter().take(LOOPS_DRAWN).map(|group| figure(evidence, group)).collect()
}

fn figure(evidence: &NPlusOneEvidence, group: &LoopGroup) -> String {
    let flow = group.pairs.first().map_or("values".into(), |pair| format!("{} → {}", pair.from, pair.to));
    let mut out = format!(
        "<figure><figcaption>{} queries where one would do, in {}</figcaption><ul class=\"tree\"><li><code>{}</code>\
         <br><span class=\"quiet\">{} rows from {} executions</span><ul><li><span class=\"badge fail\">{} ×</span> \
         <code>{}</code><br><span class=\"quiet\">fed by {}; {:.0} % of the values explained ({}); {}, {:.0} % of the scope's time</span></li></ul></li></ul>",
        group.executions,
        escape(&group.scope),
        escape(&group.parent.text),
        group.parent_rows,
        group.parent_executions,
        group.executions,
        escape(&group.child.text),
        escape(&flow),
        group.explained * 100.0,
        group.certainty.word(),
        units::duration_us(group.total_us as f64),
        group.share_of_scope * 100.0,
    );
    if let Some(proof) = evidence.batched.iter().find(|b| b.fingerprint == group.fingerprint) {
        out.push_str(&batched(proof));
    }
    out + "</figure>"
}

fn batched(proof: &BatchProof) -> String {
    let rows = if proof.same_rows { "the same rows" } else { "other rows: not a replacement" };
    let mut out = format!("<p>Batched, {rows}: <code>{}</code></p>", escape(&proof.batched_sql));
    out.push_str(
        "<table><thead><tr><th scope=\"col\">form</th><th scope=\"col\" class=\"number\">round trips</th>\
         <th scope=\"col\" class=\"number\">time</th><th scope=\"col\" class=\"number\">blocks</th></tr></thead><tbody>",
    );
    for (name, cost) in [("one per row", &proof.looped), ("one for all", &proof.batched)] {
        // Writing to a string cannot fail.
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
