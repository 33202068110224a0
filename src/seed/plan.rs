//! From declared distributions and a catalogue to tables that can be generated.
//!
//! Pure: everything that can be wrong is found here, all at once, before the first
//! row; only CHECK constraints and input functions need the server (`check.rs`).

mod build;
mod order;
mod reference;
mod resolve;
mod template;
mod types;
mod unique;

use super::children::Children;
use super::column::{Generator, RowId};
use super::scale::{RowCounts, Scale};
use crate::postgres::{Catalog, CheckConstraint, ColumnType, SecondaryIndex};
use crate::project::diagnostic::Diagnostic;
use crate::project::distributions::{Distributions, ValueSource};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// What to fill a database with, checked against its catalogue.
#[derive(Debug, Clone)]
pub struct SeedPlan {
    /// Parents before children.
    pub tables: Vec<TablePlan>,
    /// The distributions file, relative to the project folder.
    pub(super) path: PathBuf,
    /// Its text.
    pub(super) text: String,
}

impl SeedPlan {
    /// Rows of all tables.
    #[must_use]
    pub fn row_count(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).sum()
    }
}

/// One table.
#[derive(Debug, Clone)]
pub struct TablePlan {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// How many rows it gets.
    pub rows: u64,
    /// As quoted SQL, with its schema.
    pub(super) quoted: String,
    /// The columns written; the others take their default.
    pub(super) columns: Vec<ColumnPlan>,
    pub(super) layout: Layout,
    /// Rows in each generation.
    pub(super) row_counts: RowCounts,
    /// Indexes in [`SeedPlan::tables`] of the tables whose rows must be there first.
    pub(super) parents: Vec<usize>,
    pub(super) checks: Vec<CheckConstraint>,
    pub(super) secondary_indexes: Vec<SecondaryIndex>,
    pub(super) has_triggers: bool,
    /// Place in the distributions file.
    pub(super) span: Range<usize>,
}

impl TablePlan {
    /// The name a person knows it by.
    #[must_use]
    pub fn label(&self) -> String {
        if self.schema == "public" { self.name.clone() } else { format!("{}.{}", self.schema, self.name) }
    }

    /// Whether every column has a binary form that we write.
    pub(super) fn is_binary(&self) -> bool {
        self.columns.iter().all(|column| column.column_type != ColumnType::Other)
    }

    /// Calls back for consecutive rows, which is cheaper than asking for each.
    #[inline]
    pub(super) fn for_each_row(&self, rows: Range<u64>, mut each: impl FnMut(RowId)) {
        match &self.layout {
            Layout::Independent => rows.for_each(|row| each(RowId::independent(row))),
            Layout::Children(children) => {
                children.places(rows.clone()).zip(rows).for_each(|(place, row)| each(RowId { row, place }));
            }
        }
    }
}

/// One column.
#[derive(Debug, Clone)]
pub(super) struct ColumnPlan {
    pub(super) name: String,
    pub(super) type_name: String,
    pub(super) column_type: ColumnType,
    pub(super) generator: Arc<Generator>,
    /// As declared, for comparing with what was obtained.
    pub(super) source: ValueSource,
    pub(super) null_share: f64,
    /// The sequence that has to go on after the last row.
    pub(super) sequence: Option<String>,
    /// Place in the distributions file.
    pub(super) span: Range<usize>,
}

/// What the rows of a table depend on.
#[derive(Debug, Clone)]
pub(super) enum Layout {
    /// A number of rows.
    Independent,
    /// The rows of a parent.
    Children(Arc<Children>),
}

/// Collects what is wrong.
pub(super) struct Problems<'a> {
    distributions: &'a Distributions,
    found: Vec<Diagnostic>,
}

impl Problems<'_> {
    fn add(&mut self, span: &Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        let help = help.into();
        self.found.push(Diagnostic {
            path: self.distributions.path.clone(),
            text: self.distributions.text.clone(),
            span: Some(span.clone()),
            message: message.into(),
            help: (!help.is_empty()).then_some(help),
        });
    }
}

/// Plans the rows of a volume.
///
/// # Errors
/// Everything in the file that does not agree with the catalogue or with itself, in the
/// order of the file.
pub fn plan(
    catalog: &Catalog,
    distributions: &Distributions,
    scale: &Scale,
) -> Result<SeedPlan, Vec<Diagnostic>> {
    let mut problems = Problems { distributions, found: Vec::new() };
    let drafts = resolve::resolve(catalog, distributions, &mut problems);
    resolve::check_foreign_keys(catalog, &drafts, &mut problems);
    let mut tables: Vec<TablePlan> = Vec::new();
    for draft in order::parents_first(&drafts, &mut problems) {
        if let Some(table) = build::build(draft, &tables, &drafts, distributions.seed, scale, &mut problems) {
            tables.push(table);
        }
    }
    if problems.found.is_empty() {
        return Ok(SeedPlan { tables, path: distributions.path.clone(), text: distributions.text.clone() });
    }
    problems.found.sort_by_key(|problem| problem.span.as_ref().map_or(0, |span| span.start));
    problems.found.dedup();
    Err(problems.found)
}
