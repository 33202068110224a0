//! Queries proposed from statements with `$n`: what each parameter is compared
//! with names it, and says which column its values come from.

use super::{ExistingDatabase, ExistingStatement, ExistingTable, ProposedFile};
use crate::sql::lexer::{Token, TokenKind, tokens};
use crate::sql::parameters::named_parameters;
use crate::sql::statement::{StatementKind, split_statements, statement_kind};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Values per list that a statement is asked with.
const LIST_LENGTH: usize = 10;

/// One file per statement whose parameters are all understood, and how many were not.
pub(super) fn queries(database: &ExistingDatabase) -> (Vec<ProposedFile>, usize) {
    let mut files: Vec<ProposedFile> = Vec::new();
    let mut left_out = 0;
    for statement in &database.statements {
        let Some(query) = Inference::new(database, &statement.text).query() else {
            left_out += 1;
            continue;
        };
        let path = |name: &str| PathBuf::from(format!("queries/{name}.sql"));
        let mut name = query.name.clone();
        let mut number = 2;
        while files.iter().any(|file| file.path == path(&name)) {
            name = format!("{}_{number}", query.name);
            number += 1;
        }
        files.push(ProposedFile { path: path(&name), text: text(&name, &query, statement) });
    }
    (files, left_out)
}

fn text(name: &str, query: &Query, statement: &ExistingStatement) -> String {
    let mut text = format!("-- name: {name}\n");
    for (parameter, source) in &query.parameters {
        text.push_str(&format!("-- param: {parameter} = {source}\n"));
    }
    let (calls, mean_ms) = (statement.calls, statement.mean_us / 1000.0);
    text.push_str(&format!(
        "-- Asked {calls} times when the project was made, {mean_ms:.3} ms on average.\n"
    ));
    text.push_str(query.sql.trim().trim_end_matches(';'));
    text.push_str(";\n");
    text
}

struct Query {
    name: String,
    sql: String,
    /// Name and source, in the order of their numbers.
    parameters: Vec<(String, String)>,
}

/// Reads one statement.
struct Inference<'a> {
    database: &'a ExistingDatabase,
    text: &'a str,
    /// Without blanks and comments.
    pieces: Vec<Token>,
    /// What names stand for: aliases and tables themselves, in lower case.
    tables: BTreeMap<String, &'a ExistingTable>,
}

impl<'a> Inference<'a> {
    fn new(database: &'a ExistingDatabase, text: &'a str) -> Self {
        let pieces = tokens(text).filter(|token| !token.kind.is_trivia()).collect();
        let mut inference = Self { database, text, pieces, tables: BTreeMap::new() };
        inference.find_tables();
        inference
    }

    /// `None` for what does not only read, or has a parameter that nothing explains.
    fn query(&self) -> Option<Query> {
        let is_single = split_statements(self.text).len() == 1;
        let is_broken = self.pieces.iter().any(|token| match token.kind {
            TokenKind::Unterminated => true,
            TokenKind::Unknown => self.is(*token, "\\"),
            _ => false,
        });
        let reads = statement_kind(self.text) == StatementKind::Read;
        if !is_single
            || is_broken
            || !reads
            || named_parameters(self.text).next().is_some()
            || self.tables.is_empty()
        {
            return None;
        }
        let mut parameters: BTreeMap<u32, (String, String)> = BTreeMap::new();
        for (at, token) in self.pieces.iter().enumerate() {
            if token.kind != TokenKind::PositionalParameter {
                continue;
            }
            let number: u32 = token.text(self.text).get(1..)?.parse().ok()?;
            if !parameters.contains_key(&number) {
                let (name, source) = self.source(at)?;
                let mut unique = name.clone();
                let mut suffix = 2;
                while parameters.values().any(|(taken, _)| *taken == unique) {
                    unique = format!("{name}_{suffix}");
                    suffix += 1;
                }
                parameters.insert(number, (unique, source));
            }
        }
        Some(Query {
            name: self.name(parameters.values().map(|(name, _)| name.as_str())),
            sql: self.with_names(&parameters)?,
            parameters: parameters.into_values().collect(),
        })
    }

    fn is(&self, token: Token, text: &str) -> bool {
        token.text(self.text).eq_ignore_ascii_case(text)
    }

    fn is_at(&self, at: usize, text: &str) -> bool {
        self.pieces.get(at).is_some_and(|token| self.is(*token, text))
    }

    /// The name that a token stands for, unquoted and folded.
    fn identifier(&self, at: usize) -> Option<String> {
        let token = self.pieces.get(at)?;
        match token.kind {
            TokenKind::Word => Some(token.text(self.text).to_lowercase()),
            TokenKind::QuotedIdentifier => {
                Some(token.text(self.text).trim_matches('"').replace("\"\"", "\""))
            }
            _ => None,
        }
    }

    /// What follows FROM, JOIN, and commas between tables.
    fn find_tables(&mut self) {
        for at in 0..self.pieces.len() {
            if !(self.is_at(at, "from") || self.is_at(at, "join")) {
                continue;
            }
            let mut next = at + 1;
            while let Some((table, behind)) = self.table_at(next) {
                let alias_at = behind + usize::from(self.is_at(behind, "as"));
                let keyword = [
                    "where",
                    "on",
                    "join",
                    "left",
                    "right",
                    "inner",
                    "full",
                    "cross",
                    "natural",
                    "group",
                    "order",
                    "limit",
                    "using",
                    "offset",
                    "union",
                    "for",
                    "having",
                    "window",
                    "tablesample",
                ];
                let alias = self.identifier(alias_at).filter(|word| !keyword.contains(&word.as_str()));
                let end = if alias.is_some() { alias_at + 1 } else { behind };
                self.tables.insert(alias.unwrap_or_else(|| table.name.clone()), table);
                if !self.pieces.get(end).is_some_and(|token| token.kind == TokenKind::Comma) {
                    break;
                }
                next = end + 1;
            }
        }
    }

