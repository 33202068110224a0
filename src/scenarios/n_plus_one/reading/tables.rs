//! The tables that a shape names.

use super::words::Words;
use crate::sql::lexer::TokenKind;

#[derive(Debug)]
pub(super) struct Table {
    schema: Option<String>,
    pub(super) name: String,
    pub(super) alias: Option<String>,
}

impl Table {
    pub(super) fn is_catalogue(&self) -> bool {
        match self.schema.as_deref() {
            Some("pg_catalog" | "information_schema") => true,
            Some(_) => false,
            None => self.name.starts_with("pg_"),
        }
    }
}

/// The tables behind FROM, JOIN, UPDATE and INTO, with their aliases.
pub(super) fn tables(words: &Words<'_>) -> Vec<Table> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < words.tokens.len() {
        let opens = ["from", "join", "update", "into", "using"].iter().any(|word| words.is(at, word));
        // `is distinct from ?`, `substring(a from 2)`, `extract(year from a)`.
        at += 1;
        if !opens || at >= 2 && words.is(at - 2, "distinct") {
            continue;
        }
        loop {
            if words.is(at, "only") || words.is(at, "lateral") {
                at += 1;
            }
            let Some(next) = table(words, at, &mut found) else { break };
            at = next;
            if words.kind(at) != Some(TokenKind::Comma) {
                break;
            }
            at += 1;
        }
    }
    found
}

/// Reads `[schema.]name [[as] alias]`; where it ends.
fn table(words: &Words<'_>, at: usize, found: &mut Vec<Table>) -> Option<usize> {
    if !words.is_name(at) || words.raw(at) == "?" {
        return None;
    }
    let (mut schema, mut name, mut end) = (None, words.name(at), at + 1);
    if words.kind(end) == Some(TokenKind::Dot) {
        (schema, name, end) = (Some(name), words.name(end + 1), end + 2);
    }
    if words.kind(end) == Some(TokenKind::OpenParenthesis) {
        // A function; or the column list of an INSERT, which ends the matter as well.
        let is_insert = at >= 1 && words.is(at - 1, "into");
        if is_insert {
            found.push(Table { schema, name, alias: None });
        }
        return None;
    }
    if words.is(end, "as") {
        end += 1;
    }
    let alias = words.is_name(end).then(|| words.name(end));
    end += usize::from(alias.is_some());
    found.push(Table { schema, name, alias });
    Some(end)
}
