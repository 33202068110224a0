//! What moves a query's plan besides the change: its parameters, a generic
//! plan instead of a custom one, another ANALYZE.

use super::cases::{Case, CaseParameters, CaseStatement};
use crate::plan::{Fingerprint, Plan};
use crate::postgres::{Error, ExplainOptions, Session, Target, explain, quote_literal};
use crate::sql::statement::StatementKind;

/// How often ANALYZE is repeated to see whether a plan holds.
const ANALYSES: usize = 2;

/// What moves a plan, for one query.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choices {
    /// One sentence each.
    pub sentences: Vec<String>,
    /// Another ANALYZE of unchanged data gives another plan.
    pub is_unstable: bool,
}

/// Sentences about plans that differ by parameter, and about a generic plan
/// that differs from the custom one.
///
/// # Errors
/// A connection breaks.
pub async fn by_parameter(session: &Session, case: &Case) -> Result<Vec<String>, Error> {
    let mut sentences = Vec::new();
    for statement in &case.statements {
        let mut plans: Vec<(Plan, &CaseParameters)> = Vec::new();
        for set in &case.parameter_sets {
            match estimate(session, statement, set).await {
                Ok(plan) => plans.push((plan, set)),
                Err(Error::Server(_)) => return Ok(sentences),
                Err(other) => return Err(other),
            }
        }
        sentences.extend(differing(&plans));
        let Some((_, set)) = plans.first() else { continue };
        if statement.values(set).is_empty() || statement.kind == StatementKind::Write {
            continue;
        }
        match generic(session, statement, set).await {
            Ok(plan) => sentences.extend(unlike_generic(&plan, &plans)),
            Err(Error::Server(_)) => {}
            Err(other) => return Err(other),
        }
    }
    Ok(sentences)
}

/// The first parameter set whose own plan is not the generic one.
fn unlike_generic(generic: &Plan, plans: &[(Plan, &CaseParameters)]) -> Option<String> {
    let shape = generic.fingerprint();
    let (custom, set) = plans.iter().find(|(plan, _)| plan.fingerprint() != shape)?;
    let (generic, custom) = (reading(generic), reading(custom));
    Some(format!(
        "a generic plan differs from the custom one: {generic} instead of {custom} for {}",
        set.label
    ))
}

async fn estimate(session: &Session, statement: &CaseStatement, set: &CaseParameters) -> Result<Plan, Error> {
    explain(session, &statement.sql, &statement.values(set), ExplainOptions::estimate()).await
}

/// Which parameter sets get which plan, where they get different ones.
fn differing(plans: &[(Plan, &CaseParameters)]) -> Option<String> {
    let mut groups: Vec<(Fingerprint, String, Vec<&str>)> = Vec::new();
    for (plan, set) in plans {
        let shape = plan.fingerprint();
        match groups.iter_mut().find(|(known, ..)| *known == shape) {
            Some((_, _, labels)) => labels.push(&set.label),
            None => groups.push((shape, reading(plan), vec![&set.label])),
        }
    }
    if groups.len() < 2 {
        return None;
    }
    let parts: Vec<String> =
        groups.iter().map(|(_, reading, labels)| format!("{reading} for {}", labels.join(", "))).collect();
    Some(format!("the plan depends on the parameters: {}", parts.join("; ")))
}

/// How a plan reads its tables, in a few words.
fn reading(plan: &Plan) -> String {
    let labels: Vec<String> =
        plan.walk().filter(|visit| visit.node.reads_relation()).map(|visit| visit.node.label()).collect();
    if labels.is_empty() { plan.root.label() } else { labels.join(" + ") }
}

/// The plan for any parameter value, as a prepared statement gets it.
async fn generic(session: &Session, statement: &CaseStatement, set: &CaseParameters) -> Result<Plan, Error> {
    let literal = |value: &Option<String>| value.as_deref().map_or_else(|| "NULL".into(), quote_literal);
    let values: Vec<String> = statement.values(set).iter().map(literal).collect();
    session.batch_execute("SET plan_cache_mode = force_generic_plan").await?;
    let prepared = session.batch_execute(&format!("PREPARE plimsoll_case AS {}", statement.sql)).await;
    let plan = match prepared {
        Ok(()) => {
            let execute = format!("EXECUTE plimsoll_case({})", values.join(", "));
            let plan = explain(session, &execute, &[], ExplainOptions::estimate()).await;
            session.batch_execute("DEALLOCATE plimsoll_case").await?;
            plan
        }
        Err(error) => Err(error.into()),
    };
    session.batch_execute("RESET plan_cache_mode").await?;
    plan
}

/// For each case, whether another ANALYZE of the same data gives another plan.
/// Changes the statistics of the database.
///
/// # Errors
/// A connection breaks.
pub async fn unstable(target: &Target, database: &str, cases: &[&Case]) -> Result<Vec<bool>, Error> {
    let session = target.connect_to(database).await?;
    let mut known = Vec::new();
    for case in cases {
        known.push(shapes(&session, case).await?);
    }
    let mut moved = vec![false; cases.len()];
    for _ in 0..ANALYSES {
        session.batch_execute("ANALYZE").await?;
        for (index, case) in cases.iter().enumerate() {
            moved[index] |= shapes(&session, case).await? != known[index];
        }
    }
    Ok(moved)
}

async fn shapes(session: &Session, case: &Case) -> Result<Option<Vec<Fingerprint>>, Error> {
    let mut shapes = Vec::new();
    for set in &case.parameter_sets {
        for statement in &case.statements {
            match estimate(session, statement, set).await {
                Ok(plan) => shapes.push(plan.fingerprint()),
                Err(Error::Server(_)) => return Ok(None),
                Err(other) => return Err(other),
            }
        }
    }
    Ok(Some(shapes))
}
