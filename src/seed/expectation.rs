//! What a declared column leads one to expect: cells as SQL conditions with their
//! probabilities, and figures to show. Pure; `measure.rs` asks the server.

use super::column::Kind;
use super::column::RowId;
use super::numbers::{Rounding, quantile};
use super::plan::{ColumnPlan, TablePlan};
use super::value::{DAY_US, Value};
use crate::postgres::{ColumnType, quote_identifier, quote_literal};
use crate::project::distributions::{NumberDistribution, ValueSource};

/// Parts into which a continuous distribution is cut.
const PARTS: u32 = 10;

/// Values of a `one_of` that get a cell of their own.
const MAX_VALUES: usize = 50;

/// Ranks at which groups of parents end: the hottest, the next two, and so on.
const RANK_GROUPS: [u64; 6] = [1, 3, 10, 30, 100, 300];

/// What to ask the server about one column, and what it should answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Expectation {
    /// The declaration in words.
    pub(super) declared: String,
    /// Conditions with their probabilities; one more cell holds the remaining rows.
    pub(super) cells: Vec<ExpectedCell>,
    /// Probabilities whose quantiles are shown, with the declared values.
    pub(super) quantiles: Vec<(&'static str, f64, f64)>,
    /// SQL for the number whose quantiles are meant.
    pub(super) number: String,
    /// Whether the quantiles are times.
    pub(super) is_time: bool,
}

/// A condition and the share of rows that should meet it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ExpectedCell {
    pub(super) label: String,
    pub(super) condition: String,
    pub(super) probability: f64,
    /// Whether its share is worth a line in the report.
    pub(super) is_shown: bool,
}

/// `None` for columns whose declaration has no distribution (sequences, templates, UUIDs).
pub(super) fn expectation(table: &TablePlan, column: &ColumnPlan) -> Option<Expectation> {
    let mut expectation = by_source(table, column).or_else(|| {
        (column.null_share > 0.0).then(|| Expectation { declared: "NULLs".into(), ..Expectation::default() })
    })?;
    if column.null_share > 0.0 {
        // The others share what is not NULL.
        for cell in &mut expectation.cells {
            cell.probability *= 1.0 - column.null_share;
        }
        expectation.cells.push(ExpectedCell {
            label: "NULL".into(),
            condition: format!("{} IS NULL", quote_identifier(&column.name)),
            probability: column.null_share,
            is_shown: true,
        });
    }
    (!expectation.cells.is_empty()).then_some(expectation)
}

fn by_source(table: &TablePlan, column: &ColumnPlan) -> Option<Expectation> {
    let name = quote_identifier(&column.name);
    let below = |threshold: &dyn std::fmt::Display| format!("{name} < {threshold}");
    match (&column.source, &column.generator.kind) {
        (ValueSource::OneOf(values), Kind::Choice(..)) => {
            let declared = format!("one of {} values", values.len());
            let mut values: Vec<_> = values.iter().filter(|value| value.weight > 0.0).collect();
            values.sort_by(|a, b| b.weight.total_cmp(&a.weight));
            let cells = values.iter().take(MAX_VALUES).filter_map(|value| {
                let literal = value.value.as_deref()?;
                Some(ExpectedCell {
                    label: literal.to_owned(),
                    condition: equals(column, &name, literal),
                    probability: value.weight,
                    is_shown: true,
                })
            });
            Some(Expectation { declared, cells: cells.collect(), ..Expectation::default() })
        }
        (ValueSource::Bool(share), _) => {
            let condition =
                if column.column_type == ColumnType::Bool { name } else { equals(column, &name, "true") };
            let cell = ExpectedCell { label: "true".into(), condition, probability: *share, is_shown: true };
            Some(Expectation {
                declared: "true or false".into(),
                cells: vec![cell],
                ..Expectation::default()
            })
        }
        (ValueSource::Range(low, high), Kind::Range { count, .. })
            if *count > 0 && is_number(&column.column_type) =>
        {
            Some(range(&name, *low, *high, *count))
        }
        (ValueSource::Number(_), Kind::Number { distribution, rounding, low, high })
            if is_number(&column.column_type) =>
        {
            Some(number(&name, *distribution, *rounding, *low, *high))
        }
        (ValueSource::Spread(from, to), _)
            if matches!(column.column_type, ColumnType::Date | ColumnType::Timestamp) =>
        {
            Some(spread(column, &name, *from, *to))
        }
        (ValueSource::Text { min, max }, _)
            if max > min && matches!(column.column_type, ColumnType::Text(_) | ColumnType::Bytea) =>
        {
            let length = format!("length({name})");
            let mut expectation = range(&length, i64::from(*min), i64::from(*max), u64::from(max - min) + 1);
            expectation.declared = format!("text of {min} to {max} characters");
            Some(expectation)
        }
        (ValueSource::References { .. }, Kind::Reference(..)) => references(table, column, &name, &below),
        _ => None,
    }
}

