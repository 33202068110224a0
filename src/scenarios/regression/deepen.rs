//! What lies behind the changes, once all queries are compared: the statement
//! that made each, what else moves their plans, what new indexes cost.
//!
//! Runs last: it changes statistics and tables of the clones.

use super::attribution::{self, Step};
use super::cases::Case;
use super::comparison::{Bench, Found};
use super::touched::{self, Touched};
use super::{choices, findings, under_load, write_cost};
use crate::model::evidence::regression::{Change, QueryComparison};
use crate::model::{Finding, Severity};

/// Names the statement behind each change, in the comparisons and their findings.
///
/// # Errors
/// A connection breaks, or a statement fails by itself that did not in its file.
pub async fn attribute(
    bench: &Bench<'_>,
    steps: &[Step],
    cases: &[Case],
    found: &mut Found,
) -> anyhow::Result<()> {
    let changed = |query: &QueryComparison| {
        query.change == Change::Improved
            || query.change == Change::Regressed
            || query.parameter_sets.iter().any(|set| !set.plan_changes.is_empty())
    };
    let pairs: Vec<(&Case, &QueryComparison)> = found
        .evidence
        .queries
        .iter()
        .filter(|query| changed(query))
        .filter_map(|query| Some((cases.iter().find(|case| case.query == query.query)?, query)))
        .collect();
    let names: Vec<String> = pairs.iter().map(|(case, _)| case.query.clone()).collect();
    let attributions =
        attribution::attribute(bench.target, &bench.sides.before, steps, &pairs, bench.progress).await?;
    for (name, attribution) in names.into_iter().zip(attributions) {
        let Some(attribution) = attribution else { continue };
        let line = findings::attribution_line(&attribution);
        for finding in found.findings.iter_mut().filter(|finding| finding.subject == name) {
            finding.evidence.push(line.clone());
        }
        if let Some(query) = found.evidence.queries.iter_mut().find(|query| query.query == name) {
            query.attribution = Some(attribution);
        }
    }
    Ok(())
}

/// Adds what else moves each query's plan, and takes the failure from
/// regressions that another ANALYZE of the same data would bring or take.
///
/// # Errors
/// A connection breaks.
pub async fn add_choices(bench: &Bench<'_>, cases: &[Case], found: &mut Found) -> anyhow::Result<()> {
    bench.progress.phase("trying other parameters, generic plans and another ANALYZE", None);
    let session = bench.target.connect_to(&bench.sides.after).await?;
    let cases: Vec<&Case> = cases
        .iter()
        .filter(|case| found.evidence.queries.iter().any(|query| query.query == case.query))
        .collect();
    let mut sentences = Vec::new();
    for case in &cases {
        sentences.push(choices::by_parameter(&session, case).await?);
    }
    drop(session);
    let before = choices::shapes(bench.target, &bench.sides.identical, &cases).await?;
    let after = choices::shapes(bench.target, &bench.sides.after, &cases).await?;
    for (index, case) in cases.iter().enumerate() {
        let Some(query) = found.evidence.queries.iter_mut().find(|query| query.query == case.query) else {
            continue;
        };
        query.plan_choices.append(&mut sentences[index]);
        let sides: Vec<&str> = [(&before[index], "before"), (&after[index], "after")]
            .into_iter()
            .filter_map(|(shapes, side)| choices::moves(shapes).then_some(side))
            .collect();
        if !sides.is_empty() {
            let sides = sides.join(" and ");
            query
                .plan_choices
                .push(format!("another ANALYZE of the same data gives another plan ({sides}): unstable"));
        }
        query.is_unstable = choices::explained(&before[index], &after[index]);
        say_choices(query, &mut found.findings);
        if query.is_unstable {
            let own = found.findings.iter_mut().filter(|finding| finding.subject == case.query);
            for finding in own.filter(|finding| finding.code == "plan-regressed") {
                finding.severity = finding.severity.min(Severity::Warning);
            }
        }
    }
    Ok(())
}

/// Adds what moves the plan to the query's verdict on it, or as a note of its own.
fn say_choices(query: &QueryComparison, all: &mut Vec<Finding>) {
    if query.plan_choices.is_empty() {
        return;
    }
    let judges = ["plan-regressed", "counter-regressed", "time-regressed", "improved"];
    let verdict =
        all.iter_mut().find(|finding| finding.subject == query.query && judges.contains(&finding.code));
    match verdict {
        Some(finding) => finding.evidence.extend(query.plan_choices.iter().cloned()),
        None => all.push(findings::of_choices(query)),
    }
}

/// Adds the write cost of every table whose indexes changed.
///
/// # Errors
/// A connection breaks.
pub async fn add_write_costs(bench: &Bench<'_>, touched: &Touched, found: &mut Found) -> anyhow::Result<()> {
    bench.progress.phase("writing to what has other indexes", None);
    let sides = bench.sides;
    found.evidence.write_costs =
        write_cost::write_costs(bench.target, &sides.identical, &sides.after, touched).await?;
    found.findings.extend(found.evidence.write_costs.iter().map(findings::of_write_cost));
    Ok(())
}

/// Runs the migration under traffic on a clone of its own; where there are
/// templates of several volumes, then alone on each, for its growth.
///
/// # Errors
/// A connection breaks.
pub async fn add_under_load(
    bench: &Bench<'_>,
    migration: &under_load::Migration,
    touched: &Touched,
    cases: &[Case],
    templates: &[String],
    options: &under_load::Options,
    found: &mut Found,
) -> anyhow::Result<()> {
    let target = bench.target;
    let clone = target.clone_database(&bench.sides.before, "traffic").await?;
    let existing = touched::state(&target.connect_to(&clone).await?).await?;
    // Tables that the migration makes have no traffic yet.
    let exists = |table: &&String| existing.tables.iter().any(|known| known.name == **table);
    let tables: Vec<String> = touched.tables.iter().filter(exists).cloned().collect();
    let outcome = under_load::run(target, &clone, migration, &tables, cases, options, bench.progress).await;
    target.drop_database(&clone).await?;
    let mut outcome = outcome?;
    if templates.len() > 1 {
        let climbs = under_load::ladder::climb(target, templates, migration, bench.progress).await?;
        under_load::ladder::add(&mut outcome, &climbs, options.project_to_rows);
    }
    found.findings.extend(under_load::findings::of_load(&outcome));
    found.evidence.under_load = Some(outcome);
    Ok(())
}
