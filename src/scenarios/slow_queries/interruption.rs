//! What ended an execution early: our own caps, or something else that the server reports alike.

use std::time::Duration;

/// Ended by a cap of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interruption {
    /// It took as long as a statement may.
    TimedOut,
    /// It waited for another session's lock as long as it may.
    Blocked,
}

/// How long a statement that may take `cap` waits for another session's lock, where others are connected.
pub(crate) fn lock_cap(cap: Duration) -> Duration {
    cap / 2
}

/// Which cap ended an execution after `elapsed`. A query that sets a timeout of its own, or that
/// somebody cancels, ends with the same SQLSTATE, only sooner.
pub(crate) fn interruption(sqlstate: &str, elapsed: Duration, cap: Duration) -> Option<Interruption> {
    // The server's clock and ours need not agree to the millisecond.
    let has_lasted = |cap: Duration| elapsed >= cap.mul_f64(0.95);
    match sqlstate {
        "57014" if has_lasted(cap) => Some(Interruption::TimedOut),
        "55P03" if has_lasted(lock_cap(cap)) => Some(Interruption::Blocked),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lasted_as_long_as_the_cap_was_ended_by_it() {
        let after = |sqlstate: &str, ms: u64| {
            interruption(sqlstate, Duration::from_millis(ms), Duration::from_secs(2))
        };
        assert_eq!(after("57014", 2_003), Some(Interruption::TimedOut));
        assert_eq!(after("57014", 12), None, "a statement_timeout of the query's own");
        assert_eq!(after("55P03", 1_001), Some(Interruption::Blocked));
        assert_eq!(after("55P03", 1), None, "NOWAIT");
        assert_eq!(after("22012", 5_000), None);
    }
}
