//! Whether a rate holds: decided by intervals over its slices, or not at all.
//!
//! The slice is the unit, since requests that queue behind one another are not
//! independent. The error is divided by the looks before the first slice, and
//! for breaking also by the limits, any of which may break (Bonferroni); a rate
//! holds only where every limit says so, which needs no such division.

use super::slice::{Limit, LimitCount, Slice};
use crate::stats::clustered::clustered_share;
use crate::stats::multiplicity::confidence_each;
use crate::stats::quantile::samples_needed;
use crate::stats::ratio::mean_interval;
use crate::stats::{Estimate, Interval};
use std::time::Duration;

/// Below this share of what is due being finished, the server does not follow.
pub const FOLLOWS_SHARE: f64 = 0.98;
/// A generator that keeps this share of the machine's processors busy is the limit itself.
pub const GENERATOR_CPU_SHARE: f64 = 0.5;
/// Slices are made longer for a low rate, up to this many times.
const LONGER_MAX: f64 = 10.0;
/// Requests per limit that give a first impression.
const FIRST_REQUESTS: f64 = 40.0;
/// Growth of the number of slices from look to look.
const LOOK_FACTOR: f64 = 1.4;

/// How rates are decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// What has to hold; at least one.
    pub limits: Vec<Limit>,
    /// Of the statement about one rate.
    pub confidence: f64,
    /// Slices before a rate is decided.
    pub slices_min: usize,
    /// Slices after which it stays open.
    pub slices_max: usize,
    /// The least length of a slice.
    pub slice: Duration,
    /// Connections.
    pub connections: usize,
    /// Processors of this machine.
    pub cpu_count: usize,
}

/// What is known of a rate.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Every limit is kept and the server follows.
    Holds,
    /// A limit is broken or the server does not follow: which, in words.
    Breaks(String),
    /// It breaks, but by the generator: how, in words.
    GeneratorBound(String),
    /// Not decided.
    Open {
        /// Whether it looks as if it broke.
        seems_broken: bool,
        /// What would decide it.
        needs: String,
    },
}

impl Outcome {
    /// `holds`, `breaks`, `generator-bound` or `open`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Breaks(_) => "breaks",
            Self::GeneratorBound(_) => "generator-bound",
            Self::Open { .. } => "open",
        }
    }

    /// Whether more slices can change nothing.
    #[must_use]
    pub fn is_decided(&self) -> bool {
        !matches!(self, Self::Open { .. })
    }

    /// Whether it is taken for broken so far.
    #[must_use]
    pub fn is_above(&self) -> bool {
        matches!(self, Self::Breaks(_) | Self::GeneratorBound(_) | Self::Open { seems_broken: true, .. })
    }
}

/// A rate judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// What is known.
    pub outcome: Outcome,
    /// Share of the requests over each limit.
    pub over: Vec<Estimate>,
    /// Requests finished over requests due, in the second half of the slices.
    pub followed: Option<Estimate>,
}

impl Judgement {
    /// The rate that was surely served, where it holds: the part of `rate` that was finished.
    #[must_use]
    pub fn sustained(&self, rate: f64) -> f64 {
        rate * self.followed.map_or(1.0, |followed| followed.interval.low.clamp(0.0, 1.0))
    }
}

/// What one limit says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Kept,
    Broken,
    Open,
}

impl Rule {
    /// After how many slices a rate is looked at.
    fn looks(&self) -> Vec<usize> {
        let mut looks = vec![self.slices_min.max(2)];
        while let Some(&last) = looks.last().filter(|last| **last < self.slices_max) {
            looks.push(((last as f64 * LOOK_FACTOR) as usize).max(last + 1).min(self.slices_max));
        }
        looks
    }

    /// Confidence of the intervals by which a limit is kept.
    fn kept_confidence(&self) -> f64 {
        confidence_each(self.confidence, self.looks().len())
    }

    /// Confidence of those by which one is broken, or the server stays behind.
    fn broken_confidence(&self) -> f64 {
        confidence_each(self.confidence, self.looks().len() * (self.limits.len() + 1))
    }

    /// How long the next slice at this rate is: the first one for an impression, the others long
    /// enough that the fewest have the requests that the percentiles need.
    #[must_use]
    pub fn slice_length(&self, rate: f64, shares: &[f64], slices: usize) -> Duration {
        // Thrice what independent requests would take: few slices widen the interval.
        const SPARE: f64 = 3.0;
        let needed = |limit: &Limit| {
            let share = limit.query.and_then(|query| shares.get(query)).copied().unwrap_or(1.0);
            let requests = match slices {
                0 => FIRST_REQUESTS,
                _ => {
                    let needed = samples_needed(limit.quantile, self.kept_confidence()) as f64;
                    (SPARE * needed / self.slices_min.max(1) as f64).max(FIRST_REQUESTS)
                }
            };
            requests / share.max(1e-3)
        };
        let requests = self.limits.iter().map(needed).fold(0.0, f64::max);
        self.slice.mul_f64((requests / rate / self.slice.as_secs_f64()).clamp(1.0, LONGER_MAX))
    }

