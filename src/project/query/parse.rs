//! Reads one file of queries: header comments, statements, parameters, budgets.

use super::references::{check_references, references};
use super::thresholds;
use super::{Parameter, ParameterSource, Query, Thresholds};
use crate::project::budget::Budget;
use crate::project::diagnostic::Diagnostic;
use crate::project::fields::Problems;
use crate::project::nearest::nearest;
use crate::project::settings::{Volume, is_name, volume_names};
use crate::sql::lexer::{Token, TokenKind, tokens};
use crate::sql::parameters::{named_parameters, to_positional};
use crate::sql::statement::{StatementKind, split_statements, statement_kind};
use std::ops::Range;
use std::path::Path;

const HEADERS: [&str; 7] = ["name", "budget", "param", "transaction", "cache", "threshold", "weight"];

/// A query with the place of its name, for duplicates over several files.
#[derive(Debug, Clone, PartialEq)]
pub struct ParsedQuery {
    /// The query.
    pub query: Query,
    /// Byte range of the name in its file.
    pub name_span: Range<usize>,
}

/// What the rest of the project has to say about a query.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The project's volumes; `None` where they could not be read, so nothing is said about them.
    pub volumes: Option<&'a [Volume]>,
    /// Budgets for queries without one of their own.
    pub default_budgets: &'a [Budget],
}

/// Reads one file of queries: what could be read, and everything that is wrong with the file by
/// itself, each with its place. Where there is a problem, the queries are good for their names only.
#[must_use]
pub fn parse(path: &Path, text: &str, around: Surroundings<'_>) -> (Vec<ParsedQuery>, Vec<Diagnostic>) {
    let mut problems = Problems::new(path, text);
    if !check_tokens(text, &mut problems) {
        return (Vec::new(), problems.into_sorted());
    }
    let headers = headers(text, &mut problems);
    let starts: Vec<usize> = headers
        .iter()
        .enumerate()
        .filter(|(_, header)| header.key == "name")
        .map(|(index, _)| index)
        .collect();
    check_before_first_name(text, &headers, &mut problems);
    let mut queries: Vec<ParsedQuery> = Vec::new();
    for (nth, &first) in starts.iter().enumerate() {
        let next = starts.get(nth + 1).copied();
        let end = next.map_or(text.len(), |next| headers[next].start);
        let section = Section {
            path,
            text,
            headers: &headers[first..next.unwrap_or(headers.len())],
            range: headers[first].start..end,
            around,
        };
        queries.push(section.read(&mut problems));
    }
    (queries, problems.into_sorted())
}

/// A `-- key: value` comment.
#[derive(Debug, Clone)]
struct Header<'a> {
    key: &'static str,
    value: &'a str,
    /// Byte offset of the value.
    value_start: usize,
    /// Byte offset of the comment.
    start: usize,
}

impl Header<'_> {
    fn value_span(&self) -> Range<usize> {
        self.value_start..self.value_start + self.value.len()
    }
}

/// What no query can hold. False where the rest of the file cannot be trusted.
fn check_tokens(text: &str, problems: &mut Problems<'_>) -> bool {
    for token in tokens(text) {
        match token.kind {
            TokenKind::Unterminated => {
                let what = unterminated(token.text(text));
                problems.add(token.start..token.start + 1, format!("this {what} never ends"), "close it");
                return false;
            }
            TokenKind::PositionalParameter => problems.add(
                token.span(),
                format!("`{}` has no name", token.text(text)),
                "write `:name`, and say in a header where its values come from: `-- param: name = sample(table.column)`",
            ),
            TokenKind::Unknown if token.text(text) == "\\" => problems.add(
                token.span(),
                "commands of psql do not work here",
                "only SQL statements and `-- key: value` headers",
            ),
            _ => {}
        }
    }
    true
}

/// A word for what was left open.
pub(in crate::project) fn unterminated(text: &str) -> &'static str {
    match text.as_bytes().first() {
        Some(b'/') => "comment",
        Some(b'"') => "quoted name",
        Some(b'$') => "dollar quote",
        _ => "text",
    }
}

