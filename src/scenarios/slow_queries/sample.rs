//! One connection's worth of samples: connect, prepare, warm up, execute in
//! random turns, time. Blocking, so that nothing but the statement is timed.

use super::interruption::{Interruption, interruption};
use super::machine::{EndTimes, Ends};
use super::schedule::turns;
use super::workload::PreparedQuery;
use crate::load::{Address, Client, Error, Request, Statement, thread_cpu_time};
use crate::stats::clock;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The reference statement: what any statement costs here before it does anything.
const PING: &str = "SELECT 1";

/// A query taking part in this connection.
#[derive(Debug, Clone)]
pub(crate) struct Participant {
    /// Which query of the volume.
    pub(crate) index: usize,
    /// The query.
    pub(crate) query: Arc<PreparedQuery>,
    /// The database it is executed in: a clone of its own where it writes.
    pub(crate) database: String,
    /// Whether it needs a transaction that may write.
    pub(crate) writes: bool,
    /// Samples to take.
    pub(crate) samples: usize,
    /// Executions before that.
    pub(crate) warm_up: usize,
}

/// What one connection is asked to do.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionPlan {
    /// Where to connect.
    pub(crate) address: Address,
    /// Who takes part.
    pub(crate) participants: Vec<Participant>,
    /// Samples of the reference statement.
    pub(crate) ping_samples: usize,
    /// A statement is cancelled after this.
    pub(crate) statement_max: Duration,
    /// Replays the turns and the choice of parameter sets.
    pub(crate) seed: u64,
}

/// One execution.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sample {
    /// Parameter set.
    pub(crate) set: usize,
    /// Client-seen time, in microseconds.
    pub(crate) latency_us: f64,
    /// The least it would have been with a processor always free, where that can be told.
    pub(crate) unhindered_us: Option<f64>,
    /// Rows that each statement returned or changed.
    pub(crate) rows: Vec<u64>,
}

/// What one connection observed.
#[derive(Debug, Default)]
pub(crate) struct ConnectionSamples {
    /// Per participant, in their order.
    pub(crate) queries: Vec<Vec<Sample>>,
    /// Errors of participants, which then took no further turns, and the cap that ended them.
    pub(crate) failures: Vec<(usize, String, Option<Interruption>)>,
    /// The reference statement's times, in microseconds.
    pub(crate) ping_us: Vec<f64>,
    /// CPU time of the client while recording.
    pub(crate) cpu: Duration,
    /// Wall time of the recording.
    pub(crate) wall: Duration,
    /// Statements executed while recording.
    pub(crate) executions: u64,
}

/// A participant's statements on this connection.
struct Prepared {
    /// Prepared when first executed: one of a transaction may need what those before it create.
    statements: Vec<Option<Statement>>,
    /// By parameter set, then by statement; bound when first needed.
    requests: Vec<Vec<Option<Request>>>,
}

impl Prepared {
    fn new(query: &PreparedQuery) -> Self {
        let count = query.statements.len();
        Self { statements: vec![None; count], requests: vec![vec![None; count]; query.sets.len().max(1)] }
    }

    fn statement(
        &mut self,
        client: &mut Client,
        query: &PreparedQuery,
        at: usize,
    ) -> Result<&Statement, Error> {
        match &mut self.statements[at] {
            Some(statement) => Ok(statement),
            empty => Ok(empty.insert(client.prepare(&query.statements[at].sql)?)),
        }
    }

    fn request(
        &mut self,
        client: &mut Client,
        query: &PreparedQuery,
        set: usize,
        at: usize,
    ) -> Result<&Request, Error> {
        if self.requests[set][at].is_none() {
            let values = query.statements[at].values(&query.sets[set]);
            self.requests[set][at] = Some(self.statement(client, query, at)?.bind(&values)?);
        }
        self.requests[set][at].as_ref().ok_or_else(|| Error::Protocol("nothing was bound".into()))
    }
}

struct Connection<'a> {
    client: Client,
    plan: &'a ConnectionPlan,
    prepared: Vec<Option<Prepared>>,
    /// Where both ends run on this machine.
    ends: Option<Ends>,
    observed: ConnectionSamples,
    random: Xoshiro256PlusPlus,
}

/// Opens a connection and takes its samples.
///
/// # Errors
/// The connection cannot be opened or is lost. An error of one query only ends
/// that query's turns.
pub(crate) fn take(plan: &ConnectionPlan) -> Result<ConnectionSamples, Error> {
    let client = Client::connect(&plan.address)?;
    let ends = Ends::of(&client, &plan.address.endpoint);
    let count = plan.participants.len();
    let mut connection = Connection {
        client,
        plan,
        prepared: Vec::with_capacity(count),
        ends: None,
        observed: ConnectionSamples { queries: vec![Vec::new(); count], ..ConnectionSamples::default() },
        random: Xoshiro256PlusPlus::seed_from_u64(plan.seed),
    };
    let ping = connection.client.prepare(PING)?.bind(&[])?;
    let start = ends.as_ref().and_then(Ends::so_far);
    connection.prepare()?;
    connection.warm_up(&ping)?;
    connection.ends = ends.filter(|ends| {
        let is_ours = |(now, start): (EndTimes, &EndTimes)| now.backend_ran_since(start);
        ends.so_far().zip(start.as_ref()).is_some_and(is_ours)
    });
    connection.record(&ping)?;
    Ok(connection.observed)
}

