//! Plan checks that a query's budget asks for, on both sides under every
//! parameter set. Pure.

use super::cases::PlanBudget;
use crate::model::{Finding, Severity, SourceLocation};
use crate::plan::{self, Plan, Relations};
use crate::project::budget::PlanRule;

/// What breaks a rule in a plan, in words; `None` where it holds.
#[must_use]
pub fn broken(rule: &PlanRule, plan: &Plan, relations: &Relations) -> Option<String> {
    match rule {
        PlanRule::NoSeqScan(table) => {
            plan::seq_scans(plan, table.as_deref(), relations).first().map(|node| node.label())
        }
        PlanRule::UsesIndex(index) => {
            plan::index_scans(plan, index, relations).is_empty().then(|| format!("{index} is not used"))
        }
        PlanRule::EstimateErrorBelow(factor) => {
            let worst = plan::estimate_error(plan).filter(|error| error.factor >= *factor)?;
            let label = worst.node.label();
            Some(format!("{label} expects {:.0} rows and gets {:.0}", worst.planned, worst.actual))
        }
        PlanRule::NoSortSpill => {
            plan::sort_spills(plan).first().map(|node| format!("{} goes to disk", node.label()))
        }
    }
}

/// The findings of a query's plan budgets. One that was broken before already
/// is worth a warning, not a failure: this change did not break it.
#[must_use]
pub fn findings(
    query: &str,
    budgets: &[PlanBudget],
    plans: &[(String, Plan, Plan)],
    relations: &Relations,
    location: Option<&SourceLocation>,
) -> Vec<Finding> {
    let one = |budget: &PlanBudget| {
        let (label, what) = plans
            .iter()
            .find_map(|(label, _, after)| Some((label, broken(&budget.rule, after, relations)?)))?;
        let before = plans.iter().any(|(_, before, _)| broken(&budget.rule, before, relations).is_some());
        let when = if before { "as before the change" } else { "since the change" };
        Some(Finding {
            code: "plan-rule-broken",
            severity: if before { Severity::Warning } else { Severity::Failure },
            subject: query.to_owned(),
            message: format!("the plan of {query} breaks its budget of {}, {when}: {what}", budget.text),
            evidence: if label.is_empty() { vec![] } else { vec![format!("with {label}")] },
            next_step: "change the migration or the query so that the rule holds, or take the rule out"
                .into(),
            location: location.cloned(),
        })
    };
    budgets.iter().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::RelationName;

    fn plan(node: &str) -> Plan {
        Plan::parse(&format!(r#"[{{"Plan": {node}}}]"#)).unwrap()
    }

    #[test]
    fn a_rule_broken_by_the_change_fails_and_one_broken_before_warns() {
        let seq = || plan(r#"{"Node Type": "Seq Scan", "Relation Name": "orders_2024", "Alias": "o_1"}"#);
        let index = || plan(r#"{"Node Type": "Index Scan", "Relation Name": "orders", "Index Name": "i"}"#);
        let rule = PlanRule::NoSeqScan(Some("public.orders".into()));
        let budgets = [PlanBudget { text: "no seq scan on orders".into(), rule }];
        let name = |name: &str| RelationName::new("public", name);
        let relations = Relations::new(Vec::new(), [], [(name("orders"), name("orders_2024"))]);
        let severity = |before: Plan, after: Plan| {
            let found = findings("q", &budgets, &[(String::new(), before, after)], &relations, None);
            found.first().map(|finding| finding.severity)
        };
        assert_eq!(severity(index(), seq()), Some(Severity::Failure));
        assert_eq!(severity(seq(), seq()), Some(Severity::Warning));
        assert_eq!(severity(seq(), index()), None);
        let uses = PlanRule::UsesIndex("i".into());
        assert_eq!(broken(&uses, &seq(), &relations).as_deref(), Some("i is not used"));
        assert_eq!(broken(&uses, &index(), &relations), None);
    }
}
