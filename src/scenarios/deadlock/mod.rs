//! Can these transactions deadlock, how does the database recover, and what does it cost everybody else?
//!
//! Reading specs, making orders and deciding is pure; `stage.rs`,
//! `execute.rs`, `explore.rs`, `solo.rs`, `from_trace.rs`, `confirm.rs`, `measure.rs`, `bystander.rs`, `sweep.rs` and
//! `run.rs` speak to a server. Who is blocked is
//! asked of the server, never guessed by sleeping.

mod bystander;
mod choose;
mod combine;
mod confirm;
mod decide;
mod execute;
mod expectation;
mod explore;
mod footprint;
mod foretold;
mod from_trace;
mod hot_rows;
pub mod interleave;
mod kind;
mod manner;
mod measure;
mod options;
mod outcome;
mod parse;
mod predict;
mod record;
mod report;
mod rows;
pub mod run;
mod scan;
mod solo;
pub mod spec;
mod stage;
pub mod sweep;
mod timer;
mod traced;
mod waits;
mod words;

pub use run::{Options, run};
