//! The responses that begin a COPY.

use super::bind::Formats;
use super::body::Body;

/// CopyInResponse, CopyOutResponse or CopyBothResponse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopyResponse<'a> {
    /// Whether the data is in the binary format as a whole.
    pub is_binary: bool,
    /// The format of each column.
    pub columns: Formats<'a>,
}

impl<'a> CopyResponse<'a> {
    pub(super) fn decode(body: &'a [u8]) -> Option<Self> {
        let mut rest = Body::new(body);
        let is_binary = rest.u8()? == 1;
        Some(Self { is_binary, columns: Formats::read(&mut rest)? })
    }
}
