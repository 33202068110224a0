//! The input and output: the database, the slices one after another, and the
//! report as it grows.

use super::evidence::{Measured, report};
use super::workload::{self, Chosen, STATEMENT_TIMEOUT};
use super::{CONFIDENCE, DEFAULT_LIMIT, Error, Options, Question, SLICES_MIN};
use crate::load::judge::Rule;
use crate::load::schedule::arrivals;
use crate::load::search::{Bounds, Rung, Tried, next_rung, rate_of, rung_below};
use crate::load::slice::{Limit, SliceRecord};
use crate::load::step::Step;
use crate::load::{self, Address, Connections, NO_ADDRESS, Workload};
use crate::model::{ScenarioReport, TargetKind};
use crate::prepare::Context;
use crate::project::budget::Budget;
use crate::project::query::Query;
use crate::stats::clock;
use anyhow::Context as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The closed loop that tells where the search begins.
const CALIBRATION: Duration = Duration::from_millis(300);
/// The search begins at this part of what the closed loop served.
const START_SHARE: f64 = 0.25;

/// Asks which rate the database holds.
///
/// # Errors
/// The server may not be loaded, the database cannot be made ready, or the
/// server is lost. A rate that breaks is a result.
pub async fn run(context: &Context<'_>, options: &Options) -> anyhow::Result<ScenarioReport> {
    let volume = match &options.volume {
        Some(volume) => volume.clone(),
        None => context.project.settings.volumes.first().map(|v| v.name.clone()).unwrap_or_default(),
    };
    let is_precious = context.target.description().kind == TargetKind::Precious;
    let address = address(context, context.target.database())?;
    if !options.may_be_remote && !address.endpoint.is_this_machine() {
        return Err(Error::Remote { host: address.endpoint.to_string() }.into());
    }
    if is_precious {
        let database = context.target.database().to_owned();
        return on_database(context, options, &volume, &database).await;
    }
    let template = context.databases.at_head(&volume).await?;
    let database = context.target.clone_database(&template, "load").await?;
    let outcome = on_database(context, options, &volume, &database).await;
    context.target.drop_database(&database).await?;
    outcome
}

async fn on_database(
    context: &Context<'_>,
    options: &Options,
    volume: &str,
    database: &str,
) -> anyhow::Result<ScenarioReport> {
    let Chosen { workload, queries, left_out } = workload::prepare(context, options, database).await?;
    if workload.queries.is_empty() {
        return Err(Error::OnlyWrites { queries: left_out }.into());
    }
    let (limits, origins) = limits(context, options, volume, &queries);
    let connections = match options.question {
        Question::Clients(clients) => clients,
        _ => options.connections.unwrap_or(context.project.settings.load.connections as usize),
    };
    let rule = Rule {
        limits,
        confidence: CONFIDENCE,
        slices_min: SLICES_MIN,
        slices_max: options.slices_max.max(SLICES_MIN),
        slice: options.slice,
        connections,
        cpu_count: std::thread::available_parallelism().map_or(1, usize::from),
    };
    let mut load = Load {
        context,
        options,
        database: database.to_owned(),
        address: address(context, database)?,
        shares: workload.shares(),
        workload: Arc::new(workload),
        start: clock::now(),
        slices: 0,
        measured: Measured {
            volume: volume.to_owned(),
            rule,
            origins,
            left_out,
            steps: Vec::new(),
            is_cut: None,
            duration: Duration::ZERO,
        },
    };
    match options.question {
        Question::Clients(_) => load.closed().await?,
        Question::Rate(rate) => load.at(rate).await?,
        Question::Find => load.find().await?,
    }
    load.measured.duration = clock::now().duration_since(load.start);
    Ok(report(&load.measured, options, &load.workload))
}

/// Ends the threads of a slice when nobody waits for it any more.
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A load as it goes on.
struct Load<'a> {
    context: &'a Context<'a>,
    options: &'a Options,
    database: String,
    address: Address,
    workload: Arc<Workload>,
    shares: Vec<f64>,
    start: Instant,
    slices: usize,
    measured: Measured,
}

