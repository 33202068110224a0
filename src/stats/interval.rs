//! An estimate and the bounds that hold the true value.

/// Bounds that hold the true value with the stated confidence. Either may be
/// infinite, where the sample cannot bound that side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower bound, in the unit of the samples.
    pub low: f64,
    /// Upper bound, in the unit of the samples.
    pub high: f64,
    /// The two-sided confidence, 0.95 for 95 %; each bound alone errs with half of the rest.
    pub confidence: f64,
}

impl Interval {
    /// Whether `value` lies within the bounds.
    #[must_use]
    pub fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }

    /// The same interval after a strictly increasing change of unit, such as `f64::exp`.
    #[must_use]
    pub fn map(self, increasing: impl Fn(f64) -> f64) -> Self {
        Self { low: increasing(self.low), high: increasing(self.high), confidence: self.confidence }
    }
}

/// A value with its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The point estimate, in the unit of the samples.
    pub value: f64,
    /// What it may be instead.
    pub interval: Interval,
    /// How many independent units stand behind it: samples, pairs or connections.
    pub units: usize,
}

impl Estimate {
    /// The same estimate after a strictly increasing change of unit.
    #[must_use]
    pub fn map(self, increasing: impl Fn(f64) -> f64) -> Self {
        Self { value: increasing(self.value), interval: self.interval.map(&increasing), units: self.units }
    }
}
