//! What a transaction locks when it runs alone, step by step, and which steps of
//! two transactions conflict. No I/O.
//!
//! Invariant: what is not known conflicts with everything, so that no order is
//! left out for want of knowledge.

use super::rows::{KeyOrders, Swap};
use super::waits;
use super::words::{first_word, mentions, statements};
use crate::postgres::row_locks::RowMode;

/// Something that can be locked.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Object {
    /// A row of a table with a primary key.
    Row { relation: String, key: String },
    /// A table as a whole.
    Relation(String),
    /// An advisory lock.
    Advisory(String),
    /// The unique keys that this statement inserts into a table.
    Inserted { relation: String, statement: String },
}

/// How it is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mode {
    /// A row.
    Row(RowMode),
    /// Anything in `pg_locks`, by the rank of its mode.
    Table(usize),
    /// New keys.
    Insert,
}

/// One lock held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) object: Object,
    pub(super) mode: Mode,
}

/// What one step did when the transaction ran alone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct StepFootprint {
    /// Everything held after it.
    pub(super) held: Vec<Held>,
    /// Tables whose locked rows are not known one by one.
    pub(super) blurred: Vec<String>,
    /// Why nothing is known, where it failed or did not run.
    pub(super) error: Option<String>,
    /// How many rows it returned or changed.
    pub(super) rows: u64,
}

/// A transaction that ran alone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Footprint {
    /// What its setup holds.
    pub(super) start: Vec<Held>,
    /// One per step.
    pub(super) steps: Vec<StepFootprint>,
    /// The statements, one per step.
    pub(super) statements: Vec<String>,
    /// What is known of the order of its rows.
    pub(super) orders: KeyOrders,
}

impl Held {
    /// Whether another transaction cannot hold the other lock at the same time.
    pub(super) fn conflicts(&self, other: &Self) -> bool {
        self.object == other.object
            && match (self.mode, other.mode) {
                (Mode::Row(own), Mode::Row(other)) => own.conflicts(other),
                (Mode::Table(own), Mode::Table(other)) => {
                    waits::conflicts(waits::MODES[own.min(7)], waits::MODES[other.min(7)])
                }
                (Mode::Insert, Mode::Insert) => true,
                _ => false,
            }
    }

    /// As a sentence names it.
    pub(super) fn describe(&self) -> String {
        match (&self.object, self.mode) {
            (Object::Row { relation, key }, Mode::Row(mode)) => {
                format!("row {key} of {relation} {}", mode.words())
            }
            (Object::Relation(relation), Mode::Table(rank)) => {
                format!("table {relation} in {}", waits::MODES[rank.min(7)])
            }
            (Object::Advisory(key), _) => format!("advisory lock {key}"),
            (Object::Inserted { relation, .. }, _) => format!("new keys of {relation}"),
            (object, mode) => format!("{object:?} {mode:?}"),
        }
    }
}

impl Footprint {
    /// What is held before a step.
    pub(super) fn before(&self, step: usize) -> &[Held] {
        match step.checked_sub(1) {
            None => &self.start,
            Some(previous) => self.steps.get(previous).map_or(&[], |step| &step.held),
        }
    }

    /// What a step locks that was not held, or not as strongly.
    pub(super) fn wants(&self, step: usize) -> Vec<&Held> {
        let before = self.before(step);
        let after = self.steps.get(step).map_or(&[][..], |step| &step.held);
        let is_new =
            |held: &&Held| !before.iter().any(|known| known.object == held.object && known.mode >= held.mode);
        after.iter().filter(is_new).collect()
    }

    /// As if it had named other rows.
    pub(super) fn with_rows(&self, swaps: &[Swap]) -> Self {
        let mut changed = self.clone();
        let steps = changed.steps.iter_mut().flat_map(|step| &mut step.held);
        for held in steps.chain(&mut changed.start) {
            let Object::Row { relation, key } = &mut held.object else { continue };
            if let Some(swap) = swaps.iter().find(|swap| swap.relation == *relation && swap.from == *key) {
                key.clone_from(&swap.to);
            }
        }
        changed
    }

