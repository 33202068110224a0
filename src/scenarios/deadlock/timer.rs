//! The server's own rule for deadlocks: a session that starts to wait sets a
//! timer of `deadlock_timeout` and looks for a cycle when it fires, once. So the
//! victim is the waiter whose timer fires first after the cycle has closed
//! (`ProcSleep` and `CheckDeadLock` of the server; manual, `deadlock_timeout`).

/// One wait of a cycle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wait {
    /// Who waits.
    pub(super) session: String,
    /// Since when, in microseconds of any clock shared by all of them.
    pub(super) start_us: i64,
    /// The session's `deadlock_timeout`.
    pub(super) timeout_us: i64,
}

/// What the rule gives for a cycle.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rule {
    /// The cycle closed: the last wait's start.
    pub(super) closed_us: i64,
    /// From then to the first timer that sees the cycle, in microseconds.
    pub(super) detection_us: f64,
    /// Whose timer that is.
    pub(super) victim: String,
}

/// Applies the rule, `None` for no waits.
#[expect(clippy::cast_precision_loss, reason = "microseconds of a run are exact in a double")]
pub(super) fn rule(waits: &[Wait]) -> Option<Rule> {
    let closed_us = waits.iter().map(|wait| wait.start_us).max()?;
    let timers = waits.iter().map(|wait| (wait.start_us + wait.timeout_us, &wait.session));
    let (fires_us, victim) = timers.filter(|(fires_us, _)| *fires_us >= closed_us).min()?;
    Some(Rule { closed_us, detection_us: (fires_us - closed_us) as f64, victim: victim.clone() })
}

/// A time as SHOW prints it (`1s`, `1500ms`, `100us`), in microseconds.
pub(super) fn parse_us(text: &str) -> Option<i64> {
    let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let number: i64 = text[..digits].parse().ok()?;
    let factor = match &text[digits..] {
        "us" => 1,
        "" | "ms" => 1_000,
        "s" => 1_000_000,
        "min" => 60_000_000,
        "h" => 3_600_000_000,
        "d" => 86_400_000_000,
        _ => return None,
    };
    number.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(starts: &[(&str, i64)], timeout_us: i64) -> Vec<Wait> {
        let wait =
            |&(session, start_us): &(&str, i64)| Wait { session: session.into(), start_us, timeout_us };
        starts.iter().map(wait).collect()
    }

    #[test]
    fn times_read_as_show_prints_them() {
        assert_eq!(
            ["1s", "1500ms", "2min", "0", "1h", "x", ""].map(parse_us),
            [Some(1_000_000), Some(1_500_000), Some(120_000_000), Some(0), Some(3_600_000_000), None, None]
        );
    }

    #[test]
    fn a_shorter_timeout_of_one_session_makes_it_the_victim() {
        let mut waits = waits(&[("a", 0), ("b", 5_000)], 100_000_000);
        waits[1].timeout_us = 10_000;
        assert_eq!(rule(&waits).map(|rule| rule.victim), Some("b".into()));
    }

    #[test]
    fn the_first_timer_after_the_closing_decides() {
        let found = |starts: &[(&str, i64)], timeout| {
            rule(&waits(starts, timeout)).map(|rule| (rule.victim, rule.detection_us, rule.closed_us))
        };
        // Second waiter 30 ms after the first.
        assert_eq!(found(&[("a", 0), ("b", 30_000)], 1_000_000), Some(("a".into(), 970_000.0, 30_000)));
        assert_eq!(found(&[("a", 0), ("b", 30_000)], 100_000), Some(("a".into(), 70_000.0, 30_000)));
        // The first timer fired before there was a cycle, and does not fire again.
        assert_eq!(found(&[("a", 0), ("b", 30_000)], 10_000), Some(("b".into(), 10_000.0, 30_000)));
        assert_eq!(
            found(&[("a", 0), ("b", 12_000), ("c", 20_000)], 15_000),
            Some(("b".into(), 7_000.0, 20_000))
        );
        assert_eq!(found(&[], 1), None);
    }
}
