//! The scenario's input and output: databases, explaining, sampling, and the
//! report as it grows.

use super::Options;
use super::budget::is_timed;
use super::changes::compare;
use super::counters::{Caps, explain_all, explain_set};
use super::growth::{VolumeRecords, growth};
use super::index::candidate;
use super::reason::worst_set;
use super::record::{ExplainedSet, Failure, Latencies, QueryRecord};
use super::sample::{self, ConnectionPlan, ConnectionSamples, Participant};
use super::schedule::{CONNECTIONS_MAX, SAMPLES_PER_CONNECTION, Schedule, samples_per_connection, warm_up};
use super::summary::{doubts, summarise};
use super::trial::try_index;
use super::verdict::{counters_fail, decide_all, is_settled, judge, scenario_verdict, summary};
use super::workload::PreparedQuery;
use crate::load::{Address, Encryption};
use crate::model::evidence::Evidence;
use crate::model::evidence::slow_queries::{
    DecisionRule, IndexTrial, LatencySummary, QueryEvidence, SlowQueriesEvidence, VolumeEvidence,
};
use crate::model::{
    Finding, Measurement, MeasurementWarning, Metric, Scenario, ScenarioReport, TargetKind, Unit, Variant,
    Verdict,
};
use crate::parameters;
use crate::prepare::Context;
use crate::project::query::Query;
use crate::project::settings::Volume;
use crate::stats::clock;
use anyhow::{Context as _, bail};
use std::sync::Arc;
use std::time::Duration;
use tokio_postgres::config::SslMode;

/// Asks whether every query stays within its budgets.
///
/// # Errors
/// A volume or query is unknown, a database cannot be made ready, or the
/// server is lost. A query that fails or is over budget is a result.
pub async fn run(context: &Context<'_>, options: &Options) -> anyhow::Result<ScenarioReport> {
    let start = clock::now();
    let queries = chosen_queries(&context.project.queries, &options.queries)?;
    let volumes = chosen_volumes(context, &options.volumes)?;
    let plan = MeasuringPlan::new(context, options, &queries, &volumes);
    let mut report = Report::new(options, &plan);
    report.warnings.extend(durability_warnings(context));
    report.warnings.extend(plan.cold.then(cold_is_not_cold));
    let mut records: Vec<(f64, Vec<QueryRecord>)> = Vec::new();
    for volume in &volumes {
        let measured = measure_volume(context, options, &plan, volume, &queries).await?;
        report.add(volume, &measured);
        records.push((volume.factor, measured.records));
        let so_far: Vec<VolumeRecords<'_>> =
            records.iter().map(|(factor, records)| VolumeRecords { factor: *factor, records }).collect();
        report.evidence.growth = growth(&so_far, 0.95);
        (context.checkpoint)(&report.finish(clock::now().duration_since(start)));
    }
    Ok(report.finish(clock::now().duration_since(start)))
}

fn chosen_queries<'a>(all: &'a [Query], names: &[String]) -> anyhow::Result<Vec<&'a Query>> {
    if let Some(unknown) = names.iter().find(|name| all.iter().all(|query| query.name != **name)) {
        let known: Vec<&str> = all.iter().map(|query| query.name.as_str()).collect();
        bail!("there is no query named {unknown}; the project has {}", known.join(", "));
    }
    Ok(all.iter().filter(|query| names.is_empty() || names.contains(&query.name)).collect())
}

fn chosen_volumes(context: &Context<'_>, names: &[String]) -> anyhow::Result<Vec<Volume>> {
    let all = &context.project.settings.volumes;
    let mut chosen: Vec<Volume> = if names.is_empty() {
        all.iter().take(1).cloned().collect()
    } else {
        let find = |name: &String| {
            all.iter().find(|volume| volume.name == *name).cloned().with_context(|| {
                let known: Vec<&str> = all.iter().map(|volume| volume.name.as_str()).collect();
                format!("there is no volume named {name}; the project has {}", known.join(", "))
            })
        };
        names.iter().map(find).collect::<anyhow::Result<_>>()?
    };
    chosen.sort_by(|a, b| a.factor.total_cmp(&b.factor));
    Ok(chosen)
}

