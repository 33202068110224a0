//! The published form of the evidence of `deadlock`.

use super::super::mirror::{Mirror, Omitted, Real};
use super::super::run::VerdictEntry;
use super::series::LatencySeriesEntry;
use crate::model::evidence::deadlock::{
    Bystander, Confirmation, ConflictKind, ContentionPoint, DeadlockCase, DeadlockCost, DeadlockEvidence,
    DeadlockTrial, Exploration, LatencySummary, LockedObject, OrderEvidence, Outcome, Prediction,
    SessionText, SpecEvidence, StepFailure, StepText, TimeoutPoint, TraceEvidence, WaitEdge,
};

/// What a lock is on.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum LockedObjectEntry {
    Row { relation: String, ctid: String, key: Option<String> },
    Relation { name: String },
    Transaction,
    Advisory { key: String },
    SafeSnapshot,
    Other { description: String },
}

impl Mirror<LockedObject> for LockedObjectEntry {
    fn mirror(model: &LockedObject) -> Self {
        match model.clone() {
            LockedObject::Row { relation, ctid, key } => Self::Row { relation, ctid, key },
            LockedObject::Relation(name) => Self::Relation { name },
            LockedObject::Transaction => Self::Transaction,
            LockedObject::Advisory(key) => Self::Advisory { key },
            LockedObject::SafeSnapshot => Self::SafeSnapshot,
            LockedObject::Other(description) => Self::Other { description },
        }
    }
    fn restore(self) -> LockedObject {
        match self {
            Self::Row { relation, ctid, key } => LockedObject::Row { relation, ctid, key },
            Self::Relation { name } => LockedObject::Relation(name),
            Self::Transaction => LockedObject::Transaction,
            Self::Advisory { key } => LockedObject::Advisory(key),
            Self::SafeSnapshot => LockedObject::SafeSnapshot,
            Self::Other { description } => LockedObject::Other(description),
        }
    }
}

