//! The only place that reads a clock.

use std::time::{Instant, SystemTime};

/// The monotonic clock, now.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
pub fn now() -> Instant {
    Instant::now()
}

/// Microseconds since `start`, as a number that statistics can use.
#[must_use]
pub fn elapsed_us(start: Instant) -> f64 {
    now().duration_since(start).as_secs_f64() * 1e6
}

/// A duration in microseconds, as a number that statistics can use.
#[must_use]
pub fn duration_us(duration: std::time::Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// The wall clock, now.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
pub fn wall_clock() -> SystemTime {
    SystemTime::now()
}
