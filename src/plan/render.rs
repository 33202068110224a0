//! A plan for the terminal: EXPLAIN's familiar shape, with what a node itself
//! cost on its right side.

use super::node::PlanNode;
use super::plan_tree::Plan;
use std::fmt::Write as _;

/// Draws the tree, one node a line with its conditions below it. Plain text; ends with a newline.
#[must_use]
pub fn render(plan: &Plan) -> String {
    let mut text = String::new();
    for own in plan.exclusive() {
        let indent = own.depth * 6;
        let arrow = if own.depth == 0 { "" } else { "->  " };
        let lead = indent.saturating_sub(4);
        if let Some(name) = &own.node.subplan_name {
            let _ = writeln!(text, "{:lead$}{name}", "");
        }
        let _ = write!(text, "{:lead$}{arrow}{}  ({})", "", own.node.label(), figures(own.node));
        if own.node.buffers.is_some() && own.buffers.touched() > 0 {
            let _ = write!(text, "  own blocks={}", own.buffers.touched());
        }
        text.push('\n');
        for line in own.node.details() {
            let _ = writeln!(text, "{:indent$}  {line}", "");
        }
    }
    for trigger in &plan.triggers {
        let _ = writeln!(text, "Trigger {}: calls={}", trigger.name, trigger.calls);
    }
    text
}

fn figures(node: &PlanNode) -> String {
    let estimate = &node.estimate;
    let mut figures = format!("cost={:.2} rows={}", estimate.total_cost, estimate.rows);
    match node.actual {
        Some(actual) if actual.loops == 0.0 => figures.push_str(", never executed"),
        Some(actual) => {
            let _ = write!(figures, ", actual rows={} loops={}", actual.rows, actual.loops);
            if let Some(time) = actual.total_ms {
                let _ = write!(figures, " time={time:.3}ms");
            }
        }
        None => {}
    }
    figures
}

impl PlanNode {
    /// Its conditions, keys and space, one line each, as EXPLAIN's text format words them.
    #[must_use]
    pub fn details(&self) -> Vec<String> {
        let mut lines: Vec<String> = self
            .conditions
            .iter()
            .map(|condition| format!("{}: {}", condition.kind.name(), condition.text))
            .collect();
        let keys = [
            ("Sort Key", &self.sort_key),
            ("Presorted Key", &self.presorted_key),
            ("Group Key", &self.group_key),
        ];
        for (name, keys) in keys.into_iter().filter(|(_, keys)| !keys.is_empty()) {
            lines.push(format!("{name}: {}", keys.join(", ")));
        }
        if self.total_rows_removed() > 0.0 {
            lines.push(format!("Rows removed: {:.0}", self.total_rows_removed()));
        }
        if let Some(method) = &self.sort.method {
            let kind = self.sort.space_type.as_deref().unwrap_or("space");
            lines.push(format!("Sort Method: {method}, {kind} {} kB", self.sort.space_kb.unwrap_or(0.0)));
        }
        if let Some(batches) = self.hash.batches {
            let memory = self.hash.peak_memory_kb.unwrap_or(0.0);
            lines.push(format!("Batches: {batches}, memory {memory} kB"));
        }
        if let Some(planned) = self.workers_planned {
            let launched =
                self.workers_launched.map_or_else(String::new, |count| format!(", launched {count}"));
            lines.push(format!("Workers: planned {planned}{launched}"));
        }
        if let Some(buffers) = self.buffers.filter(|buffers| buffers.temp() > 0) {
            lines.push(format!("Temp blocks: read {}, written {}", buffers.temp_read, buffers.temp_written));
        }
        lines
    }
}
