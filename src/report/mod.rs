//! The run report in every outgoing format: `&RunReport` to `io::Write`. The
//! only home of formats that leave the program.

pub mod compare;
pub mod csv;
pub mod data;
mod deadlock_sweep;
pub mod format;
pub mod github;
mod grid;
pub mod growth;
pub mod history;
pub mod html;
pub mod isolationtester;
pub mod json;
pub mod junit;
pub mod kept_index;
pub mod kept_run;
pub mod markdown;
pub mod metrics;
mod printable;
pub mod sarif;
pub mod table;
pub mod tables;
pub mod terminal;
pub mod units;

pub use format::Format;
