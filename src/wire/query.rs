//! Query: the simple protocol, one text with any number of statements.

use super::body::Body;

/// Run a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query<'a> {
    /// The SQL text, or as much of it as was kept.
    pub text: &'a [u8],
}

impl<'a> Query<'a> {
    pub(super) fn decode(body: &'a [u8]) -> Self {
        Self { text: Body::new(body).cstr_or_rest() }
    }
}
