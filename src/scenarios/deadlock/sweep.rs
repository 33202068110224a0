//! A deadlocking spec under several settings: detection over `deadlock_timeout`,
//! and throughput over the number of concurrent workers and of hot rows.
//!
//! Bounded in time: a point takes the seconds it was given and what its last
//! waits take beyond them.

use super::bystander;
use super::execute::Stage;
use super::footprint::Footprint;
use super::hot_rows::{self, HotTransaction, Taking};
use super::manner::{Pace, manner};
use super::measure;
use super::run::{Options, Place};
use super::spec::{Permutation, Spec};
use crate::model::MeasurementWarning;
use crate::model::evidence::deadlock::{ContentionPoint, DeadlockEvidence, TimeoutPoint};
use crate::postgres::ObservedSession;
use crate::postgres::locks::first_keys;
use crate::stats::clock;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What is swept.
#[derive(Debug, Clone, PartialEq)]
pub struct Sweep {
    /// Values of `deadlock_timeout`.
    pub deadlock_timeouts: Vec<Duration>,
    /// Numbers of concurrent workers.
    pub workers: Vec<u32>,
    /// Numbers of rows they share.
    pub hot_rows: Vec<u32>,
    /// How long one point of workers and rows is run.
    pub point: Duration,
    /// `deadlock_timeout` of the workers.
    pub workers_timeout: Duration,
}

impl Default for Sweep {
    fn default() -> Self {
        Self {
            deadlock_timeouts: [10, 100, 1_000].map(Duration::from_millis).to_vec(),
            workers: vec![1, 2, 4, 8],
            hot_rows: vec![2, 16],
            point: Duration::from_secs(1),
            workers_timeout: Duration::from_millis(100),
        }
    }
}

/// The most workers of a point.
pub const MAX_WORKERS: u32 = 64;
/// Attempts of one transaction before its worker takes the next one.
const MAX_ATTEMPTS: u32 = 50;
/// Repetitions at one value of `deadlock_timeout`.
const REPETITIONS: u32 = 5;

/// Measures a deadlocking spec under all settings that were asked for.
pub(super) async fn sweep(
    place: &Place<'_>,
    spec: &Spec,
    order: &Permutation,
    footprints: &[Footprint],
    options: &Options,
    (evidence, warnings): (&mut DeadlockEvidence, &mut Vec<MeasurementWarning>),
) -> anyhow::Result<()> {
    let Some(sweep) = &options.sweep else { return Ok(()) };
    let obstacle = match (place.target.is_ours(), spec.sets_deadlock_timeout()) {
        (false, _) => "only a superuser may set deadlock_timeout: sweep on a throwaway server",
        (_, true) => "it sets deadlock_timeout itself",
        _ => {
            evidence.timeout_sweep.extend(timeouts(place, spec, order, sweep, options).await?);
            let points = contention(place, spec, footprints, sweep, options, warnings).await?;
            evidence.contention_sweep.extend(points);
            return Ok(());
        }
    };
    let message = format!("{} was not swept: {obstacle}", spec.name);
    warnings.push(MeasurementWarning::Other { code: "not-swept", message });
    Ok(())
}

/// Detection at several values of `deadlock_timeout`.
async fn timeouts(
    place: &Place<'_>,
    spec: &Spec,
    order: &Permutation,
    sweep: &Sweep,
    options: &Options,
) -> anyhow::Result<Vec<TimeoutPoint>> {
    let mut points = Vec::new();
    place.progress.phase(
        &format!("deadlock: {} over deadlock_timeout", spec.name),
        Some(sweep.deadlock_timeouts.len() as u64),
    );
    for (done, &timeout) in sweep.deadlock_timeouts.iter().enumerate() {
        let manner = manner(place.target, options, &Pace::Sweeping(timeout));
        let mut stage = Stage::open(spec, place.target, place.source, manner).await?;
        let trials = measure::trials(&mut stage, spec, order, REPETITIONS).await?;
        stage.close().await?;
        points.push(TimeoutPoint {
            spec: spec.name.clone(),
            deadlock_timeout_us: clock::duration_us(timeout),
            trials,
        });
        place.progress.advance_to(done as u64 + 1);
    }
    Ok(points)
}

