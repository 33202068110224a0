//! One order of steps, executed by the isolation tester's rules: a step is sent
//! when its session is free and the step before it is done or blocked, and
//! whether it is blocked the server says.
//!
//! Invariant: nothing is ordered by waiting for time to pass; the poll interval
//! only says how often the server is asked.

use super::record::{Ending, Execution, Manner, Snapshot, StepRecord};
use super::spec::{Blocker, Permutation, PermutationStep, Spec, StepIndex};
use super::waits::{self, Standstill};
use crate::model::evidence::deadlock::TranscriptEvent;
use crate::postgres::locks::{LockQuestions, LockSnapshot, row_key};
use crate::postgres::{ObservedSession, ServerError, ServerMessage, StatementOutcome, Target};
use crate::stats::clock;
use anyhow::Context as _;
use tokio::sync::oneshot;

/// Snapshots of locks kept of one order.
const MAX_SNAPSHOTS: usize = 64;

/// The sessions of a spec on one database.
pub(super) struct Stage<'a> {
    pub(super) spec: &'a Spec,
    pub(super) target: &'a Target,
    /// What the clone is made of.
    pub(super) source: String,
    pub(super) database: String,
    pub(super) manner: Manner,
    pub(super) setup: ObservedSession,
    pub(super) lanes: Vec<Lane>,
    pub(super) questions: LockQuestions,
    pub(super) may_time_out: bool,
    pub(super) run: Execution,
    pub(super) has_new_notice: bool,
    /// A session was cancelled or ended. A cancel request may reach a session twice, the second time
    /// in its next statement, so such a session is not used again.
    pub(super) is_tainted: bool,
    /// The next order needs a fresh clone.
    pub(super) needs_clone: bool,
}

pub(super) struct Lane {
    pub(super) session: ObservedSession,
    pub(super) active: Option<Active>,
    pub(super) notices: u32,
    pub(super) last_step: Option<StepIndex>,
}

pub(super) struct Active {
    pub(super) position: usize,
    pub(super) entry: PermutationStep,
    pub(super) receiver: oneshot::Receiver<StatementOutcome>,
    pub(super) outcome: Option<StatementOutcome>,
    /// Per blocker: how many notices its session must have sent.
    pub(super) notices_needed: Vec<u32>,
}

#[derive(Clone, Copy)]
struct Attempt {
    /// Return as soon as the step waits for a lock.
    may_block: bool,
    /// The step was tried before.
    is_retry: bool,
}

impl<'a> Stage<'a> {
    /// Executes one order from setup to teardown.
    pub(super) async fn execute(&mut self, permutation: &Permutation) -> anyhow::Result<Execution> {
        self.begin(permutation).await?;
        self.finish().await
    }

    /// Executes one order, without the teardown: [`Self::finish`] follows.
    pub(super) async fn begin(&mut self, permutation: &Permutation) -> anyhow::Result<()> {
        self.renew().await?;
        self.run = Execution::new(&self.lanes);
        let names = permutation.steps.iter().map(|entry| self.spec.step(entry.step).name.clone());
        self.emit(TranscriptEvent::PermutationStarted(names.collect()));
        if let Some(message) = self.set_up().await {
            self.emit(TranscriptEvent::Message(message.clone()));
            self.run.ending = Ending::SetupFailed(message);
        } else {
            self.run.deadlock_timeouts_us = self.deadlock_timeouts_us().await;
            self.run.ending = self.send_all(permutation).await?;
        }
        Ok(())
    }

    /// What is done so far of the order that was begun.
    pub(super) fn so_far(&self) -> &Execution {
        &self.run
    }

    /// Ends the order that was begun, with its teardown.
    pub(super) async fn finish(&mut self) -> anyhow::Result<Execution> {
        self.settle().await?;
        self.tear_down().await;
        let fresh = Execution::new(&self.lanes);
        Ok(std::mem::replace(&mut self.run, fresh))
    }

    async fn send_all(&mut self, permutation: &Permutation) -> anyhow::Result<Ending> {
        let mut waiting: Vec<usize> = Vec::new();
        for (position, entry) in permutation.steps.iter().enumerate() {
            let lane = entry.step.session;
            if self.lanes[lane].active.is_some()
                && let Some(ending) = self.free(lane, position, &mut waiting).await?
            {
                return Ok(ending);
            }
            self.send(position, entry);
            let attempt = Attempt { may_block: true, is_retry: false };
            let must_wait = self.try_complete(lane, attempt).await?;
            let retry = Attempt { may_block: true, is_retry: true };
            self.try_complete_all(&mut waiting, retry).await?;
            if must_wait {
                waiting.push(lane);
            }
        }
        self.finish_waiting(waiting).await
    }

