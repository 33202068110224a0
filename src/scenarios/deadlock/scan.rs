//! Tokens of a spec file, by the rules of PostgreSQL's isolation tester
//! (`src/test/isolation/README` of the server's source): `#` comments, names
//! plain or double-quoted without case folding, SQL blocks in braces that end
//! at the first closing brace.

use std::ops::Range;

/// One token with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    /// What it is.
    pub(super) kind: TokenKind,
    /// Byte range in the file, quotes and braces included.
    pub(super) span: Range<usize>,
}

/// What a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// A reserved word.
    Keyword(Keyword),
    /// A name, quotes removed.
    Identifier(String),
    /// SQL between braces; blanks next to the braces are trimmed, newlines are not.
    SqlBlock(String),
    /// A whole number.
    Integer(u32),
    /// `(`.
    Open,
    /// `)`.
    Close,
    /// `,`.
    Comma,
    /// `*`.
    Star,
}

/// The reserved words; as names they need quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keyword {
    /// `notices`.
    Notices,
    /// `permutation`.
    Permutation,
    /// `session`.
    Session,
    /// `setup`.
    Setup,
    /// `step`.
    Step,
    /// `teardown`.
    Teardown,
}

impl Keyword {
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "notices" => Self::Notices,
            "permutation" => Self::Permutation,
            "session" => Self::Session,
            "setup" => Self::Setup,
            "step" => Self::Step,
            "teardown" => Self::Teardown,
            _ => return None,
        })
    }

    /// The word itself.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Notices => "notices",
            Self::Permutation => "permutation",
            Self::Session => "session",
            Self::Setup => "setup",
            Self::Step => "step",
            Self::Teardown => "teardown",
        }
    }
}

impl TokenKind {
    /// How an error message calls it.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Keyword(keyword) => format!("the reserved word `{}`", keyword.word()),
            Self::Identifier(name) => format!("the name `{name}`"),
            Self::SqlBlock(_) => "an SQL block".into(),
            Self::Integer(number) => format!("the number {number}"),
            Self::Open => "`(`".into(),
            Self::Close => "`)`".into(),
            Self::Comma => "`,`".into(),
            Self::Star => "`*`".into(),
        }
    }
}

/// What keeps a file from being read, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SyntaxError {
    /// What is wrong.
    pub(super) message: String,
    /// Where.
    pub(super) span: Range<usize>,
    /// What to do, where that is known.
    pub(super) help: Option<String>,
}

impl SyntaxError {
    fn at(span: Range<usize>, message: impl Into<String>, help: Option<&str>) -> Self {
        Self { message: message.into(), span, help: help.map(str::to_owned) }
    }
}

/// All tokens of `text`, or the first thing that is not one.
pub(super) fn scan(text: &str) -> Result<Vec<Token>, SyntaxError> {
    let mut tokens = Vec::new();
    let mut rest = Scanner { text, position: 0 };
    while let Some(token) = rest.next_token()? {
        tokens.push(token);
    }
    Ok(tokens)
}

struct Scanner<'a> {
    text: &'a str,
    position: usize,
}

/// Blank inside a line, and the other two that end none: what is trimmed next to a brace.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\x0c')
}

