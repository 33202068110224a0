//! An index tried where it cannot hurt: in a clone that is dropped again.

use super::counters::{Caps, explain_set};
use super::index::IndexCandidate;
use super::record::ExplainedSet;
use super::workload::PreparedQuery;
use crate::model::evidence::slow_queries::IndexTrial;
use crate::parameters::ParameterSet;
use crate::plan;
use crate::postgres::{Error, Target};

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
        used: after.plans.iter().any(|plan| !plan::uses_index(plan, INDEX_NAME).is_empty()),
        buffers_before: before.buffers(),
        buffers_after: after.buffers(),
        execution_before_us: before.execution_us(),
        execution_after_us: after.execution_us(),
    })
}

fn explained(plans: Vec<plan::Plan>) -> ExplainedSet {
    ExplainedSet { label: String::new(), plans }
}
