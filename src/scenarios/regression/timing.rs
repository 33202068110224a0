//! Times of the three sides, taken side by side.
//!
//! A unit is one fresh connection to each side, opened in random order and
//! warmed up, in which executions take turns in random order. The unit is what
//! the interval is made of, never the execution: how fast a backend runs is
//! decided by where the scheduler put it, once per connection.

use super::cases::{Case, CaseParameters};
use super::pinning;
use crate::load::{Address, Client, Request};
use crate::postgres::{self, ExplainOptions, Session, Target, explain};
use crate::stats::clock;
use crate::stats::ratio::Pair;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

/// Executions before the first that counts: PostgreSQL settles on a custom or
/// generic plan after five, the backend's caches take longer.
const WARM_UPS: usize = 50;
/// Rounds of one unit.
const ROUNDS: usize = 25;
/// Warm-ups and rounds of EXPLAIN in one unit.
const SERVER_WARM_UPS: usize = 5;
const SERVER_ROUNDS: usize = 8;

/// The sides, by place: before, identical, after.
pub const SIDES: usize = 3;

/// Where and how a unit is measured.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Addresses of the sides.
    pub addresses: [Address; SIDES],
    /// The processor backends are put on; `None`: not pinned.
    pub processor: Option<usize>,
    /// Time for the wall-time part of a unit, in microseconds.
    pub slice_us: f64,
}

/// Times of one unit in microseconds: one entry per round and side.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Unit {
    /// `[before, identical, after]` of each round.
    pub rounds: Vec<[f64; SIDES]>,
    /// The planning in them, where the server told it.
    pub planning: Vec<[f64; SIDES]>,
}

impl Unit {
    /// Pairs of before and the side at `place`.
    #[must_use]
    pub fn pairs(&self, place: usize) -> Vec<Pair> {
        self.rounds.iter().map(|round| Pair { before: round[0], after: round[place] }).collect()
    }
}

/// Wall times of one unit, by the thin client. Blocks.
///
/// # Errors
/// A statement fails or a connection breaks.
pub fn wall_unit(setup: &Setup, case: &Case, random: &mut StdRng) -> Result<Unit, crate::load::Error> {
    let _pinned = setup.processor.and_then(pinning::PinnedThread::on);
    let mut order = [0, 1, 2];
    order.shuffle(random);
    let mut opened: Vec<(usize, Runner)> = Vec::with_capacity(SIDES);
    for place in order {
        opened.push((place, Runner::open(&setup.addresses[place], case, setup.processor)?));
    }
    opened.sort_by_key(|(place, _)| *place);
    let mut runners: Vec<Runner> = opened.into_iter().map(|(_, runner)| runner).collect();
    let start = clock::now();
    let mut unit = Unit::default();
    for round in 0..WARM_UPS + ROUNDS {
        let spent = clock::elapsed_us(start);
        let is_warm_up = round < WARM_UPS && spent < setup.slice_us * 0.5;
        let mut times = [0.0; SIDES];
        order.shuffle(random);
        for place in order {
            times[place] = runners[place].execute(round)?;
        }
        if !is_warm_up && round > 0 {
            unit.rounds.push(times);
        }
        if unit.rounds.len() >= ROUNDS
            || (!unit.rounds.is_empty() && clock::elapsed_us(start) > setup.slice_us)
        {
            break;
        }
    }
    Ok(unit)
}

/// One connection and the case's requests on it.
struct Runner {
    client: Client,
    /// One list of requests per parameter set.
    requests: Vec<Vec<Request>>,
    in_transaction: bool,
}

impl Runner {
    fn open(address: &Address, case: &Case, processor: Option<usize>) -> Result<Self, crate::load::Error> {
        let mut client = Client::connect(address)?;
        if let Some(processor) = processor {
            // Tried when the method was chosen; a backend that ends early fails below.
            let _pinned = pinning::pin(client.backend_pid(), processor);
        }
        let mut statements = Vec::new();
        for statement in &case.statements {
            statements.push((statement, client.prepare(&statement.sql)?));
        }
        let bind = |set: &CaseParameters| {
            statements.iter().map(|(statement, prepared)| prepared.bind(&statement.values(set))).collect()
        };
        let requests = case.parameter_sets.iter().map(bind).collect::<Result<_, _>>()?;
        Ok(Self { client, requests, in_transaction: case.needs_rollback() })
    }

    /// Wall time of all statements of one parameter set, in microseconds.
    fn execute(&mut self, round: usize) -> Result<f64, crate::load::Error> {
        let requests = &self.requests[round % self.requests.len()];
        if self.in_transaction {
            self.client.simple("BEGIN")?;
        }
        let mut microseconds = 0.0;
        for request in requests {
            microseconds += self.client.execute(request)?.latency.as_secs_f64() * 1e6;
        }
        if self.in_transaction {
            self.client.simple("ROLLBACK")?;
        }
        Ok(microseconds.max(0.001))
    }
}

/// The server's own planning + execution time of one unit.
///
/// # Errors
/// A statement fails or a connection breaks.
pub async fn server_unit(
    target: &Target,
    databases: [&str; SIDES],
    case: &Case,
    setup: &Setup,
    random: &mut StdRng,
) -> Result<Unit, postgres::Error> {
    let mut order = [0, 1, 2];
    order.shuffle(random);
    let mut opened: Vec<(usize, Session)> = Vec::with_capacity(SIDES);
    for place in order {
        let session = target.connect_to(databases[place]).await?;
        if let Some(processor) = setup.processor {
            let _pinned = pinning::pin(session.backend_pid(), processor);
        }
        opened.push((place, session));
    }
    opened.sort_by_key(|(place, _)| *place);
    let start = clock::now();
    let mut unit = Unit::default();
    for round in 0..SERVER_WARM_UPS + SERVER_ROUNDS {
        let is_warm_up = round < SERVER_WARM_UPS && clock::elapsed_us(start) < setup.slice_us * 0.5;
        let (mut times, mut planning) = ([0.0; SIDES], [0.0; SIDES]);
        order.shuffle(random);
        for place in order {
            (times[place], planning[place]) = server_time(&opened[place].1, case, round).await?;
        }
        if !is_warm_up && round > 0 {
            unit.rounds.push(times);
            unit.planning.push(planning);
        }
        if !unit.rounds.is_empty() && clock::elapsed_us(start) > setup.slice_us {
            break;
        }
    }
    Ok(unit)
}

/// Planning + execution, and planning alone, in microseconds.
async fn server_time(session: &Session, case: &Case, round: usize) -> Result<(f64, f64), postgres::Error> {
    let set = &case.parameter_sets[round % case.parameter_sets.len()];
    let in_transaction = case.needs_rollback();
    let options = ExplainOptions {
        buffers: false,
        timing: false,
        settings: false,
        in_transaction: true,
        ..ExplainOptions::default()
    };
    if in_transaction {
        session.batch_execute("BEGIN").await?;
    }
    let (mut microseconds, mut planning) = (0.0, 0.0);
    for statement in &case.statements {
        let plan = explain(session, &statement.sql, &statement.values(set), options).await?;
        microseconds += plan.server_time_us().unwrap_or(0.0);
        planning += plan.planning_ms.unwrap_or(0.0) * 1000.0;
    }
    if in_transaction {
        session.batch_execute("ROLLBACK").await?;
    }
    Ok((microseconds.max(0.001), planning))
}
