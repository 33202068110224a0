//! Plans of a database as they were at one time, to be compared with later ones.

/// The plans of every query of a project, and what they depend on besides the schema.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct KeptPlans {
    /// When, as RFC 3339.
    pub kept_at: String,
    /// Of what, such as `shop on localhost:5432`.
    pub source: String,
    /// Such as `15.18`.
    pub server_version: String,
    /// Every table with its rows as last counted.
    pub tables: Vec<KeptTable>,
    /// In the project's order.
    pub queries: Vec<KeptQuery>,
}

/// A table's size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptTable {
    /// As SQL text.
    pub name: String,
    /// As EXPLAIN has it: without schema and quotes.
    pub bare_name: String,
    /// Rows as last counted.
    pub rows: u64,
}

/// One query's plans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptQuery {
    /// Its name.
    pub query: String,
    /// Its statements, `:name` parameters in place: a changed text is another query.
    pub statements: Vec<String>,
    /// One entry per parameter set.
    pub sets: Vec<KeptSet>,
}

/// Plans under one parameter set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptSet {
    /// Such as `user_id=17 (common)`.
    pub label: String,
    /// In the order of first use in the query; `None` is NULL.
    pub values: Vec<Option<String>>,
    /// `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON)` of each statement.
    pub plans: Vec<String>,
}
