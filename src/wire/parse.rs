//! Parse: a statement's text under a name.

use super::body::Body;

/// Prepare a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parse<'a> {
    /// The statement's name; empty for the unnamed statement.
    pub statement: &'a [u8],
    /// The SQL text, or as much of it as was kept.
    pub text: &'a [u8],
    types: Body<'a>,
}

impl<'a> Parse<'a> {
    pub(super) fn decode(body: &'a [u8]) -> Option<Self> {
        let mut rest = Body::new(body);
        let statement = rest.cstr()?;
        let text = rest.cstr_or_rest();
        Some(Self { statement, text, types: rest })
    }

    /// The parameter types the client declared, as OIDs; 0 leaves one open.
    pub fn parameter_types(&self) -> impl Iterator<Item = u32> + use<'a> {
        let mut rest = self.types;
        let count = rest.count().unwrap_or(0);
        (0..count).map_while(move |_| rest.u32())
    }
}
