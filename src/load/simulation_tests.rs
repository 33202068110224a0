//! The whole search against simulated servers of known capacity: the bracket
//! has to hold the truth.

use super::judge::{Outcome, Rule};
use super::schedule::{Arrival, Pacing, arrivals};
use super::search::{Bounds, Line, Tried, line, next_rung, rate_of, rung_below};
use super::slice::{Limit, Served, SliceRecord};
use super::step::Step;
use super::workload::{Workload, WorkloadQuery};
use std::time::Duration;

/// Connections that take the next request as soon as they are free, each
/// needing `service` for it, which depends on when it begins.
fn simulate(
    due: &[Arrival],
    length: Duration,
    grace: Duration,
    connections: usize,
    service: impl Fn(Duration) -> Duration,
) -> SliceRecord {
    let mut free = vec![Duration::ZERO; connections];
    let mut record = SliceRecord { length, ..SliceRecord::default() };
    for arrival in due {
        let first = (0..connections).min_by_key(|index| free[*index]).unwrap();
        let was_awaited = free[first] <= arrival.due;
        if free[first] > length + grace {
            record.dropped.push((arrival.query, arrival.due));
            continue;
        }
        let sent = free[first].max(arrival.due);
        let finished = sent + service(sent);
        free[first] = finished;
        record.served.push(Served {
            query: arrival.query,
            due: arrival.due,
            sent,
            finished,
            was_awaited,
            failure: None,
        });
    }
    record
}

fn workload() -> Workload {
    Workload {
        queries: vec![WorkloadQuery {
            name: "simulated".into(),
            weight: 1.0,
            statements: vec![String::new()],
            sets: vec![vec![vec![]]],
            writes: false,
        }],
    }
}

fn rule(limit_ms: u64, connections: usize) -> Rule {
    Rule {
        limits: vec![Limit {
            text: "p95".into(),
            query: None,
            quantile: 0.95,
            latency: Duration::from_millis(limit_ms),
        }],
        confidence: 0.95,
        slices_min: 6,
        slices_max: 16,
        slice: Duration::from_secs(1),
        connections,
        cpu_count: 2,
    }
}

fn find(rule: &Rule, start: f64, seed: u64, pacing: Pacing, service: impl Fn(Duration) -> Duration) -> Line {
    let bounds = Bounds {
        start: rung_below(start),
        lowest: 0,
        highest: rung_below(100_000.0),
        slices_max: rule.slices_max,
        floor: None,
    };
    let workload = workload();
    let mut steps: Vec<Step> = Vec::new();
    for number in 0..150 {
        let tried: Vec<Tried> = steps
            .iter()
            .map(|step| {
                let judgement = rule.judge(&step.slices);
                Tried {
                    rung: rung_below(step.rate),
                    slices: step.slices.len(),
                    sustained: judgement.sustained(step.rate),
                    outcome: judgement.outcome,
                }
            })
            .collect();
        let Some(rung) = next_rung(&tried, &bounds) else { return line(&tried) };
        let rate = rate_of(rung);
        let index = steps.iter().position(|step| rung_below(step.rate) == rung).unwrap_or_else(|| {
            steps.push(Step::new(rate, 1));
            steps.len() - 1
        });
        let length = rule.slice_length(rate, &[1.0], steps[index].slices.len());
        let due = arrivals(&workload, pacing, rate, length, seed * 1000 + number);
        let record = simulate(&due, length, rule.grace(), rule.connections, &service);
        steps[index].add(&record, &rule.limits);
    }
    panic!("the search does not end");
}

/// M/D/c: the line lies below the capacity, where the queue has grown to the
/// limit, and what breaks is above what the queue allows.
#[test]
fn the_bracket_holds_the_capacity_of_a_simulated_server() {
    for (service_us, connections) in [(5_000, 1), (5_000, 2), (1_000, 1), (20_000, 8), (700, 4)] {
        let capacity = connections as f64 * 1e6 / service_us as f64;
        for seed in 1..=4 {
            let rule = rule(100, connections);
            let service = |_| Duration::from_micros(service_us);
            let found = find(&rule, capacity / 4.0, seed, Pacing::Poisson, service);
            let holds = found.holds.expect("a rate holds");
            let breaks = rate_of(found.breaks.expect("a rate breaks").rung);
            let case = format!("{service_us} µs on {connections}, seed {seed}: {holds:?} {breaks}");
            assert!(holds.sustained <= capacity, "{case}");
            assert!(rate_of(holds.rung) > 0.7 * capacity, "{case}");
            // From 85 % on a queue of 100 ms comes up now and then.
            assert!(breaks > 0.85 * capacity && breaks < 1.45 * capacity, "{case}");
        }
    }
}

/// Equal distances leave no queue below the capacity: the bracket closes around it.
#[test]
fn without_bursts_the_bracket_is_around_the_capacity() {
    for seed in 1..=4 {
        let found = find(&rule(50, 1), 30.0, seed, Pacing::Uniform, |_| Duration::from_micros(4_900));
        let (holds, breaks) = (found.holds.unwrap(), rate_of(found.breaks.unwrap().rung));
        let capacity = 1e6 / 4_900.0;
        assert!(holds.sustained <= capacity && breaks >= capacity, "{holds:?} {breaks}");
        assert!(breaks / rate_of(holds.rung) < 1.2, "{holds:?} {breaks}");
    }
}

/// 200 ms in which nothing is answered, once a second: at any rate 15 % of the requests wait for
/// more than 50 ms, though only as many as there are connections are in it. A closed loop would
/// have reported those few.
#[test]
fn a_server_that_stands_still_breaks_the_tail_at_every_rate() {
    let stalls = |sent: Duration| {
        let within = Duration::from_nanos((sent.as_nanos() % 1_000_000_000) as u64);
        let (begin, end) = (Duration::from_millis(500), Duration::from_millis(700));
        let stands_still = if (begin..end).contains(&within) { end - within } else { Duration::ZERO };
        stands_still + Duration::from_micros(200)
    };
    let found = find(&rule(50, 4), 100.0, 1, Pacing::Poisson, stalls);
    assert!(found.holds.is_none() && found.breaks.is_some(), "{found:?}");
    let found = find(&rule(300, 4), 100.0, 1, Pacing::Poisson, stalls);
    assert!(found.holds.is_some_and(|holds| rate_of(holds.rung) > 5000.0), "a wider limit holds");
}

/// A rate judged many times over: at twice the capacity it never holds, at half of it it never
/// breaks, and just above the capacity it is not taken for held.
#[test]
fn rates_off_the_line_are_never_taken_for_the_other_side() {
    let rule = rule(50, 1);
    let outcome = |rate: f64, seed: u64| {
        let mut step = Step::new(rate, 1);
        for number in 0..rule.slices_max as u64 {
            let length = rule.slice_length(rate, &[1.0], step.slices.len());
            let due = arrivals(&workload(), Pacing::Poisson, rate, length, seed * 100 + number);
            let record = simulate(&due, length, rule.grace(), 1, |_| Duration::from_millis(5));
            step.add(&record, &rule.limits);
        }
        rule.judge(&step.slices).outcome
    };
    for seed in 0..20 {
        assert_eq!(outcome(100.0, seed), Outcome::Holds);
        assert!(matches!(outcome(400.0, seed), Outcome::Breaks(_)));
        assert_ne!(outcome(220.0, seed), Outcome::Holds);
    }
}
