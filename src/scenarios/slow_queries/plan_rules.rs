//! Plan rules of a budget against every plan of every explained parameter set. Pure.

use super::budget::{evidence, inconclusive};
use super::record::{ExplainedSet, QueryRecord};
use crate::model::evidence::slow_queries::BudgetEvidence;
use crate::model::{Unit, Verdict};
use crate::plan::{self, RelationKind, Relations};
use crate::project::budget::{Budget, PlanRule};

/// Whether a rule holds in all plans, and if it does, whether they could show that.
pub(crate) fn decide_plan(budget: &Budget, rule: &PlanRule, record: &QueryRecord) -> BudgetEvidence {
    let plans = record.explained.iter().map(|set| set.plans.len()).sum::<usize>();
    let decided = |verdict, because| evidence(budget, Unit::Count, verdict, because);
    if plans == 0 {
        return decided(inconclusive("an execution of the query"), "there is no plan to check".into());
    }
    if let Some(because) = record.explained.iter().find_map(|set| broken_rule(rule, set, &record.relations)) {
        return decided(Verdict::Fail, because);
    }
    match untold(rule, record) {
        Some((needs, because)) => decided(inconclusive(needs), because),
        None => decided(Verdict::Pass, format!("it holds in all {plans} plans")),
    }
}

/// What breaks a rule in the plans of a parameter set, in words; `None` where it holds.
pub(crate) fn broken_rule(rule: &PlanRule, set: &ExplainedSet, relations: &Relations) -> Option<String> {
    let with = &set.label;
    match rule {
        PlanRule::NoSeqScan(table) => set.plans.iter().find_map(|plan| {
            let node = *plan::seq_scans(plan, table.as_deref(), relations).first()?;
            Some(format!("{} with {with}", node.label()))
        }),
        PlanRule::UsesIndex(index) => {
            // Planned and not reached is no other plan: `untold` asks for parameters that reach it.
            let is_planned =
                set.plans.iter().any(|plan| !plan::index_scans(plan, index, relations).is_empty());
            (!is_planned).then(|| match relations.meant(index) {
                meant if meant.is_missing() => format!("the database has no index {index}"),
                _ => format!("the plan does not use {index} with {with}"),
            })
        }
        PlanRule::EstimateErrorBelow(factor) => set.plans.iter().find_map(|plan| {
            let worst = plan::estimate_error(plan).filter(|error| error.factor >= *factor)?;
            let (planned, actual) = (worst.planned, worst.actual);
            let node = worst.node.label();
            Some(format!("{node} expects {planned:.0} rows and gets {actual:.0} with {with}"))
        }),
        PlanRule::NoSortSpill => set.plans.iter().find_map(|plan| {
            let node = *plan::sort_spills(plan).first()?;
            Some(format!("{} goes to disk with {with}", node.label()))
        }),
    }
}

/// Why plans in which nothing is broken show nothing: what would, and what they show instead.
fn untold(rule: &PlanRule, record: &QueryRecord) -> Option<(String, String)> {
    let plans = || record.explained.iter().flat_map(|set| &set.plans);
    match rule {
        PlanRule::NoSeqScan(Some(table)) => {
            let meant = record.relations.meant(table);
            if plans().any(|plan| plan::names_relation(plan, &meant)) {
                return None;
            }
            match meant.kind() {
                Some(RelationKind::View) => Some((
                    "a rule that names the tables which the view reads".into(),
                    format!("{table} is a view, and plans never name one"),
                )),
                Some(RelationKind::Index) => {
                    Some(("a rule that names a table".into(), format!("{table} is an index")))
                }
                None if meant.is_missing() => Some((
                    "a rule that names a table which exists".into(),
                    format!("the database has no table {table}"),
                )),
                _ => None,
            }
        }
        PlanRule::UsesIndex(index) => {
            let is_reached = plans().any(|plan| plan::uses_index(plan, index, &record.relations));
            (!is_reached).then(|| {
                let needs = format!("parameters with which the execution comes to {index}");
                let sets = record.explained.len();
                (
                    needs,
                    format!("{index} is in the plan, but was not reached with any of {sets} parameter sets"),
                )
            })
        }
        _ => None,
    }
}
