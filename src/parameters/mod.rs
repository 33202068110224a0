//! Parameter sets for a query, drawn from their declared sources, reproducible by seed.

use crate::postgres::{Error, Session};
use crate::project::query::Query;

/// One value for every parameter of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterSet {
    /// Such as `user_id=17`.
    pub label: String,
    /// As text, in the order of the query's parameters.
    pub values: Vec<Option<String>>,
}

/// Draws parameter sets.
///
/// # Errors
/// A source cannot be read.
pub async fn draw(
    session: &Session,
    query: &Query,
    seed: u64,
    count: usize,
) -> Result<Vec<ParameterSet>, Error> {
    let _ = (session, seed, count);
    if !query.parameters.is_empty() {
        return Err(Error::Unexpected(format!("parameters of {} cannot be drawn yet", query.name)));
    }
    Ok(vec![ParameterSet { label: String::new(), values: Vec::new() }])
}
