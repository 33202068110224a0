//! A statement's text analysed once, to be filled per execution.
//!
//! The shape has a placeholder wherever a parameter or a literal stood. A slot
//! says what stands there, so that a bound parameter and an inlined literal
//! give the same argument in the same position.

use super::model::{Argument, Bounds, StatementShape};
use super::value::{Format, ValueHash, ValueHasher};
use crate::sql::literal::{self, Value};
use crate::sql::shape::{Placeholder, shape_with_placeholders};
use std::sync::Arc;

/// What stands at one placeholder of the shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Slot {
    /// `$n`, zero-based.
    Parameter(usize),
    /// A literal, already hashed.
    Literal(ValueHash),
    /// A literal NULL.
    Null,
    /// Something without a value of its own, such as a stray `?`.
    Unknown,
    /// The elements of a list such as `IN (…)` or `VALUES (…), (…)`, in order.
    List(Vec<Slot>),
}

/// A statement's shape and what stands at its placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementTemplate {
    /// The shape.
    pub shape: Arc<StatementShape>,
    /// One per placeholder, in the shape's order.
    pub slots: Vec<Slot>,
}

impl StatementTemplate {
    /// Analyses a statement's text. Literals are hashed here, once; a shape
    /// longer than its bound is cut, its hash being that of the whole.
    #[must_use]
    pub fn parse(text: &str, hasher: &ValueHasher, bounds: &Bounds) -> Self {
        let (shape, placeholders) = shape_with_placeholders(text);
        let mut cut = shape.text;
        let limit = bounds.shape_bytes as usize;
        if cut.len() > limit {
            cut.truncate((0..=limit).rev().find(|end| cut.is_char_boundary(*end)).unwrap_or(0));
        }
        let slots = placeholders.iter().map(|placeholder| slot(text, placeholder, hasher, bounds)).collect();
        Self { shape: Arc::new(StatementShape { text: cut, hash: shape.hash }), slots }
    }

    /// The arguments as text, for a recorder that keeps values: literals from
    /// the statement's own text, parameters from `parameter(n)`, `$1` being 0.
    /// Lists are given as their elements, joined by commas.
    #[must_use]
    pub fn kept_arguments(text: &str, parameter: impl Fn(usize) -> Option<String>) -> Vec<Option<String>> {
        let (_, placeholders) = shape_with_placeholders(text);
        let keep = |span: &std::ops::Range<usize>| match literal::value(text.get(span.clone()).unwrap_or(""))
        {
            Value::Parameter(number) => parameter(number.saturating_sub(1)),
            Value::Text(text) => Some(text.into_owned()),
            Value::Null | Value::Unknown => None,
        };
        placeholders
            .iter()
            .map(|placeholder| match placeholder.values.as_slice() {
                [one] if !placeholder.is_list => keep(one),
                many => {
                    Some(many.iter().map(|span| keep(span).unwrap_or_default()).collect::<Vec<_>>().join(","))
                }
            })
            .collect()
    }

    /// The arguments of one execution; `parameter(n)` gives the value bound to
    /// `$n+1`: type OID, format, bytes. At most `max_elements` of a list are kept.
    pub fn arguments<'v>(
        &self,
        hasher: &ValueHasher,
        max_elements: u32,
        parameter: impl Fn(usize) -> Option<(u32, Format, Option<&'v [u8]>)>,
    ) -> Vec<Argument> {
        let bound = |number: usize| match parameter(number) {
            Some((oid, format, bytes)) => hasher.argument(oid, format, bytes, max_elements),
            None => Argument::Unknown,
        };
        self.slots.iter().map(|slot| fill(slot, max_elements, &bound)).collect()
    }
}

