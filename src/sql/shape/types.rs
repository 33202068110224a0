//! The name of a type behind `::`, with everything that belongs to it:
//! `pg_catalog.numeric(10, 2)[]`, `timestamp(3) with time zone`, `"Order Status"`.

use crate::sql::lexer::{Lexer, TokenKind};

/// The lexer behind a type's name, or `None` where there is none. `text` is the lexer's.
pub(super) fn skip_type<'a>(mut lexer: Lexer<'a>, text: &str) -> Option<Lexer<'a>> {
    let mut name = lexer.next_significant()?;
    loop {
        if !matches!(name.kind, TokenKind::Word | TokenKind::QuotedIdentifier) {
            return None;
        }
        let mut ahead = lexer;
        match ahead.next_significant() {
            Some(token) if token.kind == TokenKind::Dot => name = ahead.next_significant()?,
            _ => break,
        }
        lexer = ahead;
    }
    let second: &[&str] = if name.is_word(text, "double") {
        &["precision"]
    } else if ["character", "char", "bit", "nchar"].iter().any(|word| name.is_word(text, word)) {
        &["varying"]
    } else {
        &[]
    };
    lexer = skip_words(lexer, text, second);
    lexer = skip_modifier(lexer);
    if name.is_word(text, "timestamp") || name.is_word(text, "time") {
        let with = skip_words(lexer, text, &["with", "time", "zone"]);
        let without = skip_words(lexer, text, &["without", "time", "zone"]);
        lexer = if position(&with) == position(&lexer) { without } else { with };
    }
    Some(skip_array_bounds(lexer))
}

fn position(lexer: &Lexer<'_>) -> Option<usize> {
    let mut ahead = *lexer;
    ahead.next().map(|token| token.start)
}

/// Behind the words where all of them follow, else unmoved.
fn skip_words<'a>(lexer: Lexer<'a>, text: &str, words: &[&str]) -> Lexer<'a> {
    let mut ahead = lexer;
    for word in words {
        match ahead.next_significant() {
            Some(token) if token.is_word(text, word) => {}
            _ => return lexer,
        }
    }
    ahead
}

/// Behind `(10, 2)` where it follows, else unmoved.
fn skip_modifier(lexer: Lexer<'_>) -> Lexer<'_> {
    let mut ahead = lexer;
    if ahead.next_significant().map(|token| token.kind) != Some(TokenKind::OpenParenthesis) {
        return lexer;
    }
    loop {
        match ahead.next_significant().map(|token| token.kind) {
            Some(TokenKind::Number | TokenKind::Comma) => {}
            Some(TokenKind::CloseParenthesis) => return ahead,
            _ => return lexer,
        }
    }
}

/// Behind every `[]` and `[3]`, else unmoved.
fn skip_array_bounds(mut lexer: Lexer<'_>) -> Lexer<'_> {
    loop {
        let mut ahead = lexer;
        if ahead.next_significant().map(|token| token.kind) != Some(TokenKind::OpenBracket) {
            return lexer;
        }
        match ahead.next_significant().map(|token| token.kind) {
            Some(TokenKind::CloseBracket) => lexer = ahead,
            Some(TokenKind::Number) => match ahead.next_significant().map(|token| token.kind) {
                Some(TokenKind::CloseBracket) => lexer = ahead,
                _ => return lexer,
            },
            _ => return lexer,
        }
    }
}
