//! When to look at the samples, how much each look may err, and in which order
//! statements take turns.
//!
//! Looking early and often finds chance; so the error allowed for the whole run
//! is divided by budgets and looks before the first sample is taken
//! (Bonferroni, valid however the looks depend on one another).

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::SliceRandom;

/// Samples per statement and connection, where the statement is fast.
pub(crate) const SAMPLES_PER_CONNECTION: usize = 25;

/// Never more connections than this per volume: what a percentile of a fast
/// statement needs whose true value is 1.5 times its budget on a busy machine.
pub(crate) const CONNECTIONS_MAX: usize = 1000;

/// Growth of the number of connections from look to look.
const LOOK_FACTOR: f64 = 1.6;

/// Fewest connections before a look: fewer bound nothing.
const FIRST_LOOK: usize = 4;

/// The plan of looks.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Schedule {
    /// Connections after which there is a look, ascending.
    pub(crate) looks: Vec<usize>,
    /// Two-sided confidence of the interval at each look at each budget; each
    /// side errs with at most `run error / (budgets × looks)`.
    pub(crate) confidence: f64,
}

impl Schedule {
    /// Looks between four connections and `connections_max`, with one at
    /// `connections_min`, for `time_budgets` decided together.
    pub(crate) fn new(
        connections_min: usize,
        connections_max: usize,
        time_budgets: usize,
        run_confidence: f64,
    ) -> Self {
        let connections_max = connections_max.clamp(FIRST_LOOK, CONNECTIONS_MAX);
        let connections_min = connections_min.clamp(FIRST_LOOK, connections_max);
        let mut looks = vec![FIRST_LOOK, connections_min];
        let mut next = connections_min as f64;
        while (next as usize) < connections_max {
            next = (next * LOOK_FACTOR).min(connections_max as f64);
            looks.push(next as usize);
        }
        looks.dedup();
        let each = (1.0 - run_confidence) / (time_budgets.max(1) * looks.len()) as f64;
        Self { looks, confidence: 1.0 - 2.0 * each }
    }
}

/// How many samples of a statement to take per connection when one execution
/// takes `execution_us` and all of them together may take `max_us`: as many as
/// let enough connections fit in.
pub(crate) fn samples_per_connection(execution_us: f64, max_us: f64) -> usize {
    const CONNECTIONS_WANTED: f64 = 60.0;
    let affordable = max_us / CONNECTIONS_WANTED / execution_us.max(1.0);
    (affordable as usize).clamp(1, SAMPLES_PER_CONNECTION)
}

/// Executions before recording, per connection. The server decides between
/// custom and generic plans after five executions, so fast statements are
/// warmed past that.
pub(crate) fn warm_up(execution_us: f64) -> usize {
    const PAST_PLAN_CHOICE: usize = 7;
    if execution_us < 20_000.0 { PAST_PLAN_CHOICE } else { 1 }
}

/// The order of turns in one connection: each statement as often as `counts`
/// says, shuffled, so that drift hits all alike.
pub(crate) fn turns(counts: &[usize], seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> =
        counts.iter().enumerate().flat_map(|(index, &count)| std::iter::repeat_n(index, count)).collect();
    order.shuffle(&mut Xoshiro256PlusPlus::seed_from_u64(seed));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_ascend_to_the_cap_and_share_the_error() {
        let schedule = Schedule::new(20, 200, 12, 0.99);
        assert_eq!(schedule.looks, [4, 20, 32, 51, 81, 131, 200]);
        assert_eq!(Schedule::new(20, 9999, 1, 0.99).looks.last(), Some(&CONNECTIONS_MAX));
        let errors = (1.0 - schedule.confidence) / 2.0 * 12.0 * 7.0;
        assert!((errors - 0.01).abs() < 1e-9, "{errors}");
        assert_eq!(Schedule::new(20, 10, 1, 0.99).looks, [4, 10]);
        assert_eq!(Schedule::new(1, 1, 0, 0.99).looks, [4]);
    }

    #[test]
    fn slow_statements_get_fewer_samples_a_connection() {
        assert_eq!(samples_per_connection(200.0, 1e7), SAMPLES_PER_CONNECTION);
        assert_eq!(samples_per_connection(50_000.0, 1e7), 3);
        assert_eq!(samples_per_connection(2e6, 1e7), 1);
    }

    #[test]
    fn turns_repeat_with_their_seed_and_hold_every_sample() {
        let mut order = turns(&[3, 0, 2], 9);
        assert_eq!(order, turns(&[3, 0, 2], 9));
        order.sort_unstable();
        assert_eq!(order, [0, 0, 0, 2, 2]);
        assert_ne!(turns(&[20, 20], 1), turns(&[20, 20], 2));
    }
}
