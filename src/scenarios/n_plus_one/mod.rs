//! Does the application ask per row what it could ask once?
//!
//! [`detect()`] is a pure function from a trace to loops and other repetitions;
//! [`judge()`] adds the baseline and the verdict; [`run()`] finds the traces.

mod affinity;
pub mod baseline;
mod batch;
mod beyond;
mod detect;
mod effects;
mod executions;
mod findings;
mod free;
mod group;
mod growth;
mod hashing;
mod joined;
mod judge;
mod keys;
mod left_over;
mod limits;
mod order;
mod origin;
mod pace;
mod parent;
mod polymorphic;
mod positions;
mod prove;
mod reading;
mod repeats;
mod run;
mod sources;
mod strays;
mod tables;
mod tally;
mod trial;
mod undone;
mod weave;
mod whole;

pub use detect::{ArgumentSet, DetectOptions, Detection, detect};
pub use run::{Options, judge, read_baseline, run, run_without_server};
pub use tables::table_names;
