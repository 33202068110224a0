//! Expressions as pgbench has them: `1 + :id % 7`, `abs(:a - 5)`,
//! `random_gaussian(1, 1000, 2.5)`. Names, precedence and meaning are those of
//! pgbench's page; `permute` and `debug` are not known here.

use super::source::{Reader, SourceError};
use crate::sql::lexer::{Token, TokenKind};
use std::ops::Range;

/// An expression, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression {
    /// What it is.
    pub node: ExpressionNode,
    /// Where it stands in the source's text.
    pub span: Range<usize>,
}

/// What an expression is.
#[derive(Debug, Clone, PartialEq)]
pub enum ExpressionNode {
    /// A whole number.
    Integer(i64),
    /// Another number.
    Real(f64),
    /// `true` or `false`.
    Boolean(bool),
    /// `:name`: the value of another parameter of the query in the same set.
    Variable(String),
    /// A function or an operator.
    Apply(Function, Vec<Expression>),
    /// `CASE WHEN … THEN … ELSE … END`: conditions with their values, then the value otherwise.
    Case(Vec<(Expression, Expression)>, Option<Box<Expression>>),
}

/// A function or an operator, by its name in pgbench.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as pgbench names them")]
pub enum Function {
    Or,
    And,
    Not,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    BitOr,
    BitXor,
    BitAnd,
    ShiftLeft,
    ShiftRight,
    BitNot,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Negate,
    Abs,
    Double,
    Exp,
    Greatest,
    HashFnv1a,
    HashMurmur2,
    Int,
    Least,
    Ln,
    Pi,
    Power,
    Random,
    RandomExponential,
    RandomGaussian,
    RandomZipfian,
    Sqrt,
}

/// Name, function, fewest and most arguments, an example.
type Known = (&'static str, Function, usize, usize, &'static str);

const ANY: usize = usize::MAX;

/// Every function that is called by name.
const FUNCTIONS: [Known; 20] = [
    ("abs", Function::Abs, 1, 1, "abs(-17)"),
    ("double", Function::Double, 1, 1, "double(5432)"),
    ("exp", Function::Exp, 1, 1, "exp(1.0)"),
    ("greatest", Function::Greatest, 1, ANY, "greatest(5, 4, 3)"),
    ("hash", Function::HashMurmur2, 1, 2, "hash(:id, 5432)"),
    ("hash_fnv1a", Function::HashFnv1a, 1, 2, "hash_fnv1a(:id, 5432)"),
    ("hash_murmur2", Function::HashMurmur2, 1, 2, "hash_murmur2(:id, 5432)"),
    ("int", Function::Int, 1, 1, "int(5.4 + 3.8)"),
    ("least", Function::Least, 1, ANY, "least(5, 4, 3)"),
    ("ln", Function::Ln, 1, 1, "ln(2.7)"),
    ("mod", Function::Modulo, 2, 2, "mod(54, 32)"),
    ("pi", Function::Pi, 0, 0, "pi()"),
    ("pow", Function::Power, 2, 2, "pow(2.0, 10)"),
    ("power", Function::Power, 2, 2, "power(2.0, 10)"),
    ("random", Function::Random, 2, 2, "random(1, 1000)"),
    ("random_exponential", Function::RandomExponential, 3, 3, "random_exponential(1, 1000, 3.0)"),
    ("random_gaussian", Function::RandomGaussian, 3, 3, "random_gaussian(1, 1000, 2.5)"),
    ("random_zipfian", Function::RandomZipfian, 3, 3, "random_zipfian(1, 1000, 1.5)"),
    ("sqrt", Function::Sqrt, 1, 1, "sqrt(2.0)"),
    ("case", Function::Not, 0, 0, ""),
];

/// Whether a call of this name is one of an expression.
pub(super) fn is_function(name: &str) -> bool {
    names().any(|known| known == name)
}

/// Names of all functions.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|(name, ..)| *name).filter(|name| *name != "case")
}

/// Operators between two values, the loosest first; those of one level group from the left.
const LEVELS: [&[(&str, Function)]; 6] = [
    &[("or", Function::Or)],
    &[("and", Function::And)],
    &[
        ("=", Function::Equal),
        ("<>", Function::NotEqual),
        ("!=", Function::NotEqual),
        ("<", Function::Less),
        ("<=", Function::LessEqual),
        (">", Function::Greater),
        (">=", Function::GreaterEqual),
    ],
    &[
        ("|", Function::BitOr),
        ("#", Function::BitXor),
        ("&", Function::BitAnd),
        ("<<", Function::ShiftLeft),
        (">>", Function::ShiftRight),
    ],
    &[("+", Function::Add), ("-", Function::Subtract)],
    &[("*", Function::Multiply), ("/", Function::Divide), ("%", Function::Modulo)],
];
/// `NOT` binds tighter than `AND` and looser than comparisons.
const COMPARISONS: usize = 2;
/// Deeper nesting is nobody's intention, and would exhaust the stack.
const DEPTH_MAX: usize = 50;

