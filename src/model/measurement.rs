//! A metric of a subject with unit, number of samples and interval.

/// What the number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Microseconds.
    Microseconds,
    /// Blocks of 8 KiB (the server's `block_size`).
    Blocks,
    /// Rows.
    Rows,
    /// Bytes.
    Bytes,
    /// A dimensionless ratio, 1 = equal.
    Ratio,
    /// A count of anything else.
    Count,
    /// Per second.
    PerSecond,
    /// The planner's arbitrary cost unit.
    Cost,
}

impl Unit {
    /// The suffix used in JSON and metric names.
    #[must_use]
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Microseconds => "us",
            Self::Blocks => "blocks",
            Self::Rows => "rows",
            Self::Bytes => "bytes",
            Self::Ratio => "ratio",
            Self::Count => "count",
            Self::PerSecond => "per_second",
            Self::Cost => "cost",
        }
    }
}

/// The name of a metric, stable and in snake case, without its unit: `p95`,
/// `buffers`, `detection_time`, `queries_per_parent`.
pub type Metric = &'static str;

/// Which side of a comparison a measurement was taken on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    /// Nothing is compared.
    Only,
    /// Before the change.
    Before,
    /// After the change.
    After,
}

impl Variant {
    /// `only`, `before` or `after`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Only => "only",
            Self::Before => "before",
            Self::After => "after",
        }
    }
}

/// Bounds that hold the true value with the stated confidence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower bound, in the unit of its measurement.
    pub low: f64,
    /// Upper bound, in the unit of its measurement.
    pub high: f64,
    /// 0.95 for 95 %.
    pub confidence: f64,
}

impl Interval {
    /// The confidence in words: `95 %`.
    #[must_use]
    pub fn percent(&self) -> String {
        confidence_percent(self.confidence)
    }
}

/// A confidence in words, with as many decimals as two digits of its error need: `99.983 %`, and
/// never a certainty that it is not.
#[must_use]
pub fn confidence_percent(confidence: f64) -> String {
    let error = 100.0 * (1.0 - confidence);
    let decimals = if error > 0.0 { (1.0 - error.log10().floor()).clamp(0.0, 9.0) as usize } else { 0 };
    let text = format!("{:.decimals$}", 100.0 * confidence);
    let text = if decimals > 0 { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text} %")
}

/// One number with everything needed to trust it.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement {
    /// The query, spec or scope measured.
    pub subject: String,
    /// What was measured.
    pub metric: Metric,
    /// In what.
    pub unit: Unit,
    /// The value, in `unit`.
    pub value: f64,
    /// How many samples stand behind it; 1 for a deterministic counter.
    pub samples: u64,
    /// Where it is an estimate: its bounds.
    pub interval: Option<Interval>,
    /// The volume it was measured at.
    pub volume: Option<String>,
    /// Which side of a comparison.
    pub variant: Variant,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confidence_is_never_rounded_to_certainty() {
        for (confidence, expected) in [
            (0.95, "95 %"),
            (0.99, "99 %"),
            (0.9, "90 %"),
            (0.975, "97.5 %"),
            (1.0 - 2.0 * 0.01 / 120.0, "99.983 %"),
            (0.999_999, "99.9999 %"),
            (1.0, "100 %"),
        ] {
            assert_eq!(confidence_percent(confidence), expected);
        }
    }
}
