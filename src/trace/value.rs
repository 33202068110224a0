//! Hashes of values, the same for the same value however it travelled.
//!
//! Canonical form: whole numbers by value (so `5` as int2, as int8, as numeric,
//! as text and as a literal hash alike), dates and timestamps as instants,
//! uuids as 16 bytes, bytea as its bytes, floats by value, the rest as the text
//! the server prints. The form of a text value follows from how it reads, not
//! from its type, since many drivers send parameters without one.
//!
//! The key keeps values from being read off a trace by eye or by a table
//! made beforehand; it does not make small domains safe from whoever holds it.

use super::model::Argument;
use super::{array, calendar, numeric};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A keyed hash of a value's canonical form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueHash(pub u64);

impl ValueHash {
    /// NULL, which equals nothing.
    pub const NULL: Self = Self(0);

    /// True for NULL.
    #[must_use]
    pub fn is_null(self) -> bool {
        self == Self::NULL
    }
}

/// How bytes encode a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// As text.
    Text,
    /// As the type's send function writes it.
    Binary,
}

impl From<i16> for Format {
    fn from(code: i16) -> Self {
        if code == 0 { Self::Text } else { Self::Binary }
    }
}

/// Hashes values under one key.
#[derive(Debug, Clone, Copy)]
pub struct ValueHasher {
    key: u64,
}

/// Which canonical form the bytes are in; keeps the forms apart.
#[derive(Clone, Copy)]
enum Domain {
    Text = 0,
    Integer = 1,
    Date = 2,
    Timestamp = 3,
    Uuid = 4,
    Bytes = 5,
    Float = 6,
}

impl ValueHasher {
    /// With a key of the run.
    #[must_use]
    pub fn new(key: u64) -> Self {
        Self { key }
    }

    /// Names the key without telling it.
    #[must_use]
    pub fn key_id(&self) -> u64 {
        xxh3_64_with_seed(b"plimsoll hash key", self.key)
    }

    /// The hash of one value; `type_oid` is 0 where nobody said.
    #[must_use]
    pub fn value(&self, type_oid: u32, format: Format, bytes: &[u8]) -> ValueHash {
        match format {
            Format::Text => self.text_value(type_oid, bytes),
            Format::Binary => self.binary_value(type_oid, bytes),
        }
    }

    /// The hash of a result column's value, none being NULL.
    #[must_use]
    pub fn column_value(&self, type_oid: u32, format: Format, bytes: Option<&[u8]>) -> ValueHash {
        bytes.map_or(ValueHash::NULL, |bytes| self.value(type_oid, format, bytes))
    }

    /// A bound parameter, arrays taken apart. At most `max_elements` are kept.
    #[must_use]
    pub fn argument(
        &self,
        type_oid: u32,
        format: Format,
        bytes: Option<&[u8]>,
        max_elements: u32,
    ) -> Argument {
        let Some(bytes) = bytes else {
            return Argument::Null;
        };
        let element_oid = array::element_type(type_oid);
        let is_array = match format {
            Format::Binary => element_oid.is_some(),
            Format::Text => {
                element_oid.is_some()
                    || (type_oid == 0 || type_oid >= 16_384) && array::looks_like_array(bytes)
            }
        };
        if !is_array {
            return Argument::One(self.value(type_oid, format, bytes));
        }
        let (mut hashes, mut total) = (Vec::new(), 0_u32);
        let mut visit = |oid: u32, element: Option<&[u8]>| {
            total = total.saturating_add(1);
            if total <= max_elements {
                hashes.push(self.column_value(oid, format, element));
            }
        };
        match format {
            Format::Binary => {
                if !array::visit_binary(bytes, &mut visit) {
                    return Argument::Unknown;
                }
            }
            Format::Text => array::visit_text(element_oid.unwrap_or(0), bytes, &mut visit),
        }
        Argument::Many { hashes: hashes.into(), total }
    }

    fn text_value(&self, type_oid: u32, bytes: &[u8]) -> ValueHash {
        match type_oid {
            16 => return self.text_bool(bytes),
            700 | 701 => return self.text_float(type_oid, bytes),
            _ => {}
        }
        // Blanks at the end: char(n) is padded by the server and stripped by clients.
        let text = trim_end_blanks(bytes);
        match text.first() {
            Some(b'0'..=b'9' | b'-') => {
                if let Some(number) = canonical_integer(text) {
                    return self.integer(number);
                }
                match calendar::parse(text) {
                    Some(calendar::Instant::Date(days)) => {
                        return self.tagged(Domain::Date, &days.to_le_bytes());
                    }
                    Some(calendar::Instant::Timestamp(us)) => {
                        return self.tagged(Domain::Timestamp, &us.to_le_bytes());
                    }
                    None => {}
                }
            }
            Some(b'\\') => {
                if let Some(raw) = hex_bytea(text) {
                    return self.tagged(Domain::Bytes, &raw);
                }
            }
            _ => {}
        }
        match uuid_bytes(text) {
            Some(uuid) => self.tagged(Domain::Uuid, &uuid),
            None => self.tagged(Domain::Text, text),
        }
    }

