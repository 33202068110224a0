//! Names in SQL: quoting, and the names of databases that we make.

use super::Error;
use super::directory::random_letters;

/// What every database of ours is called first.
pub(super) const PREFIX: &str = "plimsoll_";
/// PostgreSQL cuts names after this many bytes.
const LONGEST: usize = 63;
const RANDOM: usize = 8;

/// `"name"`, with quotes inside doubled.
#[must_use]
pub fn quote_identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// `'text'`, for a server with `standard_conforming_strings`.
#[must_use]
pub fn quote_literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if text.contains('\\') { format!(" E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

/// A new name, with a label that a person recognises.
pub(super) fn database_name(label: &str) -> Result<String, Error> {
    let room = LONGEST - PREFIX.len() - RANDOM - 1;
    let label: String = label
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' })
        .take(room)
        .collect();
    Ok(format!("{PREFIX}{label}_{}", random_letters(RANDOM)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting_doubles_quotes_and_escapes_backslashes() {
        assert_eq!(quote_identifier("a\"b"), "\"a\"\"b\"");
        assert_eq!(quote_literal("it's"), "'it''s'");
        assert_eq!(quote_literal("a\\'b"), " E'a\\\\''b'");
    }

    #[test]
    fn names_are_plain_short_and_never_the_same() {
        let name = database_name(&"Größe @ 100 %".repeat(9)).unwrap();
        assert!(name.len() <= 63 && name.starts_with("plimsoll_gr__e___100"), "{name}");
        assert_ne!(database_name("a").unwrap(), database_name("a").unwrap());
    }
}
