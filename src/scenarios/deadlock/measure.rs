//! What a deadlock costs: the order that closes the cycle, executed several
//! times; detection against the server's rule, lost work, the survivors' delay,
//! the victim's retry, and a bystander.

use super::bystander::{self, Sample, Watch};
use super::execute::Stage;
use super::kind;
use super::outcome;
use super::record::{Ending, Execution, StepRecord};
use super::report;
use super::spec::{Permutation, Spec, StepIndex};
use super::timer::{self, Wait};
use crate::load::series;
use crate::model::evidence::deadlock::{Bystander, DeadlockCost, DeadlockTrial, LockedObject, WaitEdge};
use crate::model::evidence::{LatencySeries, LatencySpan};
use crate::postgres::locks::ServerClock;
use crate::postgres::{ObservedSession, Session};
use crate::stats::clock;
use std::time::Instant;

/// How often a victim is run again before it is given up.
const MAX_ATTEMPTS: u32 = 5;
/// Executions of the bystander before and after everything else.
const PHASE_SAMPLES: usize = 100;

/// A deadlock executed once, to see the whole of it.
pub(super) struct Replay {
    pub(super) victim: StepIndex,
    pub(super) cycle: Vec<WaitEdge>,
}

/// Executes the order once. `None`: it did not deadlock this time.
pub(super) async fn replay(
    stage: &mut Stage<'_>,
    spec: &Spec,
    order: &Permutation,
) -> anyhow::Result<Option<Replay>> {
    stage.begin(order).await?;
    let execution = stage.so_far();
    let victim = outcome::victim(execution).cloned();
    let mut cycle = outcome::wait_cycle(spec, execution);
    if let (Some(error), true) = (victim.as_ref().and_then(|victim| victim.error.as_ref()), cycle.is_empty())
    {
        // Refused at once, so that nobody was seen waiting: the report itself tells who waits for whom.
        cycle = report::edges(spec, execution, error.detail.as_deref().unwrap_or_default());
        for edge in &mut cycle {
            if let LockedObject::Other(words) = &edge.object
                && let Some(oid) = report::relation_oid(words)
                && let Ok(Some(name)) = stage.questions().relation_name(oid).await
            {
                edge.object = LockedObject::Relation(name);
            }
        }
    }
    stage.finish().await?;
    stage.reset().await?;
    let Some(victim) = victim else { return Ok(None) };
    let context = victim.error.as_ref().and_then(|error| error.context.as_deref());
    kind::name_victims_wait(&mut cycle, &spec.sessions[victim.step.session].name, context);
    Ok(Some(Replay { victim: victim.step, cycle }))
}

/// Repeats a deadlocking order and times its parts.
pub(super) async fn cost(
    stage: &mut Stage<'_>,
    spec: &Spec,
    order: &Permutation,
    cycle: &[WaitEdge],
    repetitions: u32,
    bystander: Session,
) -> anyhow::Result<DeadlockCost> {
    let server_clock = ServerClock::of(stage.questions().control()).await?;
    let mut watch = Watch::start(bystander, bystander_statement(cycle)).await?;
    watch.collect(PHASE_SAMPLES).await;
    let mut cost = DeadlockCost::default();
    let mut windows = Vec::new();
    for _ in 0..repetitions {
        if let Some((trial, window)) = repeat(stage, spec, order, &server_clock).await? {
            windows.extend(window);
            cost.trials.push(trial);
        }
    }
    watch.take();
    watch.collect(PHASE_SAMPLES).await;
    let statement = watch.statement.clone();
    cost.bystander = Some(phases(statement, watch.take(), &windows));
    Ok(cost)
}

/// Repeats a deadlocking order and times its parts, with nobody watching.
pub(super) async fn trials(
    stage: &mut Stage<'_>,
    spec: &Spec,
    order: &Permutation,
    repetitions: u32,
) -> anyhow::Result<Vec<DeadlockTrial>> {
    let server_clock = ServerClock::of(stage.questions().control()).await?;
    let mut trials = Vec::new();
    for _ in 0..repetitions {
        trials.extend(repeat(stage, spec, order, &server_clock).await?.map(|(trial, _)| trial));
    }
    Ok(trials)
}

/// One repetition, and from when to when the cycle was closed. `None`: it did not deadlock.
async fn repeat(
    stage: &mut Stage<'_>,
    spec: &Spec,
    order: &Permutation,
    server_clock: &ServerClock,
) -> anyhow::Result<Option<(DeadlockTrial, Option<(Instant, Instant)>)>> {
    stage.begin(order).await?;
    let trial = trial(stage, spec, order, server_clock).await?;
    let execution = stage.finish().await?;
    stage.reset().await?;
    Ok(trial.map(|trial| (trial, window(&execution))))
}

