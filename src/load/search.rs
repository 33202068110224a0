//! Which rate to try next, and what all of them together say: the line between
//! the rates that hold and those that break.
//!
//! Rates are on a fixed scale of preferred numbers (80 to a decade, each 2.9 %
//! above the one before), so that two runs try the same ones. The rate climbs
//! by factors of two until it seems to break, then the gap is halved down to a
//! twentieth of a decade (12 %), then both ends get slices in turn until each is decided. A rate
//! that has to hold is decided before all that.

use super::judge::Outcome;

/// A rate by its place on the scale: `10^(rung/80)` per second.
pub type Rung = i32;

const RUNGS_PER_DECADE: f64 = 80.0;
/// Up by a factor of two.
const STRIDE: Rung = 24;
/// Down by a factor of ten: where the first rate breaks there may be none that holds.
const STRIDE_DOWN: Rung = 80;
/// The gap that is not halved any more: 12 %.
const RESOLUTION: Rung = 4;
/// How far beyond the least rate asked for one is tried that shall hold it: 2.9 to 5.9 %.
const FLOOR_SPARE: Rung = 1;

/// The rate of a rung, per second, with three significant digits.
#[must_use]
pub fn rate_of(rung: Rung) -> f64 {
    let exact = 10f64.powf(f64::from(rung) / RUNGS_PER_DECADE);
    let step = 10f64.powf(exact.log10().floor() - 2.0);
    // Divided once more, so that the decimal is the nearest one there is.
    let inverse = 1.0 / step;
    (exact / step).round() / inverse
}

/// The highest rung whose rate is not above `rate`.
#[must_use]
pub fn rung_below(rate: f64) -> Rung {
    let mut rung = (RUNGS_PER_DECADE * rate.max(1e-3).log10()).ceil() as Rung + 1;
    while rate_of(rung) > rate {
        rung -= 1;
    }
    rung
}

/// What is known of a rung that was tried.
#[derive(Debug, Clone, PartialEq)]
pub struct Tried {
    /// Which one.
    pub rung: Rung,
    /// Slices so far.
    pub slices: usize,
    /// By all of them.
    pub outcome: Outcome,
    /// The rate that was surely served, per second.
    pub sustained: f64,
}

/// What bounds the search.
#[derive(Debug, Clone, PartialEq)]
pub struct Bounds {
    /// The rung to begin with.
    pub start: Rung,
    /// The lowest that is tried.
    pub lowest: Rung,
    /// The highest that is tried.
    pub highest: Rung,
    /// Slices of a rung, at most.
    pub slices_max: usize,
    /// A rate that has to hold, per second.
    pub floor: Option<f64>,
}

/// The rung that gets the next slice; `None` where nothing more can be learned.
/// A pure function of what was tried, whatever order that came in.
#[must_use]
pub fn next_rung(tried: &[Tried], bounds: &Bounds) -> Option<Rung> {
    if let Some(rung) = floor_first(tried, bounds) {
        return Some(rung);
    }
    let Some(low) = tried.iter().map(|one| one.rung).min() else { return Some(bounds.start) };
    let above = tried.iter().filter(|one| one.outcome.is_above()).map(|one| one.rung).min();
    let below = |limit: Rung| {
        tried.iter().filter(|one| one.rung < limit && !one.outcome.is_above()).map(|one| one.rung).max()
    };
    let (held, broken) = match above {
        None => {
            let high = below(Rung::MAX).unwrap_or(bounds.start);
            if high < bounds.highest {
                return Some((high + STRIDE).max(bounds.start).min(bounds.highest));
            }
            (Some(high), None)
        }
        Some(broken) => match below(broken) {
            None if low > bounds.lowest => return Some((low - STRIDE_DOWN).max(bounds.lowest)),
            held => (held, Some(broken)),
        },
    };
    if let (Some(held), Some(broken)) = (held, broken)
        && broken - held > RESOLUTION
    {
        // The middle, on the coarse scale.
        let middle = held + (broken - held) / 2;
        let aligned = middle.div_euclid(RESOLUTION) * RESOLUTION;
        return Some(if aligned > held { aligned } else { middle });
    }
    let lower = held.and_then(|held| unsettled_down(tried, held, bounds));
    let upper = broken.and_then(|broken| unsettled_up(tried, broken, bounds));
    in_turn(tried, lower, upper)
}

/// The rate asked for comes first, since the verdict is about it, and time for the line may run
/// out: a rung just above it, which may prove it, and where that does not hold one just below.
fn floor_first(tried: &[Tried], bounds: &Bounds) -> Option<Rung> {
    let below = rung_below(bounds.floor?);
    let above = below + 1 + FLOOR_SPARE;
    let is_open = |rung: &Rung| {
        (bounds.lowest..=bounds.highest).contains(rung)
            && find(tried, *rung)
                .is_none_or(|one| !one.outcome.is_decided() && one.slices < bounds.slices_max)
    };
    let is_proven = find(tried, above).is_some_and(|one| one.outcome == Outcome::Holds);
    Some(above).filter(is_open).or_else(|| Some(below).filter(|rung| !is_proven && is_open(rung)))
}

