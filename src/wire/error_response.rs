//! ErrorResponse and NoticeResponse: fields, each with a letter.

use super::body::Body;

/// An error or a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorResponse<'a> {
    fields: Body<'a>,
}

impl<'a> ErrorResponse<'a> {
    pub(super) fn decode(body: &'a [u8]) -> Self {
        Self { fields: Body::new(body) }
    }

    /// The fields in order: letter and text.
    pub fn fields(&self) -> impl Iterator<Item = (u8, &'a [u8])> + use<'a> {
        let mut rest = self.fields;
        std::iter::from_fn(move || {
            let letter = rest.u8().filter(|&letter| letter != 0)?;
            Some((letter, rest.cstr()?))
        })
    }

    /// The field with this letter.
    #[must_use]
    pub fn field(&self, letter: u8) -> Option<&'a [u8]> {
        self.fields().find(|(found, _)| *found == letter).map(|(_, text)| text)
    }

    /// The SQLSTATE.
    #[must_use]
    pub fn sqlstate(&self) -> Option<[u8; 5]> {
        self.field(b'C')?.try_into().ok()
    }

    /// The primary message.
    #[must_use]
    pub fn message(&self) -> &'a [u8] {
        self.field(b'M').unwrap_or_default()
    }
}