    /// The lowest rate at which the longest slice holds the requests of a first impression.
    #[must_use]
    pub fn lowest_rate(&self, shares: &[f64]) -> f64 {
        let needed = |limit: &Limit| {
            let share = limit.query.and_then(|query| shares.get(query)).copied().unwrap_or(1.0);
            FIRST_REQUESTS / share.max(1e-3)
        };
        let requests = self.limits.iter().map(needed).fold(0.0, f64::max);
        (requests / (LONGER_MAX * self.slice.as_secs_f64())).max(1.0)
    }

    /// How long after the last arrival a request may still be sent: by then it is over every
    /// limit, and a server that stands still does not hold up the run.
    #[must_use]
    pub fn grace(&self) -> Duration {
        const GRACE_MAX: Duration = Duration::from_secs(2);
        self.limits.iter().map(|limit| limit.latency).max().unwrap_or_default().min(GRACE_MAX)
    }

    /// Judges a rate by its slices.
    #[must_use]
    pub fn judge(&self, slices: &[Slice]) -> Judgement {
        let over = self.shares(slices, |count| count.over, self.kept_confidence());
        // What surely was served is half of a statement about holding.
        let followed = followed(slices, self.kept_confidence());
        let outcome = match self.looks().into_iter().rfind(|look| *look <= slices.len()) {
            None => Outcome::Open {
                seems_broken: self.seems_broken(slices),
                needs: format!("{} slices instead of {}", self.slices_min, slices.len()),
            },
            Some(look) => match self.decide(&slices[..look]) {
                Outcome::Open { needs, .. } => {
                    Outcome::Open { seems_broken: self.seems_broken(slices), needs }
                }
                decided => decided,
            },
        };
        Judgement { outcome, over, followed }
    }

    /// Share of the requests over each limit.
    fn shares(&self, slices: &[Slice], of: fn(&LimitCount) -> u64, confidence: f64) -> Vec<Estimate> {
        let counts = |index: usize| -> Vec<(u64, u64)> {
            let all = slices.iter().filter_map(|slice| slice.limits.get(index));
            all.map(|limit| (of(limit), limit.requests)).collect()
        };
        (0..self.limits.len()).map(|index| share(&counts(index), confidence)).collect()
    }

    fn decide(&self, slices: &[Slice]) -> Outcome {
        let kept = self.shares(slices, |count| count.over, self.kept_confidence());
        let over = self.shares(slices, |count| count.over, self.broken_confidence());
        let without = self.shares(slices, |count| count.over_without_generator, self.broken_confidence());
        let followed = followed(slices, self.broken_confidence());
        let sides = self.sides(&over);
        let stays_behind = followed.is_some_and(|followed| followed.interval.high < FOLLOWS_SHARE);
        let broken = sides.iter().position(|side| *side == Side::Broken);
        if broken.is_some() || stays_behind {
            if let Some(bound) = self.generator_bound(slices, &without, broken.is_some(), stays_behind) {
                return Outcome::GeneratorBound(bound);
            }
            return Outcome::Breaks(match broken {
                Some(index) => self.broken(index, over[index]),
                None => behind(followed),
            });
        }
        match self.sides(&kept).iter().position(|side| *side != Side::Kept) {
            None if self.seems_behind(slices) => {
                Outcome::Open { seems_broken: true, needs: catching_up(followed) }
            }
            None => Outcome::Holds,
            Some(index) => Outcome::Open { seems_broken: false, needs: self.needs(index, kept[index]) },
        }
    }

    fn sides(&self, over: &[Estimate]) -> Vec<Side> {
        let side = |(limit, over): (&Limit, &Estimate)| {
            let allowed = 1.0 - limit.quantile;
            match over.interval {
                Interval { high, .. } if high <= allowed => Side::Kept,
                Interval { low, .. } if low > allowed => Side::Broken,
                _ => Side::Open,
            }
        };
        self.limits.iter().zip(over).map(side).collect()
    }

