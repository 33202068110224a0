//! What moves a query's plan besides the change: its parameters, a generic
//! plan instead of a custom one, another ANALYZE.

use super::cases::{Case, CaseParameters, CaseStatement};
use crate::plan::{Fingerprint, Plan};
use crate::postgres::{Error, ExplainOptions, Session, Target, explain, generic_plan};
use crate::sql::statement::StatementKind;
use std::collections::BTreeSet;

/// How often ANALYZE is repeated to see whether a plan holds.
const ANALYSES: usize = 2;

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
        match generic_plan(session, &statement.sql, ExplainOptions::estimate()).await {
            Ok(generic) => sentences.extend(unlike_generic(&generic.plan, &plans)),
            Err(Error::Server(_)) => {}
            Err(other) => return Err(other),
        }
    }
    Ok(sentences)
}

/// The first parameter set whose own plan is not the generic one.
fn unlike_generic(generic_plan: &Plan, plans: &[(Plan, &CaseParameters)]) -> Option<String> {
    let shape = generic_plan.fingerprint();
    let (custom_plan, set) = plans.iter().find(|(plan, _)| plan.fingerprint() != shape)?;
    let (mut generic, mut custom) = (reading(generic_plan), reading(custom_plan));
    if generic == custom {
        (generic, custom) = (whole(generic_plan), whole(custom_plan));
    }
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
    let mut groups: Vec<(Fingerprint, &Plan, Vec<&str>)> = Vec::new();
    for (plan, set) in plans {
        let shape = plan.fingerprint();
        match groups.iter_mut().find(|(known, ..)| *known == shape) {
            Some((_, _, labels)) => labels.push(&set.label),
            None => groups.push((shape, plan, vec![&set.label])),
        }
    }
    if groups.len() < 2 {
        return None;
    }
    let readings: BTreeSet<String> = groups.iter().map(|(_, plan, _)| reading(plan)).collect();
    let describe = if readings.len() == groups.len() { reading } else { whole };
    let part = |(_, plan, labels): &(Fingerprint, &Plan, Vec<&str>)| {
        format!("{} for {}", describe(plan), labels.join(", "))
    };
    let parts: Vec<String> = groups.iter().map(part).collect();
    Some(format!("the plan depends on the parameters: {}", parts.join("; ")))
}

/// How a plan reads its tables, in a few words.
fn reading(plan: &Plan) -> String {
    let labels: Vec<String> =
        plan.walk().filter(|visit| visit.node.reads_relation()).map(|visit| visit.node.label()).collect();
    if labels.is_empty() { plan.root.label() } else { labels.join(" + ") }
}

/// Every node, where the tables are read alike.
fn whole(plan: &Plan) -> String {
    plan.walk().map(|visit| visit.node.label()).collect::<Vec<_>>().join(" > ")
}

/// The shapes of one plan that ANALYZE after ANALYZE of the same data gave, the first one first.
type Shapes = Vec<Fingerprint>;

/// For each case, the shapes of the plan of each parameter set and statement.
/// Analyses the database again, so its statistics change.
///
/// # Errors
/// A connection breaks.
pub async fn shapes(target: &Target, database: &str, cases: &[&Case]) -> Result<Vec<Vec<Shapes>>, Error> {
    let session = target.connect_to(database).await?;
    let mut known = Vec::new();
    for case in cases {
        known
            .push(shapes_now(&session, case).await?.into_iter().map(|shape| vec![shape]).collect::<Vec<_>>());
    }
    for _ in 0..ANALYSES {
        session.batch_execute("ANALYZE").await?;
        for (case, known) in cases.iter().zip(&mut known) {
            for (shapes, now) in known.iter_mut().zip(shapes_now(&session, case).await?) {
                if !shapes.contains(&now) {
                    shapes.push(now);
                }
            }
        }
    }
    Ok(known)
}

/// Whether another ANALYZE moves any of the plans.
#[must_use]
pub fn moves(shapes: &[Shapes]) -> bool {
    shapes.iter().any(|shapes| shapes.len() > 1)
}

/// Whether another ANALYZE alone explains every plan that differs between the
/// sides: one side's plan was also seen on the other. A plan that moves between
/// two others does not excuse a third.
#[must_use]
pub fn explained(before: &[Shapes], after: &[Shapes]) -> bool {
    let differing = before.iter().zip(after).filter(|(before, after)| before.first() != after.first());
    let seen =
        |first: Option<&Fingerprint>, shapes: &Shapes| first.is_some_and(|shape| shapes.contains(shape));
    let mut all = differing.map(|(before, after)| seen(before.first(), after) || seen(after.first(), before));
    before.len() == after.len() && all.next().is_some_and(|first| first && all.all(|one| one))
}

/// Empty where the server refuses one of the statements.
async fn shapes_now(session: &Session, case: &Case) -> Result<Vec<Fingerprint>, Error> {
    let mut shapes = Vec::new();
    for set in &case.parameter_sets {
        for statement in &case.statements {
            match estimate(session, statement, set).await {
                Ok(plan) => shapes.push(plan.fingerprint()),
                Err(Error::Server(_)) => return Ok(Vec::new()),
                Err(other) => return Err(other),
            }
        }
    }
    Ok(shapes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_flip_between_the_two_plans_compared_excuses_their_difference() {
        let shapes = |texts: &[&str]| -> Shapes {
            texts.iter().map(|&text| Fingerprint { text: text.into(), hash: 0 }).collect()
        };
        let check = |before: &[&str], after: &[&str], expected| {
            assert_eq!(explained(&[shapes(before)], &[shapes(after)]), expected, "{before:?} {after:?}");
        };
        check(&["index"], &["bitmap", "index"], true);
        check(&["index", "bitmap"], &["bitmap"], true);
        check(&["index", "bitmap"], &["seq"], false);
        check(&["index"], &["seq", "bitmap"], false);
        check(&["index", "bitmap"], &["index"], false);
        // One parameter set that flips does not excuse another that lost its index.
        let (before, after) =
            ([shapes(&["index"]), shapes(&["index"])], [shapes(&["bitmap", "index"]), shapes(&["seq"])]);
        assert!(!explained(&before, &after));
        assert!(moves(&after) && !moves(&before));
    }
}
