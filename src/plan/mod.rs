//! EXPLAIN's plan tree: parsed, walked, checked and drawn, without I/O.
//!
//! Reads `EXPLAIN (FORMAT JSON)` of PostgreSQL 13 to 18. Nothing of a plan is
//! ever dropped: fields and node types this module does not know are carried.

mod exclusive;
mod fields;
mod fingerprint;
mod label;
mod node;
mod parse;
mod plan_tree;
mod relations;
mod render;
mod rules;
mod totals;
mod walk;

pub use exclusive::{Dominating, DominatingBy, Exclusive};
pub use fingerprint::{Fingerprint, normalise_expression, stable_index_name};
pub use node::{
    Actual, Buffers, Condition, ConditionKind, Estimate, HashUse, MemoizeUse, PlanNode, RowsRemoved,
    SortGroups, SortUse, Wal, Worker,
};
pub use parse::ParseError;
pub use plan_tree::{Plan, Trigger};
pub use relations::{Meaning, RelationKind, RelationName, Relations};
pub use render::render;
pub use rules::{
    EstimateError, estimate_error, index_scans, names_relation, seq_scans, sort_spills, spills, uses_index,
};
pub use totals::Totals;
pub use walk::{Visit, Walk};

#[cfg(test)]
mod tests;
