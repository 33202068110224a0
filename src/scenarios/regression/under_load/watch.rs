//! Asks the server, over and over, which locks a session holds or waits for and
//! who waits behind it.

use crate::model::evidence::regression::LockTaken;
use crate::postgres::session_locks::{self, SessionLock};
use crate::postgres::{Error, Session};
use crate::scenarios::regression::comparison::shortened;
use crate::stats::clock;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// Between two questions: locks held for less may be missed.
const PAUSE: Duration = Duration::from_millis(2);
/// Sights kept at most.
const MOST_SIGHTS: usize = 200_000;

/// One answer of the server.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sight {
    pub(super) at_us: f64,
    pub(super) locks: Vec<SessionLock>,
    /// What each session executes that waits behind it.
    pub(super) queued: Vec<Arc<str>>,
}

/// A running watch.
pub(super) struct Watch {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Result<Vec<Sight>, Error>>,
}

impl Watch {
    /// Watches the session with that backend.
    pub(super) fn start(session: Session, backend_pid: i32, origin: Instant) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            let mut sights: Vec<Sight> = Vec::new();
            let mut known: BTreeSet<Arc<str>> = BTreeSet::new();
            while !stopped.load(Ordering::Relaxed) && sights.len() < MOST_SIGHTS {
                let (locks, queued) = session_locks::of_session(&session, backend_pid).await?;
                let queued = queued.into_iter().map(|statement| shared(&mut known, &statement)).collect();
                sights.push(Sight { at_us: clock::elapsed_us(origin), locks, queued });
                tokio::time::sleep(PAUSE).await;
            }
            Ok(sights)
        });
        Self { stop, task }
    }

    /// Everything seen.
    pub(super) async fn stop(self) -> Result<Vec<Sight>, Error> {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.map_err(|error| Error::Unexpected(error.to_string()))?
    }
}

/// The same text once in memory, however often it is seen.
fn shared(known: &mut BTreeSet<Arc<str>>, statement: &str) -> Arc<str> {
    if let Some(same) = known.get(statement) {
        return Arc::clone(same);
    }
    let new: Arc<str> = Arc::from(statement);
    known.insert(Arc::clone(&new));
    new
}

/// What queued within a window: most sessions at once, and their statements, each once.
pub(super) fn queue_of(sights: &[Sight], window: (f64, f64)) -> (usize, Vec<String>) {
    let within = || sights.iter().filter(|sight| sight.at_us >= window.0 && sight.at_us <= window.1);
    let most = within().map(|sight| sight.queued.len()).max().unwrap_or(0);
    let statements: BTreeSet<&Arc<str>> = within().flat_map(|sight| &sight.queued).collect();
    (most, statements.into_iter().map(|statement| shortened(statement)).collect())
}

/// The locks first seen within a window, with how long each was seen waited for
/// and held, to the end of all sights.
pub(super) fn locks_of(sights: &[Sight], window: (f64, f64)) -> Vec<LockTaken> {
    let mut known: Vec<(LockTaken, Seen)> = Vec::new();
    for sight in sights {
        for lock in &sight.locks {
            let same = |(taken, _): &&mut (LockTaken, Seen)| {
                taken.relation == lock.relation && taken.mode == lock.mode
            };
            let place = known.iter_mut().find(same);
            match place {
                Some((_, seen)) => seen.again(sight.at_us, lock.granted),
                None => {
                    let taken = LockTaken {
                        relation: lock.relation.clone(),
                        mode: lock.mode.clone(),
                        granted: false,
                        held_ms: 0,
                        waited_ms: 0,
                    };
                    known.push((taken, Seen::first(sight.at_us, lock.granted)));
                }
            }
        }
    }
    let within = |(_, seen): &(LockTaken, Seen)| seen.first_us >= window.0 && seen.first_us <= window.1;
    let finish = |(taken, seen): (LockTaken, Seen)| LockTaken {
        granted: seen.granted.is_some(),
        held_ms: milliseconds(seen.granted),
        waited_ms: milliseconds(seen.waiting),
        ..taken
    };
    known.into_iter().filter(within).map(finish).collect()
}

/// When a lock was seen, in microseconds.
struct Seen {
    first_us: f64,
    granted: Option<(f64, f64)>,
    waiting: Option<(f64, f64)>,
}

impl Seen {
    fn first(at_us: f64, granted: bool) -> Self {
        let mut seen = Self { first_us: at_us, granted: None, waiting: None };
        seen.again(at_us, granted);
        seen
    }

    fn again(&mut self, at_us: f64, granted: bool) {
        let span = if granted { &mut self.granted } else { &mut self.waiting };
        let from = span.map_or(at_us, |(from, _)| from);
        *span = Some((from, at_us));
    }
}

fn milliseconds(span: Option<(f64, f64)>) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a span is positive and short"
    )]
    span.map_or(0, |(from, to)| ((to - from) / 1000.0).round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_and_holding_are_told_apart_and_belong_to_the_statement_that_asked() {
        let lock = |mode: &str, granted| SessionLock { relation: "t".into(), mode: mode.into(), granted };
        let sight = |at_us, locks| Sight { at_us, locks, queued: vec![] };
        let sights = [
            sight(1_000.0, vec![lock("AccessExclusiveLock", false)]),
            sight(9_000.0, vec![lock("AccessExclusiveLock", false)]),
            sight(10_000.0, vec![lock("AccessExclusiveLock", true)]),
            sight(14_000.0, vec![lock("AccessExclusiveLock", true), lock("ShareLock", true)]),
        ];
        let first = locks_of(&sights, (0.0, 12_000.0));
        assert_eq!(first.len(), 1);
        assert_eq!((first[0].waited_ms, first[0].held_ms, first[0].granted), (8, 4, true));
        assert_eq!(locks_of(&sights, (12_000.0, 20_000.0))[0].mode, "ShareLock");
    }

    #[test]
    fn each_statement_in_the_queue_is_named_once_and_only_within_the_window() {
        let sight = |at_us, queued: &[&str]| Sight {
            at_us,
            locks: vec![],
            queued: queued.iter().map(|&text| Arc::from(text)).collect(),
        };
        let sights =
            [sight(1.0, &["SELECT 1"]), sight(2.0, &["SELECT 1", "UPDATE t"]), sight(9.0, &["other"])];
        assert_eq!(queue_of(&sights, (0.0, 5.0)), (2, vec!["SELECT 1".to_owned(), "UPDATE t".to_owned()]));
        assert_eq!(queue_of(&sights, (3.0, 5.0)), (0, vec![]));
    }
}