/// What is fixed before the first sample.
struct MeasuringPlan {
    /// Fewest connections before a fast query that is decided may be left alone.
    connections_min: usize,
    schedule: Schedule,
    time_budgets: usize,
    run_confidence: f64,
    max: Duration,
    max_samples: u64,
    cold: bool,
}

impl MeasuringPlan {
    fn new(context: &Context<'_>, options: &Options, queries: &[&Query], volumes: &[Volume]) -> Self {
        let settings = &context.project.settings.slow_queries;
        let holds_at = |volume: &Volume| {
            let budgets = queries.iter().flat_map(|query| &query.budgets);
            budgets
                .filter(|b| is_timed(b) && b.volume.as_deref().is_none_or(|only| only == volume.name))
                .count()
        };
        let time_budgets: usize = volumes.iter().map(holds_at).sum();
        let connections_min = settings.connections as usize;
        let affordable = usize::try_from(settings.max_samples).unwrap_or(usize::MAX) / SAMPLES_PER_CONNECTION;
        let connections_max = affordable.clamp(1, CONNECTIONS_MAX);
        Self {
            connections_min,
            schedule: Schedule::new(connections_min, connections_max, time_budgets, options.confidence),
            time_budgets,
            run_confidence: options.confidence,
            max: Duration::from_secs_f64(settings.max_seconds.clamp(0.001, 86_400.0)),
            max_samples: settings.max_samples,
            cold: settings.cold,
        }
    }

    fn caps(&self, context: &Context<'_>) -> Caps {
        Caps {
            statement: self.max,
            query: self.max / 4,
            may_write: context.target.description().kind != TargetKind::Precious,
        }
    }

    fn rule(&self) -> DecisionRule {
        DecisionRule {
            confidence: self.run_confidence,
            time_budgets: self.time_budgets,
            looks: self.schedule.looks.len(),
            each: 0.5 * (1.0 + self.schedule.confidence),
            warm_up: warm_up(0.0),
            cold: self.cold,
        }
    }
}

fn durability_warnings(context: &Context<'_>) -> Vec<MeasurementWarning> {
    let durability = &context.target.description().durability;
    let mut off = Vec::new();
    if !durability.fsync {
        off.push("fsync=off".to_owned());
    }
    if durability.synchronous_commit == "off" {
        off.push("synchronous_commit=off".to_owned());
    }
    if !durability.full_page_writes {
        off.push("full_page_writes=off".to_owned());
    }
    off.into_iter().map(|setting| MeasurementWarning::DurabilityOff { setting }).collect()
}

/// The server offers no way to empty its caches, and the operating system none to users.
fn cold_is_not_cold() -> MeasurementWarning {
    MeasurementWarning::Other {
        code: "caches-not-dropped",
        message: "cold = true was asked for, but only the first execution of each parameter set met a cold cache: times are of a warm one".into(),
    }
}

/// One volume, observed and judged.
struct MeasuredVolume {
    records: Vec<QueryRecord>,
    queries: Vec<QueryEvidence>,
    findings: Vec<Finding>,
    ping: Latencies,
    cpu_share: f64,
    cpu_per_execution_us: f64,
    warnings: Vec<MeasurementWarning>,
}

async fn measure_volume(
    context: &Context<'_>,
    options: &Options,
    plan: &MeasuringPlan,
    volume: &Volume,
    queries: &[&Query],
) -> anyhow::Result<MeasuredVolume> {
    let is_precious = context.target.description().kind == TargetKind::Precious;
    let template = if is_precious {
        context.target.database().to_owned()
    } else {
        context.databases.at_head(&volume.name).await?
    };
    let database = if is_precious {
        template.clone()
    } else {
        context.target.clone_database(&template, &format!("slow {}", volume.name)).await?
    };
    let outcome = measure_database(context, options, plan, volume, queries, &template, &database).await;
    if !is_precious {
        context.target.drop_database(&database).await?;
    }
    outcome
}