    fn binary_value(&self, type_oid: u32, bytes: &[u8]) -> ValueHash {
        match type_oid {
            16 => self.tagged(Domain::Text, if bytes == [0] { b"f" } else { b"t" }),
            20 | 21 | 23 | 26 => self.binary_integer(bytes),
            1082 => match be_integer(bytes) {
                Some(days) => self.tagged(Domain::Date, &days.to_le_bytes()),
                None => self.tagged(Domain::Bytes, bytes),
            },
            1114 | 1184 => match be_integer(bytes) {
                Some(us) => self.tagged(Domain::Timestamp, &us.to_le_bytes()),
                None => self.tagged(Domain::Bytes, bytes),
            },
            700 | 701 => self.binary_float(bytes),
            1700 => {
                let mut text = Vec::with_capacity(24);
                if numeric::write_text(bytes, &mut text) {
                    self.text_value(0, &text)
                } else {
                    self.tagged(Domain::Bytes, bytes)
                }
            }
            2950 => self.tagged(Domain::Uuid, bytes),
            17 => self.tagged(Domain::Bytes, bytes),
            // jsonb's binary form is a version byte before the text.
            3802 => self.text_value(0, bytes.get(1..).unwrap_or_default()),
            0 => match bytes.len() {
                2 | 4 | 8 => self.binary_integer(bytes),
                16 => self.tagged(Domain::Uuid, bytes),
                _ => self.text_value(0, bytes),
            },
            _ => self.text_value(0, bytes),
        }
    }

    fn binary_integer(&self, bytes: &[u8]) -> ValueHash {
        match be_integer(bytes) {
            Some(number) => self.integer(number),
            None => self.tagged(Domain::Bytes, bytes),
        }
    }

    fn binary_float(&self, bytes: &[u8]) -> ValueHash {
        if let Ok(four) = <[u8; 4]>::try_from(bytes) {
            // By way of its shortest text, as the server prints a float4.
            return self.float(f32::from_be_bytes(four).to_string().parse().unwrap_or(f64::NAN));
        }
        match <[u8; 8]>::try_from(bytes) {
            Ok(eight) => self.float(f64::from_be_bytes(eight)),
            Err(_) => self.tagged(Domain::Bytes, bytes),
        }
    }

    fn text_float(&self, type_oid: u32, bytes: &[u8]) -> ValueHash {
        let text = std::str::from_utf8(bytes).unwrap_or_default().trim();
        let number = if type_oid == 700 {
            text.parse::<f32>().ok().and_then(|short| short.to_string().parse().ok())
        } else {
            text.parse::<f64>().ok()
        };
        number.map_or_else(|| self.tagged(Domain::Text, bytes), |number| self.float(number))
    }

    fn text_bool(&self, bytes: &[u8]) -> ValueHash {
        let is_true = matches!(bytes.first(), Some(b't' | b'T' | b'y' | b'Y' | b'1'))
            || bytes.eq_ignore_ascii_case(b"on");
        self.tagged(Domain::Text, if is_true { b"t" } else { b"f" })
    }

    #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and within 53 bits")]
    fn float(&self, number: f64) -> ValueHash {
        if number.fract() == 0.0 && number.abs() < 9e15 {
            return self.integer(number as i64);
        }
        self.tagged(Domain::Float, &number.to_bits().to_le_bytes())
    }

    fn integer(&self, number: i64) -> ValueHash {
        self.tagged(Domain::Integer, &number.to_le_bytes())
    }

