//! Can these transactions deadlock, how does the database recover, and what does it cost everybody else?
//!
//! Reading specs, making orders and deciding is pure; `stage.rs`,
//! `execute.rs`, `explore.rs`, `solo.rs`, `from_trace.rs`, `confirm.rs`, `measure.rs`, `bystander.rs` and
//! `run.rs` speak to a server. Who is blocked is
//! asked of the server, never guessed by sleeping.

mod bystander;
mod choose;
mod combine;
mod confirm;
mod decide;
mod execute;
mod explore;
mod footprint;
mod foretold;
mod from_trace;
pub mod interleave;
mod kind;
mod measure;
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
mod timer;
mod traced;
mod waits;

pub use run::{Options, run};
