//! When requests are due, and which ones: fixed before the first is sent, so
//! that a slow server cannot slow down what it is asked ("coordinated
//! omission", Gil Tene; `wrk2` works the same way).

use super::workload::Workload;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use std::time::Duration;

/// Requests of one slice, at most.
pub const ARRIVALS_MAX: usize = 2_000_000;

/// How requests are spread over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pacing {
    /// As independent users come: a Poisson process, given its number of arrivals.
    #[default]
    Poisson,
    /// At equal distances.
    Uniform,
}

impl Pacing {
    /// `poisson` or `uniform`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Poisson => "poisson",
            Self::Uniform => "uniform",
        }
    }
}

/// One request of the schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// When it is due, from the beginning of the slice.
    pub due: Duration,
    /// Which query of the workload.
    pub query: usize,
    /// Which of its parameter sets.
    pub set: usize,
}

/// A slice's requests in order. Their number is the rate times the length: a
/// Poisson process with a given number of arrivals is that many uniform
/// instants, so that the rate offered is exact while the bursts are chance.
#[must_use]
pub fn arrivals(workload: &Workload, pacing: Pacing, rate: f64, length: Duration, seed: u64) -> Vec<Arrival> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let count = ((rate * length.as_secs_f64()).round() as usize).clamp(1, ARRIVALS_MAX);
    let mut instants: Vec<f64> = match pacing {
        Pacing::Poisson => (0..count).map(|_| random.random::<f64>()).collect(),
        Pacing::Uniform => (0..count).map(|nth| (nth as f64 + 0.5) / count as f64).collect(),
    };
    instants.sort_unstable_by(f64::total_cmp);
    let mut turns = Turns::new(workload, random);
    instants
        .into_iter()
        .map(|at| {
            let (query, set) = turns.next();
            Arrival { due: length.mul_f64(at), query, set }
        })
        .collect()
}

/// Queries by their weights, each with one of its parameter sets.
pub(super) struct Turns {
    /// Weights added up, and the number of sets, of each query.
    queries: Vec<(f64, usize)>,
    random: Xoshiro256PlusPlus,
}

impl Turns {
    pub(super) fn new(workload: &Workload, random: Xoshiro256PlusPlus) -> Self {
        let mut sum = 0.0;
        let queries = workload.queries.iter().map(|query| {
            sum += query.weight;
            (sum, query.sets.len().max(1))
        });
        Self { queries: queries.collect(), random }
    }

    pub(super) fn seeded(workload: &Workload, seed: u64) -> Self {
        Self::new(workload, Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    pub(super) fn next(&mut self) -> (usize, usize) {
        let total = self.queries.last().map_or(0.0, |(sum, _)| *sum);
        let point = self.random.random::<f64>() * total;
        let last = self.queries.len().saturating_sub(1);
        let query = self.queries.partition_point(|(sum, _)| *sum <= point).min(last);
        let sets = self.queries.get(query).map_or(1, |(_, sets)| *sets);
        (query, self.random.random_range(0..sets))
    }
}

#[cfg(test)]
mod tests {
    use super::super::workload::WorkloadQuery;
    use super::*;
    use proptest::prelude::*;

    fn workload(weights: &[f64]) -> Workload {
        let query = |weight: &f64| WorkloadQuery {
            name: format!("w{weight}"),
            weight: *weight,
            statements: vec!["SELECT 1".into()],
            sets: vec![vec![vec![]]; 3],
            writes: false,
        };
        Workload { queries: weights.iter().map(query).collect() }
    }

    #[test]
    fn a_seed_replays_the_schedule_and_another_one_does_not() {
        let workload = workload(&[1.0]);
        let second = Duration::from_secs(1);
        let of = |seed| arrivals(&workload, Pacing::Poisson, 500.0, second, seed);
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }

    #[test]
    fn equal_distances_and_exponential_ones() {
        let workload = workload(&[1.0]);
        let gaps = |pacing| -> Vec<f64> {
            let all = arrivals(&workload, pacing, 2000.0, Duration::from_secs(5), 7);
            all.windows(2).map(|pair| (pair[1].due - pair[0].due).as_secs_f64() * 2000.0).collect()
        };
        assert!(gaps(Pacing::Uniform).iter().all(|gap| (gap - 1.0).abs() < 1e-3));
        // Of exponential gaps with mean 1, e^-1 are longer than 1 and e^-3 longer than 3.
        let poisson = gaps(Pacing::Poisson);
        for (length, share) in [(1.0, 0.368), (3.0, 0.0498)] {
            let seen = poisson.iter().filter(|gap| **gap > length).count() as f64 / poisson.len() as f64;
            assert!((seen - share).abs() < 0.02, "{length}: {seen}");
        }
    }

    #[test]
    fn weights_are_followed() {
        let all = arrivals(&workload(&[3.0, 0.0, 1.0]), Pacing::Poisson, 4000.0, Duration::from_secs(2), 3);
        let count = |query| all.iter().filter(|arrival| arrival.query == query).count();
        assert_eq!((all.len(), count(1)), (8000, 0));
        assert!((5800..6200).contains(&count(0)), "{}", count(0));
        assert!((0..3).all(|set| all.iter().any(|arrival| arrival.set == set)));
    }

    proptest! {
        #[test]
        fn arrivals_are_in_order_within_the_slice_and_as_many_as_offered(
            rate in 1.0..5000.0_f64, millis in 100..3000_u64, seed: u64, is_poisson: bool,
        ) {
            let length = Duration::from_millis(millis);
            let pacing = if is_poisson { Pacing::Poisson } else { Pacing::Uniform };
            let all = arrivals(&workload(&[1.0, 2.0]), pacing, rate, length, seed);
            let offered = rate * length.as_secs_f64();
            prop_assert!((all.len() as f64 - offered.max(1.0)).abs() <= 0.5 + 1e-9);
            prop_assert!(all.windows(2).all(|pair| pair[0].due <= pair[1].due));
            prop_assert!(all.iter().all(|arrival| arrival.due <= length && arrival.query < 2 && arrival.set < 3));
        }
    }
}