const HELP: &str = "write an expression such as `1 + :id % 7` or `random(1, 1000)`";

impl Reader<'_> {
    /// An expression, as far as it goes.
    pub(super) fn expression(&mut self, depth: usize) -> Result<Expression, SourceError> {
        self.level(0, depth)
    }

    fn level(&mut self, level: usize, depth: usize) -> Result<Expression, SourceError> {
        let Some(operators) = LEVELS.get(level) else { return self.unary(depth) };
        if level == COMPARISONS && self.next_is("not") {
            let start = self.place();
            self.advance();
            let inner = self.level(level, self.deeper(depth)?)?;
            return Ok(apply(Function::Not, start, vec![inner]));
        }
        let mut left = self.level(level + 1, depth)?;
        while let Some(function) = self.operator_of(operators) {
            self.advance();
            let right = self.level(level + 1, depth)?;
            let start = left.span.start;
            left = apply(function, start, vec![left, right]);
            if level == COMPARISONS {
                break;
            }
        }
        Ok(left)
    }

    fn operator_of(&self, operators: &[(&str, Function)]) -> Option<Function> {
        operators.iter().find(|(name, _)| self.next_is(name)).map(|(_, function)| *function)
    }

    fn unary(&mut self, depth: usize) -> Result<Expression, SourceError> {
        let depth = self.deeper(depth)?;
        let start = self.place();
        for (sign, function) in [("-", Some(Function::Negate)), ("+", None), ("~", Some(Function::BitNot))] {
            if self.next_is(sign) {
                self.advance();
                // As in pgbench, `~` takes in the sums behind it.
                let inner = if sign == "~" { self.level(4, depth)? } else { self.unary(depth)? };
                return Ok(match (function, &inner.node) {
                    (None, _) => inner,
                    (Some(Function::Negate), ExpressionNode::Integer(value)) => Expression {
                        node: ExpressionNode::Integer(value.wrapping_neg()),
                        span: start..inner.span.end,
                    },
                    (Some(function), _) => apply(function, start, vec![inner]),
                });
            }
        }
        self.primary(depth)
    }

    fn primary(&mut self, depth: usize) -> Result<Expression, SourceError> {
        let Some(token) = self.next() else { return Err(self.unexpected("a value", HELP)) };
        let text = token.text(self.text).to_owned();
        let leaf = |node| Ok(Expression { node, span: token.span() });
        match token.kind {
            TokenKind::Number => {
                let node = self.number_of(token, &text)?;
                self.advance();
                leaf(node)
            }
            TokenKind::NamedParameter => {
                self.advance();
                leaf(ExpressionNode::Variable(text.trim_start_matches(':').trim_matches('\'').to_owned()))
            }
            TokenKind::OpenParenthesis => {
                self.advance();
                let mut inner = self.expression(depth)?;
                let end = self.expect(TokenKind::CloseParenthesis, "`)`", HELP)?.end;
                inner.span = token.start..end;
                Ok(inner)
            }
            TokenKind::Word => match text.to_lowercase().as_str() {
                "true" | "false" => {
                    self.advance();
                    leaf(ExpressionNode::Boolean(text.eq_ignore_ascii_case("true")))
                }
                "case" => self.case(depth),
                name => self.application(token, name, depth),
            },
            _ => Err(self.unexpected("a value", HELP)),
        }
    }

    fn number_of(&self, token: Token, text: &str) -> Result<ExpressionNode, SourceError> {
        let digits = text.replace('_', "");
        if let Ok(whole) = digits.parse() {
            return Ok(ExpressionNode::Integer(whole));
        }
        let real = digits.parse::<f64>().ok().filter(|real| real.is_finite());
        real.map(ExpressionNode::Real).ok_or_else(|| self.error(token, "not a number", HELP))
    }

    fn application(&mut self, token: Token, name: &str, depth: usize) -> Result<Expression, SourceError> {
        let Some((_, function, fewest, most, example)) =
            FUNCTIONS.iter().find(|(known, ..)| *known == name && *known != "case")
        else {
            let help = match crate::project::nearest::nearest(name, names()) {
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("known functions: {}", names().collect::<Vec<_>>().join(", ")),
            };
            return Err(self.error(token, &format!("unknown function `{name}`"), &help));
        };
        let help = format!("write `{example}`");
        self.advance();
        self.expect(TokenKind::OpenParenthesis, "`(`", &help)?;
        let mut arguments = Vec::new();
        if self.next().is_some_and(|next| next.kind != TokenKind::CloseParenthesis) {
            arguments.push(self.expression(depth)?);
            while self.take(TokenKind::Comma).is_some() {
                arguments.push(self.expression(depth)?);
            }
        }
        self.expect(TokenKind::CloseParenthesis, "`)`", &help)?;
        if !(*fewest..=*most).contains(&arguments.len()) {
            let wanted = match (*fewest, *most) {
                (fewest, ANY) => format!("at least {fewest}"),
                (fewest, most) if fewest == most => fewest.to_string(),
                (fewest, most) => format!("{fewest} or {most}"),
            };
            let message = format!("`{name}` takes {wanted}, not {} arguments", arguments.len());
            return Err(self.error_since(token.start, &message, &help));
        }
        self.check_bounds(token.start, *function, &arguments, &help)?;
        Ok(Expression { node: ExpressionNode::Apply(*function, arguments), span: token.start..self.end() })
    }

    /// What can be known of random functions before anything is drawn.
    fn check_bounds(
        &self,
        start: usize,
        function: Function,
        arguments: &[Expression],
        help: &str,
    ) -> Result<(), SourceError> {
        let number = |at: usize| match arguments.get(at)?.node {
            ExpressionNode::Integer(value) => Some(value as f64),
            ExpressionNode::Real(value) => Some(value),
            _ => None,
        };
        if let Some(parameter) = number(2)
            && let Some(problem) = function.parameter_problem(parameter)
        {
            return Err(self.error_since(start, &problem, help));
        }
        let is_random = function.parameter_bounds().is_some() || function == Function::Random;
        match (number(0), number(1)) {
            (Some(low), Some(high)) if is_random && low > high => {
                Err(self.error_since(start, &format!("{low} is above {high}"), help))
            }
            _ => Ok(()),
        }
    }

    fn case(&mut self, depth: usize) -> Result<Expression, SourceError> {
        const CASE: &str = "write `CASE WHEN :id < 10 THEN 1 ELSE 2 END`";
        let start = self.place();
        self.advance();
        let mut arms = Vec::new();
        while self.take_word("when") {
            let condition = self.expression(depth)?;
            if !self.take_word("then") {
                return Err(self.unexpected("THEN", CASE));
            }
            arms.push((condition, self.expression(depth)?));
        }
        if arms.is_empty() {
            return Err(self.unexpected("WHEN", CASE));
        }
        let otherwise = if self.take_word("else") { Some(Box::new(self.expression(depth)?)) } else { None };
        if !self.take_word("end") {
            return Err(self.unexpected("END", CASE));
        }
        Ok(Expression { node: ExpressionNode::Case(arms, otherwise), span: start..self.end() })
    }

    fn take_word(&mut self, word: &str) -> bool {
        let is_next = self.next_is(word);
        if is_next {
            self.advance();
        }
        is_next
    }

    fn next_is(&self, text: &str) -> bool {
        self.next().is_some_and(|token| token.text(self.text).eq_ignore_ascii_case(text))
    }

    fn deeper(&self, depth: usize) -> Result<usize, SourceError> {
        if depth < DEPTH_MAX {
            return Ok(depth + 1);
        }
        Err(self.unexpected("an expression nested less deeply", "write part of it as a parameter of its own"))
    }
}

