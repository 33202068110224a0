//! Every measurement of two runs, paired and judged.
//!
//! A deterministic counter, or a quotient of counters, differs or it does not. A
//! time has changed where its intervals do not overlap; two of 95 % that do not
//! are further apart than chance takes them in about one pair of 170. A time
//! without an interval, and what the planner reckons, is not judged.

use super::{Fairness, VerdictPair, asked};
use crate::model::{Measurement, RunReport, Scenario, Unit};

/// A measurement in either run or both.
#[derive(Debug, Clone)]
pub struct MeasurementPair<'a> {
    /// Whose.
    pub scenario: Scenario,
    /// Then.
    pub before: Option<&'a Measurement>,
    /// Now.
    pub after: Option<&'a Measurement>,
    /// What the two come to.
    pub judgement: Judgement,
}

/// What a pair of measurements comes to.
#[derive(Debug, Clone, PartialEq)]
pub enum Judgement {
    /// Lower than it was.
    Lower,
    /// Higher than it was.
    Higher,
    /// The same number.
    Same,
    /// The intervals overlap.
    NotToldApart,
    /// Not judged, and why.
    NotJudged(String),
    /// Both runs asked, and only the earlier one has it.
    Gone,
    /// Both runs asked, and only the later one has it.
    New,
    /// The earlier run was not asked about it, or did not reach it: which of the two.
    NotBefore(&'static str),
    /// The later run was not asked about it, or did not reach it: which of the two.
    NotAfter(&'static str),
}

impl Judgement {
    /// A word or two.
    #[must_use]
    pub fn word(&self) -> String {
        let word = match self {
            Self::Lower => "lower",
            Self::Higher => "higher",
            Self::Same => "the same",
            Self::NotToldApart => "not told apart",
            Self::NotJudged(_) => "not judged",
            Self::Gone => "gone",
            Self::New => "new",
            Self::NotBefore(why) => return format!("{why} in the earlier run"),
            Self::NotAfter(why) => return format!("{why} in the later run"),
        };
        word.to_owned()
    }

    /// Whether it is lower or higher.
    #[must_use]
    pub fn is_change(&self) -> bool {
        matches!(self, Self::Lower | Self::Higher)
    }
}

impl<'a> MeasurementPair<'a> {
    /// Whichever there is, the later one first.
    ///
    /// # Panics
    /// Never: a pair has at least one of the two.
    #[must_use]
    pub fn any(&self) -> &'a Measurement {
        #[expect(clippy::unreachable, reason = "pairs are made from measurements")]
        self.after.or(self.before).unwrap_or_else(|| unreachable!("a pair of nothing"))
    }

    /// After / before, where both are positive.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        let (before, after) = (self.before?.value, self.after?.value);
        (before > 0.0 && after > 0.0).then(|| after / before)
    }

    fn distance(&self) -> f64 {
        if self.judgement.is_change() {
            self.ratio().map_or(f64::MAX, |ratio| ratio.ln().abs())
        } else {
            -1.0
        }
    }
}

/// The pairs of all scenarios that both runs asked about, those that changed most first.
pub(super) fn pairs<'a>(
    (then, now): (&RunReport, &RunReport),
    verdicts: &[VerdictPair<'a>],
    fairness: &Fairness,
) -> Vec<MeasurementPair<'a>> {
    let mut pairs = Vec::new();
    for verdict in verdicts {
        let (Some(earlier), Some(later)) = (verdict.before, verdict.after) else { continue };
        let scenario = verdict.scenario;
        let same = |a: &Measurement, b: &Measurement| {
            (&a.subject, a.metric, &a.volume, a.variant) == (&b.subject, b.metric, &b.volume, b.variant)
        };
        let why = |run, other, m: &Measurement| {
            asked::not_asked(run, other, scenario, &m.subject, m.volume.as_deref())
        };
        for before in &earlier.measurements {
            let after = later.measurements.iter().find(|after| same(before, after));
            let judgement = match after {
                Some(after) => judge(before, after, fairness),
                None => why(now, then, before).map_or(Judgement::Gone, Judgement::NotAfter),
            };
            pairs.push(MeasurementPair { scenario, before: Some(before), after, judgement });
        }
        let only_now =
            later.measurements.iter().filter(|after| !earlier.measurements.iter().any(|b| same(b, after)));
        pairs.extend(only_now.map(|after| MeasurementPair {
            scenario,
            before: None,
            after: Some(after),
            judgement: why(then, now, after).map_or(Judgement::New, Judgement::NotBefore),
        }));
    }
    pairs.sort_by(|a, b| b.distance().total_cmp(&a.distance()));
    pairs
}

