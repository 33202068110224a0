//! Evidence of `deadlock`: what was explored, what came of every order, who
//! waited for whom, what a deadlock costs, and what was predicted.
//!
//! Times are in microseconds, as seen by this program unless a field says otherwise.

use crate::model::Verdict;
use std::path::PathBuf;

/// Everything a reader may want to see behind the verdict of `deadlock`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DeadlockEvidence {
    /// The server's `deadlock_timeout`, in microseconds, where a spec does not set its own.
    pub deadlock_timeout_us: f64,
    /// One per spec, in name order.
    pub specs: Vec<SpecEvidence>,
    /// Cycles derived from what transactions lock when they run alone.
    pub predictions: Vec<Prediction>,
    /// Detection time against the rule, for several values of `deadlock_timeout`.
    pub timeout_sweep: Vec<TimeoutPoint>,
    /// Throughput and deadlocks for several numbers of workers and hot rows.
    pub contention_sweep: Vec<ContentionPoint>,
}

/// What one spec file came to.
#[derive(Debug, Clone, PartialEq)]
pub struct SpecEvidence {
    /// The file name without `.spec`.
    pub name: String,
    /// Relative to the project folder.
    pub path: PathBuf,
    /// Pass or not, for this spec alone.
    pub verdict: Verdict,
    /// Whether the file says that it deadlocks on purpose.
    pub expects_deadlock: bool,
    /// The sessions and what they send.
    pub sessions: Vec<SessionText>,
    /// How many orders there are, and how many were executed.
    pub exploration: Exploration,
    /// How many executed orders came to what.
    pub outcomes: Vec<(Outcome, u64)>,
    /// The executed orders, up to a bound of the scenario.
    pub orders: Vec<OrderEvidence>,
    /// Executed orders that `orders` does not hold.
    pub orders_left_out: u64,
    /// The shortest deadlocking order, where one was found.
    pub deadlock: Option<DeadlockCase>,
    /// What that deadlock costs, measured.
    pub cost: Option<DeadlockCost>,
    /// What the isolation tester prints for this spec; empty unless asked for.
    pub transcript: Vec<TranscriptEvent>,
}

/// A session's name and statements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionText {
    /// Its name.
    pub name: String,
    /// Its steps, in order.
    pub steps: Vec<StepText>,
}

/// A step's name and statements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepText {
    /// Its name.
    pub name: String,
    /// What it sends.
    pub sql: String,
    /// One-based line in the file.
    pub line: usize,
}

/// How many orders there are and what became of them. The parts add up to `total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Exploration {
    /// The orders come from the file's `permutation` lines, not from all interleavings.
    pub declared: bool,
    /// All orders; saturates.
    pub total: u64,
    /// Executed to their end.
    pub executed: u64,
    /// Left out because an executed order differs only in steps that do not conflict.
    pub equivalent: u64,
    /// Cannot happen: a blocked session would have to send its next step.
    pub impossible: u64,
    /// Left out because the bound was reached.
    pub beyond_bound: u64,
}

/// What an order came to. An error of another kind is not a deadlock's victim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// Nobody waited, nothing failed.
    Completed,
    /// Somebody waited, nothing failed.
    BlockedThenCompleted,
    /// A cycle that the server resolved by reordering a lock's queue.
    QueueReordered,
    /// 40P01.
    Deadlock,
    /// 40001.
    SerializationFailure,
    /// 55P03, by `lock_timeout` or NOWAIT.
    LockTimeout,
    /// 23505.
    UniqueViolation,
    /// Any other error.
    OtherError,
    /// A step did not end within its time limit and was cancelled.
    Hung,
}

impl Outcome {
    /// Every outcome, mildest first.
    pub const ALL: [Self; 9] = [
        Self::Completed,
        Self::BlockedThenCompleted,
        Self::QueueReordered,
        Self::UniqueViolation,
        Self::LockTimeout,
        Self::SerializationFailure,
        Self::OtherError,
        Self::Hung,
        Self::Deadlock,
    ];

    /// A stable kebab-case word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::BlockedThenCompleted => "blocked-then-completed",
            Self::QueueReordered => "queue-reordered",
            Self::Deadlock => "deadlock",
            Self::SerializationFailure => "serialization-failure",
            Self::LockTimeout => "lock-timeout",
            Self::UniqueViolation => "unique-violation",
            Self::OtherError => "other-error",
            Self::Hung => "hung",
        }
    }
}

/// One executed order.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderEvidence {
    /// Step names in the order in which they were sent.
    pub steps: Vec<String>,
    /// What it came to.
    pub outcome: Outcome,
    /// Steps that failed, in the order of their failing.
    pub failures: Vec<StepFailure>,
    /// Wall time of its steps, in microseconds.
    pub duration_us: f64,
}

