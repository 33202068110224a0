//! Takes units until the ratio of times is decided, or time is up.

use super::cases::Case;
use super::pinning;
use super::sides::Sides;
use super::timing::{self, SIDES, Setup, Unit};
use super::verdict::{Thresholds, time_change};
use crate::load::Address;
use crate::model::evidence::regression::{Change, RatioEstimate, TimeComparison};
use crate::postgres::Target;
use crate::stats::Estimate;
use crate::stats::clock;
use crate::stats::ratio::{Pair, clustered_median_ratio, clustered_median_ratio_sign_test, noise_floor};
use rand::SeedableRng;
use rand::rngs::StdRng;

/// Units before the first look: the least that a connection's placement averages out over.
const FIRST_UNITS: usize = 20;
/// Units between looks.
const MORE_UNITS: usize = 10;
/// Bound on units.
const MOST_UNITS: usize = 120;
/// Units spent on telling "unchanged" from a difference too small to fail.
const UNITS_FOR_RESOLUTION: usize = 30;
/// Looks there can be, for the confidence of each.
const LOOKS: usize = 1 + (MOST_UNITS - FIRST_UNITS) / MORE_UNITS;
/// Fewer than this say nothing.
const LEAST_UNITS: usize = 6;

/// How times are taken in a run.
#[derive(Debug, Clone)]
pub struct Method {
    /// The processor backends are put on; `None`: not pinned.
    pub processor: Option<usize>,
    /// Time for one query, in microseconds.
    pub cap_us: f64,
    /// Confidence of all intervals of the run together.
    pub confidence: f64,
    /// How many queries share that confidence.
    pub queries: usize,
}

/// Times of a case, and the identical sides' units.
#[derive(Debug)]
pub struct Measured {
    /// Before against after.
    pub time: TimeComparison,
    /// Pairs of the identical sides by unit, of the time that was judged.
    pub identical: Vec<Vec<Pair>>,
}

/// Whether backends of the target can be pinned, and where.
pub async fn choose_processor(target: &Target) -> Option<usize> {
    if !target.is_ours() {
        return None;
    }
    let processor = pinning::processor()?;
    let session = target.connect().await.ok()?;
    pinning::pin(session.backend_pid(), processor).then_some(processor)
}

/// The thin client's address of a database; `None` where it cannot go there.
#[must_use]
pub fn address(target: &Target, database: &str) -> Option<Address> {
    let address = Address::of(&target.config_for(database))?.to_database(database);
    Some(match target.socket_directory() {
        Some(directory) => address.through_socket(directory),
        None => address,
    })
}

/// Measures a case. `decided` says that counters have decided already, so that
/// time is only shown: then the first look is the last.
///
/// # Errors
/// A statement fails or a connection breaks.
pub async fn measure(
    target: &Target,
    sides: &Sides,
    case: &Case,
    method: &Method,
    limits: &Thresholds,
    decided: bool,
    seed: u64,
) -> anyhow::Result<Option<Measured>> {
    let names = [sides.before.as_str(), sides.identical.as_str(), sides.after.as_str()];
    let addresses: Option<Vec<Address>> = names.iter().map(|name| address(target, name)).collect();
    let Some(Ok(addresses)) = addresses.map(<[Address; SIDES]>::try_from) else { return Ok(None) };
    #[expect(clippy::cast_precision_loss, reason = "a few dozen units")]
    let slice_us = method.cap_us / (2.0 * FIRST_UNITS as f64);
    let setup = Setup { addresses, processor: method.processor, slice_us };
    let mut random = StdRng::seed_from_u64(seed);
    let start = clock::now();
    let (mut wall, mut server): (Vec<Unit>, Vec<Unit>) = (Vec::new(), Vec::new());
    let mut next_look = FIRST_UNITS;
    loop {
        let (setup_here, case_here) = (setup.clone(), case.clone());
        let mut random_here = StdRng::seed_from_u64(rand::RngExt::random(&mut random));
        let unit =
            tokio::task::spawn_blocking(move || timing::wall_unit(&setup_here, &case_here, &mut random_here));
        wall.push(unit.await??);
        server.push(timing::server_unit(target, names, case, &setup, &mut random).await?);
        let is_over = clock::elapsed_us(start) > method.cap_us || wall.len() >= MOST_UNITS;
        if wall.len() < next_look && !is_over {
            continue;
        }
        next_look += MORE_UNITS;
        let Some(measured) = look(&wall, &server, method, limits) else {
            if is_over {
                return Ok(None);
            }
            continue;
        };
        if is_over || decided || is_enough(&measured.time, wall.len(), limits) {
            return Ok(Some(measured));
        }
    }
}

