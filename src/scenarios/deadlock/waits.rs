//! Who waits for whom and for what, read from a snapshot of locks. No I/O.
//!
//! Words and conflict table: PostgreSQL manual, "Explicit locking"; hard and
//! soft edges: `src/backend/storage/lmgr/README` of the server's source.

use super::record::Snapshot;
use super::spec::Spec;
use crate::model::evidence::deadlock::{LockedObject, WaitEdge};
use crate::postgres::locks::{Lock, LockSnapshot, Waiter};

/// Whether a blocked session can go on without a further step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standstill {
    /// It waits, over however many others, for a session that is idle.
    Forever,
    /// It runs, waits for a running session, or is part of a cycle that the server will break.
    Moves,
}

/// Whether the session `lane` can go on by itself; `is_idle` says which sessions have no step in flight.
pub(super) fn standstill(waiters: &[Waiter], pids: &[i32], is_idle: &[bool], lane: usize) -> Standstill {
    let blockers = |of: usize| {
        let waiter = waiters.iter().find(|waiter| waiter.pid == pids[of]);
        waiter.map_or(&[][..], |waiter| &waiter.blockers)
    };
    let mut reached = vec![lane];
    let mut open = vec![lane];
    let mut waits_for_idle = false;
    while let Some(current) = open.pop() {
        if is_idle[current] {
            waits_for_idle = true;
            continue;
        }
        if blockers(current).is_empty() {
            return Standstill::Moves;
        }
        for blocker in blockers(current) {
            // Somebody else, such as autovacuum: will end by itself.
            let Some(next) = pids.iter().position(|pid| pid == blocker) else { return Standstill::Moves };
            if reaches(&blockers, pids, next, current) {
                return Standstill::Moves;
            }
            if !reached.contains(&next) {
                reached.push(next);
                open.push(next);
            }
        }
    }
    if waits_for_idle { Standstill::Forever } else { Standstill::Moves }
}

fn reaches<'a>(blockers: &impl Fn(usize) -> &'a [i32], pids: &[i32], from: usize, to: usize) -> bool {
    let (mut reached, mut open) = (vec![from], vec![from]);
    while let Some(current) = open.pop() {
        if current == to {
            return true;
        }
        for blocker in blockers(current) {
            if let Some(next) = pids.iter().position(|pid| pid == blocker)
                && !reached.contains(&next)
            {
                reached.push(next);
                open.push(next);
            }
        }
    }
    false
}

/// Every wait between the sessions of a spec.
pub(super) fn edges(spec: &Spec, pids: &[i32], snapshot: &Snapshot) -> Vec<WaitEdge> {
    let mut edges = Vec::new();
    let session_of = |pid: i32| pids.iter().position(|&own| own == pid);
    let step_of = |session: usize| snapshot.last_steps[session].map(|step| spec.step(step));
    for waiter in &snapshot.locks.waiters {
        let Some(waiting) = session_of(waiter.pid) else { continue };
        for &blocker in &waiter.blockers {
            let Some(holding) = session_of(blocker) else { continue };
            let conflict = conflict(&snapshot.locks, waiter, blocker);
            edges.push(WaitEdge {
                waiter_session: spec.sessions[waiting].name.clone(),
                waiter_step: step_of(waiting).map(|step| step.name.clone()).unwrap_or_default(),
                waiter_statement: step_of(waiting).map(|step| step.sql.clone()).unwrap_or_default(),
                holder_session: spec.sessions[holding].name.clone(),
                holder_step: step_of(holding).map(|step| step.name.clone()).unwrap_or_default(),
                object: with_key(conflict.object, &snapshot.row_keys),
                wanted_mode: conflict.wanted_mode,
                held_mode: conflict.held_mode,
                is_soft: conflict.is_soft,
            });
        }
    }
    edges
}

fn with_key(object: LockedObject, keys: &[(String, String, String)]) -> LockedObject {
    let LockedObject::Row { relation, ctid, .. } = object else { return object };
    let key = keys.iter().find(|known| known.0 == relation && known.1 == ctid).map(|known| known.2.clone());
    LockedObject::Row { relation, ctid, key }
}

struct Conflict {
    object: LockedObject,
    wanted_mode: String,
    held_mode: Option<String>,
    is_soft: bool,
}

