//! Known loops, accepted with a reason: a TOML file kept in git.
//!
//! ```toml
//! [[known]]
//! fingerprint = "0123456789abcdef"
//! reason = "The admin page lists at most ten shops"
//! ```

use super::detect::Detection;
use super::findings::shortened;
use crate::model::evidence::n_plus_one::LoopGroup;
use std::collections::BTreeSet;

/// One accepted loop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownLoop {
    /// What the report calls its fingerprint.
    pub fingerprint: String,
    /// Why it may stay.
    pub reason: String,
}

/// What is wrong with a baseline file.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BaselineError {
    /// Not TOML.
    #[error("{0}")]
    Syntax(String),
    /// An entry is not as it must be.
    #[error("entry {entry} of [[known]]: {problem}")]
    Entry {
        /// One-based.
        entry: usize,
        /// What is wrong, and what to write.
        problem: String,
    },
}

/// Reads a baseline strictly: every entry has a fingerprint and a reason.
pub fn parse(text: &str) -> Result<Vec<KnownLoop>, BaselineError> {
    let table: toml::Table =
        text.parse().map_err(|error: toml::de::Error| BaselineError::Syntax(error.to_string()))?;
    if let Some(unknown) = table.keys().find(|key| *key != "known") {
        return Err(BaselineError::Syntax(format!(
            "unknown key `{unknown}`: a baseline holds [[known]] only"
        )));
    }
    let entries = match table.get("known") {
        None => return Ok(Vec::new()),
        Some(toml::Value::Array(entries)) => entries,
        Some(_) => return Err(BaselineError::Syntax("`known` is a list of tables: [[known]]".into())),
    };
    let mut known: Vec<KnownLoop> = Vec::with_capacity(entries.len());
    for (at, entry) in entries.iter().enumerate() {
        let found = known_loop(at + 1, entry)?;
        if let Some(first) = known.iter().position(|other| other.fingerprint == found.fingerprint) {
            let problem =
                format!("`{}` is accepted by entry {} already: keep one", found.fingerprint, first + 1);
            return Err(BaselineError::Entry { entry: at + 1, problem });
        }
        known.push(found);
    }
    Ok(known)
}

fn known_loop(entry: usize, value: &toml::Value) -> Result<KnownLoop, BaselineError> {
    let wrong = |problem: String| BaselineError::Entry { entry, problem };
    let Some(table) = value.as_table() else {
        return Err(wrong("it is not a table".into()));
    };
    if let Some(unknown) =
        table.keys().find(|key| !["fingerprint", "reason", "child"].contains(&key.as_str()))
    {
        return Err(wrong(format!("unknown key `{unknown}`: fingerprint, reason and child are known")));
    }
    let text = |key: &str| {
        let value = table.get(key).and_then(toml::Value::as_str).map(str::trim).unwrap_or_default();
        if value.is_empty() {
            Err(wrong(format!("`{key}` is missing or empty")))
        } else {
            Ok(value.to_owned())
        }
    };
    let fingerprint = text("fingerprint")?;
    if fingerprint.len() != 16 || !fingerprint.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(wrong(format!("`{fingerprint}` is not a fingerprint: sixteen hexadecimal digits")));
    }
    Ok(KnownLoop {
        fingerprint,
        reason: text("reason")
            .map_err(|_| wrong("`reason` is missing or empty: say why the loop may stay".into()))?,
    })
}

/// Marks known loops as accepted; the fingerprints that matched nothing.
pub fn apply(known: &[KnownLoop], detection: &mut Detection) -> Vec<String> {
    let mut matched = BTreeSet::new();
    for group in &mut detection.loops {
        if let Some(entry) = known.iter().find(|entry| entry.fingerprint == group.fingerprint) {
            group.accepted = Some(entry.reason.clone());
            matched.insert(entry.fingerprint.as_str());
        }
    }
    known
        .iter()
        .map(|entry| entry.fingerprint.as_str())
        .filter(|fingerprint| !matched.contains(fingerprint))
        .map(str::to_owned)
        .collect()
}

/// Entries for every loop that is not accepted yet, for a person to fill the reasons in.
#[must_use]
pub fn draft(loops: &[LoopGroup]) -> String {
    let mut seen = BTreeSet::new();
    let mut text = String::new();
    for group in loops.iter().filter(|group| group.accepted.is_none()) {
        if seen.insert(&group.fingerprint) {
            let child = toml::Value::from(shortened(&group.child.text));
            text += &format!(
                "[[known]]\nfingerprint = \"{}\"\nchild = {child}\nreason = \"\" # why may this loop stay?\n\n",
                group.fingerprint
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_mandatory() {
        let known = parse("[[known]]\nfingerprint = \"0123456789abcdef\"\nreason = \"small\"\n");
        assert_eq!(
            known,
            Ok(vec![KnownLoop { fingerprint: "0123456789abcdef".into(), reason: "small".into() }])
        );
        for (text, problem) in [
            ("[[known]]\nfingerprint = \"0123456789abcdef\"", "`reason` is missing"),
            ("[[known]]\nfingerprint = \"0123456789abcdef\"\nreason = \" \"", "`reason` is missing"),
            ("[[known]]\nfingerprint = \"xyz\"\nreason = \"a\"", "not a fingerprint"),
            ("[[known]]\nfingerprint = \"0123456789abcdef\"\nreason = \"a\"\nwhy = 1", "unknown key `why`"),
            (
                &"[[known]]\nfingerprint = \"0123456789abcdef\"\nreason = \"a\"\n".repeat(2),
                "entry 2 of [[known]]: `0123456789abcdef` is accepted by entry 1 already",
            ),
            ("[other]", "unknown key `other`"),
            ("known = 1", "[[known]]"),
            ("[[known]", "TOML parse error"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(problem), "{text}: {error}");
        }
    }
}
