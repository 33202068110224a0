//! PostgreSQL's lexical structure as tokens with byte spans, without copying.
//!
//! Invariant: the spans of all tokens tile the text, and start and end on
//! character boundaries. What the server would reject (an unterminated string, a
//! stray byte) still becomes a token, so that a caller can point at it. Follows
//! chapter 4.1 "Lexical Structure" of the PostgreSQL manual.

use super::keyword;
use std::ops::Range;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// Blanks, tabs, line breaks.
    Whitespace,
    /// `-- …` up to, but without, the line break.
    LineComment,
    /// `/* … */`, nested.
    BlockComment,
    /// An unquoted identifier or keyword.
    Word,
    /// `"…"` or `U&"…"`.
    QuotedIdentifier,
    /// `'…'`, `E'…'`, `U&'…'`, `B'…'`, `X'…'`, `N'…'`.
    String,
    /// `$tag$…$tag$`.
    DollarString,
    /// `1`, `1.5`, `.5`, `1e5`, `0x1F`, `1_000`.
    Number,
    /// `$1`.
    PositionalParameter,
    /// `:name` or `:'name'`.
    NamedParameter,
    /// `::`.
    Cast,
    /// A colon that is neither a cast nor a parameter: an array slice, `JSON_OBJECT('k': v)`.
    Colon,
    /// `+`, `<=`, `->>`, `:=` and so on.
    Operator,
    /// `(`.
    OpenParenthesis,
    /// `)`.
    CloseParenthesis,
    /// `[`.
    OpenBracket,
    /// `]`.
    CloseBracket,
    /// `,`.
    Comma,
    /// `;`.
    Semicolon,
    /// `.`.
    Dot,
    /// A string, quoted identifier, dollar quote or block comment that never ends.
    Unterminated,
    /// A character that SQL has no use for.
    Unknown,
}

impl TokenKind {
    /// Whitespace and comments.
    #[must_use]
    #[inline]
    pub fn is_trivia(self) -> bool {
        matches!(self, Self::Whitespace | Self::LineComment | Self::BlockComment)
    }
}

/// A token and its place in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Byte offset of its first byte.
    pub start: usize,
    /// Byte offset behind its last byte.
    pub end: usize,
}

impl Token {
    /// Its byte range.
    #[must_use]
    pub fn span(self) -> Range<usize> {
        self.start..self.end
    }

    /// Its text; `text` is what the lexer was given.
    #[must_use]
    pub fn text(self, text: &str) -> &str {
        text.get(self.start..self.end).unwrap_or("")
    }

    /// Whether it is this unquoted word, in any case; `word` in lower case.
    #[must_use]
    pub fn is_word(self, text: &str, word: &str) -> bool {
        self.kind == TokenKind::Word && self.text(text).eq_ignore_ascii_case(word)
    }
}

/// Walks over a text. Cheap to copy, which is how a caller looks ahead.
#[derive(Debug, Clone, Copy)]
pub struct Lexer<'a> {
    text: &'a str,
    position: usize,
    /// Open brackets: inside them a colon may be an array slice.
    brackets: usize,
    /// The last token that is neither whitespace nor a comment.
    previous: Token,
}

/// All tokens of a text.
#[must_use]
pub fn tokens(text: &str) -> Lexer<'_> {
    Lexer::new(text)
}

impl<'a> Lexer<'a> {
    /// At the start of a text.
    #[must_use]
    #[inline]
    pub fn new(text: &'a str) -> Self {
        let start = Token { kind: TokenKind::Whitespace, start: 0, end: 0 };
        Self { text, position: 0, brackets: 0, previous: start }
    }

    /// The next token that is neither whitespace nor a comment.
    #[inline]
    pub fn next_significant(&mut self) -> Option<Token> {
        self.find(|token| !token.kind.is_trivia())
    }
}

