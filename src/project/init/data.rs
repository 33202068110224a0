//! Distributions proposed from what ANALYZE saw.

use super::{ColumnKind, ExistingColumn, ExistingDatabase, ExistingTable, comment, trimmed};
use crate::project::distributions::instant_us;

/// A column with no more values than this is a list of categories.
const CATEGORIES_MAX: usize = 20;
/// Tables up to this size are lists that keep their size at every volume.
const FIXED_ROWS_MAX: u64 = 300;

/// `data/distributions.toml`.
pub(super) fn distributions(database: &ExistingDatabase) -> String {
    let mut text = String::from(
        "# Proposed from the database's statistics. Categories below are values of that database:\n\
         # look through them before you publish this file. Columns that are not named take their default.\n\
         seed = 42\n",
    );
    let (mut tables, mut empty): (Vec<&ExistingTable>, Vec<&ExistingTable>) =
        database.tables.iter().partition(|table| table.rows > 0);
    tables.sort_by_key(|table| table.path());
    empty.sort_by_key(|table| table.path());
    if !empty.is_empty() {
        let paths: Vec<String> = empty.iter().map(|table| comment(&table.path())).collect();
        text.push_str(&format!(
            "# Left out, for they are empty or ANALYZE never saw them: {}\n",
            paths.join(", ")
        ));
    }
    for table in tables {
        let path = match &table.schema {
            Some(schema) => format!("{}.{}", key(schema), key(&table.name)),
            None => key(&table.name),
        };
        text.push_str(&format!("\n[{path}]\nrows = {}\n", table.rows));
        if table.rows <= FIXED_ROWS_MAX && is_referenced(database, table) {
            text.push_str("fixed = true\n");
        }
        for column in &table.columns {
            match proposal(database, table, column) {
                Some(source) => text.push_str(&format!("{} = {{ {source} }}\n", key(&column.name))),
                None if column.has_default || !column.not_null => {}
                None => {
                    let (name, kind) = (comment(&column.name), kind_name(&column.kind));
                    text.push_str(&format!("# {name} needs a source ({kind})\n"));
                }
            }
        }
    }
    text
}

fn kind_name(kind: &ColumnKind) -> String {
    match kind {
        ColumnKind::Integer => "whole numbers".to_owned(),
        ColumnKind::Number(_) => "numbers".to_owned(),
        ColumnKind::Text(_) => "text".to_owned(),
        ColumnKind::Boolean => "true or false".to_owned(),
        ColumnKind::Time => "times".to_owned(),
        ColumnKind::Uuid => "UUIDs".to_owned(),
        ColumnKind::Enumeration(labels) => format!("one of {}", comment(&labels.join(", "))),
        ColumnKind::Json => "JSON".to_owned(),
        ColumnKind::Other(name) => comment(name),
    }
}

fn is_referenced(database: &ExistingDatabase, table: &ExistingTable) -> bool {
    let path = table.path();
    let columns = || database.tables.iter().flat_map(|table| &table.columns);
    columns().any(|column| column.reference.as_ref().is_some_and(|(parent, _)| *parent == path))
}

/// The inside of the column's inline table.
fn proposal(database: &ExistingDatabase, table: &ExistingTable, column: &ExistingColumn) -> Option<String> {
    let source = source(database, table, column)?;
    let nulls = if !column.not_null && column.null_share > 0.0 {
        format!(", nulls = {}", trimmed((column.null_share * 1000.0).round() / 1000.0))
    } else {
        String::new()
    };
    Some(format!("{source}{nulls}"))
}

fn source(database: &ExistingDatabase, table: &ExistingTable, column: &ExistingColumn) -> Option<String> {
    if let Some((parent, parent_column)) = &column.reference {
        return reference(database, column, parent, parent_column);
    }
    if column.is_unique {
        return unique(table, column);
    }
    if column.null_share >= 1.0 {
        return None;
    }
    categories(column).or_else(|| spread(column))
}

