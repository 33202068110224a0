//! Logarithmic scales: latencies and volumes of one project span decades.

/// Values from `low` to `high` at pixels from `from` to `to`.
#[derive(Debug, Clone, Copy)]
pub(super) struct LogScale {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) from: f64,
    pub(super) to: f64,
}

impl LogScale {
    /// A scale that shows all values that are positive and finite, with some
    /// air. `None` where there are none.
    pub(super) fn around(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Option<Self> {
        const AIR: f64 = 1.4;
        let shown: Vec<f64> = values.filter(|v| v.is_finite() && *v > 0.0).collect();
        let low = shown.iter().copied().reduce(f64::min)? / AIR;
        let high = shown.iter().copied().reduce(f64::max)? * AIR;
        Some(Self { low, high, from, to })
    }

    /// The pixel of a value; what is off the scale is at its end.
    pub(super) fn at(&self, value: f64) -> f64 {
        let position = (value.max(self.low).ln() - self.low.ln()) / (self.high.ln() - self.low.ln());
        self.from + position.clamp(0.0, 1.0) * (self.to - self.from)
    }

    /// Powers of ten; with 2 and 5 between them where there are fewer than two.
    pub(super) fn ticks(&self) -> Vec<f64> {
        let powers = self.low.log10().floor() as i32..=self.high.log10().ceil() as i32;
        let steps = |factors: &[f64]| -> Vec<f64> {
            powers
                .clone()
                .flat_map(|power| factors.iter().map(move |factor| factor * 10f64.powi(power)))
                .filter(|tick| (self.low..=self.high).contains(tick))
                .collect()
        };
        let decades = steps(&[1.0]);
        if decades.len() >= 2 { decades } else { steps(&[1.0, 2.0, 5.0]) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_and_middle_of_a_scale() {
        let scale = LogScale { low: 1.0, high: 10_000.0, from: 0.0, to: 100.0 };
        assert_eq!(
            [0.5, 1.0, 100.0, 10_000.0, 1e9].map(|v| scale.at(v).round()),
            [0.0, 0.0, 50.0, 100.0, 100.0]
        );
        assert_eq!(scale.ticks(), [1.0, 10.0, 100.0, 1000.0, 10_000.0]);
        let narrow = LogScale { low: 3.0, high: 15.0, ..scale };
        assert_eq!(narrow.ticks(), [5.0, 10.0]);
        assert!(LogScale::around([0.0, f64::INFINITY].into_iter(), 0.0, 1.0).is_none());
    }
}