async fn measure_database(
    context: &Context<'_>,
    options: &Options,
    plan: &MeasuringPlan,
    volume: &Volume,
    queries: &[&Query],
    template: &str,
    database: &str,
) -> anyhow::Result<MeasuredVolume> {
    let prepared = prepare(context, options, volume, queries, database).await?;
    let mut sampling = Sampling::new(context, plan, database, prepared)?;
    sampling.explain(context, plan, database).await?;
    sampling.sample_all(context, plan).await?;
    if options.hash_results {
        sampling.hash_results(context, plan).await?;
    }
    let mut measured = MeasuredVolume {
        records: Vec::new(),
        queries: Vec::new(),
        findings: Vec::new(),
        cpu_share: sampling.cpu.as_secs_f64() / sampling.wall.as_secs_f64().max(1e-9),
        cpu_per_execution_us: sampling.cpu.as_secs_f64() * 1e6 / sampling.executions.max(1) as f64,
        ping: Latencies::default(),
        warnings: sampling.warnings.clone(),
    };
    for (record, query) in sampling.records.iter_mut().zip(&sampling.queries) {
        let trial = investigate(
            context,
            options,
            plan,
            template,
            database,
            record,
            query,
            &sampling.ping,
            &mut measured.warnings,
        )
        .await;
        let trial = match trial {
            Ok(trial) => trial,
            Err(error) => {
                measured.warnings.push(MeasurementWarning::Other {
                    code: "no-index-trial",
                    message: format!("no index could be tried for {}: {error:#}", query.name),
                });
                None
            }
        };
        let mut judged = judge(record, &sampling.ping, plan.schedule.confidence, trial);
        if let Some(baseline) = &options.baseline {
            let version = &context.target.description().server_version;
            compare(baseline, &volume.name, version, &judged.evidence, &mut judged.findings);
            judged.take_findings_into_account();
        }
        measured.queries.push(judged.evidence);
        measured.findings.extend(judged.findings);
    }
    measured.warnings.extend(doubts(&sampling.ping, measured.cpu_share, cfg!(debug_assertions)));
    measured.records = sampling.records;
    measured.ping = sampling.ping;
    Ok(measured)
}

async fn prepare(
    context: &Context<'_>,
    options: &Options,
    volume: &Volume,
    queries: &[&Query],
    database: &str,
) -> anyhow::Result<Vec<Arc<PreparedQuery>>> {
    let session = context.target.connect_to(database).await?;
    let mut prepared = Vec::with_capacity(queries.len());
    for query in queries {
        let count = if query.parameters.is_empty() { 1 } else { options.parameter_sets.max(1) };
        let sets = parameters::draw(&session, query, context.seed, count).await.with_context(|| {
            format!("{}:{}: parameters of {}", query.path.display(), query.line, query.name)
        })?;
        prepared.push(Arc::new(PreparedQuery::new(query, &volume.name, sets)));
    }
    Ok(prepared)
}

/// For a query with a broken budget: its worst plan with the time of every
/// node, and an index tried on a clone.
#[expect(clippy::too_many_arguments, reason = "everything known of one query at the end of its volume")]
async fn investigate(
    context: &Context<'_>,
    options: &Options,
    plan: &MeasuringPlan,
    template: &str,
    database: &str,
    record: &mut QueryRecord,
    query: &PreparedQuery,
    ping: &Latencies,
    warnings: &mut Vec<MeasurementWarning>,
) -> anyhow::Result<Option<IndexTrial>> {
    let decided = decide_all(record, ping, plan.schedule.confidence);
    let is_broken = decided.iter().any(|budget| budget.verdict == Verdict::Fail);
    let Some(label) = worst_set(record).filter(|_| is_broken).map(|set| set.label.clone()) else {
        return Ok(None);
    };
    let Some(set) = query.sets.iter().find(|set| set.label == label) else { return Ok(None) };
    let caps = plan.caps(context);
    let session = context.target.connect_to(database).await?;
    let plans = explain_set(&session, query, set, record.writes, true, caps).await?;
    let found = plans.iter().find_map(candidate);
    let timed = ExplainedSet { label, plans };
    if timed.blocks_read() > 0 && !plan.cold {
        warnings.push(MeasurementWarning::ColdCache { subject: query.name.clone() });
    }
    if let Some(worst) = record.explained.iter_mut().find(|explained| explained.label == timed.label) {
        *worst = timed;
    }
    match found {
        Some(found) if options.try_indexes && caps.may_write => {
            context.progress.say(&format!("{}: trying {} on a clone", query.name, found.create_index(None)));
            Ok(Some(try_index(context.target, template, &found, query, set, record.writes, caps).await?))
        }
        _ => Ok(None),
    }
}

