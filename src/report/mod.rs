//! The run report in every outgoing format: `&RunReport` to `io::Write`. The
//! only home of formats that leave the program.

pub mod format;
pub mod json;
pub mod kept_run;
pub mod terminal;
mod units;

pub use format::Format;