/// The rest of a repetition after its order was sent: survivors go on, the victim is run again.
async fn trial(
    stage: &mut Stage<'_>,
    spec: &Spec,
    order: &Permutation,
    server_clock: &ServerClock,
) -> anyhow::Result<Option<DeadlockTrial>> {
    let execution = stage.so_far();
    let (Some(victim), Ending::Done) = (outcome::victim(execution), &execution.ending) else {
        return Ok(None);
    };
    let (victim_session, Some(failed_at)) = (victim.step.session, victim.finished_at) else {
        return Ok(None);
    };
    let waits = waits(spec, execution, server_clock);
    let rule = match is_refused_at_once(execution, victim) {
        true => Some(timer::Rule {
            closed_us: server_clock.at(victim.sent_at),
            detection_us: 0.0,
            victim: spec.sessions[victim_session].name.clone(),
        }),
        false => timer::rule(&waits),
    };
    let Some(rule) = rule else { return Ok(None) };
    let first_step =
        execution.steps.iter().filter(|step| step.step.session == victim_session).map(|s| s.sent_at).min();
    let survivors_done = execution
        .steps
        .iter()
        .filter(|step| step.was_blocked && step.step.session != victim_session)
        .filter_map(|step| step.finished_at)
        .max();
    let mut trial = DeadlockTrial {
        deadlock_timeout_us: waits.first().map_or(0.0, |wait| exact(wait.timeout_us)),
        detection_us: exact(server_clock.at(failed_at) - rule.closed_us),
        predicted_us: rule.detection_us,
        victim_session: spec.sessions[victim_session].name.clone(),
        predicted_victim_session: rule.victim,
        lost_work_us: first_step
            .map_or(0.0, |start| clock::duration_us(failed_at.saturating_duration_since(start))),
        survivor_delay_us: survivors_done
            .map_or(0.0, |done| clock::duration_us(done.saturating_duration_since(failed_at))),
        locks_queued: execution
            .snapshots
            .last()
            .map_or(0, |seen| seen.locks.locks.iter().filter(|lock| !lock.is_granted).count() as u64),
        ..DeadlockTrial::default()
    };
    let survivors = (0..spec.sessions.len()).filter(|&session| session != victim_session);
    let survivors = survivors.map(|session| go_on(stage.session(session), remaining(spec, order, session)));
    let retry = retry(stage.session(victim_session), whole(spec, victim_session));
    let (attempts, _) = tokio::join!(retry, futures_util::future::join_all(survivors));
    trial.retry_succeeded = attempts.is_some();
    trial.retry_attempts = attempts.unwrap_or(MAX_ATTEMPTS);
    trial.retry_us = clock::elapsed_us(failed_at);
    Ok(Some(trial))
}

/// Whether the server refused the step that would have closed the cycle without letting it wait: it
/// does so where the step would have to queue before somebody who waits for it (`ProcSleep`).
fn is_refused_at_once(execution: &Execution, victim: &StepRecord) -> bool {
    let is_last = execution.steps.iter().all(|step| step.sent_at <= victim.sent_at);
    let timeouts = execution.deadlock_timeouts_us.iter().copied().flatten().min().unwrap_or(1_000_000);
    let lasted =
        victim.finished_at.map(|end| clock::duration_us(end.saturating_duration_since(victim.sent_at)));
    let is_quick = lasted.is_some_and(|lasted| lasted < exact(timeouts) / 2.0);
    is_last && is_quick && !victim.was_blocked
}

/// When each session of the cycle began to wait, by the server's clock.
fn waits(spec: &Spec, execution: &Execution, server_clock: &ServerClock) -> Vec<Wait> {
    let cycle = outcome::wait_cycle(spec, execution);
    let blocked = execution.steps.iter().filter(|step| {
        let name = &spec.sessions[step.step.session].name;
        let is_member = cycle.is_empty() || cycle.iter().any(|edge| edge.waiter_session == *name);
        is_member && (step.was_blocked || step.error.is_some())
    });
    let wait = blocked.map(|step| {
        let session = step.step.session;
        let pid = execution.pids[session];
        let seen =
            execution.snapshots.iter().filter(|snapshot| snapshot.last_steps[session] == Some(step.step));
        let start = seen
            .flat_map(|snapshot| &snapshot.locks.locks)
            .find(|lock| lock.pid == pid && !lock.is_granted && lock.wait_start_us.is_some())
            .and_then(|lock| lock.wait_start_us);
        Wait {
            session: spec.sessions[session].name.clone(),
            // Too short to be seen, or a server before version 14: it began about when it was sent.
            start_us: start.unwrap_or_else(|| server_clock.at(step.sent_at)),
            timeout_us: execution.deadlock_timeouts_us.get(session).copied().flatten().unwrap_or(1_000_000),
        }
    });
    wait.collect()
}