/// The sampling of one volume, as it grows.
struct Sampling {
    address: Address,
    queries: Vec<Arc<PreparedQuery>>,
    records: Vec<QueryRecord>,
    /// Time spent in each query so far, in microseconds.
    spent_us: Vec<f64>,
    /// Whether more samples can change nothing.
    done: Vec<bool>,
    ping: Latencies,
    cpu: Duration,
    wall: Duration,
    executions: u64,
    warnings: Vec<MeasurementWarning>,
}

impl Sampling {
    fn new(
        context: &Context<'_>,
        plan: &MeasuringPlan,
        database: &str,
        queries: Vec<Arc<PreparedQuery>>,
    ) -> anyhow::Result<Self> {
        let config = context.target.config_for(database);
        let mut address = Address::of(&config).context("the target's address names no host or user")?;
        let timeout = format!("-c statement_timeout={}", plan.max.as_millis());
        address.options =
            Some(address.options.map_or_else(|| timeout.clone(), |options| format!("{options} {timeout}")));
        address.encryption = match config.get_ssl_mode() {
            SslMode::Disable => Encryption::Off,
            SslMode::Prefer => Encryption::Preferred(context.target.tls_config()),
            _ => Encryption::Required(context.target.tls_config()),
        };
        address.timeout = plan.max + Duration::from_secs(30);
        let records = queries.iter().map(|query| new_record(query)).collect();
        let (spent_us, done) = (vec![0.0; queries.len()], vec![false; queries.len()]);
        Ok(Self {
            address,
            queries,
            records,
            spent_us,
            done,
            ping: Latencies::default(),
            cpu: Duration::ZERO,
            wall: Duration::ZERO,
            executions: 0,
            warnings: Vec::new(),
        })
    }

    async fn explain(
        &mut self,
        context: &Context<'_>,
        plan: &MeasuringPlan,
        database: &str,
    ) -> anyhow::Result<()> {
        context.progress.phase("explaining queries", Some(self.queries.len() as u64));
        for index in 0..self.queries.len() {
            let query = &self.queries[index];
            let explained = explain_all(context.target, database, query, plan.caps(context)).await?;
            if explained.left_out > 0 {
                self.warnings.push(MeasurementWarning::BoundReached {
                    bound: format!("{:.1} s explaining {}", plan.max.as_secs_f64() / 4.0, query.name),
                    left_out: format!("{} parameter sets", explained.left_out),
                });
            }
            let record = &mut self.records[index];
            record.writes = explained.writes;
            record.explained = explained.sets;
            self.done[index] = explained.failure.is_some();
            record.failure = explained.failure;
            context.progress.advance_to(index as u64 + 1);
        }
        Ok(())
    }

    async fn sample_all(&mut self, context: &Context<'_>, plan: &MeasuringPlan) -> anyhow::Result<()> {
        let last = plan.schedule.looks.last().copied().unwrap_or(0);
        context.progress.phase("sampling", Some(last as u64));
        let mut opened = 0;
        for (number, &look) in plan.schedule.looks.iter().enumerate() {
            while opened < look && !self.done.iter().all(|done| *done) {
                let connection = self.plan_connection(context.seed, opened as u64, plan);
                let request = connection.clone();
                let samples = tokio::task::spawn_blocking(move || sample::take(&request)).await??;
                self.take_in(&connection, samples);
                opened += 1;
                context.progress.advance_to(opened as u64);
            }
            let is_last = number + 1 == plan.schedule.looks.len();
            self.look(plan, opened, is_last);
        }
        Ok(())
    }

