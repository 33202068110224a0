//! EXPLAIN (ANALYZE, BUFFERS) of a query's parameter sets, each in a
//! connection of its own, rolled back. Also asks the server whether the query
//! writes, by trying it in a read-only transaction first.

use super::interruption::{interruption, lock_cap};
use super::record::{ExplainedSet, Failure, ServerTime};
use super::workload::PreparedQuery;
use crate::parameters::ParameterSet;
use crate::plan::Plan;
use crate::postgres::{Error, ExplainOptions, Session, Target, TextParameter, explain};
use crate::stats::clock;
use std::time::{Duration, Instant};

/// Parameter sets explained per query, at most.
pub(crate) const EXPLAINED_MAX: usize = 20;

/// What explaining a query came to.
#[derive(Debug, Default)]
pub(crate) struct Explained {
    /// Whether it needs a transaction that may write.
    pub(crate) writes: bool,
    /// What was explained.
    pub(crate) sets: Vec<ExplainedSet>,
    /// The server's times of these and of the repeats.
    pub(crate) server_times: Vec<ServerTime>,
    /// Why it could not be.
    pub(crate) failure: Option<Failure>,
    /// Parameter sets left out for lack of time.
    pub(crate) left_out: usize,
    /// The time after which they were.
    pub(crate) cap: Duration,
}

/// Limits of the explaining.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caps {
    /// A statement is cancelled after this.
    pub(crate) statement: Duration,
    /// No further parameter set is begun after this.
    pub(crate) query: Duration,
    /// Whether the database may be written to.
    pub(crate) may_write: bool,
    /// Executions that a budget on the server's own times needs.
    pub(crate) server_times: usize,
    /// Whether the query is known to write and the database is its own.
    pub(crate) writes: bool,
}

/// Explains a query's first parameter sets. Where it turns out to write, nothing but that is
/// known: what it leaves behind when it is rolled back must not be in a database of others
/// (see `writers`).
///
/// # Errors
/// The server cannot be reached. An error of the query is data.
pub(crate) async fn explain_all(
    target: &Target,
    database: &str,
    query: &PreparedQuery,
    caps: Caps,
) -> Result<Explained, Error> {
    let start = clock::now();
    let mut explained = Explained { writes: caps.writes, cap: caps.query, ..Explained::default() };
    let wanted = query.sets.len().min(EXPLAINED_MAX);
    if query.fills_tables() && !caps.writes {
        return Ok(refused(caps));
    }
    for (done, set) in query.sets.iter().take(wanted).enumerate() {
        if done > 0 && clock::now().duration_since(start) > caps.query {
            explained.left_out = wanted - done;
            break;
        }
        let session = target.connect_to(database).await?;
        let begun = clock::now();
        let outcome = explain_set(&session, query, set, explained.writes, false, caps).await;
        if !explained.writes && is_read_only_refusal(&outcome) {
            return Ok(refused(caps));
        }
        match outcome {
            Ok(plans) => {
                let one = ExplainedSet::new(&set.label, plans);
                explained.server_times.push(one.server_time());
                explained.sets.push(one);
            }
            Err(error) => {
                if error.server().is_none() {
                    // It may have ended only its own session; a server that is gone says so again.
                    target.connect_to(database).await?;
                }
                explained.failure = Some(failure(&error, set, caps, begun));
                break;
            }
        }
    }
    if explained.failure.is_none() {
        repeat_for_times(target, database, query, caps, start, &mut explained).await?;
    }
    Ok(explained)
}

/// Explains the sets again in turn, each time in a new connection, until there
/// are enough of the server's own times. An error ends it: the first round went well.
async fn repeat_for_times(
    target: &Target,
    database: &str,
    query: &PreparedQuery,
    caps: Caps,
    start: Instant,
    explained: &mut Explained,
) -> Result<(), Error> {
    for set in query.sets.iter().take(explained.sets.len()).cycle() {
        let is_late = clock::now().duration_since(start) > caps.query;
        if explained.server_times.len() >= caps.server_times || is_late {
            break;
        }
        let session = target.connect_to(database).await?;
        let outcome = explain_set(&session, query, set, explained.writes, false, caps).await;
        let Ok(plans) = outcome else { break };
        explained.server_times.push(ExplainedSet::new("", plans).server_time());
    }
    Ok(())
}

/// A query that writes, before anything of it was executed.
fn refused(caps: Caps) -> Explained {
    let failure = (!caps.may_write).then_some(Failure::WritesToPrecious);
    Explained { writes: true, failure, ..Explained::default() }
}

fn is_read_only_refusal(outcome: &Result<Vec<Plan>, Error>) -> bool {
    const READ_ONLY_SQL_TRANSACTION: &str = "25006";
    outcome.as_ref().is_err_and(|error| error.sqlstate() == Some(READ_ONLY_SQL_TRANSACTION))
}

fn failure(error: &Error, set: &ParameterSet, caps: Caps, begun: Instant) -> Failure {
    let elapsed = clock::now().duration_since(begun);
    if let Some(found) = interruption(error.sqlstate().unwrap_or_default(), elapsed, caps.statement) {
        return Failure::interrupted(found, caps.statement, &set.label);
    }
    let with = if set.label.is_empty() { String::new() } else { format!(" (with {})", set.label) };
    let session = if error.server().is_none() { "its session did not survive it: " } else { "" };
    Failure::Failed { message: format!("{session}{error}{with}") }
}

/// Explains one parameter set in a transaction that is rolled back.
///
/// # Errors
/// The server cannot be reached, or a statement fails.
pub(crate) async fn explain_set(
    session: &Session,
    query: &PreparedQuery,
    set: &ParameterSet,
    writes: bool,
    timing: bool,
    caps: Caps,
) -> Result<Vec<Plan>, Error> {
    let mode = if writes { "" } else { " READ ONLY" };
    let mut timeouts = format!("SET LOCAL statement_timeout = {}", caps.statement.as_millis());
    if !caps.may_write {
        // Others are connected: what waits for their locks is not slow.
        timeouts += &format!("; SET LOCAL lock_timeout = {}", lock_cap(caps.statement).as_millis());
    }
    session.batch_execute(&format!("BEGIN{mode}; {timeouts}")).await?;
    let outcome = explain_statements(session, query, set, writes, timing).await;
    let rolled_back = session.batch_execute("ROLLBACK").await;
    let plans = outcome?;
    rolled_back?;
    Ok(plans)
}

async fn explain_statements(
    session: &Session,
    query: &PreparedQuery,
    set: &ParameterSet,
    writes: bool,
    timing: bool,
) -> Result<Vec<Plan>, Error> {
    let mut plans = Vec::with_capacity(query.statements.len());
    for statement in &query.statements {
        let values = statement.values(set);
        if statement.is_explainable() {
            // Planned once before: the first plan of a connection also fills its catalogue caches.
            // It tells schemas, too, which would make every condition longer in the plan that is shown.
            let estimate =
                ExplainOptions { in_transaction: true, verbose: true, ..ExplainOptions::estimate() };
            let verbose = explain(session, &statement.sql, &values, estimate).await?;
            let options =
                ExplainOptions { wal: writes, timing, in_transaction: true, ..ExplainOptions::default() };
            let mut plan = explain(session, &statement.sql, &values, options).await?;
            plan.take_schemas(&verbose);
            plans.push(plan);
        } else {
            let parameters = TextParameter::all(&values);
            session.execute(statement.sql.as_str(), &TextParameter::references(&parameters)).await?;
        }
    }
    Ok(plans)
}
