//! ParameterDescription: the types of a statement's parameters.

use super::body::Body;

/// The parameter types of a described statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParameterDescription<'a> {
    types: Body<'a>,
}

impl<'a> ParameterDescription<'a> {
    pub(super) fn decode(body: &'a [u8]) -> Self {
        Self { types: Body::new(body) }
    }

    /// The types as OIDs, in `$n` order.
    pub fn types(&self) -> impl Iterator<Item = u32> + use<'a> {
        let mut rest = self.types;
        let count = rest.count().unwrap_or(0);
        (0..count).map_while(move |_| rest.u32())
    }
}