fn slot(text: &str, placeholder: &Placeholder, hasher: &ValueHasher, bounds: &Bounds) -> Slot {
    let single =
        |span: &std::ops::Range<usize>| match literal::value(text.get(span.clone()).unwrap_or_default()) {
            Value::Parameter(number) => number.checked_sub(1).map_or(Slot::Unknown, Slot::Parameter),
            Value::Null => Slot::Null,
            Value::Unknown => Slot::Unknown,
            Value::Text(literal) => {
                match hasher.argument(0, Format::Text, Some(literal.as_bytes()), bounds.elements_per_argument)
                {
                    Argument::One(hash) => Slot::Literal(hash),
                    Argument::Many { hashes, .. } => {
                        Slot::List(hashes.iter().map(|hash| Slot::Literal(*hash)).collect())
                    }
                    Argument::Null | Argument::Unknown => Slot::Unknown,
                }
            }
        };
    match placeholder.values.as_slice() {
        [one] if !placeholder.is_list => single(one),
        many => Slot::List(many.iter().map(single).collect()),
    }
}

fn fill(slot: &Slot, max_elements: u32, bound: &dyn Fn(usize) -> Argument) -> Argument {
    match slot {
        Slot::Parameter(number) => bound(*number),
        Slot::Literal(hash) => Argument::One(*hash),
        Slot::Null => Argument::Null,
        Slot::Unknown => Argument::Unknown,
        Slot::List(slots) => {
            let mut hashes = Vec::with_capacity(slots.len().min(max_elements as usize));
            for slot in slots.iter().take(max_elements as usize) {
                hashes.push(match fill(slot, max_elements, bound) {
                    Argument::One(hash) => hash,
                    Argument::Null | Argument::Many { .. } | Argument::Unknown => ValueHash::NULL,
                });
            }
            Argument::Many { hashes: hashes.into(), total: u32::try_from(slots.len()).unwrap_or(u32::MAX) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Argument, Bounds, Format, Slot, StatementTemplate, ValueHasher};

    fn parse(text: &str) -> StatementTemplate {
        StatementTemplate::parse(text, &ValueHasher::new(1), &Bounds::default())
    }

    #[test]
    fn slots_follow_the_shape() {
        let hasher = ValueHasher::new(1);
        let literal = |text: &str| Slot::Literal(hasher.value(0, Format::Text, text.as_bytes()));
        for (text, shape, slots) in [
            (
                "select 1 where a = $2 and b = 'x'",
                "select ? where a = ? and b = ?",
                vec![literal("1"), Slot::Parameter(1), literal("x")],
            ),
            (
                "select where a in ($1, $2, 3)",
                "select where a in (?)",
                vec![Slot::List(vec![Slot::Parameter(0), Slot::Parameter(1), literal("3")])],
            ),
            ("select where a in ($1)", "select where a in (?)", vec![Slot::Parameter(0)]),
            (
                "select where a = any('{1,2}'::int[])",
                "select where a = any(?)",
                vec![Slot::List(vec![literal("1"), literal("2")])],
            ),
            (
                "select where a = any(array[1, 2]) and b = -5",
                "select where a = any(?) and b = ?",
                vec![Slot::List(vec![literal("1"), literal("2")]), literal("-5")],
            ),
            (
                "insert into t values ($1, 'a'), ($2, null)",
                "insert into t values (?, ?)",
                vec![
                    Slot::List(vec![Slot::Parameter(0), Slot::Parameter(1)]),
                    Slot::List(vec![literal("a"), Slot::Null]),
                ],
            ),
        ] {
            let template = parse(text);
            assert_eq!((template.shape.text.as_str(), template.slots), (shape, slots), "{text}");
            assert_eq!(template.shape.hash, crate::sql::shape::shape(text).hash);
        }
    }

    #[test]
    fn a_bound_parameter_and_a_literal_give_the_same_argument() {
        let hasher = ValueHasher::new(1);
        let inlined = parse("select * from t where id = 5");
        let bound = parse("select * from t where id = $1");
        assert_eq!(inlined.shape, bound.shape);
        let value = 5_i32.to_be_bytes();
        assert_eq!(
            inlined.arguments(&hasher, 9, |_| None),
            bound.arguments(&hasher, 9, |_| Some((23, Format::Binary, Some(&value))))
        );
        assert_eq!(bound.arguments(&hasher, 9, |_| None), [Argument::Unknown]);
    }
}
