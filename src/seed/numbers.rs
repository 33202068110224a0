//! Continuous distributions by their quantile: one random number, one value.

use crate::project::distributions::NumberDistribution;
use crate::seed::random::normal_quantile;

/// The value below which a share `p` of the distribution lies; `0 < p < 1`.
#[inline]
pub(super) fn quantile(distribution: NumberDistribution, p: f64) -> f64 {
    match distribution {
        NumberDistribution::Uniform { low, high } => low + (high - low) * p,
        NumberDistribution::Normal { mean, sigma } => mean + sigma * normal_quantile(p),
        NumberDistribution::Lognormal { median, sigma } => median * (sigma * normal_quantile(p)).exp(),
        NumberDistribution::Exponential { mean } => -mean * (-p).ln_1p(),
    }
}

/// How a drawn number becomes a value of its column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Rounding {
    /// Not at all: a floating-point column.
    None,
    /// To the nearest multiple of 10^-`scale`, as a float.
    Float {
        /// 10^scale.
        factor: f64,
    },
    /// To the nearest multiple of 10^-`scale`, as a decimal or (`scale` 0) a whole number.
    Decimal {
        /// Decimals.
        scale: u32,
        /// 10^scale.
        factor: f64,
    },
}

impl Rounding {
    /// The distance between two neighbouring values.
    pub(super) fn step(self) -> Option<f64> {
        match self {
            Self::None => None,
            Self::Float { factor } | Self::Decimal { factor, .. } => Some(1.0 / factor),
        }
    }
}