/// A step that ended in an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepFailure {
    /// Whose.
    pub session: String,
    /// Which.
    pub step: String,
    /// Five characters.
    pub sqlstate: String,
    /// The server's primary message.
    pub message: String,
    /// The server's DETAIL, process ids replaced by session names.
    pub detail: Option<String>,
    /// The server's CONTEXT.
    pub context: Option<String>,
}

/// The shortest deadlocking order of a spec.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadlockCase {
    /// Step names in the order in which they were sent, up to the one that closes the cycle.
    pub steps: Vec<String>,
    /// A `permutation` line that replays it when put into the file.
    pub replay: String,
    /// The session whose transaction the server sacrificed.
    pub victim_session: String,
    /// The step it failed in.
    pub victim_step: String,
    /// The sessions that went on, with the step each of them waited in.
    pub survivors: Vec<(String, String)>,
    /// Who waited for whom when the cycle closed.
    pub wait_graph: Vec<WaitEdge>,
    /// What kind of conflict it is.
    pub kind: ConflictKind,
    /// The advice that fits the kind, as an imperative.
    pub advice: String,
}

/// One session that waits for another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitEdge {
    /// Who waits.
    pub waiter_session: String,
    /// In which step.
    pub waiter_step: String,
    /// The step's statement.
    pub waiter_statement: String,
    /// Who is waited for.
    pub holder_session: String,
    /// The holder's last step: the one it waits in, or the last it finished.
    pub holder_step: String,
    /// What is locked.
    pub object: LockedObject,
    /// The mode asked for, such as `ShareLock`, or `FOR UPDATE` for a row.
    pub wanted_mode: String,
    /// The mode in the way, where it is known.
    pub held_mode: Option<String>,
    /// True where the other session is only ahead in the queue.
    pub is_soft: bool,
}

/// What a lock is on.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LockedObject {
    /// A row, waited for through its transaction or its tuple lock.
    Row {
        /// The table.
        relation: String,
        /// Its place, such as `(0,1)`.
        ctid: String,
        /// Its primary key, such as `id=1`, where it could be read.
        key: Option<String>,
    },
    /// A table, index, view or sequence as a whole.
    Relation(String),
    /// A transaction's end, with no row known: an index entry or a constraint.
    Transaction,
    /// An advisory lock's key.
    Advisory(String),
    /// Other sessions' snapshots (SERIALIZABLE READ ONLY DEFERRABLE).
    SafeSnapshot,
    /// Anything else, in `pg_locks`' words.
    Other(String),
}

impl LockedObject {
    /// As a sentence names it.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Row { relation, key: Some(key), .. } => format!("row {key} of {relation}"),
            Self::Row { relation, ctid, key: None } => format!("row {ctid} of {relation}"),
            Self::Relation(name) => format!("table {name}"),
            Self::Transaction => "the other transaction's end".into(),
            Self::Advisory(key) => format!("advisory lock {key}"),
            Self::SafeSnapshot => "a safe snapshot".into(),
            Self::Other(words) => words.clone(),
        }
    }
}

/// What kind of conflict a deadlock, or a failure in its place, is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ConflictKind {
    /// Rows locked in different orders.
    RowOrder,
    /// Several sessions hold a shared row lock and ask for a stronger one.
    RowUpgrade,
    /// Rows of a referenced table, locked by foreign-key checks.
    ForeignKey,
    /// The same unique keys inserted in different orders.
    UniqueIndex,
    /// Tables locked in different orders by LOCK TABLE.
    TableOrder,
    /// A table lock held weakly by several who ask for a stronger one.
    TableUpgrade,
    /// DDL or LOCK TABLE against statements of other sessions.
    DdlAgainstDml,
    /// Advisory locks taken in different orders.
    Advisory,
    /// Different kinds of objects in one cycle.
    Mixed,
}

impl ConflictKind {
    /// A stable kebab-case word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::RowOrder => "row-order",
            Self::RowUpgrade => "row-upgrade",
            Self::ForeignKey => "foreign-key",
            Self::UniqueIndex => "unique-index",
            Self::TableOrder => "table-order",
            Self::TableUpgrade => "table-upgrade",
            Self::DdlAgainstDml => "ddl-against-dml",
            Self::Advisory => "advisory-order",
            Self::Mixed => "mixed",
        }
    }
}

/// What a deadlocking order costs, over several repetitions.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DeadlockCost {
    /// One per repetition.
    pub trials: Vec<DeadlockTrial>,
    /// A point query of an uninvolved session, with its percentiles before, during and after.
    pub bystander: Option<Bystander>,
}