fn find(tried: &[Tried], rung: Rung) -> Option<&Tried> {
    tried.iter().find(|one| one.rung == rung)
}

fn slices(tried: &[Tried], rung: Rung) -> usize {
    find(tried, rung).map_or(0, |one| one.slices)
}

/// The rung from `held` downwards that still has to prove that it holds.
/// Each that stays undecided doubles the distance to the next.
fn unsettled_down(tried: &[Tried], held: Rung, bounds: &Bounds) -> Option<Rung> {
    let (mut rung, mut distance) = (held, RESOLUTION);
    loop {
        match find(tried, rung) {
            Some(one) if one.outcome == Outcome::Holds => return None,
            Some(one) if one.slices >= bounds.slices_max || one.outcome.is_decided() => {
                if rung <= bounds.lowest {
                    return None;
                }
                rung = (rung - distance).max(bounds.lowest);
                distance *= 2;
            }
            _ => return Some(rung),
        }
    }
}

/// The rung from `broken` upwards that still has to prove that it breaks.
fn unsettled_up(tried: &[Tried], broken: Rung, bounds: &Bounds) -> Option<Rung> {
    let (mut rung, mut distance) = (broken, RESOLUTION);
    loop {
        match find(tried, rung) {
            Some(one) if matches!(one.outcome, Outcome::Breaks(_) | Outcome::GeneratorBound(_)) => {
                return None;
            }
            Some(one) if one.slices >= bounds.slices_max || one.outcome == Outcome::Holds => {
                if rung >= bounds.highest {
                    return None;
                }
                rung = (rung + distance).min(bounds.highest);
                distance *= 2;
            }
            _ => return Some(rung),
        }
    }
}

/// The one with fewer slices; of two equals sometimes the one, sometimes the
/// other first, so that a drift favours neither.
fn in_turn(tried: &[Tried], lower: Option<Rung>, upper: Option<Rung>) -> Option<Rung> {
    let (Some(lower), Some(upper)) = (lower, upper) else { return lower.or(upper) };
    let (of_lower, of_upper) = (slices(tried, lower), slices(tried, upper));
    let lower_first = if of_lower == of_upper { of_lower.is_multiple_of(2) } else { of_lower < of_upper };
    Some(if lower_first { lower } else { upper })
}

/// What was found: a bracket around the line.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Line {
    /// The highest rung that surely holds below the lowest that surely breaks.
    pub holds: Option<Tried>,
    /// The lowest rung that surely breaks, by the server.
    pub breaks: Option<Tried>,
    /// The lowest rung that breaks by the generator.
    pub generator_bound: Option<Tried>,
    /// Whether a rung above one that surely breaks surely holds: something else changed meanwhile.
    pub is_contradicted: bool,
}

impl Line {
    /// Whether the floor is surely held.
    #[must_use]
    pub fn proves(&self, floor: f64) -> bool {
        self.holds.as_ref().is_some_and(|holds| holds.sustained >= floor)
    }

    /// Whether a rate at or below the floor surely breaks.
    #[must_use]
    pub fn refutes(&self, floor: f64) -> bool {
        self.breaks.as_ref().is_some_and(|breaks| rate_of(breaks.rung) <= floor)
    }
}