/// Whether more units could still change the verdict of the run: past
/// [`UNITS_FOR_RESOLUTION`] only while a failing slowdown is not excluded.
fn is_enough(time: &TimeComparison, units: usize, limits: &Thresholds) -> bool {
    let judged = if time.judged_by == "wall time" { time.wall } else { time.server };
    let excluded = judged.is_some_and(|estimate| estimate.interval.high < limits.time_ratio);
    time.change != Change::Inconclusive || (units >= UNITS_FOR_RESOLUTION && excluded)
}

fn look(wall: &[Unit], server: &[Unit], method: &Method, limits: &Thresholds) -> Option<Measured> {
    if wall.len() < LEAST_UNITS {
        return None;
    }
    let confidence =
        crate::stats::multiplicity::confidence_each(method.confidence, method.queries.max(1) * LOOKS);
    let by_wall = method.processor.is_some();
    let judged = if by_wall { wall } else { server };
    let pairs = |units: &[Unit], place: usize| units.iter().map(|unit| unit.pairs(place)).collect::<Vec<_>>();
    let identical = pairs(judged, 1);
    let floor = estimate_of(&identical, confidence).map(|estimate| noise_floor(&estimate));
    let estimate = estimate_of(&pairs(judged, 2), confidence)?;
    let ratio = |units: &[Unit]| {
        let rounds = units.iter().map(|unit| unit.rounds.len()).sum();
        estimate_of(&pairs(units, 2), confidence).map(|estimate| ratio_estimate(&estimate, rounds))
    };
    let time = TimeComparison {
        judged_by: if by_wall { "wall time" } else { "server time" },
        wall: ratio(wall),
        server: ratio(server),
        median_wall_us: (median_of(wall, 0), median_of(wall, 2)),
        median_server_us: (median_of(server, 0), median_of(server, 2)),
        median_planning_us: (planning_of(server, 0), planning_of(server, 2)),
        change: time_change(&estimate, floor, limits),
    };
    Some(Measured { time, identical })
}

/// The ratio of units with an interval that a few units caught by other work of
/// the machine do not blow up: Student's t over the units' medians and the exact
/// sign-test interval of their median each hold at half the error, so what both
/// allow holds at the confidence asked for.
fn estimate_of(units: &[Vec<Pair>], confidence: f64) -> Option<Estimate> {
    let each = 1.0 - (1.0 - confidence) / 2.0;
    let by_mean = clustered_median_ratio(units, each)?;
    let Some(by_rank) = clustered_median_ratio_sign_test(units, each) else { return Some(by_mean) };
    let low = by_mean.interval.low.max(by_rank.interval.low);
    let high = by_mean.interval.high.min(by_rank.interval.high);
    if low >= high {
        return Some(by_rank);
    }
    let interval = crate::stats::Interval { low, high, confidence };
    Some(Estimate { value: by_rank.value.clamp(low, high), interval, units: by_mean.units })
}

/// A statistics estimate as evidence.
#[must_use]
pub fn ratio_estimate(estimate: &Estimate, pairs: usize) -> RatioEstimate {
    RatioEstimate {
        ratio: estimate.value,
        interval: estimate.interval.into(),
        connection_pairs: estimate.units,
        pairs,
    }
}

fn median_of(units: &[Unit], place: usize) -> f64 {
    let times: Vec<f64> = units.iter().flat_map(|unit| &unit.rounds).map(|round| round[place]).collect();
    crate::stats::quantile::median(&times).unwrap_or(0.0)
}

fn planning_of(units: &[Unit], place: usize) -> f64 {
    let times: Vec<f64> = units.iter().flat_map(|unit| &unit.planning).map(|round| round[place]).collect();
    crate::stats::quantile::median(&times).unwrap_or(0.0)
}