    fn plan_connection(&self, seed: u64, number: u64, plan: &MeasuringPlan) -> ConnectionPlan {
        let max_us = plan.max.as_secs_f64() * 1e6;
        let participants: Vec<Participant> = (0..self.queries.len())
            .filter(|&index| !self.done[index])
            .map(|index| {
                let cost = typical_us(&self.records[index]);
                Participant {
                    index,
                    query: Arc::clone(&self.queries[index]),
                    writes: self.records[index].writes,
                    samples: samples_per_connection(cost, max_us),
                    warm_up: warm_up(cost),
                }
            })
            .collect();
        // A stream of its own per connection; the odd constant keeps neighbours apart.
        let seed = seed ^ (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ConnectionPlan {
            address: self.address.clone(),
            participants,
            ping_samples: SAMPLES_PER_CONNECTION,
            seed,
        }
    }

    /// Hashes the results of what could be executed.
    async fn hash_results(&mut self, context: &Context<'_>, plan: &MeasuringPlan) -> anyhow::Result<()> {
        let mut connection = self.plan_connection(context.seed, 0, plan);
        connection.participants = (0..self.queries.len())
            .filter(|&index| self.records[index].failure.is_none())
            .map(|index| Participant {
                index,
                query: Arc::clone(&self.queries[index]),
                writes: self.records[index].writes,
                samples: 0,
                warm_up: 0,
            })
            .collect();
        let request = connection.clone();
        let hashes = tokio::task::spawn_blocking(move || sample::hash_results(&request)).await??;
        for (participant, hash) in connection.participants.iter().zip(hashes) {
            self.records[participant.index].result_hash = hash;
        }
        Ok(())
    }

    fn take_in(&mut self, plan: &ConnectionPlan, samples: ConnectionSamples) {
        for (participant, taken) in plan.participants.iter().zip(samples.queries) {
            let record = &mut self.records[participant.index];
            for sample in &taken {
                let rows = &mut record.rows[sample.set];
                // The fewest seen: what the result guard is about.
                *rows = Some(rows.map_or(sample.rows, |known| known.min(sample.rows)));
            }
            self.spent_us[participant.index] += taken.iter().map(|sample| sample.latency_us).sum::<f64>();
            record.latencies.connections.push(taken.iter().map(|sample| sample.latency_us).collect());
        }
        for (position, message, is_timeout) in samples.failures {
            let index = plan.participants[position].index;
            self.done[index] = true;
            let after_us = self.address.timeout.saturating_sub(Duration::from_secs(30)).as_micros();
            self.records[index].failure = Some(if is_timeout {
                Failure::TimedOut { after_us: u64::try_from(after_us).unwrap_or(u64::MAX) }
            } else {
                Failure::Failed { message }
            });
        }
        self.ping.connections.push(samples.ping_us);
        self.cpu += samples.cpu;
        self.wall += samples.wall;
        self.executions += samples.executions;
    }

    /// Ends the sampling of what is decided or has reached a cap.
    fn look(&mut self, plan: &MeasuringPlan, opened: usize, is_last: bool) {
        let max_us = plan.max.as_secs_f64() * 1e6;
        for index in 0..self.records.len() {
            if self.done[index] {
                continue;
            }
            let record = &mut self.records[index];
            let is_settled =
                counters_fail(record) || is_settled(record, &self.ping, plan.schedule.confidence);
            let has_enough = opened >= plan.connections_min || self.spent_us[index] > max_us / 4.0;
            if is_settled && has_enough {
                self.done[index] = true;
            } else if self.spent_us[index] > max_us {
                self.done[index] = true;
                record.cap = Some(format!("{:.1} s", plan.max.as_secs_f64()));
            } else if record.latencies.count() as u64 >= plan.max_samples || is_last {
                self.done[index] = true;
                record.cap = Some(format!("{} samples", record.latencies.count()));
            }
        }
    }
}

fn new_record(query: &PreparedQuery) -> QueryRecord {
    QueryRecord {
        name: query.name.clone(),
        location: query.location.clone(),
        budgets: query.budgets.clone(),
        writes: false,
        explained: Vec::new(),
        latencies: Latencies::default(),
        rows: vec![None; query.sets.len()],
        labels: query.sets.iter().map(|set| set.label.clone()).collect(),
        result_hash: None,
        failure: None,
        cap: None,
    }
}

/// What one execution costs about, in microseconds, from its mean under EXPLAIN.
fn typical_us(record: &QueryRecord) -> f64 {
    let total: f64 = record.explained.iter().map(|set| set.execution_us() + set.planning_us()).sum();
    total / record.explained.len().max(1) as f64
}

/// The report as it grows.
struct Report {
    evidence: SlowQueriesEvidence,
    findings: Vec<Finding>,
    measurements: Vec<Measurement>,
    warnings: Vec<MeasurementWarning>,
}

impl Report {
    fn new(_options: &Options, plan: &MeasuringPlan) -> Self {
        Self {
            evidence: SlowQueriesEvidence { decision: plan.rule(), ..SlowQueriesEvidence::default() },
            findings: Vec::new(),
            measurements: Vec::new(),
            warnings: Vec::new(),
        }
    }

