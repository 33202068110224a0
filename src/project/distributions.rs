//! `data/distributions.toml`: what the tables are filled with.
//!
//! Plain data after [`parse()`]: whatever can be told from the file alone has been
//! checked. What needs the catalogue (do the table, the column and its type
//! agree?) is checked by `seed::plan`, which uses the spans kept here.

mod parse;
mod source;
mod template;

pub(crate) use super::nearest::nearest;
pub use parse::parse;
pub(crate) use source::instant_us;

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
    /// With its schema where the file gives one (`[app.orders]` is `app.orders`).
    pub table: String,
    /// How many rows at volume factor 1.
    pub rows: RowCount,
    /// `fixed = true`: the same rows at every volume, as of a list of countries.
    pub fixed: bool,
    /// Columns with a declared distribution; others take their database default.
    pub columns: Vec<ColumnDistribution>,
    /// `unique = [["a", "b"], …]`: value combinations that may not repeat.
    pub unique: Vec<UniqueColumns>,
    /// Byte range of the table's name in its header.
    pub span: Range<usize>,
    /// Byte range of `rows`.
    pub rows_span: Range<usize>,
}

/// Columns whose values taken together may not repeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UniqueColumns {
    /// At least one.
    pub columns: Vec<String>,
    /// Byte range of the list.
    pub span: Range<usize>,
}

/// How many rows a table has.
#[derive(Debug, Clone, PartialEq)]
pub enum RowCount {
    /// `rows = 2500`.
    Fixed(u64),
    /// `rows = { per = "orders.id", min = 1, max = 8, mean = 2.5 }`: children of each parent
    /// row. The column whose `references` names the same parent column holds the parent's key.
    PerParent {
        /// Parent table, with its schema where the file gives one.
        table: String,
        /// Parent column.
        column: String,
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
    /// Byte range of the name and its declaration.
    pub span: Range<usize>,
}

/// How keys spread over the rows they refer to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Skew {
    /// Every parent alike.
    Uniform,
    /// Rank-skewed: the parent of rank k is drawn with a weight of `k^-exponent`.
    Zipf(f64),
}

/// A value and its share of the rows.
#[derive(Debug, Clone, PartialEq)]
pub struct WeightedValue {
    /// As PostgreSQL's input functions read it.
    pub value: Literal,
    /// In `0..=1`; those of one column sum to 1.
    pub weight: f64,
}

/// Where a column's values come from.
#[derive(Debug, Clone, PartialEq)]
pub enum ValueSource {
    /// `sequence = 1`: the row's number, counted from this.
    Sequence(i64),
    /// `ordinal = 1`: the row's place among its parent's children, counted from this.
    Ordinal(i64),
    /// `references = "users.id"`.
    References {
        /// Parent table, with its schema where the file gives one.
        table: String,
        /// Parent column.
        column: String,
        /// How it spreads.
        skew: Skew,
    },
    /// `one_of = { paid = 0.55, … }` or a list of equal shares.
    OneOf(Vec<WeightedValue>),
    /// `range = [1, 100]`: whole numbers, both ends included.
    Range(i64, i64),
    /// `uniform`, `normal`, `lognormal` or `exponential`.
    Number(NumberSource),
    /// `spread = ["2024-01-01", "2026-01-01"]`: instants, half open, microseconds since 1970 UTC.
    Spread(i64, i64),
    /// `template = "user{row}@example.com"`.
    Template(Vec<TemplatePart>),
    /// `constant = "x"`.
    Constant(Literal),
    /// `bool = 0.3`: share of true.
    Bool(f64),
    /// `uuid = true`: random (version 4) UUIDs.
    Uuid,
    /// `text = { min = 10, max = 200 }`: words, with a length in characters within these bounds.
    Text {
        /// At least this many characters.
        min: u32,
        /// At most this many characters.
        max: u32,
    },
}

/// Numbers of a continuous distribution, rounded and kept within bounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NumberSource {
    /// The shape.
    pub distribution: NumberDistribution,
    /// `scale`: round to this many decimals.
    pub scale: Option<u32>,
    /// `min`: lower values become this one.
    pub min: Option<f64>,
    /// `max`: higher values become this one.
    pub max: Option<f64>,
}

/// A continuous distribution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum NumberDistribution {
    /// `uniform = [0.0, 1.0]`, half open.
    Uniform {
        /// Lowest value.
        low: f64,
        /// Never reached.
        high: f64,
    },
    /// `normal = { mean = 50, sigma = 10 }`.
    Normal {
        /// Mean.
        mean: f64,
        /// Standard deviation.
        sigma: f64,
    },
    /// `lognormal = { median = 60, sigma = 0.8 }`.
    Lognormal {
        /// Median.
        median: f64,
        /// Standard deviation of the natural logarithm.
        sigma: f64,
    },
    /// `exponential = { mean = 30 }`.
    Exponential {
        /// Mean.
        mean: f64,
    },
}

/// A piece of a text template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplatePart {
    /// Text as written (`{{` and `}}` are braces).
    Text(String),
    /// `{row}`: the row's number, from 1.
    Row,
    /// `{hex:8}`: so many random hexadecimal digits.
    Hex(u32),
    /// `{word}`, or capitalised `{Word}`.
    Word {
        /// Starts with a capital.
        capitalised: bool,
    },
    /// `{int:1-199}`: a whole number, both ends included.
    Int(i64, i64),
    /// `{column}`: another column of the same row.
    Column(String),
}
