//! What an executed order came to, and which deadlock it was. No I/O.

use super::record::{Ending, Execution, StepRecord};
use super::report;
use super::spec::{Permutation, Spec};
use super::waits;
use crate::model::evidence::deadlock::{Outcome, StepFailure, WaitEdge};

const DEADLOCK: &str = "40P01";
const SERIALIZATION_FAILURE: &str = "40001";
const LOCK_NOT_AVAILABLE: &str = "55P03";
const UNIQUE_VIOLATION: &str = "23505";
/// What every statement gets after another one of its transaction failed: never a cause.
const IN_FAILED_TRANSACTION: &str = "25P02";

/// What an order came to. Where several things happened, the one that decides most.
pub(super) fn outcome(spec: &Spec, execution: &Execution) -> Outcome {
    let failed = |sqlstate: &str| execution.steps.iter().any(|step| sqlstate_of(step) == Some(sqlstate));
    let other = execution.steps.iter().filter_map(sqlstate_of).any(|state| state != IN_FAILED_TRANSACTION);
    if failed(DEADLOCK) {
        Outcome::Deadlock
    } else if matches!(execution.ending, Ending::Hung(_)) {
        Outcome::Hung
    } else if failed(SERIALIZATION_FAILURE) {
        Outcome::SerializationFailure
    } else if failed(LOCK_NOT_AVAILABLE) {
        Outcome::LockTimeout
    } else if failed(UNIQUE_VIOLATION) {
        Outcome::UniqueViolation
    } else if other {
        Outcome::OtherError
    } else if !wait_cycle(spec, execution).is_empty() {
        Outcome::QueueReordered
    } else if execution.steps.iter().any(|step| step.was_blocked) {
        Outcome::BlockedThenCompleted
    } else {
        Outcome::Completed
    }
}

fn sqlstate_of(step: &StepRecord) -> Option<&str> {
    step.error.as_ref().map(|error| error.sqlstate.as_str())
}

/// Every failed step, in the order of failing.
pub(super) fn failures(spec: &Spec, execution: &Execution) -> Vec<StepFailure> {
    let mut failed: Vec<_> = execution.steps.iter().filter(|step| step.error.is_some()).collect();
    failed.sort_by_key(|step| step.finished_at);
    let failures = failed.into_iter().filter_map(|record| {
        let error = record.error.as_ref()?;
        Some(StepFailure {
            session: spec.sessions[record.step.session].name.clone(),
            step: spec.step(record.step).name.clone(),
            sqlstate: error.sqlstate.clone(),
            message: error.message.clone(),
            detail: error.detail.as_ref().map(|detail| name_processes(spec, &execution.pids, detail)),
            context: error.context.clone(),
        })
    });
    failures.collect()
}

/// The server's text with our sessions' names in place of their process ids.
fn name_processes(spec: &Spec, pids: &[i32], text: &str) -> String {
    let named = pids.iter().zip(&spec.sessions).fold(text.to_owned(), |text, (pid, session)| {
        text.replace(&format!("Process {pid} "), &format!("Session {} ", session.name))
            .replace(&format!("process {pid}."), &format!("session {}.", session.name))
            .replace(&format!("process {pid}\n"), &format!("session {}\n", session.name))
    });
    named.replace('\n', " ")
}

/// The waits of the cycle seen in an order, or none.
pub(super) fn wait_cycle(spec: &Spec, execution: &Execution) -> Vec<WaitEdge> {
    let snapshots = execution.snapshots.iter().rev();
    let mut cycles = snapshots.map(|snapshot| waits::cycle(&waits::edges(spec, &execution.pids, snapshot)));
    cycles.find(|cycle| !cycle.is_empty()).unwrap_or_default()
}

/// The first step that failed with 40P01.
pub(super) fn victim(execution: &Execution) -> Option<&StepRecord> {
    let victims = execution.steps.iter().filter(|step| sqlstate_of(step) == Some(DEADLOCK));
    victims.min_by_key(|step| step.finished_at)
}

/// The part of a deadlocking order up to the step that closed the cycle, without the steps of
/// sessions outside of it.
pub(super) fn closing_prefix(spec: &Spec, execution: &Execution) -> Option<Permutation> {
    let victim = victim(execution)?;
    let failed_at = victim.finished_at?;
    let cycle = reported_cycle(spec, execution, victim);
    let is_member = |record: &StepRecord| {
        let name = &spec.sessions[record.step.session].name;
        cycle.is_empty() || cycle.iter().any(|edge| edge.waiter_session == *name)
    };
    let sent: Vec<_> =
        execution.steps.iter().filter(|step| step.sent_at < failed_at && is_member(step)).collect();
    // Every member is blocked in its last step, so the last of them all closed the cycle. Whether it
    // was seen blocked does not matter: on a busy machine a short wait may be over before it is.
    let last = match cycle.is_empty() {
        true => sent.iter().rposition(|step| step.was_blocked || step.error.is_some())?,
        false => sent.len().checked_sub(1)?,
    };
    let steps: Vec<_> = sent[..=last].iter().map(|record| record.step).collect();
    Some(Permutation::plain(&steps))
}

/// The cycle as the server reported it to the victim, else as it was seen.
fn reported_cycle(spec: &Spec, execution: &Execution, victim: &StepRecord) -> Vec<WaitEdge> {
    let detail = victim.error.as_ref().and_then(|error| error.detail.as_deref());
    let reported = report::edges(spec, execution, detail.unwrap_or_default());
    if reported.is_empty() { wait_cycle(spec, execution) } else { reported }
}
