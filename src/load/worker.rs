//! Connections that execute a schedule: whichever is free takes the next
//! request, so one slow answer delays only what comes after it in the queue.

use super::address::Address;
use super::client::{Client, Request};
use super::cpu_time::thread_cpu_time;
use super::error::Error;
use super::schedule::{Arrival, Turns};
use super::slice::{Served, SliceRecord};
use super::workload::{Workload, WorkloadQuery};
use crate::stats::clock;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Executions of each query in each connection before a slice: after five the
/// server has chosen between generic and custom plans.
const WARM_UP: usize = 6;
/// Queries whose warm-up takes longer than this together are warm enough.
const WARM_UP_MAX: Duration = Duration::from_millis(500);
/// Time to wake every thread before the first request is due.
const HEAD_START: Duration = Duration::from_millis(5);
/// What a request ends with where the connection broke.
const CONNECTION_FAILURE: [u8; 5] = *b"08006";

/// Where to connect, how often, and what is executed there.
#[derive(Debug, Clone, Copy)]
pub struct Connections<'a> {
    /// The server.
    pub address: &'a Address,
    /// The queries.
    pub workload: &'a Workload,
    /// How many connections.
    pub count: usize,
    /// Ends the slice early.
    pub stop: &'a AtomicBool,
}

/// Executes a schedule. Requests that were not sent `grace` after the last one
/// was due are dropped and counted.
///
/// # Errors
/// A connection cannot be opened or a query not be prepared. An error of a
/// request is data.
pub fn run_open(
    connections: Connections<'_>,
    arrivals: &[Arrival],
    length: Duration,
    grace: Duration,
) -> Result<SliceRecord, Error> {
    let next = AtomicUsize::new(0);
    let mut record =
        run(connections, length, |worker, origin| worker.serve(arrivals, &next, origin, length + grace))?;
    // What nobody took, because every connection was lost.
    let left = arrivals.get(next.into_inner()..).unwrap_or_default();
    record.dropped.extend(left.iter().map(|arrival| (arrival.query, arrival.due)));
    Ok(record)
}

/// Lets every connection send its next request when it has the answer to the
/// last: what this shows is service time only, and the rate follows the server.
///
/// # Errors
/// As [`run_open`].
pub fn run_closed(connections: Connections<'_>, length: Duration, seed: u64) -> Result<SliceRecord, Error> {
    let stream = AtomicUsize::new(0);
    run(connections, length, |worker, origin| {
        // A stream of its own per connection; the odd constant keeps neighbours apart.
        let own = stream.fetch_add(1, Ordering::Relaxed) as u64;
        worker.repeat(seed ^ (own + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15), origin, length);
    })
}

