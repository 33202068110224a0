//! What a literal or a parameter in a statement's text stands for.

use super::lexer::{TokenKind, tokens};
use std::borrow::Cow;

/// A value as it stands in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<'a> {
    /// `$n`, one-based.
    Parameter(usize),
    /// NULL.
    Null,
    /// A literal, as the server's input function would get it.
    Text(Cow<'a, str>),
    /// Something that has no value by itself: `:name`, a stray `?`, an open string.
    Unknown,
}

/// The value of a piece of text: a number with its signs, a string in any
/// spelling (also one continued over lines), a constant, or `$n`.
#[must_use]
pub fn value(text: &str) -> Value<'_> {
    let mut is_negative = false;
    let mut joined: Option<Cow<'_, str>> = None;
    for token in tokens(text).filter(|token| !token.kind.is_trivia()) {
        let piece = token.text(text);
        match token.kind {
            TokenKind::Operator => is_negative ^= piece.bytes().filter(|byte| *byte == b'-').count() % 2 == 1,
            TokenKind::PositionalParameter => {
                return piece[1..].parse().map_or(Value::Unknown, Value::Parameter);
            }
            TokenKind::Number => return Value::Text(number(piece, is_negative)),
            TokenKind::Word => return constant(piece),
            TokenKind::String | TokenKind::DollarString => {
                let content = string(piece, token.kind);
                joined = Some(match joined {
                    Some(before) => Cow::Owned(before.into_owned() + &content),
                    None => content,
                });
            }
            _ => return Value::Unknown,
        }
    }
    joined.map_or(Value::Unknown, Value::Text)
}

fn constant(word: &str) -> Value<'_> {
    match word.to_ascii_lowercase().as_str() {
        "null" => Value::Null,
        "true" => Value::Text("t".into()),
        "false" => Value::Text("f".into()),
        _ => Value::Unknown,
    }
}

fn number(text: &str, is_negative: bool) -> Cow<'_, str> {
    let plain = if text.contains('_') { Cow::Owned(text.replace('_', "")) } else { Cow::Borrowed(text) };
    if is_negative { Cow::Owned(format!("-{plain}")) } else { plain }
}

fn string(text: &str, kind: TokenKind) -> Cow<'_, str> {
    if kind == TokenKind::DollarString {
        let tag = text[1..].find('$').map_or(0, |end| end + 2);
        return Cow::Borrowed(text.get(tag..text.len().saturating_sub(tag)).unwrap_or_default());
    }
    let Some(open) = text.find('\'') else {
        return Cow::Borrowed(text);
    };
    let content = text.get(open + 1..text.len() - 1).unwrap_or_default();
    if text.starts_with(['e', 'E']) && content.contains('\\') {
        return Cow::Owned(unescape(&content.replace("''", "'")));
    }
    if content.contains("''") { Cow::Owned(content.replace("''", "'")) } else { Cow::Borrowed(content) }
}

/// Backslash escapes of `E'…'`, without the numeric ones beyond `\xHH`.
fn unescape(content: &str) -> String {
    let mut plain = String::with_capacity(content.len());
    let mut characters = content.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            plain.push(character);
            continue;
        }
        match characters.next() {
            Some('n') => plain.push('\n'),
            Some('t') => plain.push('\t'),
            Some('r') => plain.push('\r'),
            Some('b') => plain.push('\u{8}'),
            Some('f') => plain.push('\u{c}'),
            Some(other) => plain.push(other),
            None => {}
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::{Value, value};
    use proptest::prelude::*;

    #[test]
    fn values_in_all_spellings() {
        let text = |text: &'static str| Value::Text(text.into());
        for (spelling, expected) in [
            ("$12", Value::Parameter(12)),
            ("NULL", Value::Null),
            ("true", text("t")),
            ("5", text("5")),
            ("- 5", text("-5")),
            ("--5", Value::Unknown),
            ("- -5", text("5")),
            ("1_000", text("1000")),
            ("'it''s'", text("it's")),
            (r"E'it\'s\n'", text("it's\n")),
            ("$a$b'c$a$", text("b'c")),
            ("'a'\n'b'", text("ab")),
            ("''", text("")),
            (":name", Value::Unknown),
        ] {
            assert_eq!(value(spelling), expected, "{spelling}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in r"[$'E\\a-z0-9 \-é]{0,12}") {
            let _ = value(&text);
        }
    }
}
