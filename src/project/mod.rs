//! A project folder, read and checked. All problems are found at once, each
//! with file, line, column and a caret, before anything touches a database.
//!
//! What comes out is resolved plain data: defaults filled in, files ordered,
//! positions kept so that later findings can point back at the source.

pub mod budget;
pub mod diagnostic;
pub mod distributions;
pub mod init;
pub mod migration;
pub mod query;
pub mod settings;
pub mod transaction;

mod fields;
mod load;
pub(crate) mod nearest;

use std::path::PathBuf;

/// A whole project, checked.
#[derive(Debug, Clone)]
pub struct Project {
    /// The folder that holds `plimsoll.toml`.
    pub root: PathBuf,
    /// The folder's name.
    pub name: String,
    /// `plimsoll.toml`, with defaults.
    pub settings: settings::Settings,
    /// `migrations/*.sql` in version order.
    pub migrations: Vec<migration::Migration>,
    /// `data/distributions.toml`; `None` where there is no such file.
    pub distributions: Option<distributions::Distributions>,
    /// `queries/*.sql` in name order.
    pub queries: Vec<query::Query>,
    /// `transactions/*.spec`, unparsed (their grammar is the deadlock scenario's).
    pub transactions: Vec<transaction::SpecFile>,
}
