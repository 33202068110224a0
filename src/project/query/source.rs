//! The grammar of parameter sources: `sample(orders.user_id)`, `range(1, 100)`, `'paid'`.

use super::expression::{self, ExpressionNode, Function};
use super::{ColumnReference, Literal, ParameterSource};
use crate::project::distributions::instant_us;
use crate::project::nearest::nearest;
use crate::sql::lexer::{Token, TokenKind, tokens};
use std::ops::Range;

/// What is wrong with a source, and where in its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceError {
    /// Byte range in the source's text.
    pub span: Range<usize>,
    /// One sentence without a full stop.
    pub message: String,
    /// The next step.
    pub help: String,
}

/// Every function with an example of its use.
const FUNCTIONS: [(&str, &str); 10] = [
    ("sample", "sample(orders.user_id)"),
    ("common", "common(orders.user_id)"),
    ("rare", "rare(orders.user_id)"),
    ("absent", "absent(orders.user_id)"),
    ("range", "range(1, 1000)"),
    ("zipf", "zipf(1, 1000, 1.1)"),
    ("normal", "normal(100, 15)"),
    ("one_of", "one_of('paid', 'shipped') or one_of('paid': 0.9, 'shipped': 0.1)"),
    ("dates", "dates('2024-01-01', '2026-01-01')"),
    ("list", "list(sample(orders.id), 20)"),
];

/// A list longer than this would measure the sending of the list.
const LIST_LENGTH_MAX: i64 = 10_000;

impl ParameterSource {
    /// Reads what stands behind `-- param: name =`.
    ///
    /// # Errors
    /// The first thing that cannot be read, with its place.
    pub fn parse(text: &str) -> Result<Self, SourceError> {
        if let Some(comment) = tokens(text).find(|token| token.kind == TokenKind::LineComment) {
            return Err(SourceError {
                span: comment.span(),
                message: "this begins a comment".to_owned(),
                help: "put a blank between the two signs: `5 - -3`".to_owned(),
            });
        }
        let pieces = tokens(text).filter(|token| !token.kind.is_trivia()).collect();
        let mut reader = Reader { text, pieces, at: 0 };
        let source = reader.source()?;
        match reader.pieces.get(reader.at) {
            None => Ok(source),
            Some(token) => Err(reader.error(
                *token,
                "did not expect this",
                "one source for a parameter, such as `sample(orders.id)`",
            )),
        }
    }
}

pub(super) struct Reader<'a> {
    pub(super) text: &'a str,
    pieces: Vec<Token>,
    at: usize,
}

