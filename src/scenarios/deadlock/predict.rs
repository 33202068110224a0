//! Cycles that could close between transactions, derived from what each of them
//! locks when it runs alone. No I/O.
//!
//! A transaction stuck in a step holds all that the steps before it locked. A
//! cycle is possible where each of two or three transactions wants something that
//! the next one holds, and where what they hold does not exclude one another.

use super::footprint::{Footprint, Held};

/// One transaction of a candidate, stuck in one of its steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Stuck {
    /// Position in the list of transactions.
    pub(super) transaction: usize,
    /// The step it is stuck in.
    pub(super) step: usize,
}

/// A cycle that could close: each is stuck on what the next one holds, the last on the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) members: Vec<Stuck>,
}

/// All candidates between two or three transactions, those of two first. A transaction may meet a
/// second run of itself.
pub(super) fn candidates(transactions: &[&Footprint]) -> Vec<Candidate> {
    let points: Vec<Stuck> = transactions
        .iter()
        .enumerate()
        .flat_map(|(transaction, footprint)| {
            (0..footprint.steps.len()).map(move |step| Stuck { transaction, step })
        })
        .filter(|point| !transactions[point.transaction].wants(point.step).is_empty())
        .collect();
    let waits = |a: Stuck, b: Stuck| wait(transactions, a, b).is_some();
    let mut found = Vec::new();
    for (index, &a) in points.iter().enumerate() {
        for &b in &points[index..] {
            if can_meet(transactions, a, b) && waits(a, b) && waits(b, a) {
                found.push(Candidate { members: vec![a, b] });
            }
        }
    }
    let is_pair = |a: Stuck, b: Stuck| waits(a, b) && waits(b, a);
    for &a in &points {
        // The smallest comes first, so that every cycle is listed once.
        for &b in points.iter().filter(|b| **b >= a && can_meet(transactions, a, **b) && waits(a, **b)) {
            for &c in points.iter().filter(|c| **c >= a && waits(b, **c) && waits(**c, a)) {
                let meet = can_meet(transactions, b, c) && can_meet(transactions, a, c);
                let is_new = !is_pair(a, b) && !is_pair(b, c) && !is_pair(a, c);
                if meet && is_new {
                    found.push(Candidate { members: vec![a, b, c] });
                }
            }
        }
    }
    found
}

/// Whether two transactions can be stuck where they are at the same time.
fn can_meet(transactions: &[&Footprint], a: Stuck, b: Stuck) -> bool {
    let (a, b) = (transactions[a.transaction].before(a.step), transactions[b.transaction].before(b.step));
    !a.iter().any(|held| b.iter().any(|other| held.conflicts(other)))
}

/// What `a` wants and `b` holds.
fn wait<'a>(transactions: &[&'a Footprint], a: Stuck, b: Stuck) -> Option<(&'a Held, &'a Held)> {
    let held = transactions[b.transaction].before(b.step);
    transactions[a.transaction]
        .wants(a.step)
        .into_iter()
        .find_map(|wanted| held.iter().find(|held| wanted.conflicts(held)).map(|held| (wanted, held)))
}

/// A candidate as sentences, one per wait.
pub(super) fn describe(transactions: &[&Footprint], names: &[String], candidate: &Candidate) -> Vec<String> {
    let members = &candidate.members;
    let next = members.iter().cycle().skip(1);
    let sentence = |(a, b): (&Stuck, &Stuck)| {
        let (wanted, held) = wait(transactions, *a, *b)?;
        Some(format!(
            "{} wants {}, and {} holds {}",
            names[a.transaction],
            wanted.describe(),
            if a.transaction == b.transaction { "its second run" } else { &names[b.transaction] },
            held.describe()
        ))
    };
    members.iter().zip(next).filter_map(sentence).collect()
}

#[cfg(test)]
mod tests {
    use super::super::footprint::{Mode, Object, StepFootprint};
    use super::*;
    use crate::postgres::row_locks::RowMode;

    fn row(key: &str, mode: RowMode) -> Held {
        Held { object: Object::Row { relation: "orders".into(), key: key.into() }, mode: Mode::Row(mode) }
    }

    /// A transaction that locks one row a step, then ends.
    fn transaction(rows: &[(&str, RowMode)]) -> Footprint {
        let mut held: Vec<Held> = Vec::new();
        let mut footprint = Footprint::default();
        for (key, mode) in rows {
            held.retain(|known| known.object != row(key, *mode).object);
            held.push(row(key, *mode));
            footprint.steps.push(StepFootprint { held: held.clone(), ..StepFootprint::default() });
        }
        footprint.steps.push(StepFootprint::default());
        footprint
    }

    fn found(transactions: &[Footprint]) -> Vec<Vec<(usize, usize)>> {
        candidates(&transactions.iter().collect::<Vec<_>>())
            .iter()
            .map(|candidate| {
                candidate.members.iter().map(|member| (member.transaction, member.step)).collect()
            })
            .collect()
    }

    const CHANGE: RowMode = RowMode::NoKeyUpdate;

    #[test]
    fn rows_in_reverse_order_could_deadlock_and_in_one_order_not() {
        let (forward, backward) =
            (transaction(&[("1", CHANGE), ("2", CHANGE)]), transaction(&[("2", CHANGE), ("1", CHANGE)]));
        assert_eq!(found(&[forward.clone(), backward.clone()]), [[(0, 1), (1, 1)]]);
        assert!(found(&[forward.clone(), forward.clone()]).is_empty());
        assert!(found(&[forward, transaction(&[("3", CHANGE), ("1", CHANGE)])]).is_empty());
    }

    #[test]
    fn a_transaction_that_upgrades_meets_its_second_run() {
        let upgrade = transaction(&[("1", RowMode::Share), ("1", CHANGE)]);
        assert_eq!(found(&[upgrade]), [[(0, 1), (0, 1)]]);
        assert!(found(&[transaction(&[("1", RowMode::KeyShare), ("1", CHANGE)])]).is_empty());
    }

    #[test]
    fn three_close_a_cycle_that_no_two_of_them_close() {
        let ring = [
            transaction(&[("1", CHANGE), ("2", CHANGE)]),
            transaction(&[("2", CHANGE), ("3", CHANGE)]),
            transaction(&[("3", CHANGE), ("1", CHANGE)]),
        ];
        assert_eq!(found(&ring), [[(0, 1), (1, 1), (2, 1)]]);
    }

    #[test]
    fn a_common_lock_taken_first_keeps_transactions_apart() {
        let guarded = [
            transaction(&[("0", CHANGE), ("1", CHANGE), ("2", CHANGE)]),
            transaction(&[("0", CHANGE), ("2", CHANGE), ("1", CHANGE)]),
        ];
        assert!(found(&guarded).is_empty());
    }
}
