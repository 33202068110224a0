//! The plan of a statement for no particular parameters: what each `$n` is
//! compared with, in the server's own words, and of which type it is.

use super::text_parameter::RawText;
use super::{Error, ExplainOptions, Session};
use crate::plan::Plan;

/// A statement as the server understands it, without values.
#[derive(Debug, Clone)]
pub struct GenericPlan {
    /// The plan with `$1`, `$2`, … in its conditions and columns named with their tables.
    pub plan: Plan,
    /// `pg_type.typname` of each parameter, `$1` first; `_int4` is an array of `int4`.
    pub parameter_types: Vec<String>,
}

/// Plans a statement without values; nothing is executed, whatever the options say. The session
/// must be in no transaction.
///
/// # Errors
/// The server refuses the statement, or the plan cannot be read.
pub async fn generic_plan(
    session: &Session,
    sql: &str,
    options: ExplainOptions,
) -> Result<GenericPlan, Error> {
    let prepared = session.prepare(sql).await?;
    let parameter_types: Vec<String> = prepared.params().iter().map(|kind| kind.name().to_owned()).collect();
    let plan = Plan::parse(&planned(session, sql, parameter_types.len(), options).await?)
        .map_err(|error| Error::Unexpected(format!("the generic plan cannot be read: {error}")))?;
    Ok(GenericPlan { plan, parameter_types })
}

/// The same plan as the server's own JSON text.
///
/// # Errors
/// The server refuses the statement.
pub async fn generic_plan_json(
    session: &Session,
    sql: &str,
    options: ExplainOptions,
) -> Result<String, Error> {
    let parameters = session.prepare(sql).await?.params().len();
    planned(session, sql, parameters, options).await
}

async fn planned(
    session: &Session,
    sql: &str,
    parameters: usize,
    options: ExplainOptions,
) -> Result<String, Error> {
    let statement = sql.trim_end_matches([';', ' ', '\n']);
    session.batch_execute(&format!("PREPARE plimsoll_generic AS {statement}")).await?;
    session.batch_execute("BEGIN READ ONLY; SET LOCAL plan_cache_mode = force_generic_plan").await?;
    let answer = explain_prepared(session, parameters, options).await;
    session.batch_execute("ROLLBACK; DEALLOCATE plimsoll_generic").await?;
    answer
}

/// `EXPLAIN (GENERIC_PLAN)` is known from 16 on only; this works everywhere.
async fn explain_prepared(
    session: &Session,
    parameters: usize,
    options: ExplainOptions,
) -> Result<String, Error> {
    let nulls = vec!["NULL"; parameters].join(", ");
    let arguments = if nulls.is_empty() { nulls } else { format!("({nulls})") };
    let prefix = ExplainOptions { analyze: false, ..options }.prefix();
    let explain = format!("{prefix}EXECUTE plimsoll_generic{arguments}");
    Ok(session.query_one(&explain, &[]).await?.try_get::<_, RawText>(0)?.0)
}
