//! Statements executed at a schedule and timed.
