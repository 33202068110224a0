//! The values of a Bind, by number.

use crate::trace::{Bound, Format, hexadecimal, readable};
use crate::wire::{Bind, Field};

/// Bound values with their types and formats.
pub(super) struct Values<'a> {
    values: Vec<(u32, Format, Field<'a>)>,
}

impl<'a> Values<'a> {
    pub(super) fn of_bind(bind: &Bind<'a>, types: &[u32]) -> Self {
        let formats = bind.parameter_formats();
        let value = |(index, field)| {
            let format = if formats.is_binary(index) { Format::Binary } else { Format::Text };
            (types.get(index).copied().unwrap_or(0), format, field)
        };
        Self { values: bind.parameters().enumerate().map(value).collect() }
    }

    /// Type, format and bytes of `$number+1`; none where it was cut off.
    pub(super) fn get(&self, number: usize) -> Option<(u32, Format, Option<&'a [u8]>)> {
        match *self.values.get(number)? {
            (_, _, Field::Cut) => None,
            (oid, format, Field::Null) => Some((oid, format, None)),
            (oid, format, Field::Value(bytes)) => Some((oid, format, Some(bytes))),
        }
    }

    /// The value to write into a statement; none where it was cut off or its binary form is not read.
    pub(super) fn bound(&self, number: usize) -> Option<Bound> {
        let (type_oid, format, bytes) = self.get(number)?;
        let Some(bytes) = bytes else { return Some(Bound { type_oid, text: None }) };
        let text = match format {
            Format::Text => String::from_utf8(bytes.to_vec()).ok()?,
            Format::Binary => readable(type_oid, bytes)?,
        };
        Some(Bound { type_oid, text: Some(text) })
    }

    /// The value as text, as far as its type is known; else its bytes in hexadecimal.
    pub(super) fn text(&self, number: usize) -> Option<String> {
        let (oid, format, bytes) = self.get(number)?;
        let bytes = bytes?;
        match format {
            Format::Text => Some(String::from_utf8_lossy(bytes).into_owned()),
            Format::Binary => Some(readable(oid, bytes).unwrap_or_else(|| hexadecimal(bytes))),
        }
    }
}
