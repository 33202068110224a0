//! The sessions of a spec on a clone: connected, set up, torn down, and given
//! back as they were before the next order.
//!
//! Invariant: no order sees what another one left. A spec with a setup or a
//! teardown resets its data itself; any other gets a fresh clone per order.

use super::execute::{Lane, Stage};
use super::record::{Ending, Execution, Manner};
use super::spec::Spec;
use super::timer;
use crate::model::evidence::deadlock::TranscriptEvent;
use crate::postgres::locks::LockQuestions;
use crate::postgres::{ObservedSession, StatementOutcome, Target};
use crate::stats::clock;
use anyhow::Context as _;

/// A setup or teardown may take as long as so many steps.
const SETUP_LIMIT_STEPS: u32 = 10;

impl<'a> Stage<'a> {
    /// Clones the source and connects one session per session of the spec, and two to set up and to ask.
    pub(super) async fn open(
        spec: &'a Spec,
        target: &'a Target,
        source: &str,
        manner: Manner,
    ) -> anyhow::Result<Self> {
        let database = target.clone_database(source, &format!("deadlock_{}", spec.name)).await?;
        let questions = LockQuestions::new(target.connect_to(&database).await?).await?;
        let setup = connect(target, &database, &manner, spec, "control connection").await?;
        let lanes = open_lanes(spec, target, &database, &manner).await?;
        let run = Execution::new(&lanes);
        Ok(Self {
            spec,
            target,
            source: source.to_owned(),
            database,
            may_time_out: spec.limits_waits(),
            manner,
            setup,
            lanes,
            questions,
            run,
            has_new_notice: false,
            is_tainted: false,
            needs_clone: false,
        })
    }

    /// Where it runs now.
    pub(super) fn database(&self) -> &str {
        &self.database
    }

    /// A fresh clone, where the order before left data behind.
    pub(super) async fn renew(&mut self) -> anyhow::Result<()> {
        if !std::mem::take(&mut self.needs_clone) {
            return Ok(());
        }
        let fresh = Self::open(self.spec, self.target, &self.source, self.manner.clone()).await?;
        std::mem::replace(self, fresh).close().await
    }

    /// Removes the clone.
    pub(super) async fn close(self) -> anyhow::Result<()> {
        Ok(self.target.drop_database(&self.database).await?)
    }

    /// The session that asks.
    pub(super) fn questions(&self) -> &LockQuestions {
        &self.questions
    }

    /// A session of the spec.
    pub(super) fn session(&self, index: usize) -> &ObservedSession {
        &self.lanes[index].session
    }

    /// Gives every session back as it was when connected: no transaction, no settings, no locks.
    pub(super) async fn reset(&mut self) -> anyhow::Result<()> {
        if !self.spec.resets_itself() {
            // Only if there is a next order.
            self.needs_clone = true;
            return Ok(());
        }
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

    /// `deadlock_timeout` of every session as its setup left it; SHOW takes no snapshot.
    pub(super) async fn deadlock_timeouts_us(&self) -> Vec<Option<i64>> {
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

    pub(super) async fn set_up(&mut self) -> Option<String> {
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

    pub(super) async fn tear_down(&mut self) {
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

    pub(super) async fn roll_back(&self) {
        for lane in &self.lanes {
            self.bounded(&lane.session, "ROLLBACK").await;
        }
    }

    /// Executes with a time limit, after which the statement is cancelled.
    pub(super) async fn bounded(&self, session: &ObservedSession, sql: &str) -> StatementOutcome {
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
                rows: 0,
                error: Some(crate::postgres::Error::Unexpected("it did not end in time".into())),
                finished_at: clock::now(),
            },
        )
    }

    /// Lets what is still blocked after an order was broken off come to its end: the idle sessions
    /// give up what they hold. Only what is blocked even then is cancelled.
    pub(super) async fn settle(&mut self) -> anyhow::Result<()> {
        let mut blocked: Vec<usize> =
            (0..self.lanes.len()).filter(|&lane| self.lanes[lane].active.is_some()).collect();
        let mut is_idle: Vec<bool> = self.lanes.iter().map(|lane| lane.active.is_none()).collect();
        if blocked.is_empty() {
            return Ok(());
        }
        let since = clock::now();
        while !blocked.is_empty() && clock::now() - since <= self.manner.step_limit {
            for (lane, is_idle) in self.lanes.iter().zip(&mut is_idle) {
                if std::mem::take(is_idle) {
                    self.bounded(&lane.session, "ROLLBACK").await;
                    self.bounded(&lane.session, "SELECT pg_catalog.pg_advisory_unlock_all()").await;
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
    manner.configure(&mut config);
    target.observe(&config).await.with_context(|| format!("connect session {name}"))
}

/// As libpq words it.
fn tester_error(error: &crate::postgres::Error) -> String {
    match error.server() {
        Some(server) => format!("{}:  {}", server.severity, server.message),
        None => error.to_string(),
    }
}