    fn tagged(&self, domain: Domain, bytes: &[u8]) -> ValueHash {
        let seed = self.key.wrapping_add((domain as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        // 0 is NULL's.
        ValueHash(xxh3_64_with_seed(bytes, seed).max(1))
    }
}

fn trim_end_blanks(bytes: &[u8]) -> &[u8] {
    let blanks = bytes.iter().rev().take_while(|byte| **byte == b' ').count();
    &bytes[..bytes.len() - blanks]
}

/// A whole number as the server prints it: no leading zeros, no plus sign.
fn canonical_integer(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let is_canonical = match digits {
        [b'0'] => text.len() == 1,
        [b'1'..=b'9', ..] => digits.len() <= 19,
        _ => false,
    };
    if !is_canonical {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn be_integer(bytes: &[u8]) -> Option<i64> {
    match *bytes {
        [a, b] => Some(i64::from(i16::from_be_bytes([a, b]))),
        [a, b, c, d] => Some(i64::from(i32::from_be_bytes([a, b, c, d]))),
        _ => bytes.try_into().ok().map(i64::from_be_bytes),
    }
}

fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

fn hex_bytea(text: &[u8]) -> Option<Vec<u8>> {
    let digits = text.strip_prefix(b"\\x")?;
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    digits.chunks_exact(2).map(|pair| Some(hex_digit(pair[0])? << 4 | hex_digit(pair[1])?)).collect()
}

/// `8-4-4-4-12` or 32 hexadecimal digits in a row.
fn uuid_bytes(text: &[u8]) -> Option<[u8; 16]> {
    let hyphens = match text.len() {
        36 => true,
        32 => false,
        _ => return None,
    };
    let mut uuid = [0_u8; 16];
    let mut nibble = 0;
    for (position, byte) in text.iter().enumerate() {
        if hyphens && matches!(position, 8 | 13 | 18 | 23) {
            if *byte != b'-' {
                return None;
            }
            continue;
        }
        uuid[nibble / 2] = uuid[nibble / 2] << 4 | hex_digit(*byte)?;
        nibble += 1;
    }
    Some(uuid)
}

#[cfg(test)]
mod tests {
    use super::{Argument, Format, ValueHash, ValueHasher};

    fn text(oid: u32, value: &str) -> ValueHash {
        ValueHasher::new(7).value(oid, Format::Text, value.as_bytes())
    }

    fn binary(oid: u32, value: &[u8]) -> ValueHash {
        ValueHasher::new(7).value(oid, Format::Binary, value)
    }

    #[test]
    fn the_same_value_hashes_alike_in_every_dress() {
        let five = text(23, "5");
        assert_eq!(five, binary(23, &5_i32.to_be_bytes()));
        assert_eq!(five, binary(20, &5_i64.to_be_bytes()));
        assert_eq!(five, binary(21, &5_i16.to_be_bytes()));
        assert_eq!(five, text(0, "5"), "a driver that sends no type");
        assert_eq!(five, binary(701, &5_f64.to_be_bytes()));
        assert_eq!(five, binary(1700, &[0, 1, 0, 0, 0, 0, 0, 0, 0, 5]));
        let uuid = text(2950, "6f9619ff-8b86-d011-b42d-00c04fc964ff");
        assert_eq!(uuid, text(0, "6F9619FF8B86D011B42D00C04FC964FF"));
        let raw =
            [0x6f, 0x96, 0x19, 0xff, 0x8b, 0x86, 0xd0, 0x11, 0xb4, 0x2d, 0, 0xc0, 0x4f, 0xc9, 0x64, 0xff];
        assert_eq!(uuid, binary(2950, &raw));
        assert_eq!(text(16, "t"), binary(16, &[1]));
        assert_eq!(text(16, "false"), binary(16, &[0]));
        assert_eq!(text(17, "\\x00ff"), binary(17, &[0, 255]));
        assert_eq!(text(1082, "2000-01-02"), binary(1082, &1_i32.to_be_bytes()));
        assert_eq!(text(1184, "2000-01-01 01:00:01+01"), binary(1184, &1_000_000_i64.to_be_bytes()));
        assert_eq!(text(1042, "ab  "), text(25, "ab"));
        assert_eq!(text(701, "0.1"), binary(701, &0.1_f64.to_be_bytes()));
        assert_eq!(text(700, "0.1"), binary(700, &0.1_f32.to_be_bytes()));
        assert_eq!(text(1700, "12.50"), binary(1700, &[0, 2, 0, 0, 0, 0, 0, 2, 0, 12, 0x13, 0x88]));
    }

    #[test]
    fn different_values_and_keys_differ() {
        assert_ne!(text(25, "007"), text(25, "7"));
        assert_ne!(text(25, "1.10"), text(25, "1.1"));
        assert_ne!(text(0, ""), ValueHash::NULL);
        assert_ne!(
            ValueHasher::new(1).value(0, Format::Text, b"5"),
            ValueHasher::new(2).value(0, Format::Text, b"5")
        );
        assert_ne!(ValueHasher::new(1).key_id(), ValueHasher::new(2).key_id());
    }

    #[test]
    fn arrays_are_lists_and_bounded() {
        let hasher = ValueHasher::new(7);
        let list = hasher.argument(1007, Format::Text, Some(b"{5,6,7}"), 2);
        let Argument::Many { hashes, total } = list else { panic!("a list") };
        assert_eq!((&hashes[..], total), (&[text(0, "5"), text(0, "6")][..], 3));
        assert_eq!(hasher.argument(114, Format::Text, Some(b"{}"), 2), Argument::One(text(114, "{}")));
        assert_eq!(hasher.argument(23, Format::Text, None, 2), Argument::Null);
    }
}
