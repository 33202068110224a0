//! Cycles derived from what transactions lock when they run alone, and where
//! the transactions came from.

use super::Outcome;
use std::path::PathBuf;

/// A cycle derived from what transactions lock when they run alone.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// The transactions, each with its source (a spec's session, or a trace).
    pub transactions: Vec<String>,
    /// What each of them holds and what it then wants, one sentence per edge.
    pub cycle: Vec<String>,
    /// Rows chosen in place of those written or recorded, so that the transactions meet; one sentence
    /// per row.
    pub rows: Vec<String>,
    /// The chosen rows come in an order that no recorded run has shown, and the runs are too few to
    /// tell whether the application sorts.
    pub is_order_in_doubt: bool,
    /// What became of it.
    pub confirmation: Confirmation,
}

impl Prediction {
    /// Whether the server reported the deadlock.
    #[must_use]
    pub fn is_confirmed(&self) -> bool {
        matches!(self.confirmation, Confirmation::Confirmed { .. })
    }
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

/// What a recorded trace held for predictions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TraceEvidence {
    /// The trace file.
    pub path: PathBuf,
    /// Transactions recorded.
    pub transactions: u64,
    /// Of those, how many can take part in a cycle of steps: two or more statements, one of which locks.
    pub locking: u64,
    /// Kinds of those, by the shapes of their statements.
    pub kinds: u64,
    /// Kinds that were executed again, alone, to see what they lock: their names.
    pub examined: Vec<String>,
    /// Kinds that could not be, and why.
    pub not_executable: Vec<(String, String)>,
    /// Kinds beyond a bound of the scenario.
    pub left_out: u64,
    /// A statement may be missing from the trace.
    pub is_incomplete: bool,
}
