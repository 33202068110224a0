//! The binary format of `numeric`, to the text that the server would print.

/// Appends the text of a binary numeric. False where the bytes are not one.
pub(super) fn write_text(bytes: &[u8], text: &mut Vec<u8>) -> bool {
    let Some(words) = (bytes.len() >= 8 && bytes.len().is_multiple_of(2)).then(|| {
        bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect::<Vec<u16>>()
    }) else {
        return false;
    };
    let (count, weight, sign, scale) = (usize::from(words[0]), words[1].cast_signed(), words[2], words[3]);
    let digits = &words[4..];
    if digits.len() != count || digits.iter().any(|digit| *digit > 9999) || scale > 0x3fff {
        return false;
    }
    match sign {
        0x0000 => {}
        0x4000 => text.push(b'-'),
        0xc000 => return append(text, "NaN"),
        0xd000 => return append(text, "Infinity"),
        0xf000 => return append(text, "-Infinity"),
        _ => return false,
    }
    let digit_at = |position: i32| {
        let index = i32::from(weight) - position;
        usize::try_from(index).ok().and_then(|index| digits.get(index)).copied().unwrap_or(0)
    };
    let highest = i32::from(weight).max(0);
    text.extend_from_slice(digit_at(highest).to_string().as_bytes());
    for position in (0..highest).rev() {
        text.extend_from_slice(format!("{:04}", digit_at(position)).as_bytes());
    }
    if scale > 0 {
        text.push(b'.');
        let end = text.len() + usize::from(scale);
        let mut position = -1;
        while text.len() < end {
            text.extend_from_slice(format!("{:04}", digit_at(position)).as_bytes());
            position -= 1;
        }
        text.truncate(end);
    }
    true
}

fn append(text: &mut Vec<u8>, word: &str) -> bool {
    text.extend_from_slice(word.as_bytes());
    true
}

#[cfg(test)]
mod tests {
    use super::write_text;

    fn text_of(words: &[u16]) -> String {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        let mut text = Vec::new();
        assert!(write_text(&bytes, &mut text));
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn prints_as_the_server_does() {
        assert_eq!(text_of(&[0, 0, 0, 0]), "0");
        assert_eq!(text_of(&[0, 0, 0, 2]), "0.00");
        assert_eq!(text_of(&[1, 0, 0, 0, 17]), "17");
        assert_eq!(text_of(&[2, 0, 0x4000, 2, 17, 5000]), "-17.50");
        assert_eq!(text_of(&[1, 0xffff, 0, 6, 12]), "0.001200");
        assert_eq!(text_of(&[1, 1, 0, 0, 123]), "1230000");
        assert_eq!(text_of(&[0, 0, 0xc000, 0]), "NaN");
    }

    #[test]
    fn refuses_what_is_not_a_numeric() {
        let mut text = Vec::new();
        assert!(!write_text(&[0; 7], &mut text));
        assert!(!write_text(&[0, 9, 0, 0, 0, 0, 0, 0], &mut text));
    }
}
