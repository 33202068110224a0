//! What a parameter of a generic plan is compared with. The plan says it in the
//! server's own words: every column with its table, views and aliases resolved.

use crate::plan::Plan;
use crate::project::query::ColumnReference;
use crate::sql::lexer::{Token, TokenKind, tokens};

/// How a parameter takes part in a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// Compared with a column by this operator.
    Column(ColumnReference, String),
    /// Compared with something computed from one table.
    Computed(Computation),
    /// Nothing but put out, or not in the plan at all: its value does not matter.
    Carried,
    /// In an expression that says nothing about its values, as the plan shows it.
    Expression(String),
}

/// What a parameter is compared with that is no column itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Computation {
    /// As the plan shows it, such as `lower(users.email)`.
    pub(super) expression: String,
    /// The alias by which it names the table.
    pub(super) alias: String,
    /// The table's schema, where the plan tells it.
    pub(super) schema: Option<String>,
    /// The table.
    pub(super) table: String,
    /// The columns.
    pub(super) columns: Vec<String>,
    /// Whether the parameter is a pattern of LIKE for it.
    pub(super) is_pattern: bool,
}

/// The part that `$number` takes.
pub(super) fn part(plan: &Plan, number: usize) -> Part {
    let mut elsewhere: Option<String> = None;
    for text in conditions(plan) {
        let condition = Condition::new(text);
        for at in condition.places(number) {
            match condition.comparison(at).and_then(|(alias, column, operator)| {
                Some(Part::Column(reference(plan, &alias, column)?, operator))
            }) {
                Some(found) => return found,
                None => match condition.computation(plan, at) {
                    Some(found) => return Part::Computed(found),
                    None => elsewhere = elsewhere.or_else(|| Some(text.to_owned())),
                },
            }
        }
    }
    match elsewhere.or_else(|| computed(plan, number)) {
        Some(text) => Part::Expression(text),
        None => Part::Carried,
    }
}

/// Names that a plan gives to what subplans return, which before PostgreSQL 17 look like parameters.
pub(super) fn returned_by_subplans(plan: &Plan) -> Vec<String> {
    let names = plan.walk().filter_map(|visit| visit.node.subplan_name.as_deref());
    names
        .filter_map(|name| name.split_once("(returns "))
        .flat_map(|(_, returned)| returned.trim_end_matches(')').split(','))
        .map(|returned| returned.trim().to_owned())
        .collect()
}

/// Everything by which rows are found, kept, joined or called for.
fn conditions(plan: &Plan) -> impl Iterator<Item = &str> {
    plan.walk().flat_map(|visit| visit.node.conditions.iter().map(|condition| condition.text.as_str()))
}

/// Where a parameter is part of something computed: a sort or group key, a column put out.
fn computed(plan: &Plan, number: usize) -> Option<String> {
    let texts = plan.walk().flat_map(|visit| {
        let node = visit.node;
        node.sort_key.iter().chain(&node.group_key).chain(&node.output)
    });
    texts
        .filter(|text| {
            let condition = Condition::new(text);
            !is_alone(text) && condition.places(number).any(|at| !condition.is_fallback(at))
        })
        .min_by_key(|text| text.len())
        .cloned()
}

/// `$1`, `($1)::text`: a value and nothing done to it.
fn is_alone(text: &str) -> bool {
    let condition = Condition::new(text);
    condition.is_value(&condition.pieces)
}

/// The table's column behind `alias.column`.
fn reference(plan: &Plan, alias: &str, column: String) -> Option<ColumnReference> {
    let scan = plan.walk().map(|visit| visit.node).find(|node| node.alias.as_deref() == Some(alias))?;
    Some(ColumnReference { schema: scan.schema.clone(), table: scan.relation.clone()?, column })
}

/// One condition of a plan, as tokens.
struct Condition<'a> {
    text: &'a str,
    pieces: Vec<Token>,
}

/// LIKE and ILIKE, and neither.
const PATTERNS: [&str; 4] = ["~~", "~~*", "!~~", "!~~*"];

const COMPARISONS: [&str; 6] = ["=", "<>", "<", ">", "<=", ">="];

