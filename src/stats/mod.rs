//! Statistics: histograms, intervals, comparison, growth, change points; and the clock.

pub mod clock;