fn is_number(column_type: &ColumnType) -> bool {
    use ColumnType::{Float4, Float8, Int2, Int4, Int8, Numeric};
    matches!(column_type, Int2 | Int4 | Int8 | Float4 | Float8 | Numeric(_))
}

/// Types without equality are compared as text.
fn equals(column: &ColumnPlan, name: &str, literal: &str) -> String {
    match column.column_type {
        ColumnType::Json => format!("{name}::text = {}", quote_literal(literal)),
        ColumnType::Other => format!("{name}::text = {}::{}::text", quote_literal(literal), column.type_name),
        _ => format!("{name} = {}::{}", quote_literal(literal), column.type_name),
    }
}

/// Whole numbers, all alike.
fn range(name: &str, low: i64, high: i64, count: u64) -> Expectation {
    let parts = u64::from(PARTS).min(count);
    let start = |part: u64| (u128::from(count) * u128::from(part) / u128::from(parts)) as u64;
    let cells = (0..parts).map(|part| {
        let (first, end) =
            (low.wrapping_add_unsigned(start(part)), low.wrapping_add_unsigned(start(part + 1)));
        ExpectedCell {
            label: format!("{first} to {}", end - 1),
            condition: format!("{name} >= {first} AND {name} < {end}"),
            probability: (start(part + 1) - start(part)) as f64 / count as f64,
            is_shown: false,
        }
    });
    let at = |p: f64| low as f64 + (count as f64 * p).floor();
    Expectation {
        declared: format!("whole numbers from {low} to {high}"),
        cells: cells.collect(),
        quantiles: vec![("p10", 0.1, at(0.1)), ("median", 0.5, at(0.5)), ("p90", 0.9, at(0.9))],
        number: name.to_owned(),
        is_time: false,
    }
}

/// Tenths of a continuous distribution, cut between the values that rounding leaves.
fn number(
    name: &str,
    distribution: NumberDistribution,
    rounding: Rounding,
    low: f64,
    high: f64,
) -> Expectation {
    let shown = |p: f64| {
        let number = quantile(distribution, p).clamp(low, high);
        rounding.step().map_or(number, |step| (number / step).round() * step)
    };
    let mut cuts: Vec<f64> = Vec::new();
    for part in 1..PARTS {
        let wanted = quantile(distribution, f64::from(part) / f64::from(PARTS));
        let cut = rounding.step().map_or(wanted, |step| ((wanted / step).floor() + 0.5) * step);
        // Values beyond the bounds were moved to them, which a cut inside does not notice.
        if cut > low && cut < high && cuts.last().is_none_or(|last| cut > *last) {
            cuts.push(cut);
        }
    }
    let number = format!("{name}::double precision");
    let mut before = (0.0, "true".to_owned());
    let mut cells = Vec::new();
    for cut in cuts {
        let share = share_below(distribution, cut);
        cells.push(ExpectedCell {
            label: format!("below {cut}"),
            condition: format!("{} AND {number} < {cut:?}", before.1),
            probability: share - before.0,
            is_shown: false,
        });
        before = (share, format!("{number} >= {cut:?}"));
    }
    Expectation {
        declared: words(distribution),
        cells,
        quantiles: vec![("p10", 0.1, shown(0.1)), ("median", 0.5, shown(0.5)), ("p90", 0.9, shown(0.9))],
        number,
        is_time: false,
    }
}

fn words(distribution: NumberDistribution) -> String {
    match distribution {
        NumberDistribution::Uniform { low, high } => format!("uniform from {low} to {high}"),
        NumberDistribution::Normal { mean, sigma } => format!("normal, mean {mean}, sigma {sigma}"),
        NumberDistribution::Lognormal { median, sigma } => {
            format!("lognormal, median {median}, sigma {sigma}")
        }
        NumberDistribution::Exponential { mean } => format!("exponential, mean {mean}"),
    }
}

