//! Cycles that could close between transactions, derived from what each of them
//! locks when it runs alone. No I/O.
//!
//! A transaction stuck in a step holds all that the steps before it locked. A
//! cycle is possible where each of two or three transactions wants something that
//! the next one holds, and where what they hold does not exclude one another.

use super::footprint::{Footprint, Held, Mode};
use super::rows::{self, Swap};

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
    /// Per member the rows it names in place of its own.
    pub(super) swaps: Vec<Vec<Swap>>,
    /// The rows come in an order that no recorded run has shown, and the runs are too few to tell.
    pub(super) is_doubtful: bool,
}

impl Candidate {
    /// With the rows they have.
    pub(super) fn plain(members: Vec<Stuck>) -> Self {
        Self { swaps: vec![Vec::new(); members.len()], members, is_doubtful: false }
    }
}

/// All candidates between two or three transactions, those of two first. A transaction may meet a
/// second run of itself.
pub(super) fn candidates(transactions: &[&Footprint]) -> Vec<Candidate> {
    let points = points(transactions);
    let waits = |a: Stuck, b: Stuck| wait(transactions, a, b).is_some();
    let mut found = Vec::new();
    for (index, &a) in points.iter().enumerate() {
        for &b in &points[index..] {
            if can_meet(transactions, a, b) && waits(a, b) && waits(b, a) {
                found.push(Candidate::plain(vec![a, b]));
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
                    found.push(Candidate::plain(vec![a, b, c]));
                }
            }
        }
    }
    found
}

/// Every step that wants something.
pub(super) fn points(transactions: &[&Footprint]) -> Vec<Stuck> {
    let all = transactions.iter().enumerate().flat_map(|(transaction, footprint)| {
        (0..footprint.steps.len()).map(move |step| Stuck { transaction, step })
    });
    all.filter(|point| !transactions[point.transaction].wants(point.step).is_empty()).collect()
}

/// Whether a candidate's members, with their chosen rows, wait for one another in a ring.
pub(super) fn closes(transactions: &[&Footprint], candidate: &Candidate) -> bool {
    let footprints = chosen(transactions, candidate);
    let footprints: Vec<&Footprint> = footprints.iter().collect();
    let members = stuck(candidate);
    let next = members.iter().cycle().skip(1);
    members.iter().zip(next).all(|(a, b)| wait(&footprints, *a, *b).is_some())
        && members.iter().all(|a| members.iter().all(|b| a == b || can_meet(&footprints, *a, *b)))
}

/// The members' footprints with the rows chosen for them.
fn chosen(transactions: &[&Footprint], candidate: &Candidate) -> Vec<Footprint> {
    let members = candidate.members.iter().zip(&candidate.swaps);
    members.map(|(member, swaps)| transactions[member.transaction].with_rows(swaps)).collect()
}

/// The members as positions in the list of themselves.
fn stuck(candidate: &Candidate) -> Vec<Stuck> {
    let members = candidate.members.iter().enumerate();
    members.map(|(transaction, member)| Stuck { transaction, step: member.step }).collect()
}

/// Whether two transactions can be stuck where they are at the same time. New keys do not keep them
/// apart: the same INSERT makes other ones where the server generates them.
fn can_meet(transactions: &[&Footprint], a: Stuck, b: Stuck) -> bool {
    let (a, b) = (transactions[a.transaction].before(a.step), transactions[b.transaction].before(b.step));
    let excludes = |held: &&Held| held.mode != Mode::Insert;
    !a.iter().filter(excludes).any(|held| b.iter().any(|other| held.conflicts(other)))
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
    let footprints = chosen(transactions, candidate);
    let footprints: Vec<&Footprint> = footprints.iter().collect();
    let members = stuck(candidate);
    let name = |member: &Stuck| names[candidate.members[member.transaction].transaction].as_str();
    let next = members.iter().cycle().skip(1);
    let sentence = |(a, b): (&Stuck, &Stuck)| {
        let (wanted, held) = wait(&footprints, *a, *b)?;
        Some(format!(
            "{} wants {}, and {} holds {}",
            name(a),
            wanted.describe(),
            if name(a) == name(b) { "its second run" } else { name(b) },
            held.describe()
        ))
    };
    members.iter().zip(next).filter_map(sentence).collect()
}

/// Which rows were chosen, one sentence per row.
pub(super) fn describe_rows(names: &[String], candidate: &Candidate) -> Vec<String> {
    let members = candidate.members.iter().zip(&candidate.swaps);
    let sentences = members.flat_map(|(member, swaps)| {
        swaps.iter().map(|swap| {
            let value = |key: &str| rows::value_of(key).unwrap_or(key).to_owned();
            let name = &names[member.transaction];
            format!("{name} with row {} of {} in place of {}", swap.to, swap.relation, value(&swap.from))
        })
    });
    sentences.collect()
}

#[cfg(test)]
mod tests {
    use super::super::footprint::{Object, StepFootprint};
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
    fn new_keys_do_not_keep_two_runs_apart() {
        let mut upgrade = transaction(&[("1", RowMode::Share), ("1", CHANGE)]);
        let new = Object::Inserted { relation: "orders".into(), statement: "INSERT".into() };
        for step in &mut upgrade.steps[..2] {
            step.held.push(Held { object: new.clone(), mode: Mode::Insert });
        }
        assert_eq!(found(&[upgrade]), [[(0, 1), (0, 1)]]);
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
