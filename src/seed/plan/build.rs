//! One table's generators.

use super::order::is_known;
use super::resolve::{Draft, DraftColumn};
use super::types::{self, Mismatch};
use super::unique::{self, Wanted};
use super::{ColumnPlan, Layout, Problems, TablePlan};
use crate::postgres::ColumnType;
use crate::project::distributions::{RowCount, ValueSource, WeightedValue};
use crate::seed::alias::AliasTable;
use crate::seed::children::{Children, MAX_SPREAD};
use crate::seed::column::{Generator, Kind, Redraws, threshold};
use crate::seed::permutation::Permutation;
use crate::seed::random::Key;
use crate::seed::scale::{RowCounts, Scale};
use crate::seed::value::{Literal, Value};
use std::sync::{Arc, OnceLock};

/// Most rows of a table: row numbers stay far from overflow.
const MAX_ROWS: u64 = 1 << 40;

/// Builds a table whose parents are built.
pub(super) fn build(
    draft: &Draft<'_>,
    built: &[TablePlan],
    drafts: &[Draft<'_>],
    seed: u64,
    scale: &Scale,
    problems: &mut Problems<'_>,
) -> Option<TablePlan> {
    let (layout, row_counts) = layout(draft, built, drafts, seed, scale, problems)?;
    let rows = row_counts.total();
    if rows > MAX_ROWS {
        problems.add(&draft.declared.rows_span, format!("{rows} rows are more than {MAX_ROWS}"), "");
        return None;
    }
    let wanted = unique::wanted(draft, &layout, rows, problems);
    let mut builder = Builder {
        draft,
        built,
        drafts,
        seed,
        layout: &layout,
        row_counts: &row_counts,
        wanted: &wanted,
        redraws: Arc::default(),
        columns: draft.columns.iter().map(|_| State::New).collect(),
    };
    for index in 0..draft.columns.len() {
        builder.column(index, problems);
    }
    let redraws = Arc::clone(&builder.redraws);
    let columns: Option<Vec<ColumnPlan>> = builder
        .columns
        .into_iter()
        .map(|state| match state {
            State::Built(column) => Some(*column),
            _ => None,
        })
        .collect();
    let parents = parents(draft, built);
    let table = TablePlan {
        schema: draft.table.schema.clone(),
        name: draft.table.name.clone(),
        rows,
        quoted: draft.table.quoted(),
        columns: columns?,
        layout,
        row_counts,
        parents,
        checks: draft.table.checks.clone(),
        secondary_indexes: draft.table.secondary_indexes.clone(),
        has_triggers: draft.table.has_triggers,
        span: draft.declared.span.clone(),
    };
    unique::search(&table, &wanted, &redraws, problems);
    Some(table)
}

/// Tables that must be filled before: by reference, and by foreign key.
fn parents(draft: &Draft<'_>, built: &[TablePlan]) -> Vec<usize> {
    let is_parent = |table: &TablePlan| {
        draft
            .table
            .foreign_keys
            .iter()
            .any(|key| key.parent_schema == table.schema && key.parent_table == table.name)
    };
    (0..built.len()).filter(|index| is_parent(&built[*index])).collect()
}

fn layout(
    draft: &Draft<'_>,
    built: &[TablePlan],
    drafts: &[Draft<'_>],
    seed: u64,
    scale: &Scale,
    problems: &mut Problems<'_>,
) -> Option<(Layout, RowCounts)> {
    let span = &draft.declared.rows_span;
    match &draft.declared.rows {
        RowCount::Fixed(rows) => Some((Layout::Independent, scale.row_counts(*rows, draft.declared.fixed))),
        RowCount::PerParent { table, column, min, max, mean } => {
            let refers = draft.columns.iter().any(|own| {
                matches!(&own.source, ValueSource::References { table: t, column: c, .. } if t == table && c == column)
            });
            if !refers {
                problems.add(
                    span,
                    format!("no column of `{}` refers to {table}.{column}", draft.declared.table),
                    format!("add a column with `references = \"{table}.{column}\"`"),
                );
            }
            if max - min > MAX_SPREAD {
                problems.add(span, format!("`min` and `max` are more than {MAX_SPREAD} apart"), "");
                return None;
            }
            let Some(parent) = built_table(table, built, drafts) else {
                unknown_parent(table, drafts, span, problems);
                return None;
            };
            let name = format!("{}.{}", draft.table.schema, draft.table.name);
            let key = Key::new(seed, &[&name, "rows"]);
            let children = Children::new(key, *min, *max, *mean, &parent.row_counts);
            let counts = children.rows().clone();
            Some((Layout::Children(Arc::new(children)), counts))
        }
    }
}

pub(super) fn built_table<'b>(
    name: &str,
    built: &'b [TablePlan],
    drafts: &[Draft<'_>],
) -> Option<&'b TablePlan> {
    let draft = super::resolve::find(drafts, name)?;
    built.iter().find(|table| table.schema == draft.table.schema && table.name == draft.table.name)
}

pub(super) fn unknown_parent(
    name: &str,
    drafts: &[Draft<'_>],
    span: &std::ops::Range<usize>,
    problems: &mut Problems<'_>,
) {
    // A declared parent that could not be built has problems of its own.
    if !is_known(drafts, name) {
        problems.add(
            span,
            format!("the referenced table `{name}` has no rows"),
            format!("declare [{name}] in this file"),
        );
    }
}

pub(super) enum State {
    New,
    /// Being built: meeting it again means a circle.
    Open,
    Built(Box<ColumnPlan>),
    Failed,
}

pub(super) struct Builder<'b, 'a> {
    pub(super) draft: &'b Draft<'a>,
    pub(super) built: &'b [TablePlan],
    pub(super) drafts: &'b [Draft<'a>],
    seed: u64,
    pub(super) layout: &'b Layout,
    pub(super) row_counts: &'b RowCounts,
    pub(super) wanted: &'b Wanted,
    redraws: Arc<OnceLock<Redraws>>,
    columns: Vec<State>,
}

impl Builder<'_, '_> {
    pub(super) fn key(&self, name: &str) -> Key {
        Key::new(self.seed, &[&format!("{}.{}", self.draft.table.schema, self.draft.table.name), name])
    }

    /// Builds a column, and what its template reads, once.
    pub(super) fn column(&mut self, index: usize, problems: &mut Problems<'_>) -> Option<Arc<Generator>> {
        let column = &self.draft.columns[index];
        match &self.columns[index] {
            State::Built(plan) => return Some(Arc::clone(&plan.generator)),
            State::Failed => return None,
            State::Open => {
                let message = format!("the template of `{}` depends on itself", column.column.name);
                problems.add(&column.span, message, "");
                return None;
            }
            State::New => self.columns[index] = State::Open,
        }
        self.columns[index] = match self.kind(index, column, problems) {
            Ok(kind) => State::Built(Box::new(self.finish(index, column, kind))),
            Err(mismatch) => {
                if let Some((message, help)) = mismatch {
                    let name = &column.column.name;
                    problems.add(&column.span, format!("column `{name}`: {message}"), help);
                }
                State::Failed
            }
        };
        match &self.columns[index] {
            State::Built(plan) => Some(Arc::clone(&plan.generator)),
            _ => None,
        }
    }

    fn finish(&self, index: usize, column: &DraftColumn<'_>, kind: Kind) -> ColumnPlan {
        let name = &column.column.name;
        let nulls = (column.null_share > 0.0)
            .then(|| (self.key(&format!("{name}\0nulls")), threshold(column.null_share)));
        let redraws = self.wanted.redraws(index).then(|| Arc::clone(&self.redraws));
        ColumnPlan {
            name: name.clone(),
            type_name: column.column.type_name.clone(),
            column_type: column.column.column_type.clone(),
            generator: Arc::new(Generator { key: self.key(name), nulls, redraws, kind }),
            source: column.source.clone(),
            null_share: column.null_share,
            sequence: column.column.sequence.clone(),
            span: column.span.clone(),
        }
    }

    /// The column's kind. `Err(None)`: the problem has been reported elsewhere.
    fn kind(
        &mut self,
        index: usize,
        column: &DraftColumn<'_>,
        problems: &mut Problems<'_>,
    ) -> Result<Kind, Option<Mismatch>> {
        let rows = self.row_counts.total();
        let (own, type_name) = (&column.column.column_type, column.column.type_name.as_str());
        let last = |first: i64, count: u64| i128::from(first) + i128::from(count.max(1)) - 1;
        Ok(match &column.source {
            ValueSource::Sequence(first) => {
                types::whole_fits((*first).into(), last(*first, rows), own, type_name)?;
                Kind::Sequence(*first)
            }
            ValueSource::Ordinal(first) => {
                let Layout::Children(children) = self.layout else {
                    let message = "`ordinal` counts the children of a parent, but the table's rows have none";
                    return Err(Some((message.into(), "write `rows = { per = \"parent.id\", … }`".into())));
                };
                let most = children.probabilities().last().map_or(1, |(count, _)| count);
                types::whole_fits((*first).into(), last(*first, most), own, type_name)?;
                Kind::Ordinal(*first)
            }
            ValueSource::References { table, column: referenced, skew } => {
                self.reference(index, (table, referenced), *skew, problems)?
            }
            ValueSource::OneOf(values) => self.choice(index, values)?,
            ValueSource::Range(low, high) => {
                types::whole_fits((*low).into(), (*high).into(), own, type_name)?;
                self.range(index, *low, *high)
            }
            ValueSource::Number(source) => types::number(source, own, type_name)?,
            ValueSource::Spread(from, to) => {
                types::plain_fits(&[ColumnType::Date, ColumnType::Timestamp], "times", 27, own, type_name)?;
                Kind::Spread { from: *from, count: to.abs_diff(*from) }
            }
            ValueSource::Template(parts) => {
                let (parts, longest) = self.template(column, parts, problems)?;
                types::text_fits(longest, own, type_name)?;
                Kind::Template(parts)
            }
            ValueSource::Constant(value) => {
                if value.is_none() && column.column.not_null {
                    return Err(Some(("it is NOT NULL".into(), String::new())));
                }
                Kind::Constant(literal(value.as_deref(), own, type_name)?)
            }
            ValueSource::Bool(share) => {
                types::plain_fits(&[ColumnType::Bool], "true and false", 5, own, type_name)?;
                Kind::Bool(threshold(*share))
            }
            ValueSource::Uuid => {
                types::plain_fits(&[ColumnType::Uuid], "UUIDs", 36, own, type_name)?;
                Kind::Uuid
            }
            ValueSource::Text { min, max } => {
                types::text_fits((*max).into(), own, type_name)?;
                Kind::Text { min: *min, max: *max }
            }
        })
    }

    fn choice(&self, index: usize, values: &[WeightedValue]) -> Result<Kind, Mismatch> {
        let column = &self.draft.columns[index];
        let literals = values
            .iter()
            .map(|value| {
                literal(value.value.as_deref(), &column.column.column_type, &column.column.type_name)
            })
            .collect::<Result<Arc<[Literal]>, Mismatch>>()?;
        if self.wanted.is_shuffled(index) {
            return Ok(Kind::ShuffledChoice(self.permutation(column, literals.len() as u64), literals));
        }
        let weights: Vec<f64> = values.iter().map(|value| value.weight).collect();
        Ok(Kind::Choice(AliasTable::new(&weights), literals))
    }

    fn range(&self, index: usize, low: i64, high: i64) -> Kind {
        // All 2⁶⁴ numbers wrap to a count of 0, which stands for them.
        let count = high.wrapping_sub(low).cast_unsigned().wrapping_add(1);
        if self.wanted.is_shuffled(index) && count > 0 {
            let order = self.permutation(&self.draft.columns[index], count);
            return Kind::ShuffledRange { low, order };
        }
        Kind::Range { low, count }
    }

    fn permutation(&self, column: &DraftColumn<'_>, length: u64) -> Permutation {
        Permutation::new(self.key(&format!("{}\0order", column.column.name)), length)
    }
}

fn literal(text: Option<&str>, column_type: &ColumnType, type_name: &str) -> Result<Literal, Mismatch> {
    text.map_or(Ok(Literal::Plain(Value::Null)), |text| types::literal(text, column_type, type_name))
}