#[expect(clippy::cast_precision_loss, reason = "microseconds of a run are exact in a double")]
fn exact(us: i64) -> f64 {
    us as f64
}

/// What a session has not sent yet, in its order.
fn remaining(spec: &Spec, order: &Permutation, session: usize) -> Vec<String> {
    let steps = spec.sessions[session].steps.iter().enumerate();
    let unsent = steps.filter(|(step, _)| {
        let index = StepIndex { session, step: *step };
        !order.steps.iter().any(|entry| entry.step == index)
    });
    unsent.map(|(_, step)| step.sql.clone()).collect()
}

/// A session's whole transaction.
fn whole(spec: &Spec, session: usize) -> Vec<String> {
    let session = &spec.sessions[session];
    let setup = session.setup.iter().map(|block| block.sql.clone());
    setup.chain(session.steps.iter().map(|step| step.sql.clone())).collect()
}

/// A survivor finishes its transaction.
async fn go_on(session: &ObservedSession, statements: Vec<String>) {
    for sql in statements {
        session.execute(&sql).await;
    }
    // A transaction that its steps left open would hold the victim's retry up for ever.
    session.execute("COMMIT").await;
}

/// Runs the victim's transaction again until it succeeds: after how many attempts.
async fn retry(session: &ObservedSession, statements: Vec<String>) -> Option<u32> {
    session.execute("ROLLBACK").await;
    for attempt in 1..=MAX_ATTEMPTS {
        if transact(session, statements.iter().map(String::as_str)).await.is_none() {
            return Some(attempt);
        }
    }
    None
}

/// Runs a whole transaction; the SQLSTATE of what it failed with and was rolled back for, if it did.
pub(super) async fn transact(
    session: &ObservedSession,
    statements: impl Iterator<Item = &str>,
) -> Option<String> {
    // A transaction that its steps left open would hold everybody up.
    for sql in statements.chain(["COMMIT"]) {
        if let Some(error) = session.execute(sql).await.error {
            session.execute("ROLLBACK").await;
            return Some(error.server().map_or_else(|| "08006".into(), |server| server.sqlstate.clone()));
        }
    }
    None
}

/// A point query on a table of the cycle, which waits for nobody's row locks.
fn bystander_statement(cycle: &[WaitEdge]) -> String {
    let row = cycle.iter().find_map(|edge| match &edge.object {
        LockedObject::Row { relation, ctid, key } => Some((relation, ctid, key)),
        _ => None,
    });
    match row {
        Some((relation, _, Some(key))) if !key.contains(',') && key.split_once('=').is_some() => {
            let (column, value) = key.split_once('=').unwrap_or_default();
            let column = crate::postgres::quote_identifier(column);
            let value = crate::postgres::quote_literal(value);
            format!("SELECT * FROM {relation} WHERE {column} = {value}")
        }
        Some((relation, ctid, _)) => format!("SELECT * FROM {relation} WHERE ctid = '{ctid}'"),
        None => "SELECT 1".into(),
    }
}

/// From the last step's sending to the victim's error.
fn window(execution: &Execution) -> Option<(Instant, Instant)> {
    let failed_at = outcome::victim(execution)?.finished_at?;
    let closed = execution.steps.iter().map(|step| step.sent_at).filter(|sent| *sent < failed_at).max()?;
    Some((closed, failed_at))
}

fn phases(statement: String, samples: &[Sample], windows: &[(Instant, Instant)]) -> Bystander {
    let during = |sample: &&Sample| {
        windows.iter().any(|(from, to)| sample.started_at >= *from && sample.started_at <= *to)
    };
    let first = windows.first().map(|window| window.0);
    let before = |sample: &&Sample| first.is_none_or(|first| sample.started_at < first);
    Bystander {
        statement,
        before: bystander::summary(samples.iter().filter(before)),
        during: bystander::summary(samples.iter().filter(during)),
        after: bystander::summary(samples.iter().filter(|sample| !before(sample) && !during(sample))),
        series: over_time(samples, windows),
    }
}

/// All samples over time, with the closed cycles as spans.
fn over_time(samples: &[Sample], windows: &[(Instant, Instant)]) -> LatencySeries {
    let Some(origin) = samples.first().map(|sample| sample.started_at) else {
        return LatencySeries::default();
    };
    let since = |at: Instant| clock::duration_us(at.saturating_duration_since(origin));
    let sent: Vec<(f64, f64)> = samples.iter().map(|s| (since(s.started_at), s.latency_us)).collect();
    let spans = windows.iter().zip(1..).map(|((from, to), number): (_, u32)| LatencySpan {
        label: format!("deadlock {number}"),
        from_us: since(*from),
        to_us: since(*to),
    });
    series("bystander", &sent, spans.collect())
}