impl Reader<'_> {
    fn source(&mut self) -> Result<ParameterSource, SourceError> {
        let Some(first) = self.pieces.get(self.at).copied() else {
            let help = format!("write one of {}, or a value", names());
            return Err(self.error_at_end("the source is missing", &help));
        };
        let is_call =
            self.pieces.get(self.at + 1).is_some_and(|next| next.kind == TokenKind::OpenParenthesis);
        let word = first.text(self.text).to_lowercase();
        if first.kind == TokenKind::Word && is_call && !expression::is_function(&word) && word != "not" {
            return self.call(first);
        }
        if self.is_literal(first) {
            return self.literal("a value such as 5, 'paid', true or null").map(ParameterSource::Literal);
        }
        self.computed()
    }

    /// Whether a value is written down and nothing computed from it.
    fn is_literal(&self, first: Token) -> bool {
        let is_minus = first.kind == TokenKind::Operator && first.text(self.text) == "-";
        let number = self.at + usize::from(is_minus);
        let is_number = self.pieces.get(number).is_some_and(|token| token.kind == TokenKind::Number);
        let behind = self.pieces.get(number + 1).map(|token| token.kind);
        match first.kind {
            TokenKind::String | TokenKind::Unterminated | TokenKind::Unknown => true,
            TokenKind::Word => {
                let computes = ["case", "not"].iter().any(|word| first.is_word(self.text, word));
                !computes
                    && !self.pieces.get(self.at + 1).is_some_and(|next| {
                        matches!(next.kind, TokenKind::OpenParenthesis | TokenKind::Operator)
                    })
            }
            _ => is_number && matches!(behind, None | Some(TokenKind::Comma | TokenKind::CloseParenthesis)),
        }
    }

    /// An expression; a single draw between constants is a source of its own.
    fn computed(&mut self) -> Result<ParameterSource, SourceError> {
        let expression = self.expression(0)?;
        let ExpressionNode::Apply(function, arguments) = &expression.node else {
            return Ok(ParameterSource::Expression(self.text.to_owned(), expression));
        };
        let nodes: Vec<&ExpressionNode> = arguments.iter().map(|argument| &argument.node).collect();
        match (function, nodes.as_slice()) {
            (Function::Random, [ExpressionNode::Integer(low), ExpressionNode::Integer(high)]) => {
                Ok(ParameterSource::Range(*low, *high))
            }
            (
                Function::RandomZipfian,
                [ExpressionNode::Integer(low), ExpressionNode::Integer(high), ExpressionNode::Real(exponent)],
            ) => Ok(ParameterSource::Zipf(*low, *high, *exponent)),
            _ => Ok(ParameterSource::Expression(self.text.to_owned(), expression)),
        }
    }

    fn call(&mut self, name: Token) -> Result<ParameterSource, SourceError> {
        let function = name.text(self.text).to_lowercase();
        let Some((_, example)) = FUNCTIONS.iter().find(|(known, _)| *known == function) else {
            let known = FUNCTIONS.iter().map(|(known, _)| *known).chain(expression::names());
            let help = match nearest(&function, known) {
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("known sources: {}", names()),
            };
            return Err(self.error(name, &format!("unknown source `{function}`"), &help));
        };
        let help = format!("write `{example}`");
        self.at += 2;
        let start = name.start;
        let source = match function.as_str() {
            "sample" => ParameterSource::Sample(self.column(&help)?),
            "common" => ParameterSource::Common(self.column(&help)?),
            "rare" => ParameterSource::Rare(self.column(&help)?),
            "absent" => ParameterSource::Absent(self.column(&help)?),
            "range" => {
                let (low, high) = self.bounds(start, &help)?;
                ParameterSource::Range(low, high)
            }
            "zipf" => self.zipf(start, &help)?,
            "normal" => self.normal(start, &help)?,
            "one_of" => self.one_of(start, &help)?,
            "dates" => self.dates(start, &help)?,
            _ => self.list(start, &help)?,
        };
        self.expect(TokenKind::CloseParenthesis, "`)`", &help)?;
        Ok(source)
    }

    fn bounds(&mut self, start: usize, help: &str) -> Result<(i64, i64), SourceError> {
        let low = self.whole(help)?;
        self.expect(TokenKind::Comma, "`,`", help)?;
        let high = self.whole(help)?;
        if low > high {
            return Err(self.error_since(start, &format!("{low} is above {high}"), help));
        }
        Ok((low, high))
    }

    fn zipf(&mut self, start: usize, help: &str) -> Result<ParameterSource, SourceError> {
        let (low, high) = self.bounds(start, help)?;
        let mut exponent = 1.0;
        if self.take(TokenKind::Comma).is_some() {
            exponent = self.number(help)?;
        }
        if exponent <= 0.0 || exponent > 10.0 {
            return Err(self.error_since(start, "the exponent is not within 0 and 10", help));
        }
        Ok(ParameterSource::Zipf(low, high, exponent))
    }

    fn normal(&mut self, start: usize, help: &str) -> Result<ParameterSource, SourceError> {
        let mean = self.number(help)?;
        self.expect(TokenKind::Comma, "`,`", help)?;
        let deviation = self.number(help)?;
        if deviation < 0.0 {
            return Err(self.error_since(start, "the deviation is below 0", help));
        }
        Ok(ParameterSource::Normal(mean, deviation))
    }

    fn one_of(&mut self, start: usize, help: &str) -> Result<ParameterSource, SourceError> {
        let mut items = Vec::new();
        let mut weighted = 0;
        loop {
            let value = self.literal(help)?;
            let mut weight = 1.0;
            if self.take(TokenKind::Colon).is_some() {
                weight = self.number(help)?;
                weighted += 1;
                if weight < 0.0 {
                    return Err(self.error_since(start, "a weight is below 0", help));
                }
            }
            items.push((value, weight));
            if self.take(TokenKind::Comma).is_none() {
                break;
            }
        }
        if weighted != 0 && weighted != items.len() {
            return Err(self.error_since(start, "some values have a weight and some have none", help));
        }
        if items.iter().map(|(_, weight)| weight).sum::<f64>() <= 0.0 {
            return Err(self.error_since(start, "the weights sum to 0", help));
        }
        Ok(ParameterSource::OneOf(items))
    }

    fn dates(&mut self, start: usize, help: &str) -> Result<ParameterSource, SourceError> {
        let from = self.date(help)?;
        self.expect(TokenKind::Comma, "`,`", help)?;
        let to = self.date(help)?;
        if from.1 >= to.1 {
            return Err(self.error_since(start, &format!("{} is not before {}", from.0, to.0), help));
        }
        Ok(ParameterSource::Dates(from.0, to.0))
    }

    /// A date or timestamp in quotes, with its instant in microseconds since 1970 UTC.
    fn date(&mut self, help: &str) -> Result<(String, i64), SourceError> {
        let Some(token) = self.take(TokenKind::String) else {
            return Err(self.unexpected("a date in quotes", help));
        };
        let text = string_value(token.text(self.text)).trim().to_owned();
        match instant_us(&text) {
            Some(instant) => Ok((text, instant)),
            None => {
                let message = format!("`{text}` is neither a date nor a timestamp");
                Err(self.error(token, &message, "write `2024-01-31` or `2024-01-31 12:30:00`, taken as UTC"))
            }
        }
    }

    fn list(&mut self, start: usize, help: &str) -> Result<ParameterSource, SourceError> {
        let inner = self.source()?;
        if matches!(inner, ParameterSource::List(..)) {
            return Err(self.error_since(start, "a list of lists", help));
        }
        if let ParameterSource::Expression(_, expression) = &inner
            && !expression.variables().is_empty()
        {
            return Err(self.error_since(start, "a list of what another parameter decides", help));
        }
        self.expect(TokenKind::Comma, "`,`", help)?;
        let length = self.whole(help)?;
        if !(1..=LIST_LENGTH_MAX).contains(&length) {
            let message = format!("a length of {length} is not within 1 and {LIST_LENGTH_MAX}");
            return Err(self.error_since(start, &message, help));
        }
        Ok(ParameterSource::List(Box::new(inner), u32::try_from(length).unwrap_or(1)))
    }

    /// `table.column` or `schema.table.column`.
    fn column(&mut self, help: &str) -> Result<ColumnReference, SourceError> {
        let start = self.pieces.get(self.at).map_or(self.text.len(), |token| token.start);
        let mut parts = Vec::new();
        loop {
            let part = match self.pieces.get(self.at) {
                Some(token) if token.kind == TokenKind::Word => token.text(self.text).to_lowercase(),
                Some(token) if token.kind == TokenKind::QuotedIdentifier => {
                    token.text(self.text).trim_matches('"').replace("\"\"", "\"")
                }
                _ => return Err(self.unexpected("a column", help)),
            };
            self.at += 1;
            parts.push(part);
            if self.take(TokenKind::Dot).is_none() {
                break;
            }
        }
        let mut parts = parts.into_iter();
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(table), Some(column), None, None) => Ok(ColumnReference { schema: None, table, column }),
            (Some(schema), Some(table), Some(column), None) => {
                Ok(ColumnReference { schema: Some(schema), table, column })
            }
            _ => Err(self.error_since(start, "not a column with its table", help)),
        }
    }

    /// A value as PostgreSQL's input functions read it.
    fn literal(&mut self, help: &str) -> Result<Literal, SourceError> {
        let Some(token) = self.pieces.get(self.at).copied() else {
            return Err(self.unexpected("a value", help));
        };
        let text = token.text(self.text);
        let value = match token.kind {
            TokenKind::String => Some(string_value(text)),
            TokenKind::Number => Some(text.to_owned()),
            TokenKind::Operator if text == "-" => {
                self.at += 1;
                let Some(number) = self.take(TokenKind::Number) else {
                    return Err(self.unexpected("a number", help));
                };
                return Ok(Some(format!("-{}", number.text(self.text))));
            }
            TokenKind::Word if text.eq_ignore_ascii_case("null") => None,
            // `one_of(paid: 0.9, …)`: a word stands for itself.
            TokenKind::Word => Some(text.to_owned()),
            TokenKind::Unterminated => {
                return Err(self.error(token, "this text never ends", "close the quote"));
            }
            _ => return Err(self.unexpected("a value", help)),
        };
        self.at += 1;
        Ok(value)
    }

    fn number(&mut self, help: &str) -> Result<f64, SourceError> {
        let sign = self.take_minus();
        let Some(token) = self.take(TokenKind::Number) else {
            return Err(self.unexpected("a number", help));
        };
        let number =
            token.text(self.text).replace('_', "").parse::<f64>().ok().filter(|number| number.is_finite());
        number.map(|number| sign * number).ok_or_else(|| self.error(token, "not a number", help))
    }

    fn whole(&mut self, help: &str) -> Result<i64, SourceError> {
        let sign = self.take_minus();
        let Some(token) = self.take(TokenKind::Number) else {
            return Err(self.unexpected("a whole number", help));
        };
        let sign = if sign < 0.0 { "-" } else { "" };
        let digits = token.text(self.text).replace('_', "");
        format!("{sign}{digits}").parse().map_err(|_| self.error(token, "not a whole number", help))
    }

    fn take_minus(&mut self) -> f64 {
        match self.pieces.get(self.at) {
            Some(token) if token.kind == TokenKind::Operator && token.text(self.text) == "-" => {
                self.at += 1;
                -1.0
            }
            _ => 1.0,
        }
    }

    /// The next token.
    pub(super) fn next(&self) -> Option<Token> {
        self.pieces.get(self.at).copied()
    }

    /// Passes it.
    pub(super) fn advance(&mut self) {
        self.at += 1;
    }

    /// Where it begins.
    pub(super) fn place(&self) -> usize {
        self.next().map_or(self.text.trim_end().len(), |token| token.start)
    }

    /// Where the last token read ends.
    pub(super) fn end(&self) -> usize {
        self.at.checked_sub(1).and_then(|at| self.pieces.get(at)).map_or(0, |token| token.end)
    }

    pub(super) fn take(&mut self, kind: TokenKind) -> Option<Token> {
        let token = self.pieces.get(self.at).copied().filter(|token| token.kind == kind)?;
        self.at += 1;
        Some(token)
    }

    pub(super) fn expect(&mut self, kind: TokenKind, what: &str, help: &str) -> Result<Token, SourceError> {
        self.take(kind).ok_or_else(|| self.unexpected(what, help))
    }

    pub(super) fn unexpected(&self, what: &str, help: &str) -> SourceError {
        match self.pieces.get(self.at) {
            Some(token) => {
                let message = format!("expected {what}, found `{}`", token.text(self.text));
                self.error(*token, &message, help)
            }
            None => self.error_at_end(&format!("expected {what}"), help),
        }
    }

    pub(super) fn error(&self, token: Token, message: &str, help: &str) -> SourceError {
        SourceError { span: token.span(), message: message.to_owned(), help: help.to_owned() }
    }

    fn error_at_end(&self, message: &str, help: &str) -> SourceError {
        let end = self.text.trim_end().len();
        SourceError { span: end..end, message: message.to_owned(), help: help.to_owned() }
    }

    /// From `start` to the last token read.
    pub(super) fn error_since(&self, start: usize, message: &str, help: &str) -> SourceError {
        SourceError { span: start..self.end().max(start), message: message.to_owned(), help: help.to_owned() }
    }
}

