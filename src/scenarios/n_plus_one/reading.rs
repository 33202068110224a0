//! What a shape's text says about its placeholders: which column each is
//! compared with and how, and which tables are read.
//!
//! Lexical on purpose: it runs on every shape of a trace, and what it cannot
//! tell it leaves out. The detector uses it to weigh evidence, never as proof.

use crate::sql::lexer::{Token, TokenKind, tokens};
use crate::sql::statement::{StatementKind, statement_kind};

/// What a shape does, as far as detection cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Reads rows; a candidate child.
    Read,
    /// Changes rows.
    Write,
    /// FETCH or MOVE of a cursor: rows of its DECLARE.
    Fetch,
    /// Transaction control, settings, catalogue reads, sequences, COPY: never a child.
    Other,
}

/// How a placeholder takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Looks rows up: `=`, `IN`, `= ANY`, `@>` and the like.
    Lookup,
    /// An argument of a function that nothing is compared with.
    Call,
    /// A bound: `<`, `>`, BETWEEN.
    Range,
    /// LIKE and its kin.
    Pattern,
    /// LIMIT, OFFSET, a value written or put out: never a key.
    Carried,
}

/// A column as the text names it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct NamedColumn {
    /// The table, where the text tells.
    pub(super) table: Option<String>,
    /// The column.
    pub(super) column: String,
}

/// One placeholder of a shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placeholder {
    pub(super) role: Role,
    /// What it is compared with; for a call: the function as `column`.
    pub(super) column: Option<NamedColumn>,
}

/// A shape, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) kind: Kind,
    pub(super) placeholders: Vec<Placeholder>,
    /// Tables in the order of the text, without schema and quotes.
    pub(super) tables: Vec<String>,
    /// The cursor that a DECLARE, FETCH, MOVE or CLOSE names.
    pub(super) cursor: Option<String>,
    /// Opens a cursor.
    pub(super) is_declare: bool,
}

/// Reads a shape's text.
pub(super) fn read(shape: &str) -> Reading {
    let words = Words::new(shape);
    let tables = tables(&words);
    let placeholders = placeholders(&words, &tables);
    let first = words.word(0);
    let cursor = match first.as_str() {
        "declare" | "close" => Some(words.name(1)),
        "fetch" | "move" => words.tokens.len().checked_sub(1).map(|last| words.name(last)),
        _ => None,
    };
    let kind = match first.as_str() {
        "fetch" | "move" => Kind::Fetch,
        "declare" => Kind::Read,
        _ => kind_of(shape, &words, &tables),
    };
    let is_declare = first == "declare";
    Reading {
        kind,
        placeholders,
        tables: tables.into_iter().map(|table| table.name).collect(),
        cursor,
        is_declare,
    }
}

/// The shape with `$1`, `$2`, … for its placeholders, as the server takes it.
pub(super) fn numbered(shape: &str) -> String {
    let words = Words::new(shape);
    let (mut text, mut copied, mut number) = (String::with_capacity(shape.len() + 8), 0, 0);
    for at in 0..words.tokens.len() {
        if words.is_placeholder(at) {
            number += 1;
            text.push_str(&shape[copied..words.tokens[at].start]);
            text.push_str(&format!("${number}"));
            copied = words.tokens[at].end;
        }
    }
    text.push_str(&shape[copied..]);
    text
}

fn kind_of(shape: &str, words: &Words<'_>, tables: &[Table]) -> Kind {
    let kind = match statement_kind(shape) {
        StatementKind::Read | StatementKind::LockingRead => Kind::Read,
        StatementKind::Write if words.word(0) != "copy" => Kind::Write,
        _ => return Kind::Other,
    };
    if words.word(0) == "copy" || tables.iter().any(Table::is_catalogue) {
        return Kind::Other;
    }
    if tables.is_empty() && kind == Kind::Read && words.calls_only_utilities() {
        return Kind::Other;
    }
    kind
}

