//! What a server sends.

use super::{
    Authentication, BackendKeyData, CommandComplete, CopyResponse, DataRow, ErrorResponse, Frame,
    NegotiateProtocolVersion, NotificationResponse, ParameterDescription, ParameterStatus, ReadyForQuery,
    RowDescription,
};

/// A server's message.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum BackendMessage<'a> {
    /// `R`
    Authentication(Authentication<'a>),
    /// `K`
    BackendKeyData(BackendKeyData<'a>),
    /// `v`
    NegotiateProtocolVersion(NegotiateProtocolVersion<'a>),
    /// `S`
    ParameterStatus(ParameterStatus<'a>),
    /// `Z`
    ReadyForQuery(ReadyForQuery),
    /// `1`
    ParseComplete,
    /// `2`
    BindComplete,
    /// `3`
    CloseComplete,
    /// `t`
    ParameterDescription(ParameterDescription<'a>),
    /// `T`
    RowDescription(RowDescription<'a>),
    /// `n`: the described statement returns no rows.
    NoData,
    /// `D`
    DataRow(DataRow<'a>),
    /// `C`
    CommandComplete(CommandComplete<'a>),
    /// `I`: the text held no statement.
    EmptyQueryResponse,
    /// `s`: the row limit of Execute was reached.
    PortalSuspended,
    /// `E`
    ErrorResponse(ErrorResponse<'a>),
    /// `N`
    NoticeResponse(ErrorResponse<'a>),
    /// `A`
    NotificationResponse(NotificationResponse<'a>),
    /// `G`
    CopyIn(CopyResponse<'a>),
    /// `H`
    CopyOut(CopyResponse<'a>),
    /// `W`
    CopyBoth(CopyResponse<'a>),
    /// `d`
    CopyData,
    /// `c`
    CopyDone,
    /// `V`
    FunctionCallResponse,
    /// A type byte this decoder does not know.
    Unknown(u8),
    /// A known type whose body is too short or otherwise not of its form.
    Malformed(u8),
}

impl<'a> BackendMessage<'a> {
    /// Decodes a frame of the server's direction.
    #[must_use]
    pub fn decode(frame: &Frame<'a>) -> Self {
        let body = frame.body;
        let decoded = match frame.tag {
            b'R' => Authentication::decode(body).map(Self::Authentication),
            b'K' => BackendKeyData::decode(body).map(Self::BackendKeyData),
            b'v' => NegotiateProtocolVersion::decode(body).map(Self::NegotiateProtocolVersion),
            b'S' => ParameterStatus::decode(body).map(Self::ParameterStatus),
            b'Z' => ReadyForQuery::decode(body).map(Self::ReadyForQuery),
            b'1' => Some(Self::ParseComplete),
            b'2' => Some(Self::BindComplete),
            b'3' => Some(Self::CloseComplete),
            b't' => Some(Self::ParameterDescription(ParameterDescription::decode(body))),
            b'T' => Some(Self::RowDescription(RowDescription::decode(body))),
            b'n' => Some(Self::NoData),
            b'D' => DataRow::decode(body).map(Self::DataRow),
            b'C' => Some(Self::CommandComplete(CommandComplete::decode(body))),
            b'I' => Some(Self::EmptyQueryResponse),
            b's' => Some(Self::PortalSuspended),
            b'E' => Some(Self::ErrorResponse(ErrorResponse::decode(body))),
            b'N' => Some(Self::NoticeResponse(ErrorResponse::decode(body))),
            b'A' => NotificationResponse::decode(body).map(Self::NotificationResponse),
            b'G' => CopyResponse::decode(body).map(Self::CopyIn),
            b'H' => CopyResponse::decode(body).map(Self::CopyOut),
            b'W' => CopyResponse::decode(body).map(Self::CopyBoth),
            b'd' => Some(Self::CopyData),
            b'c' => Some(Self::CopyDone),
            b'V' => Some(Self::FunctionCallResponse),
            tag => Some(Self::Unknown(tag)),
        };
        decoded.unwrap_or(Self::Malformed(frame.tag))
    }
}
