//! The sampling of one volume: connection after connection, look after look,
//! until every query is decided or has reached a cap.

use super::counters::{Caps, explain_all};
use super::interruption::lock_cap;
use super::lock_waits;
use super::plan::MeasuringPlan;
use super::record::{Failure, Latencies, QueryRecord};
use super::rows::SetRows;
use super::sample::{self, ConnectionPlan, ConnectionSamples, Participant};
use super::schedule::{SAMPLES_PER_CONNECTION, samples_per_connection, warm_up};
use super::verdict::{counters_fail, is_settled};
use super::workload::{PreparedQuery, set_key};
use super::writers::{explain_writes, vacuum};
use crate::load::{Address, NO_ADDRESS};
use crate::model::{MeasurementWarning, TargetKind};
use crate::plan::Relations;
use crate::prepare::Context;
use crate::stats::clock;
use anyhow::Context as _;
use std::sync::Arc;
use std::time::Duration;

/// The sampling of one volume, as it grows.
pub(super) struct Sampling {
    pub(super) address: Address,
    pub(super) queries: Vec<Arc<PreparedQuery>>,
    /// The prepared database, from which clones are made.
    template: String,
    /// The database of each query: one for all that read, one each for those that write.
    databases: Vec<String>,
    /// Those that only one query uses.
    own_databases: Vec<String>,
    pub(super) records: Vec<QueryRecord>,
    /// Time spent in each query so far, in microseconds.
    pub(super) spent_us: Vec<f64>,
    /// Whether more samples can change nothing.
    pub(super) done: Vec<bool>,
    pub(super) ping: Latencies,
    pub(super) cpu: Duration,
    pub(super) wall: Duration,
    pub(super) executions: u64,
    pub(super) warnings: Vec<MeasurementWarning>,
}