    /// By the figures themselves, where their intervals do not decide: more over a limit than
    /// chance alone puts there once in some hundred times, were requests independent.
    fn seems_broken(&self, slices: &[Slice]) -> bool {
        const DEVIATIONS: f64 = 3.0;
        let is_over = |(index, limit): (usize, &Limit)| {
            let counts = || slices.iter().filter_map(|slice| slice.limits.get(index));
            let requests = counts().map(|count| count.requests).sum::<u64>() as f64;
            let over = counts().map(|count| count.over).sum::<u64>() as f64;
            let allowed = (1.0 - limit.quantile) * requests;
            over > allowed + DEVIATIONS * (allowed * limit.quantile).sqrt()
        };
        self.seems_behind(slices) || self.limits.iter().enumerate().any(is_over)
    }

    /// By the counts themselves: less is finished than follows, by more than what is under way
    /// when a half slice begins and ends can make. A short slice ends before such a queue breaks
    /// a wide limit, so latencies alone do not show it.
    fn seems_behind(&self, slices: &[Slice]) -> bool {
        let sum = |of: fn(&Slice) -> u64| slices.iter().map(of).sum::<u64>() as f64;
        let (due, finished) = (sum(|slice| slice.second_half.0), sum(|slice| slice.second_half.1));
        // As many as there are connections, in either direction, independently in each slice.
        let under_way = self.connections as f64 * (slices.len() as f64).sqrt();
        finished + under_way < FOLLOWS_SHARE * due
    }

    /// Why it is the generator that breaks the limits, where it is.
    fn generator_bound(
        &self,
        slices: &[Slice],
        without: &[Estimate],
        is_broken: bool,
        stays_behind: bool,
    ) -> Option<String> {
        let cpus = slices.iter().map(|slice| slice.generator_cpus).sum::<f64>() / slices.len().max(1) as f64;
        let share = cpus / self.cpu_count.max(1) as f64;
        if share >= GENERATOR_CPU_SHARE {
            return Some(format!(
                "the generator keeps {:.0} % of this machine's processors busy",
                share * 100.0
            ));
        }
        let breaks_alone = self.sides(without).contains(&Side::Broken);
        let worst = slices.iter().map(|slice| slice.lateness_p99_us).fold(0.0, f64::max);
        (is_broken && !stays_behind && !breaks_alone).then(|| {
            format!(
                "the generator itself sent requests late, up to {:.1} ms at its 99th percentile",
                worst / 1e3
            )
        })
    }

    fn broken(&self, index: usize, over: Estimate) -> String {
        let limit = &self.limits[index];
        format!(
            "{} is broken: {} of the requests took longer ({} to {}), {} may",
            limit.text,
            percent(over.value),
            percent(over.interval.low),
            percent(over.interval.high),
            percent(1.0 - limit.quantile)
        )
    }

    fn needs(&self, index: usize, over: Estimate) -> String {
        let limit = &self.limits[index];
        format!(
            "more or longer slices: {} to {} of the requests are over {}, {} may",
            percent(over.interval.low),
            percent(over.interval.high),
            limit.text,
            percent(1.0 - limit.quantile)
        )
    }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn behind(followed: Option<Estimate>) -> String {
    let share = followed.map_or(0.0, |followed| followed.value);
    format!("only {} of what was due was finished: the server does not follow", percent(share))
}

fn catching_up(followed: Option<Estimate>) -> String {
    let interval = followed.map_or(Interval { low: 0.0, high: 1.0, confidence: 0.0 }, |one| one.interval);
    format!(
        "more or longer slices: {} to {} of what was due was finished, {} shows that the server follows",
        percent(interval.low),
        percent(interval.high),
        percent(FOLLOWS_SHARE)
    )
}

/// One slice has a value and no bounds; without requests nothing is known.
fn share(counts: &[(u64, u64)], confidence: f64) -> Estimate {
    let sum = |of: fn(&(u64, u64)) -> u64| counts.iter().map(of).sum::<u64>() as f64;
    let value = sum(|count| count.0) / sum(|count| count.1).max(1.0);
    let unbounded = Estimate { value, interval: Interval { low: 0.0, high: 1.0, confidence }, units: 1 };
    clustered_share(counts, confidence).unwrap_or(unbounded)
}

/// The mean over slices; one slice has a value and no bounds.
fn followed(slices: &[Slice], confidence: f64) -> Option<Estimate> {
    let ratios: Vec<f64> = slices
        .iter()
        .filter(|slice| slice.second_half.0 > 0)
        .map(|slice| slice.second_half.1 as f64 / slice.second_half.0 as f64)
        .collect();
    let unbounded = Interval { low: 0.0, high: f64::INFINITY, confidence };
    let single = ratios.first().map(|value| Estimate { value: *value, interval: unbounded, units: 1 });
    mean_interval(&ratios, confidence).or(single)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule() -> Rule {
        Rule {
            limits: vec![Limit {
                text: "p95 < 50ms".into(),
                query: None,
                quantile: 0.95,
                latency: Duration::from_millis(50),
            }],
            confidence: 0.95,
            slices_min: 6,
            slices_max: 16,
            slice: Duration::from_secs(1),
            connections: 8,
            cpu_count: 2,
        }
    }

    fn slice(over: u64, finished: u64) -> Slice {
        Slice {
            second_half: (500, finished),
            limits: vec![LimitCount { requests: 1000, over, over_without_generator: over }],
            ..Slice::default()
        }
    }

    fn words(slices: &[Slice]) -> &'static str {
        rule().judge(slices).outcome.word()
    }

