//! Asks the filled database what it holds, with bounded effort: tables larger than
//! the sample are read in part, by whole pages chosen at random.

use super::children::Children;
use super::column::Kind;
use super::error::Error;
use super::expectation::{Expectation, expectation};
use super::obtained::{Cell, judge};
use super::plan::{ColumnPlan, Layout, SeedPlan, TablePlan};
use crate::model::evidence::data::{Agreement, FigureKind, ObtainedColumn, ObtainedFigure};
use crate::postgres::{Session, quote_identifier};
use std::collections::BTreeMap;

/// Rows (for child counts: parents) that are looked at, about.
const SAMPLE_ROWS: u64 = 50_000;

/// Declared against obtained for every column that has a distribution: a query each, over a bounded sample.
///
/// # Errors
/// The server refuses, or the connection breaks.
pub async fn measure(session: &Session, plan: &SeedPlan) -> Result<Vec<ObtainedColumn>, Error> {
    let mut measured = Vec::new();
    for table in &plan.tables {
        measured.extend(children(session, plan, table).await?);
        for column in &table.columns {
            if let Some(expectation) = expectation(table, column) {
                measured.push(measure_column(session, table, column, &expectation).await?);
            }
        }
    }
    Ok(judge(measured))
}

/// The table, or random pages of it that hold about the sample.
fn sampled(table: &TablePlan) -> String {
    if table.rows <= SAMPLE_ROWS * 2 {
        return table.quoted.clone();
    }
    let percent = 100.0 * SAMPLE_ROWS as f64 / table.rows as f64;
    format!("{} TABLESAMPLE SYSTEM ({percent}) REPEATABLE (0)", table.quoted)
}

async fn measure_column(
    session: &Session,
    table: &TablePlan,
    column: &ColumnPlan,
    expectation: &Expectation,
) -> Result<(ObtainedColumn, Vec<Cell>), Error> {
    let counts = expectation.cells.iter().map(|cell| format!("count(*) FILTER (WHERE {})", cell.condition));
    let quantiles = expectation.quantiles.iter().map(|(_, p, _)| {
        format!("(percentile_disc({p}) WITHIN GROUP (ORDER BY {}))::double precision", expectation.number)
    });
    let selected: Vec<String> =
        std::iter::once("count(*)".to_owned()).chain(counts).chain(quantiles).collect();
    let query = format!("SELECT {} FROM {}", selected.join(", "), sampled(table));
    let row = session.query_one(&query, &[]).await?;
    let rows = row.get::<_, i64>(0) as f64;
    let obtained: Vec<f64> =
        (0..expectation.cells.len()).map(|place| row.get::<_, i64>(place + 1) as f64).collect();
    let mut figures = shares(expectation, &obtained, rows);
    for (place, (label, _, declared)) in expectation.quantiles.iter().enumerate() {
        let obtained: Option<f64> = row.get(expectation.cells.len() + 1 + place);
        figures.extend(obtained.map(|obtained| ObtainedFigure {
            label: (*label).to_owned(),
            kind: if expectation.is_time { FigureKind::EpochSeconds } else { FigureKind::Value },
            declared: *declared,
            obtained,
        }));
    }
    let (cells, outside) = cells(expectation, &obtained, rows);
    let column = ObtainedColumn {
        table: table.label(),
        column: column.name.clone(),
        declared: expectation.declared.clone(),
        rows: rows as u64,
        figures,
        agreement: if outside > 0 { Agreement::Bounded { outside } } else { Agreement::TooFewRows },
    };
    Ok((column, cells))
}

fn shares(expectation: &Expectation, obtained: &[f64], rows: f64) -> Vec<ObtainedFigure> {
    let shown = expectation.cells.iter().zip(obtained).filter(|(cell, _)| cell.is_shown && rows > 0.0);
    shown
        .map(|(cell, obtained)| ObtainedFigure {
            label: cell.label.clone(),
            kind: FigureKind::Share,
            declared: cell.probability,
            obtained: obtained / rows,
        })
        .collect()
}

