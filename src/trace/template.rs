//! A statement's text analysed once, to be filled per execution.
//!
//! The shape has a placeholder wherever a parameter or a literal stood. A slot
//! says what stands there, so that a bound parameter and an inlined literal
//! give the same argument in the same position.

use super::model::{Argument, StatementShape};
use super::value::{Format, ValueHash, ValueHasher};
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

fn fill(slot: &Slot, max_elements: u32, bound: &dyn Fn(usize) -> Argument) -> Argument {
    match slot {
        Slot::Parameter(number) => bound(*number),
        Slot::Literal(hash) => Argument::One(*hash),
        Slot::Null => Argument::Null,
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
    use super::{Argument, Format, Slot, StatementShape, StatementTemplate, ValueHasher};

    #[test]
    fn a_bound_parameter_and_a_literal_give_the_same_argument() {
        let hasher = ValueHasher::new(1);
        let shape = std::sync::Arc::new(StatementShape { text: "select ?".into(), hash: 1 });
        let literal = hasher.value(0, Format::Text, b"5");
        let inlined = StatementTemplate { shape: shape.clone(), slots: vec![Slot::Literal(literal)] };
        let bound = StatementTemplate { shape, slots: vec![Slot::Parameter(0)] };
        let value = 5_i32.to_be_bytes();
        assert_eq!(
            inlined.arguments(&hasher, 9, |_| None),
            bound.arguments(&hasher, 9, |_| Some((23, Format::Binary, Some(&value))))
        );
        assert_eq!(bound.arguments(&hasher, 9, |_| None), [Argument::Unknown]);
    }
}
