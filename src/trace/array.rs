//! Arrays taken apart into their elements, in text and in binary, so that a
//! list bound as one parameter and an `IN (…)` of several look alike.

/// What an array's elements are handed to: type OID (0 where unknown) and
/// bytes, none for NULL.
pub(super) type Visit<'a> = dyn FnMut(u32, Option<&[u8]>) + 'a;

/// The element type of the built-in array types.
pub(super) fn element_type(array_oid: u32) -> Option<u32> {
    Some(match array_oid {
        1000 => 16,
        1001 => 17,
        1002 => 18,
        1003 => 19,
        1005 => 21,
        1007 => 23,
        1009 => 25,
        1014 => 1042,
        1015 => 1043,
        1016 => 20,
        1021 => 700,
        1022 => 701,
        1028 => 26,
        1115 => 1114,
        1182 => 1082,
        1183 => 1083,
        1185 => 1184,
        1231 => 1700,
        2951 => 2950,
        _ => return None,
    })
}

/// Visits the elements of a binary array. False where the bytes are not one.
pub(super) fn visit_binary(bytes: &[u8], visit: &mut Visit<'_>) -> bool {
    let word = |at: usize| -> Option<i32> {
        bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map(i32::from_be_bytes)
    };
    let (Some(dimensions), Some(element_oid)) = (word(0), word(8)) else {
        return false;
    };
    let Some(mut at) = usize::try_from(dimensions).ok().filter(|count| *count <= 6).map(|n| 12 + n * 8)
    else {
        return false;
    };
    while at < bytes.len() {
        let Some(length) = word(at) else {
            return false;
        };
        at += 4;
        match usize::try_from(length) {
            Ok(length) => {
                let Some(element) = bytes.get(at..at.saturating_add(length)) else {
                    return false;
                };
                visit(element_oid.cast_unsigned(), Some(element));
                at += length;
            }
            Err(_) => visit(element_oid.cast_unsigned(), None),
        }
    }
    true
}

/// True where text of an unknown type reads as an array rather than as JSON.
pub(super) fn looks_like_array(text: &[u8]) -> bool {
    let [b'{', inner @ .., b'}'] = text else {
        return false;
    };
    let Some(b'"') = inner.first() else {
        return true;
    };
    // `{"key": …` is JSON; `{"a,b","c"}` is an array.
    let mut escaped = false;
    let end = inner.iter().skip(1).position(|byte| {
        let closes = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        closes
    });
    let after = end.map_or(&[][..], |end| inner[end + 2..].trim_ascii_start());
    after.first() != Some(&b':')
}

/// Visits the elements of an array in text form, of any dimensions.
pub(super) fn visit_text(element_oid: u32, text: &[u8], visit: &mut Visit<'_>) {
    let mut element = Vec::new();
    let (mut quoted, mut was_quoted) = (false, false);
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => element.extend(bytes.next()),
            b'"' => {
                quoted = !quoted;
                was_quoted = true;
            }
            b'{' if !quoted => {}
            b',' | b'}' if !quoted => {
                if was_quoted || !element.is_empty() {
                    let is_null = !was_quoted && element.eq_ignore_ascii_case(b"null");
                    visit(element_oid, (!is_null).then_some(element.as_slice()));
                }
                element.clear();
                was_quoted = false;
            }
            byte => element.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{looks_like_array, visit_binary, visit_text};

    fn elements(text: &str) -> Vec<Option<String>> {
        let mut found = Vec::new();
        visit_text(0, text.as_bytes(), &mut |_, element| {
            found.push(element.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap()));
        });
        found
    }

    #[test]
    fn takes_text_apart() {
        assert_eq!(elements("{}"), []);
        assert_eq!(elements("{1,2}"), [Some("1".into()), Some("2".into())]);
        assert_eq!(
            elements(r#"{"a,b",NULL,"","q\"x"}"#),
            [Some("a,b".into()), None, Some(String::new()), Some("q\"x".into())]
        );
        assert_eq!(elements("{{1},{2}}").len(), 2);
    }

    #[test]
    fn tells_arrays_from_json() {
        assert!(looks_like_array(b"{1,2}"));
        assert!(looks_like_array(br#"{"a","b"}"#));
        assert!(!looks_like_array(br#"{"a": 1}"#));
        assert!(!looks_like_array(b"plain"));
    }

    #[test]
    fn takes_binary_apart() {
        let mut bytes = Vec::new();
        for word in [1_i32, 0, 23, 2, 1, 4, 7, -1] {
            bytes.extend_from_slice(&word.to_be_bytes());
        }
        let mut found = Vec::new();
        assert!(visit_binary(&bytes, &mut |oid, element| found.push((oid, element.map(<[u8]>::to_vec)))));
        assert_eq!(found, [(23, Some(vec![0, 0, 0, 7])), (23, None)]);
        assert!(!visit_binary(&bytes[..bytes.len() - 6], &mut |_, _| {}));
    }
}