/// One repetition of a deadlocking order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DeadlockTrial {
    /// `deadlock_timeout` of the sessions, in microseconds.
    pub deadlock_timeout_us: f64,
    /// From the cycle's closing (the last wait's start, by the server's clock) to the error.
    pub detection_us: f64,
    /// What the rule gives: the first timer (a wait's start plus `deadlock_timeout`) to fire after
    /// the cycle has closed, counted from its closing.
    pub predicted_us: f64,
    /// The session that failed.
    pub victim_session: String,
    /// The session whose timer fires first by the rule.
    pub predicted_victim_session: String,
    /// Time from the victim's first step to its error: work that is lost.
    pub lost_work_us: f64,
    /// Time from the victim's error until the last survivor's blocked step was done.
    pub survivor_delay_us: f64,
    /// Whether the victim's transaction succeeded when it was run again.
    pub retry_succeeded: bool,
    /// How many attempts that took.
    pub retry_attempts: u32,
    /// From the error to the end of the successful attempt.
    pub retry_us: f64,
    /// Locks not granted when the cycle closed.
    pub locks_queued: u64,
}

/// An uninvolved session's latencies.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Bystander {
    /// What it executes.
    pub statement: String,
    /// Before any cycle.
    pub before: LatencySummary,
    /// From the cycle's closing to its end.
    pub during: LatencySummary,
    /// Afterwards.
    pub after: LatencySummary,
}

/// Percentiles of a latency.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LatencySummary {
    /// How many executions.
    pub samples: u64,
    /// Median, in microseconds.
    pub p50_us: f64,
    /// 99th percentile, in microseconds.
    pub p99_us: f64,
    /// Largest, in microseconds.
    pub max_us: f64,
}

/// A cycle derived from what transactions lock when they run alone.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// The transactions, each with its source (a spec's session, or a trace).
    pub transactions: Vec<String>,
    /// What each of them holds and what it then wants, one sentence per edge.
    pub cycle: Vec<String>,
    /// What became of it.
    pub confirmation: Confirmation,
}

/// What executing a predicted cycle came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Confirmation {
    /// The server reported the deadlock; the text of a spec file replays it.
    Confirmed {
        /// A whole spec file.
        replay: String,
    },
    /// It ran and did not deadlock.
    NotReproduced {
        /// What it came to instead.
        outcome: Outcome,
    },
    /// It could not be run.
    NotExecutable {
        /// Why not.
        reason: String,
    },
}

/// Detection at one value of `deadlock_timeout`.
#[derive(Debug, Clone, PartialEq)]
pub struct TimeoutPoint {
    /// The spec.
    pub spec: String,
    /// The setting, in microseconds.
    pub deadlock_timeout_us: f64,
    /// The repetitions.
    pub trials: Vec<DeadlockTrial>,
}

/// Concurrent workers on a few hot rows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ContentionPoint {
    /// The spec.
    pub spec: String,
    /// How many sessions ran transactions at the same time.
    pub workers: u32,
    /// How many rows they shared.
    pub hot_rows: u32,
    /// Whether rows were locked in one order.
    pub ordered: bool,
    /// How long, in seconds.
    pub duration_s: f64,
    /// Transactions committed.
    pub committed: u64,
    /// Transactions that failed with 40P01.
    pub deadlocks: u64,
    /// Attempts beyond the first.
    pub retries: u64,
    /// From a transaction's first attempt to its commit.
    pub latency: LatencySummary,
}

/// What the isolation tester prints, as data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TranscriptEvent {
    /// A step that no permutation uses.
    UnusedStep(String),
    /// The file was read; so many sessions.
    Parsed(usize),
    /// An order begins.
    PermutationStarted(Vec<String>),
    /// A step was sent and is blocked.
    StepWaiting {
        /// Its name.
        step: String,
        /// What it sends.
        sql: String,
    },
    /// A step was sent and is done.
    StepDone {
        /// Its name.
        step: String,
        /// What it sends.
        sql: String,
    },
    /// A step that was blocked is done.
    StepCompleted(String),
    /// Rows.
    Result(ResultSet),
    /// The server's error.
    Error {
        /// `ERROR` or `FATAL`.
        severity: String,
        /// The primary message.
        message: String,
    },
    /// The server ended the connection.
    ConnectionLost,
    /// The server's notice to a session.
    Notice {
        /// Whose.
        session: String,
        /// `NOTICE`, `WARNING` and so on.
        severity: String,
        /// The primary message.
        message: String,
        /// DETAIL.
        detail: Option<String>,
        /// HINT.
        hint: Option<String>,
    },
    /// A NOTIFY that a session received.
    Notification {
        /// Who received it.
        session: String,
        /// The channel.
        channel: String,
        /// The payload.
        payload: String,
        /// Who sent it.
        sender: String,
    },
    /// A step took too long and is cancelled.
    Canceling {
        /// Its name.
        step: String,
        /// After so many seconds.
        seconds: u64,
    },
    /// A conversation line of the tester, such as a failed setup.
    Message(String),
}

/// Rows as text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResultSet {
    /// Column names.
    pub columns: Vec<String>,
    /// Values; `None` is NULL.
    pub rows: Vec<Vec<Option<String>>>,
    /// Rows beyond the bound that were not kept.
    pub rows_left_out: u64,
}
