//! Which statement of a migration made a query's difference: the statements
//! are applied one by one to a clone of the side before, and the step with the
//! largest jump towards the outcome is named.

use super::cases::Case;
use super::comparison::shortened;
use super::{compare, touched};
use crate::model::Progress;
use crate::model::evidence::regression::{Attribution, Change, QueryComparison};
use crate::plan::{Fingerprint, Plan};
use crate::postgres::{Error, ExplainOptions, Session, Target, explain};
use crate::sql::statement::{StatementKind, split_statements, statement_kind};

/// More statements than this are not applied one by one.
pub const MOST_STATEMENTS: usize = 200;

/// One statement of a migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The migration's version; `--try` for a statement typed by hand.
    pub version: String,
    /// One-based place in the migration.
    pub number: usize,
    /// One-based line in its file.
    pub line: usize,
    /// The statement.
    pub sql: String,
}

/// The statements of a migration file. Transaction control is left out: each
/// statement is applied by itself.
#[must_use]
pub fn steps(version: &str, sql: &str) -> Vec<Step> {
    let applies = |range: &std::ops::Range<usize>| {
        statement_kind(&sql[range.clone()]) != StatementKind::TransactionControl
    };
    let step = |(number, range): (usize, std::ops::Range<usize>)| Step {
        version: version.to_owned(),
        number,
        line: sql[..range.start].matches('\n').count() + 1,
        sql: sql[range].to_owned(),
    };
    (1..).zip(split_statements(sql).into_iter().filter(applies)).map(step).collect()
}

/// What a query looked like after a step.
#[derive(Debug, Clone, PartialEq)]
struct State {
    /// Of each parameter set; `None` where the query failed.
    shapes: Option<Vec<Fingerprint>>,
    /// The deciding counters of each parameter set.
    counters: Vec<f64>,
}

/// Finds the statement behind each changed query. Queries that did not change
/// are not asked for.
///
/// # Errors
/// A clone cannot be made, a statement fails, or a connection breaks.
pub async fn attribute(
    target: &Target,
    before: &str,
    steps: &[Step],
    queries: &[(&Case, &QueryComparison)],
    progress: &dyn Progress,
) -> Result<Vec<Option<Attribution>>, Error> {
    let is_single = steps.len() == 1;
    if queries.is_empty() || steps.is_empty() || steps.len() > MOST_STATEMENTS {
        return Ok(vec![None; queries.len()]);
    }
    if is_single {
        return Ok(vec![Some(of_step(&steps[0])); queries.len()]);
    }
    let clone = target.clone_database(before, "steps").await?;
    let states = walk(target, &clone, steps, queries, progress).await;
    target.drop_database(&clone).await?;
    let states = states?;
    let of_query = |index: usize| {
        let path: Vec<&State> = states.iter().map(|step| &step[index]).collect();
        largest_jump(&path, queries[index].1.change).map(|step| of_step(&steps[step]))
    };
    Ok((0..queries.len()).map(of_query).collect())
}

fn of_step(step: &Step) -> Attribution {
    Attribution {
        version: step.version.clone(),
        number: step.number,
        line: step.line,
        statement: shortened(&step.sql),
    }
}

/// The state of every query before the first step and after each.
async fn walk(
    target: &Target,
    clone: &str,
    steps: &[Step],
    queries: &[(&Case, &QueryComparison)],
    progress: &dyn Progress,
) -> Result<Vec<Vec<State>>, Error> {
    progress.phase("finding the statement behind each change", Some(steps.len() as u64));
    let session = target.connect_to(clone).await?;
    let mut states = vec![look(target, clone, queries).await?];
    let mut schema = touched::state(&session).await?;
    for (done, step) in (1u64..).zip(steps) {
        session.batch_execute(&step.sql).await?;
        let now = touched::state(&session).await?;
        for table in touched::compare(&schema, &now, &step.sql).to_analyse {
            session.batch_execute(&format!("VACUUM (ANALYZE) {table}")).await?;
        }
        schema = now;
        states.push(look(target, clone, queries).await?);
        progress.advance_to(done);
    }
    Ok(states)
}

