//! BackendKeyData: what a client needs to cancel a session's statement.

use super::body::Body;

/// A session's cancel key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackendKeyData<'a> {
    /// The session's process id.
    pub backend_pid: i32,
    /// The secret: 4 bytes in protocol 3.0, up to 256 in 3.2.
    pub secret_key: &'a [u8],
}

impl<'a> BackendKeyData<'a> {
    pub(super) fn decode(body: &'a [u8]) -> Option<Self> {
        let mut rest = Body::new(body);
        Some(Self { backend_pid: rest.i32()?, secret_key: rest.rest() })
    }
}
