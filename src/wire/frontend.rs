//! What a client sends.

use super::{Bind, Close, Describe, Execute, Frame, Parse, Query, STARTUP_TAG, StartupPacket, Subject};

/// A client's message.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum FrontendMessage<'a> {
    /// A packet from before messages have a type.
    Startup(StartupPacket<'a>),
    /// `P`
    Parse(Parse<'a>),
    /// `B`
    Bind(Bind<'a>),
    /// `D`
    Describe(Describe<'a>),
    /// `E`
    Execute(Execute<'a>),
    /// `C`
    Close(Close<'a>),
    /// `Q`
    Query(Query<'a>),
    /// `S`: ends a pipeline's group.
    Sync,
    /// `H`: send what there is.
    Flush,
    /// `d`: a piece of COPY data.
    CopyData,
    /// `c`
    CopyDone,
    /// `f`
    CopyFail,
    /// `F`: the old fast-path function call.
    FunctionCall,
    /// `p`: a password, or a step of SASL or GSSAPI. Never kept.
    Password,
    /// `X`
    Terminate,
    /// A type byte this decoder does not know.
    Unknown(u8),
    /// A known type whose body is too short or otherwise not of its form.
    Malformed(u8),
}

impl<'a> FrontendMessage<'a> {
    /// Decodes a frame of the client's direction.
    #[must_use]
    pub fn decode(frame: &Frame<'a>) -> Self {
        let decoded = match frame.tag {
            STARTUP_TAG => StartupPacket::decode(frame.body).map(Self::Startup),
            b'P' => Parse::decode(frame.body).map(Self::Parse),
            b'B' => Bind::decode(frame.body).map(Self::Bind),
            b'D' => Subject::decode(frame.body).map(|subject| Self::Describe(Describe { subject })),
            b'E' => Execute::decode(frame.body).map(Self::Execute),
            b'C' => Subject::decode(frame.body).map(|subject| Self::Close(Close { subject })),
            b'Q' => Some(Self::Query(Query::decode(frame.body))),
            b'S' => Some(Self::Sync),
            b'H' => Some(Self::Flush),
            b'd' => Some(Self::CopyData),
            b'c' => Some(Self::CopyDone),
            b'f' => Some(Self::CopyFail),
            b'F' => Some(Self::FunctionCall),
            b'p' => Some(Self::Password),
            b'X' => Some(Self::Terminate),
            tag => Some(Self::Unknown(tag)),
        };
        decoded.unwrap_or(Self::Malformed(frame.tag))
    }
}
