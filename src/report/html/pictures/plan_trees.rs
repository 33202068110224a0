//! Two plan trees beside each other, as nested lists: they wrap on a narrow
//! screen, and a screen reader reads them as what they are. What differs is
//! said by a sign and a word.

use super::svg::escape;
use crate::model::evidence::regression::{ComparedNode, ComparedTree, NodeChange};
use crate::report::units::{grouped, significant};
use std::fmt::Write;

/// Both trees. `names` says what the sides are called.
pub(super) fn figure(query: &str, names: (&str, &str), trees: &(ComparedTree, ComparedTree)) -> String {
    let (before, after) = trees;
    let own_blocks = |tree: &ComparedTree| tree.nodes.iter().filter_map(|node| node.own_buffers).max();
    let most = own_blocks(before).max(own_blocks(after)).unwrap_or(0);
    let left = Side { only_here: "− gone", nodes: &before.nodes, earlier: &[], most };
    let right = Side { only_here: "+ new", nodes: &after.nodes, earlier: &before.nodes, most };
    format!(
        "<figure><figcaption>{}: the plan before and after</figcaption><p class=\"quiet\">What is indented feeds the line \
         above it. ≠: done in another way; +: new; −: gone. Blocks are pages touched, with all that is below; the bar is \
         what the node itself touched, on one scale for both sides.</p><div class=\"sides\">{}{}</div></figure>",
        escape(query),
        left.drawn(&format!("Before ({})", names.0), before.left_out),
        right.drawn(&format!("After ({})", names.1), after.left_out)
    )
}

/// One of the two trees.
struct Side<'a> {
    /// What a node is that only this side has.
    only_here: &'static str,
    nodes: &'a [ComparedNode],
    /// The nodes that its counterparts refer to, where what was is told.
    earlier: &'a [ComparedNode],
    /// The most blocks that a node of either side touched itself.
    most: u64,
}

impl Side<'_> {
    fn drawn(&self, title: &str, left_out: usize) -> String {
        let mut out = format!("<div><p><strong>{}</strong></p>", escape(title));
        self.write_list(self.nodes, true, &mut out);
        if left_out > 0 {
            // Writing to a string cannot fail.
            let _ = write!(out, "<p class=\"quiet\">and {} more nodes</p>", grouped(left_out as f64));
        }
        out + "</div>"
    }

    /// Siblings, each with what is below it.
    fn write_list(&self, siblings: &[ComparedNode], is_root: bool, out: &mut String) {
        out.push_str(if is_root { "<ul class=\"tree\" role=\"list\">" } else { "<ul role=\"list\">" });
        let mut rest = siblings;
        while let Some((node, following)) = rest.split_first() {
            let below = following.iter().position(|n| n.depth <= node.depth).unwrap_or(following.len());
            out.push_str("<li>");
            self.write_node(node, out);
            if below > 0 {
                self.write_list(&following[..below], false, out);
            }
            out.push_str("</li>");
            rest = &following[below..];
        }
        out.push_str("</ul>");
    }

    fn write_node(&self, node: &ComparedNode, out: &mut String) {
        let was = node.counterpart.and_then(|place| self.earlier.get(place));
        let (class, sign) = match node.change {
            NodeChange::Same => ("node", ""),
            NodeChange::Differs => ("node differs", "≠ differs"),
            NodeChange::OnlyHere => ("node only", self.only_here),
        };
        let _ = write!(out, "<div class=\"{class}\"><p>");
        if !sign.is_empty() {
            let _ = write!(out, "<strong class=\"sign\">{sign}</strong> ");
        }
        if !node.part.is_empty() {
            let _ = write!(out, "<span class=\"quiet\">{}:</span> ", escape(&node.part));
        }
        let _ = write!(out, "<code>{}</code></p>", escape(&node.label));
        let _ = write!(out, "<p>{}</p>", escape(&figures(node, was)));
        if let (Some(own), true) = (node.own_buffers, self.most > 0) {
            let share = own as f64 / self.most as f64 * 100.0;
            let _ = write!(
                out,
                "<div class=\"work\" aria-hidden=\"true\"><i style=\"width:{share:.1}%\"></i></div>"
            );
        }
        if !node.details.is_empty() {
            let _ = write!(out, "<p class=\"quiet\">{}</p>", escape(&node.details.join("\n")));
        }
        out.push_str("</div>");
    }
}

