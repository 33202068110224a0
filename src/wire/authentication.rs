//! Authentication requests, and the first step of SASL that answers one.

use super::body::Body;

const OK: u32 = 0;
const CLEARTEXT: u32 = 3;
const MD5: u32 = 5;
const SASL: u32 = 10;

/// What the server asks of the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authentication<'a> {
    /// The client is who it says.
    Ok,
    /// A password as it is.
    CleartextPassword,
    /// A password hashed with the salt.
    Md5Password,
    /// One of several SASL mechanisms.
    Sasl(SaslMechanisms<'a>),
    /// Any other request or step, by its code.
    Other(u32),
}

impl<'a> Authentication<'a> {
    pub(super) fn decode(body: &'a [u8]) -> Option<Self> {
        let mut rest = Body::new(body);
        Some(match rest.u32()? {
            OK => Self::Ok,
            CLEARTEXT => Self::CleartextPassword,
            MD5 => Self::Md5Password,
            SASL => Self::Sasl(SaslMechanisms { names: rest }),
            code => Self::Other(code),
        })
    }
}

/// The mechanisms a server offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SaslMechanisms<'a> {
    names: Body<'a>,
}

impl<'a> SaslMechanisms<'a> {
    /// Their names in the server's order.
    pub fn names(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = self.names;
        std::iter::from_fn(move || rest.cstr().filter(|name| !name.is_empty()))
    }
}

/// The client's choice of a mechanism, with its first message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SaslInitialResponse<'a> {
    /// The mechanism, such as `SCRAM-SHA-256`.
    pub mechanism: &'a [u8],
    /// The mechanism's first message.
    pub data: &'a [u8],
}

impl<'a> SaslInitialResponse<'a> {
    /// Decodes a `p` message that answers a SASL request.
    #[must_use]
    pub fn decode(body: &'a [u8]) -> Option<Self> {
        let mut rest = Body::new(body);
        let mechanism = rest.cstr()?;
        let length = usize::try_from(rest.i32()?).unwrap_or(0);
        Some(Self { mechanism, data: rest.bytes(length)? })
    }
}
