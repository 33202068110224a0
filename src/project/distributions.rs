//! `data/distributions.toml`: what the tables are filled with.

use super::query::Literal;
use std::ops::Range;
use std::path::PathBuf;

/// The whole file.
#[derive(Debug, Clone, PartialEq)]
pub struct Distributions {
    /// Replays the data.
    pub seed: u64,
    /// In the file's order; seeding orders them by their references.
    pub tables: Vec<TableDistribution>,
    /// Relative to the project folder.
    pub path: PathBuf,
    /// The whole file, for diagnostics found once the catalogue is known.
    pub text: String,
}

/// One table.
#[derive(Debug, Clone, PartialEq)]
pub struct TableDistribution {
    /// With its schema where the file gives one (`[app.orders]`).
    pub table: String,
    /// How many rows at volume factor 1.
    pub rows: RowCount,
    /// Columns with a declared distribution; others take their database default.
    pub columns: Vec<ColumnDistribution>,
    /// `unique = [["a", "b"], …]`: value combinations that may not repeat.
    pub unique: Vec<Vec<String>>,
    /// Byte range of the table's header.
    pub span: Range<usize>,
}

/// How many rows a table has.
#[derive(Debug, Clone, PartialEq)]
pub enum RowCount {
    /// `rows = 2500`.
    Fixed(u64),
    /// `rows = { per = "orders.id", min = 1, max = 8, mean = 2.5 }`: children of each parent row.
    PerParent {
        /// `orders.id`; the referencing column is the one whose distribution is `per_parent = true`,
        /// or whose `references` names the same column.
        parent: String,
        /// At least.
        min: u32,
        /// At most.
        max: u32,
        /// On average.
        mean: f64,
    },
}

/// One column.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnDistribution {
    /// Its name.
    pub column: String,
    /// Where values come from.
    pub source: ValueSource,
    /// `nulls = 0.1`: share of NULLs.
    pub null_share: f64,
    /// `unique = true`.
    pub unique: bool,
    /// Byte range of the declaration.
    pub span: Range<usize>,
}

/// How keys spread over the rows they refer to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Skew {
    /// Every parent alike.
    Uniform,
    /// Rank-skewed with this exponent.
    Zipf(f64),
}

/// Where a column's values come from.
#[derive(Debug, Clone, PartialEq)]
pub enum ValueSource {
    /// `sequence = 1`: row number plus an offset.
    Sequence(i64),
    /// `references = "users.id"`.
    References {
        /// Parent table.
        table: String,
        /// Parent column.
        column: String,
        /// How it spreads.
        skew: Skew,
    },
    /// `one_of = { paid = 0.55, … }` or a list.
    OneOf(Vec<(Literal, f64)>),
    /// `range = [1, 100]`, whole numbers, both ends included.
    Range(i64, i64),
    /// `uniform = [0.0, 1.0]`.
    Uniform(f64, f64),
    /// `normal = { mean, sigma }`.
    Normal(f64, f64),
    /// `lognormal = { median, sigma }`.
    Lognormal(f64, f64),
    /// `exponential = { mean }`.
    Exponential(f64),
    /// Numbers of `inner` rounded to `scale` decimals and kept within bounds.
    Scaled {
        /// The numbers.
        inner: Box<ValueSource>,
        /// Decimals.
        scale: u32,
        /// `min`.
        min: Option<f64>,
        /// `max`.
        max: Option<f64>,
    },
    /// `spread = ["2024-01-01", "2026-01-01"]`: instants over a span, half open, UTC microseconds.
    Spread(i64, i64),
    /// `template = "user{row}@example.com"`: `{row}`, `{hex:8}`, `{word}`, `{column}` of the same row.
    Template(String),
    /// `constant = "x"`.
    Constant(Literal),
    /// `bool = 0.3`: share of true.
    Bool(f64),
    /// `uuid = true`.
    Uuid,
    /// `text = { min = 10, max = 200 }`: words up to a length.
    Text(u32, u32),
}
