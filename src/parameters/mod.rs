//! Parameter sets for a query, drawn from their declared sources, reproducible by seed.
//!
//! The same seed and the same data give the same sets. Values are text, as the
//! server's input functions read them. Samples of one table in one query come
//! from the same row, so that `sample(orders.user_id)` and `sample(orders.status)`
//! fit together.

mod column;
mod contrast;
mod draw;
mod error;
mod evaluate;
mod generate;
mod random;

pub use column::Bounds;
pub use contrast::draw_contrasting;
pub use draw::{draw, draw_within};
pub use error::{Error, Reason};

use crate::project::query::Query;

/// One value for every parameter of a query.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ParameterSet {
    /// What a person sees: `user_id=17 (common)`.
    pub label: String,
    /// In the order of [`Query::parameters`], which for a query of one statement is the order of
    /// its `$n`; `None` is NULL.
    pub values: Vec<Option<String>>,
}

impl ParameterSet {
    /// A set of values that are known already, in the order of the query's parameters, and where
    /// they come from.
    #[must_use]
    pub fn of(query: &Query, values: Vec<Option<String>>, origin: &'static str) -> Self {
        set_of(query, values.into_iter().map(|value| Drawn { value, origin: Some(origin) }).collect())
    }
}

/// Values longer than this many characters are cut in labels.
const LABEL_VALUE_MAX: usize = 40;

/// A value and where it came from, before it becomes part of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Drawn {
    value: Option<String>,
    /// `common`, `rare` and so on; `None` where the value says all.
    origin: Option<&'static str>,
}

impl Drawn {
    /// Makes values that come from there.
    fn of(origin: &'static str) -> impl Fn(String) -> Self {
        move |value| Self { value: Some(value), origin: Some(origin) }
    }
}

/// Puts one value of each parameter together.
fn set_of(query: &Query, drawn: Vec<Drawn>) -> ParameterSet {
    let parts = query.parameters.iter().zip(&drawn).map(|(parameter, drawn)| {
        let origin = drawn.origin.map(|origin| format!(" ({origin})")).unwrap_or_default();
        format!("{}={}{origin}", parameter.name, shown(drawn.value.as_deref()))
    });
    let label = parts.collect::<Vec<_>>().join(", ");
    ParameterSet {
        label: if label.is_empty() { "no parameters".to_owned() } else { label },
        values: drawn.into_iter().map(|drawn| drawn.value).collect(),
    }
}

fn shown(value: Option<&str>) -> String {
    let Some(value) = value else { return "NULL".to_owned() };
    match value.char_indices().nth(LABEL_VALUE_MAX) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}
