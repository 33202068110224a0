//! One generated value, and its two ways onto the wire.

use crate::postgres::ColumnType;
use std::fmt::Write as _;

/// Microseconds from 1970 to 2000, PostgreSQL's epoch.
const EPOCH_US: i64 = 946_684_800_000_000;
/// Microseconds of a day.
pub(super) const DAY_US: i64 = 86_400_000_000;

/// A value before it is encoded for its column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    /// `unscaled` / 10^`scale`.
    Decimal {
        unscaled: i64,
        scale: u32,
    },
    Text(&'a str),
    Uuid([u8; 16]),
    /// Microseconds since 1970, UTC.
    Instant(i64),
}

/// A value that owns its text.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Literal {
    Plain(Value<'static>),
    Text(Box<str>),
}

impl Literal {
    #[inline]
    pub(super) fn value(&self) -> Value<'_> {
        match self {
            Self::Plain(value) => *value,
            Self::Text(text) => Value::Text(text),
        }
    }
}

impl Value<'_> {
    /// Appends the value as a field of binary COPY: its length and bytes.
    /// The plan has made sure that the column's type takes this kind of value.
    #[inline]
    pub(super) fn write_binary(self, column_type: &ColumnType, out: &mut Vec<u8>) {
        match (self, column_type) {
            (Value::Null, _) => out.extend_from_slice(&(-1_i32).to_be_bytes()),
            (Value::Int(whole), ColumnType::Int8) => field(out, &whole.to_be_bytes()),
            (Value::Int(whole), ColumnType::Int4) => field(out, &(whole as i32).to_be_bytes()),
            (Value::Int(whole), ColumnType::Int2) => field(out, &(whole as i16).to_be_bytes()),
            (Value::Int(whole), ColumnType::Numeric(_)) => numeric(out, whole, 0),
            (Value::Int(whole), ColumnType::Float8) => field(out, &(whole as f64).to_be_bytes()),
            (Value::Int(whole), ColumnType::Float4) => field(out, &(whole as f32).to_be_bytes()),
            (Value::Float(number), ColumnType::Float8) => field(out, &number.to_be_bytes()),
            (Value::Float(number), ColumnType::Float4) => field(out, &(number as f32).to_be_bytes()),
            (Value::Decimal { unscaled, scale }, ColumnType::Numeric(_)) => numeric(out, unscaled, scale),
            (Value::Bool(truth), ColumnType::Bool) => field(out, &[u8::from(truth)]),
            (Value::Uuid(bytes), ColumnType::Uuid) => field(out, &bytes),
            (Value::Instant(us), ColumnType::Timestamp) => field(out, &(us - EPOCH_US).to_be_bytes()),
            (Value::Instant(us), ColumnType::Date) => {
                field(out, &((us - EPOCH_US).div_euclid(DAY_US) as i32).to_be_bytes());
            }
            (Value::Text(text), ColumnType::Jsonb) => {
                out.extend_from_slice(&(text.len() as u32 + 1).to_be_bytes());
                // The version of the binary format.
                out.push(1);
                out.extend_from_slice(text.as_bytes());
            }
            (Value::Text(text), _) => field(out, text.as_bytes()),
            // Any other value in a column of text, json or bytea is its text.
            (value, _) => {
                let start = out.len();
                out.extend_from_slice(&[0; 4]);
                if *column_type == ColumnType::Jsonb {
                    out.push(1);
                }
                let mut text = String::new();
                value.append_to(&mut text);
                out.extend_from_slice(text.as_bytes());
                let length = (out.len() - start - 4) as u32;
                out[start..start + 4].copy_from_slice(&length.to_be_bytes());
            }
        }
    }

    /// Appends the value as a field of text COPY, escaped, without its delimiter.
    pub(super) fn write_text(self, column_type: &ColumnType, scratch: &mut String, out: &mut Vec<u8>) {
        if self == Value::Null {
            return out.extend_from_slice(b"\\N");
        }
        scratch.clear();
        match (self, column_type) {
            (Value::Instant(us), ColumnType::Date) => append_date(us, scratch),
            (Value::Text(text), ColumnType::Bytea) => {
                scratch.push_str("\\x");
                text.bytes().for_each(|byte| {
                    let _ = write!(scratch, "{byte:02x}");
                });
            }
            (value, _) => value.append_to(scratch),
        }
        for byte in scratch.bytes() {
            match byte {
                b'\\' => out.extend_from_slice(b"\\\\"),
                b'\n' => out.extend_from_slice(b"\\n"),
                b'\r' => out.extend_from_slice(b"\\r"),
                b'\t' => out.extend_from_slice(b"\\t"),
                plain => out.push(plain),
            }
        }
    }

    /// Appends the value as PostgreSQL's input functions read it; NULL is nothing.
    pub(super) fn append_to(self, out: &mut String) {
        // Writing to a string does not fail.
        let _ = match self {
            Value::Null => Ok(()),
            Value::Bool(truth) => write!(out, "{truth}"),
            Value::Int(whole) => write!(out, "{whole}"),
            Value::Float(number) => write!(out, "{number}"),
            Value::Decimal { unscaled, scale: 0 } => write!(out, "{unscaled}"),
            Value::Decimal { unscaled, scale } => {
                let one = 10_u64.pow(scale);
                let size = unscaled.unsigned_abs();
                let sign = if unscaled < 0 { "-" } else { "" };
                write!(out, "{sign}{}.{:0width$}", size / one, size % one, width = scale as usize)
            }
            Value::Text(text) => {
                out.push_str(text);
                Ok(())
            }
            Value::Uuid(bytes) => {
                let bits = u128::from_be_bytes(bytes);
                let part = |shift: u32, digits: u32| (bits >> shift) & ((1 << (digits * 4)) - 1);
                write!(
                    out,
                    "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
                    part(96, 8),
                    part(80, 4),
                    part(64, 4),
                    part(48, 4),
                    part(0, 12)
                )
            }
            Value::Instant(us) => match jiff::Timestamp::from_microsecond(us) {
                Ok(instant) => write!(out, "{instant}"),
                Err(_) => Ok(()),
            },
        };
    }
}

