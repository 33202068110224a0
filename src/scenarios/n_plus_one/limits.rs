//! Bounds that sessions set on their own scopes with
//! `SET plimsoll.max_statements`: who asked more. Pure.

use super::findings::shortened;
use crate::model::{Finding, Severity};
use crate::trace::{Outcome, ScopeLimit, StatementRecord, Trace};
use std::collections::BTreeMap;

/// The code of such a finding.
pub(super) const CODE: &str = "too-many-statements";

/// Statements named in the evidence.
const STATEMENTS_SHOWN: usize = 5;

/// Statements about the session itself, which do not count.
const UNCOUNTED: [&str; 14] = [
    "set",
    "reset",
    "show",
    "begin",
    "start",
    "commit",
    "end",
    "rollback",
    "abort",
    "savepoint",
    "release",
    "discard",
    "deallocate",
    "select set_config",
];

/// One finding per scope above its bound.
#[must_use]
pub(super) fn exceeded(trace: &Trace) -> Vec<Finding> {
    let limits: BTreeMap<_, &ScopeLimit> = trace.limits.iter().map(|limit| (limit.key(), limit)).collect();
    limits.into_values().filter_map(|limit| finding(trace, limit)).collect()
}

fn finding(trace: &Trace, limit: &ScopeLimit) -> Option<Finding> {
    let most = limit.statements?;
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for record in trace.statements.iter().filter(|record| is_of(record, limit) && counts_as_asked(record)) {
        *counts.entry(record.shape.text.as_str()).or_default() += 1;
    }
    let total: u64 = counts.values().sum();
    if total <= most {
        return None;
    }
    let mut by_count: Vec<(u64, &str)> = counts.into_iter().map(|(text, count)| (count, text)).collect();
    by_count.sort_by(|left, right| right.cmp(left));
    let shown = by_count.iter().take(STATEMENTS_SHOWN);
    Some(Finding {
        code: CODE,
        severity: Severity::Failure,
        subject: match &limit.scope {
            Some(scope) => scope.to_string(),
            None => format!("connection {}", limit.connection),
        },
        message: format!("{total} statements, where plimsoll.max_statements allows {most}"),
        evidence: shown.map(|(count, text)| format!("{count} times: {}", shortened(text))).collect(),
        next_step: "Look at the statement asked most, or raise the bound in the test if all are needed"
            .into(),
        location: None,
    })
}

fn is_of(record: &StatementRecord, limit: &ScopeLimit) -> bool {
    match &limit.scope {
        Some(scope) => record.scope.as_deref() == Some(scope),
        None => record.scope.is_none() && record.connection == limit.connection,
    }
}

/// Not what is about the session, nor a further part of one portal, nor what
/// the server never looked at.
fn counts_as_asked(record: &StatementRecord) -> bool {
    !is_about_session(&record.shape.text) && record.continues.is_none() && record.outcome != Outcome::Skipped
}

/// Whether a statement asks nothing of the data.
pub(super) fn is_about_session(shape: &str) -> bool {
    let is_word_end = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    UNCOUNTED.iter().any(|words| shape.strip_prefix(words).is_some_and(is_word_end))
}

#[cfg(test)]
mod tests {
    use super::exceeded;
    use crate::trace::{
        Bounds, Header, Outcome, Protocol, ScopeLimit, StatementRecord, StatementTemplate, Trace, ValueHasher,
    };
    use std::sync::Arc;

    fn record(scope: Option<&str>, text: &str) -> StatementRecord {
        let template = StatementTemplate::parse(text, &ValueHasher::new(1), &Bounds::default());
        StatementRecord {
            scope: scope.map(Arc::from),
            shape: template.shape,
            outcome: Outcome::Ok,
            protocol: Protocol::Simple,
            sequence: 0,
            connection: 0,
            transaction: None,
            start_us: 0,
            first_row_us: None,
            end_us: 0,
            arguments: Vec::new(),
            rows: 0,
            bytes: 0,
            columns: Arc::from([]),
            values: Vec::new(),
            continues: None,
            application_name: None,
            tags: None,
            kept_arguments: None,
            kept_text: None,
        }
    }

    #[test]
    fn only_scopes_above_their_last_bound_are_found() {
        let mut trace = Trace::new(Header {
            hash_key_id: 0,
            started_at_us: 0,
            source: String::new(),
            bounds: Bounds::default(),
        });
        for scope in [Some("a"), Some("b"), None] {
            trace.statements.push(record(scope, "SET plimsoll.max_statements = 2"));
            trace.statements.push(record(scope, "BEGIN"));
            trace.statements.push(record(scope, "SELECT 1"));
            trace.statements.push(record(scope, "SELECT settings FROM users WHERE id = 1"));
            trace.statements.push(record(scope, "SELECT settings FROM users WHERE id = 2"));
            trace.statements.push(record(scope, "SELECT set_config('plimsoll.scope', 'x', false)"));
        }
        let limit = |scope: Option<&str>, statements| ScopeLimit {
            connection: 0,
            scope: scope.map(Arc::from),
            statements,
        };
        trace.limits = vec![limit(Some("a"), Some(9)), limit(Some("a"), Some(2)), limit(Some("b"), Some(3))];
        let found = exceeded(&trace);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].subject.as_str(), found[0].code), ("a", "too-many-statements"));
        assert_eq!(found[0].message, "3 statements, where plimsoll.max_statements allows 2");
        assert_eq!(found[0].evidence[0], "2 times: select settings from users where id = ?");
        trace.limits.push(limit(Some("a"), None));
        assert!(exceeded(&trace).is_empty(), "lifted");
        trace.limits.push(limit(None, Some(1)));
        assert_eq!(exceeded(&trace)[0].subject, "connection 0");
    }
}
