//! References: which kind of draw a column that refers to a parent needs.

use super::build::{Builder, built_table, unknown_parent};
use super::resolve::DraftColumn;
use super::types::{self, Mismatch};
use super::{Layout, Problems};
use crate::postgres::ColumnType;
use crate::project::distributions::{RowCount, Skew};
use crate::seed::column::{Generator, Kind, Part};
use crate::seed::parents::ParentDraw;
use crate::seed::scale::RowCounts;
use std::sync::Arc;

/// The column referred to.
struct Referenced<'b> {
    generator: Arc<Generator>,
    column_type: &'b ColumnType,
    null_share: f64,
    rows: &'b RowCounts,
}

impl<'b> Builder<'b, '_> {
    /// `name` is the referenced table and column as written.
    pub(super) fn reference(
        &mut self,
        index: usize,
        name: (&str, &str),
        skew: Skew,
        problems: &mut Problems<'_>,
    ) -> Result<Kind, Option<Mismatch>> {
        let column = &self.draft.columns[index];
        let parent = self.referenced(column, name, problems)?;
        self.check_reference(column, name, &parent)?;
        if let (RowCount::PerParent { table, column, .. }, Layout::Children(_)) =
            (&self.draft.declared.rows, self.layout)
            && (table.as_str(), column.as_str()) == name
        {
            return Ok(Kind::ParentKey(parent.generator));
        }
        if self.wanted.is_shuffled(index) {
            let is_enough =
                self.row_counts.0.iter().zip(&parent.rows.0).all(|(rows, parents)| rows <= parents);
            let message = match skew {
                _ if !is_enough => format!(
                    "{} rows cannot each have one of {} of their own: it has {} rows",
                    self.row_counts.total(),
                    name.0,
                    parent.rows.total()
                ),
                Skew::Zipf(_) => "a unique reference cannot be skewed".into(),
                Skew::Uniform => return Ok(Kind::SameRow(parent.generator)),
            };
            return Err(Some((message, String::new())));
        }
        let exponent = if let Skew::Zipf(exponent) = skew { exponent } else { 0.0 };
        let key = self.key(self.draw_name(column));
        let draw = ParentDraw::new(key, exponent, self.row_counts, parent.rows);
        Ok(Kind::Reference(Arc::new(draw), parent.generator))
    }

    /// In this table or one built before.
    fn referenced(
        &mut self,
        column: &DraftColumn<'_>,
        (table, referenced): (&str, &str),
        problems: &mut Problems<'_>,
    ) -> Result<Referenced<'b>, Option<Mismatch>> {
        let missing = || {
            (
                format!("the referenced column {table}.{referenced} has no distribution"),
                format!("declare `{referenced}` in [{table}]"),
            )
        };
        if self.draft.is_named(table) {
            let columns = &self.draft.columns;
            let place = columns.iter().position(|own| own.column.name == referenced).ok_or_else(missing)?;
            return Ok(Referenced {
                generator: self.column(place, problems).ok_or(None)?,
                column_type: &columns[place].column.column_type,
                null_share: columns[place].null_share,
                rows: self.row_counts,
            });
        }
        let Some(parent) = built_table(table, self.built, self.drafts) else {
            unknown_parent(table, self.drafts, &column.span, problems);
            return Err(None);
        };
        let found = parent.columns.iter().find(|column| column.name == referenced).ok_or_else(missing)?;
        Ok(Referenced {
            generator: Arc::clone(&found.generator),
            column_type: &found.column_type,
            null_share: found.null_share,
            rows: &parent.row_counts,
        })
    }

    fn check_reference(
        &self,
        column: &DraftColumn<'_>,
        (table, referenced): (&str, &str),
        parent: &Referenced<'_>,
    ) -> Result<(), Mismatch> {
        let (own, type_name) = (&column.column.column_type, column.column.type_name.as_str());
        types::key_fits(parent.column_type, own, type_name)?;
        if parent.null_share > 0.0 {
            return Err((format!("the referenced column {table}.{referenced} has NULLs"), String::new()));
        }
        if !depends_on_row_only(&parent.generator.kind) {
            let message = format!(
                "the values of {table}.{referenced} follow another table's rows, so nothing can refer to them"
            );
            return Err((message, "refer to its key".into()));
        }
        if let Some((low, high)) = whole_range(&parent.generator.kind, parent.rows.total()) {
            types::whole_fits(low, high, own, type_name)?;
        }
        Ok(())
    }

    /// Columns of one composite foreign key draw the same parent row: that of the first column.
    fn draw_name<'n>(&'n self, column: &'n DraftColumn<'_>) -> &'n str {
        let name = &column.column.name;
        let key = self
            .draft
            .table
            .foreign_keys
            .iter()
            .find(|key| key.columns.len() > 1 && key.columns.contains(name));
        key.map_or(name, |key| &key.columns[0])
    }
}

/// Whether a value can be asked for by its row number alone.
fn depends_on_row_only(kind: &Kind) -> bool {
    match kind {
        Kind::Ordinal(_) | Kind::ParentKey(_) => false,
        Kind::Template(parts) => parts.iter().all(|part| match part {
            Part::Column(column) => depends_on_row_only(&column.kind),
            _ => true,
        }),
        _ => true,
    }
}

/// The whole numbers a kind makes in so many rows.
fn whole_range(kind: &Kind, rows: u64) -> Option<(i128, i128)> {
    match kind {
        Kind::Sequence(first) => Some(((*first).into(), i128::from(*first) + i128::from(rows.max(1)) - 1)),
        Kind::Range { low, count } => Some(((*low).into(), i128::from(*low) + i128::from(*count) - 1)),
        Kind::ShuffledRange { low, order } => {
            Some(((*low).into(), i128::from(*low) + i128::from(order.length()) - 1))
        }
        Kind::Reference(draw, column) => whole_range(&column.kind, draw.parent_count()),
        Kind::SameRow(column) | Kind::ParentKey(column) => whole_range(&column.kind, rows),
        _ => None,
    }
}