fn append_date(us: i64, out: &mut String) {
    if let Ok(instant) = jiff::Timestamp::from_microsecond(us) {
        let _ = write!(out, "{}", jiff::tz::Offset::UTC.to_datetime(instant).date());
    }
}

#[inline]
fn field(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
    out.extend_from_slice(bytes);
}

/// `numeric` on the wire: digits to base 10 000, the weight of the first one, sign, and
/// the number of decimals shown.
fn numeric(out: &mut Vec<u8>, unscaled: i64, scale: u32) {
    // Decimals are filled up to whole digits of base 10 000.
    let padded = scale.next_multiple_of(4);
    let mut rest = u128::from(unscaled.unsigned_abs()) * u128::from(10_u32.pow(padded - scale));
    let mut digits = [0_u16; 12];
    let mut count = 0;
    while rest > 0 {
        digits[count] = if rest <= u128::from(u64::MAX) {
            // 128-bit division is slow and seldom needed.
            let (quotient, remainder) = (rest as u64 / 10_000, rest as u64 % 10_000);
            rest = u128::from(quotient);
            remainder as u16
        } else {
            let remainder = (rest % 10_000) as u16;
            rest /= 10_000;
            remainder
        };
        count += 1;
    }
    let trailing = digits[..count].iter().take_while(|digit| **digit == 0).count();
    let stored = &digits[trailing..count];
    let weight = if count == 0 { 0 } else { i16::try_from(count).unwrap_or(0) - 1 - (padded / 4) as i16 };
    let sign: u16 = if unscaled < 0 { 0x4000 } else { 0 };
    out.extend_from_slice(&(8 + 2 * stored.len() as u32).to_be_bytes());
    out.extend_from_slice(&(stored.len() as u16).to_be_bytes());
    out.extend_from_slice(&weight.to_be_bytes());
    out.extend_from_slice(&sign.to_be_bytes());
    out.extend_from_slice(&(scale as u16).to_be_bytes());
    for digit in stored.iter().rev() {
        out.extend_from_slice(&digit.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::Value;
    use crate::postgres::ColumnType;

    fn text(value: Value<'_>) -> String {
        let mut out = String::new();
        value.append_to(&mut out);
        out
    }

    #[test]
    fn values_as_text() {
        assert_eq!(text(Value::Decimal { unscaled: -5, scale: 2 }), "-0.05");
        assert_eq!(text(Value::Decimal { unscaled: 123_456, scale: 3 }), "123.456");
        assert_eq!(text(Value::Instant(1_704_067_200_500_000)), "2024-01-01T00:00:00.5Z");
        assert_eq!(text(Value::Uuid([0x12; 16])), "12121212-1212-1212-1212-121212121212");
        let mut date = Vec::new();
        Value::Instant(-1).write_text(&ColumnType::Date, &mut String::new(), &mut date);
        assert_eq!(date, b"1969-12-31");
        let mut escaped = Vec::new();
        Value::Text("a\tb\\\n").write_text(&ColumnType::Text(None), &mut String::new(), &mut escaped);
        assert_eq!(escaped, b"a\\tb\\\\\\n");
    }

    /// Digits, weight and scale of a numeric field.
    fn numeric(unscaled: i64, scale: u32) -> (Vec<u16>, i16, u16) {
        let mut out = Vec::new();
        Value::Decimal { unscaled, scale }.write_binary(&ColumnType::Numeric(None), &mut out);
        let word = |at: usize| u16::from_be_bytes([out[at], out[at + 1]]);
        assert_eq!(out.len(), 12 + 2 * usize::from(word(4)));
        let weight = i16::from_be_bytes([out[6], out[7]]);
        ((12..out.len()).step_by(2).map(word).collect(), weight, word(10))
    }

    #[test]
    fn numerics_to_base_ten_thousand() {
        assert_eq!(numeric(6012, 2), (vec![60, 1200], 0, 2));
        assert_eq!(numeric(123_456_789, 2), (vec![123, 4567, 8900], 1, 2));
        assert_eq!(numeric(5, 4), (vec![5], -1, 4));
        assert_eq!(numeric(20_000, 0), (vec![2], 1, 0));
        assert_eq!(numeric(0, 2), (vec![], 0, 2));
        assert_eq!(numeric(i64::MIN, 0).1, 4);
    }
}
