//! Can these transactions deadlock, how does the database recover, and what does it cost everybody else?
//!
//! Reading specs, making orders and deciding is pure; `stage.rs`,
//! `execute.rs`, `explore.rs`, `solo.rs`, `confirm.rs`, `measure.rs`, `bystander.rs` and
//! `run.rs` speak to a server. Who is blocked is
//! asked of the server, never guessed by sleeping.

mod bystander;
mod combine;
mod confirm;
mod decide;
mod execute;
mod explore;
mod footprint;
pub mod interleave;
mod kind;
mod measure;
mod outcome;
mod parse;
mod predict;
mod record;
mod report;
pub mod run;
mod scan;
mod solo;
pub mod spec;
mod stage;
mod timer;
mod waits;

pub use run::{Options, run};