impl Load<'_> {
    /// One rate until it is decided.
    async fn at(&mut self, rate: f64) -> anyhow::Result<()> {
        self.context
            .progress
            .phase(&format!("{rate} requests/s"), Some(self.measured.rule.slices_max as u64));
        for done in 0..self.measured.rule.slices_max {
            if done > 0 && self.is_late() {
                break;
            }
            self.slice(rate).await?;
            self.context.progress.advance_to(done as u64 + 1);
            let slices = &self.measured.steps[0].slices;
            if self.measured.rule.judge(slices).outcome.is_decided() {
                break;
            }
        }
        Ok(())
    }

    /// So many clients, as many slices as a rate needs at least.
    async fn closed(&mut self) -> anyhow::Result<()> {
        self.context.progress.phase("closed loop", Some(SLICES_MIN as u64));
        self.measured.steps.push(Step::new(0.0, self.workload.queries.len()));
        for done in 0..SLICES_MIN {
            let record = self.closed_slice(self.measured.rule.slice).await?;
            self.take_in(0, &record).await?;
            self.context.progress.advance_to(done as u64 + 1);
        }
        Ok(())
    }

    async fn find(&mut self) -> anyhow::Result<()> {
        self.context.progress.phase("looking for the line", None);
        let bounds = self.bounds().await?;
        while let Some(rung) = next_rung(&self.measured.tried(), &bounds) {
            if self.is_late() {
                return Ok(());
            }
            let step = self.slice(rate_of(rung)).await?;
            self.context.progress.phase(&self.line_of_progress(step), None);
        }
        Ok(())
    }

    /// Whether the time is over; said in the report.
    fn is_late(&mut self) -> bool {
        let is_late = clock::now().duration_since(self.start) >= self.options.max_time;
        if is_late {
            self.measured.is_cut = Some(format!("{:.0} s (--max-time)", self.options.max_time.as_secs_f64()));
        }
        is_late
    }

    async fn bounds(&mut self) -> anyhow::Result<Bounds> {
        let record = self.closed_slice(CALIBRATION).await?;
        let completed = record.served.iter().filter(|one| one.failure.is_none());
        let end = completed.clone().map(|one| one.finished).max().unwrap_or_default().max(CALIBRATION);
        let completed = completed.count();
        if completed == 0 {
            let message = record.messages.into_values().next().unwrap_or_else(|| "none".into());
            return Err(Error::NothingSucceeds { message }.into());
        }
        let highest = rung_below(self.options.rate_max);
        let lowest = rung_below(self.measured.rule.lowest_rate(&self.shares)).min(highest);
        let start = rung_below(START_SHARE * completed as f64 / end.as_secs_f64());
        Ok(Bounds {
            start: coarse(start).clamp(lowest, highest),
            lowest,
            highest,
            slices_max: self.measured.rule.slices_max,
            floor: self.options.at_least,
        })
    }

    fn line_of_progress(&self, step: usize) -> String {
        let step = &self.measured.steps[step];
        format!("{}/s {}", step.rate, self.measured.rule.judge(&step.slices).outcome.word())
    }

    /// One slice at a rate; the step it belongs to.
    async fn slice(&mut self, rate: f64) -> anyhow::Result<usize> {
        let steps = &mut self.measured.steps;
        let step = steps.iter().position(|step| step.rate.total_cmp(&rate).is_eq()).unwrap_or_else(|| {
            steps.push(Step::new(rate, self.workload.queries.len()));
            steps.len() - 1
        });
        let rule = &self.measured.rule;
        let (length, grace) = (rule.slice_length(rate, &self.shares, steps[step].slices.len()), rule.grace());
        let due = arrivals(&self.workload, self.options.pacing, rate, length, self.slice_seed());
        let record = self
            .blocking(rule.connections, move |connections| load::run_open(connections, &due, length, grace))
            .await?;
        self.take_in(step, &record).await?;
        Ok(step)
    }

    async fn closed_slice(&mut self, length: Duration) -> anyhow::Result<SliceRecord> {
        let seed = self.slice_seed();
        let clients = self.measured.rule.connections;
        self.blocking(clients, move |connections| load::run_closed(connections, length, seed)).await
    }

    /// A stream of its own per slice; the odd constant keeps neighbours apart.
    fn slice_seed(&self) -> u64 {
        self.context.seed ^ (self.slices as u64 + 1).wrapping_mul(0xd1b5_4a32_d192_ed03)
    }

    async fn blocking(
        &self,
        count: usize,
        work: impl FnOnce(Connections<'_>) -> Result<SliceRecord, load::Error> + Send + 'static,
    ) -> anyhow::Result<SliceRecord> {
        let stop = Arc::new(AtomicBool::new(false));
        let guard = StopOnDrop(Arc::clone(&stop));
        let (address, workload) = (self.address.clone(), Arc::clone(&self.workload));
        let began = clock::now().duration_since(self.start);
        let working = tokio::task::spawn_blocking(move || {
            work(Connections { address: &address, workload: &workload, count, stop: &stop })
        });
        let record = working.await?.with_context(|| {
            format!("{count} connections to {} could not carry the load", self.address.endpoint)
        })?;
        drop(guard);
        Ok(SliceRecord { began, ..record })
    }

    async fn take_in(&mut self, step: usize, record: &SliceRecord) -> anyhow::Result<()> {
        self.slices += 1;
        self.measured.steps[step].add(record, &self.measured.rule.limits);
        self.measured.duration = clock::now().duration_since(self.start);
        (self.context.checkpoint)(&report(&self.measured, self.options, &self.workload));
        if self.workload.queries.iter().any(|query| query.writes) {
            // What was rolled back leaves dead rows; where autovacuum runs it takes them too.
            self.context.target.connect_to(&self.database).await?.batch_execute("VACUUM").await?;
        }
        Ok(())
    }
}