/// Throughput and deadlocks over the number of workers and of hot rows, as the spec writes its rows
/// and with the rows taken in order. Ends early where the transactions cannot be repeated.
async fn contention(
    place: &Place<'_>,
    spec: &Spec,
    footprints: &[Footprint],
    sweep: &Sweep,
    options: &Options,
    warnings: &mut Vec<MeasurementWarning>,
) -> anyhow::Result<Vec<ContentionPoint>> {
    let transactions: Vec<HotTransaction> = spec
        .sessions
        .iter()
        .zip(footprints)
        .map(|(session, footprint)| {
            HotTransaction::new(session.setup.as_ref().map(|block| block.sql.clone()), footprint)
        })
        .collect();
    if transactions.is_empty() {
        return Ok(Vec::new());
    }
    let database = place.target.clone_database(place.source, &format!("sweep_{}", spec.name)).await?;
    let ground =
        Ground { place, spec, transactions: Arc::new(transactions), database: &database, sweep, options };
    let result = ground.points(warnings).await;
    place.target.drop_database(&database).await?;
    result
}

struct Ground<'a> {
    place: &'a Place<'a>,
    spec: &'a Spec,
    transactions: Arc<Vec<HotTransaction>>,
    database: &'a str,
    sweep: &'a Sweep,
    options: &'a Options,
}

/// What one point runs.
#[derive(Clone, Copy)]
struct Setting {
    workers: u32,
    taking: Taking,
}

