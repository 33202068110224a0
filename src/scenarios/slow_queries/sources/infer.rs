//! From a statement with `$n` to a query with declared parameters, or the
//! reason why there is none. Pure: the plan is given.

use super::compared::{Computation, Part, part, returned_by_subplans};
use crate::plan::Plan;
use crate::postgres::GenericPlan;
use crate::project::query::{Parameter, ParameterSource};
use crate::sql::lexer::{Token, TokenKind, tokens};
use crate::sql::parameters::named_parameters;

/// Values of a list whose length nobody recorded.
const LIST_LENGTH: u32 = 10;

/// A statement that can be given parameters.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Inferred {
    /// With `:name` for each `$n`.
    pub(super) sql: String,
    /// In the order of their numbers.
    pub(super) parameters: Vec<Parameter>,
    /// Positions of parameters that are the lower and the upper end of one range.
    pub(super) ranges: Vec<(usize, usize)>,
    /// Positions of parameters whose values the server has to compute first.
    pub(super) computed: Vec<(usize, Computation)>,
}

/// What else is known of a statement.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    /// Its text with `$n`.
    pub(super) sql: &'a str,
    /// Rows of a call, on average: what a LIMIT is set to.
    pub(super) rows_per_call: f64,
    /// Whether it writes: then what is put out is what is written.
    pub(super) writes: bool,
}

/// Says where the values of every parameter come from.
///
/// # Errors
/// The reason why one has none, as a phrase.
pub(super) fn infer(known: Known<'_>, generic: &GenericPlan) -> Result<Inferred, String> {
    if named_parameters(known.sql).next().is_some() {
        return Err("its text holds a colon that would be read as a parameter".into());
    }
    let ambiguous = returned_by_subplans(&generic.plan);
    let mut parameters: Vec<Parameter> = Vec::new();
    let mut ends: Vec<(usize, Option<bool>)> = Vec::new();
    let mut computed: Vec<(usize, Computation)> = Vec::new();
    for (index, kind) in generic.parameter_types.iter().enumerate() {
        let number = index + 1;
        if ambiguous.contains(&format!("${number}")) {
            return Err(format!("its plan does not tell ${number} from what a subquery returns"));
        }
        let (name, source) = match part(&generic.plan, number) {
            Part::Computed(computation) if !kind.starts_with('_') => {
                let name =
                    computation.columns.first().map_or("value".to_owned(), |name| parameter_name(name));
                computed.push((index, computation));
                // Until the values are known.
                (name, ParameterSource::Literal(None))
            }
            _ => source(known, &generic.plan, number, kind)?,
        };
        ends.push((index, end(&generic.plan, number)));
        parameters.push(Parameter { name: unique(name, &parameters), source, line: 0 });
    }
    Ok(Inferred {
        sql: with_names(known.sql, &parameters)
            .ok_or("its parameters are not numbered as the server does")?,
        ranges: ranges(&parameters, &ends),
        parameters,
        computed,
    })
}

fn source(
    known: Known<'_>,
    plan: &Plan,
    number: usize,
    kind: &str,
) -> Result<(String, ParameterSource), String> {
    match row_count(known.sql, number) {
        Some("limit") => {
            let limit = known.rows_per_call.ceil().max(1.0);
            return Ok(("limit".into(), ParameterSource::Literal(Some(format!("{limit:.0}")))));
        }
        Some(_) => return Ok(("offset".into(), ParameterSource::Literal(Some("0".into())))),
        None => {}
    }
    match part(plan, number) {
        Part::Column(reference, _) => {
            let name = parameter_name(&reference.column);
            let sample = ParameterSource::Sample(reference);
            Ok(if kind.starts_with('_') {
                (format!("{name}_list"), ParameterSource::List(Box::new(sample), LIST_LENGTH))
            } else {
                (name, sample)
            })
        }
        Part::Carried if known.writes => {
            Err(format!("${number} ({kind}) is written, and which values are written is not known"))
        }
        Part::Carried => match any_value(kind) {
            Some(value) => Ok(("value".into(), ParameterSource::Literal(Some(value.into())))),
            None => Err(format!("no value of type {kind} is known for ${number}")),
        },
        Part::Computed(Computation { expression: text, .. }) | Part::Expression(text) => {
            Err(format!("${number} ({kind}) is not compared with a column but part of {}", cut(&text)))
        }
    }
}

/// Whether a parameter is the lower end of a range (`>`), the upper one, or none.
fn end(plan: &Plan, number: usize) -> Option<bool> {
    match part(plan, number) {
        Part::Column(_, operator) if operator.starts_with('>') => Some(true),
        Part::Column(_, operator) if operator == "<" || operator == "<=" => Some(false),
        _ => None,
    }
}

/// Ends of ranges over the same column, in pairs as they come.
fn ranges(parameters: &[Parameter], ends: &[(usize, Option<bool>)]) -> Vec<(usize, usize)> {
    let mut uppers: Vec<usize> =
        ends.iter().filter(|(_, end)| *end == Some(false)).map(|(index, _)| *index).collect();
    let mut pairs = Vec::new();
    for (low, _) in ends.iter().filter(|(_, end)| *end == Some(true)) {
        let same = |high: &usize| parameters[*high].source == parameters[*low].source;
        if let Some(at) = uppers.iter().position(same) {
            pairs.push((*low, uppers.remove(at)));
        }
    }
    pairs
}

