//! What only the server can tell before the first row: do its types, domains and
//! CHECK constraints take the values that were declared?
//!
//! A sample of each table's rows goes into a temporary table, where every CHECK is
//! evaluated by itself, so that all problems are found at once.

use super::copy::{encode_rows, statement};
use super::error::Error;
use super::plan::{SeedPlan, TablePlan};
use crate::postgres::{CheckConstraint, ServerError, Session, quote_identifier};
use crate::project::diagnostic::Diagnostic;
use futures_util::SinkExt as _;
use std::ops::Range;

/// Rows tried per table: the first ones, and as many spread over the rest.
const SAMPLE_ROWS: u64 = 2_000;

const SAMPLE: &str = "pg_temp.plimsoll_sample";

/// Fails with everything that the server finds wrong.
pub(super) async fn check(session: &Session, plan: &SeedPlan) -> Result<(), Error> {
    for table in &plan.tables {
        let holds_rows: bool =
            session.query_one(&format!("SELECT EXISTS (SELECT FROM {})", table.quoted), &[]).await?.get(0);
        if holds_rows {
            return Err(Error::NotEmpty { table: table.label() });
        }
    }
    let mut found = Vec::new();
    session.batch_execute("BEGIN").await?;
    for table in &plan.tables {
        check_table(session, plan, table, &mut found).await?;
    }
    session.batch_execute("ROLLBACK").await?;
    if found.is_empty() {
        return Ok(());
    }
    found.sort_by_key(|problem: &Diagnostic| problem.span.as_ref().map_or(0, |span| span.start));
    Err(Error::Declared(found))
}

async fn check_table(
    session: &Session,
    plan: &SeedPlan,
    table: &TablePlan,
    found: &mut Vec<Diagnostic>,
) -> Result<(), Error> {
    session
        .batch_execute(&format!(
            "SAVEPOINT plimsoll; CREATE TEMPORARY TABLE plimsoll_sample (LIKE {} INCLUDING DEFAULTS INCLUDING GENERATED)",
            table.quoted
        ))
        .await?;
    match copy_sample(session, table).await {
        Ok(()) => {
            for check in &table.checks {
                found.extend(check_constraint(session, plan, table, check).await?);
            }
        }
        Err(Error::Postgres(error)) => match error.server() {
            Some(report) => found.push(refused(plan, table, report)),
            None => return Err(error.into()),
        },
        Err(error) => return Err(error),
    }
    Ok(session.batch_execute("ROLLBACK TO SAVEPOINT plimsoll").await?)
}

fn sampled_rows(rows: u64) -> Box<dyn Iterator<Item = u64> + Send> {
    if rows <= SAMPLE_ROWS {
        return Box::new(0..rows);
    }
    let half = SAMPLE_ROWS / 2;
    let spread = move |index| half + (u128::from(rows - half) * u128::from(index) / u128::from(half)) as u64;
    Box::new((0..half).chain((0..half).map(spread)))
}

async fn copy_sample(session: &Session, table: &TablePlan) -> Result<(), Error> {
    let mut sink = Box::pin(session.copy_in(&statement(table, SAMPLE)).await?);
    sink.send(encode_rows(table, sampled_rows(table.rows))).await?;
    sink.as_mut().finish().await?;
    Ok(())
}

/// A value that the server did not take, at the column it belongs to.
pub(super) fn refused(plan: &SeedPlan, table: &TablePlan, report: &ServerError) -> Diagnostic {
    // Such as `COPY plimsoll_sample, line 3, column status`.
    let context = report.context.as_deref().unwrap_or_default();
    let named = context
        .split("column ")
        .nth(1)
        .map(|rest| rest.split([':', ',', '\n']).next().unwrap_or(rest).trim());
    let name = report.column.as_deref().or(named);
    let column = table.columns.iter().find(|column| Some(column.name.as_str()) == name);
    let subject = column.map_or_else(|| table.label(), |column| format!("{}.{}", table.label(), column.name));
    let kind = column.map_or(String::new(), |column| format!(" ({})", column.type_name));
    problem(
        plan,
        column.map_or(&table.span, |column| &column.span),
        format!("the server does not take the values of {subject}{kind}: {report}"),
        "declare values that the column's type takes",
    )
}

/// A CHECK that some sampled rows violate.
async fn check_constraint(
    session: &Session,
    plan: &SeedPlan,
    table: &TablePlan,
    check: &CheckConstraint,
) -> Result<Option<Diagnostic>, Error> {
    let shown: Vec<String> = check
        .columns
        .iter()
        .map(|name| {
            let label = name.replace('\'', "''");
            format!("'{label} = ' || coalesce({}::text, 'NULL')", quote_identifier(name))
        })
        .collect();
    let example = if shown.is_empty() { "''".to_owned() } else { shown.join(" || ', ' || ") };
    let query = format!(
        "SELECT count(*), min({example}), (SELECT count(*) FROM {SAMPLE}) FROM {SAMPLE} WHERE NOT ({})",
        check.expression
    );
    session.batch_execute("SAVEPOINT plimsoll_check").await?;
    let row = match session.query_one(&query, &[]).await {
        Ok(row) => row,
        Err(error) if error.as_db_error().is_some() => {
            // An expression that only works on the table itself is left to the table.
            session.batch_execute("ROLLBACK TO SAVEPOINT plimsoll_check").await?;
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    let (violations, example, sampled): (i64, Option<String>, i64) = (row.get(0), row.get(1), row.get(2));
    if violations == 0 {
        return Ok(None);
    }
    let column =
        check.columns.iter().find_map(|name| table.columns.iter().find(|column| column.name == *name));
    Ok(Some(problem(
        plan,
        column.map_or(&table.span, |column| &column.span),
        format!(
            "CHECK {} of {} ({}) is violated by {violations} of {sampled} sampled rows, such as {}",
            check.name,
            table.label(),
            check.expression.trim_start_matches('(').trim_end_matches(')'),
            example.unwrap_or_default()
        ),
        "declare values that the CHECK allows",
    )))
}

fn problem(plan: &SeedPlan, span: &Range<usize>, message: String, help: &str) -> Diagnostic {
    Diagnostic {
        path: plan.path.clone(),
        text: plan.text.clone(),
        span: Some(span.clone()),
        message,
        help: Some(help.to_owned()),
    }
}
