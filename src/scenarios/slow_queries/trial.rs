//! An index tried where it cannot hurt: in a clone that is dropped again.

use super::counters::{Caps, explain_set};
use super::index::IndexCandidate;
use super::record::ExplainedSet;
use super::workload::PreparedQuery;
use crate::model::evidence::slow_queries::IndexTrial;
use crate::parameters::ParameterSet;
use crate::plan;
use crate::postgres::{Error, ExplainOptions, Session, Target, explain, hypothetical_index};

const INDEX_NAME: &str = "plimsoll_trial";

/// Creates the candidate in a clone of `template` and explains the query again.
///
/// # Errors
/// The clone cannot be made, the index cannot be created, or the query fails.
pub(crate) async fn try_index(
    target: &Target,
    template: &str,
    candidate: &IndexCandidate,
    query: &PreparedQuery,
    set: &ParameterSet,
    writes: bool,
    caps: Caps,
) -> Result<IndexTrial, Error> {
    let clone = target.clone_database(template, "index trial").await?;
    let outcome = measure(target, &clone, candidate, query, set, writes, caps).await;
    target.drop_database(&clone).await?;
    outcome
}

async fn measure(
    target: &Target,
    clone: &str,
    candidate: &IndexCandidate,
    query: &PreparedQuery,
    set: &ParameterSet,
    writes: bool,
    caps: Caps,
) -> Result<IndexTrial, Error> {
    let session = target.connect_to(clone).await?;
    // Executed twice on each side: the first fills the clone's caches.
    explain_set(&session, query, set, writes, false, caps).await?;
    let before = explained(explain_set(&session, query, set, writes, false, caps).await?);
    session.batch_execute(&candidate.create_index(Some(INDEX_NAME))).await?;
    session.batch_execute(&format!("ANALYZE {}", candidate.quoted_table())).await?;
    explain_set(&session, query, set, writes, false, caps).await?;
    let after = explained(explain_set(&session, query, set, writes, false, caps).await?);
    Ok(IndexTrial {
        create_index: candidate.create_index(None),
        hypothetical: false,
        cost_before: cost(&before.plans),
        cost_after: cost(&after.plans),
        used: after
            .plans
            .iter()
            .any(|plan| !plan::uses_index(plan, INDEX_NAME, &plan::Partitions::new()).is_empty()),
        buffers_before: before.buffers(),
        buffers_after: after.buffers(),
        execution_before_us: before.execution_us(),
        execution_after_us: after.execution_us(),
    })
}

/// Lets the planner of one session believe in the candidate: nothing is built and nothing executed.
/// `None` where the database has no hypopg.
///
/// # Errors
/// The server cannot be reached, or refuses the index or the query.
pub(crate) async fn suppose_index(
    session: &Session,
    candidate: &IndexCandidate,
    query: &PreparedQuery,
    set: &ParameterSet,
) -> Result<Option<IndexTrial>, Error> {
    let before = estimates(session, query, set).await?;
    let Some(name) = hypothetical_index(session, &candidate.create_index(None)).await? else {
        return Ok(None);
    };
    let after = estimates(session, query, set).await?;
    Ok(Some(IndexTrial {
        create_index: candidate.create_index(None),
        used: after.iter().any(|plan| !plan::uses_index(plan, &name, &plan::Partitions::new()).is_empty()),
        hypothetical: true,
        cost_before: cost(&before),
        cost_after: cost(&after),
        buffers_before: 0,
        buffers_after: 0,
        execution_before_us: 0.0,
        execution_after_us: 0.0,
    }))
}

async fn estimates(
    session: &Session,
    query: &PreparedQuery,
    set: &ParameterSet,
) -> Result<Vec<plan::Plan>, Error> {
    let mut plans = Vec::new();
    for statement in query.statements.iter().filter(|statement| statement.is_explainable()) {
        plans.push(
            explain(session, &statement.sql, &statement.values(set), ExplainOptions::estimate()).await?,
        );
    }
    Ok(plans)
}

fn cost(plans: &[plan::Plan]) -> f64 {
    plans.iter().map(|plan| plan.root.estimate.total_cost).sum()
}

fn explained(plans: Vec<plan::Plan>) -> ExplainedSet {
    ExplainedSet::new("", plans)
}
