//! A shape's tokens, seen as words and names.

use crate::sql::lexer::{Token, TokenKind, tokens};

/// Words that are no operand and no function, so that a parenthesis behind one groups.
const KEYWORDS: &str = "\
    select where and or not in on having when then else case by any some all values exists union except \
    intersect from join using over filter as set limit offset returning distinct between like ilike is \
    with lateral row array left right inner outer full cross natural group order for fetch first next \
    only into update delete insert window end asc desc null recursive materialized to similar conflict \
    do nothing default escape symmetric";

pub(super) struct Words<'a> {
    text: &'a str,
    pub(super) tokens: Vec<Token>,
}

impl<'a> Words<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, tokens: tokens(text).filter(|token| !token.kind.is_trivia()).collect() }
    }

    pub(super) fn kind(&self, at: usize) -> Option<TokenKind> {
        self.tokens.get(at).map(|token| token.kind)
    }

    pub(super) fn raw(&self, at: usize) -> &'a str {
        self.tokens.get(at).map_or("", |token| token.text(self.text))
    }

    /// The unquoted word at a place, in lower case; empty for anything else.
    pub(super) fn word(&self, at: usize) -> String {
        if self.kind(at) == Some(TokenKind::Word) { self.raw(at).to_ascii_lowercase() } else { String::new() }
    }

    pub(super) fn is(&self, at: usize, word: &str) -> bool {
        self.kind(at) == Some(TokenKind::Word) && self.raw(at).eq_ignore_ascii_case(word)
    }

    pub(super) fn is_keyword(&self, at: usize) -> bool {
        KEYWORDS.split_ascii_whitespace().any(|keyword| self.is(at, keyword))
    }

    pub(super) fn is_name(&self, at: usize) -> bool {
        match self.kind(at) {
            Some(TokenKind::QuotedIdentifier) => true,
            Some(TokenKind::Word) => !self.is_keyword(at),
            _ => false,
        }
    }

    /// An identifier without its quotes.
    pub(super) fn name(&self, at: usize) -> String {
        match self.kind(at) {
            Some(TokenKind::QuotedIdentifier) => self.raw(at).trim_matches('"').replace("\"\"", "\""),
            _ => self.raw(at).to_ascii_lowercase(),
        }
    }

    /// Whether the `?` at a place stands for a value rather than for jsonb's operator.
    pub(super) fn is_placeholder(&self, at: usize) -> bool {
        if self.raw(at) != "?" {
            return false;
        }
        match at.checked_sub(1).map(|before| (before, self.kind(before))) {
            None => true,
            Some((_, Some(TokenKind::CloseParenthesis | TokenKind::CloseBracket))) => false,
            Some((before, Some(TokenKind::QuotedIdentifier | TokenKind::Word))) => !self.is_name(before),
            Some((before, Some(TokenKind::Operator))) => !self.is_placeholder(before),
            Some(_) => true,
        }
    }

    /// The opening parenthesis that encloses a place, and the commas between.
    pub(super) fn enclosing(&self, at: usize) -> Option<(usize, usize)> {
        let (mut depth, mut commas) = (0_usize, 0);
        for place in (0..at).rev() {
            match self.kind(place) {
                Some(TokenKind::CloseParenthesis) => depth += 1,
                Some(TokenKind::OpenParenthesis) if depth == 0 => return Some((place, commas)),
                Some(TokenKind::OpenParenthesis) => depth -= 1,
                Some(TokenKind::Comma) if depth == 0 => commas += 1,
                _ => {}
            }
        }
        None
    }

    /// A statement without tables that calls nothing of the application's own.
    pub(super) fn calls_only_utilities(&self) -> bool {
        let mut calls = (1..self.tokens.len())
            .filter(|at| self.kind(*at) == Some(TokenKind::OpenParenthesis) && self.is_name(at - 1))
            .map(|at| self.name(at - 1))
            .peekable();
        calls.all(|name| {
            name.starts_with("pg_")
                || matches!(
                    name.as_str(),
                    "nextval"
                        | "currval"
                        | "setval"
                        | "lastval"
                        | "set_config"
                        | "current_setting"
                        | "version"
                        | "current_schema"
                        | "current_schemas"
                        | "current_database"
                        | "now"
                        | "clock_timestamp"
                        | "txid_current"
                        | "inet_server_addr"
                        | "inet_server_port"
                        | "gen_random_uuid"
                        | "uuid_generate_v4"
                        | "random"
                        | "to_regclass"
                        | "to_regtype"
                        | "has_table_privilege"
                )
        })
    }
}
