//! What a spec is expected to come to. No I/O.

use crate::model::evidence::deadlock::Outcome;
use std::ops::Range;

/// `# plimsoll: expect …` of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Expectation {
    /// No explored order may deadlock: the default, and what a gate asks.
    #[default]
    None,
    /// At least one explored order deadlocks: the file documents a known defect.
    Deadlock,
    /// At least one explored order comes to this, and none deadlocks.
    Outcome(Outcome),
}

impl Expectation {
    /// What can be expected, for messages.
    pub const WORDS: &str =
        "none, deadlock, serialization-failure, lock-timeout, unique-violation or queue-reordered";

    /// From a word of [`Self::WORDS`].
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Some(match word {
            "none" => Self::None,
            "deadlock" => Self::Deadlock,
            "serialization-failure" | "serialization" => Self::Outcome(Outcome::SerializationFailure),
            "lock-timeout" => Self::Outcome(Outcome::LockTimeout),
            "unique-violation" => Self::Outcome(Outcome::UniqueViolation),
            "queue-reordered" => Self::Outcome(Outcome::QueueReordered),
            _ => return None,
        })
    }
}

/// The file's `# plimsoll:` line, or the range of one that says nothing known.
pub(super) fn of_file(text: &str) -> Result<Expectation, Range<usize>> {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let span = start..start + line.trim_end().len();
        start += line.len();
        let Some(comment) = line.trim_start().strip_prefix('#') else { continue };
        let Some(words) = comment.trim_start().strip_prefix("plimsoll:") else { continue };
        return match words.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["expect", word] => Expectation::of(word).ok_or(span),
            _ => Err(span),
        };
    }
    Ok(Expectation::None)
}