/// The cells to test, or the number of rows that should not be there at all.
fn cells(expectation: &Expectation, obtained: &[f64], rows: f64) -> (Vec<Cell>, u64) {
    let mut cells: Vec<Cell> = expectation
        .cells
        .iter()
        .zip(obtained)
        .map(|(cell, obtained)| Cell { expected: cell.probability * rows, obtained: *obtained })
        .collect();
    let (expected, counted) = cells
        .iter()
        .fold((0.0, 0.0), |(expected, counted), cell| (expected + cell.expected, counted + cell.obtained));
    cells.push(Cell { expected: rows - expected, obtained: rows - counted });
    // What is left of the sum of the probabilities is rounding, not a share.
    let (possible, impossible): (Vec<_>, Vec<_>) =
        cells.into_iter().partition(|cell| cell.expected > rows * 1e-9);
    let outside = impossible.iter().map(|cell| cell.obtained).sum::<f64>() as u64;
    (if outside > 0 { Vec::new() } else { possible }, outside)
}

/// How many children parents have.
async fn children(
    session: &Session,
    plan: &SeedPlan,
    table: &TablePlan,
) -> Result<Option<(ObtainedColumn, Vec<Cell>)>, Error> {
    let Layout::Children(children) = &table.layout else { return Ok(None) };
    let Some((column, key)) = table.columns.iter().find_map(|column| match &column.generator.kind {
        Kind::ParentKey(key) => Some((column, key)),
        _ => None,
    }) else {
        return Ok(None);
    };
    let name = quote_identifier(&column.name);
    // Numbered parents can be taken from the front: their counts do not depend on the number.
    let (parents, condition) = match key.kind {
        Kind::Sequence(first) if children.parents() > SAMPLE_ROWS => {
            (SAMPLE_ROWS, format!("WHERE {name} < {}", first.wrapping_add_unsigned(SAMPLE_ROWS)))
        }
        _ => (children.parents(), String::new()),
    };
    let query = format!(
        "SELECT children, count(*) FROM (SELECT count(*) AS children FROM {} {condition} GROUP BY {name}) AS parent \
         GROUP BY children",
        table.quoted
    );
    let mut obtained = BTreeMap::new();
    for row in session.query(&query, &[]).await? {
        obtained.insert(row.get::<_, i64>(0).unsigned_abs(), row.get::<_, i64>(1) as f64);
    }
    let with_children: f64 = obtained.values().sum();
    obtained.insert(0, parents as f64 - with_children);
    let label = format!("rows per {}", parent_label(plan, column));
    Ok(Some(compare_children(table, label, children, parents, &obtained)))
}

/// Parents by their number of children, against the declared probabilities.
fn compare_children(
    table: &TablePlan,
    label: String,
    children: &Children,
    parents: u64,
    obtained: &BTreeMap<u64, f64>,
) -> (ObtainedColumn, Vec<Cell>) {
    let declared: BTreeMap<u64, f64> = children.probabilities().collect();
    let mean: f64 = declared.iter().map(|(count, probability)| *count as f64 * probability).sum();
    let rows: f64 = obtained.iter().map(|(count, parents)| *count as f64 * parents).sum();
    let outside: f64 =
        obtained.iter().filter(|(count, _)| !declared.contains_key(count)).map(|(_, parents)| parents).sum();
    let cells = declared.iter().map(|(count, probability)| Cell {
        expected: probability * parents as f64,
        obtained: obtained.get(count).copied().unwrap_or(0.0),
    });
    let bound = |bound: Option<(&u64, &f64)>| bound.map_or(0, |(count, _)| *count);
    let column = ObtainedColumn {
        table: table.label(),
        column: label,
        declared: format!(
            "{} to {}, mean {mean:.3}",
            bound(declared.first_key_value()),
            bound(declared.last_key_value())
        ),
        rows: parents,
        figures: vec![ObtainedFigure {
            label: "mean".into(),
            kind: FigureKind::Value,
            declared: mean,
            obtained: rows / parents.max(1) as f64,
        }],
        agreement: match outside as u64 {
            0 => Agreement::TooFewRows,
            outside => Agreement::Bounded { outside },
        },
    };
    (column, if outside > 0.0 { Vec::new() } else { cells.collect() })
}

fn parent_label(plan: &SeedPlan, column: &ColumnPlan) -> String {
    use crate::project::distributions::ValueSource;
    match &column.source {
        ValueSource::References { table, .. } => plan
            .tables
            .iter()
            .find(|known| known.name == *table)
            .map_or_else(|| table.clone(), TablePlan::label),
        _ => "parent".into(),
    }
}