/// The headers of a file. A comment that looks like a mistyped header is a problem; prose is not.
fn headers<'a>(text: &'a str, problems: &mut Problems<'_>) -> Vec<Header<'a>> {
    let mut headers = Vec::new();
    for token in tokens(text).filter(|token| token.kind == TokenKind::LineComment) {
        let content = token.text(text).trim_start_matches('-').trim();
        let (key, value) = match content.split_once(':') {
            Some((key, value)) => (key.trim_end(), value.trim()),
            None => (content, ""),
        };
        let key_start = offset_in(text, key);
        match HEADERS.iter().find(|known| **known == key) {
            Some(known) if *known == "transaction" => {
                if !value.is_empty() {
                    let span = offset_in(text, value)..offset_in(text, value) + value.len();
                    problems.add(span, "`transaction` takes no value", "write `-- transaction`");
                }
                headers.push(Header {
                    key: known,
                    value,
                    value_start: offset_in(text, value),
                    start: token.start,
                });
            }
            Some(known) if content.contains(':') => {
                headers.push(Header {
                    key: known,
                    value,
                    value_start: offset_in(text, value),
                    start: token.start,
                });
            }
            Some(_) => {}
            None if budget_without_colon(content) => {
                let help = "write `-- budget: p95 < 5ms`, with a colon";
                problems.add(key_start..key_start + "budget".len(), "a budget without a colon", help);
            }
            None if content.contains(':') => {
                let lower = key.to_lowercase();
                let known = HEADERS.iter().find(|known| **known == lower).copied();
                if let Some(known) = known.or_else(|| nearest(&lower, HEADERS)) {
                    let help = format!("did you mean `-- {known}:`?");
                    problems.add(key_start..key_start + key.len(), format!("unknown header `{key}`"), help);
                }
            }
            None => {}
        }
    }
    headers
}

/// Such as `budget buffers < 50`, which would be prose, and nothing be judged.
fn budget_without_colon(content: &str) -> bool {
    content.strip_prefix("budget").is_some_and(|rest| {
        rest.starts_with(char::is_whitespace) && rest.contains(['<', '>', '=']) && !content.contains(':')
    })
}

/// Where a slice of a text begins in it.
fn offset_in(text: &str, slice: &str) -> usize {
    (slice.as_ptr() as usize).saturating_sub(text.as_ptr() as usize).min(text.len())
}

/// Statements and headers in front of the first name belong to nobody.
fn check_before_first_name(text: &str, headers: &[Header<'_>], problems: &mut Problems<'_>) {
    let first = headers.iter().position(|header| header.key == "name");
    let end = first.map_or(text.len(), |first| headers[first].start);
    let help = "begin each query with `-- name: order_history`";
    if let Some(header) = headers[..first.unwrap_or(headers.len())].first() {
        let span = header.start..header.start + 2;
        problems.add(span, format!("`-- {}` before the first `-- name:`", header.key), help);
    } else if let Some(statement) = split_statements(&text[..end]).first() {
        problems.add(first_word(text, statement), "this statement has no name", help);
    } else if first.is_none() {
        problems.add(0..0, "there is no query in this file", help);
    }
}

fn first_word(text: &str, statement: &Range<usize>) -> Range<usize> {
    let length = tokens(&text[statement.clone()]).next().map_or(0, |token| token.end);
    statement.start..statement.start + length
}

/// One query: from its name to the next.
struct Section<'a> {
    path: &'a Path,
    text: &'a str,
    headers: &'a [Header<'a>],
    range: Range<usize>,
    around: Surroundings<'a>,
}

/// A declared parameter with the place of its name.
pub(super) struct Declaration {
    pub(super) parameter: Parameter,
    pub(super) span: Range<usize>,
    /// Byte offset of its source.
    pub(super) source_start: usize,
}