fn judge(before: &Measurement, after: &Measurement, fairness: &Fairness) -> Judgement {
    if let Some(volume) = before.volume.as_ref().filter(|volume| fairness.resized.contains(volume)) {
        return Judgement::NotJudged(format!("volume {volume} is not the same size in both"));
    }
    if !is_time(before) && (before.value - after.value).abs() < 1e-9 {
        return Judgement::Same;
    }
    if PLANNERS.contains(&before.metric) {
        return Judgement::NotJudged("the planner's reckoning, which moves with each ANALYZE".into());
    }
    let barrier = if is_time(before) { &fairness.times } else { &fairness.counters };
    if let Some(why) = barrier {
        return Judgement::NotJudged(why.clone());
    }
    let direction = if after.value < before.value { Judgement::Lower } else { Judgement::Higher };
    match (before.interval, after.interval) {
        (Some(then), Some(now)) if then.high < now.low || now.high < then.low => direction,
        (Some(_), Some(_)) => Judgement::NotToldApart,
        _ if is_time(before) => Judgement::NotJudged("a time without an interval".into()),
        _ if before.value.is_finite() && after.value.is_finite() => direction,
        _ => Judgement::NotToldApart,
    }
}

/// What the planner reckons: its statistics are of a random sample.
const PLANNERS: [&str; 2] = ["cost", "estimate_error"];

/// Quotients of counters: they read the same twice, as counters do.
const COUNTER_RATIOS: [&str; 2] = ["rows_read_per_row", "estimate_error"];

/// Times, rates, and ratios of times: they depend on the machine. Everything
/// else reads the same twice, so that a difference needs no interval.
fn is_time(m: &Measurement) -> bool {
    match m.unit {
        Unit::Microseconds | Unit::PerSecond => true,
        Unit::Ratio => !COUNTER_RATIOS.contains(&m.metric),
        Unit::Blocks | Unit::Rows | Unit::Count | Unit::Bytes | Unit::Cost => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Interval, Variant};

    fn measured(unit: Unit, value: f64, interval: Option<(f64, f64)>) -> Measurement {
        Measurement {
            subject: "q".into(),
            metric: "m",
            unit,
            value,
            samples: 100,
            interval: interval.map(|(low, high)| Interval { low, high, confidence: 0.95 }),
            volume: Some("small".into()),
            variant: Variant::Only,
        }
    }

    fn named(metric: &'static str, unit: Unit, value: f64) -> Measurement {
        Measurement { metric, ..measured(unit, value, None) }
    }

    #[test]
    fn only_what_is_beyond_doubt_counts_as_a_change() {
        let fair = Fairness::default();
        let time = |value, interval| measured(Unit::Microseconds, value, interval);
        let blocks = |value| measured(Unit::Blocks, value, None);
        let cases = [
            (time(100.0, Some((90.0, 110.0))), time(150.0, Some((140.0, 160.0))), "higher"),
            (time(100.0, Some((90.0, 110.0))), time(115.0, Some((105.0, 125.0))), "not told apart"),
            (time(100.0, None), time(900.0, None), "not judged"),
            (time(100.0, Some((90.0, f64::NAN))), time(900.0, Some((800.0, 1000.0))), "not told apart"),
            (blocks(39.0), blocks(5.0), "lower"),
            (blocks(39.0), blocks(39.0), "the same"),
            (measured(Unit::Bytes, 1000.0, None), measured(Unit::Bytes, 1010.0, None), "higher"),
            (
                named("rows_read_per_row", Unit::Ratio, 2500.0),
                named("rows_read_per_row", Unit::Ratio, 1.0),
                "lower",
            ),
            (
                named("rows_read_per_row", Unit::Ratio, 1.0),
                named("rows_read_per_row", Unit::Ratio, 1.0),
                "the same",
            ),
            (named("time_ratio", Unit::Ratio, 2500.0), named("time_ratio", Unit::Ratio, 1.0), "not judged"),
            (named("cost", Unit::Cost, 39.0), named("cost", Unit::Cost, 5.0), "not judged"),
            (named("cost", Unit::Cost, 39.0), named("cost", Unit::Cost, 39.0), "the same"),
        ];
        for (before, after, expected) in cases {
            assert_eq!(judge(&before, &after, &fair).word(), expected, "{before:?} {after:?}");
        }
    }

    #[test]
    fn other_surroundings_leave_less_to_judge() {
        let (slow, fast) = (
            measured(Unit::Microseconds, 100.0, Some((90.0, 110.0))),
            measured(Unit::Microseconds, 10.0, Some((9.0, 11.0))),
        );
        let (many, few) = (measured(Unit::Blocks, 39.0, None), measured(Unit::Blocks, 5.0, None));
        let other_machine = Fairness { times: Some("machines".into()), ..Fairness::default() };
        assert_eq!(judge(&slow, &fast, &other_machine).word(), "not judged");
        assert_eq!(judge(&many, &few, &other_machine).word(), "lower");
        let other_seed = Fairness { counters: Some("seeds".into()), ..other_machine };
        assert_eq!(judge(&many, &few, &other_seed).word(), "not judged");
        let resized = Fairness { resized: vec!["small".into()], ..Fairness::default() };
        assert_eq!(judge(&many, &few, &resized).word(), "not judged");
    }
}