/// The bracket that the tried rungs give.
#[must_use]
pub fn line(tried: &[Tried]) -> Line {
    let lowest = |is: fn(&Outcome) -> bool| {
        tried.iter().filter(|one| is(&one.outcome)).min_by_key(|one| one.rung).cloned()
    };
    let breaks = lowest(|outcome| matches!(outcome, Outcome::Breaks(_)));
    let generator_bound = lowest(|outcome| matches!(outcome, Outcome::GeneratorBound(_)));
    let first_bad = [&breaks, &generator_bound].into_iter().flatten().map(|one| one.rung).min();
    let held = || tried.iter().filter(|one| one.outcome == Outcome::Holds);
    Line {
        holds: held()
            .filter(|one| first_bad.is_none_or(|bad| one.rung < bad))
            .max_by_key(|one| one.rung)
            .cloned(),
        is_contradicted: first_bad.is_some_and(|bad| held().any(|one| one.rung > bad)),
        breaks,
        generator_bound,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bounds(floor: Option<f64>) -> Bounds {
        Bounds {
            start: rung_below(50.0),
            lowest: rung_below(1.0),
            highest: rung_below(100_000.0),
            slices_max: 8,
            floor,
        }
    }

    /// Tries rungs as a server of this capacity would answer: decided after four slices, and
    /// never within `doubt` of the capacity.
    fn search(capacity: f64, doubt: f64, bounds: &Bounds) -> (Line, Vec<Tried>) {
        let mut tried: Vec<Tried> = Vec::new();
        for _ in 0..200 {
            let Some(rung) = next_rung(&tried, bounds) else { return (line(&tried), tried) };
            let index = tried.iter().position(|one| one.rung == rung).unwrap_or_else(|| {
                let outcome = Outcome::Open { seems_broken: false, needs: String::new() };
                tried.push(Tried { rung, slices: 0, outcome, sustained: rate_of(rung) });
                tried.len() - 1
            });
            let one = &mut tried[index];
            one.slices += 1;
            let rate = rate_of(rung);
            one.outcome = match one.slices >= 4 {
                true if rate < capacity * (1.0 - doubt) => Outcome::Holds,
                true if rate > capacity * (1.0 + doubt) => Outcome::Breaks(String::new()),
                _ => Outcome::Open { seems_broken: rate > capacity, needs: String::new() },
            };
        }
        panic!("the search does not end: {tried:?}")
    }

    #[test]
    fn rates_are_preferred_numbers() {
        assert_eq!([0, 4, 24, 80, 104, 200].map(rate_of), [1.0, 1.12, 2.0, 10.0, 20.0, 316.0]);
        for rung in -100..400 {
            assert_eq!(rung_below(rate_of(rung)), rung);
        }
        assert_eq!(rate_of(rung_below(199.9)), 194.0);
    }

    proptest! {
        #[test]
        fn the_line_lies_in_a_narrow_bracket_found_in_few_slices(capacity in 2.0..50_000.0_f64, start in 1.0..20_000.0_f64) {
            let bounds = Bounds { start: rung_below(start), ..bounds(None) };
            let (line, tried) = search(capacity, 0.0, &bounds);
            let (holds, breaks) = (rate_of(line.holds.unwrap().rung), rate_of(line.breaks.unwrap().rung));
            prop_assert!(holds < capacity && capacity < breaks, "{holds} {capacity} {breaks}");
            prop_assert!(breaks / holds < 1.14, "{holds} {breaks}");
            prop_assert!(tried.iter().map(|one| one.slices).sum::<usize>() <= 30);
        }

        #[test]
        fn doubt_widens_the_bracket_and_the_search_ends(capacity in 5.0..20_000.0_f64, doubt in 0.0..0.3_f64) {
            let (line, _) = search(capacity, doubt, &bounds(None));
            let (holds, breaks) = (line.holds.unwrap(), line.breaks.unwrap());
            prop_assert!(rate_of(holds.rung) < capacity && capacity < rate_of(breaks.rung));
            prop_assert!(rate_of(breaks.rung) / rate_of(holds.rung) < 2.0 * (1.0 + doubt) / (1.0 - doubt));
        }

        #[test]
        fn a_floor_off_the_line_is_decided(capacity in 5.0..20_000.0_f64, ratio in 0.3..3.0_f64) {
            let floor = capacity * ratio;
            let (line, tried) = search(capacity, 0.0, &bounds(Some(floor)));
            let first: Vec<Rung> = tried.iter().take(2).map(|one| one.rung).collect();
            prop_assert!(first.iter().any(|rung| (rate_of(*rung) / floor - 1.0).abs() < 0.07), "{first:?}");
            if ratio > 1.03 {
                prop_assert!(line.refutes(floor) && !line.proves(floor), "{line:?}");
            } else if ratio < 0.94 {
                prop_assert!(line.proves(floor) && !line.refutes(floor), "{line:?}");
            }
        }
    }

    #[test]
    fn the_ends_of_the_scale_end_the_search() {
        let narrow = Bounds { lowest: rung_below(10.0), highest: rung_below(100.0), ..bounds(None) };
        let (line, _) = search(1e6, 0.0, &narrow);
        assert_eq!((line.holds.unwrap().rung, line.breaks), (narrow.highest, None));
        let (line, _) = search(0.5, 0.0, &narrow);
        assert_eq!((line.holds, line.breaks.unwrap().rung), (None, narrow.lowest));
    }

    #[test]
    fn what_holds_above_what_breaks_is_a_contradiction() {
        let one = |rung, outcome| Tried { rung, slices: 4, outcome, sustained: rate_of(rung) };
        let line =
            line(&[one(0, Outcome::Holds), one(8, Outcome::Breaks("p95".into())), one(12, Outcome::Holds)]);
        assert!(line.is_contradicted);
        assert_eq!(line.holds.unwrap().rung, 0);
    }
}
