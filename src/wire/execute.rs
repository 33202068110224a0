//! Execute: run a portal, wholly or for a number of rows.

use super::body::Body;

/// Run a portal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Execute<'a> {
    /// The portal's name; empty for the unnamed portal.
    pub portal: &'a [u8],
    /// The most rows to return before the portal is suspended; 0 for all.
    pub rows_max: i32,
}

impl<'a> Execute<'a> {
    pub(super) fn decode(body: &'a [u8]) -> Option<Self> {
        let mut rest = Body::new(body);
        Some(Self { portal: rest.cstr()?, rows_max: rest.i32()? })
    }
}
