//! A node in words, as EXPLAIN's text format heads it.

use super::node::PlanNode;

impl PlanNode {
    /// `Index Scan using idx_orders_user on orders o`, `Hash Left Join`, `Sort`.
    #[must_use]
    pub fn label(&self) -> String {
        let mut label = String::new();
        if self.parallel_aware {
            label.push_str("Parallel ");
        }
        label.push_str(&self.head());
        if let Some(index) = &self.index {
            let word = if self.node_type == "Bitmap Index Scan" { " on " } else { " using " };
            label.push_str(word);
            label.push_str(index);
        }
        if let Some(object) = self.relation.as_ref().or(self.cte.as_ref()).or(self.source.as_ref()) {
            label.push_str(" on ");
            label.push_str(object);
            if let Some(alias) = self.alias.as_ref().filter(|alias| *alias != object) {
                label.push(' ');
                label.push_str(alias);
            }
        }
        label
    }

    fn head(&self) -> String {
        let mut head = match (self.node_type.as_str(), self.operation.as_deref(), self.strategy.as_deref()) {
            ("ModifyTable", Some(operation), _) => operation.to_owned(),
            ("Aggregate", _, Some("Sorted")) => "GroupAggregate".to_owned(),
            ("Aggregate", _, Some("Hashed")) => "HashAggregate".to_owned(),
            ("Aggregate", _, Some("Mixed")) => "MixedAggregate".to_owned(),
            (other, _, _) => other.to_owned(),
        };
        if let Some(mode) = self.partial_mode.as_deref().filter(|mode| *mode != "Simple") {
            head = format!("{mode} {head}");
        }
        match self.join_type.as_deref() {
            Some(kind) if self.is_join() && kind != "Inner" => match self.node_type.as_str() {
                "Nested Loop" => format!("Nested Loop {kind} Join"),
                method => format!("{} {kind} Join", method.trim_end_matches(" Join")),
            },
            _ => head,
        }
    }
}