    /// Waits until a session's blocked step is done, so that its next one can be sent.
    async fn free(
        &mut self,
        lane: usize,
        position: usize,
        waiting: &mut Vec<usize>,
    ) -> anyhow::Result<Option<Ending>> {
        let since = clock::now();
        while self.lanes[lane].active.is_some() {
            if self.stands_still(lane).await? {
                return Ok(Some(Ending::Impossible(position)));
            }
            // The order may also wait for a marker, so the others are polled as well.
            let retry = Attempt { may_block: self.manner.stops_at_standstill, is_retry: true };
            if !self.try_complete(lane, retry).await? {
                waiting.retain(|&other| other != lane);
            }
            self.try_complete_all(waiting, Attempt { may_block: true, is_retry: true }).await?;
            if self.lanes[lane].active.is_some() && clock::now() - since > 2 * self.manner.step_limit {
                return Ok(Some(Ending::Hung(self.active_positions())));
            }
        }
        Ok(None)
    }

    async fn finish_waiting(&mut self, mut waiting: Vec<usize>) -> anyhow::Result<Ending> {
        let since = clock::now();
        let may_block = self.manner.stops_at_standstill;
        loop {
            self.try_complete_all(&mut waiting, Attempt { may_block, is_retry: true }).await?;
            if waiting.is_empty() {
                return Ok(Ending::Done);
            }
            if !may_block {
                self.emit(TranscriptEvent::Message(
                    "failed to complete permutation due to mutually-blocking steps".into(),
                ));
                return Ok(Ending::Hung(self.active_positions()));
            }
            let is_late = clock::now() - since > 2 * self.manner.step_limit;
            if is_late || self.stands_still(waiting[0]).await? {
                return Ok(Ending::Hung(self.active_positions()));
            }
        }
    }

    fn active_positions(&self) -> Vec<usize> {
        self.lanes.iter().filter_map(|lane| lane.active.as_ref()).map(|active| active.position).collect()
    }

    /// Whether a session waits for an idle one, so that nothing will change by itself.
    async fn stands_still(&self, lane: usize) -> anyhow::Result<bool> {
        if !self.manner.stops_at_standstill || self.may_time_out {
            return Ok(false);
        }
        let waiters = self.questions.waiters(&self.run.pids).await?;
        let is_idle: Vec<bool> = self.lanes.iter().map(|lane| lane.active.is_none()).collect();
        Ok(waits::standstill(&waiters, &self.run.pids, &is_idle, lane) == Standstill::Forever)
    }

    fn send(&mut self, position: usize, entry: &PermutationStep) {
        let sql = &self.spec.step(entry.step).sql;
        let sent_at = clock::now();
        let receiver = self.lanes[entry.step.session].session.start(sql);
        let notices_needed = entry.blockers.iter().map(|blocker| match blocker {
            Blocker::Notices(step, count) => self.lanes[step.session].notices + count,
            _ => 0,
        });
        let notices_needed = notices_needed.collect();
        let lane = &mut self.lanes[entry.step.session];
        lane.last_step = Some(entry.step);
        lane.active =
            Some(Active { position, entry: entry.clone(), receiver, outcome: None, notices_needed });
        self.run.steps.push(StepRecord {
            step: entry.step,
            sent_at,
            finished_at: None,
            was_blocked: false,
            error: None,
        });
    }

    /// Tries all waiting steps until nothing changes any more.
    async fn try_complete_all(&mut self, waiting: &mut Vec<usize>, attempt: Attempt) -> anyhow::Result<()> {
        loop {
            self.has_new_notice = false;
            let (before, mut has_marker) = (waiting.len(), false);
            let mut index = 0;
            while index < waiting.len() {
                let lane = waiting[index];
                if self.try_complete(lane, attempt).await? {
                    has_marker |= self.lanes[lane]
                        .active
                        .as_ref()
                        .is_some_and(|active| !active.entry.blockers.is_empty());
                    index += 1;
                } else {
                    waiting.remove(index);
                }
            }
            // A marker may have been released by a step that was looked at after it.
            if !(has_marker && (waiting.len() < before || self.has_new_notice)) {
                return Ok(());
            }
        }
    }

