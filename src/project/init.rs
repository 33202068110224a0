//! A project for a database that exists: files proposed from its catalogue, its
//! statistics and its most expensive statements. Pure: text in, text out.
//!
//! What comes out loads without a problem; what could not be proposed is left out
//! and said in a comment, never guessed.

mod data;
mod queries;

use std::path::PathBuf;

/// What is known of a database.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ExistingDatabase {
    /// Its name.
    pub name: String,
    /// In any order.
    pub tables: Vec<ExistingTable>,
    /// The most expensive first.
    pub statements: Vec<ExistingStatement>,
    /// Its schema as a dump; `None` where none could be made.
    pub schema_sql: Option<String>,
}

/// One table.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ExistingTable {
    /// `None` where the search path finds it.
    pub schema: Option<String>,
    /// Its name.
    pub name: String,
    /// About so many rows.
    pub rows: u64,
    /// In their order.
    pub columns: Vec<ExistingColumn>,
}

impl ExistingTable {
    /// `orders` or `app.orders`.
    #[must_use]
    pub fn path(&self) -> String {
        self.schema.as_ref().map_or_else(|| self.name.clone(), |schema| format!("{schema}.{}", self.name))
    }
}

/// One column with what ANALYZE saw of it.
#[derive(Debug, Clone, PartialEq)]
pub struct ExistingColumn {
    /// Its name.
    pub name: String,
    /// What it stores.
    pub kind: ColumnKind,
    /// Whether the database fills it: a default, an identity, a generation expression.
    pub has_default: bool,
    /// Whether it takes no NULL.
    pub not_null: bool,
    /// Whether it is unique by itself.
    pub is_unique: bool,
    /// Table path and column that it refers to by itself.
    pub reference: Option<(String, String)>,
    /// Share of NULLs, in `0..=1`.
    pub null_share: f64,
    /// How many different values, about.
    pub distinct: f64,
    /// The most common values with their shares of the rows, most frequent first.
    pub most_common: Vec<(String, f64)>,
    /// Values in ascending order that split the others into equal shares; the ends included.
    pub bounds: Vec<String>,
    /// Mean width, in bytes.
    pub width_bytes: u32,
}

/// What a column stores, as far as proposals differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnKind {
    /// Whole numbers.
    Integer,
    /// Other numbers, with the decimals of the type where it says how many.
    Number(Option<u32>),
    /// Text, with its greatest length in characters where the type limits it.
    Text(Option<u32>),
    /// True and false.
    Boolean,
    /// Dates and timestamps.
    Time,
    /// UUIDs.
    Uuid,
    /// An enumeration with its labels.
    Enumeration(Vec<String>),
    /// JSON.
    Json,
    /// Anything else, by the type's name.
    Other(String),
}

/// A statement that the database has been asked.
#[derive(Debug, Clone, PartialEq)]
pub struct ExistingStatement {
    /// With `$1`, `$2`, ….
    pub text: String,
    /// How often.
    pub calls: u64,
    /// Mean time, in microseconds.
    pub mean_us: f64,
}

/// A file to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProposedFile {
    /// Relative to the project folder.
    pub path: PathBuf,
    /// The whole file.
    pub text: String,
}

/// A proposed project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// In the order of their paths' importance.
    pub files: Vec<ProposedFile>,
    /// How many statements became no query, for nothing says what their parameters are.
    pub statements_left_out: usize,
}

/// The smallest volume has about so many rows in the largest table.
const SMALL_ROWS: u64 = 10_000;

/// Proposes a project.
#[must_use]
pub fn propose(database: &ExistingDatabase) -> Proposal {
    let file = |path: &str, text: String| ProposedFile { path: PathBuf::from(path), text };
    let mut files = vec![file("plimsoll.toml", settings(database))];
    if let Some(sql) = &database.schema_sql {
        files.push(file("migrations/001_baseline.sql", baseline(sql)));
    }
    if !database.tables.is_empty() {
        files.push(file("data/distributions.toml", data::distributions(database)));
    }
    let (queries, statements_left_out) = queries::queries(database);
    files.extend(queries);
    Proposal { files, statements_left_out }
}

fn settings(database: &ExistingDatabase) -> String {
    let rows = database.tables.iter().map(|table| table.rows).max().unwrap_or(0);
    let volumes = if rows > SMALL_ROWS {
        // Two digits are enough for a factor, and keep the file readable.
        let factor = SMALL_ROWS as f64 / rows as f64;
        let scale = 10_f64.powf(factor.log10().floor() - 1.0);
        let factor = (factor / scale).round() * scale;
        format!("small = {}\nfull = 1\n", trimmed(factor))
    } else {
        "small = 1\nmedium = 100\n".to_owned()
    };
    format!(
        "# Proposed from the database {}. Every key is described in docs/reference-project.md.\n\n\
         [volumes]                # multiples of the rows declared in data/distributions.toml\n{volumes}\n\
         [budgets]                # for queries without one of their own\np95 = \"50ms\"\n",
        comment(&database.name)
    )
}

/// A dump as a migration: without commands of psql and the settings of its session.
fn baseline(dump: &str) -> String {
    let is_kept = |line: &&str| {
        let is_setting = line.starts_with("SET ") || line.starts_with("SELECT pg_catalog.set_config(");
        !(line.starts_with('\\') || line.starts_with("--") || is_setting)
    };
    let mut text = String::from("-- The schema as it was when the project was made.\n");
    for line in dump.lines().filter(is_kept) {
        if !(line.is_empty() && text.ends_with("\n\n")) {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

/// Text that stays within one comment line.
fn comment(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

/// A number without needless zeros, never in scientific notation.
fn trimmed(number: f64) -> String {
    let text = format!("{number:.12}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests;
