//! Declared against obtained: plain data for reports, and the test behind each verdict.

/// One column's declaration beside what the database holds.
#[derive(Debug, Clone, PartialEq)]
pub struct ObtainedColumn {
    /// Table, with the schema if that is not `public`.
    pub table: String,
    /// Column; `(rows per parent)` for child counts.
    pub column: String,
}
