//! Kept plans against later ones: the same queries under the same parameters.
//! Pure.

use super::growth;
use crate::model::evidence::regression::{
    Change, KeptPlan, ParameterComparison, PlanChangeKind, QueryComparison, SidesApart, TableGrowth,
};
use crate::model::{KeptPlans, KeptQuery, KeptTable, MeasurementWarning, SourceLocation, Variant};
use crate::plan::Relations;
use crate::plan::{Plan, render};
use crate::scenarios::regression::cases::Case;
use crate::scenarios::regression::comparison::Found;
use crate::scenarios::regression::rules;
use crate::scenarios::regression::verdict::{self, Thresholds};
use crate::scenarios::regression::{compare, diff, findings};

/// What is compared besides the plans.
#[derive(Debug)]
pub struct Question<'a> {
    /// The queries, with budgets and thresholds.
    pub cases: &'a [(Case, SourceLocation)],
    /// Limits of a verdict.
    pub limits: Thresholds,
    /// Which tables and indexes the names in plan checks mean.
    pub relations: &'a Relations,
    /// Both sides hold the same rows, or the same rows as far as tables kept their size.
    pub is_same_data: bool,
}

/// Compares the plans of `before` with those of `after`.
#[must_use]
pub fn compare(before: &KeptPlans, after: &KeptPlans, question: &Question<'_>) -> Found {
    let mut found = Found::default();
    let grown = growth::grown(&before.tables, &after.tables);
    found.evidence.from.clone_from(&before.source);
    found.evidence.to.clone_from(&after.source);
    found.evidence.apart = Some(SidesApart {
        sides: (before.source.clone(), after.source.clone()),
        server_versions: (before.server_version.clone(), after.server_version.clone()),
        grown: grown.iter().map(|(_, growth)| growth.clone()).collect(),
    });
    found.warnings.extend(apart(before, after, &grown));
    for (case, location) in question.cases {
        let (old, new) = (query(before, case), query(after, case));
        let same_text = |(old, new): (&KeptQuery, &KeptQuery)| old.statements == new.statements;
        match (old, new) {
            (Some(old), Some(new)) if same_text((old, new)) => {
                compare_query((old, new), case, location, &grown, question, &mut found);
            }
            (Some(_), Some(_)) => found.warnings.push(not_compared(case, "its text has changed since")),
            (None, Some(_)) => found.warnings.push(not_compared(case, "it is new since")),
            (_, None) => {}
        }
    }
    for gone in &before.queries {
        if !question.cases.iter().any(|(case, _)| case.query == gone.query) {
            let message = format!("{} was kept and is no query of the project any more", gone.query);
            found.warnings.push(MeasurementWarning::Other { code: "not-compared", message });
        }
    }
    found
}

fn query<'a>(plans: &'a KeptPlans, case: &Case) -> Option<&'a KeptQuery> {
    plans.queries.iter().find(|query| query.query == case.query)
}

fn not_compared(case: &Case, why: &str) -> MeasurementWarning {
    let message = format!("{} was not compared: {why}; keep the plans again", case.query);
    MeasurementWarning::Other { code: "not-compared", message }
}

/// What the two sides differ by besides what is asked.
fn apart(
    before: &KeptPlans,
    after: &KeptPlans,
    grown: &[(KeptTable, TableGrowth)],
) -> Vec<MeasurementWarning> {
    let mut messages = Vec::new();
    if before.server_version != after.server_version {
        messages.push(format!(
            "the server was PostgreSQL {} and is {}: a plan can have changed by that alone",
            before.server_version, after.server_version
        ));
    }
    if !grown.is_empty() {
        let sentences: Vec<String> = grown.iter().map(|(_, growth)| growth::sentence(growth)).collect();
        messages.push(format!(
            "{}: counters that grew no more than the tables they read count as unchanged",
            sentences.join(", ")
        ));
    }
    messages.into_iter().map(|message| MeasurementWarning::Other { code: "sides-apart", message }).collect()
}