    fn add(&mut self, volume: &Volume, measured: &MeasuredVolume) {
        let ping = summarise(&measured.ping);
        if let Some(ping) = &ping {
            self.measurements.extend(time_measurements("ping", ping, &volume.name));
        }
        for query in &measured.queries {
            self.measurements.extend(measurements(query, &volume.name));
        }
        self.findings.extend(measured.findings.iter().cloned());
        for warning in &measured.warnings {
            if !self.warnings.contains(warning) {
                self.warnings.push(warning.clone());
            }
        }
        self.evidence.volumes.push(VolumeEvidence {
            volume: volume.name.clone(),
            factor: volume.factor,
            ping,
            client_cpu_share: measured.cpu_share,
            client_cpu_us: measured.cpu_per_execution_us,
            queries: measured.queries.clone(),
        });
    }

    fn finish(&self, duration: Duration) -> ScenarioReport {
        let queries: Vec<&QueryEvidence> =
            self.evidence.volumes.iter().flat_map(|volume| &volume.queries).collect();
        let mut findings = self.findings.clone();
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        ScenarioReport {
            scenario: Scenario::SlowQueries,
            verdict: scenario_verdict(&queries),
            summary: summary(&queries),
            findings,
            measurements: self.measurements.clone(),
            evidence: Evidence::SlowQueries(self.evidence.clone()),
            warnings: self.warnings.clone(),
            duration_ms: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

fn measurement(
    subject: &str,
    volume: &str,
    metric: Metric,
    unit: Unit,
    value: f64,
    samples: u64,
) -> Measurement {
    Measurement {
        subject: subject.to_owned(),
        metric,
        unit,
        value,
        samples,
        interval: None,
        volume: Some(volume.to_owned()),
        variant: Variant::Only,
    }
}

fn time_measurements(subject: &str, latency: &LatencySummary, volume: &str) -> Vec<Measurement> {
    let figures: [(Metric, f64); 6] = [
        ("avg", latency.avg_us),
        ("p50", latency.p50_us),
        ("p90", latency.p90_us),
        ("p95", latency.p95_us),
        ("p99", latency.p99_us),
        ("max", latency.max_us),
    ];
    let mut all: Vec<Measurement> = figures
        .into_iter()
        .map(|(metric, value)| {
            measurement(subject, volume, metric, Unit::Microseconds, value, latency.samples)
        })
        .collect();
    if let Some(p95) = all.iter_mut().find(|measurement| measurement.metric == "p95") {
        p95.interval = latency.p95_interval;
    }
    all
}

fn measurements(query: &QueryEvidence, volume: &str) -> Vec<Measurement> {
    let mut all: Vec<Measurement> =
        query.latency.iter().flat_map(|latency| time_measurements(&query.query, latency, volume)).collect();
    let sets = query.parameter_sets.len() as u64;
    if sets == 0 {
        return all;
    }
    let mean = |figure: fn(&crate::model::evidence::slow_queries::ParameterSetEvidence) -> u64| {
        query.parameter_sets.iter().map(figure).sum::<u64>() as f64 / sets as f64
    };
    all.push(measurement(&query.query, volume, "buffers", Unit::Blocks, mean(|set| set.buffers), sets));
    all.push(measurement(&query.query, volume, "rows", Unit::Rows, mean(|set| set.rows), sets));
    all.push(measurement(&query.query, volume, "rows_read", Unit::Rows, mean(|set| set.rows_read), sets));
    all
}