/// A unique child would repeat parents, so it gets no proposal.
fn reference(
    database: &ExistingDatabase,
    column: &ExistingColumn,
    parent: &str,
    parent_column: &str,
) -> Option<String> {
    let is_known = database.tables.iter().any(|table| table.path() == parent && table.rows > 0);
    if column.is_unique || !is_known {
        return None;
    }
    let skew = match zipf_exponent(&column.most_common) {
        Some(exponent) => format!(", skew = \"zipf\", s = {}", trimmed((exponent * 100.0).round() / 100.0)),
        None => String::new(),
    };
    Some(format!("references = {}{skew}", quoted(&format!("{parent}.{parent_column}"))))
}

/// The exponent that fits the shares of the most common values: the slope of log share over log
/// rank, by least squares. `None` for too few values, or where all are about alike.
fn zipf_exponent(most_common: &[(String, f64)]) -> Option<f64> {
    let points: Vec<(f64, f64)> = most_common
        .iter()
        .enumerate()
        .filter(|(_, (_, share))| *share > 0.0)
        .map(|(index, (_, share))| (((index + 1) as f64).ln(), share.ln()))
        .collect();
    if points.len() < 5 {
        return None;
    }
    let count = points.len() as f64;
    let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / count;
    let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / count;
    let covariance: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let variance: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    let exponent = -covariance / variance;
    (0.2..=3.0).contains(&exponent).then_some(exponent)
}

fn unique(table: &ExistingTable, column: &ExistingColumn) -> Option<String> {
    match &column.kind {
        ColumnKind::Integer => Some("sequence = 1".to_owned()),
        ColumnKind::Uuid => Some("uuid = true".to_owned()),
        ColumnKind::Text(length) => {
            let prefix: String = table.name.chars().filter(char::is_ascii_alphanumeric).take(12).collect();
            // Seven digits of a row's number have to find room.
            let room = length.map_or(usize::MAX, |length| length as usize).saturating_sub(7);
            let prefix: String = prefix.chars().take(room).collect();
            Some(format!("template = \"{prefix}{{row}}\", unique = true"))
        }
        _ => None,
    }
}

/// The values themselves, where there are few of them.
fn categories(column: &ExistingColumn) -> Option<String> {
    let share: f64 = column.most_common.iter().map(|(_, share)| share).sum();
    let is_whole = share >= 0.99 * (1.0 - column.null_share) && column.bounds.is_empty();
    if let ColumnKind::Boolean = column.kind {
        let truth = column.most_common.iter().find(|(value, _)| value == "t" || value == "true");
        let share = truth.map_or(0.0, |(_, truth)| truth / share.max(f64::MIN_POSITIVE));
        return (!column.most_common.is_empty()).then(|| format!("bool = {}", trimmed(round(share))));
    }
    let is_category = matches!(
        column.kind,
        ColumnKind::Text(_) | ColumnKind::Enumeration(_) | ColumnKind::Integer | ColumnKind::Number(_)
    );
    if is_category && is_whole && (1..=CATEGORIES_MAX).contains(&column.most_common.len()) {
        return Some(format!("one_of = {{ {} }}", weights(&column.most_common, share)));
    }
    match &column.kind {
        ColumnKind::Enumeration(labels) if !labels.is_empty() => {
            let labels: Vec<String> = labels.iter().map(|label| quoted(label)).collect();
            Some(format!("one_of = [{}]", labels.join(", ")))
        }
        _ => None,
    }
}