fn compare_query(
    (old, new): (&KeptQuery, &KeptQuery),
    case: &Case,
    location: &SourceLocation,
    grown: &[(KeptTable, TableGrowth)],
    question: &Question<'_>,
    found: &mut Found,
) {
    let limits = question.limits.with(&case.thresholds);
    let mut comparison = QueryComparison {
        query: case.query.clone(),
        change: Change::Unchanged,
        because: String::new(),
        parameter_sets: vec![],
        time: None,
        attribution: None,
        plan_choices: vec![],
        is_unstable: false,
        limits: Some(limits.ratios()),
    };
    let mut parsed = Vec::new();
    for old in &old.sets {
        let Some(new) = new.sets.iter().find(|new| new.values == old.values) else { continue };
        for (number, (old_json, new_json)) in (1..).zip(old.plans.iter().zip(&new.plans)) {
            let (Ok(before), Ok(after)) = (Plan::parse(old_json), Plan::parse(new_json)) else { continue };
            let label = if old.plans.len() == 1 {
                old.label.clone()
            } else {
                format!("{} statement {number}", old.label)
            };
            let explained = growth::of_plans(&before, &after, grown);
            comparison.parameter_sets.push(ParameterComparison {
                label: label.clone(),
                counters: compare::counters_of_grown(&before, &after, limits.counter_ratio, explained),
                plan_changes: diff::diff(&before, &after),
                cost: (before.root.estimate.total_cost, after.root.estimate.total_cost),
                plan_before: render(&before),
                plan_after: render(&after),
                trees: diff::trees(&before, &after),
                result: None,
            });
            for (side, json) in [(Variant::Before, old_json), (Variant::After, new_json)] {
                let (query, json) = (case.query.clone(), json.clone());
                found.evidence.plans.push(KeptPlan { query, side, parameter_label: label.clone(), json });
            }
            parsed.push((label, before, after));
        }
    }
    if parsed.is_empty() {
        found.warnings.push(not_compared(case, "none of its kept parameters is left"));
        return;
    }
    (comparison.change, comparison.because) = verdict::query_change(&comparison.parameter_sets, None);
    if !question.is_same_data && comparison.change != Change::Unchanged && !has_other_plan(&comparison) {
        comparison.change = Change::Inconclusive;
        comparison.because += "; the plan is the same, so other data can be the reason";
    }
    found.findings.extend(rules::findings(
        &case.query,
        &case.plan_budgets,
        &parsed,
        question.relations,
        Some(location),
    ));
    let reads = |table: &KeptTable| {
        parsed.iter().any(|(_, before, after)| growth::reads(before, table) || growth::reads(after, table))
    };
    let grown: Vec<String> =
        grown.iter().filter(|(table, _)| reads(table)).map(|(_, growth)| growth::sentence(growth)).collect();
    let mut own = findings::of_comparison(&comparison, Some(location.clone()), &limits);
    own.iter_mut().for_each(|finding| finding.evidence.extend(grown.iter().cloned()));
    found.findings.append(&mut own);
    found.evidence.queries.push(comparison);
}

/// Whether a plan differs in more than how well it was estimated.
fn has_other_plan(comparison: &QueryComparison) -> bool {
    let mut changes = comparison.parameter_sets.iter().flat_map(|set| &set.plan_changes);
    changes.any(|change| change.kind != PlanChangeKind::EstimateError)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{KeptSet, Severity};

    fn kept(node: &str, blocks: u32, rows: u64) -> KeptPlans {
        let plan = format!(
            r#"[{{"Plan": {{"Node Type": "{node}", "Relation Name": "orders", "Alias": "orders", "Index Name": "i",
                "Actual Rows": 2, "Actual Loops": 1, "Shared Hit Blocks": {blocks}}}}}]"#
        );
        let set = KeptSet { label: "id=1".into(), values: vec![Some("1".into())], plans: vec![plan] };
        KeptPlans {
            server_version: "15.18".into(),
            tables: vec![KeptTable { name: "orders".into(), bare_name: "orders".into(), rows }],
            queries: vec![KeptQuery {
                query: "q".into(),
                statements: vec!["SELECT $1".into()],
                sets: vec![set],
            }],
            ..KeptPlans::default()
        }
    }

    fn outcome(before: &KeptPlans, after: &KeptPlans, is_same_data: bool) -> (Change, Vec<Severity>, usize) {
        let case = Case::of_statements("q", &["SELECT :id".into()], vec![]);
        let location = SourceLocation { path: "queries/q.sql".into(), line: 1 };
        let limits = Thresholds { time_ratio: 1.2, counter_ratio: 1.1, resolution: 1.1 };
        let cases = [(case, location)];
        let question = Question { cases: &cases, limits, relations: &Relations::default(), is_same_data };
        let found = compare(before, after, &question);
        let severities = found.findings.iter().map(|finding| finding.severity).collect();
        (found.evidence.queries[0].change, severities, found.warnings.len())
    }

    #[test]
    fn growth_is_no_regression_a_lost_index_is_and_other_data_are_doubt() {
        let before = kept("Index Scan", 10, 2_500);
        assert_eq!(outcome(&before, &before, false), (Change::Unchanged, vec![], 0));
        let grown = kept("Index Scan", 70, 20_000);
        assert_eq!(outcome(&before, &grown, false), (Change::Unchanged, vec![], 1));
        let lost = kept("Seq Scan", 300, 20_000);
        assert_eq!(outcome(&before, &lost, false), (Change::Regressed, vec![Severity::Failure], 1));
        let other_data = kept("Index Scan", 70, 2_500);
        assert_eq!(outcome(&before, &other_data, false).0, Change::Inconclusive);
        assert_eq!(outcome(&before, &other_data, true).0, Change::Regressed);
    }

    #[test]
    fn another_server_and_another_text_are_named() {
        let before = kept("Index Scan", 10, 2_500);
        let newer = KeptPlans { server_version: "18.4".into(), ..before.clone() };
        assert_eq!(outcome(&before, &newer, true), (Change::Unchanged, vec![], 1));
        let mut rewritten = before.clone();
        rewritten.queries[0].statements = vec!["SELECT 1 + $1".into()];
        let case = Case::of_statements("q", &["SELECT :id".into()], vec![]);
        let location = SourceLocation { path: "queries/q.sql".into(), line: 1 };
        let limits = Thresholds { time_ratio: 1.2, counter_ratio: 1.1, resolution: 1.1 };
        let cases = [(case, location)];
        let relations = Relations::default();
        let question = Question { cases: &cases, limits, relations: &relations, is_same_data: true };
        let found = compare(&before, &rewritten, &question);
        assert!(found.evidence.queries.is_empty());
        assert!(found.warnings[0].message().contains("its text has changed"), "{:?}", found.warnings);
    }
}
