//! Statements executed at a schedule and timed, by a thin blocking client of
//! our own: what a measurement adds to the server's time is one send, one
//! receive and two clock readings.
//!
//! Pure: `schedule` (when requests are due), `slice` (what they came to),
//! `judge` (whether a rate holds), `search` (which rate is next). `worker` and
//! `client` do the input and output.

mod address;
mod client;
mod cpu_time;
mod error;
pub mod judge;
mod login;
mod reply;
mod schedstat;
pub mod schedule;
pub mod search;
mod series;
#[cfg(test)]
mod simulation_tests;
pub mod slice;
pub mod step;
mod stream;
mod worker;
mod workload;

pub(crate) use address::NO_ADDRESS;
pub use address::{Address, Encryption, Endpoint};
pub use client::{Client, Request, Statement};
pub use cpu_time::thread_cpu_time;
pub use error::{Error, ServerError};
pub use login::APPLICATION_NAME;
pub use reply::Execution;
pub use schedstat::{ProcessorTime, Schedstat};
pub use series::series;
pub use worker::{Connections, run_closed, run_open};
pub use workload::{Workload, WorkloadQuery};
