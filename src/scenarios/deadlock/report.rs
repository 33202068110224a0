//! The server's deadlock report (the DETAIL of 40P01), read. No I/O.

use super::record::Execution;
use super::spec::Spec;
use crate::model::evidence::deadlock::{LockedObject, WaitEdge};

/// The waits a report lists: `Process 1 waits for ShareLock on relation 16394 of database 16516;
/// blocked by process 2.`, one a line.
pub(super) fn edges(spec: &Spec, execution: &Execution, detail: &str) -> Vec<WaitEdge> {
    let session = |pid: &str| {
        let pid: i32 = pid.parse().ok()?;
        execution.pids.iter().position(|&own| own == pid)
    };
    let last = |session: usize| {
        let step = execution.steps.iter().rev().find(|record| record.step.session == session)?.step;
        Some(spec.step(step))
    };
    let edges = detail.lines().filter_map(|line| {
        let (waiter, rest) = line.strip_prefix("Process ")?.split_once(" waits for ")?;
        let (mode, rest) = rest.split_once(" on ")?;
        let (object, blocker) = rest.split_once("; blocked by process ")?;
        let (waiter, holder) = (session(waiter)?, session(blocker.trim_end_matches('.'))?);
        Some(WaitEdge {
            waiter_session: spec.sessions[waiter].name.clone(),
            waiter_step: last(waiter)?.name.clone(),
            waiter_statement: last(waiter)?.sql.clone(),
            holder_session: spec.sessions[holder].name.clone(),
            holder_step: last(holder)?.name.clone(),
            object: match object.starts_with("transaction ") {
                true => LockedObject::Transaction,
                false => LockedObject::Other(object.to_owned()),
            },
            wanted_mode: mode.to_owned(),
            held_mode: None,
            is_soft: false,
        })
    });
    edges.collect()
}

/// The table of `relation 16394 of database 16516`.
pub(super) fn relation_oid(words: &str) -> Option<u32> {
    words.strip_prefix("relation ")?.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::relation_oid;

    #[test]
    fn relations_are_told_by_their_number() {
        assert_eq!(relation_oid("relation 16394 of database 16516"), Some(16394));
        assert_eq!(relation_oid("advisory lock [1,2,3,4]"), None);
    }
}