impl Measured {
    /// Every rate as the search sees it.
    pub(super) fn tried(&self) -> Vec<Tried> {
        let tried = |step: &Step| {
            let judgement = self.rule.judge(&step.slices);
            let sustained = judgement.sustained(step.rate);
            Tried {
                rung: rung_below(step.rate),
                slices: step.slices.len(),
                outcome: judgement.outcome,
                sustained,
            }
        };
        self.steps.iter().map(tried).collect()
    }
}

/// A rung of the scale that the search climbs.
fn coarse(rung: Rung) -> Rung {
    rung.div_euclid(4) * 4
}

/// What has to hold, and who said so: the command line, the project, the queries' own budgets,
/// or nobody.
fn limits(
    context: &Context<'_>,
    options: &Options,
    volume: &str,
    queries: &[&Query],
) -> (Vec<Limit>, &'static str) {
    let whole = |budgets: &[Budget]| budgets.iter().filter_map(|budget| limit(budget, None, "")).collect();
    if !options.limits.is_empty() {
        return (whole(&options.limits), "asked");
    }
    let settings = &context.project.settings.load;
    if !settings.limits.is_empty() {
        return (whole(&settings.limits), "project");
    }
    let holds = |budget: &&Budget| budget.volume.as_deref().is_none_or(|only| only == volume);
    let own: Vec<Limit> = queries
        .iter()
        .enumerate()
        .flat_map(|(index, query)| {
            query
                .budgets
                .iter()
                .filter(holds)
                .filter_map(move |budget| limit(budget, Some(index), &query.name))
        })
        .collect();
    if own.is_empty() {
        return (whole(&Budget::latency_limits(DEFAULT_LIMIT).unwrap_or_default()), "default");
    }
    (own, "project")
}

fn limit(budget: &Budget, query: Option<usize>, name: &str) -> Option<Limit> {
    let (quantile, limit_us) = budget.percentile_limit()?;
    let text = if name.is_empty() { budget.text.clone() } else { format!("{name} {}", budget.text) };
    Some(Limit { text, query, quantile, latency: Duration::from_secs_f64(limit_us / 1e6) })
}

fn address(context: &Context<'_>, database: &str) -> anyhow::Result<Address> {
    let settings = format!("-c statement_timeout={STATEMENT_TIMEOUT}");
    Address::of_target(context.target, database, &settings).context(NO_ADDRESS)
}