    fn ends_transaction(&self, step: usize) -> bool {
        !self.before(step).is_empty() && self.steps.get(step).is_some_and(|step| step.held.is_empty())
    }
}

/// What a step's effect on others is made of.
enum Effect<'a> {
    /// None: BEGIN and the like.
    Nothing,
    /// These locks; and these tables, read or written as a whole.
    Locks { locks: Vec<&'a Held>, whole: Vec<&'a str> },
    /// Not known.
    Anything,
}

/// Whether the order of two steps of different sessions can matter.
pub(super) fn steps_conflict(a: &Footprint, a_step: usize, b: &Footprint, b_step: usize) -> bool {
    match (effect(a, a_step), effect(b, b_step)) {
        (Effect::Nothing, _) | (_, Effect::Nothing) => false,
        (Effect::Anything, _) | (_, Effect::Anything) => true,
        (Effect::Locks { locks: a, whole: a_whole }, Effect::Locks { locks: b, whole: b_whole }) => {
            a.iter().any(|held| b.iter().any(|other| matter(held, other)))
                || touches(&a, &b_whole)
                || touches(&b, &a_whole)
                || a_whole
                    .iter()
                    .any(|table| b_whole.contains(table) && (writes(&a, table) || writes(&b, table)))
        }
    }
}

/// Locks whose order matters: those that exclude one another, and keys that may be equal.
fn matter(a: &Held, b: &Held) -> bool {
    match (&a.object, &b.object) {
        (Object::Inserted { relation: a, .. }, Object::Inserted { relation: b, .. }) => a == b,
        (Object::Inserted { relation, .. }, Object::Row { relation: other, .. }) => {
            relation == other && b.mode == Mode::Row(RowMode::Update)
        }
        (Object::Row { relation, .. }, Object::Inserted { relation: other, .. }) => {
            relation == other && a.mode == Mode::Row(RowMode::Update)
        }
        _ => a.conflicts(b),
    }
}

fn relation_of(held: &Held) -> Option<&str> {
    match &held.object {
        Object::Row { relation, .. } | Object::Relation(relation) | Object::Inserted { relation, .. } => {
            Some(relation)
        }
        Object::Advisory(_) => None,
    }
}

/// Whether locks lie in a table that the other step reads or writes as a whole.
fn touches(locks: &[&Held], whole: &[&str]) -> bool {
    locks
        .iter()
        .filter(|held| is_write(held))
        .filter_map(|held| relation_of(held))
        .any(|table| whole.contains(&table))
}

fn writes(locks: &[&Held], table: &str) -> bool {
    locks.iter().any(|held| relation_of(held) == Some(table) && is_write(held))
}

/// More than reading: row locks, new keys, and table modes from `RowShareLock` on.
fn is_write(held: &Held) -> bool {
    held.mode != Mode::Table(0)
}

fn effect<'a>(footprint: &'a Footprint, step: usize) -> Effect<'a> {
    let (Some(own), Some(statement)) = (footprint.steps.get(step), footprint.statements.get(step)) else {
        return Effect::Anything;
    };
    if own.error.is_some() || !own.blurred.is_empty() || !is_understood(statement) {
        return Effect::Anything;
    }
    if footprint.ends_transaction(step) {
        // It releases everything and makes everything visible.
        let locks: Vec<&Held> = footprint.before(step).iter().collect();
        return Effect::Locks { whole: Vec::new(), locks };
    }
    if begins_transaction(statement) {
        return Effect::Nothing;
    }
    let is_named = |held: &&Held| relation_of(held).is_some_and(|relation| mentions(statement, relation));
    let named: Vec<&Held> = own.held.iter().filter(is_named).collect();
    let mut locks = footprint.wants(step);
    locks.extend(named.iter().filter(|held| matches!(held.object, Object::Relation(_))));
    if locks.is_empty() {
        // It did something that left no lock behind, or it runs outside of a transaction.
        return Effect::Anything;
    }
    let is_exact = |table: &str| {
        footprint.wants(step).iter().any(|held| {
            matches!(&held.object, Object::Row { relation, .. } | Object::Inserted { relation, .. } if relation == table)
        })
    };
    let whole = locks.iter().filter_map(|held| match &held.object {
        Object::Relation(table) if !is_exact(table) => Some(table.as_str()),
        _ => None,
    });
    let whole = whole.collect();
    Effect::Locks { locks, whole }
}