impl<'a> Condition<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, pieces: tokens(text).filter(|token| !token.kind.is_trivia()).collect() }
    }

    fn places(&self, number: usize) -> impl Iterator<Item = usize> {
        let wanted = format!("${number}");
        self.pieces
            .iter()
            .enumerate()
            .filter(move |(_, token)| {
                token.kind == TokenKind::PositionalParameter && token.text(self.text) == wanted
            })
            .map(|(at, _)| at)
    }

    /// An argument of COALESCE: what stands in for NULL costs the same whatever it is.
    fn is_fallback(&self, at: usize) -> bool {
        let (start, _) = self.enclosing(at);
        let function = start.checked_sub(2).map(|function| &self.pieces[function]);
        function.is_some_and(|function| function.is_word(self.text, "coalesce"))
    }

    /// Alias, column and operator of the comparison that the piece `at` is the value of.
    fn comparison(&self, at: usize) -> Option<(String, String, String)> {
        let (column, name) = self.other_side(at)?;
        let (alias, column) = self.column(column).filter(|_| COMPARISONS.contains(&name))?;
        Some((alias, column, name.to_owned()))
    }

    /// What the piece `at` is compared with, and the operator; `at` is a value to which nothing is done.
    fn other_side(&self, at: usize) -> Option<(&[Token], &str)> {
        let mut inside = at;
        // From the innermost parentheses outwards, to the first with an operator of their own.
        let (start, end, operator) = loop {
            let (start, end) = self.enclosing(inside);
            if let Some(operator) = self.own_operator(start, end) {
                break (start, end, operator);
            }
            inside = start.checked_sub(1)?;
        };
        let (left, right) = (&self.pieces[start..operator], &self.pieces[operator + 1..end]);
        let (other, value) = if at > operator { (left, right) } else { (right, left) };
        self.is_value(value).then(|| (other, self.pieces[operator].text(self.text)))
    }

    /// What the piece `at` is compared with, computed from columns of one table and constants.
    fn computation(&self, plan: &Plan, at: usize) -> Option<Computation> {
        let (other, name) = self.other_side(at)?;
        let is_pattern = PATTERNS.contains(&name);
        let has_parameter = other.iter().any(|token| token.kind == TokenKind::PositionalParameter);
        if has_parameter || !is_pattern && !COMPARISONS.contains(&name) {
            return None;
        }
        let mut columns = Vec::new();
        let mut aliases = Vec::new();
        for triple in other.windows(3) {
            if let [alias, dot, column] = triple
                && is_name(alias)
                && dot.kind == TokenKind::Dot
                && is_name(column)
            {
                aliases.push(self.name(alias));
                columns.push(self.name(column));
            }
        }
        aliases.dedup();
        let ([alias], Some(first), Some(last)) = (aliases.as_slice(), other.first(), other.last()) else {
            return None;
        };
        let ColumnReference { schema, table, .. } = reference(plan, alias, String::new())?;
        let expression = self.text.get(first.start..last.end)?.to_owned();
        Some(Computation { expression, alias: alias.clone(), schema, table, columns, is_pattern })
    }

    /// The pieces between the parentheses around `at`; all of them where there are none.
    fn enclosing(&self, at: usize) -> (usize, usize) {
        let side = |kind| move |token: &Token| token.kind == kind;
        let opens = side(TokenKind::OpenParenthesis);
        let closes = side(TokenKind::CloseParenthesis);
        let mut depth = 0_usize;
        let mut start = 0;
        for place in (0..at).rev() {
            if closes(&self.pieces[place]) {
                depth += 1;
            } else if opens(&self.pieces[place]) {
                if depth == 0 {
                    start = place + 1;
                    break;
                }
                depth -= 1;
            }
        }
        let mut depth = 0_usize;
        let mut end = self.pieces.len();
        for place in start..self.pieces.len() {
            if opens(&self.pieces[place]) {
                depth += 1;
            } else if closes(&self.pieces[place]) {
                if depth == 0 {
                    end = place;
                    break;
                }
                depth -= 1;
            }
        }
        (start, end)
    }

    /// The only operator of a range that is in none of its parentheses.
    fn own_operator(&self, start: usize, end: usize) -> Option<usize> {
        let mut depth = 0_usize;
        let mut found = None;
        for at in start..end {
            match self.pieces[at].kind {
                TokenKind::OpenParenthesis => depth += 1,
                TokenKind::CloseParenthesis => depth = depth.saturating_sub(1),
                TokenKind::Operator if depth == 0 && found.is_some() => return None,
                TokenKind::Operator if depth == 0 => found = Some(at),
                _ => {}
            }
        }
        found
    }

    /// Alias and name of a column, cast or not, and nothing done to it.
    fn column(&self, pieces: &[Token]) -> Option<(String, String)> {
        let open = pieces.iter().take_while(|token| token.kind == TokenKind::OpenParenthesis).count();
        let [alias, dot, column, rest @ ..] = pieces.get(open..)? else { return None };
        let is_column = is_name(alias) && dot.kind == TokenKind::Dot && is_name(column);
        (is_column && self.is_tail(rest)).then(|| (self.name(alias), self.name(column)))
    }

    /// Closing parentheses and casts.
    fn is_tail(&self, pieces: &[Token]) -> bool {
        let first = pieces.iter().find(|token| token.kind != TokenKind::CloseParenthesis);
        first.is_none_or(|token| token.kind == TokenKind::Cast)
            && !pieces.iter().any(|token| token.kind == TokenKind::Operator)
            && !self.calls(pieces)
    }

    /// Parameters and constants, alone or listed, cast or not, and nothing done to them.
    fn is_value(&self, pieces: &[Token]) -> bool {
        let is_plain = pieces.iter().all(|token| {
            matches!(
                token.kind,
                TokenKind::PositionalParameter
                    | TokenKind::OpenParenthesis
                    | TokenKind::CloseParenthesis
                    | TokenKind::OpenBracket
                    | TokenKind::CloseBracket
                    | TokenKind::Comma
                    | TokenKind::Cast
                    | TokenKind::Number
                    | TokenKind::String
                    | TokenKind::Word
            )
        });
        is_plain && !self.calls(pieces)
    }

    /// Whether a function is called: a word before a parenthesis that is not the quantifier of a
    /// list or the length of a type.
    fn calls(&self, pieces: &[Token]) -> bool {
        let mut is_type = false;
        pieces.windows(2).any(|pair| {
            is_type = pair[0].kind == TokenKind::Cast || is_type && pair[0].kind == TokenKind::Word;
            let is_quantifier = ["any", "all"].iter().any(|word| pair[0].is_word(self.text, word));
            pair[0].kind == TokenKind::Word
                && pair[1].kind == TokenKind::OpenParenthesis
                && !is_type
                && !is_quantifier
        })
    }

    fn name(&self, token: &Token) -> String {
        let text = token.text(self.text);
        match token.kind {
            TokenKind::QuotedIdentifier => text.trim_matches('"').replace("\"\"", "\""),
            _ => text.to_owned(),
        }
    }
}