    /// Waits for a session's step to end or, where it may, to block. True: it has not completed.
    async fn try_complete(&mut self, lane: usize, attempt: Attempt) -> anyhow::Result<bool> {
        let Some(active) = &self.lanes[lane].active else { return Ok(false) };
        let step = active.entry.step;
        if !attempt.is_retry && active.entry.blockers.contains(&Blocker::Once) {
            self.emit_waiting(step);
            return Ok(true);
        }
        if !self.await_outcome(lane, attempt).await? {
            self.show_messages(lane);
            if !attempt.is_retry {
                self.emit_waiting(step);
            }
            return Ok(true);
        }
        self.show_messages(lane);
        if self.is_held_back(lane) {
            if !attempt.is_retry {
                self.emit_waiting(step);
            }
            return Ok(true);
        }
        self.complete(lane, attempt.is_retry);
        Ok(false)
    }

    /// True: the outcome is there. False: the step is blocked, or was given up.
    async fn await_outcome(&mut self, lane: usize, attempt: Attempt) -> anyhow::Result<bool> {
        let since = clock::now();
        let mut is_cancelled = false;
        while !self.poll_outcome(lane).await {
            if attempt.may_block && self.is_blocked(lane).await? {
                if self.take_outcome(lane) {
                    return Ok(true);
                }
                self.read_locks(lane).await?;
                return Ok(false);
            }
            let elapsed = clock::now() - since;
            if elapsed > self.manner.step_limit && !is_cancelled {
                let step = self.active_step_name(lane);
                self.emit(TranscriptEvent::Canceling { step, seconds: elapsed.as_secs() });
                self.lanes[lane].session.cancel().await.context("cancel a step that took too long")?;
                is_cancelled = true;
                self.is_tainted = true;
            }
            if elapsed > 2 * self.manner.step_limit {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn is_blocked(&self, lane: usize) -> anyhow::Result<bool> {
        let pid = self.lanes[lane].session.backend_pid();
        Ok(self.questions.is_blocked(pid, &self.run.pids).await?)
    }

    /// Waits up to the poll interval for the outcome.
    pub(super) async fn poll_outcome(&mut self, lane: usize) -> bool {
        let poll = self.manner.poll;
        let Some(active) = &mut self.lanes[lane].active else { return true };
        if active.outcome.is_none()
            && let Ok(received) = tokio::time::timeout(poll, &mut active.receiver).await
        {
            active.outcome = received.ok();
        }
        active.outcome.is_some()
    }

    fn take_outcome(&mut self, lane: usize) -> bool {
        let Some(active) = &mut self.lanes[lane].active else { return true };
        if active.outcome.is_none() {
            active.outcome = active.receiver.try_recv().ok();
        }
        active.outcome.is_some()
    }

    fn active_step_name(&self, lane: usize) -> String {
        let step = self.lanes[lane].active.as_ref().map(|active| active.entry.step);
        step.map(|step| self.spec.step(step).name.clone()).unwrap_or_default()
    }

    async fn read_locks(&mut self, lane: usize) -> anyhow::Result<()> {
        let Some(active) = &self.lanes[lane].active else { return Ok(()) };
        let record = &mut self.run.steps[active.position];
        let is_news = !std::mem::replace(&mut record.was_blocked, true);
        if !self.manner.reads_locks || !is_news || self.run.snapshots.len() >= MAX_SNAPSHOTS {
            return Ok(());
        }
        let mut locks = self.questions.snapshot(&self.run.pids).await?;
        let own = self.run.pids[lane];
        if locks.locks.iter().any(|lock| lock.pid == own && !lock.is_granted && lock.wait_start_us.is_none())
        {
            // The wait's start appears a moment after the wait.
            locks = self.questions.snapshot(&self.run.pids).await?;
        }
        let row_keys = self.row_keys(&locks).await;
        let last_steps = self.lanes.iter().map(|lane| lane.last_step).collect();
        self.run.snapshots.push(Snapshot { row_keys, locks, last_steps });
        Ok(())
    }

    async fn row_keys(&self, locks: &LockSnapshot) -> Vec<(String, String, String)> {
        let mut keys = Vec::new();
        if !self.manner.names_rows {
            return keys;
        }
        for lock in locks.locks.iter().filter(|lock| lock.kind == "tuple") {
            let (Some(relation), Some(ctid)) = (&lock.relation, &lock.ctid) else { continue };
            // A row without a readable key is shown by its place.
            if let Ok(Some(key)) = row_key(self.questions.control(), relation, ctid).await {
                keys.push((relation.clone(), ctid.clone(), key));
            }
        }
        keys
    }

    /// Whether a marker delays the report of a step that is done.
    fn is_held_back(&self, lane: usize) -> bool {
        let Some(active) = &self.lanes[lane].active else { return false };
        active.entry.blockers.iter().zip(&active.notices_needed).any(|(blocker, needed)| match blocker {
            Blocker::Once => false,
            Blocker::Step(step) => {
                self.lanes[step.session].active.as_ref().is_some_and(|other| other.entry.step == *step)
            }
            Blocker::Notices(step, _) => self.lanes[step.session].notices < *needed,
        })
    }

    fn complete(&mut self, lane: usize, is_retry: bool) {
        let Some(active) = self.lanes[lane].active.take() else { return };
        let step = self.spec.step(active.entry.step);
        let (name, sql) = (step.name.clone(), step.sql.clone());
        self.emit(if is_retry {
            TranscriptEvent::StepCompleted(name)
        } else {
            TranscriptEvent::StepDone { step: name, sql }
        });
        let Some(outcome) = active.outcome else { return };
        for result in outcome.results {
            self.emit(TranscriptEvent::Result(result));
        }
        let record = &mut self.run.steps[active.position];
        record.finished_at = Some(outcome.finished_at);
        if let Some(error) = outcome.error {
            record.error = Some(server_error(&error));
            self.emit_error(&error);
        }
        self.show_notifications(lane);
    }

    fn emit_error(&mut self, error: &crate::postgres::Error) {
        let Some(server) = error.server() else {
            return self.emit(TranscriptEvent::Message(error.to_string()));
        };
        let is_fatal = server.severity == "FATAL" || server.severity == "PANIC";
        self.emit(TranscriptEvent::Error {
            severity: server.severity.clone(),
            message: server.message.clone(),
        });
        if is_fatal {
            self.emit(TranscriptEvent::ConnectionLost);
        }
    }

    pub(super) fn emit(&mut self, event: TranscriptEvent) {
        self.run.events.push(event);
    }

    fn emit_waiting(&mut self, step: StepIndex) {
        let step = self.spec.step(step);
        self.emit(TranscriptEvent::StepWaiting { step: step.name.clone(), sql: step.sql.clone() });
    }

    /// Shows the notices of a session and keeps its notifications for the end of its step.
    pub(super) fn show_messages(&mut self, lane: usize) {
        let session = self.spec.sessions[lane].name.clone();
        for message in self.lanes[lane].session.take_messages() {
            match message {
                ServerMessage::Notice(notice) => {
                    self.lanes[lane].notices += 1;
                    self.has_new_notice = true;
                    self.emit(TranscriptEvent::Notice {
                        session: session.clone(),
                        severity: notice.severity,
                        message: notice.message,
                        detail: notice.detail,
                        hint: notice.hint,
                    });
                }
                ServerMessage::Notification { sender_pid, channel, payload } => {
                    self.run.notifications[lane].push((sender_pid, channel, payload));
                }
            }
        }
        let left_out = self.lanes[lane].session.take_left_out();
        if left_out > 0 {
            let message = format!("{left_out} further messages of session {session} were not kept");
            self.emit(TranscriptEvent::Message(message));
        }
    }

    fn show_notifications(&mut self, lane: usize) {
        for (pid, channel, payload) in std::mem::take(&mut self.run.notifications[lane]) {
            let sender = self.run.pids.iter().position(|&own| own == pid);
            let sender = sender
                .map_or_else(|| format!("PID {pid}"), |session| self.spec.sessions[session].name.clone());
            let session = self.spec.sessions[lane].name.clone();
            self.emit(TranscriptEvent::Notification { session, channel, payload, sender });
        }
    }
}

/// The server's report, or one made of a broken connection.
fn server_error(error: &crate::postgres::Error) -> ServerError {
    error.server().cloned().unwrap_or_else(|| ServerError {
        severity: "FATAL".into(),
        sqlstate: "08006".into(),
        message: error.to_string(),
        detail: None,
        hint: None,
        context: None,
        position: None,
        constraint: None,
        table: None,
        column: None,
    })
}