impl Connection<'_> {
    fn prepare(&mut self) -> Result<(), Error> {
        for position in 0..self.plan.participants.len() {
            let query = &self.plan.participants[position].query;
            let mut prepared = Prepared::new(query);
            let begun = clock::now();
            // What stands alone needs nothing before it, and so can be prepared before anything is timed.
            let first = match query.statements.len() {
                1 => prepared.statement(&mut self.client, query, 0).map(|_| ()),
                _ => Ok(()),
            };
            let survived = self.survive(position, begun, first)?;
            self.prepared.push(survived.map(|()| prepared));
        }
        Ok(())
    }

    fn warm_up(&mut self, ping: &Request) -> Result<(), Error> {
        for position in 0..self.plan.participants.len() {
            for _ in 0..self.plan.participants[position].warm_up {
                self.turn(position)?;
            }
        }
        for _ in 0..self.plan.ping_samples.min(5) {
            self.client.execute(ping)?;
        }
        Ok(())
    }

    fn record(&mut self, ping: &Request) -> Result<(), Error> {
        let mut counts: Vec<usize> = self.plan.participants.iter().map(|p| p.samples).collect();
        counts.push(self.plan.ping_samples);
        let order = turns(&counts, self.plan.seed);
        let (cpu, start) = (thread_cpu_time(), clock::now());
        for position in order {
            if position == self.plan.participants.len() {
                let execution = self.client.execute(ping)?;
                self.observed.ping_us.push(execution.latency.as_secs_f64() * 1e6);
                self.observed.executions += 1;
            } else if let Some(sample) = self.turn(position)? {
                self.observed.queries[position].push(sample);
                self.observed.executions += self.plan.participants[position].query.statements.len() as u64;
            }
        }
        self.observed.cpu = thread_cpu_time() - cpu;
        self.observed.wall = clock::now().duration_since(start);
        Ok(())
    }

    /// One execution of a participant with a random parameter set. `None`
    /// where it failed, now or before.
    fn turn(&mut self, position: usize) -> Result<Option<Sample>, Error> {
        let participant = &self.plan.participants[position];
        let set = self.random.random_range(0..participant.query.sets.len().max(1));
        if self.prepared[position].is_none() {
            return Ok(None);
        }
        let begun = clock::now();
        let executed = self.execute(position, set);
        self.survive(position, begun, executed)
    }

    fn execute(&mut self, position: usize, set: usize) -> Result<Sample, Error> {
        let participant = &self.plan.participants[position];
        let in_transaction = participant.writes || participant.query.in_transaction();
        let Some(prepared) = self.prepared[position].as_mut() else {
            return Err(Error::Protocol("an unprepared query took a turn".into()));
        };
        if in_transaction {
            self.client.simple(if participant.writes { "BEGIN" } else { "BEGIN READ ONLY" })?;
        }
        let query = &participant.query;
        let rows = Vec::with_capacity(query.statements.len());
        let mut sample = Sample { set, latency_us: 0.0, unhindered_us: Some(0.0), rows };
        let mut outcome = Ok(());
        for at in 0..query.statements.len() {
            let request = prepared.request(&mut self.client, query, set, at);
            let before = self.ends.as_ref().and_then(Ends::so_far);
            match request.and_then(|request| self.client.execute(request)) {
                Ok(execution) => {
                    let after = self.ends.as_ref().and_then(Ends::so_far);
                    let least =
                        after.zip(before).map(|(now, start)| now.unhindered(&start, execution.latency));
                    let sum = sample.unhindered_us.zip(least);
                    sample.unhindered_us = sum.map(|(sum, least)| sum + least.as_secs_f64() * 1e6);
                    sample.latency_us += execution.latency.as_secs_f64() * 1e6;
                    sample.rows.push(execution.rows);
                }
                Err(error) => {
                    outcome = Err(error);
                    break;
                }
            }
        }
        // A failed transaction must be rolled back too; a lost connection fails again and says so.
        if in_transaction && matches!(outcome, Ok(()) | Err(Error::Server(_))) {
            self.client.simple("ROLLBACK")?;
        }
        outcome.map(|()| sample)
    }

    /// Lets the connection outlive an error of the server, which ends the
    /// participant's turns and is kept.
    fn survive<T>(
        &mut self,
        position: usize,
        begun: Instant,
        outcome: Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        match outcome {
            Ok(value) => Ok(Some(value)),
            Err(Error::Server(error)) => {
                let elapsed = clock::now().duration_since(begun);
                let ended = interruption(&error.sqlstate, elapsed, self.plan.statement_max);
                self.observed.failures.push((position, error.to_string(), ended));
                if let Some(prepared) = self.prepared.get_mut(position) {
                    *prepared = None;
                }
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// Executes every parameter set of every participant once and hashes what it
/// returns; rolled back where it writes. The hashes of each participant's sets, none where one failed.
///
/// # Errors
/// The connection cannot be opened or is lost.
pub(crate) fn hash_results(plan: &ConnectionPlan) -> Result<Vec<Vec<u64>>, Error> {
    let mut client = Client::connect(&plan.address)?;
    plan.participants.iter().map(|participant| hash_query(&mut client, participant)).collect()
}

fn hash_query(client: &mut Client, participant: &Participant) -> Result<Vec<u64>, Error> {
    let mut hashes = Vec::with_capacity(participant.query.sets.len());
    for set in 0..participant.query.sets.len() {
        client.simple(if participant.writes { "BEGIN" } else { "BEGIN READ ONLY" })?;
        let one = hash_set(client, &participant.query, set);
        client.simple("ROLLBACK")?;
        match one {
            Ok(one) => hashes.push(one),
            Err(Error::Server(_)) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        }
    }
    Ok(hashes)
}

fn hash_set(client: &mut Client, query: &PreparedQuery, set: usize) -> Result<u64, Error> {
    let mut hash: u64 = 0;
    for bound in &query.statements {
        let request = client.prepare(&bound.sql)?.bind(&bound.values(&query.sets[set]))?;
        hash = hash.rotate_left(5) ^ client.execute_hashed(&request)?.result_hash;
    }
    Ok(hash)
}
