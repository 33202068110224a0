//! What a rollback undid: transactional tests end by one, of a transaction or to
//! a savepoint.

use crate::trace::StatementRecord;
use std::collections::HashMap;

/// What a connection has open.
#[derive(Default)]
struct Open<'t> {
    transaction: Option<u64>,
    /// Statements since its begin that no rollback to a savepoint undid.
    statements: Vec<usize>,
    /// Savepoints, with the number of statements before each.
    savepoints: Vec<(&'t str, usize)>,
}

/// For each statement, in order of time, the place of the rollback that undid it.
pub(super) fn undone(records: &[&StatementRecord]) -> Vec<Option<usize>> {
    let mut undone = vec![None; records.len()];
    let mut connections: HashMap<u64, Open<'_>> = HashMap::new();
    for (at, record) in records.iter().enumerate() {
        let open = connections.entry(record.connection).or_default();
        if open.transaction != record.transaction {
            *open = Open { transaction: record.transaction, ..Open::default() };
        }
        if record.transaction.is_none() {
            continue;
        }
        let from = match control(&record.shape.text) {
            Control::Savepoint(name) => {
                open.savepoints.push((name, open.statements.len()));
                None
            }
            Control::Release(name) => {
                let known = open.savepoints.iter().rposition(|(other, _)| *other == name);
                open.savepoints.truncate(known.unwrap_or(open.savepoints.len()));
                None
            }
            Control::RollbackTo(name) => {
                let known = open.savepoints.iter().rposition(|(other, _)| *other == name);
                open.savepoints.truncate(known.map_or(open.savepoints.len(), |known| known + 1));
                known.map(|known| open.savepoints[known].1)
            }
            Control::Rollback => Some(0),
            Control::None => {
                open.statements.push(at);
                None
            }
        };
        if let Some(from) = from {
            open.statements.drain(from..).for_each(|statement| undone[statement] = Some(at));
        }
    }
    undone
}

/// Whether a statement ends a transaction and undoes it.
pub(super) fn is_rollback(text: &str) -> bool {
    control(text) == Control::Rollback
}

/// What a statement does to a transaction.
#[derive(Debug, PartialEq)]
enum Control<'t> {
    Savepoint(&'t str),
    Release(&'t str),
    RollbackTo(&'t str),
    Rollback,
    None,
}

fn control(text: &str) -> Control<'_> {
    let words: Vec<&str> = text.split_whitespace().collect();
    match words.as_slice() {
        ["savepoint", name] => Control::Savepoint(name),
        ["release", "savepoint", name] | ["release", name] => Control::Release(name),
        ["rollback" | "abort", rest @ ..] => match rest {
            [.., "to", name] | [.., "to", "savepoint", name] => Control::RollbackTo(name),
            [] | ["work" | "transaction"] => Control::Rollback,
            _ => Control::None,
        },
        _ => Control::None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Control, control};

    #[test]
    fn statements_that_control_a_transaction() {
        for (text, expected) in [
            ("savepoint s1", Control::Savepoint("s1")),
            ("rollback to savepoint \"s1\"", Control::RollbackTo("\"s1\"")),
            ("rollback work to s1", Control::RollbackTo("s1")),
            ("release s1", Control::Release("s1")),
            ("release savepoint s1", Control::Release("s1")),
            ("rollback", Control::Rollback),
            ("abort transaction", Control::Rollback),
            ("rollback prepared ?", Control::None),
            ("commit", Control::None),
        ] {
            assert_eq!(control(text), expected, "{text}");
        }
    }
}
