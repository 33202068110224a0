//! One order of steps, executed by the isolation tester's rules: a step is sent
//! when its session is free and the step before it is done or blocked, and
//! whether it is blocked the server says.
//!
//! Invariant: nothing is ordered by waiting for time to pass; the poll interval
//! only says how often the server is asked.

use super::spec::{Blocker, Permutation, PermutationStep, Spec, StepIndex};
use super::timer;
use super::waits::{self, Standstill};
use crate::model::evidence::deadlock::TranscriptEvent;
use crate::postgres::locks::{LockQuestions, LockSnapshot, row_key};
use crate::postgres::{ObservedSession, ServerError, ServerMessage, StatementOutcome, Target};
use crate::stats::clock;
use anyhow::Context as _;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Snapshots of locks kept of one order.
const MAX_SNAPSHOTS: usize = 64;
/// A setup or teardown may take as long as so many steps.
const SETUP_LIMIT_STEPS: u32 = 10;

/// How orders are executed.
#[derive(Debug, Clone)]
pub(super) struct Manner {
    /// How often the server is asked whether a step is blocked.
    pub(super) poll: Duration,
    /// After this long a step is cancelled, after twice as long given up.
    pub(super) step_limit: Duration,
    /// Read `pg_locks` whenever a step is found blocked.
    pub(super) reads_locks: bool,
    /// Read the keys of locked rows.
    pub(super) names_rows: bool,
    /// Read every session's `deadlock_timeout` after its setup.
    pub(super) reads_timeouts: bool,
    /// Stop at a step that cannot be sent because its session waits for an idle one. Otherwise wait
    /// for the session, as the isolation tester does.
    pub(super) stops_at_standstill: bool,
    /// Settings of every session, such as `-c deadlock_timeout=10ms`.
    pub(super) options: String,
    /// What `application_name` begins with.
    pub(super) application_name: String,
}

/// How an order ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ending {
    /// All steps are done.
    Done,
    /// The step at this position cannot be sent: its session waits for an idle one.
    Impossible(usize),
    /// Steps were blocked for ever, or did not end in time: their positions.
    Hung(Vec<usize>),
    /// A setup failed.
    SetupFailed(String),
}

/// What one executed order left behind.
#[derive(Debug)]
pub(super) struct Execution {
    pub(super) ending: Ending,
    /// What the isolation tester prints.
    pub(super) events: Vec<TranscriptEvent>,
    /// In order of sending.
    pub(super) steps: Vec<StepRecord>,
    /// Taken when a step was found blocked.
    pub(super) snapshots: Vec<Snapshot>,
    /// Process ids in the sessions' order.
    pub(super) pids: Vec<i32>,
    /// Where they were read: `deadlock_timeout` in the sessions' order, in microseconds.
    pub(super) deadlock_timeouts_us: Vec<Option<i64>>,
    /// Received and not yet shown, per session: sender, channel, payload.
    notifications: Vec<Vec<(i32, String, String)>>,
}

/// One step sent.
#[derive(Debug, Clone)]
pub(super) struct StepRecord {
    pub(super) step: StepIndex,
    pub(super) sent_at: Instant,
    /// `None`: given up.
    pub(super) finished_at: Option<Instant>,
    pub(super) was_blocked: bool,
    pub(super) error: Option<ServerError>,
}

/// Locks at one moment.
#[derive(Debug, Clone)]
pub(super) struct Snapshot {
    pub(super) locks: LockSnapshot,
    /// Keys of locked rows, by relation and ctid, where they were asked for.
    pub(super) row_keys: Vec<(String, String, String)>,
    /// The last step each session sent.
    pub(super) last_steps: Vec<Option<StepIndex>>,
}

/// The sessions of a spec on one database.
pub(super) struct Stage<'a> {
    spec: &'a Spec,
    target: &'a Target,
    database: String,
    manner: Manner,
    setup: ObservedSession,
    lanes: Vec<Lane>,
    questions: LockQuestions,
    may_time_out: bool,
    run: Execution,
    has_new_notice: bool,
    /// A session was cancelled or ended. A cancel request may reach a session twice, the second time
    /// in its next statement, so such a session is not used again.
    is_tainted: bool,
}

struct Lane {
    session: ObservedSession,
    active: Option<Active>,
    notices: u32,
    last_step: Option<StepIndex>,
}

struct Active {
    position: usize,
    entry: PermutationStep,
    receiver: oneshot::Receiver<StatementOutcome>,
    outcome: Option<StatementOutcome>,
    /// Per blocker: how many notices its session must have sent.
    notices_needed: Vec<u32>,
}

#[derive(Clone, Copy)]
struct Attempt {
    /// Return as soon as the step waits for a lock.
    may_block: bool,
    /// The step was tried before.
    is_retry: bool,
}

