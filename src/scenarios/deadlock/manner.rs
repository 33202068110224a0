//! How orders are executed for each purpose: exploring, measuring, sweeping, or
//! as the isolation tester does.

use super::options::Options;
use super::record::Manner;
use super::spec::Spec;
use crate::postgres::Target;
use std::time::Duration;
use tokio_postgres::Config;

/// How often the server is asked whether a step is blocked, while orders are explored.
const POLL: Duration = Duration::from_millis(1);
/// The isolation tester's own interval: its expected outputs depend on it.
const TESTER_POLL: Duration = Duration::from_millis(10);
/// `deadlock_timeout` while orders are explored, where no spec sets times of its own: exploring
/// only asks whether there is a deadlock, and this long is enough to see who waits for whom.
const EXPLORING_DEADLOCK_TIMEOUT: &str = "-c deadlock_timeout=50ms";

/// What an execution is for.
pub(super) enum Pace<'a> {
    /// Only whether there is a deadlock.
    Exploring(&'a Spec),
    /// With the server's own times.
    Measuring,
    /// With this `deadlock_timeout`, to measure.
    Sweeping(Duration),
    /// As the isolation tester.
    Tester,
}

/// How orders are executed for a purpose.
pub(super) fn manner(target: &Target, options: &Options, pace: &Pace<'_>) -> Manner {
    let is_tester = matches!(pace, Pace::Tester);
    let measures = matches!(pace, Pace::Measuring | Pace::Sweeping(_));
    let timeout = match pace {
        Pace::Exploring(spec) if target.is_ours() && !spec.limits_waits() => {
            EXPLORING_DEADLOCK_TIMEOUT.to_owned()
        }
        Pace::Sweeping(timeout) => format!("-c deadlock_timeout={}ms", timeout.as_millis()),
        _ => String::new(),
    };
    Manner {
        poll: if is_tester { TESTER_POLL } else { POLL },
        step_limit: options.step_timeout,
        reads_locks: !is_tester,
        names_rows: measures,
        reads_timeouts: measures,
        stops_at_standstill: !is_tester,
        options: format!("{timeout} {}", options.session_options).trim().to_owned(),
        application_name: options.application_name.clone(),
    }
}

impl Manner {
    /// Adds the settings of every session to a configuration.
    pub(super) fn configure(&self, config: &mut Config) {
        let options = format!("{} {}", config.get_options().unwrap_or_default(), self.options);
        config.options(options.trim());
    }
}
