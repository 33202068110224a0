//! What each placeholder of a shape is compared with, and how.

use super::tables::Table;
use super::words::Words;
use super::{NamedColumn, Placeholder, Role};
use crate::sql::lexer::TokenKind;

/// Every placeholder, in the order of the text.
pub(super) fn placeholders(words: &Words<'_>, tables: &[Table]) -> Vec<Placeholder> {
    let mut assigning = false;
    let mut found = Vec::new();
    for at in 0..words.tokens.len() {
        match words.word(at).as_str() {
            "set" | "values" => assigning = true,
            "where" | "from" | "returning" | "on" | "select" => assigning = false,
            _ => {}
        }
        if !words.is_placeholder(at) {
            continue;
        }
        let mut placeholder = placeholder(words, at, at, tables);
        if assigning && placeholder.role != Role::Count || is_part_of_date(words, at) {
            placeholder.role = Role::Carried;
        }
        found.push(placeholder);
    }
    found
}

/// What stands around the expression `first..=last`, which holds one placeholder.
fn placeholder(words: &Words<'_>, first: usize, last: usize, tables: &[Table]) -> Placeholder {
    let carried = Placeholder { role: Role::Carried, column: None };
    let Some(before) = first.checked_sub(1) else {
        return carried;
    };
    match words.kind(before) {
        Some(TokenKind::Operator) => match operator_role(words.raw(before)) {
            Some(role) => Placeholder { role, column: operand_before(words, before, 0, tables) },
            None => reversed(words, last, tables).unwrap_or(carried),
        },
        Some(TokenKind::OpenParenthesis | TokenKind::Comma) => in_parentheses(words, first, last, tables),
        Some(TokenKind::Word) => match words.word(before).as_str() {
            "limit" | "offset" | "first" | "next" => Placeholder { role: Role::Count, column: None },
            "between" => Placeholder { role: Role::Range, column: operand_before(words, before, 0, tables) },
            "and" if before >= 2 && words.is(before - 2, "between") => {
                Placeholder { role: Role::Range, column: operand_before(words, before - 2, 0, tables) }
            }
            "like" | "ilike" | "to" => {
                Placeholder { role: Role::Pattern, column: operand_before(words, before, 0, tables) }
            }
            "from" if before >= 3 && words.is(before - 1, "distinct") && words.is(before - 2, "not") => {
                Placeholder { role: Role::Lookup, column: operand_before(words, before - 3, 0, tables) }
            }
            "where" | "and" | "or" | "on" | "not" | "having" => {
                reversed(words, last, tables).unwrap_or(carried)
            }
            _ => carried,
        },
        _ => carried,
    }
}

/// Compared with `extract(month from …)` or `date_part('hour', …)`: a month is no row's key, however
/// well 1 to 12 fit the rows of a list.
fn is_part_of_date(words: &Words<'_>, at: usize) -> bool {
    let Some(mut last) = at.checked_sub(2).filter(|_| words.kind(at - 1) == Some(TokenKind::Operator)) else {
        return false;
    };
    // `extract(…)::int = ?`
    while last >= 2 && words.kind(last - 1) == Some(TokenKind::Cast) {
        last -= 2;
    }
    let open =
        (words.kind(last) == Some(TokenKind::CloseParenthesis)).then(|| words.enclosing(last)).flatten();
    let called = open.and_then(|(open, _)| open.checked_sub(1));
    called.is_some_and(|called| words.is(called, "extract") || words.is(called, "date_part"))
}

fn operator_role(operator: &str) -> Option<Role> {
    match operator {
        "=" | "@>" | "<@" | "&&" | "@@" | "?" | "?|" | "?&" => Some(Role::Lookup),
        "<>" | "!=" => Some(Role::Unequal),
        "<" | ">" | "<=" | ">=" => Some(Role::Range),
        "~" | "~*" | "~~" | "~~*" => Some(Role::Pattern),
        _ => None,
    }
}

/// `? = column`, `? = any(column)`.
fn reversed(words: &Words<'_>, last: usize, tables: &[Table]) -> Option<Placeholder> {
    let role =
        (words.kind(last + 1) == Some(TokenKind::Operator)).then(|| operator_role(words.raw(last + 1)))??;
    let mut at = last + 2;
    while words.is(at, "any") || words.is(at, "some") || words.kind(at) == Some(TokenKind::OpenParenthesis) {
        at += 1;
    }
    while words.kind(at + 1) == Some(TokenKind::Dot) {
        at += 2;
    }
    Some(Placeholder { role, column: words.is_name(at).then(|| column_ending_at(words, at, tables)) })
}

