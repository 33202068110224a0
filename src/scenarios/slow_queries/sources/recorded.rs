//! Shapes of a trace as statements, with the values they were recorded with
//! where the recorder kept them. Pure.

use crate::sql::shape::shape_with_placeholders;
use crate::sql::statement::{StatementKind, statement_kind};
use crate::trace::{Argument, Outcome, Protocol, StatementRecord, Trace};
use std::collections::HashMap;

/// A shape and its executions.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RecordedShape {
    /// With `$1`, `$2`, …; a list is `= ANY($n)`.
    pub(super) sql: String,
    /// Executions.
    pub(super) calls: u64,
    /// Client-seen time of all of them, in microseconds.
    pub(super) total_us: f64,
    /// Rows of all of them.
    pub(super) rows: u64,
    /// The values of the executions whose values were kept, in their order.
    pub(super) values: Vec<Vec<Option<String>>>,
    /// Whether its text was cut.
    pub(super) is_cut: bool,
}

/// Everything a trace asked that reads or writes rows, most time first.
pub(super) fn shapes(trace: &Trace) -> Vec<RecordedShape> {
    let mut by_hash: HashMap<u64, Vec<&StatementRecord>> = HashMap::new();
    for record in trace.statements.iter().filter(|record| counts(record)) {
        by_hash.entry(record.shape.hash).or_default().push(record);
    }
    let cut_from = trace.header.bounds.shape_bytes as usize;
    let mut shapes: Vec<RecordedShape> =
        by_hash.values().filter_map(|records| shape(records, cut_from)).collect();
    shapes.sort_by(|a, b| b.total_us.total_cmp(&a.total_us).then_with(|| a.sql.cmp(&b.sql)));
    shapes
}

fn counts(record: &StatementRecord) -> bool {
    let travelled = matches!(record.protocol, Protocol::Simple | Protocol::Extended | Protocol::SqlPrepared);
    let kind = statement_kind(&record.shape.text);
    travelled
        && record.outcome == Outcome::Ok
        && record.continues.is_none()
        && matches!(kind, StatementKind::Read | StatementKind::LockingRead | StatementKind::Write)
}

fn shape(records: &[&StatementRecord], cut_from: usize) -> Option<RecordedShape> {
    let first = records.first()?;
    let text = &first.shape.text;
    let placeholders: Vec<std::ops::Range<usize>> =
        shape_with_placeholders(text).1.into_iter().flat_map(|placeholder| placeholder.values).collect();
    let lists: Vec<bool> = (0..placeholders.len())
        .map(|at| {
            records.iter().any(|record| matches!(record.arguments.get(at), Some(Argument::Many { .. })))
        })
        .collect();
    let duration = |record: &&StatementRecord| record.end_us.saturating_sub(record.start_us) as f64;
    Some(RecordedShape {
        sql: numbered(text, &placeholders, &lists),
        calls: records.len() as u64,
        total_us: records.iter().map(duration).sum(),
        rows: records.iter().map(|record| record.rows).sum(),
        values: records.iter().filter_map(|record| values(record, &lists)).collect(),
        is_cut: text.len() + 4 > cut_from,
    })
}

/// The shape with `$n`. A list has as many values as it has: an array holds any number.
fn numbered(text: &str, placeholders: &[std::ops::Range<usize>], lists: &[bool]) -> String {
    const LISTS: [(&str, &str); 2] = [("not in (", "<> ALL("), ("in (", "= ANY(")];
    let mut sql = String::with_capacity(text.len() + 16);
    let mut copied = 0;
    for (at, (span, is_list)) in placeholders.iter().zip(lists).enumerate() {
        sql.push_str(&text[copied..span.start]);
        let found = LISTS.iter().find(|(list, _)| *is_list && sql.ends_with(list));
        if let Some((list, quantifier)) = found {
            sql.truncate(sql.len() - list.len());
            sql.push_str(quantifier);
        }
        sql.push_str(&format!("${}", at + 1));
        copied = span.end;
    }
    sql.push_str(&text[copied..]);
    sql
}

