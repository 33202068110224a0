//! CommandComplete: a statement's end, with its command tag.

use super::body::Body;

/// The end of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommandComplete<'a> {
    /// The command tag, such as `SELECT 20` or `INSERT 0 1`.
    pub tag: &'a [u8],
}

impl<'a> CommandComplete<'a> {
    pub(super) fn decode(body: &'a [u8]) -> Self {
        Self { tag: Body::new(body).cstr_or_rest() }
    }

    /// The number at the tag's end: rows returned or changed.
    #[must_use]
    pub fn rows(&self) -> Option<u64> {
        let digits = self.tag.rsplit(|&byte| byte == b' ').next()?;
        std::str::from_utf8(digits).ok()?.parse().ok()
    }

    /// The tag without its numbers, such as `INSERT`.
    #[must_use]
    pub fn command(&self) -> &'a [u8] {
        let is_number_or_space = |byte: &u8| byte.is_ascii_digit() || *byte == b' ';
        let end = self.tag.iter().rposition(|byte| !is_number_or_space(byte)).map_or(0, |at| at + 1);
        &self.tag[..end]
    }
}