impl Ground<'_> {
    async fn points(&self, warnings: &mut Vec<MeasurementWarning>) -> anyhow::Result<Vec<ContentionPoint>> {
        let control = self.place.target.connect_to(self.database).await?;
        for block in &self.spec.setups {
            control.batch_execute(&block.sql).await?;
        }
        let sets = self.hot_sets(&control).await?;
        let takings: &[Taking] = match sets[0].is_empty() {
            // Rows that cannot be chosen cannot be ordered either.
            true => &[Taking::AsWritten],
            false => &[Taking::AsWritten, Taking::Ordered],
        };
        let total = sets.len() * takings.len() * self.sweep.workers.len();
        self.place
            .progress
            .phase(&format!("deadlock: {} with concurrent workers", self.spec.name), Some(total as u64));
        let mut points = Vec::new();
        for hot in sets {
            for &taking in takings {
                for &workers in &self.sweep.workers {
                    let point = self.point(&hot, Setting { workers, taking }).await?;
                    if point.committed == 0 {
                        warnings.push(MeasurementWarning::Other {
                            code: "sweep-not-repeatable",
                            message: format!(
                                "{}: its transactions cannot be run again and again ({} failures in a point), so \
                                 workers are not swept",
                                self.spec.name, point.failures
                            ),
                        });
                        return Ok(points);
                    }
                    points.push(point);
                    self.place.progress.advance_to(points.len() as u64);
                }
            }
        }
        Ok(points)
    }

    /// The rows of each point; one empty set where rows cannot be chosen.
    async fn hot_sets(&self, control: &crate::postgres::Session) -> anyhow::Result<Vec<Vec<String>>> {
        let Some((relation, own)) = hot_rows::common_table(&self.transactions) else {
            return Ok(vec![Vec::new()]);
        };
        let Some((column, _)) = own[0].split_once('=') else { return Ok(vec![Vec::new()]) };
        let most = self.sweep.hot_rows.iter().max().copied().unwrap_or_default();
        let others = first_keys(control, &relation, column, most).await?;
        let needed = self.transactions.iter().map(|transaction| transaction.named().len()).max().unwrap_or(0);
        let mut rows = own.clone();
        rows.extend(others.into_iter().filter(|key| !own.contains(key)));
        let mut sets: Vec<Vec<String>> = Vec::new();
        for &count in &self.sweep.hot_rows {
            let set: Vec<String> = rows.iter().take(count as usize).cloned().collect();
            if set.len() >= needed && !sets.contains(&set) {
                sets.push(set);
            }
        }
        Ok(if sets.is_empty() { vec![own] } else { sets })
    }

    async fn point(&self, hot: &[String], setting: Setting) -> anyhow::Result<ContentionPoint> {
        let hot: Arc<Vec<String>> = Arc::new(hot.to_vec());
        let mut sessions = Vec::new();
        for _ in 0..setting.workers {
            sessions.push(self.connect().await?);
        }
        let start = clock::now();
        let until = start + self.sweep.point;
        let workers = sessions.into_iter().zip(0_u64..).map(|(session, number)| {
            let (transactions, hot) = (Arc::clone(&self.transactions), Arc::clone(&hot));
            let random = StdRng::seed_from_u64(self.options.seed.wrapping_add(number));
            tokio::spawn(
                async move { work(&session, &transactions, &hot, setting.taking, until, random).await },
            )
        });
        let mut total = Tally::default();
        for tally in futures_util::future::join_all(workers).await {
            total.add(tally?);
        }
        total.latencies_us.sort_by(f64::total_cmp);
        Ok(ContentionPoint {
            spec: self.spec.name.clone(),
            workers: setting.workers,
            hot_rows: u32::try_from(hot.len()).unwrap_or(u32::MAX),
            ordered: setting.taking == Taking::Ordered,
            deadlock_timeout_us: clock::duration_us(self.sweep.workers_timeout),
            duration_s: clock::elapsed_us(start) / 1e6,
            committed: total.latencies_us.len() as u64,
            deadlocks: total.deadlocks,
            retries: total.retries,
            failures: total.failures,
            latency: bystander::summarise(&total.latencies_us),
        })
    }

    async fn connect(&self) -> anyhow::Result<ObservedSession> {
        let mut config = self.place.target.config_for(self.database);
        let pace = Pace::Sweeping(self.sweep.workers_timeout);
        manner(self.place.target, self.options, &pace).configure(&mut config);
        Ok(self.place.target.observe(&config).await?)
    }
}

/// What workers counted.
#[derive(Debug, Default)]
struct Tally {
    latencies_us: Vec<f64>,
    deadlocks: u64,
    retries: u64,
    failures: u64,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.latencies_us.extend(other.latencies_us);
        self.deadlocks += other.deadlocks;
        self.retries += other.retries;
        self.failures += other.failures;
    }
}

/// Runs transactions one after another, each until it is committed.
async fn work(
    session: &ObservedSession,
    transactions: &[HotTransaction],
    hot: &[String],
    taking: Taking,
    until: Instant,
    mut random: StdRng,
) -> Tally {
    let mut tally = Tally::default();
    while clock::now() < until {
        let transaction = &transactions[random.random_range(0..transactions.len())];
        let statements = transaction.draw(hot, taking, &mut random);
        let start = clock::now();
        for attempt in 0..MAX_ATTEMPTS {
            // An attempt begun in time is finished; none is begun afterwards.
            if attempt > 0 && clock::now() >= until {
                break;
            }
            tally.retries += u64::from(attempt > 0);
            let all = transaction.setup.iter().chain(&statements).map(String::as_str);
            match measure::transact(session, all).await {
                None => {
                    // An ended session's WARNING for a COMMIT too many is nobody's message.
                    let _ = session.take_messages();
                    tally.latencies_us.push(clock::elapsed_us(start));
                    break;
                }
                Some(sqlstate) if sqlstate == "40P01" => tally.deadlocks += 1,
                Some(_) => tally.failures += 1,
            }
        }
    }
    tally
}