fn run(
    connections: Connections<'_>,
    length: Duration,
    work: impl Fn(&mut Worker<'_>, Instant) + Sync,
) -> Result<SliceRecord, Error> {
    let mut workers = open(connections)?;
    let origin = clock::now() + HEAD_START;
    let work = &work;
    std::thread::scope(|scope| {
        let handles: Vec<_> = workers
            .iter_mut()
            .map(|worker| {
                scope.spawn(move || {
                    wake_precisely();
                    let cpu = thread_cpu_time();
                    work(worker, origin);
                    worker.cpu = thread_cpu_time().saturating_sub(cpu);
                })
            })
            .collect();
        handles.into_iter().for_each(|handle| propagate(handle.join()));
    });
    let mut record = SliceRecord { length, ..SliceRecord::default() };
    for worker in workers {
        record.served.extend(worker.served);
        record.dropped.extend(worker.dropped);
        record.generator_cpu += worker.cpu;
        for (sqlstate, message) in worker.messages {
            record.messages.entry(sqlstate).or_insert(message);
        }
    }
    Ok(record)
}

/// Opens every connection, and warms it up, all at the same time.
fn open(connections: Connections<'_>) -> Result<Vec<Worker<'_>>, Error> {
    std::thread::scope(|scope| {
        let handles: Vec<_> =
            (0..connections.count.max(1)).map(|_| scope.spawn(move || Worker::open(connections))).collect();
        handles.into_iter().map(|handle| propagate(handle.join())).collect()
    })
}

/// A panic of a thread is ours.
fn propagate<T>(joined: std::thread::Result<T>) -> T {
    joined.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Lets the kernel wake this thread when it asks to, not up to 50 µs later.
fn wake_precisely() {
    #[cfg(target_os = "linux")]
    {
        // Without the right to do so requests are a little later, which is measured.
        let _unchanged = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
    }
}

/// One connection with everything encoded.
struct Worker<'a> {
    client: Client,
    workload: &'a Workload,
    /// By query, then by parameter set, then by statement.
    requests: Vec<Vec<Vec<Request>>>,
    stop: &'a AtomicBool,
    served: Vec<Served>,
    dropped: Vec<(usize, Duration)>,
    messages: BTreeMap<[u8; 5], String>,
    cpu: Duration,
}

impl<'a> Worker<'a> {
    fn open(connections: Connections<'a>) -> Result<Self, Error> {
        let mut client = Client::connect(connections.address)?;
        let workload = connections.workload;
        let requests =
            workload.queries.iter().map(|query| encode(&mut client, query)).collect::<Result<_, _>>()?;
        let mut worker = Self {
            client,
            workload,
            requests,
            stop: connections.stop,
            served: Vec::new(),
            dropped: Vec::new(),
            messages: BTreeMap::new(),
            cpu: Duration::ZERO,
        };
        worker.warm_up()?;
        Ok(worker)
    }

    /// Errors of queries come again when they count.
    fn warm_up(&mut self) -> Result<(), Error> {
        let start = clock::now();
        for round in 0..WARM_UP {
            for query in 0..self.requests.len() {
                let is_late = round > 0 && clock::now().duration_since(start) > WARM_UP_MAX;
                if is_late || self.stop.load(Ordering::Relaxed) {
                    return Ok(());
                }
                let set = round % self.requests[query].len().max(1);
                match self.execute(query, set) {
                    Ok(()) | Err(Error::Server(_)) => self.roll_back(query)?,
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    fn serve(&mut self, arrivals: &[Arrival], next: &AtomicUsize, origin: Instant, last: Duration) {
        while let Some(arrival) = arrivals.get(next.fetch_add(1, Ordering::Relaxed)) {
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            let free = since(origin);
            let was_awaited = free <= arrival.due;
            if free > last {
                self.dropped.push((arrival.query, arrival.due));
                continue;
            }
            if was_awaited {
                // Clock and sleep are the same monotonic one.
                std::thread::sleep((origin + arrival.due).saturating_duration_since(clock::now()));
            }
            if !self.request((arrival.query, arrival.set), Some(arrival.due), was_awaited, origin) {
                return;
            }
        }
    }

    fn repeat(&mut self, seed: u64, origin: Instant, length: Duration) {
        let mut turns = Turns::seeded(self.workload, seed);
        std::thread::sleep(origin.saturating_duration_since(clock::now()));
        while since(origin) < length && !self.stop.load(Ordering::Relaxed) {
            let (query, set) = turns.next();
            if !self.request((query, set), None, true, origin) {
                return;
            }
        }
    }

    /// False where the connection is lost.
    fn request(
        &mut self,
        (query, set): (usize, usize),
        due: Option<Duration>,
        was_awaited: bool,
        origin: Instant,
    ) -> bool {
        let sent = since(origin);
        let outcome = self.execute(query, set);
        let finished = since(origin);
        let is_usable = matches!(outcome, Ok(()) | Err(Error::Server(_)));
        let failure = outcome.err().map(|error| self.failure(&error));
        self.served.push(Served { query, due: due.unwrap_or(sent), sent, finished, was_awaited, failure });
        is_usable && self.roll_back(query).is_ok()
    }

    fn failure(&mut self, error: &Error) -> [u8; 5] {
        let reported = error.server().and_then(|error| error.sqlstate.as_bytes().try_into().ok());
        let sqlstate = reported.unwrap_or(CONNECTION_FAILURE);
        self.messages.entry(sqlstate).or_insert_with(|| error.to_string());
        sqlstate
    }

    fn execute(&mut self, query: usize, set: usize) -> Result<(), Error> {
        if let Some(begin) = self.workload.queries[query].begin() {
            self.client.simple(begin)?;
        }
        for request in &self.requests[query][set] {
            self.client.execute(request)?;
        }
        Ok(())
    }

    /// After the request's time was taken: what it wrote is undone, also after an error.
    fn roll_back(&mut self, query: usize) -> Result<(), Error> {
        if self.workload.queries[query].begin().is_some() {
            self.client.simple("ROLLBACK")?;
        }
        Ok(())
    }
}

fn since(origin: Instant) -> Duration {
    clock::now().saturating_duration_since(origin)
}

/// A query's requests by parameter set, then by statement.
fn encode(client: &mut Client, query: &WorkloadQuery) -> Result<Vec<Vec<Request>>, Error> {
    let refused = |error| match error {
        Error::Server(answer) => Error::Prepare { query: query.name.clone(), answer },
        other => other,
    };
    let statements = query.statements.iter().map(|sql| client.prepare(sql));
    let statements = statements.collect::<Result<Vec<_>, Error>>().map_err(refused)?;
    let bind = |set: &Vec<Vec<Option<String>>>| {
        statements.iter().zip(set).map(|(statement, values)| statement.bind(values)).collect()
    };
    query.sets.iter().map(bind).collect()
}
