//! Reads TOML tables strictly: each key is taken once, whatever is left over is
//! a mistake, and every mistake is kept with its place.

use super::diagnostic::Diagnostic;
use super::nearest::nearest;
use std::ops::Range;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

/// Collects what is wrong with one file.
pub(super) struct Problems<'a> {
    path: &'a Path,
    text: &'a str,
    found: Vec<Diagnostic>,
}

impl<'a> Problems<'a> {
    pub(super) fn new(path: &'a Path, text: &'a str) -> Self {
        Self { path, text, found: Vec::new() }
    }

    pub(super) fn add(&mut self, span: Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        let help = help.into();
        self.found.push(Diagnostic {
            path: self.path.to_path_buf(),
            text: self.text.to_owned(),
            span: Some(span),
            message: message.into(),
            help: (!help.is_empty()).then_some(help),
        });
    }

    /// Adds what is wrong with the file as a whole.
    pub(super) fn add_file(&mut self, message: impl Into<String>, help: impl Into<String>) {
        self.add(0..0, message, help);
        if let Some(problem) = self.found.last_mut() {
            problem.span = None;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// In the order of the file.
    pub(super) fn into_sorted(mut self) -> Vec<Diagnostic> {
        self.found.sort_by_key(|problem| problem.span.as_ref().map_or(0, |span| span.start));
        self.found
    }
}

/// Key, place of the key, and the value until somebody takes it.
type Entry<'t, 'i> = (&'t str, Range<usize>, Option<&'t Spanned<DeValue<'i>>>);

/// A table's entries in the order of the file, each to be taken once.
pub(super) struct Fields<'t, 'i> {
    entries: Vec<Entry<'t, 'i>>,
    known: Vec<&'static str>,
    /// Byte range of the whole table.
    pub(super) span: Range<usize>,
}

impl<'t, 'i> Fields<'t, 'i> {
    pub(super) fn new(table: &'t DeTable<'i>, span: Range<usize>) -> Self {
        let mut entries: Vec<_> =
            table.iter().map(|(key, value)| (key.get_ref().as_ref(), key.span(), Some(value))).collect();
        entries.sort_by_key(|(_, span, _)| span.start);
        Self { entries, known: Vec::new(), span }
    }

    /// The value of `key`, which counts as known from now on.
    pub(super) fn take(&mut self, key: &'static str) -> Option<&'t Spanned<DeValue<'i>>> {
        self.known.push(key);
        self.entries.iter_mut().find(|(name, ..)| *name == key).and_then(|(_, _, value)| value.take())
    }

    /// What nobody has taken, as name, span of the name, and value.
    pub(super) fn rest(&self) -> impl Iterator<Item = (&'t str, Range<usize>, &'t Spanned<DeValue<'i>>)> {
        self.entries.iter().filter_map(|(key, span, value)| value.map(|value| (*key, span.clone(), value)))
    }

    /// Counts everything as taken.
    pub(super) fn take_all(&mut self) {
        for (_, _, value) in &mut self.entries {
            *value = None;
        }
    }

    /// Complains about what nobody has taken.
    pub(super) fn finish(self, what: &str, problems: &mut Problems<'_>) {
        for (key, span, _) in self.rest() {
            let help = match nearest(key, self.known.iter().copied()) {
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("known keys: {}", self.known.join(", ")),
            };
            problems.add(span, format!("unknown key `{key}` in {what}"), help);
        }
    }
}

/// A number, whole or not.
pub(super) fn number(value: &Spanned<DeValue<'_>>) -> Option<f64> {
    match value.get_ref() {
        DeValue::Integer(_) => integer(value).map(|whole| whole as f64),
        DeValue::Float(float) => float.as_str().parse().ok().filter(|float: &f64| float.is_finite()),
        _ => None,
    }
}

/// A whole number.
pub(super) fn integer(value: &Spanned<DeValue<'_>>) -> Option<i64> {
    let whole = value.get_ref().as_integer()?;
    i64::from_str_radix(whole.as_str(), whole.radix()).ok()
}

/// Text.
pub(super) fn text<'t>(value: &'t Spanned<DeValue<'_>>) -> Option<&'t str> {
    match value.get_ref() {
        DeValue::String(text) => Some(text.as_ref()),
        _ => None,
    }
}

/// A scalar as the text that PostgreSQL's input functions read.
pub(super) fn scalar(value: &Spanned<DeValue<'_>>) -> Option<String> {
    match value.get_ref() {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(_) => integer(value).map(|whole| whole.to_string()),
        DeValue::Float(float) => Some(float.as_str().to_owned()),
        DeValue::Boolean(truth) => Some(truth.to_string()),
        DeValue::Datetime(datetime) => Some(datetime.to_string()),
        DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

/// A list.
pub(super) fn array<'t, 'i>(value: &'t Spanned<DeValue<'i>>) -> Option<&'t DeArray<'i>> {
    match value.get_ref() {
        DeValue::Array(items) => Some(items),
        _ => None,
    }
}

/// A table's fields.
pub(super) fn fields<'t, 'i>(value: &'t Spanned<DeValue<'i>>) -> Option<Fields<'t, 'i>> {
    match value.get_ref() {
        DeValue::Table(table) => Some(Fields::new(table, value.span())),
        _ => None,
    }
}