    #[test]
    fn a_rate_is_decided_when_the_interval_lies_on_one_side() {
        let steady = |over| vec![slice(over, 500); 6];
        for (slices, expected) in [
            (steady(0), "holds"),
            (steady(10), "holds"),
            (steady(200), "breaks"),
            (steady(50), "open"),
            (steady(0)[..5].to_vec(), "open"),
            // The same share, but one slice has them all: who knows what the next one has.
            ([vec![slice(0, 500); 5], vec![slice(240, 500)]].concat(), "open"),
            // Latencies are fine, but half of what is due is not finished.
            (vec![slice(0, 250); 6], "breaks"),
            // A tenth of it is not, and how much differs so much that nothing is sure.
            ([250, 500, 500, 500, 500, 450].map(|finished| slice(0, finished)).to_vec(), "open"),
            // What is under way at the ends of the slices is no backlog.
            ([470, 500, 495, 485, 480, 500].map(|finished| slice(0, finished)).to_vec(), "holds"),
        ] {
            assert_eq!(words(&slices), expected, "{slices:?}");
        }
    }

    #[test]
    fn what_only_the_generator_breaks_is_not_blamed_on_the_server() {
        let late = LimitCount { requests: 1000, over: 300, over_without_generator: 2 };
        let by_lateness = Slice { limits: vec![late], lateness_p99_us: 80_000.0, ..slice(0, 500) };
        let outcome = rule().judge(&vec![by_lateness; 6]).outcome;
        assert!(matches!(&outcome, Outcome::GeneratorBound(why) if why.contains("80.0 ms")), "{outcome:?}");
        let busy = Slice { generator_cpus: 1.2, ..slice(300, 400) };
        let outcome = rule().judge(&vec![busy; 6]).outcome;
        assert!(matches!(&outcome, Outcome::GeneratorBound(why) if why.contains("60 %")), "{outcome:?}");
        // A busy generator is no excuse where nothing is broken.
        assert_eq!(words(&vec![Slice { generator_cpus: 1.2, ..slice(0, 500) }; 6]), "holds");
    }

    #[test]
    fn a_first_impression_allows_for_chance() {
        let seems = |requests, over| {
            let limits = vec![LimitCount { requests, over, over_without_generator: over }];
            rule().judge(&[Slice { limits, ..slice(0, 500) }]).outcome.is_above()
        };
        // 5 % may be over: 4 of 40 are chance, 10 of 40 are not, and neither are 75 of 1000.
        assert!(!seems(40, 4) && seems(40, 10));
        assert!(!seems(1000, 70) && seems(1000, 75));
    }

    #[test]
    fn slices_at_low_rates_are_longer_and_bounded() {
        let rule = rule();
        let length = |rate, slices| rule.slice_length(rate, &[1.0], slices).as_secs_f64();
        assert_eq!((length(10_000.0, 0), length(10_000.0, 1)), (1.0, 1.0));
        assert!(length(20.0, 0) == 2.0 && length(20.0, 1) > 2.0, "{}", length(20.0, 1));
        assert_eq!(length(0.1, 0), 10.0);
        assert_eq!(rule.lowest_rate(&[1.0]), 4.0);
        // A query with a tenth of the requests needs ten times as many.
        let own = Rule { limits: vec![Limit { query: Some(0), ..rule.limits[0].clone() }], ..rule.clone() };
        assert_eq!(own.slice_length(100.0, &[0.1], 0).as_secs_f64(), 4.0);
        assert_eq!(own.lowest_rate(&[0.1]), 40.0);
    }

    #[test]
    fn what_is_sustained_is_what_was_finished() {
        let steady = rule().judge(&vec![slice(0, 500); 6]);
        assert!((steady.sustained(200.0) - 200.0).abs() < 1e-9);
        let behind = rule().judge(&[490, 495, 485, 490, 492, 488].map(|n| slice(0, n)));
        assert!((170.0..196.0).contains(&behind.sustained(200.0)), "{behind:?}");
    }
}
