//! Control characters of what was found (a query's text, a server's message)
//! must not reach a terminal or a page: every format for people goes through here.

use std::io;

/// Writes what `write` wrote, with visible signs in place of control characters. Line breaks and tabs
/// stay; so do `colours`, the sequences that only set bold, dim or a colour.
///
/// # Errors
/// Whatever `write` or `out` fails with.
pub(super) fn write(
    out: &mut dyn io::Write,
    colours: bool,
    write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
) -> io::Result<()> {
    let mut bytes = Vec::new();
    write(&mut bytes)?;
    out.write_all(printable(&String::from_utf8_lossy(&bytes), colours).as_bytes())
}

/// Text on one line, cut to a number of characters, with an ellipsis where it was cut.
pub(super) fn cut(text: &str, characters: usize) -> String {
    // Enough of what may be megabytes, whatever spaces it has.
    let one_line = text.split_whitespace().take(characters + 1).collect::<Vec<_>>().join(" ");
    if one_line.chars().nth(characters).is_none() {
        return one_line;
    }
    one_line.chars().take(characters.saturating_sub(1)).chain(['…']).collect()
}

fn printable(text: &str, colours: bool) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(length) = colours.then(|| colour_length(rest)).flatten() {
            shown.push_str(&rest[..length]);
            rest = &rest[length..];
            continue;
        }
        shown.push(sign(c));
        rest = &rest[c.len_utf8()..];
    }
    shown
}

/// The Unicode picture of a control character.
fn sign(c: char) -> char {
    match c {
        '\n' | '\t' => c,
        '\u{7f}' => '\u{2421}',
        c if c.is_ascii_control() => char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}'),
        c if c.is_control() => '\u{fffd}',
        _ => c,
    }
}

/// Of a sequence at the start that sets bold, dim or a colour, or takes them back.
fn colour_length(text: &str) -> Option<usize> {
    let parameters = text.strip_prefix("\u{1b}[")?;
    let (code, _) = parameters.split_once('m')?;
    matches!(code, "0" | "1" | "2" | "31" | "32" | "33" | "36" | "90").then_some(code.len() + 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_become_visible() {
        for (text, colours, expected) in [
            ("a\tb\nc", false, "a\tb\nc"),
            ("\u{1b}]0;title\u{7}", true, "\u{241b}]0;title\u{2407}"),
            ("\u{1b}[2Jx", true, "\u{241b}[2Jx"),
            ("\u{1b}[8mhidden", true, "\u{241b}[8mhidden"),
            ("\u{1b}[1mbold\u{1b}[0m", true, "\u{1b}[1mbold\u{1b}[0m"),
            ("\u{1b}[1mbold", false, "\u{241b}[1mbold"),
            ("\r\u{7f}\u{9b}2J é", true, "\u{240d}\u{2421}\u{fffd}2J é"),
        ] {
            assert_eq!(printable(text, colours), expected);
        }
    }
}