#[derive(Debug)]
struct Table {
    schema: Option<String>,
    name: String,
    alias: Option<String>,
}

impl Table {
    fn is_catalogue(&self) -> bool {
        match self.schema.as_deref() {
            Some("pg_catalog" | "information_schema") => true,
            Some(_) => false,
            None => self.name.starts_with("pg_"),
        }
    }
}

/// Words that are no operand and no function, so that a parenthesis behind one groups.
const KEYWORDS: &[&str] = &[
    "select",
    "where",
    "and",
    "or",
    "not",
    "in",
    "on",
    "having",
    "when",
    "then",
    "else",
    "case",
    "by",
    "any",
    "some",
    "all",
    "values",
    "exists",
    "union",
    "except",
    "intersect",
    "from",
    "join",
    "using",
    "over",
    "filter",
    "as",
    "set",
    "limit",
    "offset",
    "returning",
    "distinct",
    "between",
    "like",
    "ilike",
    "is",
    "with",
    "lateral",
    "row",
    "array",
    "left",
    "right",
    "inner",
    "outer",
    "full",
    "cross",
    "natural",
    "group",
    "order",
    "for",
    "fetch",
    "first",
    "next",
    "only",
    "into",
    "update",
    "delete",
    "insert",
    "window",
    "end",
    "asc",
    "desc",
    "null",
    "recursive",
    "materialized",
    "to",
    "similar",
    "conflict",
    "do",
    "nothing",
    "default",
    "escape",
    "symmetric",
];

struct Words<'a> {
    text: &'a str,
    tokens: Vec<Token>,
}

