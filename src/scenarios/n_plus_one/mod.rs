//! Does the application ask per row what it could ask once?

mod affinity;
mod assign;
mod detect;
mod executions;
mod explain;
mod group;
mod judge;
mod reading;
mod repeats;
mod sources;

pub use detect::{DetectOptions, Detection, detect};
