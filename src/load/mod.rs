//! Statements executed at a schedule and timed, by a thin blocking client of
//! our own: what a measurement adds to the server's time is one send, one
//! receive and two clock readings.

mod address;
mod client;
mod cpu_time;
mod error;
mod login;
mod reply;
mod schedstat;
mod series;
mod stream;

pub use address::{Address, Encryption, Endpoint};
pub use client::{Client, Request, Statement};
pub use cpu_time::thread_cpu_time;
pub use error::{Error, ServerError};
pub use login::APPLICATION_NAME;
pub use reply::Execution;
pub use schedstat::{ProcessorTime, Schedstat};
pub use series::series;
