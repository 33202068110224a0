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
        at += 1;
        if !opens || is_no_clause(words, at - 1) {
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

/// `is distinct from ?`, `substring(a from 2)`, `extract(year from a)`.
fn is_no_clause(words: &Words<'_>, from: usize) -> bool {
    const CALLS: [&str; 4] = ["extract", "substring", "trim", "overlay"];
    let called = words.enclosing(from).and_then(|(open, _)| open.checked_sub(1));
    words.is(from, "from")
        && (from >= 1 && words.is(from - 1, "distinct")
            || called.is_some_and(|called| CALLS.iter().any(|name| words.is(called, name))))
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