fn starts_identifier(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn continues_identifier(byte: u8) -> bool {
    starts_identifier(byte) || byte.is_ascii_digit() || byte == b'$'
}

impl Scanner<'_> {
    fn next_token(&mut self) -> Result<Option<Token>, SyntaxError> {
        self.skip_blanks_and_comments();
        let bytes = self.text.as_bytes();
        let start = self.position;
        let Some(&first) = bytes.get(start) else { return Ok(None) };
        let kind = match first {
            b'(' => self.single(TokenKind::Open),
            b')' => self.single(TokenKind::Close),
            b',' => self.single(TokenKind::Comma),
            b'*' => self.single(TokenKind::Star),
            b'"' => self.quoted()?,
            b'{' => self.sql_block()?,
            b'0'..=b'9' => self.integer()?,
            byte if starts_identifier(byte) => self.word(),
            _ => {
                let wrong = self.text[start..].chars().next().unwrap_or('?');
                return Err(SyntaxError::at(
                    start..start + wrong.len_utf8(),
                    format!("unexpected character `{wrong}`"),
                    Some("SQL belongs between braces, and names with other characters between double quotes"),
                ));
            }
        };
        Ok(Some(Token { kind, span: start..self.position }))
    }

    fn skip_blanks_and_comments(&mut self) {
        let bytes = self.text.as_bytes();
        while let Some(&byte) = bytes.get(self.position) {
            if byte == b'#' {
                while bytes.get(self.position).is_some_and(|&b| b != b'\n' && b != b'\r') {
                    self.position += 1;
                }
            } else if byte == b'\n' || is_space(byte) {
                self.position += 1;
            } else {
                return;
            }
        }
    }

    fn single(&mut self, kind: TokenKind) -> TokenKind {
        self.position += 1;
        kind
    }

    fn word(&mut self) -> TokenKind {
        let bytes = self.text.as_bytes();
        let start = self.position;
        while bytes.get(self.position).is_some_and(|&byte| continues_identifier(byte)) {
            self.position += 1;
        }
        let word = &self.text[start..self.position];
        Keyword::of(word).map_or_else(|| TokenKind::Identifier(word.to_owned()), TokenKind::Keyword)
    }

    fn integer(&mut self) -> Result<TokenKind, SyntaxError> {
        let bytes = self.text.as_bytes();
        let start = self.position;
        while bytes.get(self.position).is_some_and(u8::is_ascii_digit) {
            self.position += 1;
        }
        let span = start..self.position;
        self.text[span.clone()]
            .parse()
            .map(TokenKind::Integer)
            .map_err(|_| SyntaxError::at(span, "this number is too large", None))
    }

    fn quoted(&mut self) -> Result<TokenKind, SyntaxError> {
        let start = self.position;
        let mut name = String::new();
        let mut rest = self.text[start + 1..].char_indices().peekable();
        while let Some((offset, character)) = rest.next() {
            match character {
                '"' if rest.peek().is_some_and(|&(_, next)| next == '"') => {
                    rest.next();
                    name.push('"');
                }
                '"' => {
                    self.position = start + 1 + offset + 1;
                    return Ok(TokenKind::Identifier(name));
                }
                '\n' => {
                    let end = start + 1 + offset;
                    return Err(SyntaxError::at(
                        start..end,
                        "this quoted name does not end on its line",
                        None,
                    ));
                }
                other => name.push(other),
            }
        }
        Err(SyntaxError::at(start..self.text.len(), "this quoted name does not end", None))
    }

    fn sql_block(&mut self) -> Result<TokenKind, SyntaxError> {
        let bytes = self.text.as_bytes();
        let start = self.position;
        let Some(length) = self.text[start..].find('}') else {
            return Err(SyntaxError::at(
                start..start + 1,
                "this SQL block does not end",
                Some("close it with `}`; a block ends at the first `}`, in quotes or not"),
            ));
        };
        let (mut from, mut to) = (start + 1, start + length);
        while from < to && is_space(bytes[from]) {
            from += 1;
        }
        while to > from && is_space(bytes[to - 1]) {
            to -= 1;
        }
        self.position = start + length + 1;
        Ok(TokenKind::SqlBlock(self.text[from..to].to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<TokenKind> {
        scan(text).expect("tokens").into_iter().map(|token| token.kind).collect()
    }

    #[test]
    fn blanks_next_to_braces_go_and_newlines_stay() {
        assert_eq!(kinds("{  a b\t}"), [TokenKind::SqlBlock("a b".into())]);
        assert_eq!(kinds("{ \n a\n }"), [TokenKind::SqlBlock("\n a\n".into())]);
        assert_eq!(kinds("{ } {}"), [TokenKind::SqlBlock(String::new()), TokenKind::SqlBlock(String::new())]);
        assert_eq!(kinds("{ f{ # no comment }"), [TokenKind::SqlBlock("f{ # no comment".into())]);
    }

    #[test]
    fn names_are_not_folded_and_quotes_make_any_name() {
        assert_eq!(
            kinds("Step s$1 \"step\" \"a\"\"b\" é # rest\nsetup"),
            [
                TokenKind::Identifier("Step".into()),
                TokenKind::Identifier("s$1".into()),
                TokenKind::Identifier("step".into()),
                TokenKind::Identifier("a\"b".into()),
                TokenKind::Identifier("é".into()),
                TokenKind::Keyword(Keyword::Setup),
            ]
        );
    }

    #[test]
    fn what_is_no_token_is_pointed_at() {
        let error = scan("setup { select 1").expect_err("open block");
        assert_eq!((error.span, error.message.as_str()), (6..7, "this SQL block does not end"));
        let error = scan("step a; ").expect_err("semicolon");
        assert_eq!(error.span, 6..7);
        assert_eq!(scan("\"a\nb\"").expect_err("newline").span, 0..2);
        assert_eq!(scan("\"a").expect_err("end").span, 0..2);
        assert!(scan("99999999999").is_err());
    }
}