fn apply(function: Function, start: usize, arguments: Vec<Expression>) -> Expression {
    let end = arguments.last().map_or(start, |last| last.span.end);
    Expression { node: ExpressionNode::Apply(function, arguments), span: start..end }
}

impl Function {
    /// What pgbench allows as the last argument of a random function.
    #[must_use]
    pub fn parameter_bounds(self) -> Option<(f64, f64)> {
        match self {
            Self::RandomGaussian => Some((2.0, f64::INFINITY)),
            Self::RandomExponential => Some((f64::MIN_POSITIVE, f64::INFINITY)),
            Self::RandomZipfian => Some((1.001, 1000.0)),
            _ => None,
        }
    }

    /// What is wrong with that argument.
    #[must_use]
    pub fn parameter_problem(self, parameter: f64) -> Option<String> {
        let (low, high) = self.parameter_bounds()?;
        if (low..=high).contains(&parameter) {
            return None;
        }
        let wanted = match self {
            Self::RandomGaussian => "at least 2",
            Self::RandomExponential => "above 0",
            _ => "within 1.001 and 1000",
        };
        Some(format!("the parameter of a distribution is {parameter}, and must be {wanted}"))
    }
}

impl Expression {
    /// Every parameter it refers to, with its place.
    #[must_use]
    pub fn variables(&self) -> Vec<(&str, Range<usize>)> {
        match &self.node {
            ExpressionNode::Variable(name) => vec![(name, self.span.clone())],
            ExpressionNode::Apply(_, arguments) => arguments.iter().flat_map(Self::variables).collect(),
            ExpressionNode::Case(arms, otherwise) => arms
                .iter()
                .flat_map(|(condition, value)| [condition, value])
                .chain(otherwise.as_deref())
                .flat_map(Self::variables)
                .collect(),
            ExpressionNode::Integer(_) | ExpressionNode::Real(_) | ExpressionNode::Boolean(_) => Vec::new(),
        }
    }
}
