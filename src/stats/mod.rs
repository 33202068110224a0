//! Statistics, pure and seeded: histograms, intervals, comparison, growth,
//! change points; and the clock.
//!
//! Nothing here knows what its numbers mean. Every estimate comes with an
//! interval and the method it was made by; where the sample is too small for
//! the confidence asked for, a function says so with `None` or an infinite
//! bound instead of a narrower promise.

pub mod clock;
pub mod clustered;
pub mod interval;
pub mod quantile;
pub mod ratio;
mod special;

pub use interval::{Estimate, Interval};