impl<'a> Words<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, tokens: tokens(text).filter(|token| !token.kind.is_trivia()).collect() }
    }

    fn kind(&self, at: usize) -> Option<TokenKind> {
        self.tokens.get(at).map(|token| token.kind)
    }

    fn raw(&self, at: usize) -> &'a str {
        self.tokens.get(at).map_or("", |token| token.text(self.text))
    }

    /// The unquoted word at a place, in lower case; empty for anything else.
    fn word(&self, at: usize) -> String {
        if self.kind(at) == Some(TokenKind::Word) { self.raw(at).to_ascii_lowercase() } else { String::new() }
    }

    fn is(&self, at: usize, word: &str) -> bool {
        self.kind(at) == Some(TokenKind::Word) && self.raw(at).eq_ignore_ascii_case(word)
    }

    fn is_keyword(&self, at: usize) -> bool {
        KEYWORDS.contains(&self.word(at).as_str())
    }

    fn is_name(&self, at: usize) -> bool {
        match self.kind(at) {
            Some(TokenKind::QuotedIdentifier) => true,
            Some(TokenKind::Word) => !self.is_keyword(at),
            _ => false,
        }
    }

    /// An identifier without its quotes.
    fn name(&self, at: usize) -> String {
        match self.kind(at) {
            Some(TokenKind::QuotedIdentifier) => self.raw(at).trim_matches('"').replace("\"\"", "\""),
            _ => self.raw(at).to_ascii_lowercase(),
        }
    }

    /// Whether the `?` at a place stands for a value rather than for jsonb's operator.
    fn is_placeholder(&self, at: usize) -> bool {
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
    fn enclosing(&self, at: usize) -> Option<(usize, usize)> {
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
    fn calls_only_utilities(&self) -> bool {
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

/// The tables behind FROM, JOIN, UPDATE and INTO, with their aliases.
fn tables(words: &Words<'_>) -> Vec<Table> {
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

fn placeholders(words: &Words<'_>, tables: &[Table]) -> Vec<Placeholder> {
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
        if assigning {
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

fn operator_role(operator: &str) -> Option<Role> {
    match operator {
        "=" | "@>" | "<@" | "&&" | "@@" | "?" | "?|" | "?&" => Some(Role::Lookup),
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
    let last = operator.checked_sub(1)?;
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
        );
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Placeholders as `role table.column`, joined by commas.
    fn roles(shape: &str) -> String {
        let shape = crate::sql::shape::shape(shape).text;
        let words: Vec<String> = read(&shape)
            .placeholders
            .iter()
            .map(|placeholder| {
                let role = format!("{:?}", placeholder.role).to_lowercase();
                match &placeholder.column {
                    Some(NamedColumn { table: Some(table), column }) => format!("{role} {table}.{column}"),
                    Some(NamedColumn { table: None, column }) => format!("{role} {column}"),
                    None => role,
                }
            })
            .collect();
        words.join(", ")
    }

    #[test]
    fn placeholders_know_their_columns() {
        for (statement, expected) in [
            ("select * from users where id = $1", "lookup users.id"),
            ("select * from users u where u.id=$1 limit $2", "lookup users.id, carried"),
            ("select u.* from users u join orders o on o.user_id = u.id where o.id = $1", "lookup orders.id"),
            ("select * from \"Users\" where \"Users\".\"userId\" = 5", "lookup Users.userId"),
            ("select * from t where id in ($1, $2)", "lookup t.id"),
            ("select * from t where id = any($1)", "lookup t.id"),
            ("select * from t where (a, b) = ($1, $2)", "lookup t.a, lookup t.b"),
            ("select * from t where (a, b) in (($1, $2))", "lookup t.a, lookup t.b"),
            ("select * from t where (a, b) > ($1, $2)", "range t.a, range t.b"),
            ("select * from t where id not in ($1)", "carried t.id"),
            ("select * from t where a between $1 and $2 and b >= $3", "range t.a, range t.a, range t.b"),
            ("select * from t where lower(email) = lower($1)", "lookup t.email"),
            ("select * from t where $1 = id", "lookup t.id"),
            ("select * from t where $1 = any(tags)", "lookup t.tags"),
            ("select price_of($1, 2)", "call price_of, call price_of"),
            ("select * from search($1)", "call search"),
            ("select exists(select 1 from t where t.a = $1)", "carried, lookup t.a"),
            ("update t set a = $1, b = $2 where id = $3", "carried t.a, carried t.b, lookup t.id"),
            ("insert into t (a, b) values ($1, $2)", "carried, carried"),
            ("select * from t limit 10 offset 20", "carried, carried"),
            ("select * from t where name like $1", "pattern t.name"),
            ("select * from t where a is not distinct from $1", "lookup t.a"),
            ("select * from t where data @> $1 and data ? 'k'", "lookup t.data, lookup t.data"),
            ("delete from t where id = $1", "lookup t.id"),
            ("select count(*) from t where (id = $1)", "lookup t.id"),
        ] {
            assert_eq!(roles(statement), expected, "{statement}");
        }
    }

    #[test]
    fn kinds_of_shapes() {
        for (statement, expected) in [
            ("select * from users where id = $1", Kind::Read),
            ("select 1", Kind::Other),
            ("select version()", Kind::Other),
            ("select nextval('orders_id_seq')", Kind::Other),
            ("select price_of($1)", Kind::Read),
            ("select t.oid from pg_catalog.pg_type t where t.oid = $1", Kind::Other),
            ("select * from pg_type where typname = $1", Kind::Other),
            ("select * from information_schema.columns where table_name = $1", Kind::Other),
            ("insert into t values ($1)", Kind::Write),
            ("savepoint a", Kind::Other),
            ("set search_path = a", Kind::Other),
            ("copy t from stdin", Kind::Other),
            ("fetch forward 100 from \"c1\"", Kind::Fetch),
            ("declare c1 cursor for select * from t where id = 5", Kind::Read),
            ("with a as (update t set x = 1 returning *) select * from a", Kind::Write),
        ] {
            let shape = crate::sql::shape::shape(statement).text;
            assert_eq!(read(&shape).kind, expected, "{statement}");
        }
        assert_eq!(read("fetch forward ? from \"c1\"").cursor.as_deref(), Some("c1"));
        assert_eq!(read("declare c1 cursor for select ?").cursor.as_deref(), Some("c1"));
    }
}
