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

/// Creates the candidate in a clone of `template` and explains the query with and without it.
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
    let trial = Trial { target, candidate, query, set, writes, caps };
    let mut sides = Vec::with_capacity(2);
    // What a write leaves behind when it is rolled back would be in the way of the other side.
    let clones: &[&[Side]] =
        if writes { &[&[Side::Without], &[Side::With]] } else { &[&[Side::Without, Side::With]] };
    for &in_one in clones {
        let clone = target.clone_database(template, "index trial").await?;
        let outcome = trial.measure(&clone, in_one).await;
        target.drop_database(&clone).await?;
        sides.extend(outcome?);
    }
    let [before, after] = sides.as_slice() else {
        return Err(Error::Unexpected("an index was tried on one side only".into()));
    };
    Ok(IndexTrial {
        create_index: candidate.create_index(None),
        hypothetical: false,
        cost_before: cost(&before.plans),
        cost_after: cost(&after.plans),
        used: after.plans.iter().any(|plan| plan::uses_index(plan, INDEX_NAME, &plan::Relations::default())),
        buffers_before: before.buffers(),
        buffers_after: after.buffers(),
        execution_before_us: before.execution_us(),
        execution_after_us: after.execution_us(),
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Without,
    With,
}

struct Trial<'a> {
    target: &'a Target,
    candidate: &'a IndexCandidate,
    query: &'a PreparedQuery,
    set: &'a ParameterSet,
    writes: bool,
    caps: Caps,
}

impl Trial<'_> {
    /// One side or both in a clone.
    async fn measure(&self, clone: &str, sides: &[Side]) -> Result<Vec<ExplainedSet>, Error> {
        let session = self.target.connect_to(clone).await?;
        let mut measured = Vec::new();
        for side in sides {
            self.arrange(&session, *side).await?;
            // A query that reads fills the clone's caches first. Building the index did that for a
            // write, which may be executed but once.
            if !self.writes {
                self.explain(&session).await?;
            }
            measured.push(self.explain(&session).await?);
        }
        Ok(measured)
    }

    async fn arrange(&self, session: &Session, side: Side) -> Result<(), Error> {
        if side == Side::Without && !self.writes {
            return Ok(());
        }
        session.batch_execute(&self.candidate.create_index(Some(INDEX_NAME))).await?;
        if side == Side::Without {
            session.batch_execute(&format!("DROP INDEX {}", self.candidate.qualified(INDEX_NAME))).await?;
        }
        Ok(session.batch_execute(&format!("ANALYZE {}", self.candidate.quoted_table())).await?)
    }

    async fn explain(&self, session: &Session) -> Result<ExplainedSet, Error> {
        let Self { query, set, writes, caps, .. } = self;
        Ok(explained(explain_set(session, query, set, *writes, false, *caps).await?))
    }
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
        used: after.iter().any(|plan| plan::uses_index(plan, &name, &plan::Relations::default())),
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
