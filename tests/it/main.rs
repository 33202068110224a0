//! The one integration binary. A module per scenario, plus `cli`, `reports`,
//! `proxy`, `server`, `project`, `seed`; `tidy` holds the repository to its own rules.

mod migrate;
mod project;
mod regression;
mod reports;
mod seed;
mod server;
mod support;