impl<'a> Stage<'a> {
    /// Connects one session per session of the spec, and two to set up and to ask.
    pub(super) async fn open(
        spec: &'a Spec,
        target: &'a Target,
        database: &str,
        manner: Manner,
    ) -> anyhow::Result<Self> {
        let questions = LockQuestions::new(target.connect_to(database).await?).await?;
        let setup = connect(target, database, &manner, spec, "control connection").await?;
        let lanes = open_lanes(spec, target, database, &manner).await?;
        let may_time_out = spec.limits_waits();
        let run = Execution::new(&lanes);
        let database = database.to_owned();
        Ok(Self {
            spec,
            target,
            database,
            manner,
            setup,
            lanes,
            questions,
            may_time_out,
            run,
            has_new_notice: false,
            is_tainted: false,
        })
    }

    /// The session that asks.
    pub(super) fn questions(&self) -> &LockQuestions {
        &self.questions
    }

    /// A session of the spec.
    pub(super) fn session(&self, index: usize) -> &ObservedSession {
        &self.lanes[index].session
    }

    /// Executes one order from setup to teardown.
    pub(super) async fn execute(&mut self, permutation: &Permutation) -> anyhow::Result<Execution> {
        self.begin(permutation).await?;
        self.finish().await
    }

    /// Executes one order, without the teardown: [`Self::finish`] follows.
    pub(super) async fn begin(&mut self, permutation: &Permutation) -> anyhow::Result<()> {
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

    /// `deadlock_timeout` of every session as its setup left it; SHOW takes no snapshot.
    async fn deadlock_timeouts_us(&self) -> Vec<Option<i64>> {
        let mut timeouts = Vec::new();
        if self.manner.reads_timeouts {
            for lane in &self.lanes {
                let outcome = self.bounded(&lane.session, "SHOW deadlock_timeout").await;
                let value = outcome.results.first().and_then(|result| result.rows.first()?.first()?.clone());
                timeouts.push(value.and_then(|value| timer::parse_us(&value)));
            }
        }
        timeouts
    }

    /// Gives every session back as it was when connected: no transaction, no settings, no locks.
    pub(super) async fn reset(&mut self) -> anyhow::Result<()> {
        let mut is_clean = !std::mem::take(&mut self.is_tainted);
        for lane in &mut self.lanes {
            let rolled_back = lane.session.execute("ROLLBACK").await.error.is_none();
            is_clean &= rolled_back && lane.session.execute("DISCARD ALL").await.error.is_none();
            let _ = lane.session.take_messages();
            lane.last_step = None;
        }
        if !is_clean {
            self.lanes = open_lanes(self.spec, self.target, &self.database, &self.manner).await?;
        }
        Ok(())
    }

    async fn set_up(&mut self) -> Option<String> {
        for block in &self.spec.setups {
            let outcome = self.bounded(&self.setup, &block.sql).await;
            let _ = self.setup.take_messages();
            if let Some(error) = self.report_setup(outcome) {
                return Some(format!("setup failed: {error}"));
            }
        }
        for (index, session) in self.spec.sessions.iter().enumerate() {
            let Some(block) = &session.setup else { continue };
            let outcome = self.bounded(&self.lanes[index].session, &block.sql).await;
            self.show_messages(index);
            if let Some(error) = self.report_setup(outcome) {
                return Some(format!("setup of session {} failed: {error}", session.name));
            }
        }
        None
    }

    /// Of several statements only the last result is shown, as by the isolation tester.
    fn report_setup(&mut self, mut outcome: StatementOutcome) -> Option<String> {
        if let Some(error) = outcome.error {
            return Some(tester_error(&error));
        }
        if outcome.ended_with_rows
            && let Some(result) = outcome.results.pop()
        {
            self.emit(TranscriptEvent::Result(result));
        }
        None
    }

    async fn tear_down(&mut self) {
        if self.manner.stops_at_standstill && self.run.ending != Ending::Done {
            self.roll_back().await;
        }
        for (index, session) in self.spec.sessions.iter().enumerate() {
            let Some(block) = &session.teardown else { continue };
            let outcome = self.bounded(&self.lanes[index].session, &block.sql).await;
            self.show_messages(index);
            if let Some(error) = self.report_setup(outcome) {
                let message = format!("teardown of session {} failed: {error}", session.name);
                self.emit(TranscriptEvent::Message(message));
            }
        }
        if let Some(block) = &self.spec.teardown {
            if self.manner.stops_at_standstill {
                // What a transaction without an end still holds would block the teardown.
                self.roll_back().await;
            }
            let outcome = self.bounded(&self.setup, &block.sql).await;
            let _ = self.setup.take_messages();
            if let Some(error) = self.report_setup(outcome) {
                self.emit(TranscriptEvent::Message(format!("teardown failed: {error}")));
            }
        }
    }

    async fn roll_back(&self) {
        for lane in &self.lanes {
            self.bounded(&lane.session, "ROLLBACK").await;
        }
    }

    /// Executes with a time limit, after which the statement is cancelled.
    async fn bounded(&self, session: &ObservedSession, sql: &str) -> StatementOutcome {
        let mut receiver = session.start(sql);
        if let Ok(Ok(outcome)) =
            tokio::time::timeout(SETUP_LIMIT_STEPS * self.manner.step_limit, &mut receiver).await
        {
            return outcome;
        }
        // Its error then says that it was cancelled; one that cannot be is given up.
        let _ = session.cancel().await;
        tokio::time::timeout(self.manner.step_limit, receiver).await.ok().and_then(Result::ok).unwrap_or_else(
            || StatementOutcome {
                results: Vec::new(),
                ended_with_rows: false,
                error: Some(crate::postgres::Error::Unexpected("it did not end in time".into())),
                finished_at: clock::now(),
            },
        )
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
    async fn poll_outcome(&mut self, lane: usize) -> bool {
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

    fn emit(&mut self, event: TranscriptEvent) {
        self.run.events.push(event);
    }

    fn emit_waiting(&mut self, step: StepIndex) {
        let step = self.spec.step(step);
        self.emit(TranscriptEvent::StepWaiting { step: step.name.clone(), sql: step.sql.clone() });
    }

    /// Shows the notices of a session and keeps its notifications for the end of its step.
    fn show_messages(&mut self, lane: usize) {
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

    /// Lets what is still blocked after an order was broken off come to its end: the idle sessions
    /// give up what they hold. Only what is blocked even then is cancelled.
    async fn settle(&mut self) -> anyhow::Result<()> {
        let mut blocked: Vec<usize> =
            (0..self.lanes.len()).filter(|&lane| self.lanes[lane].active.is_some()).collect();
        let mut is_idle: Vec<bool> = self.lanes.iter().map(|lane| lane.active.is_none()).collect();
        if blocked.is_empty() {
            return Ok(());
        }
        let since = clock::now();
        while !blocked.is_empty() && clock::now() - since <= self.manner.step_limit {
            for lane in 0..self.lanes.len() {
                if std::mem::take(&mut is_idle[lane]) {
                    self.bounded(&self.lanes[lane].session, "ROLLBACK").await;
                    self.bounded(&self.lanes[lane].session, "SELECT pg_catalog.pg_advisory_unlock_all()")
                        .await;
                }
            }
            for lane in std::mem::take(&mut blocked) {
                if self.poll_outcome(lane).await {
                    self.lanes[lane].active = None;
                    is_idle[lane] = true;
                } else {
                    blocked.push(lane);
                }
            }
        }
        for lane in blocked {
            let pid = self.lanes[lane].session.backend_pid();
            let control = self.questions.control();
            control.execute("SELECT pg_catalog.pg_terminate_backend($1)", &[&pid]).await?;
            self.lanes[lane].active = None;
            self.is_tainted = true;
        }
        Ok(())
    }
}

impl Execution {
    fn new(lanes: &[Lane]) -> Self {
        Self {
            ending: Ending::Done,
            events: Vec::new(),
            steps: Vec::new(),
            snapshots: Vec::new(),
            pids: lanes.iter().map(|lane| lane.session.backend_pid()).collect(),
            deadlock_timeouts_us: Vec::new(),
            notifications: vec![Vec::new(); lanes.len()],
        }
    }
}

async fn open_lanes(
    spec: &Spec,
    target: &Target,
    database: &str,
    manner: &Manner,
) -> anyhow::Result<Vec<Lane>> {
    let mut lanes = Vec::new();
    for session in &spec.sessions {
        let session = connect(target, database, manner, spec, &session.name).await?;
        lanes.push(Lane { session, active: None, notices: 0, last_step: None });
    }
    Ok(lanes)
}

async fn connect(
    target: &Target,
    database: &str,
    manner: &Manner,
    spec: &Spec,
    name: &str,
) -> anyhow::Result<ObservedSession> {
    let mut config = target.config_for(database);
    config.application_name(format!("{}/{}/{name}", manner.application_name, spec.name));
    if !manner.options.is_empty() {
        let options = format!("{} {}", config.get_options().unwrap_or_default(), manner.options);
        config.options(options.trim());
    }
    target.observe(&config).await.with_context(|| format!("connect session {name}"))
}

/// As libpq words it.
fn tester_error(error: &crate::postgres::Error) -> String {
    match error.server() {
        Some(server) => format!("{}:  {}", server.severity, server.message),
        None => error.to_string(),
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
