//! The values of a Bind, by number.

use crate::trace::{Bound, Format};
use crate::wire::{Bind, Field};
use std::fmt::Write;

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
            Format::Binary => {
                let text = binary_text(type_oid, bytes);
                // Hexadecimal is how bytea is written; of any other type it is not the value.
                if text.starts_with("\\x") && type_oid != 17 {
                    return None;
                }
                text
            }
        };
        Some(Bound { type_oid, text: Some(text) })
    }

    /// The value as text, as far as its type is known; else its bytes in hexadecimal.
    pub(super) fn text(&self, number: usize) -> Option<String> {
        let (oid, format, bytes) = self.get(number)?;
        let bytes = bytes?;
        match format {
            Format::Text => Some(String::from_utf8_lossy(bytes).into_owned()),
            Format::Binary => Some(binary_text(oid, bytes)),
        }
    }
}

fn binary_text(oid: u32, bytes: &[u8]) -> String {
    match (oid, bytes) {
        (16, [flag]) => if *flag == 0 { "f" } else { "t" }.to_owned(),
        (21 | 0, &[a, b]) => i16::from_be_bytes([a, b]).to_string(),
        (23 | 0, &[a, b, c, d]) => i32::from_be_bytes([a, b, c, d]).to_string(),
        (26, &[a, b, c, d]) => u32::from_be_bytes([a, b, c, d]).to_string(),
        (20 | 0, &[a, b, c, d, e, f, g, h]) => i64::from_be_bytes([a, b, c, d, e, f, g, h]).to_string(),
        (700, &[a, b, c, d]) => f32::from_be_bytes([a, b, c, d]).to_string(),
        (701, &[a, b, c, d, e, f, g, h]) => f64::from_be_bytes([a, b, c, d, e, f, g, h]).to_string(),
        (2950, [_, ..]) if bytes.len() == 16 => uuid(bytes),
        (25 | 1042 | 1043 | 19 | 114 | 705, text) => String::from_utf8_lossy(text).into_owned(),
        _ => {
            let mut text = String::from("\\x");
            for byte in bytes {
                // Writing to a string cannot fail.
                let _ = write!(text, "{byte:02x}");
            }
            text
        }
    }
}

fn uuid(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::binary_text;

    #[test]
    fn known_binary_values_become_their_text() {
        for (oid, bytes, text) in [
            (23, vec![0, 0, 1, 0], "256"),
            (16, vec![1], "t"),
            (25, b"abc".to_vec(), "abc"),
            (2950, vec![0xab; 16], "abababab-abab-abab-abab-abababababab"),
            (9999, vec![1, 255], "\\x01ff"),
        ] {
            assert_eq!(binary_text(oid, &bytes), text);
        }
    }
}
