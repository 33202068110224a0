//! A parameter sent as text and typed by the server, as psql and most drivers do.

use bytes::{BufMut, BytesMut};
use std::error::Error;
use tokio_postgres::types::{Format, FromSql, IsNull, ToSql, Type, to_sql_checked};

/// A value as the server's input function reads it; `None` is NULL.
///
/// Whatever type the server infers for the parameter, the text is sent as it
/// is, so that a bad value is the server's error and not a client's panic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextParameter(pub Option<String>);

impl TextParameter {
    /// One for each value.
    #[must_use]
    pub fn all(values: &[Option<String>]) -> Vec<Self> {
        values.iter().cloned().map(Self).collect()
    }

    /// As the client's `query` and `execute` want them.
    #[must_use]
    pub fn references(parameters: &[Self]) -> Vec<&(dyn ToSql + Sync)> {
        parameters.iter().map(|parameter| parameter as &(dyn ToSql + Sync)).collect()
    }
}

impl ToSql for TextParameter {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let Some(text) = &self.0 else { return Ok(IsNull::Yes) };
        out.put_slice(text.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

/// The bytes of a value whose binary form is its text, such as `json`.
pub(super) struct RawText(pub(super) String);

impl<'a> FromSql<'a> for RawText {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(std::str::from_utf8(raw)?.to_owned()))
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::JSON || *kind == Type::TEXT
    }
}