impl Iterator for Lexer<'_> {
    type Item = Token;

    #[inline]
    fn next(&mut self) -> Option<Token> {
        let bytes = self.text.as_bytes();
        let start = self.position;
        let first = *bytes.get(start)?;
        let (kind, end) = match CLASSES[first as usize] {
            Class::Blank => (TokenKind::Whitespace, skip(bytes, start + 1, Class::Blank)),
            Class::Word => (TokenKind::Word, word_end(bytes, start + 1)),
            Class::Prefix => prefixed(bytes, start),
            Class::Digit => (TokenKind::Number, number_end(bytes, start)),
            Class::Quote => quoted(bytes, start + 1, b'\'', TokenKind::String),
            Class::DoubleQuote => quoted(bytes, start + 1, b'"', TokenKind::QuotedIdentifier),
            Class::Dollar => dollar(bytes, start),
            Class::Dot => dot(bytes, start),
            Class::Colon => self.colon(start),
            Class::Operator => operator(bytes, start),
            Class::Single(kind) => (kind, start + 1),
            Class::Unknown => (TokenKind::Unknown, start + 1),
        };
        self.position = end;
        let token = Token { kind, start, end };
        if !kind.is_trivia() {
            match kind {
                TokenKind::OpenBracket => self.brackets += 1,
                TokenKind::CloseBracket => self.brackets = self.brackets.saturating_sub(1),
                _ => {}
            }
            self.previous = token;
        }
        Some(token)
    }
}

impl Lexer<'_> {
    /// `::`, `:=`, `:name`, `:'name'` or a colon by itself.
    fn colon(&self, start: usize) -> (TokenKind, usize) {
        let bytes = self.text.as_bytes();
        match bytes.get(start + 1) {
            Some(b':') => (TokenKind::Cast, start + 2),
            Some(b'=') => (TokenKind::Operator, start + 2),
            Some(&next) if is_name_start(next) && !self.separates(start) => {
                (TokenKind::NamedParameter, name_end(bytes, start + 1))
            }
            Some(b'\'') if !self.separates(start) => match quoted_name_end(bytes, start + 2) {
                Some(end) => (TokenKind::NamedParameter, end),
                None => (TokenKind::Colon, start + 1),
            },
            _ => (TokenKind::Colon, start + 1),
        }
    }

    /// Whether a colon here stands between two operands, as in `a[lo:hi]` or
    /// `json_object('k':v)`: two operands in a row are never valid, so behind an
    /// operand it cannot begin a parameter. Outside brackets only a colon that
    /// touches the operand counts, for `LIMIT :n` ends in a word as well.
    fn separates(&self, colon: usize) -> bool {
        if self.brackets == 0 && self.previous.end != colon {
            return false;
        }
        match self.previous.kind {
            TokenKind::Word => {
                let word = self.previous.text(self.text);
                !keyword::opens_expression(word.to_ascii_lowercase().as_bytes())
            }
            TokenKind::String
            | TokenKind::DollarString
            | TokenKind::Number
            | TokenKind::QuotedIdentifier
            | TokenKind::PositionalParameter
            | TokenKind::NamedParameter
            | TokenKind::CloseParenthesis
            | TokenKind::CloseBracket => true,
            _ => false,
        }
    }
}

/// What a byte can begin.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Blank,
    Word,
    /// A letter that may also open a string: `E'…'`.
    Prefix,
    Digit,
    Quote,
    DoubleQuote,
    Dollar,
    Dot,
    Colon,
    Operator,
    Single(TokenKind),
    Unknown,
}

static CLASSES: [Class; 256] = classes();

/// Bytes that continue a word: letters, digits, `_`, `$`, anything beyond ASCII.
static CONTINUES_WORD: [bool; 256] = continues_word();

const fn classes() -> [Class; 256] {
    let mut table = [Class::Unknown; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = class(byte as u8);
        byte += 1;
    }
    table
}

const fn class(byte: u8) -> Class {
    match byte {
        b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => Class::Blank,
        b'e' | b'E' | b'u' | b'U' | b'b' | b'B' | b'x' | b'X' | b'n' | b'N' => Class::Prefix,
        b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80..=0xff => Class::Word,
        b'0'..=b'9' => Class::Digit,
        b'\'' => Class::Quote,
        b'"' => Class::DoubleQuote,
        b'$' => Class::Dollar,
        b'.' => Class::Dot,
        b':' => Class::Colon,
        b'(' => Class::Single(TokenKind::OpenParenthesis),
        b')' => Class::Single(TokenKind::CloseParenthesis),
        b'[' => Class::Single(TokenKind::OpenBracket),
        b']' => Class::Single(TokenKind::CloseBracket),
        b',' => Class::Single(TokenKind::Comma),
        b';' => Class::Single(TokenKind::Semicolon),
        b'+' | b'-' | b'*' | b'/' | b'<' | b'>' | b'=' | b'~' | b'!' | b'@' | b'#' | b'%' | b'^' | b'&'
        | b'|' | b'`' | b'?' => Class::Operator,
        _ => Class::Unknown,
    }
}

