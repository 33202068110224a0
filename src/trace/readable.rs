//! Binary values as the text that the server's input function reads.

use super::{array, numeric};
use std::fmt::Write as _;

/// Microseconds from 1970 to 2000, where the server's times begin.
const EPOCH_2000_US: i64 = 946_684_800_000_000;
const DAY_US: i64 = 86_400_000_000;

/// The text of a binary value of a built-in type. `None`: the type is not one that is read, or the
/// bytes are none of its values. Type 0 is a number by its length.
#[must_use]
pub fn readable(type_oid: u32, bytes: &[u8]) -> Option<String> {
    if array::element_type(type_oid).is_some() {
        return list(bytes);
    }
    Some(match (type_oid, bytes) {
        (16, [flag]) => if *flag == 0 { "f" } else { "t" }.to_owned(),
        (21 | 0, &[a, b]) => i16::from_be_bytes([a, b]).to_string(),
        (23 | 0, &[a, b, c, d]) => i32::from_be_bytes([a, b, c, d]).to_string(),
        (26, &[a, b, c, d]) => u32::from_be_bytes([a, b, c, d]).to_string(),
        (700, &[a, b, c, d]) => f32::from_be_bytes([a, b, c, d]).to_string(),
        (1082, &[a, b, c, d]) => date(i32::from_be_bytes([a, b, c, d]))?,
        (20 | 0, _) => long(bytes)?.to_string(),
        (701, _) => f64::from_be_bytes(bytes.try_into().ok()?).to_string(),
        (1083, _) => time(long(bytes)?)?,
        (1114, _) => moment(long(bytes)?, "")?,
        (1184, _) => moment(long(bytes)?, "Z")?,
        (1700, _) => {
            let mut text = Vec::with_capacity(24);
            let is_number = numeric::write_text(bytes, &mut text);
            String::from_utf8(text).ok().filter(|_| is_number)?
        }
        (2950, [..]) if bytes.len() == 16 => uuid(bytes),
        // A version byte comes before the text.
        (3802, [1, text @ ..]) => String::from_utf8(text.to_vec()).ok()?,
        (18 | 19 | 25 | 114 | 142 | 705 | 1042 | 1043, text) => String::from_utf8(text.to_vec()).ok()?,
        (17, _) => hexadecimal(bytes),
        _ => return None,
    })
}

/// `\x01ff`: how bytea is written.
#[must_use]
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::from("\\x"), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn long(bytes: &[u8]) -> Option<i64> {
    bytes.try_into().ok().map(i64::from_be_bytes)
}

fn date(days: i32) -> Option<String> {
    match days {
        i32::MAX => Some("infinity".into()),
        i32::MIN => Some("-infinity".into()),
        days => Some(civil(i64::from(days).checked_mul(DAY_US)?)?.date().to_string()),
    }
}

fn moment(us: i64, zone: &str) -> Option<String> {
    match us {
        i64::MAX => Some("infinity".into()),
        i64::MIN => Some("-infinity".into()),
        us => Some(format!("{}{zone}", civil(us)?)),
    }
}

fn time(us: i64) -> Option<String> {
    (0..DAY_US).contains(&us).then(|| civil(us))?.map(|moment| moment.time().to_string())
}

fn civil(us_since_2000: i64) -> Option<jiff::civil::DateTime> {
    let moment = jiff::Timestamp::from_microsecond(us_since_2000.checked_add(EPOCH_2000_US)?).ok()?;
    Some(jiff::tz::Offset::UTC.to_datetime(moment))
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

/// `{"1",NULL}`, of one dimension.
fn list(bytes: &[u8]) -> Option<String> {
    let mut elements: Vec<Option<String>> = Vec::new();
    let dimensions = bytes.get(..4).and_then(|word| word.try_into().ok()).map(i32::from_be_bytes)?;
    let is_array = dimensions <= 1
        && array::visit_binary(bytes, &mut |oid, element| {
            elements.push(match element {
                None => Some("NULL".into()),
                Some(element) => readable(oid, element)
                    .map(|text| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))),
            });
        });
    let elements: Option<Vec<String>> = elements.into_iter().collect();
    elements.filter(|_| is_array).map(|elements| format!("{{{}}}", elements.join(",")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_values_become_the_text_the_server_reads() {
        let noon = 43_200_000_000_i64;
        for (oid, bytes, text) in [
            (23, vec![0, 0, 1, 0], Some("256")),
            (16, vec![1], Some("t")),
            (25, b"abc".to_vec(), Some("abc")),
            (17, vec![1, 255], Some("\\x01ff")),
            (2950, vec![0xab; 16], Some("abababab-abab-abab-abab-abababababab")),
            (1082, 9_497_i32.to_be_bytes().to_vec(), Some("2026-01-01")),
            (1082, i32::MAX.to_be_bytes().to_vec(), Some("infinity")),
            (1083, noon.to_be_bytes().to_vec(), Some("12:00:00")),
            (1114, noon.to_be_bytes().to_vec(), Some("2000-01-01T12:00:00")),
            (1184, (noon + 5).to_be_bytes().to_vec(), Some("2000-01-01T12:00:00.000005Z")),
            (1184, (-1_i64).to_be_bytes().to_vec(), Some("1999-12-31T23:59:59.999999Z")),
            (1700, vec![0, 2, 0, 0, 0, 0, 0, 2, 0, 9, 0x13, 0x88], Some("9.50")),
            (3802, b"\x01{}".to_vec(), Some("{}")),
            (1007, [0_i32, 0, 23].map(i32::to_be_bytes).concat(), Some("{}")),
            (
                1009,
                [&[1_i32, 1, 25, 2, 1, 2].map(i32::to_be_bytes).concat()[..], b"a\"", &[0xff; 4]].concat(),
                Some("{\"a\\\"\",NULL}"),
            ),
            (9999, vec![1, 255], None),
            (1082, vec![1], None),
        ] {
            assert_eq!(readable(oid, &bytes).as_deref(), text, "{oid} {bytes:?}");
        }
    }
}