/// Weights of four decimals that sum to exactly 1: the first takes what rounding leaves.
fn weights(values: &[(String, f64)], share: f64) -> String {
    let mut parts: Vec<u32> = values.iter().map(|(_, weight)| ten_thousandths(weight / share)).collect();
    let others: u32 = parts.iter().skip(1).sum();
    if let Some(first) = parts.first_mut() {
        *first = 10_000_u32.saturating_sub(others);
    }
    let weight = |((value, _), part): (&(String, f64), u32)| {
        format!("{} = {}", quoted(value), trimmed(f64::from(part) / 10_000.0))
    };
    values.iter().zip(parts).map(weight).collect::<Vec<_>>().join(", ")
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of 1, clamped")]
fn ten_thousandths(share: f64) -> u32 {
    (share.clamp(0.0, 1.0) * 10_000.0).round() as u32
}

fn round(share: f64) -> f64 {
    (share * 10_000.0).round() / 10_000.0
}

/// A distribution between the ends of what was seen.
fn spread(column: &ExistingColumn) -> Option<String> {
    match &column.kind {
        ColumnKind::Integer => {
            let (low, high) = ends(column, |value| value.parse::<i64>().ok())?;
            Some(format!("range = [{low}, {high}]"))
        }
        ColumnKind::Number(scale) => numbers(column, *scale),
        ColumnKind::Time => {
            let (low, high) = ends(column, instant_us)?;
            let day = |instant: i64| {
                let timestamp = jiff::Timestamp::from_microsecond(instant).ok()?;
                Some(timestamp.to_zoned(jiff::tz::TimeZone::UTC).date())
            };
            let (from, to) = (day(low)?, day(high)?.tomorrow().ok()?);
            Some(format!("spread = [\"{from}\", \"{to}\"]"))
        }
        ColumnKind::Uuid => Some("uuid = true".to_owned()),
        ColumnKind::Text(length) => {
            let most = length.unwrap_or(u32::MAX);
            let mean = column.width_bytes.clamp(2, 1000).min(most.max(2));
            let (min, max) = ((mean / 2).max(1).min(most), (mean + mean / 2).min(most));
            Some(format!("text = {{ min = {min}, max = {max} }}"))
        }
        ColumnKind::Json if column.not_null && !column.has_default => Some("constant = \"{}\"".to_owned()),
        _ => None,
    }
}

/// The lowest and the highest of the values seen; `None` where they are equal or unreadable.
fn ends<T: Ord + Copy>(column: &ExistingColumn, read: impl Fn(&str) -> Option<T>) -> Option<(T, T)> {
    let seen = column.bounds.iter().chain(column.most_common.iter().map(|(value, _)| value));
    let values: Vec<T> = seen.filter_map(|value| read(value)).collect();
    let (low, high) = (*values.iter().min()?, *values.iter().max()?);
    (low < high).then_some((low, high))
}

/// Log-normal where the middle lies nearer the lower end, as amounts do; else uniform.
fn numbers(column: &ExistingColumn, scale: Option<u32>) -> Option<String> {
    let seen = column.bounds.iter().chain(column.most_common.iter().map(|(value, _)| value));
    let mut values: Vec<f64> = seen.filter_map(|value| value.parse().ok()).collect();
    values.retain(|value: &f64| value.is_finite());
    values.sort_by(f64::total_cmp);
    let (low, high) = (*values.first()?, *values.last()?);
    if low >= high {
        return None;
    }
    let at = |numerator: usize| values[(values.len() - 1) * numerator / 100];
    let (median, upper) = (at(50), at(84));
    let scale = scale.map_or(String::new(), |scale| format!(", scale = {scale}"));
    let sigma = (upper / median).ln();
    if low > 0.0 && median - low < 0.8 * (high - median) && sigma > 0.0 && values.len() >= 10 {
        return Some(format!(
            "lognormal = {{ median = {}, sigma = {} }}{scale}, min = {}, max = {}",
            trimmed(median),
            trimmed(round(sigma)),
            trimmed(low),
            trimmed(high)
        ));
    }
    Some(format!("uniform = [{}, {}]{scale}", decimal(low), decimal(high)))
}

/// With at least one decimal, for TOML's sake.
fn decimal(number: f64) -> String {
    let text = trimmed(number);
    if text.contains('.') { text } else { format!("{text}.0") }
}

/// A TOML string of one line, which can be a key as well.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            control if control.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(control))),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// A TOML key, bare where it can be.
fn key(name: &str) -> String {
    let is_bare = !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if is_bare { name.to_owned() } else { quoted(name) }
}