    /// A known table, and the place behind its name.
    fn table_at(&self, at: usize) -> Option<(&'a ExistingTable, usize)> {
        let first = self.identifier(at)?;
        let tables = &self.database.tables;
        if self.pieces.get(at + 1).is_some_and(|token| token.kind == TokenKind::Dot) {
            let name = self.identifier(at + 2)?;
            let is_it = |table: &&ExistingTable| {
                table.name == name && table.schema.as_ref().is_none_or(|schema| *schema == first)
            };
            return Some((tables.iter().find(is_it)?, at + 3));
        }
        Some((tables.iter().find(|table| table.schema.is_none() && table.name == first)?, at + 1))
    }

    /// Name and source of the parameter at this place.
    fn source(&self, at: usize) -> Option<(String, String)> {
        let before = at.checked_sub(1)?;
        if self.is_at(before, "limit") {
            return Some(("limit".to_owned(), "20".to_owned()));
        }
        if self.is_at(before, "offset") {
            return Some(("offset".to_owned(), "0".to_owned()));
        }
        if self.is_at(before, "(")
            && before >= 2
            && (self.is_at(before - 1, "any") || self.is_at(before - 1, "some"))
        {
            let column = self.compared(before.checked_sub(2)?)?;
            return Some((format!("{}s", column.0), format!("list(sample({}), {LIST_LENGTH})", column.1)));
        }
        let column = if self.is_at(before, "and") {
            self.between(before)?
        } else if self.is_at(before, "(") || self.is_at(before, ",") {
            self.in_list(before)?
        } else {
            self.compared(before)?
        };
        Some((column.0, format!("sample({})", column.1)))
    }

    /// `column BETWEEN $1 AND $2`, from the AND.
    fn between(&self, and: usize) -> Option<(String, String)> {
        let between = and.checked_sub(2)?;
        self.is_at(between, "between").then(|| self.column_before(between)).flatten()
    }

    /// `column IN ($1, $2, …)`, from the parenthesis or comma before a parameter.
    fn in_list(&self, mut at: usize) -> Option<(String, String)> {
        while self.is_at(at, ",") {
            at = at.checked_sub(2)?;
        }
        let is_list = self.is_at(at, "(") && self.is_at(at.checked_sub(1)?, "in");
        let mut operator = at.checked_sub(1).filter(|_| is_list)?;
        if self.is_at(operator.checked_sub(1)?, "not") {
            operator -= 1;
        }
        self.column_before(operator)
    }

    /// `column = $1`, from the operator.
    fn compared(&self, at: usize) -> Option<(String, String)> {
        let comparisons = ["=", "<", ">", "<=", ">=", "<>", "!=", "like", "ilike", "~~", "between"];
        let mut operator = comparisons.iter().any(|comparison| self.is_at(at, comparison)).then_some(at)?;
        if self.is_at(operator.checked_sub(1)?, "not") {
            operator -= 1;
        }
        self.column_before(operator)
    }

    /// Name and path of the column that ends before this place.
    fn column_before(&self, at: usize) -> Option<(String, String)> {
        let column = self.identifier(at.checked_sub(1)?)?;
        let dot = at.checked_sub(2).filter(|dot| self.is_at(*dot, "."));
        let table = match dot {
            Some(dot) => {
                let table = self.tables.get(&self.identifier(dot.checked_sub(1)?)?)?;
                table.columns.iter().any(|known| known.name == column).then_some(*table)?
            }
            None => {
                let mut having = self
                    .tables
                    .values()
                    .filter(|table| table.columns.iter().any(|known| known.name == column));
                let first = having.next()?;
                // Twice the same table is one table.
                having.all(|other| other.path() == first.path()).then_some(*first)?
            }
        };
        let parts = table.schema.iter().map(String::as_str).chain([table.name.as_str(), column.as_str()]);
        let path = parts.map(identifier).collect::<Vec<_>>().join(".");
        Some((parameter_name(&column), path))
    }

    fn name<'n>(&self, parameters: impl Iterator<Item = &'n str>) -> String {
        let first = self.pieces.iter().enumerate().find(|(at, _)| self.is_at(*at, "from"));
        let table = first.and_then(|(at, _)| self.table_at(at + 1)).map(|(table, _)| table.name.as_str());
        let mut parameters =
            parameters.filter(|name| !matches!(*name, "limit" | "offset")).take(2).peekable();
        let mut name = parameter_name(table.unwrap_or("statement"));
        if parameters.peek().is_some() {
            name.push_str("_by_");
            name.push_str(&parameters.collect::<Vec<_>>().join("_and_"));
        }
        name
    }

    fn with_names(&self, parameters: &BTreeMap<u32, (String, String)>) -> Option<String> {
        let mut sql = String::new();
        let mut copied = 0;
        for token in self.pieces.iter().filter(|token| token.kind == TokenKind::PositionalParameter) {
            let number: u32 = token.text(self.text).get(1..)?.parse().ok()?;
            sql.push_str(&self.text[copied..token.start]);
            sql.push(':');
            sql.push_str(&parameters.get(&number)?.0);
            copied = token.end;
        }
        sql.push_str(&self.text[copied..]);
        Some(sql)
    }
}

/// Letters, digits and `_`, beginning with a letter.
fn parameter_name(name: &str) -> String {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
    if plain.starts_with(|first: char| first.is_ascii_alphabetic()) { plain } else { format!("p{plain}") }
}

/// Quoted where it has to be.
fn identifier(name: &str) -> String {
    let is_plain = name.starts_with(|first: char| first.is_ascii_lowercase() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if is_plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}