mirror! {
    /// Everything a reader may want to see behind the verdict of `deadlock`.
    struct DeadlockEvidenceEntry of DeadlockEvidence {
        /// The server's `deadlock_timeout`, in microseconds, where a spec does not set its own.
        deadlock_timeout_us: Real,
        /// One per spec, in name order.
        specs: Vec<SpecEvidenceEntry>,
        /// Cycles derived from what transactions lock when they run alone.
        predictions: Vec<PredictionEntry>,
        /// Traces whose transactions took part in the predictions.
        #[serde(default)]
        traces: Vec<TraceEvidenceEntry>,
        /// Detection time against the rule, for several values of `deadlock_timeout`.
        timeout_sweep: Vec<TimeoutPointEntry>,
        /// Throughput and deadlocks for several numbers of workers and hot rows.
        contention_sweep: Vec<ContentionPointEntry>,
    }

    /// What one spec file came to.
    struct SpecEvidenceEntry of SpecEvidence {
        /// The file name without `.spec`.
        name: String,
        /// Relative to the project folder.
        path: String,
        /// Pass or not, for this spec alone.
        verdict: VerdictEntry,
        /// Whether the file says that it deadlocks on purpose.
        expects_deadlock: bool,
        /// The sessions and what they send.
        sessions: Vec<SessionTextEntry>,
        /// How many orders there are, and how many were executed.
        exploration: ExplorationEntry,
        /// How many executed orders came to what.
        outcomes: Vec<(OutcomeEntry, u64)>,
        /// The executed orders, up to a bound of the scenario.
        orders: Vec<OrderEvidenceEntry>,
        /// Executed orders that `orders` does not hold.
        orders_left_out: u64,
        /// The shortest deadlocking order, where one was found.
        deadlock: Option<DeadlockCaseEntry>,
        /// What that deadlock costs, measured.
        cost: Option<DeadlockCostEntry>,
        /// What the isolation tester prints for this spec; empty unless asked for.
        #[serde(skip, default)]
        transcript: Omitted,
    }

    /// A session's name and statements.
    struct SessionTextEntry of SessionText {
        /// Its name.
        name: String,
        /// Its steps, in order.
        steps: Vec<StepTextEntry>,
    }

    /// A step's name and statements.
    struct StepTextEntry of StepText {
        /// Its name.
        name: String,
        /// What it sends.
        sql: String,
        /// One-based line in the file.
        line: usize,
    }

    /// How many orders there are and what became of them. The parts add up to `total`.
    struct ExplorationEntry of Exploration {
        /// The orders come from the file's `permutation` lines, not from all interleavings.
        declared: bool,
        /// All orders; saturates.
        total: u64,
        /// Executed to their end.
        executed: u64,
        /// Left out because an executed order differs only in steps that do not conflict.
        equivalent: u64,
        /// Cannot happen: a blocked session would have to send its next step.
        impossible: u64,
        /// Left out because the bound was reached.
        beyond_bound: u64,
    }

    /// What an order came to. An error of another kind is not a deadlock's victim.
    words OutcomeEntry of Outcome {
        Completed = "completed",
        BlockedThenCompleted = "blocked-then-completed",
        QueueReordered = "queue-reordered",
        Deadlock = "deadlock",
        SerializationFailure = "serialization-failure",
        LockTimeout = "lock-timeout",
        UniqueViolation = "unique-violation",
        OtherError = "other-error",
        Hung = "hung",
    }

    /// One executed order.
    struct OrderEvidenceEntry of OrderEvidence {
        /// Step names in the order in which they were sent.
        steps: Vec<String>,
        /// What it came to.
        outcome: OutcomeEntry,
        /// Steps that failed, in the order of their failing.
        failures: Vec<StepFailureEntry>,
        /// Wall time of its steps, in microseconds.
        duration_us: Real,
    }

    /// A step that ended in an error.
    struct StepFailureEntry of StepFailure {
        /// Whose.
        session: String,
        /// Which.
        step: String,
        /// Five characters.
        sqlstate: String,
        /// The server's primary message.
        message: String,
        /// The server's DETAIL, process ids replaced by session names.
        detail: Option<String>,
        /// The server's CONTEXT.
        context: Option<String>,
    }

    /// The shortest deadlocking order of a spec.
    struct DeadlockCaseEntry of DeadlockCase {
        /// Step names in the order in which they were sent, up to the one that closes the cycle.
        steps: Vec<String>,
        /// A `permutation` line that replays it when put into the file.
        replay: String,
        /// The session whose transaction the server sacrificed.
        victim_session: String,
        /// The step it failed in.
        victim_step: String,
        /// The sessions that went on, with the step each of them waited in.
        survivors: Vec<(String, String)>,
        /// Who waited for whom when the cycle closed.
        wait_graph: Vec<WaitEdgeEntry>,
        /// What kind of conflict it is.
        kind: ConflictKindEntry,
        /// The advice that fits the kind, as an imperative.
        advice: String,
    }

    /// One session that waits for another.
    struct WaitEdgeEntry of WaitEdge {
        /// Who waits.
        waiter_session: String,
        /// In which step.
        waiter_step: String,
        /// The step's statement.
        waiter_statement: String,
        /// Who is waited for.
        holder_session: String,
        /// The holder's last step: the one it waits in, or the last it finished.
        holder_step: String,
        /// What is locked.
        object: LockedObjectEntry,
        /// The mode asked for, such as `ShareLock`, or `FOR UPDATE` for a row.
        wanted_mode: String,
        /// The mode in the way, where it is known.
        held_mode: Option<String>,
        /// True where the other session is only ahead in the queue.
        is_soft: bool,
    }

    /// What kind of conflict a deadlock, or a failure in its place, is.
    words ConflictKindEntry of ConflictKind {
        RowOrder = "row-order",
        RowUpgrade = "row-upgrade",
        ForeignKey = "foreign-key",
        UniqueIndex = "unique-index",
        TableOrder = "table-order",
        TableUpgrade = "table-upgrade",
        DdlAgainstDml = "ddl-against-dml",
        Advisory = "advisory-order",
        Mixed = "mixed",
    }

    /// What a deadlocking order costs, over several repetitions.
    struct DeadlockCostEntry of DeadlockCost {
        /// One per repetition.
        trials: Vec<DeadlockTrialEntry>,
        /// A point query of an uninvolved session, with its percentiles before, during and after.
        bystander: Option<BystanderEntry>,
    }

    /// One repetition of a deadlocking order.
    struct DeadlockTrialEntry of DeadlockTrial {
        /// `deadlock_timeout` of the sessions, in microseconds.
        deadlock_timeout_us: Real,
        /// From the cycle's closing (the last wait's start, by the server's clock) to the error.
        detection_us: Real,
        /// What the rule gives: the first timer (a wait's start plus `deadlock_timeout`) to fire after
        /// the cycle has closed, counted from its closing.
        predicted_us: Real,
        /// The session that failed.
        victim_session: String,
        /// The session whose timer fires first by the rule.
        predicted_victim_session: String,
        /// Time from the victim's first step to its error: work that is lost.
        lost_work_us: Real,
        /// Time from the victim's error until the last survivor's blocked step was done.
        survivor_delay_us: Real,
        /// Whether the victim's transaction succeeded when it was run again.
        retry_succeeded: bool,
        /// How many attempts that took.
        retry_attempts: u32,
        /// From the error to the end of the successful attempt.
        retry_us: Real,
        /// Locks not granted when the cycle closed.
        locks_queued: u64,
    }

    /// An uninvolved session's latencies.
    struct BystanderEntry of Bystander {
        /// What it executes.
        statement: String,
        /// Before any cycle.
        before: LatencySummaryEntry,
        /// From the cycle's closing to its end.
        during: LatencySummaryEntry,
        /// Afterwards.
        after: LatencySummaryEntry,
        /// All of it over time; the spans are the closed cycles, each until the server ended it.
        #[serde(default)]
        series: LatencySeriesEntry,
    }

    /// Percentiles of a latency.
    struct LatencySummaryEntry of LatencySummary {
        /// How many executions.
        samples: u64,
        /// Median, in microseconds.
        p50_us: Real,
        /// 99th percentile, in microseconds.
        p99_us: Real,
        /// Largest, in microseconds.
        max_us: Real,
    }

    /// A cycle derived from what transactions lock when they run alone.
    struct PredictionEntry of Prediction {
        /// The transactions, each with its source (a spec's session, or a trace).
        transactions: Vec<String>,
        /// What each of them holds and what it then wants, one sentence per edge.
        cycle: Vec<String>,
        /// Rows chosen in place of those written or recorded, so that the transactions meet.
        #[serde(default)]
        rows: Vec<String>,
        /// The chosen rows come in an order that no recorded run has shown, and the runs are too few to tell.
        #[serde(default)]
        is_order_in_doubt: bool,
        /// What became of it.
        confirmation: ConfirmationEntry,
    }

    /// What executing a predicted cycle came to.
    tagged ConfirmationEntry of Confirmation {
        Confirmed = "confirmed" { replay: String },
        NotReproduced = "not-reproduced" { outcome: OutcomeEntry },
        NotExecutable = "not-executable" { reason: String },
    }

    /// What a recorded trace held for predictions.
    struct TraceEvidenceEntry of TraceEvidence {
        /// The trace file.
        path: String,
        /// Transactions recorded.
        transactions: u64,
        /// Of those, how many can take part in a cycle of steps.
        locking: u64,
        /// Kinds of those, by the shapes of their statements.
        kinds: u64,
        /// Kinds that were executed again, alone.
        examined: Vec<String>,
        /// Kinds that could not be, and why.
        not_executable: Vec<(String, String)>,
        /// Kinds beyond a bound of the scenario.
        left_out: u64,
        /// A statement may be missing from the trace.
        is_incomplete: bool,
    }

    /// Detection at one value of `deadlock_timeout`.
    struct TimeoutPointEntry of TimeoutPoint {
        /// The spec.
        spec: String,
        /// The setting, in microseconds.
        deadlock_timeout_us: Real,
        /// The repetitions.
        trials: Vec<DeadlockTrialEntry>,
    }

    /// Concurrent workers on a few hot rows.
    struct ContentionPointEntry of ContentionPoint {
        /// The spec.
        spec: String,
        /// How many sessions ran transactions at the same time.
        workers: u32,
        /// How many rows they shared.
        hot_rows: u32,
        /// Whether rows were locked in one order.
        ordered: bool,
        /// `deadlock_timeout` of the workers, in microseconds.
        deadlock_timeout_us: Real,
        /// How long, in seconds.
        duration_s: Real,
        /// Transactions committed.
        committed: u64,
        /// Transactions that failed with 40P01.
        deadlocks: u64,
        /// Attempts beyond the first.
        retries: u64,
        /// Attempts that failed with anything else.
        failures: u64,
        /// From a transaction's first attempt to its commit.
        latency: LatencySummaryEntry,
    }
}
