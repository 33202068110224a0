//! The one integration binary. A module per scenario, plus `cli`, `reports`,
//! `proxy`, `server`, `project`, `seed`; `tidy` holds the repository to its own rules.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails by panicking")]
#![allow(clippy::print_stdout, reason = "some tests print a table for the documents")]
#![allow(clippy::disallowed_methods, reason = "tests read their own environment and clock")]

mod capacity;
mod cli;
mod compare;
mod cut_short;
mod deadlock;
mod deadlock_gate;
mod deadlock_kinds;
mod deadlock_trace;
mod export;
mod formats;
mod formats_sarif;
mod grafana;
mod history;
mod init;
mod load;
mod migrate;
mod n_plus_one;
mod n_plus_one_cli;
mod n_plus_one_rows;
mod n_plus_one_trace;
mod n_plus_one_way_out;
mod parameters;
mod prepare;
mod project;
mod proxy;
mod regression;
mod regression_kept;
mod report_edges;
mod reports;
mod schema;
mod seed;
mod server;
mod slow_queries;
mod support;
mod testing;
mod tidy;
mod volumes;
