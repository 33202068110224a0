//! NegotiateProtocolVersion: the server speaks an older minor version, or does
//! not know some protocol options.

use super::body::Body;

/// What the server offers instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NegotiateProtocolVersion<'a> {
    /// The newest minor version the server speaks, as it is on the wire.
    pub newest_minor: u32,
    /// How many options the server did not recognise.
    pub unknown_options: u32,
    options: Body<'a>,
}

impl<'a> NegotiateProtocolVersion<'a> {
    pub(super) fn decode(body: &'a [u8]) -> Option<Self> {
        let mut rest = Body::new(body);
        Some(Self { newest_minor: rest.u32()?, unknown_options: rest.u32()?, options: rest })
    }

    /// The options the server did not recognise.
    pub fn options(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = self.options;
        (0..self.unknown_options).map_while(move |_| rest.cstr())
    }
}
