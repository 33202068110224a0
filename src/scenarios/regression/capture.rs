//! Plans and counters of every case on both sides, and whether both return
//! the same rows. Each statement runs once to fill the caches of its
//! connection; the second execution counts.

use super::cases::{Case, CaseParameters, CaseStatement};
use super::{compare, diff};
use crate::model::Variant;
use crate::model::evidence::regression::{KeptPlan, ParameterComparison};
use crate::plan::{Plan, render};
use crate::postgres::{Error, ExplainOptions, Session, explain_json};
use crate::sql::statement::StatementKind;

/// A first execution slower than this is not repeated.
const SLOW_MS: f64 = 3_000.0;

/// What a case came to on both sides.
#[derive(Debug)]
pub struct Capture {
    /// One entry per parameter set and statement.
    pub parameter_sets: Vec<ParameterComparison>,
    /// The plans, as the server wrote them.
    pub plans: Vec<KeptPlan>,
    /// Label, plan before and plan after, in the order of `parameter_sets`.
    pub parsed: Vec<(String, Plan, Plan)>,
    /// The first failure on a side.
    pub failure: Option<Failure>,
}

/// A statement that failed.
#[derive(Debug)]
pub struct Failure {
    /// On which side.
    pub side: Variant,
    /// Under which parameters.
    pub parameter_label: String,
    /// With SQLSTATE, DETAIL and HINT.
    pub message: String,
}

/// Sessions with the two sides.
#[derive(Debug)]
pub struct Pair {
    /// With the side before.
    pub before: Session,
    /// With the side after.
    pub after: Session,
}

/// Captures a case. Stops at its first failure.
///
/// # Errors
/// A connection broke. What the server reports about a statement is a
/// [`Failure`], not an error.
pub async fn capture(pair: &Pair, case: &Case, counter_ratio: f64) -> Result<Capture, Error> {
    let mut capture = Capture { parameter_sets: vec![], plans: vec![], parsed: vec![], failure: None };
    for parameters in &case.parameter_sets {
        let before = plans_of(&pair.before, case, parameters).await;
        let Some(before) = accept(before, Variant::Before, parameters, &mut capture)? else {
            return Ok(capture);
        };
        let after = plans_of(&pair.after, case, parameters).await;
        let Some(after) = accept(after, Variant::After, parameters, &mut capture)? else {
            return Ok(capture);
        };
        for (index, (before, after)) in before.into_iter().zip(after).enumerate() {
            let label = label(case, parameters, index);
            add(&mut capture, &case.query, label, before, after, counter_ratio);
        }
    }
    Ok(capture)
}

fn label(case: &Case, parameters: &CaseParameters, index: usize) -> String {
    if case.statements.len() == 1 {
        return parameters.label.clone();
    }
    format!("{} statement {}", parameters.label, index + 1).trim_start().to_owned()
}

/// The plans; or `None` after noting what the server refused.
fn accept<T>(
    plans: Result<T, Error>,
    side: Variant,
    parameters: &CaseParameters,
    capture: &mut Capture,
) -> Result<Option<T>, Error> {
    match plans {
        Ok(plans) => Ok(Some(plans)),
        Err(Error::Server(report)) => {
            let message = report.to_string();
            capture.failure = Some(Failure { side, parameter_label: parameters.label.clone(), message });
            Ok(None)
        }
        Err(other) => Err(other),
    }
}

fn add(
    capture: &mut Capture,
    query: &str,
    label: String,
    (before_json, before): (String, Plan),
    (after_json, after): (String, Plan),
    counter_ratio: f64,
) {
    capture.parameter_sets.push(ParameterComparison {
        label: label.clone(),
        counters: compare::counters(&before, &after, counter_ratio),
        plan_changes: diff::diff(&before, &after),
        cost: (before.root.estimate.total_cost, after.root.estimate.total_cost),
        plan_before: render(&before),
        plan_after: render(&after),
        trees: diff::trees(&before, &after),
        result: None,
    });
    for (side, json) in [(Variant::Before, before_json), (Variant::After, after_json)] {
        capture.plans.push(KeptPlan { query: query.into(), side, parameter_label: label.clone(), json });
    }
    capture.parsed.push((label, before, after));
}

/// The plans of all statements of a case, in one transaction where there are several.
pub(super) async fn plans_of(
    session: &Session,
    case: &Case,
    parameters: &CaseParameters,
) -> Result<Vec<(String, Plan)>, Error> {
    let several = case.statements.len() > 1;
    let mut first_ms = 0.0;
    for counts in [false, true] {
        if several {
            session.batch_execute("BEGIN").await?;
        }
        let mut plans = Vec::new();
        let mut failure = None;
        for statement in &case.statements {
            match execute(session, statement, parameters, counts, several).await {
                Ok(plan) => plans.push(plan),
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        if several {
            session.batch_execute("ROLLBACK").await?;
        }
        if let Some(error) = failure {
            return Err(error);
        }
        first_ms = plans.iter().filter_map(|(_, plan)| plan.execution_ms).sum::<f64>().max(first_ms);
        if counts || first_ms > SLOW_MS {
            return Ok(plans);
        }
    }
    Ok(Vec::new())
}

async fn execute(
    session: &Session,
    statement: &CaseStatement,
    parameters: &CaseParameters,
    timing: bool,
    in_transaction: bool,
) -> Result<(String, Plan), Error> {
    let options = ExplainOptions {
        timing,
        wal: statement.kind != StatementKind::Read,
        in_transaction,
        ..ExplainOptions::default()
    };
    let json = explain_json(session, &statement.sql, &statement.values(parameters), options).await?;
    let plan = Plan::parse(&json).map_err(|error| Error::Unexpected(error.to_string()))?;
    Ok((json, plan))
}
