//! Codes and metric names are `&'static str` in the model; those read from a
//! file are kept for the life of the program, once each.

use std::collections::HashSet;
use std::sync::{LazyLock, Mutex, PoisonError};

/// Bounds the memory a hostile file can pin.
const INTERNED_MAX: usize = 10_000;

static INTERNED: LazyLock<Mutex<HashSet<&'static str>>> = LazyLock::new(Mutex::default);

/// The one `&'static str` equal to `text`; `"unknown"` past the bound.
pub(super) fn intern(text: &str) -> &'static str {
    let mut interned = INTERNED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = interned.get(text) {
        return known;
    }
    if interned.len() >= INTERNED_MAX {
        return "unknown";
    }
    let kept: &'static str = Box::leak(text.to_owned().into_boxed_str());
    interned.insert(kept);
    kept
}
