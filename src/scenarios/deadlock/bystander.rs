//! A session that has nothing to do with the transactions under test and
//! executes a point query all the time: what a deadlock costs everybody else.

use crate::model::evidence::deadlock::LatencySummary;
use crate::postgres::{Error, Session};
use crate::stats::clock;
use crate::stats::quantile;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// The pause between two executions: often enough for percentiles, seldom enough not to be a load.
const PACE: Duration = Duration::from_millis(2);
/// Samples not yet taken; a bystander that reaches it ends.
const MAX_SAMPLES: usize = 100_000;

/// What is executed where the tables under test come and go.
const CATALOG_QUERY: &str = "SELECT relname FROM pg_catalog.pg_class WHERE oid = 1259";

/// A bystander at work.
pub(super) struct Watch {
    /// What it executes.
    pub(super) statement: String,
    receiver: mpsc::Receiver<Sample>,
    samples: Vec<Sample>,
    is_stopped: Arc<AtomicBool>,
}

/// One execution.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    pub(super) started_at: Instant,
    pub(super) latency_us: f64,
}

impl Watch {
    /// Starts executing the statement, or a point query on the catalogue where the statement's
    /// table does not exist outside of the spec's own setup.
    pub(super) async fn start(session: Session, statement: String) -> Result<Self, Error> {
        let (prepared, statement) = match session.prepare(&statement).await {
            Ok(prepared) => (prepared, statement),
            Err(_) => (session.prepare(CATALOG_QUERY).await?, CATALOG_QUERY.to_owned()),
        };
        let (sender, receiver) = mpsc::channel(MAX_SAMPLES);
        let is_stopped = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&is_stopped);
        tokio::spawn(async move {
            let mut pace = tokio::time::interval(PACE);
            pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            while !stopped.load(Ordering::Relaxed) {
                pace.tick().await;
                let started_at = clock::now();
                let is_done = session.query(&prepared, &[]).await.is_ok();
                let sample = Sample { started_at, latency_us: clock::elapsed_us(started_at) };
                if !is_done || sender.try_send(sample).is_err() {
                    break;
                }
            }
        });
        Ok(Self { statement, receiver, samples: Vec::new(), is_stopped })
    }

    /// Waits for so many further executions.
    pub(super) async fn collect(&mut self, count: usize) {
        for _ in 0..count {
            let Some(sample) = self.receiver.recv().await else { return };
            self.samples.push(sample);
        }
    }

    /// Takes what was measured so far, in order.
    pub(super) fn take(&mut self) -> &[Sample] {
        while let Ok(sample) = self.receiver.try_recv() {
            self.samples.push(sample);
        }
        &self.samples
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.is_stopped.store(true, Ordering::Relaxed);
    }
}

/// Percentiles of some samples.
pub(super) fn summary<'a>(samples: impl Iterator<Item = &'a Sample>) -> LatencySummary {
    let mut latencies: Vec<f64> = samples.map(|sample| sample.latency_us).collect();
    latencies.sort_by(f64::total_cmp);
    summarise(&latencies)
}

/// Percentiles of sorted latencies in microseconds.
pub(super) fn summarise(sorted: &[f64]) -> LatencySummary {
    let Some(&max_us) = sorted.last() else { return LatencySummary::default() };
    let at = |p: f64| quantile::quantile(sorted, p).unwrap_or(max_us);
    LatencySummary { samples: sorted.len() as u64, p50_us: at(0.5), p99_us: at(0.99), max_us }
}
