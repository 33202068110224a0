//! How often the interval of a percentile over connections misses the true
//! percentile, for latencies whose distribution is known. The table in
//! docs/measuring.md: `cargo run --release --example coverage`.
#![allow(clippy::print_stdout, reason = "an example prints")]

use plimsoll::stats::clustered::clustered_quantile;
use plimsoll::stats::quantile::{quantile, quantile_interval, sort};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

const P: f64 = 0.95;
const CONFIDENCE: f64 = 0.95;
const SAMPLES: usize = 25;
const REPEATS: usize = 1_000;

/// What connections do to the latencies of their samples.
#[derive(Clone, Copy)]
enum Placement {
    /// Nothing.
    None,
    /// A lognormal factor with this sigma.
    Spread(f64),
    /// This share of connections is 1.4 times slower.
    Slow(f64),
    /// Each connection is hit by delays at a rate of its own, about 6 %.
    Hits,
}

fn main() {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
    println!(
        "p95 at 95 %, {SAMPLES} samples a connection, {REPEATS} repeats; misses are expected in 2.5 % on each side"
    );
    println!(
        "{:<42} {:>11} {:>12} {:>12} {:>14}",
        "connections differ by", "connections", "above truth", "below truth", "naive, either"
    );
    for (name, placement) in [
        ("nothing", Placement::None),
        ("a lognormal factor, sigma 0.1", Placement::Spread(0.1)),
        ("a lognormal factor, sigma 0.3", Placement::Spread(0.3)),
        ("half of them 1.4 x slower", Placement::Slow(0.5)),
        ("a fifth of them 1.4 x slower", Placement::Slow(0.2)),
        ("one in sixteen 1.4 x slower", Placement::Slow(0.0625)),
        ("delays at a rate of their own", Placement::Hits),
    ] {
        let mut population: Vec<f64> =
            (0..400_000).flat_map(|_| connection(&mut random, placement, 2)).collect();
        sort(&mut population);
        let truth = quantile(&population, P).unwrap_or(f64::NAN);
        for connections in [20, 80] {
            let misses = misses(&mut random, placement, connections, truth);
            println!(
                "{name:<42} {connections:>11} {:>10.1} % {:>10.1} % {:>12.1} %",
                misses[0], misses[1], misses[2]
            );
        }
    }
}

/// Per cent of intervals wholly above the truth, wholly below it, and of naive ones that miss it.
fn misses(random: &mut Xoshiro256PlusPlus, placement: Placement, connections: usize, truth: f64) -> [f64; 3] {
    let mut counts = [0_usize; 3];
    for _ in 0..REPEATS {
        let samples: Vec<Vec<f64>> =
            (0..connections).map(|_| connection(random, placement, SAMPLES)).collect();
        if let Some(found) = clustered_quantile(&samples, P, CONFIDENCE) {
            counts[0] += usize::from(found.interval.low > truth);
            counts[1] += usize::from(found.interval.high < truth);
        }
        let mut pooled = samples.concat();
        sort(&mut pooled);
        let naive = quantile_interval(&pooled, P, CONFIDENCE);
        counts[2] += usize::from(naive.is_some_and(|naive| !naive.interval.contains(truth)));
    }
    counts.map(|count| 100.0 * count as f64 / REPEATS as f64)
}

fn connection(random: &mut Xoshiro256PlusPlus, placement: Placement, samples: usize) -> Vec<f64> {
    let factor = match placement {
        Placement::None => 1.0,
        Placement::Spread(sigma) => lognormal(random, sigma),
        Placement::Slow(share) => {
            if random.random::<f64>() < share {
                1.4
            } else {
                1.0
            }
        }
        Placement::Hits => lognormal(random, 0.1),
    };
    // Squared, so that few connections have most of the delays.
    let rate = 0.18 * random.random::<f64>().powi(2);
    (0..samples)
        .map(|_| {
            let hit = matches!(placement, Placement::Hits) && random.random::<f64>() < rate;
            let delay = if hit { -20.0 * (1.0 - random.random::<f64>()).ln() } else { 0.0 };
            factor * lognormal(random, 0.15) + delay
        })
        .collect()
}

/// About lognormal: the normal is a sum of twelve uniforms.
fn lognormal(random: &mut Xoshiro256PlusPlus, sigma: f64) -> f64 {
    let normal = (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0;
    (sigma * normal).exp()
}