/// Inside of `in (…)`, `any(…)`, `f(…)`, `(a, b) = (…)`, `values (…)`, or mere parentheses.
fn in_parentheses(words: &Words<'_>, first: usize, last: usize, tables: &[Table]) -> Placeholder {
    let carried = Placeholder { role: Role::Carried, column: None };
    let Some((open, commas)) = words.enclosing(first) else {
        return carried;
    };
    if let Some(placeholder) = reversed(words, last, tables) {
        return placeholder;
    }
    let close = matching_close(words, open);
    let mut before = open;
    // `in ((?, ?))`
    while before >= 1 && words.kind(before - 1) == Some(TokenKind::OpenParenthesis) {
        before -= 1;
    }
    let Some(before) = before.checked_sub(1) else {
        return carried;
    };
    if words.is(before, "in") {
        let is_negated = before >= 1 && words.is(before - 1, "not");
        let left = before - usize::from(is_negated);
        let role = if is_negated { Role::Carried } else { Role::Lookup };
        return Placeholder { role, column: operand_before(words, left, commas, tables) };
    }
    if words.is(before, "any") || words.is(before, "some") {
        let role = before.checked_sub(1).and_then(|at| operator_role(words.raw(at))).unwrap_or(Role::Carried);
        return Placeholder { role, column: operand_before(words, before.saturating_sub(1), 0, tables) };
    }
    if words.kind(before) == Some(TokenKind::Operator) {
        let role = operator_role(words.raw(before)).unwrap_or(Role::Carried);
        return Placeholder { role, column: operand_before(words, before, commas, tables) };
    }
    if words.is_name(before) && before + 1 == open {
        let around = placeholder(words, before, close, tables);
        if around.role != Role::Carried {
            return around;
        }
        let function = NamedColumn { table: None, column: words.name(before) };
        return Placeholder { role: Role::Call, column: Some(function) };
    }
    if commas == 0 { placeholder(words, open, close, tables) } else { carried }
}

fn matching_close(words: &Words<'_>, open: usize) -> usize {
    let mut depth = 0_usize;
    for at in open..words.tokens.len() {
        match words.kind(at) {
            Some(TokenKind::OpenParenthesis) => depth += 1,
            Some(TokenKind::CloseParenthesis) => {
                depth -= 1;
                if depth == 0 {
                    return at;
                }
            }
            _ => {}
        }
    }
    words.tokens.len()
}

/// The column that ends before an operator; of a tuple, its item at `index`; of
/// a call such as `lower(email)`, the last name in it.
fn operand_before(words: &Words<'_>, operator: usize, index: usize, tables: &[Table]) -> Option<NamedColumn> {
    let mut last = operator.checked_sub(1)?;
    // `id::text = ?` looks up by `id`.
    while last >= 2 && words.kind(last - 1) == Some(TokenKind::Cast) {
        last -= 2;
    }
    if words.is_name(last) {
        return Some(column_ending_at(words, last, tables));
    }
    if words.kind(last) != Some(TokenKind::CloseParenthesis) {
        return None;
    }
    let (open, _) = words.enclosing(last)?;
    let mut names = Vec::new();
    for at in open + 1..last {
        let ends = matches!(
            words.kind(at + 1),
            Some(TokenKind::Comma | TokenKind::CloseParenthesis | TokenKind::Cast)
        ) || words.is(at + 1, "as");
        if words.is_name(at) && ends {
            names.push(at);
        }
    }
    names.get(index).or(names.first()).map(|at| column_ending_at(words, *at, tables))
}

fn column_ending_at(words: &Words<'_>, at: usize, tables: &[Table]) -> NamedColumn {
    let column = words.name(at);
    let qualifier = (at >= 2 && words.kind(at - 1) == Some(TokenKind::Dot)).then(|| words.name(at - 2));
    let table = match qualifier {
        Some(qualifier) => {
            let of_alias = tables.iter().find(|table| table.alias.as_deref() == Some(qualifier.as_str()));
            Some(of_alias.map_or(qualifier, |table| table.name.clone()))
        }
        None => match tables {
            [only] => Some(only.name.clone()),
            _ => None,
        },
    };
    NamedColumn { table, column }
}
