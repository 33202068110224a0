//! How the executions of a group follow each other: without a pause, as a loop
//! asks, or with pauses, as people and other requests do.

use super::executions::Executions;
use super::repeats::PAUSE_US;
use crate::trace::StatementRecord;
use std::collections::{BTreeMap, HashMap};

/// A pause is longer than the execution behind it, so many times.
const PAUSE_PER_EXECUTION: u64 = 4;

/// Members that one test asks for of a fixture at most; more are a loop in the test.
const UNDONE_MAX: usize = 4;

/// Pauses on the connection of each statement up to it, in order of time.
pub(super) fn pauses<'t>(records: impl Iterator<Item = &'t StatementRecord>) -> Vec<u32> {
    let mut connections: HashMap<u64, (u64, u32)> = HashMap::new();
    records
        .map(|record| {
            let (end_us, count) = connections.entry(record.connection).or_insert((record.start_us, 0));
            let idle_us = record.start_us.saturating_sub(*end_us);
            let own_us = record.end_us.saturating_sub(record.start_us);
            *count += u32::from(idle_us > PAUSE_US.max(PAUSE_PER_EXECUTION * own_us));
            *end_us = record.end_us.max(*end_us);
            *count
        })
        .collect()
}

/// Whether there is a pause between two executions: somewhere on the connection, or
/// since the end of the first where that ran on another one.
pub(super) fn is_pause(executions: &Executions<'_>, before: usize, after: usize) -> bool {
    let (one, other) = (executions.all[before].record, executions.all[after].record);
    let idle_us = other.start_us.saturating_sub(one.end_us);
    let is_elsewhere = one.connection != other.connection;
    idle_us > PAUSE_US && (is_elsewhere || executions.pauses[before] < executions.pauses[after])
}

/// Whether there is a pause before most members.
pub(super) fn is_leisurely(executions: &Executions<'_>, members: &[usize]) -> bool {
    let paused = members.windows(2).filter(|pair| is_pause(executions, pair[0], pair[1])).count();
    paused * 2 > members.len()
}

/// Whether all members were undone, a few by each of several rollbacks: of transactions, or to savepoints.
pub(super) fn is_rolled_back_each(executions: &Executions<'_>, members: &[usize]) -> bool {
    let mut undone: BTreeMap<usize, usize> = BTreeMap::new();
    for execution in members.iter().map(|at| &executions.all[*at]) {
        match execution.undone_by.filter(|_| !execution.is_scoped) {
            Some(rollback) => *undone.entry(rollback).or_default() += 1,
            None => return false,
        }
    }
    undone.len() > 1 && undone.values().all(|members| *members <= UNDONE_MAX)
}
