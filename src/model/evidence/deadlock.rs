//! Evidence of `deadlock`: what was explored, what came of every order, who
//! waited for whom, what a deadlock costs, and what was predicted.
//!
//! Times are in microseconds, as seen by this program unless a field says otherwise.

mod cost;
mod prediction;
mod sweep;
mod transcript;
mod wait;

pub use cost::{Bystander, DeadlockCost, DeadlockTrial, LatencySummary};
pub use prediction::{Confirmation, Prediction, TraceEvidence};
pub use sweep::{ContentionPoint, TimeoutPoint};
pub use transcript::{ResultSet, TranscriptEvent};
pub use wait::{ConflictKind, LockedObject, WaitEdge};

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
    /// Traces whose transactions took part in the predictions.
    pub traces: Vec<TraceEvidence>,
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
