//! Which rows a transaction names by literals, what is known of the order in
//! which it takes them, and its statements with other rows named. No I/O.

use super::footprint::{Footprint, Object};
use super::words::mentions;
use crate::sql::lexer::{TokenKind, tokens};
use crate::sql::literal::{self, Value};
use crate::sql::shape::shape_with_placeholders;
use crate::sql::statement::split_statements;
use std::cmp::Ordering;
use std::ops::Range;

/// Up to this chance, key orders seen in recorded runs are taken as a rule of the application.
const CHANCE_OF_ORDER: f64 = 0.05;

/// A row that stands in a statement as a literal, so that another one can be named in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NamedRow {
    pub(super) relation: String,
    /// Such as `id=1`.
    pub(super) key: String,
    /// The step that locks it first.
    pub(super) step: usize,
}

/// A row named in place of another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Swap {
    pub(super) relation: String,
    pub(super) from: String,
    pub(super) to: String,
    /// The steps whose literals change.
    pub(super) steps: Vec<usize>,
}

/// Whether a transaction may take two rows of a table in the other order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum KeyOrder {
    /// It was seen in both, or nothing suggests that it sorts.
    Free,
    /// All recorded runs took them in one order, and are too few to tell.
    Doubtful,
    /// Only in this one: written so, or recorded too often to be chance.
    Kept,
}

/// What is known of the orders of a transaction's rows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum KeyOrders {
    /// Somebody wrote the rows down in this order.
    #[default]
    AsWritten,
    /// An application was recorded: per step its statement's shape, and per repeated shape its order.
    Recorded { shapes: Vec<u64>, orders: Vec<(u64, KeyOrder)> },
}

impl KeyOrders {
    /// Of rows that two steps lock.
    pub(super) fn between(&self, earlier: usize, later: usize) -> KeyOrder {
        match self {
            Self::AsWritten => KeyOrder::Kept,
            Self::Recorded { shapes, orders } => match (shapes.get(earlier), shapes.get(later)) {
                // A loop; different statements name rows in different roles.
                (Some(a), Some(b)) if a == b => {
                    orders.iter().find(|(shape, _)| shape == a).map_or(KeyOrder::Doubtful, |found| found.1)
                }
                _ => KeyOrder::Free,
            },
        }
    }
}

/// The rows that can be chosen, in the order in which they are locked.
pub(super) fn named_rows(footprint: &Footprint) -> Vec<NamedRow> {
    let mut named: Vec<NamedRow> = Vec::new();
    for (step, statement) in footprint.statements.iter().enumerate() {
        for held in footprint.wants(step) {
            let Object::Row { relation, key } = &held.object else { continue };
            let is_known = named.iter().any(|row| row.relation == *relation && row.key == *key);
            let is_named = value_of(key)
                .is_some_and(|value| naming_literals(statement).iter().any(|(_, literal)| literal == value));
            if is_named && !is_known {
                named.push(NamedRow { relation: relation.clone(), key: key.clone(), step });
            }
        }
    }
    named
}

/// The steps in which a row's literal stands for that row.
pub(super) fn steps_naming(footprint: &Footprint, row: &NamedRow) -> Vec<usize> {
    let object = Object::Row { relation: row.relation.clone(), key: row.key.clone() };
    let is_naming = |&step: &usize| {
        mentions(&footprint.statements[step], &row.relation)
            || footprint.wants(step).iter().any(|held| held.object == object)
    };
    (0..footprint.statements.len()).filter(is_naming).collect()
}

/// The value of a key of one column.
pub(super) fn value_of(key: &str) -> Option<&str> {
    let (_, value) = key.split_once('=')?;
    (!value.contains(", ")).then_some(value)
}

/// Keys as their columns order them, as far as their text tells.
pub(super) fn compare(a: &str, b: &str) -> Ordering {
    let (a, b) = (value_of(a).unwrap_or(a), value_of(b).unwrap_or(b));
    match (a.parse::<i128>(), b.parse::<i128>()) {
        (Ok(a), Ok(b)) => a.cmp(&b),
        _ => a.cmp(b),
    }
}

/// The literals that may say which rows a step touches: those of an INSERT, and of any other
/// statement those behind its WHERE. Places and values, in order.
pub(super) fn naming_literals(sql: &str) -> Vec<(Range<usize>, String)> {
    let mut literals = Vec::new();
    for span in split_statements(sql) {
        let statement = &sql[span.clone()];
        let mut words = tokens(statement).filter(|token| token.kind == TokenKind::Word);
        let is_insert = words.clone().next().is_some_and(|word| word.is_word(statement, "insert"));
        let start = if is_insert {
            Some(0)
        } else {
            words.find(|word| word.is_word(statement, "where")).map(|word| word.end)
        };
        let Some(start) = start else { continue };
        let (_, placeholders) = shape_with_placeholders(statement);
        for place in placeholders.iter().flat_map(|placeholder| &placeholder.values) {
            if place.start < start {
                continue;
            }
            if let Value::Text(value) = literal::value(&statement[place.clone()]) {
                literals.push((span.start + place.start..span.start + place.end, value.into_owned()));
            }
        }
    }
    literals
}