fn is_name(token: &Token) -> bool {
    matches!(token.kind, TokenKind::Word | TokenKind::QuotedIdentifier)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(condition: &str) -> Plan {
        let text = format!(
            r#"[{{"Plan": {{"Node Type": "Seq Scan", "Relation Name": "Orders", "Schema": "app", "Alias": "o",
                "Output": ["o.id", "$7", "($8)::text", "(o.id + $9)", "COALESCE(sum(o.total), $6)"], "Filter": {condition:?}}}}}]"#
        );
        Plan::parse(&text).unwrap()
    }

    fn check(condition: &str, expected: Option<(&str, &str)>) {
        let found = match part(&plan(condition), 1) {
            Part::Column(reference, operator) => Some((reference, operator)),
            _ => None,
        };
        let expected = expected.map(|(column, operator)| {
            let schema = Some("app".to_owned());
            let reference = ColumnReference { schema, table: "Orders".to_owned(), column: column.to_owned() };
            (reference, operator.to_owned())
        });
        assert_eq!(found, expected, "{condition}");
    }

    #[test]
    fn a_column_compared_is_found_however_it_is_written() {
        check("(o.user_id = $1)", Some(("user_id", "=")));
        check("($1 > o.total)", Some(("total", ">")));
        check("((o.status)::text = $1)", Some(("status", "=")));
        check("((o.total > '5'::numeric) AND (o.\"User Id\" >= ($1)::bigint))", Some(("User Id", ">=")));
        check("(o.id = ANY ($1))", Some(("id", "=")));
        check("(o.id = ANY (ARRAY[$2, $1, 3]))", Some(("id", "=")));
        check("((o.code)::character varying(3) <> ($1)::text)", Some(("code", "<>")));
        check("((o.paid AND (o.id = $2)) OR (NOT (o.id = $1)))", Some(("id", "=")));
    }

    #[test]
    fn what_says_nothing_about_the_values_is_no_comparison() {
        for condition in [
            "(o.status ~ $1)",
            "(o.status ~~ ('%'::text || $1))",
            "(x.status ~~ $1)",
            "(o.id = ($1 + 1))",
            "((o.id + $1) = 5)",
            "(lower('x'::text) = $1)",
            "(o.id = abs($1))",
            "(o.tags @> $1)",
            "(o.id = COALESCE($2, $1))",
            "((o.id = o.user_id) AND $1)",
            "(x.id = $1)",
            "(o.created_at > (now() - $1))",
        ] {
            check(condition, None);
            assert_eq!(part(&plan(condition), 1), Part::Expression(condition.to_owned()));
        }
    }

    #[test]
    fn what_is_computed_from_one_table_is_found() {
        for (condition, expression, is_pattern) in [
            ("(o.status ~~ $1)", "o.status", true),
            ("((o.status)::text ~~* ($1)::text)", "(o.status)::text", true),
            ("(lower(o.status) = $1)", "lower(o.status)", false),
            ("($1 <= date_trunc('day'::text, o.created_at))", "date_trunc('day'::text, o.created_at)", false),
        ] {
            let Part::Computed(found) = part(&plan(condition), 1) else { panic!("{condition}") };
            assert_eq!((found.expression.as_str(), found.is_pattern), (expression, is_pattern));
            assert_eq!((found.alias.as_str(), found.table.as_str()), ("o", "Orders"));
            assert_eq!(found.columns.len(), 1);
        }
    }

    #[test]
    fn what_is_only_put_out_needs_no_particular_value() {
        let plan = plan("(o.id = 1)");
        assert_eq!(part(&plan, 6), Part::Carried);
        assert_eq!(part(&plan, 7), Part::Carried);
        assert_eq!(part(&plan, 8), Part::Carried);
        assert_eq!(part(&plan, 1), Part::Carried);
        assert_eq!(part(&plan, 9), Part::Expression("(o.id + $9)".to_owned()));
    }
}