async fn look(
    target: &Target,
    clone: &str,
    queries: &[(&Case, &QueryComparison)],
) -> Result<Vec<State>, Error> {
    // A session of its own: caches of the last step are gone with the last session.
    let session = target.connect_to(clone).await?;
    let mut states = Vec::new();
    for (case, _) in queries {
        states.push(match plans(&session, case).await {
            Ok(plans) => State {
                shapes: Some(plans.iter().map(Plan::fingerprint).collect()),
                counters: plans.iter().flat_map(counters).collect(),
            },
            Err(Error::Server(_)) => State { shapes: None, counters: vec![] },
            Err(other) => return Err(other),
        });
    }
    Ok(states)
}

fn counters(plan: &Plan) -> Vec<f64> {
    let all = compare::counters(plan, plan, 1.0);
    all.iter().filter(|counter| compare::decides(counter.metric)).map(|counter| counter.before).collect()
}

async fn plans(session: &Session, case: &Case) -> Result<Vec<Plan>, Error> {
    let in_transaction = case.statements.len() > 1;
    let options = ExplainOptions { timing: false, in_transaction, ..ExplainOptions::default() };
    let mut plans = Vec::new();
    for set in &case.parameter_sets {
        for is_warm in [false, true] {
            if in_transaction {
                session.batch_execute("BEGIN").await?;
            }
            for statement in &case.statements {
                let plan = explain(session, &statement.sql, &statement.values(set), options).await;
                let plan = match plan {
                    Ok(plan) => plan,
                    Err(error) => {
                        if in_transaction {
                            session.batch_execute("ROLLBACK").await?;
                        }
                        return Err(error);
                    }
                };
                if is_warm {
                    plans.push(plan);
                }
            }
            if in_transaction {
                session.batch_execute("ROLLBACK").await?;
            }
        }
    }
    Ok(plans)
}

/// The step (zero-based) with the largest movement in the outcome's direction;
/// without one, the last step that changed a plan; else none.
fn largest_jump(path: &[&State], change: Change) -> Option<usize> {
    let broke = path.windows(2).position(|pair| pair[0].shapes.is_some() && pair[1].shapes.is_none());
    if broke.is_some() {
        return broke;
    }
    let direction = if change == Change::Improved { -1.0 } else { 1.0 };
    let jumps = path.windows(2).map(|pair| jump(pair[0], pair[1]) * direction);
    let best = jumps.enumerate().max_by(|a, b| a.1.total_cmp(&b.1)).filter(|(_, jump)| *jump > 0.05);
    best.map(|(step, _)| step).or_else(|| path.windows(2).rposition(|pair| pair[0].shapes != pair[1].shapes))
}

/// Sum of log ratios of all counters; positive for more.
fn jump(before: &State, after: &State) -> f64 {
    let ratio = |(before, after): (&f64, &f64)| (after.max(1.0) / before.max(1.0)).ln();
    before.counters.iter().zip(&after.counters).map(ratio).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(counter: f64, shape: &str) -> State {
        let shape = Fingerprint { text: shape.into(), hash: 0 };
        State { shapes: Some(vec![shape]), counters: vec![counter] }
    }

    #[test]
    fn the_largest_jump_in_the_outcomes_direction_is_named() {
        let path = [state(39.0, "a"), state(39.0, "a"), state(5.0, "b"), state(6.0, "b")];
        let path: Vec<&State> = path.iter().collect();
        assert_eq!(largest_jump(&path, Change::Improved), Some(1));
        assert_eq!(largest_jump(&path, Change::Regressed), Some(2));
        let still = [state(5.0, "a"), state(5.0, "b")];
        assert_eq!(largest_jump(&still.iter().collect::<Vec<_>>(), Change::Regressed), Some(0));
        let same = [state(5.0, "a"), state(5.0, "a")];
        assert_eq!(largest_jump(&same.iter().collect::<Vec<_>>(), Change::Regressed), None);
        let broken = [state(5.0, "a"), state(5.0, "a"), State { shapes: None, counters: vec![] }];
        assert_eq!(largest_jump(&broken.iter().collect::<Vec<_>>(), Change::Unchanged), Some(1));
    }

    #[test]
    fn steps_know_their_lines() {
        let steps = steps("002", "-- why\nBEGIN;\nCREATE INDEX a ON t (a);\n\nDROP INDEX b;\nCOMMIT;");
        let places: Vec<_> = steps.iter().map(|step| (step.number, step.line, step.sql.as_str())).collect();
        assert_eq!(places, [(1, 3, "CREATE INDEX a ON t (a)"), (2, 5, "DROP INDEX b")]);
    }
}
