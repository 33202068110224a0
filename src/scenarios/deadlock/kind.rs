//! What kind of conflict a cycle is, and the advice that fits it. No I/O.

use super::words::{first_word, mentions};
use crate::model::evidence::deadlock::{ConflictKind, LockedObject, WaitEdge};

/// Completes the victim's wait from its error's CONTEXT: who waits for a transaction without a tuple
/// lock in hand has locked the row before, or inserts a key.
pub(super) fn name_victims_wait(cycle: &mut [WaitEdge], victim: &str, context: Option<&str>) {
    let Some(place) = context.and_then(|context| context.lines().next()) else { return };
    let wait = cycle.iter_mut().find(|edge| edge.waiter_session == victim);
    let Some(edge) = wait.filter(|edge| edge.object == LockedObject::Transaction) else { return };
    let relation = || place.split("in relation \"").nth(1)?.split('"').next().map(str::to_owned);
    let ctid = || Some(format!("({})", place.split('(').nth(1)?.split(')').next()?));
    let Some(relation) = relation() else { return };
    if ["index tuple", "uniqueness", "exclusion"].iter().any(|word| place.contains(word)) {
        edge.object = LockedObject::Other(format!("{INDEX_ENTRY}{relation}"));
    } else if let Some(ctid) = ctid() {
        edge.object = LockedObject::Row { relation, ctid, key: None };
        edge.wanted_mode = "a stronger lock than it has".into();
    }
}

/// How a wait for a key is named.
const INDEX_ENTRY: &str = "a key of index ";

fn is_index_entry(object: &LockedObject) -> bool {
    matches!(object, LockedObject::Other(words) if words.starts_with(INDEX_ENTRY))
}

/// The kind of a cycle of waits.
pub(super) fn kind(cycle: &[WaitEdge]) -> ConflictKind {
    let rows = cycle.iter().filter(|edge| matches!(edge.object, LockedObject::Row { .. })).count();
    let all = |is: fn(&LockedObject) -> bool| cycle.iter().all(|edge| is(&edge.object));
    if cycle.is_empty() {
        ConflictKind::Mixed
    } else if rows == cycle.len() {
        row_kind(cycle)
    } else if all(|object| matches!(object, LockedObject::Advisory(_))) {
        ConflictKind::Advisory
    } else if all(|object| matches!(object, LockedObject::Relation(_))) {
        relation_kind(cycle)
    } else if all(|object| *object == LockedObject::Transaction || is_index_entry(object)) {
        ConflictKind::UniqueIndex
    } else if all(|object| matches!(object, LockedObject::Transaction | LockedObject::Row { .. })) {
        ConflictKind::RowUpgrade
    } else if cycle.iter().any(is_explicit_table_lock) {
        ConflictKind::DdlAgainstDml
    } else {
        ConflictKind::Mixed
    }
}

fn row_kind(cycle: &[WaitEdge]) -> ConflictKind {
    let is_same_row = cycle.iter().all(|edge| edge.object == cycle[0].object);
    let touches = |edge: &WaitEdge| match &edge.object {
        LockedObject::Row { relation, .. } => mentions(&edge.waiter_statement, relation),
        _ => true,
    };
    // A statement that waits for a row of a table it does not name was sent there by a constraint.
    if cycle.iter().any(|edge| !touches(edge) || edge.wanted_mode == "FOR KEY SHARE") {
        ConflictKind::ForeignKey
    } else if is_same_row {
        ConflictKind::RowUpgrade
    } else {
        ConflictKind::RowOrder
    }
}

fn relation_kind(cycle: &[WaitEdge]) -> ConflictKind {
    let is_same_table = cycle.iter().all(|edge| edge.object == cycle[0].object);
    let are_all_explicit = cycle.iter().all(|edge| first_word(&edge.waiter_statement) == "lock");
    match (is_same_table, are_all_explicit) {
        (true, _) => ConflictKind::TableUpgrade,
        (false, true) => ConflictKind::TableOrder,
        (false, false) => ConflictKind::DdlAgainstDml,
    }
}

fn is_explicit_table_lock(edge: &WaitEdge) -> bool {
    matches!(edge.object, LockedObject::Relation(_))
}

