//! A query made ready to execute: statements with `$n`, parameter sets, and
//! which values each statement takes.

use super::sources::Subject;
use crate::model::SourceLocation;
use crate::model::evidence::slow_queries::StatementOrigin;
use crate::parameters::ParameterSet;
use crate::project::budget::Budget;
use crate::project::query::Query;
use crate::sql::lexer::{TokenKind, tokens};
use crate::sql::parameters::to_positional;
use xxhash_rust::xxh3::xxh3_64;

/// One statement of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BoundStatement {
    /// With `$1`, `$2`, ….
    pub(crate) sql: String,
    /// Which of the query's values each of them takes.
    positions: Vec<usize>,
}

impl BoundStatement {
    /// The statement's values out of the query's.
    pub(crate) fn values(&self, set: &ParameterSet) -> Vec<Option<String>> {
        self.positions.iter().map(|&position| set.values.get(position).cloned().flatten()).collect()
    }

    /// Whether EXPLAIN takes it. Others, such as SET and LOCK, are executed as they are.
    pub(crate) fn is_explainable(&self) -> bool {
        self.begins_with(&["select", "with", "values", "table", "insert", "update", "delete", "merge"])
    }

    /// Whether it only prepares for others and touches no rows itself.
    fn is_preparation(&self) -> bool {
        self.begins_with(&["set", "reset", "show", "lock", "savepoint", "release", "rollback", "notify"])
    }

    fn begins_with(&self, words: &[&str]) -> bool {
        tokens(&self.sql)
            .filter(|token| !token.kind.is_trivia() && token.kind != TokenKind::OpenParenthesis)
            .take(1)
            .any(|first| words.iter().any(|word| first.is_word(&self.sql, word)))
    }
}

/// What tells a parameter set apart from run to run: a hash of its whole values. Labels are cut.
pub(crate) fn set_key(set: &ParameterSet) -> u64 {
    let mut bytes = Vec::new();
    for value in &set.values {
        // The length in front keeps neighbours apart; one too large to be one stands for NULL.
        let length = value.as_ref().map_or(u64::MAX, |value| value.len() as u64);
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(value.as_deref().unwrap_or_default().as_bytes());
    }
    xxh3_64(&bytes)
}

/// A query with everything needed to execute it.
#[derive(Debug, Clone)]
pub(crate) struct PreparedQuery {
    /// Its name.
    pub(crate) name: String,
    /// Where it is declared; `None` for a statement that no file declares.
    pub(crate) location: Option<SourceLocation>,
    /// Where such a statement comes from.
    pub(crate) origin: Option<StatementOrigin>,
    /// Why it cannot be executed.
    pub(crate) unfit: Option<String>,
    /// The budgets that hold at this volume.
    pub(crate) budgets: Vec<Budget>,
    /// How many it has for other volumes.
    pub(crate) budgets_elsewhere: usize,
    /// Whether every sample meets empty caches.
    pub(crate) cold: bool,
    /// Its statements; several make one transaction.
    pub(crate) statements: Vec<BoundStatement>,
    /// What its parameters are set to.
    pub(crate) sets: Vec<ParameterSet>,
}

impl PreparedQuery {
    /// The first statement that EXPLAIN does not take and that may do work of its own, such as CALL.
    pub(crate) fn unplanned(&self) -> Option<&str> {
        let does_work =
            |statement: &&BoundStatement| !statement.is_explainable() && !statement.is_preparation();
        self.statements.iter().find(does_work).map(|statement| statement.sql.trim())
    }

    /// Makes a query ready for a volume.
    pub(crate) fn new(subject: &Subject, volume: &str, cold: bool, sets: Vec<ParameterSet>) -> Self {
        let query = &subject.query;
        let holds = |budget: &&Budget| budget.volume.as_deref().is_none_or(|only| only == volume);
        let budgets: Vec<Budget> = query.budgets.iter().filter(holds).cloned().collect();
        let statements = query.statements.iter().map(|statement| bind(statement, query)).collect();
        Self {
            name: query.name.clone(),
            location: subject
                .origin
                .is_none()
                .then(|| SourceLocation { path: query.path.clone(), line: query.line }),
            origin: subject.origin.clone(),
            unfit: subject.unfit.clone(),
            budgets_elsewhere: query.budgets.len() - budgets.len(),
            budgets,
            cold: cold || query.is_cold,
            statements,
            sets,
        }
    }
}

fn bind(statement: &str, query: &Query) -> BoundStatement {
    let positional = to_positional(statement);
    let position = |name: &String| {
        query.parameters.iter().position(|parameter| parameter.name == *name).unwrap_or(usize::MAX)
    };
    BoundStatement { positions: positional.names.iter().map(position).collect(), sql: positional.sql }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_of_the_whole_values() {
        let set = |values: &[Option<&str>]| ParameterSet {
            label: "the same".into(),
            values: values.iter().map(|value| value.map(str::to_owned)).collect(),
        };
        let long = "x".repeat(60);
        let other = format!("{}y", &long[1..]);
        let different: [&[Option<&str>]; 6] = [
            &[Some(&long)],
            &[Some(&other)],
            &[Some("")],
            &[None],
            &[Some("ab"), Some("c")],
            &[Some("a"), Some("bc")],
        ];
        for (at, one) in different.iter().enumerate() {
            for (other_at, other) in different.iter().enumerate() {
                assert_eq!(set_key(&set(one)) == set_key(&set(other)), at == other_at);
            }
        }
    }
}
