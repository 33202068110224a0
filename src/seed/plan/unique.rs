//! Values and combinations that may not repeat.
//!
//! What is unique by its form (a sequence, a shuffled range, a template with `{row}`,
//! the ordinal under a parent) costs nothing. Everything else is tried once here,
//! row by row: a row that repeats an earlier one is drawn again, and the number
//! of its draw is remembered. Generation stays a function of the row, and what
//! cannot be met is known before the first row is written.

use super::resolve::{Draft, DraftColumn};
use super::{Layout, Problems, TablePlan};
use crate::postgres::{ColumnType, ForeignKey};
use crate::project::distributions::{TemplatePart, ValueSource};
use crate::seed::column::{Kind, Redraws, RowId};
use crate::seed::value::{DAY_US, Value};
use std::collections::{BTreeSet, HashSet};
use std::ops::Range;
use std::sync::OnceLock;
use xxhash_rust::xxh3::Xxh3;

/// Most rows of a table whose uniqueness has to be tried: 16 bytes of memory each.
const MAX_TRIED_ROWS: u64 = 1 << 26;

/// Draws of one row before it counts as impossible.
const MAX_DRAWS: u8 = u8::MAX;

/// What a table has to keep unique, and how.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// Columns (by place among the written ones) that are given each value once.
    shuffled: BTreeSet<usize>,
    /// Sets that have to be tried.
    tried: Vec<TriedSet>,
    redrawn: BTreeSet<usize>,
    redrawn_names: BTreeSet<String>,
}

#[derive(Debug)]
struct TriedSet {
    columns: Vec<usize>,
    names: String,
    span: Range<usize>,
}

impl Wanted {
    pub(super) fn is_shuffled(&self, column: usize) -> bool {
        self.shuffled.contains(&column)
    }

    pub(super) fn redraws(&self, column: usize) -> bool {
        self.redrawn.contains(&column)
    }

    pub(super) fn redraws_name(&self, column: &str) -> bool {
        self.redrawn_names.contains(column)
    }
}

/// The catalogue's and the file's uniqueness, and what follows for each column.
pub(super) fn wanted(draft: &Draft<'_>, layout: &Layout, rows: u64, problems: &mut Problems<'_>) -> Wanted {
    let mut wanted = Wanted::default();
    for (columns, span) in sets(draft) {
        if columns.iter().any(|column| is_unique_by_form(&draft.columns[*column]))
            || is_child_number(draft, layout, &columns)
        {
            continue;
        }
        let own: Vec<&DraftColumn<'_>> = columns.iter().map(|column| &draft.columns[*column]).collect();
        let names = own.iter().map(|column| column.column.name.as_str()).collect::<Vec<_>>().join(", ");
        if let [column] = own[..]
            && is_shuffle_possible(column, rows)
            && !composite_keys(draft).any(|key| key.columns.contains(&column.column.name))
        {
            wanted.shuffled.insert(columns[0]);
            continue;
        }
        let possible = own
            .iter()
            .try_fold(1_u128, |product, column| Some(product.saturating_mul(distinct_values(column)?)));
        let non_null = own.iter().map(|column| 1.0 - column.null_share).product::<f64>() * rows as f64;
        if let Some(possible) = possible
            && (possible as f64) < non_null * 0.99
        {
            problems.add(
                &span,
                format!("{rows} rows cannot be unique in ({names}): there are {possible} different values"),
                "declare more values, fewer rows, or take the uniqueness off",
            );
            continue;
        }
        if rows > MAX_TRIED_ROWS {
            problems.add(
                &span,
                format!("whether ({names}) stays unique over {rows} rows cannot be tried: the bound is {MAX_TRIED_ROWS} rows"),
                "make it unique by its form: a sequence, a range, a template with {row}, an ordinal",
            );
            continue;
        }
        wanted.redrawn.extend(&columns);
        wanted.tried.push(TriedSet { columns, names, span });
    }
    // Columns of one foreign key refer to the same row in every draw.
    for key in composite_keys(draft) {
        let places: Vec<usize> = (0..draft.columns.len())
            .filter(|place| key.columns.contains(&draft.columns[*place].column.name))
            .collect();
        if places.iter().any(|place| wanted.redrawn.contains(place)) {
            wanted.redrawn.extend(places);
        }
    }
    wanted.redrawn_names =
        wanted.redrawn.iter().map(|place| draft.columns[*place].column.name.clone()).collect();
    wanted
}