impl Section<'_> {
    fn read(&self, problems: &mut Problems<'_>) -> ParsedQuery {
        let name = &self.headers[0];
        if !is_name(name.value) {
            let help = "use letters, digits, `-` and `_`, such as `-- name: order_history`";
            let message = if name.value.is_empty() {
                "the name is missing".to_owned()
            } else {
                format!("`{}` is not a name", name.value)
            };
            problems.add(name.value_span(), message, help);
        }
        let statements = self.statements(problems);
        let declarations = self.declarations(problems);
        check_references(&declarations, problems);
        let (parameters, intermediate) = self.parameters(&statements, declarations, problems);
        let budgets = self.budgets(problems);
        let thresholds = self.thresholds(problems);
        ParsedQuery {
            query: Query {
                name: name.value.to_owned(),
                path: self.path.to_path_buf(),
                line: self.line(name.start),
                statements: statements.iter().map(|range| self.text[range.clone()].to_owned()).collect(),
                is_cold: self.is_cold(problems),
                weight: self.weight(problems),
                parameters,
                intermediate,
                budgets: if budgets.is_empty() { self.around.default_budgets.to_vec() } else { budgets },
                thresholds,
            },
            name_span: name.value_span(),
        }
    }

    fn line(&self, offset: usize) -> usize {
        self.text[..offset].matches('\n').count() + 1
    }

    /// Byte ranges in the file.
    fn statements(&self, problems: &mut Problems<'_>) -> Vec<Range<usize>> {
        let body = &self.text[self.range.clone()];
        let statements: Vec<Range<usize>> = split_statements(body)
            .into_iter()
            .map(|range| range.start + self.range.start..range.end + self.range.start)
            .collect();
        let name = &self.headers[0];
        let is_transaction = self.headers.iter().any(|header| header.key == "transaction");
        match statements.as_slice() {
            [] => problems.add(
                name.value_span(),
                format!("`{}` has no statement", name.value),
                "write its statement below the headers",
            ),
            [_, second, ..] if !is_transaction => problems.add(
                first_word(self.text, second),
                format!("`{}` holds {} statements", name.value, statements.len()),
                "give each its own `-- name:`, or write `-- transaction` to run them as one",
            ),
            _ => {}
        }
        for statement in &statements {
            if statement_kind(&self.text[statement.clone()]) == StatementKind::TransactionControl {
                problems.add(
                    first_word(self.text, statement),
                    "a query does not begin or end transactions",
                    "take it out: what writes is rolled back, and `-- transaction` runs several statements as one",
                );
            }
        }
        statements
    }

    fn is_cold(&self, problems: &mut Problems<'_>) -> bool {
        let mut is_cold = false;
        for header in self.headers.iter().filter(|header| header.key == "cache") {
            match header.value {
                "cold" => is_cold = true,
                "warm" => is_cold = false,
                other => problems.add(
                    header.value_span(),
                    format!("a cache is cold or warm, not `{other}`"),
                    "write `-- cache: cold`, or leave it out for a warm one",
                ),
            }
        }
        is_cold
    }

    fn weight(&self, problems: &mut Problems<'_>) -> f64 {
        let mut weight = 1.0;
        for header in self.headers.iter().filter(|header| header.key == "weight") {
            match header.value.parse::<f64>().ok().filter(|value| value.is_finite() && *value > 0.0) {
                Some(value) => weight = value,
                None => problems.add(
                    header.value_span(),
                    format!("`{}` is not a weight", header.value),
                    "write a number above 0, such as `-- weight: 3`: three times as often as a query without one",
                ),
            }
        }
        weight
    }

    fn declarations(&self, problems: &mut Problems<'_>) -> Vec<Declaration> {
        let mut declarations: Vec<Declaration> = Vec::new();
        for header in self.headers.iter().filter(|header| header.key == "param") {
            let help = "write `-- param: user_id = sample(orders.user_id)`";
            let Some((name, source)) = header.value.split_once('=') else {
                problems.add(header.value_span(), "a parameter needs a name and a source", help);
                continue;
            };
            let name = name.trim().trim_start_matches(':');
            let name_start = if name.is_empty() { header.value_start } else { offset_in(self.text, name) };
            let span = name_start..name_start + name.len();
            if !is_parameter_name(name) {
                problems.add(span, format!("`{name}` is not a name for a parameter"), help);
                continue;
            }
            if let Some(first) = declarations.iter().find(|known| known.parameter.name == name) {
                let help = format!("the first is on line {}", first.parameter.line);
                problems.add(span.clone(), format!("parameter `{name}` is declared twice"), help);
                continue;
            }
            let source_start = offset_in(self.text, source);
            let parsed = ParameterSource::parse(source).map_err(|error| {
                let span = error.span.start + source_start..error.span.end + source_start;
                problems.add(span, error.message, error.help);
            });
            declarations.push(Declaration {
                parameter: Parameter {
                    name: name.to_owned(),
                    source: parsed.unwrap_or(ParameterSource::Literal(None)),
                    line: self.line(header.start),
                },
                span,
                source_start,
            });
        }
        declarations
    }

    /// The declared parameters in the order of their first use, and those that only expressions use.
    fn parameters(
        &self,
        statements: &[Range<usize>],
        mut declarations: Vec<Declaration>,
        problems: &mut Problems<'_>,
    ) -> (Vec<Parameter>, Vec<Parameter>) {
        let mut parameters: Vec<Parameter> = Vec::new();
        let mut unknown: Vec<String> = Vec::new();
        for statement in statements {
            for used in named_parameters(&self.text[statement.clone()]) {
                if parameters.iter().any(|known| known.name == used.name)
                    || unknown.iter().any(|name| name == used.name)
                {
                    continue;
                }
                if let Some(at) =
                    declarations.iter().position(|declared| declared.parameter.name == used.name)
                {
                    parameters.push(declarations.remove(at).parameter);
                    continue;
                }
                let help = match nearest(
                    used.name,
                    declarations.iter().map(|declared| declared.parameter.name.as_str()),
                ) {
                    Some(declared) => format!("did you mean `:{declared}`?"),
                    None => format!(
                        "say where its values come from: `-- param: {} = sample(table.column)`",
                        used.name
                    ),
                };
                let span = used.span.start + statement.start..used.span.end + statement.start;
                problems.add(span, format!("nothing supplies `:{}`", used.name), help);
                unknown.push(used.name.to_owned());
            }
        }
        let mut intermediate: Vec<Parameter> = Vec::new();
        while let Some(at) = declarations.iter().position(|declared| {
            let mut users = parameters.iter().chain(&intermediate);
            users.any(|user| references(&user.source).any(|(name, _)| name == declared.parameter.name))
        }) {
            intermediate.push(declarations.remove(at).parameter);
        }
        // What cannot be read may be what uses the others.
        let unused: &[Declaration] = if self.has_unreadable_source() { &[] } else { &declarations };
        for declaration in unused {
            let name = &declaration.parameter.name;
            let help = match nearest(name, unknown.iter().map(String::as_str)) {
                Some(used) => format!("the statement uses `:{used}`"),
                None => "take the header out, or use the parameter".to_owned(),
            };
            problems.add(declaration.span.clone(), format!("no statement uses `:{name}`"), help);
        }
        (parameters, intermediate)
    }

    fn has_unreadable_source(&self) -> bool {
        let mut sources = self.headers.iter().filter(|header| header.key == "param");
        sources.any(|header| {
            header.value.split_once('=').is_none_or(|(_, source)| ParameterSource::parse(source).is_err())
        })
    }

    fn thresholds(&self, problems: &mut Problems<'_>) -> Thresholds {
        let mut all = Thresholds::default();
        for header in self.headers.iter().filter(|header| header.key == "threshold") {
            if let Err(error) = all.read(header.value) {
                let span = error.span.start + header.value_start..error.span.end + header.value_start;
                problems.add(span, error.message, thresholds::HELP);
            }
        }
        all
    }

    fn budgets(&self, problems: &mut Problems<'_>) -> Vec<Budget> {
        let mut budgets = Vec::new();
        for header in self.headers.iter().filter(|header| header.key == "budget") {
            let (parsed, errors) = Budget::parse_each(header.value, header.value_start);
            budgets.extend(parsed);
            for error in errors {
                problems.add(error.span, error.message, error.help);
            }
        }
        for parsed in &budgets {
            let (Some(volume), Some(span)) = (&parsed.budget.volume, &parsed.volume_span) else { continue };
            let Some(volumes) = self.around.volumes else { continue };
            if !volumes.iter().any(|known| known.name == *volume) {
                let help = match nearest(volume, volumes.iter().map(|known| known.name.as_str())) {
                    Some(known) => format!("did you mean `{known}`?"),
                    None => format!("volumes: {}", volume_names(volumes)),
                };
                problems.add(span.clone(), format!("there is no volume `{volume}`"), help);
            }
        }
        budgets.into_iter().map(|parsed| parsed.budget).collect()
    }
}

