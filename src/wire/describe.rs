//! Describe: what a statement or a portal takes and returns.

use super::body::Body;

/// What Describe and Close name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject<'a> {
    /// A prepared statement.
    Statement(&'a [u8]),
    /// A portal.
    Portal(&'a [u8]),
}

impl<'a> Subject<'a> {
    pub(super) fn decode(body: &'a [u8]) -> Option<Self> {
        let mut rest = Body::new(body);
        match rest.u8()? {
            b'S' => Some(Self::Statement(rest.cstr()?)),
            b'P' => Some(Self::Portal(rest.cstr()?)),
            _ => None,
        }
    }
}

/// Ask for a description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Describe<'a> {
    /// Of what.
    pub subject: Subject<'a>,
}