fn conflict(snapshot: &LockSnapshot, waiter: &Waiter, blocker: i32) -> Conflict {
    if waiter.for_safe_snapshot {
        return Conflict {
            object: LockedObject::SafeSnapshot,
            wanted_mode: "safe snapshot".into(),
            held_mode: None,
            is_soft: false,
        };
    }
    let wanted = snapshot.locks.iter().find(|lock| lock.pid == waiter.pid && !lock.is_granted);
    let Some(wanted) = wanted else {
        return Conflict {
            object: LockedObject::Other("a lock that was gone when it was looked at".into()),
            wanted_mode: String::new(),
            held_mode: None,
            is_soft: false,
        };
    };
    // A row is waited for through its last locker's transaction, with the tuple lock in hand.
    let tuple =
        snapshot.locks.iter().find(|lock| lock.pid == waiter.pid && lock.kind == "tuple" && lock.is_granted);
    let (object, wanted_mode) = match (wanted.kind.as_str(), tuple) {
        ("transactionid", Some(tuple)) => (object_of(tuple), row_mode(&tuple.mode).to_owned()),
        ("tuple", _) => (object_of(wanted), row_mode(&wanted.mode).to_owned()),
        _ => (object_of(wanted), wanted.mode.clone()),
    };
    let held = snapshot.locks.iter().filter(|lock| {
        lock.pid == blocker
            && lock.is_granted
            && is_same_object(lock, wanted)
            && conflicts(&lock.mode, &wanted.mode)
    });
    // The strongest says most.
    let held_mode = held.max_by_key(|lock| mode_rank(&lock.mode)).map(|lock| lock.mode.clone());
    let is_soft = held_mode.is_none();
    let names_mode = matches!(wanted.kind.as_str(), "relation" | "advisory" | "object");
    Conflict { object, wanted_mode, held_mode: held_mode.filter(|_| names_mode), is_soft }
}

fn object_of(lock: &Lock) -> LockedObject {
    let relation = || lock.relation.clone().unwrap_or_else(|| "a table of another database".into());
    let object = || lock.object.clone().unwrap_or_default();
    match lock.kind.as_str() {
        "tuple" => {
            LockedObject::Row { relation: relation(), ctid: lock.ctid.clone().unwrap_or_default(), key: None }
        }
        "relation" => LockedObject::Relation(relation()),
        "transactionid" => LockedObject::Transaction,
        "advisory" => LockedObject::Advisory(advisory_key(&object())),
        kind => LockedObject::Other(format!("{kind} {}", object()).trim_end().to_owned()),
    }
}

/// `class/object/sub-object` as the caller's one or two numbers.
pub(super) fn advisory_key(object: &str) -> String {
    let parts: Vec<u64> = object.split('/').filter_map(|part| part.parse().ok()).collect();
    match parts[..] {
        // One bigint, its halves in class and object.
        [high, low, 1] => (high << 32 | low).cast_signed().to_string(),
        [first, second, _] => format!("({first}, {second})"),
        _ => object.to_owned(),
    }
}

fn is_same_object(held: &Lock, wanted: &Lock) -> bool {
    held.kind == wanted.kind
        && held.relation == wanted.relation
        && held.ctid == wanted.ctid
        && held.object == wanted.object
}

/// The row lock a tuple lock stands for.
fn row_mode(mode: &str) -> &str {
    match mode {
        "AccessShareLock" => "FOR KEY SHARE",
        "RowShareLock" => "FOR SHARE",
        "ExclusiveLock" => "FOR NO KEY UPDATE",
        "AccessExclusiveLock" => "FOR UPDATE",
        other => other,
    }
}

/// The table-level modes, weakest first.
pub(super) const MODES: [&str; 8] = [
    "AccessShareLock",
    "RowShareLock",
    "RowExclusiveLock",
    "ShareUpdateExclusiveLock",
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
];

/// The place of a table-level mode, weakest first.
pub(super) fn mode_rank(mode: &str) -> usize {
    MODES.iter().position(|known| *known == mode).unwrap_or(0)
}

/// Whether two table-level modes exclude one another (manual, table "Conflicting lock modes").
pub(super) fn conflicts(held: &str, wanted: &str) -> bool {
    /// Per mode the weakest mode from which on everything conflicts.
    const FROM: [usize; 8] = [7, 6, 4, 3, 2, 2, 1, 0];
    let (held, wanted) = (mode_rank(held), mode_rank(wanted));
    // ShareLock alone does not exclude itself.
    wanted >= FROM[held] && !(held == 4 && wanted == 4)
}

