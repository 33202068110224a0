//! `:name` parameters, as psql, pgbench and SQLAlchemy write them, become the
//! server's `$1`. Only in code: never in strings, comments or dollar quotes,
//! and never the colons of `::type` or of an array slice.

use super::lexer::{TokenKind, tokens};
use std::ops::Range;

/// A statement with positional parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Positional {
    /// The statement with `$1`, `$2`, ….
    pub sql: String,
    /// The name behind each number, `$1` first. A name used twice has one number.
    pub names: Vec<String>,
}

/// One `:name` in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedParameter<'a> {
    /// Without colon and quotes.
    pub name: &'a str,
    /// Byte range, colon included.
    pub span: Range<usize>,
}

/// Every `:name` of a text, in order.
pub fn named_parameters(text: &str) -> impl Iterator<Item = NamedParameter<'_>> {
    tokens(text).filter(|token| token.kind == TokenKind::NamedParameter).map(|token| NamedParameter {
        name: token.text(text).trim_start_matches(':').trim_matches('\''),
        span: token.span(),
    })
}

/// Replaces every `:name` by `$n`, numbered by first use.
#[must_use]
pub fn to_positional(statement: &str) -> Positional {
    let mut sql = String::with_capacity(statement.len());
    let mut names: Vec<String> = Vec::new();
    let mut copied = 0;
    for parameter in named_parameters(statement) {
        let known = names.iter().position(|name| name == parameter.name);
        let index = known.unwrap_or_else(|| {
            names.push(parameter.name.to_owned());
            names.len() - 1
        });
        sql.push_str(&statement[copied..parameter.span.start]);
        // `limit:n` and `:'n'and` must not grow together with the number.
        if sql.ends_with(continues_word) {
            sql.push(' ');
        }
        sql.push('$');
        sql.push_str(&(index + 1).to_string());
        copied = parameter.span.end;
        if statement[copied..].starts_with(continues_word) {
            sql.push(' ');
        }
    }
    sql.push_str(&statement[copied..]);
    Positional { sql, names }
}

/// The byte offset in `statement` of what the server calls `position` (one-based,
/// in characters) in its positional form; the end where it lies beyond.
#[must_use]
pub fn original_offset(statement: &str, position: u32) -> usize {
    let characters = (position as usize).saturating_sub(1);
    let mut offsets = statement.char_indices().map(|(offset, _)| offset).collect::<Vec<_>>();
    offsets.push(statement.len());
    // The longest prefix whose positional form is not longer than what stands before the position.
    let ends_before = |offset: usize| to_positional(&statement[..offset]).sql.chars().count() <= characters;
    let index = offsets.partition_point(|offset| ends_before(*offset)).saturating_sub(1);
    offsets[index]
}

fn continues_word(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '$') || !character.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(statement: &str, sql: &str, names: &[&str]) {
        let found = to_positional(statement);
        assert_eq!(found.sql, sql);
        assert_eq!(found.names, names, "{statement}");
    }

    #[test]
    fn a_position_of_the_positional_form_is_found_again() {
        let statement = "SELECT é FROM t WHERE a = :user_id AND wrong = :b";
        let positional = to_positional(statement).sql;
        for word in ["é", "t WHERE", "wrong"] {
            let byte = positional.find(word).unwrap();
            let position = u32::try_from(positional[..byte].chars().count() + 1).unwrap();
            assert_eq!(original_offset(statement, position), statement.find(word).unwrap(), "{word}");
        }
        assert_eq!(original_offset(statement, 9999), statement.len());
    }

    #[test]
    fn names_become_numbers_by_first_use() {
        check("select :b, :a, :b", "select $1, $2, $1", &["b", "a"]);
        check("where id=:id::int", "where id=$1::int", &["id"]);
        check("where name = :'name'", "where name = $1", &["name"]);
        check("limit:n", "limit $1", &["n"]);
        check(":'n'and 1", "$1 and 1", &["n"]);
    }

    #[test]
    fn only_code_holds_parameters() {
        for text in [
            "select ':a', $$ :b $$, E'\\':c'",
            "select 1 -- :a",
            "select /* :a /* :b */ :c */ 1",
            "select a::int, \":b\"",
            "select a[1:2], a[lo:hi], a[ lo :hi ]",
            "select '10:30:00'::time",
        ] {
            check(text, text, &[]);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_survived_and_a_second_pass_changes_nothing(text in r#"([a-z ;:,.()\[\]'"$?*/+=\\\n0-9-]|:[a-z]|é){0,40}"#) {
            let once = to_positional(&text);
            prop_assert!(once.names.len() <= text.len());
            if once.names.is_empty() {
                prop_assert_eq!(once.sql, text);
            }
        }
    }
}
