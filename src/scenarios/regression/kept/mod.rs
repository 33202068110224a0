//! Before and after where there are no two clones: plans kept from an earlier
//! run, one database before and after it is migrated, or two databases that
//! are given. Plans and counters decide; times of two days or two servers
//! prove nothing and are not taken.
//!
//! Pure: `growth` (what larger tables explain), `compare`. Input and output:
//! `capture`, `run`.

/// The plans of a database as it is.
pub mod capture;
/// Kept plans against later ones.
pub mod compare;
/// What larger tables explain.
pub mod growth;
mod run;

pub use run::{Other, compare_with, keep};