/// Cost, rows and blocks of a node, one line.
fn figures(node: &ComparedNode, was: Option<&ComparedNode>) -> String {
    let mut parts = vec![format!("cost {}", figure_of(node.cost))];
    parts.push(match (node.actual_rows, node.loops) {
        (_, Some(0.0)) => format!("rows {} planned, never executed", figure_of(node.planned_rows)),
        (Some(rows), loops) => {
            let loops = match loops {
                Some(loops) if loops > 1.0 => format!(" in each of {} loops", grouped(loops)),
                _ => String::new(),
            };
            format!("rows {} planned, {} actual{loops}", figure_of(node.planned_rows), figure_of(rows))
        }
        _ => format!("rows {} planned", figure_of(node.planned_rows)),
    });
    if let Some(blocks) = node.buffers {
        let own = match node.own_buffers {
            Some(own) if own != blocks => format!(" ({} its own)", grouped(own as f64)),
            _ => String::new(),
        };
        let unit = if blocks == 1 { "block" } else { "blocks" };
        let was = was
            .and_then(|was| was.buffers)
            .filter(|was| *was != blocks)
            .map(|was| format!(", was {}", grouped(was as f64)))
            .unwrap_or_default();
        parts.push(format!("{} {unit}{own}{was}", grouped(blocks as f64)));
    }
    parts.join(" · ")
}

/// A cost or a number of rows: whole where it is large.
fn figure_of(value: f64) -> String {
    if value.abs() < 100.0 && value.fract() != 0.0 { significant(value) } else { grouped(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(depth: usize, label: &str, change: NodeChange, counterpart: Option<usize>) -> ComparedNode {
        ComparedNode {
            depth,
            label: label.into(),
            part: String::new(),
            details: vec![],
            cost: 12.5,
            planned_rows: 391.0,
            actual_rows: Some(390.0),
            loops: Some(1.0),
            buffers: Some(40),
            own_buffers: Some(39),
            change,
            counterpart,
        }
    }

    #[test]
    fn every_list_is_closed_and_every_mark_is_a_word() {
        let before = ComparedTree {
            nodes: vec![
                node(0, "Sort", NodeChange::OnlyHere, None),
                node(1, "Nested Loop", NodeChange::Differs, Some(0)),
                node(2, "Seq Scan on a < b", NodeChange::Same, None),
                node(2, "Seq Scan on c", NodeChange::Same, None),
                node(1, "Result", NodeChange::Same, None),
            ],
            left_out: 2,
        };
        let after =
            ComparedTree { nodes: vec![node(0, "Hash Join", NodeChange::Differs, Some(1))], left_out: 0 };
        let html = figure("q", ("001", "002"), &(before, after));
        for tag in ["ul", "li", "div", "p", "figure"] {
            let (opened, closed) = (format!("<{tag}"), format!("</{tag}>"));
            let opened = html
                .match_indices(&opened)
                .filter(|(at, _)| html[at + opened.len()..].starts_with([' ', '>']));
            assert_eq!(opened.count(), html.matches(&closed).count(), "{tag}");
        }
        assert!(html.contains("− gone</strong> <code>Sort</code>"), "{html}");
        assert!(html.contains("≠ differs</strong> <code>Hash Join</code>"), "{html}");
        assert!(html.contains("<code>Seq Scan on a &lt; b</code>"), "{html}");
        assert!(html.contains("and 2 more nodes"), "{html}");
    }

    #[test]
    fn figures_of_a_node_in_one_line() {
        let mut here = node(0, "Seq Scan", NodeChange::Same, Some(0));
        let there = ComparedNode { buffers: Some(5), ..here.clone() };
        assert_eq!(
            figures(&here, Some(&there)),
            "cost 12.5 · rows 391 planned, 390 actual · 40 blocks (39 its own), was 5"
        );
        (here.loops, here.buffers) = (Some(1200.0), None);
        assert_eq!(figures(&here, None), "cost 12.5 · rows 391 planned, 390 actual in each of 1 200 loops");
        here.loops = Some(0.0);
        assert_eq!(figures(&here, None), "cost 12.5 · rows 391 planned, never executed");
    }
}
