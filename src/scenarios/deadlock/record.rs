//! How orders are executed, and what an executed one left behind: plain data.

use super::execute::Lane;
use super::spec::StepIndex;
use crate::model::evidence::deadlock::TranscriptEvent;
use crate::postgres::ServerError;
use crate::postgres::locks::LockSnapshot;
use std::time::{Duration, Instant};

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
    pub(super) notifications: Vec<Vec<(i32, String, String)>>,
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

impl Execution {
    pub(super) fn new(lanes: &[Lane]) -> Self {
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
