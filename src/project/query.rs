//! `queries/*.sql`: named statements with parameters and budgets.

mod expression;
mod parse;
mod references;
mod source;
mod thresholds;

pub use expression::{Expression, ExpressionNode, Function};
pub(in crate::project) use parse::unterminated;
pub use parse::{ParsedQuery, Surroundings, parse};
pub use source::SourceError;
pub use thresholds::Thresholds;

use super::budget::Budget;
use std::path::PathBuf;

/// One named statement, or one named transaction of several.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// From `-- name:`; unique in the project.
    pub name: String,
    /// Relative to the project folder.
    pub path: PathBuf,
    /// One-based line of the `-- name:` header.
    pub line: usize,
    /// The statements, headers taken off, `:name` parameters still in place.
    /// More than one only with `-- transaction`.
    pub statements: Vec<String>,
    /// In order of first use in the statements.
    pub parameters: Vec<Parameter>,
    /// `-- cache: cold`: every sample meets empty caches.
    pub is_cold: bool,
    /// `-- weight: 3`: how often it takes its turn in a load, relative to the others; 1.
    pub weight: f64,
    /// Declared parameters that only the expressions of others refer to.
    pub intermediate: Vec<Parameter>,
    /// Limits from `-- budget:`, else the project's default.
    pub budgets: Vec<Budget>,
    /// What it may get worse by, where it says so itself.
    pub thresholds: Thresholds,
}

/// A declared parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Without the colon.
    pub name: String,
    /// Where its values come from.
    pub source: ParameterSource,
    /// One-based line of its declaration.
    pub line: usize,
}

/// `table.column`, optionally with a schema.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ColumnReference {
    /// `None`: found through the search path.
    pub schema: Option<String>,
    /// Table or view.
    pub table: String,
    /// Column.
    pub column: String,
}

/// Where a parameter's values come from.
#[derive(Debug, Clone, PartialEq)]
pub enum ParameterSource {
    /// `sample(t.c)`: rows drawn at random, so common values come up more often.
    Sample(ColumnReference),
    /// `common(t.c)`: the most frequent value.
    Common(ColumnReference),
    /// `rare(t.c)`: a value among the least frequent.
    Rare(ColumnReference),
    /// `absent(t.c)`: a value of the column's type that no row holds.
    Absent(ColumnReference),
    /// `range(a, b)`: a whole number, both ends included, uniform.
    Range(i64, i64),
    /// `zipf(a, b, s)`: a whole number of `a..=b`, rank-skewed with exponent `s`.
    Zipf(i64, i64, f64),
    /// `normal(mean, deviation)`.
    Normal(f64, f64),
    /// `one_of(a, b, …)`: uniform; or with weights, `one_of(a: 0.9, b: 0.1)`.
    OneOf(Vec<(Literal, f64)>),
    /// `dates('2024-01-01', '2026-01-01')`: a timestamp, uniform, half open.
    Dates(String, String),
    /// `list(source, n)`: an array of `n` values of another source, for `= ANY(:ids)`.
    List(Box<ParameterSource>, u32),
    /// A value written down.
    Literal(Literal),
    /// Computed as pgbench does, from numbers, random functions and other parameters: the text and
    /// what it says.
    Expression(String, Expression),
}

/// A value as text, as PostgreSQL's input functions read it; `None` is NULL.
pub type Literal = Option<String>;
