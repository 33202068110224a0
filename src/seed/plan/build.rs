//! One table's generators.

use super::order::is_known;
use super::resolve::{Draft, DraftColumn};
use super::types::{self, Mismatch};
use super::unique::{self, Wanted};
use super::{ColumnPlan, Layout, Problems, TablePlan};
use crate::postgres::ColumnType;
use crate::project::distributions::{RowCount, Skew, TemplatePart, ValueSource};
use crate::seed::alias::AliasTable;
use crate::seed::children::{Children, MAX_SPREAD};
use crate::seed::column::{Generator, Kind, Part, Redraws, threshold};
use crate::seed::parents::ParentDraw;
use crate::seed::permutation::Permutation;
use crate::seed::random::Key;
use crate::seed::scale::{RowCounts, Scale};
use crate::seed::value::{Literal, Value};
use crate::seed::words::LONGEST;
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

fn built_table<'b>(name: &str, built: &'b [TablePlan], drafts: &[Draft<'_>]) -> Option<&'b TablePlan> {
    let draft = super::resolve::find(drafts, name)?;
    built.iter().find(|table| table.schema == draft.table.schema && table.name == draft.table.name)
}

fn unknown_parent(
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

enum State {
    New,
    /// Being built: meeting it again means a circle.
    Open,
    Built(Box<ColumnPlan>),
    Failed,
}

struct Builder<'b, 'a> {
    draft: &'b Draft<'a>,
    built: &'b [TablePlan],
    drafts: &'b [Draft<'a>],
    seed: u64,
    layout: &'b Layout,
    row_counts: &'b RowCounts,
    wanted: &'b Wanted,
    redraws: Arc<OnceLock<Redraws>>,
    columns: Vec<State>,
}

impl Builder<'_, '_> {
    fn key(&self, name: &str) -> Key {
        Key::new(self.seed, &[&format!("{}.{}", self.draft.table.schema, self.draft.table.name), name])
    }

    /// Builds a column, and what its template reads, once.
    fn column(&mut self, index: usize, problems: &mut Problems<'_>) -> Option<Arc<Generator>> {
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
        let mut parent = None;
        let mut draw = None;
        let kind = self.kind(index, column, &mut parent, &mut draw, problems);
        self.columns[index] = match kind {
            Ok(kind) => State::Built(Box::new(self.finish(index, column, kind, parent, draw))),
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

    fn finish(
        &self,
        index: usize,
        column: &DraftColumn<'_>,
        kind: Kind,
        parent: Option<Arc<Generator>>,
        draw: Option<Arc<ParentDraw>>,
    ) -> ColumnPlan {
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
            draw,
            parent,
            sequence: column.column.sequence.clone(),
            span: column.span.clone(),
        }
    }

    /// The column's kind. `Err(None)`: the problem has been reported elsewhere.
    fn kind(
        &mut self,
        index: usize,
        column: &DraftColumn<'_>,
        parent: &mut Option<Arc<Generator>>,
        draw: &mut Option<Arc<ParentDraw>>,
        problems: &mut Problems<'_>,
    ) -> Result<Kind, Option<Mismatch>> {
        let rows = self.row_counts.total();
        let (own, type_name) = (&column.column.column_type, column.column.type_name.as_str());
        let last = |first: i64, count: u64| i128::from(first) + i128::from(count.max(1)) - 1;
        let is_shuffled = self.wanted.is_shuffled(index);
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
                self.reference(index, table, referenced, *skew, parent, draw, problems)?
            }
            ValueSource::OneOf(values) => {
                let literals = values
                    .iter()
                    .map(|value| literal(value.value.as_deref(), own, type_name))
                    .collect::<Result<Arc<[Literal]>, Mismatch>>()?;
                if is_shuffled {
                    Kind::ShuffledChoice(self.permutation(column, literals.len() as u64), literals)
                } else {
                    let weights: Vec<f64> = values.iter().map(|value| value.weight).collect();
                    Kind::Choice(AliasTable::new(&weights), literals)
                }
            }
            ValueSource::Range(low, high) => {
                types::whole_fits((*low).into(), (*high).into(), own, type_name)?;
                // All 2⁶⁴ numbers wrap to a count of 0, which stands for them.
                let count = high.wrapping_sub(*low).cast_unsigned().wrapping_add(1);
                if is_shuffled && count > 0 {
                    Kind::ShuffledRange { low: *low, order: self.permutation(column, count) }
                } else {
                    Kind::Range { low: *low, count }
                }
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

    fn permutation(&self, column: &DraftColumn<'_>, length: u64) -> Permutation {
        Permutation::new(self.key(&format!("{}\0order", column.column.name)), length)
    }

    #[expect(clippy::too_many_arguments, reason = "the column's parts are filled in as they become known")]
    fn reference(
        &mut self,
        index: usize,
        table: &str,
        referenced: &str,
        skew: Skew,
        parent: &mut Option<Arc<Generator>>,
        draw: &mut Option<Arc<ParentDraw>>,
        problems: &mut Problems<'_>,
    ) -> Result<Kind, Option<Mismatch>> {
        let column = &self.draft.columns[index];
        let (own, type_name) = (&column.column.column_type, column.column.type_name.as_str());
        let is_self = self.draft.is_named(table);
        let missing = || {
            (
                format!("the referenced column {table}.{referenced} has no distribution"),
                format!("declare `{referenced}` in [{table}]"),
            )
        };
        let (generator, parent_type, parent_nulls, parent_rows) = if is_self {
            let place = self
                .draft
                .columns
                .iter()
                .position(|own| own.column.name == referenced)
                .ok_or_else(missing)?;
            let generator = self.column(place, problems).ok_or(None)?;
            let column = &self.draft.columns[place];
            (generator, &column.column.column_type, column.null_share, self.row_counts)
        } else {
            let Some(parent) = built_table(table, self.built, self.drafts) else {
                unknown_parent(table, self.drafts, &column.span, problems);
                return Err(None);
            };
            let column =
                parent.columns.iter().find(|column| column.name == referenced).ok_or_else(missing)?;
            (Arc::clone(&column.generator), &column.column_type, column.null_share, &parent.row_counts)
        };
        types::key_fits(parent_type, own, type_name)?;
        if parent_nulls > 0.0 {
            return Err(Some((
                format!("the referenced column {table}.{referenced} has NULLs"),
                String::new(),
            )));
        }
        if !depends_on_row_only(&generator.kind) {
            let message = format!(
                "the values of {table}.{referenced} follow another table's rows, so nothing can refer to them"
            );
            return Err(Some((message, "refer to its key".into())));
        }
        if let Some((low, high)) = whole_range(&generator.kind, parent_rows.total()) {
            types::whole_fits(low, high, own, type_name)?;
        }
        *parent = Some(Arc::clone(&generator));
        if let (RowCount::PerParent { table: t, column: c, .. }, Layout::Children(_)) =
            (&self.draft.declared.rows, self.layout)
            && t == table
            && c == referenced
        {
            return Ok(Kind::ParentKey(generator));
        }
        if self.wanted.is_shuffled(index) {
            let is_enough =
                self.row_counts.0.iter().zip(&parent_rows.0).all(|(rows, parents)| rows <= parents);
            if !is_enough || matches!(skew, Skew::Zipf(_)) {
                let message = format!(
                    "{} rows cannot each have a {table} of their own: it has {}",
                    self.row_counts.total(),
                    parent_rows.total()
                );
                return Err(Some((
                    if is_enough { "a unique reference cannot be skewed".into() } else { message },
                    String::new(),
                )));
            }
            return Ok(Kind::SameRow(generator));
        }
        let exponent = if let Skew::Zipf(exponent) = skew { exponent } else { 0.0 };
        let key = self.key(self.draw_name(column));
        let parent_draw = Arc::new(ParentDraw::new(key, exponent, self.row_counts, parent_rows));
        *draw = Some(Arc::clone(&parent_draw));
        Ok(Kind::Reference(parent_draw, generator))
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

    /// A template's parts and the longest text they can make, in characters.
    fn template(
        &mut self,
        column: &DraftColumn<'_>,
        parts: &[TemplatePart],
        problems: &mut Problems<'_>,
    ) -> Result<(Vec<Part>, u64), Option<Mismatch>> {
        let mut longest = 0;
        let mut made = Vec::new();
        for part in parts {
            let (part, length) = match part {
                TemplatePart::Text(text) => (Part::Text(text.as_str().into()), text.chars().count() as u64),
                TemplatePart::Row => (Part::Row, self.row_counts.total().to_string().len() as u64),
                TemplatePart::Hex(digits) => (Part::Hex(*digits), u64::from(*digits)),
                TemplatePart::Word { capitalised } => {
                    (Part::Word { capitalised: *capitalised }, LONGEST as u64)
                }
                TemplatePart::Int(low, high) => {
                    let count = high.wrapping_sub(*low).cast_unsigned().wrapping_add(1);
                    let length = low.to_string().len().max(high.to_string().len()) as u64;
                    (Part::Int { low: *low, count }, length)
                }
                TemplatePart::Column(name) => {
                    let Some(index) = self.draft.columns.iter().position(|own| own.column.name == *name)
                    else {
                        let message = format!(
                            "the template reads `{name}`, which has no distribution in [{}]",
                            self.draft.declared.table
                        );
                        return Err(Some((
                            message,
                            "placeholders: {row}, {hex:8}, {word}, {Word}, {int:1-9}, {column}".into(),
                        )));
                    };
                    let generator = self.column(index, problems).ok_or(None)?;
                    let own = &column.column.name;
                    if generator.redraws.is_some() && self.wanted.redraws_name(own) {
                        let message =
                            format!("the template reads `{name}`, which must be unique together with it");
                        return Err(Some((message, "make the template unique by `{row}`".into())));
                    }
                    let length = longest_of(&self.draft.columns[index].column.column_type, &generator);
                    (Part::Column(generator), length)
                }
            };
            longest += length;
            made.push(part);
        }
        Ok((made, longest))
    }
}

fn literal(text: Option<&str>, column_type: &ColumnType, type_name: &str) -> Result<Literal, Mismatch> {
    text.map_or(Ok(Literal::Plain(Value::Null)), |text| types::literal(text, column_type, type_name))
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

/// The most characters that a column's values take inside a template.
fn longest_of(column_type: &ColumnType, generator: &Generator) -> u64 {
    match (&generator.kind, column_type) {
        (_, ColumnType::Text(Some(length))) => (*length).into(),
        (Kind::Text { max, .. }, _) => (*max).into(),
        (Kind::Choice(_, values) | Kind::ShuffledChoice(_, values), _) => {
            let length = |literal: &Literal| {
                let mut text = String::new();
                literal.value().append_to(&mut text);
                text.chars().count() as u64
            };
            values.iter().map(length).max().unwrap_or(0)
        }
        (Kind::Uuid, _) => 36,
        (_, ColumnType::Int2) => 6,
        (_, ColumnType::Int4) => 11,
        (_, ColumnType::Bool) => 5,
        // Numbers and times; texts of unknown length are left to the server.
        _ => 20,
    }
}