const fn continues_word() -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] =
            matches!(byte as u8, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'$' | 0x80..=0xff);
        byte += 1;
    }
    table
}

#[inline]
fn skip(bytes: &[u8], mut at: usize, class: Class) -> usize {
    while at < bytes.len() && CLASSES[bytes[at] as usize] == class {
        at += 1;
    }
    at
}

#[inline]
fn word_end(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() && CONTINUES_WORD[bytes[at] as usize] {
        at += 1;
    }
    at
}

fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_'
}

fn name_end(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() && (bytes[at].is_ascii_alphanumeric() || bytes[at] == b'_') {
        at += 1;
    }
    at
}

/// The end of `name'`; `None` where something else stands between the quotes.
fn quoted_name_end(bytes: &[u8], at: usize) -> Option<usize> {
    if !is_name_start(*bytes.get(at)?) {
        return None;
    }
    let end = name_end(bytes, at);
    (bytes.get(end) == Some(&b'\'')).then_some(end + 1)
}

/// A word, or a string with a prefix letter.
#[inline]
fn prefixed(bytes: &[u8], start: usize) -> (TokenKind, usize) {
    match (bytes[start], bytes.get(start + 1), bytes.get(start + 2)) {
        (b'e' | b'E', Some(b'\''), _) => escape_string(bytes, start + 2),
        (b'b' | b'B' | b'x' | b'X' | b'n' | b'N', Some(b'\''), _) => {
            quoted(bytes, start + 2, b'\'', TokenKind::String)
        }
        (b'u' | b'U', Some(b'&'), Some(b'\'')) => quoted(bytes, start + 3, b'\'', TokenKind::String),
        (b'u' | b'U', Some(b'&'), Some(b'"')) => quoted(bytes, start + 3, b'"', TokenKind::QuotedIdentifier),
        _ => (TokenKind::Word, word_end(bytes, start + 1)),
    }
}

/// Up to the closing quote; a doubled quote stands for itself. `at` is behind the opening one.
#[inline]
fn quoted(bytes: &[u8], mut at: usize, quote: u8, kind: TokenKind) -> (TokenKind, usize) {
    while at < bytes.len() {
        if bytes[at] == quote {
            if bytes.get(at + 1) != Some(&quote) {
                return (kind, at + 1);
            }
            at += 1;
        }
        at += 1;
    }
    (TokenKind::Unterminated, bytes.len())
}

/// The same with backslash escapes.
fn escape_string(bytes: &[u8], mut at: usize) -> (TokenKind, usize) {
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b'\'' if bytes.get(at + 1) == Some(&b'\'') => at += 1,
            b'\'' => return (TokenKind::String, at + 1),
            _ => {}
        }
        at += 1;
    }
    (TokenKind::Unterminated, bytes.len())
}

/// `$1`, `$tag$…$tag$`, or a dollar sign that means nothing.
fn dollar(bytes: &[u8], start: usize) -> (TokenKind, usize) {
    let mut at = start + 1;
    if bytes.get(at).is_some_and(u8::is_ascii_digit) {
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        return (TokenKind::PositionalParameter, at);
    }
    while bytes.get(at).is_some_and(|&byte| byte != b'$' && CONTINUES_WORD[byte as usize]) {
        at += 1;
    }
    if bytes.get(at) != Some(&b'$') {
        return (TokenKind::Unknown, start + 1);
    }
    let tag = &bytes[start..=at];
    let mut at = at + 1;
    while at + tag.len() <= bytes.len() {
        if bytes[at] == b'$' && bytes[at..].starts_with(tag) {
            return (TokenKind::DollarString, at + tag.len());
        }
        at += 1;
    }
    (TokenKind::Unterminated, bytes.len())
}

fn dot(bytes: &[u8], start: usize) -> (TokenKind, usize) {
    if bytes.get(start + 1).is_some_and(u8::is_ascii_digit) {
        (TokenKind::Number, number_end(bytes, start))
    } else {
        (TokenKind::Dot, start + 1)
    }
}