impl Sampling {
    pub(super) fn new(
        context: &Context<'_>,
        plan: &MeasuringPlan,
        template: &str,
        database: &str,
        queries: Vec<Arc<PreparedQuery>>,
        relations: Relations,
    ) -> anyhow::Result<Self> {
        let mut settings = format!("-c statement_timeout={}", plan.max.as_millis());
        if context.target.description().kind == TargetKind::Precious {
            settings += &format!(" -c lock_timeout={}", lock_cap(plan.max).as_millis());
        }
        let mut address = Address::of_target(context.target, database, &settings).context(NO_ADDRESS)?;
        address.timeout = plan.max + Duration::from_secs(30);
        let relations = Arc::new(relations);
        let records: Vec<QueryRecord> = queries.iter().map(|query| new_record(query, &relations)).collect();
        let spent_us = vec![0.0; queries.len()];
        let done = records.iter().map(|record| record.failure.is_some()).collect();
        Ok(Self {
            address,
            template: template.to_owned(),
            databases: vec![database.to_owned(); queries.len()],
            own_databases: Vec::new(),
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

    pub(super) async fn explain(
        &mut self,
        context: &Context<'_>,
        plan: &MeasuringPlan,
    ) -> anyhow::Result<()> {
        context.progress.phase("explaining queries", Some(self.queries.len() as u64));
        for index in 0..self.queries.len() {
            if self.done[index] {
                continue;
            }
            let query = &self.queries[index];
            let target = context.target;
            let caps = Caps { server_times: plan.server_times(&query.budgets), ..plan.caps(context) };
            let mut explained = explain_all(target, &self.databases[index], query, caps).await?;
            if explained.writes && explained.failure.is_none() {
                explained = explain_writes(target, &self.template, query, caps).await?;
                let label = format!("slow {}", query.name);
                self.databases[index] = target.clone_database(&self.template, &label).await?;
                self.own_databases.push(self.databases[index].clone());
            }
            if explained.left_out > 0 {
                self.warnings.push(MeasurementWarning::BoundReached {
                    bound: format!("{:.1} s explaining {}", explained.cap.as_secs_f64(), query.name),
                    left_out: format!("{} parameter sets", explained.left_out),
                });
            }
            let record = &mut self.records[index];
            record.writes = explained.writes;
            let is_explained = |at: &usize| query.statements[*at].is_explainable();
            let positions: Vec<usize> = (0..query.statements.len()).filter(is_explained).collect();
            record.take_explained(explained.sets, &positions);
            record.server_times = explained.server_times;
            self.done[index] = explained.failure.is_some();
            if let Some(failure) = explained.failure {
                record.fail(failure);
            }
            context.progress.advance_to(index as u64 + 1);
        }
        Ok(())
    }

    pub(super) async fn sample_all(
        &mut self,
        context: &Context<'_>,
        plan: &MeasuringPlan,
    ) -> anyhow::Result<()> {
        let last = plan.schedule.looks.last().copied().unwrap_or(0);
        context.progress.phase("sampling", Some(last as u64));
        let mut opened = 0;
        let is_alone = context.target.description().kind != TargetKind::Precious;
        let observer =
            if is_alone { None } else { Some(context.target.connect_to(&self.address.database).await?) };
        self.records.iter_mut().for_each(|record| record.is_alone = is_alone);
        for (number, &look) in plan.schedule.looks.iter().enumerate() {
            while opened < look && !self.done.iter().all(|done| *done) {
                let connection = self.plan_connection(context.seed, opened as u64, plan);
                for connection in connection.apart() {
                    let emptying = clock::now();
                    for cold in connection.participants.iter().filter(|participant| participant.query.cold) {
                        context.target.empty_caches(&cold.database).await?;
                        self.spent_us[cold.index] += clock::elapsed_us(emptying);
                    }
                    let request = connection.clone();
                    let taking = tokio::task::spawn_blocking(move || sample::take(&request));
                    let samples = match &observer {
                        Some(observer) => {
                            lock_waits::watch(observer, taking, &self.queries, &mut self.records).await?
                        }
                        None => taking.await??,
                    };
                    self.take_in(&connection, samples);
                    for writer in connection.participants.iter().filter(|participant| participant.writes) {
                        vacuum(context.target, &writer.database, &self.records[writer.index]).await?;
                    }
                }
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
                    database: self.databases[index].clone(),
                    writes: self.records[index].writes,
                    samples: if self.queries[index].cold { 1 } else { samples_per_connection(cost, max_us) },
                    warm_up: if self.queries[index].cold { 0 } else { warm_up(cost) },
                }
            })
            .collect();
        // A stream of its own per connection; the odd constant keeps neighbours apart.
        let seed = seed ^ (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ConnectionPlan {
            address: self.address.clone(),
            participants,
            ping_samples: SAMPLES_PER_CONNECTION,
            statement_max: plan.max,
            seed,
        }
    }

    /// Hashes the results of what could be executed.
    pub(super) async fn hash_results(
        &mut self,
        context: &Context<'_>,
        plan: &MeasuringPlan,
    ) -> anyhow::Result<()> {
        let mut connection = self.plan_connection(context.seed, 0, plan);
        connection.participants = (0..self.queries.len())
            .filter(|&index| self.records[index].failure.is_none())
            .map(|index| Participant {
                index,
                query: Arc::clone(&self.queries[index]),
                database: self.databases[index].clone(),
                writes: self.records[index].writes,
                samples: 0,
                warm_up: 0,
            })
            .collect();
        for connection in connection.apart() {
            let request = connection.clone();
            let hashes = tokio::task::spawn_blocking(move || sample::hash_results(&request)).await??;
            for (participant, hashes) in connection.participants.iter().zip(hashes) {
                self.records[participant.index].result_hashes = hashes;
            }
        }
        Ok(())
    }

    /// Drops the databases that only one query used.
    pub(super) async fn drop_own_databases(&self, context: &Context<'_>) -> anyhow::Result<()> {
        for database in &self.own_databases {
            context.target.drop_database(database).await?;
        }
        Ok(())
    }

    fn take_in(&mut self, plan: &ConnectionPlan, samples: ConnectionSamples) {
        for (participant, taken) in plan.participants.iter().zip(samples.queries) {
            let record = &mut self.records[participant.index];
            for sample in &taken {
                let executed = participant.query.statements.iter().zip(&sample.rows).enumerate();
                for (at, (_, rows)) in executed.filter(|(_, (statement, _))| statement.counts_rows()) {
                    record.rows[sample.set].add(at, *rows);
                }
            }
            self.spent_us[participant.index] += taken.iter().map(|sample| sample.latency_us).sum::<f64>();
            record.latencies.connections.push(taken.iter().map(|sample| sample.latency_us).collect());
            let unhindered = taken.iter().map(|sample| sample.unhindered_us).collect();
            record.unhindered = record.unhindered.take().zip(unhindered).map(|(mut known, more)| {
                known.connections.push(more);
                known
            });
        }
        for (position, message, ended) in samples.failures {
            let index = plan.participants[position].index;
            self.done[index] = true;
            self.records[index].fail(match ended {
                Some(by) => Failure::interrupted(by, plan.statement_max, ""),
                None => Failure::Failed { message },
            });
        }
        if plan.ping_samples > 0 {
            self.ping.connections.push(samples.ping_us);
        }
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
            } else if record.latencies.count() as u64 >= plan.max_samples {
                self.done[index] = true;
                record.cap = Some(format!("{} samples", plan.max_samples));
            } else if is_last {
                self.done[index] = true;
                record.cap = Some(format!("{opened} connections"));
            }
        }
    }
}

impl ConnectionPlan {
    /// The warm queries that read share a connection; a cold one has a connection of its own, as
    /// what ran before it would have filled the caches, and so has one that writes, as it has a
    /// database of its own. The reference statement runs in the first.
    fn apart(self) -> Vec<Self> {
        let is_alone = |participant: &Participant| participant.query.cold || participant.writes;
        let (alone, shared): (Vec<Participant>, Vec<Participant>) =
            self.participants.iter().cloned().partition(is_alone);
        let groups = std::iter::once(shared).chain(alone.into_iter().map(|participant| vec![participant]));
        let connection = |participants: Vec<Participant>| {
            let database = participants.first()?.database.clone();
            let address = Address { database, ..self.address.clone() };
            let Self { seed, statement_max, .. } = self;
            Some(Self { address, participants, ping_samples: 0, statement_max, seed })
        };
        let mut plans: Vec<Self> = groups.filter_map(connection).collect();
        if let Some(first) = plans.first_mut() {
            first.ping_samples = self.ping_samples;
        }
        plans
    }
}

fn new_record(query: &PreparedQuery, relations: &Arc<Relations>) -> QueryRecord {
    QueryRecord {
        name: query.name.clone(),
        location: query.location.clone(),
        origin: query.origin.clone(),
        budgets: query.budgets.clone(),
        budgets_elsewhere: query.budgets_elsewhere,
        made_up: query.made_up.clone(),
        unplanned: query.unplanned().map(str::to_owned),
        relations: Arc::clone(relations),
        cold: query.cold,
        writes: false,
        explained: Vec::new(),
        server_times: Vec::new(),
        latencies: Latencies::default(),
        unhindered: Some(Latencies::default()),
        statements: query.statements.len(),
        rows: vec![SetRows::default(); query.sets.len()],
        labels: query.sets.iter().map(|set| set.label.clone()).collect(),
        keys: query.sets.iter().map(set_key).collect(),
        result_hashes: Vec::new(),
        lock_looks: None,
        is_alone: false,
        failure: query.unfit.clone().map(|reason| Failure::Unfit { reason }),
        cap: None,
    }
}

/// What one execution costs about, in microseconds, from its mean under EXPLAIN.
fn typical_us(record: &QueryRecord) -> f64 {
    let total: f64 = record.explained.iter().map(|set| set.execution_us() + set.planning_us()).sum();
    total / record.explained.len().max(1) as f64
}