/// Statements whose locks say what they do. Others may do anything.
fn is_understood(sql: &str) -> bool {
    const UNDERSTOOD: [&str; 13] = [
        "select",
        "update",
        "delete",
        "insert",
        "lock",
        "begin",
        "start",
        "commit",
        "end",
        "rollback",
        "abort",
        "savepoint",
        "release",
    ];
    statements(sql).all(|statement| UNDERSTOOD.contains(&first_word(statement).as_str()))
}

fn begins_transaction(sql: &str) -> bool {
    statements(sql).all(|statement| matches!(first_word(statement).as_str(), "begin" | "start"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(key: &str, mode: RowMode) -> Held {
        Held { object: Object::Row { relation: "orders".into(), key: key.into() }, mode: Mode::Row(mode) }
    }

    fn table(mode: usize) -> Held {
        Held { object: Object::Relation("orders".into()), mode: Mode::Table(mode) }
    }

    fn transaction(steps: &[(&str, &[Held])]) -> Footprint {
        Footprint {
            start: Vec::new(),
            steps: steps
                .iter()
                .map(|(_, held)| StepFootprint { held: held.to_vec(), ..StepFootprint::default() })
                .collect(),
            orders: KeyOrders::default(),
            statements: steps.iter().map(|(statement, _)| (*statement).to_owned()).collect(),
        }
    }

    fn update(key: &str) -> Footprint {
        let held = [table(2), row(key, RowMode::NoKeyUpdate)];
        transaction(&[("UPDATE orders SET x = 1", &held), ("COMMIT", &[])])
    }

    #[test]
    fn steps_conflict_by_rows_where_rows_are_known() {
        assert!(!steps_conflict(&update("1"), 0, &update("2"), 0));
        assert!(steps_conflict(&update("1"), 0, &update("1"), 0));
        assert!(steps_conflict(&update("1"), 0, &update("1"), 1), "a commit releases the row");
        assert!(!steps_conflict(&update("1"), 1, &update("2"), 0), "of another row");
        assert!(!steps_conflict(&update("1"), 1, &update("2"), 1));
        let read = transaction(&[("SELECT * FROM orders", &[table(0)])]);
        assert!(steps_conflict(&update("1"), 0, &read, 0), "a reader of the whole table");
        assert!(!steps_conflict(&read, 0, &read, 0));
        let nothing_found = transaction(&[("UPDATE orders SET x = 1 WHERE y", &[table(2)])]);
        assert!(steps_conflict(&update("1"), 0, &nothing_found, 0), "it may find the row later");
        assert!(steps_conflict(&nothing_found, 0, &nothing_found, 0));
    }

    #[test]
    fn what_is_not_known_conflicts_with_everything() {
        let failed = Footprint {
            steps: vec![StepFootprint { error: Some("no".into()), ..StepFootprint::default() }],
            statements: vec!["UPDATE orders SET x = 1".into()],
            ..Footprint::default()
        };
        assert!(steps_conflict(&failed, 0, &update("1"), 0));
        for statement in ["DO $$ BEGIN END $$", "SELECT f()", "CALL p()", "SET x = 1"] {
            assert!(steps_conflict(&transaction(&[(statement, &[])]), 0, &update("1"), 0), "{statement}");
        }
        let begin = transaction(&[("BEGIN;", &[])]);
        assert!(!steps_conflict(&begin, 0, &update("1"), 0));
    }

    #[test]
    fn wants_are_new_or_stronger_locks() {
        let both = transaction(&[
            ("SELECT … FOR SHARE", &[table(1), row("1", RowMode::Share)]),
            ("UPDATE orders", &[table(1), table(2), row("1", RowMode::NoKeyUpdate)]),
        ]);
        let wants: Vec<String> = both.wants(1).iter().map(|held| held.describe()).collect();
        assert_eq!(wants, ["table orders in RowExclusiveLock", "row 1 of orders FOR NO KEY UPDATE"]);
    }
}