/// A step of a transaction with the rows that were chosen for it.
pub(super) fn with_rows(sql: &str, step: usize, swaps: &[Swap]) -> String {
    let here = swaps.iter().filter(|swap| swap.steps.contains(&step));
    let values = here.filter_map(|swap| Some((value_of(&swap.from)?, value_of(&swap.to)?)));
    rename(sql, &values.collect::<Vec<_>>())
}

/// A step with other values in place of some.
fn rename(sql: &str, values: &[(&str, &str)]) -> String {
    let mut renamed = String::with_capacity(sql.len());
    let mut copied = 0;
    for (place, value) in naming_literals(sql) {
        let Some((_, to)) = values.iter().find(|(from, _)| *from == value) else { continue };
        let is_number = sql[place.clone()].starts_with(|c: char| c.is_ascii_digit() || c == '-');
        renamed.push_str(&sql[copied..place.start]);
        if is_number && to.parse::<i128>().is_ok() {
            renamed.push_str(to);
        } else {
            renamed.push_str(&crate::postgres::quote_literal(to));
        }
        copied = place.end;
    }
    renamed.push_str(&sql[copied..]);
    renamed
}

/// What the recorded runs of a loop say of the order of its keys: in every run, the values of its
/// `position`-th naming literal, in order.
pub(super) fn order_of_runs(runs: &[Vec<String>]) -> KeyOrder {
    let (mut rises, mut falls, mut chance) = (false, false, 2.0_f64);
    for run in runs {
        let mut distinct: Vec<&str> = Vec::new();
        for key in run {
            if !distinct.contains(&key.as_str()) {
                distinct.push(key);
            }
        }
        for (count, pair) in distinct.windows(2).enumerate() {
            match compare(pair[0], pair[1]) {
                Ordering::Less => rises = true,
                _ => falls = true,
            }
            // One of n! orders of n keys.
            chance /= f64::from(u32::try_from(count).unwrap_or(u32::MAX - 2) + 2);
        }
    }
    match (rises && falls, chance <= CHANCE_OF_ORDER) {
        (true, _) => KeyOrder::Free,
        (false, true) => KeyOrder::Kept,
        (false, false) => KeyOrder::Doubtful,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_named_behind_where_and_by_inserts() {
        let values = |sql: &str| {
            naming_literals(sql).into_iter().map(|(_, value)| value).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(values("UPDATE t SET a = 7 WHERE id = 5 AND b = 'x'"), "5 x");
        assert_eq!(values("UPDATE t SET a = '7'::int4 WHERE id = '5'::int4"), "5");
        assert_eq!(values("INSERT INTO t VALUES (1, 'a')"), "1 a");
        assert_eq!(
            values("SELECT * FROM t WHERE id IN (3, 1, 2) FOR UPDATE; DELETE FROM u WHERE id = -4"),
            "3 1 2 -4"
        );
        assert_eq!(values("UPDATE t SET a = 7"), "");
    }

    #[test]
    fn other_rows_are_named_and_nothing_else_changes() {
        let sql = "UPDATE t SET a = 5 WHERE id = 5 AND b = '5'::text AND c = '(5)' /* 5 */";
        assert_eq!(
            rename(sql, &[("5", "12")]),
            "UPDATE t SET a = 5 WHERE id = 12 AND b = '12'::text AND c = '(5)' /* 5 */"
        );
        assert_eq!(
            rename("SELECT FROM t WHERE id IN (1, 2)", &[("1", "2"), ("2", "1")]),
            "SELECT FROM t WHERE id IN (2, 1)"
        );
        assert_eq!(rename("DELETE FROM t WHERE id = 1", &[("1", "o'x")]), "DELETE FROM t WHERE id = 'o''x'");
    }

    #[test]
    fn recorded_orders_are_a_rule_when_chance_is_small() {
        let order = |runs: &[&[&str]]| {
            order_of_runs(
                &runs.iter().map(|run| run.iter().map(|key| (*key).to_owned()).collect()).collect::<Vec<_>>(),
            )
        };
        assert_eq!(order(&[&["1", "2"], &["9", "3"]]), KeyOrder::Free);
        assert_eq!(order(&[&["1", "2"]]), KeyOrder::Doubtful);
        assert_eq!(
            order(&[&["9", "10", "11"]]),
            KeyOrder::Doubtful,
            "numbers, not text: one of 6, or of 6 falling"
        );
        assert_eq!(order(&[&["1", "2", "5"], &["2", "8", "9"]]), KeyOrder::Doubtful, "2 / 36");
        assert_eq!(order(&[&["1", "2", "5", "7"], &["2", "8"]]), KeyOrder::Kept, "2 / 48");
        assert_eq!(order(&[&["1", "1"]]), KeyOrder::Doubtful);
        assert_eq!(order(&[]), KeyOrder::Doubtful);
    }

    #[test]
    fn keys_compare_as_numbers_where_they_are() {
        assert_eq!(compare("id=9", "id=10"), Ordering::Less);
        assert_eq!(compare("code=b", "code=a"), Ordering::Greater);
        assert_eq!(value_of("a=1, b=2"), None);
    }
}
