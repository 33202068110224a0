//! Takes typed fields out of a JSON object; what is not taken stays there to
//! be carried. A known field of an unexpected type stays too: it is never
//! read as something it is not.

use serde_json::{Map, Value};

pub(super) struct Fields(pub(super) Map<String, Value>);

impl Fields {
    fn take<T>(&mut self, key: &str, read: impl Fn(&Value) -> Option<T>) -> Option<T> {
        let value = read(self.0.get(key)?)?;
        self.0.shift_remove(key);
        Some(value)
    }

    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        self.take(key, |value| value.as_str().map(str::to_owned))
    }

    /// A finite number. EXPLAIN writes counts beyond 2^53 only in theory.
    pub(super) fn number(&mut self, key: &str) -> Option<f64> {
        self.take(key, |value| value.as_f64().filter(|number| number.is_finite()))
    }

    pub(super) fn count(&mut self, key: &str) -> Option<u64> {
        self.take(key, Value::as_u64)
    }

    pub(super) fn flag(&mut self, key: &str) -> Option<bool> {
        self.take(key, Value::as_bool)
    }

    /// A list of texts; EXPLAIN writes a single text in places where a list may stand.
    pub(super) fn texts(&mut self, key: &str) -> Vec<String> {
        self.take(key, |value| match value {
            Value::String(text) => Some(vec![text.clone()]),
            Value::Array(items) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
            _ => None,
        })
        .unwrap_or_default()
    }

    pub(super) fn object(&mut self, key: &str) -> Option<Self> {
        self.take(key, |value| value.as_object().cloned()).map(Self)
    }

    pub(super) fn objects(&mut self, key: &str) -> Vec<Self> {
        self.take(key, |value| {
            value.as_array()?.iter().map(|item| item.as_object().cloned().map(Fields)).collect()
        })
        .unwrap_or_default()
    }
}
