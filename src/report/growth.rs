//! Growth with the volume in words: for the terminal's table and the page.

use super::units;
use crate::model::evidence::slow_queries::QueryGrowth;

/// A projection further than this beyond the largest volume measured is not a figure.
const PROJECTION_MAX: f64 = 1000.0;

/// A value of a growing metric: blocks, else microseconds.
#[must_use]
pub fn value(metric: &str, value: f64) -> String {
    if metric == "buffers" { units::grouped(value) } else { units::duration_us(value) }
}

/// A volume as a multiple of the declared rows: `12.5x`.
#[must_use]
pub fn factor(factor: f64) -> String {
    if factor >= 1e6 { format!("{factor:.0e}x") } else { format!("{}x", shortest(factor)) }
}

/// Three digits, without zeros that say nothing.
fn shortest(value: f64) -> String {
    let text = units::significant(value);
    match text.split_once('.') {
        Some((whole, decimals)) if decimals.trim_end_matches('0').is_empty() => whole.to_owned(),
        _ => text,
    }
}

/// What was measured needs no projection.
fn measured_over(growth: &QueryGrowth, limit: f64) -> Option<String> {
    let over = growth.points.iter().position(|(_, value)| *value >= limit)?;
    let kept =
        over.checked_sub(1).map(|before| format!(", within it at {}", factor(growth.points[before].0)));
    Some(format!("over it at {}{} as measured", factor(growth.points[over].0), kept.unwrap_or_default()))
}

/// What the fitted law says of the budget, one phrase; `None` without a budget.
#[must_use]
pub fn breaks_at(growth: &QueryGrowth) -> Option<String> {
    let limit = growth.limit.as_ref()?;
    let budget = &limit.budget;
    let largest = growth.points.iter().map(|(size, _)| *size).fold(0.0, f64::max);
    if let Some(said) = measured_over(growth, limit.limit) {
        return Some(format!("{budget}: {said}"));
    }
    let is_within_reach = |size: f64| size.is_finite() && size <= largest * PROJECTION_MAX;
    if !is_within_reach(limit.factor) {
        return Some(match limit.interval.low {
            low if is_within_reach(low) && low > 0.0 => {
                format!("{budget}: no volume in sight breaks it, but {} cannot be excluded", factor(low))
            }
            low if low > 0.0 => {
                format!("{budget}: not before {} times the largest volume", units::grouped(PROJECTION_MAX))
            }
            _ => format!("{budget}: no volume in sight breaks it, none is excluded"),
        });
    }
    let bounds = match (limit.interval.low, limit.interval.high) {
        (low, high) if low > 0.0 && is_within_reach(high) => {
            format!(" ({} to {} at {})", factor(low), factor(high), limit.interval.percent())
        }
        (low, _) if low > 0.0 => {
            format!(" (from {} at {}, no upper bound)", factor(low), limit.interval.percent())
        }
        _ => " (not bounded: too few or too uneven volumes)".into(),
    };
    Some(format!("{budget}: would break at about {}{bounds}", factor(limit.factor)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Interval;
    use crate::model::evidence::slow_queries::GrowthLimit;

    fn said(size: f64, low: f64, high: f64) -> String {
        breaks_at(&growth(size, low, high)).unwrap()
    }

    fn growth(size: f64, low: f64, high: f64) -> QueryGrowth {
        let limit = GrowthLimit {
            budget: "p95 < 5ms".into(),
            limit: 5000.0,
            factor: size,
            interval: Interval { low, high, confidence: 0.95 },
        };
        QueryGrowth {
            query: "q".into(),
            metric: "p95",
            exponent: 1.0,
            interval: Interval { low: 0.9, high: 1.1, confidence: 0.95 },
            scale: 1.0,
            class: "linear",
            points: vec![(1.0, 1.0), (10.0, 10.0), (100.0, 100.0)],
            limit: Some(limit),
        }
    }

    #[test]
    fn what_was_measured_is_not_projected() {
        let mut growth = growth(200.0, 100.0, 300.0);
        growth.points[2].1 = 6000.0;
        assert_eq!(breaks_at(&growth).unwrap(), "p95 < 5ms: over it at 100x, within it at 10x as measured");
    }

    #[test]
    fn the_projection_says_what_it_knows_and_no_more() {
        assert_eq!(said(372.0, 130.0, 900.0), "p95 < 5ms: would break at about 372x (130x to 900x at 95 %)");
        assert_eq!(
            said(140.0, 30.0, f64::INFINITY),
            "p95 < 5ms: would break at about 140x (from 30x at 95 %, no upper bound)"
        );
        assert_eq!(
            said(400.0, 0.0, f64::INFINITY),
            "p95 < 5ms: would break at about 400x (not bounded: too few or too uneven volumes)"
        );
        assert_eq!(said(f64::NAN, 2e9, f64::NAN), "p95 < 5ms: not before 1 000 times the largest volume");
        assert_eq!(
            said(1e12, 210.0, f64::INFINITY),
            "p95 < 5ms: no volume in sight breaks it, but 210x cannot be excluded"
        );
    }
}
