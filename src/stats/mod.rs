//! Statistics, pure and seeded: histograms, intervals, comparison, growth,
//! change points; and the clock.
//!
//! Nothing here knows what its numbers mean. Every estimate comes with an
//! interval and the method it was made by; where the sample is too small for
//! the confidence asked for, a function says so with `None` or an infinite
//! bound instead of a narrower promise.

pub mod change_points;
pub mod chi_square;
pub mod clock;
pub mod clustered;
pub mod growth;
pub mod histogram;
pub mod interval;
pub mod multiplicity;
pub mod projection;
pub mod quantile;
pub mod ratio;
mod special;

pub use interval::{Estimate, Interval};