/// Names of all sources, for a help line.
fn names() -> String {
    FUNCTIONS.iter().map(|(name, _)| *name).chain(["expressions"]).collect::<Vec<_>>().join(", ")
}

/// The value of `'it''s'`; prefixes are taken as written.
fn string_value(text: &str) -> String {
    match text.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')) {
        Some(inner) => inner.replace("''", "'"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn column(table: &str, column: &str) -> ColumnReference {
        ColumnReference { schema: None, table: table.to_owned(), column: column.to_owned() }
    }

    fn check(text: &str, expected: &ParameterSource) {
        assert_eq!(ParameterSource::parse(text).as_ref(), Ok(expected), "{text}");
    }

    #[test]
    fn every_source_is_read() {
        use ParameterSource as Source;
        check("sample(orders.user_id)", &Source::Sample(column("orders", "user_id")));
        check("common( Orders . \"User Id\" )", &Source::Common(column("orders", "User Id")));
        let schema = Some("app".to_owned());
        check("rare(app.orders.id)", &Source::Rare(ColumnReference { schema, ..column("orders", "id") }));
        check("absent(orders.id)", &Source::Absent(column("orders", "id")));
        check("range(-5, 1_000)", &Source::Range(-5, 1000));
        check("zipf(1, 100)", &Source::Zipf(1, 100, 1.0));
        check("zipf(1, 100, 1.1)", &Source::Zipf(1, 100, 1.1));
        check("normal(-1.5, 2)", &Source::Normal(-1.5, 2.0));
        let text = |text: &str| Some(text.to_owned());
        check(
            "one_of(5, -6, 'a''b', null, true)",
            &Source::OneOf(vec![
                (text("5"), 1.0),
                (text("-6"), 1.0),
                (text("a'b"), 1.0),
                (None, 1.0),
                (text("true"), 1.0),
            ]),
        );
        let paid = vec![(text("paid"), 0.9), (text("lost"), 0.1)];
        check("one_of(paid: 0.9, 'lost':0.1)", &Source::OneOf(paid));
        check(
            "dates('2024-01-01', '2026-01-01 12:00')",
            &Source::Dates("2024-01-01".to_owned(), "2026-01-01 12:00".to_owned()),
        );
        check(
            "list(sample(orders.id), 20)",
            &Source::List(Box::new(Source::Sample(column("orders", "id"))), 20),
        );
        check("random(1, 6)", &Source::Range(1, 6));
        check("random_zipfian(1, 6, 1.5)", &Source::Zipf(1, 6, 1.5));
        check("'paid'", &Source::Literal(text("paid")));
        check("-5", &Source::Literal(text("-5")));
        check("NULL", &Source::Literal(None));
    }

    #[test]
    fn what_is_wrong_is_pointed_at() {
        let check = |text: &str, marked: &str, message: &str| {
            let error = ParameterSource::parse(text).expect_err(text);
            assert_eq!((&text[error.span.clone()], error.message.as_str()), (marked, message), "{text}");
            assert!(!error.help.is_empty());
        };
        check("", "", "the source is missing");
        check("smaple(a.b)", "smaple", "unknown source `smaple`");
        check("sample(a)", "a", "not a column with its table");
        check("sample(a.b", "", "expected `)`");
        check("sample()", ")", "expected a column, found `)`");
        check("sample(a.b) + 1", "+", "did not expect this");
        check("1 + ", "", "expected a value");
        check("5 --3", "--3", "this begins a comment");
        check("1 + gaussian(1, 2)", "gaussian", "unknown function `gaussian`");
        check("random(1)", "random(1)", "`random` takes 2, not 1 arguments");
        check("random(7, 2)", "random(7, 2)", "7 is above 2");
        check("1 < 2 < 3", "<", "did not expect this");
        check("case 1 then 2 end", "1", "expected WHEN, found `1`");
        check(
            "random_gaussian(1, 9, 1.5)",
            "random_gaussian(1, 9, 1.5)",
            "the parameter of a distribution is 1.5, and must be at least 2",
        );
        check("list(1 + :id, 3)", "list(1 + :id", "a list of what another parameter decides");
        check(&"(".repeat(99), "(", "expected an expression nested less deeply, found `(`");
        check("range(5, 1)", "range(5, 1", "5 is above 1");
        check("range(1.5, 2)", "1.5", "not a whole number");
        check("zipf(1, 2, 0)", "zipf(1, 2, 0", "the exponent is not within 0 and 10");
        check("one_of(a: 1, b)", "one_of(a: 1, b", "some values have a weight and some have none");
        check("one_of(a: 0)", "one_of(a: 0", "the weights sum to 0");
        check(
            "dates('2024-13-01', '2025-01-01')",
            "'2024-13-01'",
            "`2024-13-01` is neither a date nor a timestamp",
        );
        check(
            "dates('2025-01-01', '2024-01-01')",
            "dates('2025-01-01', '2024-01-01'",
            "2025-01-01 is not before 2024-01-01",
        );
        check("list(sample(a.b), 0)", "list(sample(a.b), 0", "a length of 0 is not within 1 and 10000");
        check("'open", "'open", "this text never ends");
        check("sample(a.b.c.d)", "a.b.c.d", "not a column with its table");
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in r#"(sample|one_of|list|range|dates|random|case|[a-z0-9(),.:'"é%~+ -]){0,16}"#) {
            if let Err(error) = ParameterSource::parse(&text) {
                prop_assert!(text.get(error.span).is_some());
            }
        }
    }
}