/// The inverse of the quantile, by bisection: 60 halvings leave nothing to gain.
fn share_below(distribution: NumberDistribution, number: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if quantile(distribution, middle) < number { low = middle } else { high = middle }
    }
    (low + high) / 2.0
}

/// Tenths of a span of time.
fn spread(column: &ColumnPlan, name: &str, from: i64, to: i64) -> Expectation {
    // Dates can only be told apart at midnight.
    let unit = if column.column_type == ColumnType::Date { DAY_US } else { 1 };
    let length = to - from;
    let mut cuts: Vec<i64> = (1..i64::from(PARTS))
        .map(|part| (from + length / i64::from(PARTS) * part).div_euclid(unit) * unit)
        .filter(|cut| *cut > from)
        .collect();
    cuts.dedup();
    let literal = |us: i64| {
        let mut text = String::new();
        Value::Instant(us).append_to(&mut text);
        format!("{}::{}", quote_literal(&text), column.type_name)
    };
    let mut cells = Vec::new();
    let mut before = (from, "true".to_owned());
    for cut in cuts {
        cells.push(ExpectedCell {
            label: format!("before {}", literal(cut)),
            condition: format!("{} AND {name} < {}", before.1, literal(cut)),
            probability: (cut - before.0) as f64 / length as f64,
            is_shown: false,
        });
        before = (cut, format!("{name} >= {}", literal(cut)));
    }
    let at = |p: f64| ((from as f64 + length as f64 * p) / 1e6).floor();
    let mut ends = [String::new(), String::new()];
    for (text, us) in ends.iter_mut().zip([from, to]) {
        Value::Instant(us).append_to(text);
    }
    Expectation {
        declared: format!("spread from {} to {}", ends[0], ends[1]),
        cells,
        quantiles: vec![("p10", 0.1, at(0.1)), ("median", 0.5, at(0.5)), ("p90", 0.9, at(0.9))],
        number: format!("extract(epoch FROM {name})::double precision"),
        is_time: true,
    }
}

/// Groups of parents and their shares of the children.
fn references(
    table: &TablePlan,
    column: &ColumnPlan,
    name: &str,
    below: &dyn Fn(&dyn std::fmt::Display) -> String,
) -> Option<Expectation> {
    let Kind::Reference(draw, parent) = &column.generator.kind else { return None };
    let parents = draw.parent_count();
    let share = |ranks: std::ops::Range<u64>| draw.expected_rows(ranks) / table.rows as f64;
    if draw.exponent() <= 0.0 {
        // Uniform over numbered parents: tenths of the numbers.
        let Kind::Sequence(first) = parent.kind else { return None };
        let parts = u64::from(PARTS).min(parents);
        let cells = (0..parts).map(|part| {
            let ranks = parents * part / parts..parents * (part + 1) / parts;
            let (low, high) =
                (first.wrapping_add_unsigned(ranks.start), first.wrapping_add_unsigned(ranks.end));
            ExpectedCell {
                label: format!("parents {low} to {}", high - 1),
                condition: format!("{name} >= {low} AND {}", below(&high)),
                probability: share(ranks),
                is_shown: false,
            }
        });
        return Some(Expectation {
            declared: format!("uniform over {parents} parents"),
            cells: cells.collect(),
            ..Expectation::default()
        });
    }
    let mut cells = Vec::new();
    let mut first = 0;
    for end in RANK_GROUPS.into_iter().filter(|end| *end < parents) {
        let mut keys = Vec::new();
        for rank in first..end {
            let (mut scratch, mut key) = (String::new(), String::new());
            parent.value(RowId::independent(draw.row_of_rank(rank)), &mut scratch).append_to(&mut key);
            keys.push(quote_literal(&key));
        }
        let label =
            if end == 1 { "top parent".to_owned() } else { format!("parents ranked {} to {end}", first + 1) };
        cells.push(ExpectedCell {
            label,
            condition: format!("{name} = ANY (ARRAY[{}]::{}[])", keys.join(","), column.type_name),
            probability: share(first..end),
            is_shown: true,
        });
        first = end;
    }
    let declared = format!("zipf over {parents} parents, s {}", draw.exponent());
    Some(Expectation { declared, cells, ..Expectation::default() })
}