fn composite_keys<'d>(draft: &'d Draft<'_>) -> impl Iterator<Item = &'d ForeignKey> {
    draft.table.foreign_keys.iter().filter(|key| key.columns.len() > 1)
}

/// Sets of written columns, as places, each once.
fn sets(draft: &Draft<'_>) -> Vec<(Vec<usize>, Range<usize>)> {
    let place = |name: &String| draft.columns.iter().position(|column| column.column.name == *name);
    let mut sets: Vec<(Vec<usize>, Range<usize>)> = Vec::new();
    let mut add = |names: &[String], span: Option<Range<usize>>| {
        // A key with a column that is left to its default cannot be judged here.
        if let Some(mut places) = names.iter().map(place).collect::<Option<Vec<usize>>>() {
            places.sort_unstable();
            let span = span.unwrap_or_else(|| {
                places
                    .iter()
                    .map(|place| &draft.columns[*place])
                    .find(|column| column.is_declared)
                    .map_or_else(|| draft.declared.span.clone(), |column| column.span.clone())
            });
            if !sets.iter().any(|(known, _)| *known == places) {
                sets.push((places, span));
            }
        }
    };
    for set in &draft.declared.unique {
        add(&set.columns, Some(set.span.clone()));
    }
    for column in draft.columns.iter().filter(|column| column.unique) {
        add(std::slice::from_ref(&column.column.name), Some(column.span.clone()));
    }
    for key in &draft.table.unique_keys {
        add(&key.columns, None);
    }
    sets
}

fn is_unique_by_form(column: &DraftColumn<'_>) -> bool {
    match &column.source {
        ValueSource::Sequence(_) | ValueSource::Uuid => true,
        ValueSource::Template(parts) => is_numbered(parts),
        _ => false,
    }
}

/// Whether `{row}` can be read back from a template's text: its digits stand apart, and
/// nothing before them has a varying number of digit groups.
fn is_numbered(parts: &[TemplatePart]) -> bool {
    let stands_apart = |part: Option<&TemplatePart>, edge: fn(&str) -> Option<char>| match part {
        None | Some(TemplatePart::Word { .. }) => true,
        Some(TemplatePart::Text(text)) => edge(text).is_some_and(|c| !c.is_ascii_digit()),
        Some(_) => false,
    };
    let is_regular = parts.iter().all(|part| match part {
        TemplatePart::Hex(_) | TemplatePart::Column(_) => false,
        TemplatePart::Int(low, _) => *low >= 0,
        TemplatePart::Text(_) | TemplatePart::Row | TemplatePart::Word { .. } => true,
    });
    is_regular
        && parts.iter().enumerate().any(|(at, part)| {
            *part == TemplatePart::Row
                && stands_apart(at.checked_sub(1).map(|before| &parts[before]), |text| text.chars().last())
                && stands_apart(parts.get(at + 1), |text| text.chars().next())
        })
}

/// The parent's key together with the place among its children, or alone where a parent
/// has at most one child.
fn is_child_number(draft: &Draft<'_>, layout: &Layout, columns: &[usize]) -> bool {
    let Layout::Children(children) = layout else { return false };
    let crate::project::distributions::RowCount::PerParent { table, column, .. } = &draft.declared.rows
    else {
        return false;
    };
    let own = || columns.iter().map(|column| &draft.columns[*column]);
    let has_key = own().any(|own| matches!(&own.source, ValueSource::References { table: t, column: c, .. } if t == table && c == column));
    let has_ordinal = own().any(|own| matches!(own.source, ValueSource::Ordinal(_)));
    let is_single = children.probabilities().all(|(count, _)| count <= 1);
    has_key && (has_ordinal || is_single)
}

