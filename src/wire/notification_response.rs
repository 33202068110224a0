//! NotificationResponse: a NOTIFY of another session.

use super::body::Body;

/// A notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotificationResponse<'a> {
    /// The notifying session's process id.
    pub backend_pid: i32,
    /// The channel.
    pub channel: &'a [u8],
    /// The payload, possibly empty.
    pub payload: &'a [u8],
}

impl<'a> NotificationResponse<'a> {
    pub(super) fn decode(body: &'a [u8]) -> Option<Self> {
        let mut rest = Body::new(body);
        Some(Self { backend_pid: rest.i32()?, channel: rest.cstr()?, payload: rest.cstr_or_rest() })
    }
}
