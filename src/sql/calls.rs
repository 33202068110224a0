//! Which functions a statement may call, by its text alone.

use super::lexer::{TokenKind, tokens};

/// Names in front of a parenthesis, without schema: every function that is called, and some words that are none.
#[must_use]
pub fn called(text: &str) -> Vec<String> {
    let pieces: Vec<_> = tokens(text).filter(|token| !token.kind.is_trivia()).collect();
    pieces
        .windows(2)
        .filter(|pair| pair[1].kind == TokenKind::OpenParenthesis)
        .filter_map(|pair| match pair[0].kind {
            TokenKind::Word => Some(pair[0].text(text).to_lowercase()),
            TokenKind::QuotedIdentifier => Some(pair[0].text(text).trim_matches('"').replace("\"\"", "\"")),
            _ => None,
        })
        .collect()
}

/// The operators in a text that are signs, such as `=` and `->>`.
#[must_use]
pub fn operators(text: &str) -> Vec<String> {
    let signs = tokens(text).filter(|token| token.kind == TokenKind::Operator);
    signs.map(|token| token.text(text).to_owned()).collect()
}