/// The end of a number that begins with a digit, or with a dot before a digit.
#[inline]
fn number_end(bytes: &[u8], start: usize) -> usize {
    if bytes[start] == b'0' {
        let radix_end = match bytes.get(start + 1) {
            Some(b'x' | b'X') => digits_end(bytes, start + 2, u8::is_ascii_hexdigit),
            Some(b'o' | b'O' | b'b' | b'B') => digits_end(bytes, start + 2, u8::is_ascii_digit),
            _ => start,
        };
        if radix_end > start + 2 {
            return radix_end;
        }
    }
    let mut at = digits_end(bytes, start, u8::is_ascii_digit);
    // `1..10` is a range of PL/pgSQL: the number ends before the dots.
    if bytes.get(at) == Some(&b'.') && bytes.get(at + 1) != Some(&b'.') {
        at = digits_end(bytes, at + 1, u8::is_ascii_digit);
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        if bytes.get(at + 1 + sign).is_some_and(u8::is_ascii_digit) {
            at = digits_end(bytes, at + 1 + sign, u8::is_ascii_digit);
        }
    }
    at
}

/// Digits, with single underscores between them.
#[inline]
fn digits_end(bytes: &[u8], mut at: usize, is_digit: impl Fn(&u8) -> bool) -> usize {
    loop {
        match bytes.get(at) {
            Some(byte) if is_digit(byte) => at += 1,
            Some(b'_') if bytes.get(at + 1).is_some_and(&is_digit) => at += 2,
            _ => return at,
        }
    }
}

/// A comment, or the longest operator. As in the server, an operator ends before a comment
/// opens, and ends in `+` or `-` only where it also holds one of `~!@#%^&|` `` ` `` `?`.
#[inline]
fn operator(bytes: &[u8], start: usize) -> (TokenKind, usize) {
    match (bytes[start], bytes.get(start + 1)) {
        (b'-', Some(b'-')) => return (TokenKind::LineComment, line_end(bytes, start + 2)),
        (b'/', Some(b'*')) => return block_comment(bytes, start + 2),
        _ => {}
    }
    let mut at = start + 1;
    while at < bytes.len() && CLASSES[bytes[at] as usize] == Class::Operator {
        if matches!((bytes[at], bytes.get(at + 1)), (b'-', Some(b'-')) | (b'/', Some(b'*'))) {
            break;
        }
        at += 1;
    }
    let is_free = |byte: &u8| !matches!(byte, b'+' | b'-' | b'*' | b'/' | b'<' | b'>' | b'=');
    if at > start + 1 && matches!(bytes[at - 1], b'+' | b'-') && !bytes[start..at].iter().any(is_free) {
        while at > start + 1 && matches!(bytes[at - 1], b'+' | b'-') {
            at -= 1;
        }
    }
    (TokenKind::Operator, at)
}

fn line_end(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() && !matches!(bytes[at], b'\n' | b'\r') {
        at += 1;
    }
    at
}