/// What a person does about a cycle of this kind.
pub(super) fn advice(kind: ConflictKind, cycle: &[WaitEdge]) -> String {
    let table = cycle.iter().find_map(|edge| match &edge.object {
        LockedObject::Row { relation, .. } | LockedObject::Relation(relation) => Some(relation.as_str()),
        _ => None,
    });
    let table = table.unwrap_or("the table");
    match kind {
        ConflictKind::RowOrder => format!(
            "lock rows of {table} in one order in every transaction: sort the keys before updating, or begin with \
             SELECT … ORDER BY … FOR NO KEY UPDATE, or change them in one statement"
        ),
        ConflictKind::RowUpgrade => format!(
            "take the strongest lock first: read the row of {table} with FOR UPDATE (or FOR NO KEY UPDATE where its \
             key stays) in place of FOR SHARE or a lock by a foreign key"
        ),
        ConflictKind::ForeignKey => format!(
            "lock the referenced row of {table} with FOR NO KEY UPDATE before inserting rows that refer to it, in \
             every transaction that changes it later"
        ),
        ConflictKind::UniqueIndex => {
            "insert unique keys in one order: sort the rows before inserting, or insert them in one statement with \
             ORDER BY and ON CONFLICT"
                .into()
        }
        ConflictKind::TableOrder => "lock the tables in one order, in one LOCK TABLE statement".into(),
        ConflictKind::TableUpgrade => {
            format!("take the strongest lock on {table} first, before reading or writing it")
        }
        ConflictKind::DdlAgainstDml => format!(
            "run DDL on {table} as the first statement of its own transaction with a short lock_timeout, and retry it"
        ),
        ConflictKind::Advisory => {
            "take advisory locks in one order: sort their keys before the first of them".into()
        }
        ConflictKind::Mixed => {
            "let every transaction take its locks in one order, and retry on 40P01 what cannot be ordered".into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(object: LockedObject, statement: &str, wanted_mode: &str) -> WaitEdge {
        WaitEdge {
            waiter_session: "a".into(),
            waiter_step: "s".into(),
            waiter_statement: statement.into(),
            holder_session: "b".into(),
            holder_step: "t".into(),
            object,
            wanted_mode: wanted_mode.into(),
            held_mode: None,
            is_soft: false,
        }
    }

    fn row(relation: &str, ctid: &str) -> LockedObject {
        LockedObject::Row { relation: relation.into(), ctid: ctid.into(), key: None }
    }

    #[test]
    fn the_victims_context_tells_rows_from_keys() {
        let named = |context: &str| {
            let mut cycle =
                [edge(LockedObject::Transaction, "", "ShareLock"), edge(LockedObject::Transaction, "", "")];
            cycle[1].waiter_session = "b".into();
            name_victims_wait(&mut cycle, "a", Some(context));
            (cycle[0].object.describe(), kind(&cycle))
        };
        assert_eq!(
            named("while updating tuple (0,1) in relation \"orders\""),
            ("row (0,1) of orders".to_owned(), ConflictKind::RowUpgrade)
        );
        assert_eq!(
            named("while inserting index tuple (0,2) in relation \"users_email_key\""),
            ("a key of index users_email_key".to_owned(), ConflictKind::UniqueIndex)
        );
    }

    #[test]
    fn kinds_are_told_apart() {
        let update = "UPDATE orders SET x = 1";
        let check = |first: WaitEdge, second: WaitEdge, expected: ConflictKind| {
            assert_eq!(kind(&[first, second]), expected);
        };
        check(
            edge(row("orders", "(0,1)"), update, "FOR NO KEY UPDATE"),
            edge(row("public.orders", "(0,2)"), update, "FOR NO KEY UPDATE"),
            ConflictKind::RowOrder,
        );
        check(
            edge(row("orders", "(0,1)"), update, "FOR UPDATE"),
            edge(row("orders", "(0,1)"), update, "FOR UPDATE"),
            ConflictKind::RowUpgrade,
        );
        check(
            edge(row("users", "(0,1)"), "INSERT INTO orders VALUES (1)", "FOR KEY SHARE"),
            edge(row("users", "(0,2)"), "UPDATE users SET id = 2", "FOR UPDATE"),
            ConflictKind::ForeignKey,
        );
        check(
            edge(LockedObject::Transaction, "INSERT", "ShareLock"),
            edge(LockedObject::Transaction, "INSERT", "ShareLock"),
            ConflictKind::UniqueIndex,
        );
        let table = |name: &str| LockedObject::Relation(name.into());
        check(
            edge(table("a"), "LOCK TABLE a", "ShareLock"),
            edge(table("b"), "lock b", "ShareLock"),
            ConflictKind::TableOrder,
        );
        check(
            edge(table("a"), "SELECT * FROM a", "AccessShareLock"),
            edge(table("b"), "ALTER TABLE b", "AccessExclusiveLock"),
            ConflictKind::DdlAgainstDml,
        );
        check(edge(table("a"), "LOCK a", "x"), edge(table("a"), "UPDATE a", "x"), ConflictKind::TableUpgrade);
        check(
            edge(table("a"), "ALTER TABLE a", "AccessExclusiveLock"),
            edge(row("b", "(0,1)"), "UPDATE b", "FOR UPDATE"),
            ConflictKind::DdlAgainstDml,
        );
        check(
            edge(LockedObject::Advisory("1".into()), "", ""),
            edge(LockedObject::Advisory("2".into()), "", ""),
            ConflictKind::Advisory,
        );
        assert_eq!(kind(&[]), ConflictKind::Mixed);
    }
}
