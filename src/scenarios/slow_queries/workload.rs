//! A query made ready to execute: statements with `$n`, parameter sets, and
//! which values each statement takes.

use super::sources::Subject;
use super::unlike::made_up;
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
            || self.creates_table() == Some(Filled::ByQuery)
    }

    /// Whether it may leave something behind in its session that other queries would meet, such as a setting.
    fn changes_session(&self) -> bool {
        !self.is_explainable() || tokens(&self.sql).any(|token| token.is_word(&self.sql, "set_config"))
    }

    /// A table that it creates, and how.
    fn creates_table(&self) -> Option<Filled> {
        let words: Vec<String> = tokens(&self.sql)
            .filter(|token| token.kind == TokenKind::Word)
            .map(|token| token.text(&self.sql).to_lowercase())
            .collect();
        let is_into = |pair: &[String]| pair[1] == "into" && !["insert", "merge"].contains(&pair[0].as_str());
        if self.begins_with(&["select", "with"]) && words.windows(2).any(is_into) {
            return Some(Filled::ByQuery);
        }
        const KINDS: [&str; 5] = ["temp", "temporary", "unlogged", "global", "local"];
        let mut head = words.iter().skip_while(|word| KINDS.contains(&word.as_str()) || *word == "create");
        if words.first().is_none_or(|first| first != "create")
            || head.next().is_none_or(|word| word != "table")
        {
            return None;
        }
        let queries = ["select", "with", "values", "table"];
        let is_filled = words.windows(2).any(|pair| pair[0] == "as" && queries.contains(&pair[1].as_str()));
        Some(if is_filled { Filled::ByQuery } else { Filled::Not })
    }

    /// Whether it returns or changes rows; others, such as SET and CALL, have no count to guard.
    pub(crate) fn counts_rows(&self) -> bool {
        self.is_explainable() || self.begins_with(&["fetch", "execute"])
    }

    /// Whether it only prepares for others and touches no rows itself.
    fn is_preparation(&self) -> bool {
        self.begins_with(&["set", "reset", "show", "lock", "savepoint", "release", "rollback", "notify"])
            || self.creates_table() == Some(Filled::Not)
    }

    fn begins_with(&self, words: &[&str]) -> bool {
        tokens(&self.sql)
            .filter(|token| !token.kind.is_trivia() && token.kind != TokenKind::OpenParenthesis)
            .take(1)
            .any(|first| words.iter().any(|word| first.is_word(&self.sql, word)))
    }
}

/// How a created table comes by its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Filled {
    /// `CREATE TABLE … AS SELECT …`, which EXPLAIN takes.
    ByQuery,
    Not,
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
    /// Parameters whose values do not come from the data.
    pub(crate) made_up: Vec<String>,
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
    /// Whether it creates a table out of a query: EXPLAIN does that in a read-only transaction as
    /// well, and only the statement itself is refused there.
    pub(crate) fn fills_tables(&self) -> bool {
        self.statements.iter().any(|statement| statement.creates_table() == Some(Filled::ByQuery))
    }

    /// Whether each execution needs a transaction around it, whose end takes back what it does to the session.
    pub(crate) fn in_transaction(&self) -> bool {
        self.statements.len() > 1 || self.statements.iter().any(BoundStatement::changes_session)
    }

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
            made_up: if subject.origin.is_some() { Vec::new() } else { made_up(&query.parameters) },
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
    fn statements_are_explained_prepare_or_do_work_of_their_own() {
        let kinds = |sql: &str| {
            let statement = BoundStatement { sql: sql.to_owned(), positions: Vec::new() };
            (statement.is_explainable(), statement.is_preparation(), statement.counts_rows())
        };
        for (sql, expected) in [
            ("(select 1) union select 2", (true, false, true)),
            ("-- why\nUPDATE t SET a = 1", (true, false, true)),
            ("CREATE TEMP TABLE t AS SELECT 1", (true, false, true)),
            ("select 1 into t", (true, false, true)),
            ("create table if not exists t (a) as (select 1)", (true, false, true)),
            ("CREATE TEMPORARY TABLE t (id int) ON COMMIT DROP", (false, true, false)),
            ("create index on t (a)", (false, false, false)),
            ("set local work_mem = '1MB'", (false, true, false)),
            ("fetch 10 from c", (false, false, true)),
            ("call p()", (false, false, false)),
        ] {
            assert_eq!(kinds(sql), expected, "{sql}");
        }
    }

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
