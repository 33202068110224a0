//! Can these transactions deadlock, how does the database recover, and what does it cost everybody else?
//!
//! Reading specs, making orders and deciding is pure; only `execute.rs`,
//! `measure.rs` and `run.rs` speak to a server. Who is blocked is asked of the
//! server, never guessed by sleeping.

pub mod interleave;
mod parse;
mod scan;
pub mod spec;
