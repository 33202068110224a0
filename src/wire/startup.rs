//! The packets a client sends before messages have a type byte: requests for
//! encryption, a cancel request, and the message that starts a session.

use super::body::Body;

const CANCEL_REQUEST: u32 = 80_877_102;
const SSL_REQUEST: u32 = 80_877_103;
const GSS_ENCRYPTION_REQUEST: u32 = 80_877_104;

/// A decoded start-up packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartupPacket<'a> {
    /// The client asks for TLS; the answer is one byte, `S` or `N`.
    SslRequest,
    /// The client asks for GSSAPI encryption; the answer is one byte, `G` or `N`.
    GssEncryptionRequest,
    /// Cancel what another session runs. No answer is ever sent.
    Cancel(CancelRequest<'a>),
    /// Start a session.
    Startup(StartupMessage<'a>),
}

impl<'a> StartupPacket<'a> {
    /// Decodes a body; `None` where it is too short to be any of them.
    #[must_use]
    pub fn decode(body: &'a [u8]) -> Option<Self> {
        let mut rest = Body::new(body);
        match rest.u32()? {
            SSL_REQUEST => Some(Self::SslRequest),
            GSS_ENCRYPTION_REQUEST => Some(Self::GssEncryptionRequest),
            CANCEL_REQUEST => {
                Some(Self::Cancel(CancelRequest { backend_pid: rest.i32()?, secret_key: rest.rest() }))
            }
            version => {
                let [major_high, major_low, minor_high, minor_low] = version.to_be_bytes();
                Some(Self::Startup(StartupMessage {
                    major: u16::from_be_bytes([major_high, major_low]),
                    minor: u16::from_be_bytes([minor_high, minor_low]),
                    parameters: rest,
                }))
            }
        }
    }
}

/// Whether a client sends another untagged packet after this one.
pub(super) fn expects_another_packet(body: &[u8]) -> bool {
    matches!(
        StartupPacket::decode(body),
        Some(StartupPacket::SslRequest | StartupPacket::GssEncryptionRequest)
    )
}

/// A request to cancel what another session runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CancelRequest<'a> {
    /// The session's process id, from its BackendKeyData.
    pub backend_pid: i32,
    /// The session's secret: 4 bytes in protocol 3.0, up to 256 in 3.2.
    pub secret_key: &'a [u8],
}

/// The message that starts a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StartupMessage<'a> {
    /// The protocol's major version, 3.
    pub major: u16,
    /// The protocol's minor version the client asks for.
    pub minor: u16,
    parameters: Body<'a>,
}

impl<'a> StartupMessage<'a> {
    /// The parameters in order: `user`, `database`, `application_name`, …
    pub fn parameters(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let mut rest = self.parameters;
        std::iter::from_fn(move || {
            let name = rest.cstr().filter(|name| !name.is_empty())?;
            Some((name, rest.cstr()?))
        })
    }

    /// The value of one parameter.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&'a [u8]> {
        self.parameters().find(|(key, _)| *key == name.as_bytes()).map(|(_, value)| value)
    }
}