/// The edges of one cycle, in its order, or none.
pub(super) fn cycle(edges: &[WaitEdge]) -> Vec<WaitEdge> {
    for start in edges {
        let mut path = vec![start];
        if close(edges, &start.waiter_session, &mut path) {
            return path.into_iter().cloned().collect();
        }
    }
    Vec::new()
}

fn close<'a>(edges: &'a [WaitEdge], start: &str, path: &mut Vec<&'a WaitEdge>) -> bool {
    let Some(last) = path.last().map(|edge| edge.holder_session.as_str()) else { return false };
    if last == start {
        return true;
    }
    for next in edges.iter().filter(|edge| edge.waiter_session == last) {
        if path.iter().any(|edge| edge.waiter_session == next.waiter_session) {
            continue;
        }
        path.push(next);
        if close(edges, start, path) {
            return true;
        }
        path.pop();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiter(pid: i32, blockers: &[i32]) -> Waiter {
        Waiter { pid, blockers: blockers.to_vec(), for_safe_snapshot: false }
    }

    #[test]
    fn a_session_stands_still_behind_an_idle_one_only() {
        let pids = [1, 2, 3];
        let stand = |waiters: &[Waiter], idle: [bool; 3]| standstill(waiters, &pids, &idle, 0);
        assert_eq!(stand(&[waiter(1, &[2])], [false, true, true]), Standstill::Forever);
        assert_eq!(stand(&[waiter(1, &[2])], [false, false, true]), Standstill::Moves, "2 runs");
        assert_eq!(stand(&[waiter(1, &[2]), waiter(2, &[3])], [false, false, true]), Standstill::Forever);
        assert_eq!(
            stand(&[waiter(1, &[2]), waiter(2, &[1])], [false, false, true]),
            Standstill::Moves,
            "a cycle"
        );
        assert_eq!(
            stand(&[waiter(1, &[2]), waiter(2, &[3]), waiter(3, &[2])], [false; 3]),
            Standstill::Moves,
            "behind a cycle"
        );
        assert_eq!(stand(&[waiter(1, &[99])], [false, true, true]), Standstill::Moves, "somebody else");
        assert_eq!(stand(&[], [false, true, true]), Standstill::Moves, "not waiting");
        assert_eq!(stand(&[waiter(1, &[2, 3])], [false, true, false]), Standstill::Moves, "3 still runs");
    }

    /// The manual's table, row by row.
    #[test]
    fn modes_conflict_as_in_the_manual() {
        let table = [
            "0000_0001",
            "0000_0011",
            "0000_1111",
            "0001_1111",
            "0011_0111",
            "0011_1111",
            "0111_1111",
            "1111_1111",
        ];
        for (held, row) in MODES.iter().zip(table) {
            let found: String =
                MODES.iter().map(|wanted| if conflicts(held, wanted) { '1' } else { '0' }).collect();
            assert_eq!(found, row.replace('_', ""), "{held}");
        }
    }

    #[test]
    fn advisory_keys_read_as_they_were_given() {
        assert_eq!(advisory_key("0/7/1"), "7");
        assert_eq!(advisory_key("4294967295/4294967294/1"), "-2");
        assert_eq!(advisory_key("1/2/2"), "(1, 2)");
    }

    fn edge(waiter: &str, holder: &str) -> WaitEdge {
        WaitEdge {
            waiter_session: waiter.into(),
            waiter_step: String::new(),
            waiter_statement: String::new(),
            holder_session: holder.into(),
            holder_step: String::new(),
            object: LockedObject::Transaction,
            wanted_mode: String::new(),
            held_mode: None,
            is_soft: false,
        }
    }

    #[test]
    fn a_cycle_is_found_without_its_bystanders() {
        let names = |edges: &[WaitEdge]| {
            cycle(edges).iter().map(|edge| edge.waiter_session.clone()).collect::<Vec<_>>()
        };
        assert!(names(&[edge("a", "b"), edge("b", "c")]).is_empty());
        assert_eq!(names(&[edge("x", "a"), edge("a", "b"), edge("b", "c"), edge("c", "a")]), ["a", "b", "c"]);
        assert_eq!(names(&[edge("a", "x"), edge("a", "b"), edge("b", "a")]), ["a", "b"]);
    }
}
