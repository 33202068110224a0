//! What is executed on both sides: a query's statements with `$n` parameters
//! and the parameter sets they run under. Plain data.

use crate::project::budget::{BudgetRule, PlanRule};
use crate::project::query::{Query, Thresholds};
use crate::sql::parameters::to_positional;
use crate::sql::statement::{StatementKind, statement_kind};

/// One query, ready to execute.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// The query's name.
    pub query: String,
    /// Its statements; more than one form a transaction.
    pub statements: Vec<CaseStatement>,
    /// What it runs under; at least one, possibly without values.
    pub parameter_sets: Vec<CaseParameters>,
    /// What its budget asks of its plans.
    pub plan_budgets: Vec<PlanBudget>,
    /// What it may get worse by, where it says so itself.
    pub thresholds: Thresholds,
}

/// A plan check and its text in the project.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanBudget {
    /// As written.
    pub text: String,
    /// What it asks.
    pub rule: PlanRule,
}

/// One statement of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseStatement {
    /// With `$1`, `$2`, ….
    pub sql: String,
    /// What it does.
    pub kind: StatementKind,
    /// For each `$n` of this statement: the place in the query's values.
    value_places: Vec<usize>,
}

/// Values of all parameters of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseParameters {
    /// Such as `user_id=17 (common)`.
    pub label: String,
    /// In the order of first use in the query.
    pub values: Vec<Option<String>>,
}

impl CaseStatement {
    /// This statement's share of a parameter set.
    #[must_use]
    pub fn values(&self, parameters: &CaseParameters) -> Vec<Option<String>> {
        self.value_places.iter().map(|&place| parameters.values.get(place).cloned().flatten()).collect()
    }
}

impl Case {
    /// A query as a case; `parameter_sets` in the order of first use over all statements.
    #[must_use]
    pub fn new(query: &Query, parameter_sets: Vec<CaseParameters>) -> Self {
        let plan_budget = |budget: &crate::project::budget::Budget| match &budget.rule {
            BudgetRule::Plan(rule) => Some(PlanBudget { text: budget.text.clone(), rule: rule.clone() }),
            _ => None,
        };
        Self {
            thresholds: query.thresholds,
            plan_budgets: query.budgets.iter().filter_map(plan_budget).collect(),
            ..Self::of_statements(&query.name, &query.statements, parameter_sets)
        }
    }

    /// The same from a name and statements with `:name` parameters.
    #[must_use]
    pub fn of_statements(name: &str, statements: &[String], mut parameter_sets: Vec<CaseParameters>) -> Self {
        let mut names: Vec<String> = Vec::new();
        let mut case_statements = Vec::new();
        for statement in statements {
            let positional = to_positional(statement);
            let mut value_places = Vec::new();
            for name in positional.names {
                let known = names.iter().position(|other| *other == name);
                value_places.push(known.unwrap_or_else(|| {
                    names.push(name);
                    names.len() - 1
                }));
            }
            let kind = statement_kind(statement);
            let sql = positional.sql.trim_end().trim_end_matches(';').to_owned();
            case_statements.push(CaseStatement { sql, kind, value_places });
        }
        if parameter_sets.is_empty() {
            parameter_sets.push(CaseParameters { label: String::new(), values: vec![None; names.len()] });
        }
        Self {
            query: name.to_owned(),
            statements: case_statements,
            parameter_sets,
            plan_budgets: vec![],
            thresholds: Thresholds::default(),
        }
    }

    /// Whether it must run inside a transaction that is rolled back.
    #[must_use]
    pub fn needs_rollback(&self) -> bool {
        self.statements.len() > 1
            || self.statements.iter().any(|statement| statement.kind != StatementKind::Read)
    }

    /// A statement that EXPLAIN cannot explain, where there is one.
    #[must_use]
    pub fn unexplainable(&self) -> Option<&CaseStatement> {
        let explains =
            |kind| matches!(kind, StatementKind::Read | StatementKind::LockingRead | StatementKind::Write);
        self.statements.iter().find(|statement| !explains(statement.kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_statement_takes_its_own_values_by_name() {
        let set = CaseParameters { label: "x".into(), values: vec![Some("1".into()), Some("2".into())] };
        let statements = ["SELECT :a;".to_owned(), "UPDATE t SET x = :b WHERE y = :a".to_owned()];
        let case = Case::of_statements("q", &statements, vec![set.clone()]);
        assert_eq!(case.statements[0].sql, "SELECT $1");
        assert_eq!(case.statements[0].values(&set), [Some("1".to_owned())]);
        assert_eq!(case.statements[1].sql, "UPDATE t SET x = $1 WHERE y = $2");
        assert_eq!(case.statements[1].values(&set), [Some("2".to_owned()), Some("1".to_owned())]);
        assert!(case.needs_rollback());
    }
}
