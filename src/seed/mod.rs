//! Data from declared distributions: value = f(seed, table, column, row).
//!
//! `plan` checks the declarations against the catalogue and compiles them to
//! generators (`column`, built on `random`, `alias`, `permutation`, `parents`,
//! `children`); `fill` sends their rows by COPY; `obtained` tests what came out.
//! Invariant: a row's values depend on nothing but the seed, the declarations and
//! the row's number, so that a smaller volume is a prefix of a larger one.

mod alias;
mod check;
mod children;
mod column;
mod copy;
mod error;
mod expectation;
mod fill;
mod measure;
mod numbers;
mod obtained;
mod parents;
mod permutation;
mod plan;
mod random;
mod scale;
mod value;
mod words;

pub use error::Error;
pub use fill::{SeedOutcome, TableOutcome, fill, fill_with};
pub use measure::measure;
pub use plan::{SeedPlan, TablePlan, plan};
pub use scale::Scale;