/// The values of one execution. `None` where they were not kept whole.
fn values(record: &StatementRecord, lists: &[bool]) -> Option<Vec<Option<String>>> {
    let kept = record.kept_arguments.as_ref().filter(|kept| kept.len() == lists.len())?;
    let value = |at: usize| -> Option<Option<String>> {
        let text = kept[at].as_deref();
        match (record.arguments.get(at)?, text) {
            (Argument::Null, _) => Some(None),
            (Argument::Unknown, _) | (_, None) => None,
            (Argument::Many { total, .. }, Some(text)) => list(text, *total).map(Some),
            (Argument::One(_), Some(text)) if lists[at] => Some(Some(array(std::iter::once(text)))),
            (Argument::One(_), Some(text)) => Some(Some(text.to_owned())),
        }
    };
    (0..lists.len()).map(value).collect()
}

/// An array as it was bound, or the elements of `IN (…)` joined by commas, which
/// can be taken apart only where none holds a comma.
fn list(text: &str, total: u32) -> Option<String> {
    if text.starts_with('{') {
        return Some(text.to_owned());
    }
    let elements = || text.split(',');
    (elements().count() == total as usize).then(|| array(elements()))
}

fn array<'a>(elements: impl Iterator<Item = &'a str>) -> String {
    let quote = |element: &str| format!("\"{}\"", element.replace('\\', "\\\\").replace('"', "\\\""));
    format!("{{{}}}", elements.map(quote).collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{Bounds, Header, StatementTemplate, ValueHasher};

    fn record(text: &str, keep: bool) -> StatementRecord {
        let (hasher, bounds) = (ValueHasher::new(1), Bounds::default());
        let template = StatementTemplate::parse(text, &hasher, &bounds);
        StatementRecord {
            sequence: 1,
            connection: 1,
            transaction: None,
            scope: None,
            start_us: 100,
            first_row_us: None,
            end_us: 350,
            arguments: template.arguments(&hasher, 100, |_| None),
            shape: template.shape,
            rows: 3,
            bytes: 0,
            columns: Vec::new().into(),
            values: Vec::new(),
            outcome: Outcome::Ok,
            protocol: Protocol::Simple,
            continues: None,
            application_name: None,
            tags: None,
            kept_arguments: keep.then(|| StatementTemplate::kept_arguments(text, |_| None)),
            kept_text: None,
        }
    }

    fn trace(records: Vec<StatementRecord>) -> Trace {
        let header =
            Header { hash_key_id: 1, started_at_us: 0, source: String::new(), bounds: Bounds::default() };
        let mut trace = Trace::new(header);
        trace.statements = records;
        trace
    }

    #[test]
    fn executions_of_a_shape_are_one_statement_with_their_values() {
        let found = shapes(&trace(vec![
            record("select * from t where a = 5 and b in ('x', 'y')", true),
            record("SELECT * FROM t WHERE a = -6 AND b IN ('z')", true),
            record("select * from t where a = 7 and b in ('u', 'v')", false),
            record("begin", true),
        ]));
        let [shape] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(shape.sql, "select * from t where a = $1 and b = ANY($2)");
        assert_eq!((shape.calls, shape.rows, shape.total_us), (3, 9, 750.0));
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            shape.values,
            [[text("5"), text("{\"x\",\"y\"}")], [text("-6"), text("{\"z\"}")]].map(|values| values.to_vec())
        );
        assert!(!shape.is_cut);
    }

    #[test]
    fn a_list_whose_elements_cannot_be_told_apart_is_left_out() {
        let found = shapes(&trace(vec![record("select from t where a not in ('x,1', 'y')", true)]));
        assert_eq!(found[0].sql, "select from t where a <> ALL($1)");
        assert_eq!(found[0].values, Vec::<Vec<Option<String>>>::new());
    }
}