/// Whether each value can be given out once, in a shuffled order.
fn is_shuffle_possible(column: &DraftColumn<'_>, rows: u64) -> bool {
    match &column.source {
        ValueSource::Range(..) => distinct_values(column).is_some_and(|values| values >= u128::from(rows)),
        ValueSource::OneOf(values) => {
            let is_even = values.windows(2).all(|pair| (pair[0].weight - pair[1].weight).abs() < 1e-9);
            is_even && values.len() as u64 >= rows
        }
        ValueSource::References { .. } => true,
        _ => false,
    }
}

/// How many different values a column has, where that is limited.
fn distinct_values(column: &DraftColumn<'_>) -> Option<u128> {
    match &column.source {
        ValueSource::OneOf(values) => Some(values.iter().filter(|value| value.weight > 0.0).count() as u128),
        ValueSource::Range(low, high) => Some((i128::from(*high) - i128::from(*low) + 1).unsigned_abs()),
        ValueSource::Spread(from, to) if column.column.column_type == ColumnType::Date => {
            Some(u128::from((to - 1).div_euclid(DAY_US).abs_diff(from.div_euclid(DAY_US))) + 1)
        }
        ValueSource::Constant(_) => Some(1),
        ValueSource::Bool(share) => Some(if (0.0..1.0).contains(share) && *share > 0.0 { 2 } else { 1 }),
        _ => None,
    }
}

/// Tries the sets that need it and remembers the rows that had to be drawn again.
pub(super) fn search(
    table: &TablePlan,
    wanted: &Wanted,
    redraws: &OnceLock<Redraws>,
    problems: &mut Problems<'_>,
) {
    if wanted.tried.is_empty() {
        return;
    }
    let mut found = Redraws::new();
    let mut seen: Vec<HashSet<u128>> = wanted.tried.iter().map(|_| HashSet::new()).collect();
    let mut failed: Option<(u64, usize)> = None;
    let mut buffers = (String::new(), Vec::new());
    table.for_each_row(0..table.rows, |id| {
        if failed.is_some() {
            return;
        }
        let mut clash = 0;
        for draw in 0..=MAX_DRAWS {
            let hashes: Vec<Option<u128>> =
                wanted.tried.iter().map(|set| hash(table, &set.columns, id, draw, &mut buffers)).collect();
            let repeated = hashes
                .iter()
                .zip(&seen)
                .position(|(hash, seen)| hash.is_some_and(|hash| seen.contains(&hash)));
            let Some(set) = repeated else {
                for (hash, seen) in hashes.into_iter().zip(&mut seen) {
                    seen.extend(hash);
                }
                if draw > 0 {
                    found.insert(id.row, draw);
                }
                return;
            };
            clash = set;
        }
        failed = Some((id.row, clash));
    });
    if let Some((row, set)) = failed {
        let set = &wanted.tried[set];
        problems.add(
            &set.span,
            format!(
                "({}) runs out of unused values at row {} of {}: {} draws only repeated earlier rows",
                set.names,
                row + 1,
                table.rows,
                u16::from(MAX_DRAWS) + 1
            ),
            "declare more or more even values, fewer rows, or take the uniqueness off",
        );
    }
    // Set once per table; nobody asks for values before.
    let _ = redraws.set(found);
}

/// The values of a set as one number; `None` where one is NULL, which repeats nothing.
fn hash(
    table: &TablePlan,
    columns: &[usize],
    id: RowId,
    draw: u8,
    (scratch, bytes): &mut (String, Vec<u8>),
) -> Option<u128> {
    let mut hash = Xxh3::new();
    for column in columns {
        let column = &table.columns[*column];
        bytes.clear();
        let value = match &column.generator.kind {
            // Not drawn: the same in every attempt.
            Kind::ParentKey(_) | Kind::Ordinal(_) => column.generator.attempt(id, 0, scratch),
            _ => column.generator.attempt(id, draw, scratch),
        };
        if value == Value::Null {
            return None;
        }
        value.write_binary(&column.column_type, bytes);
        hash.update(bytes);
    }
    Some(hash.digest128())
}