/// Up to the matching `*/`; comments nest. `at` is behind the opening `/*`.
fn block_comment(bytes: &[u8], mut at: usize) -> (TokenKind, usize) {
    let mut depth = 1_usize;
    while at < bytes.len() {
        match (bytes[at], bytes.get(at + 1)) {
            (b'*', Some(b'/')) => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return (TokenKind::BlockComment, at);
                }
            }
            (b'/', Some(b'*')) => {
                depth += 1;
                at += 2;
            }
            _ => at += 1,
        }
    }
    (TokenKind::Unterminated, bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, expected: &[(TokenKind, &str)]) {
        let found: Vec<_> = tokens(text)
            .filter(|token| token.kind != TokenKind::Whitespace)
            .map(|token| (token.kind, token.text(text)))
            .collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn strings_in_all_spellings() {
        use TokenKind::*;
        check("'it''s'", &[(String, "'it''s'")]);
        check(r"E'it\'s' 'a\'", &[(String, r"E'it\'s'"), (String, r"'a\'")]);
        check(
            "U&'d!0061' b'01' X'1F' n'x'",
            &[(String, "U&'d!0061'"), (String, "b'01'"), (String, "X'1F'"), (String, "n'x'")],
        );
        check("$$a$b$$ $t$ $$ 'x' $t$", &[(DollarString, "$$a$b$$"), (DollarString, "$t$ $$ 'x' $t$")]);
        check("'open", &[(Unterminated, "'open")]);
        check("$t$ open $$", &[(Unterminated, "$t$ open $$")]);
        check(r"E'open\", &[(Unterminated, r"E'open\")]);
    }

    #[test]
    fn comments_nest_and_end() {
        use TokenKind::*;
        check("1/* a /* b */ c */2", &[(Number, "1"), (BlockComment, "/* a /* b */ c */"), (Number, "2")]);
        check("-- x\r\ny", &[(LineComment, "-- x"), (Word, "y")]);
        check("/* a /* b */", &[(Unterminated, "/* a /* b */")]);
        check("1--2", &[(Number, "1"), (LineComment, "--2")]);
        check("1+/*x*/2", &[(Number, "1"), (Operator, "+"), (BlockComment, "/*x*/"), (Number, "2")]);
    }

    #[test]
    fn numbers_in_all_spellings() {
        for number in
            ["1", "1.5", ".5", "1.", "1e5", "1.5E-3", "0x1F", "0o17", "0b10", "1_000", "1_000.000_1"]
        {
            check(number, &[(TokenKind::Number, number)]);
        }
        use TokenKind::*;
        check("1..10", &[(Number, "1"), (Dot, "."), (Number, ".10")]);
        check("1e", &[(Number, "1"), (Word, "e")]);
        check("0x", &[(Number, "0"), (Word, "x")]);
    }

    #[test]
    fn operators_end_where_the_server_ends_them() {
        use TokenKind::*;
        check("a=-1", &[(Word, "a"), (Operator, "="), (Operator, "-"), (Number, "1")]);
        check("a@-1", &[(Word, "a"), (Operator, "@-"), (Number, "1")]);
        check("a->>'b'", &[(Word, "a"), (Operator, "->>"), (String, "'b'")]);
        check("a:=1", &[(Word, "a"), (Operator, ":="), (Number, "1")]);
        check("a ?| b", &[(Word, "a"), (Operator, "?|"), (Word, "b")]);
    }

    #[test]
    fn a_colon_is_a_parameter_only_where_an_operand_can_stand() {
        use TokenKind::*;
        check("a=:b", &[(Word, "a"), (Operator, "="), (NamedParameter, ":b")]);
        check("LIMIT :n", &[(Word, "LIMIT"), (NamedParameter, ":n")]);
        check(":a::int", &[(NamedParameter, ":a"), (Cast, "::"), (Word, "int")]);
        check(":'a'", &[(NamedParameter, ":'a'")]);
        check(
            "a[lo:hi]",
            &[(Word, "a"), (OpenBracket, "["), (Word, "lo"), (Colon, ":"), (Word, "hi"), (CloseBracket, "]")],
        );
        check(
            "[1 :hi]",
            &[(OpenBracket, "["), (Number, "1"), (Colon, ":"), (Word, "hi"), (CloseBracket, "]")],
        );
        check(
            "[:lo : :hi]",
            &[
                (OpenBracket, "["),
                (NamedParameter, ":lo"),
                (Colon, ":"),
                (NamedParameter, ":hi"),
                (CloseBracket, "]"),
            ],
        );
        check(
            "array[x and :a]",
            &[
                (Word, "array"),
                (OpenBracket, "["),
                (Word, "x"),
                (Word, "and"),
                (NamedParameter, ":a"),
                (CloseBracket, "]"),
            ],
        );
        check(
            "json_object('k':v)",
            &[
                (Word, "json_object"),
                (OpenParenthesis, "("),
                (String, "'k'"),
                (Colon, ":"),
                (Word, "v"),
                (CloseParenthesis, ")"),
            ],
        );
        check(
            "json_object('k': :v)",
            &[
                (Word, "json_object"),
                (OpenParenthesis, "("),
                (String, "'k'"),
                (Colon, ":"),
                (NamedParameter, ":v"),
                (CloseParenthesis, ")"),
            ],
        );
    }

    proptest! {
        #[test]
        fn spans_tile_any_text(text in ".{0,80}") {
            tiles(&text);
        }

        #[test]
        fn spans_tile_anything_like_sql(text in r#"([a-zé ;:,.()\[\]'"$?*/+=<>\\\n0-9-]|\$\$|--|/\*|\*/|E'|U&'|::){0,40}"#) {
            tiles(&text);
        }
    }

    fn tiles(text: &str) {
        let mut position = 0;
        for token in tokens(text) {
            assert_eq!(token.start, position);
            assert!(token.end > token.start);
            assert!(text.is_char_boundary(token.end));
            position = token.end;
        }
        assert_eq!(position, text.len());
    }
}