fn is_parameter_name(name: &str) -> bool {
    let text = format!(":{name}");
    let positional = to_positional(&text);
    positional.names == [name]
        && tokens(&text).next() == Some(Token { kind: TokenKind::NamedParameter, start: 0, end: text.len() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::diagnostic::render;
    use std::path::PathBuf;

    fn read(text: &str) -> Result<Vec<Query>, Vec<Diagnostic>> {
        let volumes = [
            Volume { name: "small".to_owned(), factor: 1.0 },
            Volume { name: "medium".to_owned(), factor: 9.0 },
        ];
        let around = Surroundings { volumes: Some(&volumes), default_budgets: &[] };
        let (queries, problems) = parse(&PathBuf::from("queries/a.sql"), text, around);
        if problems.is_empty() {
            Ok(queries.into_iter().map(|parsed| parsed.query).collect())
        } else {
            Err(problems)
        }
    }

    fn problems(text: &str) -> String {
        render(&read(text).expect_err("has problems"), false)
    }

    #[test]
    fn a_file_holds_one_or_more_queries() {
        let queries = read(
            "-- name: a\n-- budget: p95 < 2ms\n-- budget: rows >= 1 @ medium\n-- param: x = range(1, 9)\n\
             -- note: prose stays prose\nselect :y, :x::int, ':no'; -- done\n-- param: y = 'q'\n\n\
             --name:b\n-- transaction\nupdate t set a = 1; select 2;\n",
        )
        .expect("readable");
        assert_eq!(queries.len(), 2);
        assert_eq!(queries[0].statements, ["select :y, :x::int, ':no'"]);
        assert_eq!(
            queries[0].parameters.iter().map(|parameter| parameter.name.as_str()).collect::<Vec<_>>(),
            ["y", "x"]
        );
        assert_eq!(queries[0].parameters[1].line, 4);
        assert_eq!(queries[0].budgets.len(), 2);
        assert_eq!((queries[1].name.as_str(), queries[1].line), ("b", 9));
        assert_eq!(queries[1].statements, ["update t set a = 1", "select 2"]);
    }

    #[test]
    fn parameters_that_do_not_match_are_pointed_at() {
        insta::assert_snapshot!(problems(
            "-- name: order_history\n-- param: user_ids = sample(orders.user_id)\nselect * from orders where user_id = :user_id and status = :status;"
        ), @r"
        error: no statement uses `:user_ids`
         --> queries/a.sql:2:11
          |
        2 | -- param: user_ids = sample(orders.user_id)
          |           ^^^^^^^^
          |
          = help: the statement uses `:user_id`

        error: nothing supplies `:user_id`
         --> queries/a.sql:3:38
          |
        3 | select * from orders where user_id = :user_id and status = :status;
          |                                      ^^^^^^^^
          |
          = help: did you mean `:user_ids`?

        error: nothing supplies `:status`
         --> queries/a.sql:3:60
          |
        3 | select * from orders where user_id = :user_id and status = :status;
          |                                                            ^^^^^^^
          |
          = help: say where its values come from: `-- param: status = sample(table.column)`
        ");
    }

    #[test]
    fn expressions_refer_to_other_parameters() {
        let queries =
            read("-- name: a\n-- param: low = :base + 1\n-- param: base = 10 * random(1, 9)\nselect :low;")
                .expect("readable");
        assert_eq!(queries[0].parameters.len(), 1);
        assert_eq!(queries[0].intermediate[0].name, "base");
        insta::assert_snapshot!(problems(
            "-- name: a\n-- param: x = 1 + :y\n-- param: y = :x * 2\n-- param: z = abs(:why)\nselect :x, :z;"
        ), @r"
        error: `:x` is computed from itself
         --> queries/a.sql:2:19
          |
        2 | -- param: x = 1 + :y
          |                   ^^
          |
          = help: let one of the parameters not refer to the others

        error: `:y` is computed from itself
         --> queries/a.sql:3:15
          |
        3 | -- param: y = :x * 2
          |               ^^
          |
          = help: let one of the parameters not refer to the others

        error: nothing supplies `:why`
         --> queries/a.sql:4:19
          |
        4 | -- param: z = abs(:why)
          |                   ^^^^
          |
          = help: declare it: `-- param: why = random(1, 1000)`
        ");
    }

    #[test]
    fn headers_are_checked() {
        insta::assert_snapshot!(problems(
            "-- name: a b\n-- budgte: p95 < 2ms\n-- budget: p95 < 2, buffers < 3 @ large\n-- param: x\n-- param: x = sampel(a.b)\n-- param: x = 1\n-- transaction: yes\n-- cache: hot\nselect :x"
        ), @r"
        error: `a b` is not a name
         --> queries/a.sql:1:10
          |
        1 | -- name: a b
          |          ^^^
          |
          = help: use letters, digits, `-` and `_`, such as `-- name: order_history`

        error: unknown header `budgte`
         --> queries/a.sql:2:4
          |
        2 | -- budgte: p95 < 2ms
          |    ^^^^^^
          |
          = help: did you mean `-- budget:`?

        error: `p95` needs a unit of time
         --> queries/a.sql:3:18
          |
        3 | -- budget: p95 < 2, buffers < 3 @ large
          |                  ^
          |
          = help: units are us, ms and s; or `8 x ping`

        error: there is no volume `large`
         --> queries/a.sql:3:35
          |
        3 | -- budget: p95 < 2, buffers < 3 @ large
          |                                   ^^^^^
          |
          = help: volumes: small, medium

        error: a parameter needs a name and a source
         --> queries/a.sql:4:11
          |
        4 | -- param: x
          |           ^
          |
          = help: write `-- param: user_id = sample(orders.user_id)`

        error: unknown source `sampel`
         --> queries/a.sql:5:15
          |
        5 | -- param: x = sampel(a.b)
          |               ^^^^^^
          |
          = help: did you mean `sample`?

        error: parameter `x` is declared twice
         --> queries/a.sql:6:11
          |
        6 | -- param: x = 1
          |           ^
          |
          = help: the first is on line 5

        error: `transaction` takes no value
         --> queries/a.sql:7:17
          |
        7 | -- transaction: yes
          |                 ^^^
          |
          = help: write `-- transaction`

        error: a cache is cold or warm, not `hot`
         --> queries/a.sql:8:11
          |
        8 | -- cache: hot
          |           ^^^
          |
          = help: write `-- cache: cold`, or leave it out for a warm one
        ");
    }

    #[test]
    fn statements_are_checked() {
        insta::assert_snapshot!(problems("-- budget: p95 < 2ms\nselect 1;\n-- name: a\nselect 1; select 2;\n-- name: b\n-- name: c\n-- transaction\nbegin; select $1; commit"), @r"
        error: `-- budget` before the first `-- name:`
         --> queries/a.sql:1:1
          |
        1 | -- budget: p95 < 2ms
          | ^^
          |
          = help: begin each query with `-- name: order_history`

        error: `a` holds 2 statements
         --> queries/a.sql:4:11
          |
        4 | select 1; select 2;
          |           ^^^^^^
          |
          = help: give each its own `-- name:`, or write `-- transaction` to run them as one

        error: `b` has no statement
         --> queries/a.sql:5:10
          |
        5 | -- name: b
          |          ^
          |
          = help: write its statement below the headers

        error: a query does not begin or end transactions
         --> queries/a.sql:8:1
          |
        8 | begin; select $1; commit
          | ^^^^^
          |
          = help: take it out: what writes is rolled back, and `-- transaction` runs several statements as one

        error: `$1` has no name
         --> queries/a.sql:8:15
          |
        8 | begin; select $1; commit
          |               ^^
          |
          = help: write `:name`, and say in a header where its values come from: `-- param: name = sample(table.column)`

        error: a query does not begin or end transactions
         --> queries/a.sql:8:19
          |
        8 | begin; select $1; commit
          |                   ^^^^^^
          |
          = help: take it out: what writes is rolled back, and `-- transaction` runs several statements as one
        ");
        insta::assert_snapshot!(problems("select 1"), @r"
        error: this statement has no name
         --> queries/a.sql:1:1
          |
        1 | select 1
          | ^^^^^^
          |
          = help: begin each query with `-- name: order_history`
        ");
        insta::assert_snapshot!(problems("-- nothing here\n"), @r"
        error: there is no query in this file
         --> queries/a.sql:1:1
          |
        1 | -- nothing here
          | ^
          |
          = help: begin each query with `-- name: order_history`
        ");
        insta::assert_snapshot!(problems("-- name: a\n\\set x 1\nselect 'open;\n-- budget: p95 < 2\n"), @r"
        error: commands of psql do not work here
         --> queries/a.sql:2:1
          |
        2 | \set x 1
          | ^
          |
          = help: only SQL statements and `-- key: value` headers

        error: this text never ends
         --> queries/a.sql:3:8
          |
        3 | select 'open;
          |        ^
          |
          = help: close it
        ");
    }
}
