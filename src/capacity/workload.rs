//! The project's queries as a workload: parameters drawn, and each tried once
//! in a read-only transaction, which tells whether it writes.

use super::Options;
use crate::load::{Workload, WorkloadQuery};
use crate::parameters::{self, ParameterSet};
use crate::postgres::{Error, Session, TextParameter};
use crate::prepare::Context;
use crate::project::query::Query;
use crate::sql::parameters::{Positional, to_positional};

/// A statement is cancelled after this, as the server reads it.
pub(super) const STATEMENT_TIMEOUT: &str = "10s";

const READ_ONLY_SQL_TRANSACTION: &str = "25006";

/// What is executed, and what is not.
pub(super) struct Chosen<'a> {
    pub(super) workload: Workload,
    /// Beside the workload's.
    pub(super) queries: Vec<&'a Query>,
    /// Names of queries left out because they write.
    pub(super) left_out: Vec<String>,
}

/// Makes the queries ready.
///
/// # Errors
/// Parameters cannot be drawn, or the server is lost.
pub(super) async fn prepare<'a>(
    context: &Context<'a>,
    options: &Options,
    database: &str,
) -> anyhow::Result<Chosen<'a>> {
    let session = context.target.connect_to(database).await?;
    let may_write = context.target.may_change(database);
    let mut chosen =
        Chosen { workload: Workload { queries: Vec::new() }, queries: Vec::new(), left_out: Vec::new() };
    let asked = |query: &&Query| options.queries.is_empty() || options.queries.contains(&query.name);
    for query in context.project.queries.iter().filter(asked) {
        let count = if query.parameters.is_empty() { 1 } else { options.parameter_sets.max(1) };
        let sets = parameters::draw(&session, query, context.seed, count).await?;
        let statements: Vec<Positional> = query.statements.iter().map(|sql| to_positional(sql)).collect();
        let writes = writes(&session, query, &statements, sets.first()).await?;
        if writes && !may_write {
            chosen.left_out.push(query.name.clone());
            continue;
        }
        let values = |set: &ParameterSet| {
            statements.iter().map(|statement| values_of(query, set, statement)).collect()
        };
        chosen.workload.queries.push(WorkloadQuery {
            name: query.name.clone(),
            weight: query.weight,
            sets: sets.iter().map(values).collect(),
            statements: statements.into_iter().map(|statement| statement.sql).collect(),
            writes,
        });
        chosen.queries.push(query);
    }
    Ok(chosen)
}

/// Whether the server refuses it in a read-only transaction. Any other error comes again, and is
/// counted, when the query is under load.
async fn writes(
    session: &Session,
    query: &Query,
    statements: &[Positional],
    set: Option<&ParameterSet>,
) -> Result<bool, Error> {
    let Some(set) = set else { return Ok(false) };
    session
        .batch_execute(&format!("BEGIN READ ONLY; SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'"))
        .await?;
    let mut refused = false;
    for statement in statements {
        let values = values_of(query, set, statement);
        let parameters = TextParameter::all(&values);
        let outcome = session.execute(statement.sql.as_str(), &TextParameter::references(&parameters)).await;
        if let Err(error) = outcome {
            let error = Error::from(error);
            if error.server().is_none() {
                return Err(error);
            }
            refused = error.sqlstate() == Some(READ_ONLY_SQL_TRANSACTION);
            break;
        }
    }
    session.batch_execute("ROLLBACK").await?;
    Ok(refused)
}

/// The values for one statement of the query, in the order of its `$n`.
fn values_of(query: &Query, set: &ParameterSet, statement: &Positional) -> Vec<Option<String>> {
    let index = |name: &String| query.parameters.iter().position(|parameter| parameter.name == *name);
    let value = |index: usize| set.values.get(index).cloned().flatten();
    statement.names.iter().map(|name| index(name).and_then(value)).collect()
}