/// `limit` or `offset` where that is what `$number` says.
fn row_count(sql: &str, number: usize) -> Option<&'static str> {
    let pieces: Vec<Token> = tokens(sql).filter(|token| !token.kind.is_trivia()).collect();
    let wanted = format!("${number}");
    let at = pieces.iter().position(|token| token.text(sql) == wanted)?;
    let before = pieces.get(at.checked_sub(1)?)?;
    let is_before = |word: &str| before.is_word(sql, word);
    let is_fetch = (is_before("first") || is_before("next"))
        && at.checked_sub(2).is_some_and(|fetch| pieces[fetch].is_word(sql, "fetch"));
    if is_before("limit") || is_fetch { Some("limit") } else { is_before("offset").then_some("offset") }
}

/// A value for what is only put out.
fn any_value(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "int2" | "int4" | "int8" | "numeric" | "float4" | "float8" | "oid" => "1",
        "text" | "varchar" | "bpchar" | "name" | "unknown" => "x",
        "bool" => "true",
        "date" | "timestamp" | "timestamptz" => "2024-01-01",
        "interval" => "1 day",
        "json" | "jsonb" => "{}",
        _ => return None,
    })
}

fn unique(name: String, taken: &[Parameter]) -> String {
    let is_free = |name: &str| taken.iter().all(|parameter| parameter.name != name);
    if is_free(&name) {
        return name;
    }
    (2..).map(|suffix| format!("{name}_{suffix}")).find(|name| is_free(name)).unwrap_or(name)
}

/// The statement with `:name` for each `$n`.
pub(super) fn with_names(sql: &str, parameters: &[Parameter]) -> Option<String> {
    let mut text = String::with_capacity(sql.len());
    let mut copied = 0;
    for token in tokens(sql).filter(|token| token.kind == TokenKind::PositionalParameter) {
        let number: usize = token.text(sql).get(1..)?.parse().ok()?;
        text.push_str(&sql[copied..token.start]);
        text.push(':');
        text.push_str(&parameters.get(number.checked_sub(1)?)?.name);
        copied = token.end;
    }
    text.push_str(&sql[copied..]);
    Some(text.trim().trim_end_matches(';').to_owned())
}

/// Letters, digits and `_`, beginning with a letter.
pub(super) fn parameter_name(name: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    let plain: String = name.chars().map(letter).collect();
    if plain.starts_with(|first: char| first.is_ascii_alphabetic()) { plain } else { format!("p{plain}") }
}

/// A text that fits a line.
pub(super) fn cut(text: &str) -> String {
    const LENGTH: usize = 120;
    match text.char_indices().nth(LENGTH) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generic(condition: &str, types: &[&str]) -> GenericPlan {
        let text = format!(
            r#"[{{"Plan": {{"Node Type": "Seq Scan", "Relation Name": "orders", "Schema": "public",
                "Alias": "orders", "Filter": {condition:?}}}}}]"#
        );
        let parameter_types = types.iter().map(|kind| (*kind).to_owned()).collect();
        GenericPlan { plan: Plan::parse(&text).unwrap(), parameter_types }
    }

    #[test]
    fn every_parameter_gets_a_name_and_a_source() {
        let sql = "SELECT id, $4 FROM orders WHERE created_at BETWEEN $1 AND $2 AND id = ANY($3) LIMIT $5 OFFSET $6;";
        let condition =
            "((orders.created_at >= $1) AND (orders.created_at <= $2) AND (orders.id = ANY ($3)))";
        let types = ["date", "date", "_int4", "text", "int8", "int8"];
        let known = Known { sql, rows_per_call: 19.2, writes: false };
        let inferred = infer(known, &generic(condition, &types)).unwrap();
        assert_eq!(
            inferred.sql,
            "SELECT id, :value FROM orders WHERE created_at BETWEEN :created_at AND :created_at_2 AND id = ANY(:id_list) LIMIT :limit OFFSET :offset"
        );
        assert_eq!(inferred.ranges, [(0, 1)]);
        let literal = |index: usize| match &inferred.parameters[index].source {
            ParameterSource::Literal(value) => value.clone().unwrap(),
            other => panic!("{other:?}"),
        };
        assert_eq!((literal(3).as_str(), literal(4).as_str(), literal(5).as_str()), ("x", "20", "0"));
        assert!(matches!(inferred.parameters[2].source, ParameterSource::List(_, LIST_LENGTH)));
    }

    #[test]
    fn the_reason_names_the_parameter_and_its_place() {
        let known = Known { sql: "SELECT FROM orders WHERE status ~ $1", rows_per_call: 1.0, writes: false };
        assert_eq!(
            infer(known, &generic("(orders.status ~ $1)", &["text"])).unwrap_err(),
            "$1 (text) is not compared with a column but part of (orders.status ~ $1)"
        );
        let known = Known { sql: "SELECT FROM orders WHERE status LIKE $1", ..known };
        let inferred = infer(known, &generic("(orders.status ~~ $1)", &["text"])).unwrap();
        assert_eq!(inferred.sql, "SELECT FROM orders WHERE status LIKE :status");
        assert!(matches!(inferred.computed.as_slice(), [(0, found)] if found.is_pattern));
    }
}
