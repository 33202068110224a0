//! What the words of a statement say: how it begins, and which tables it names. No I/O.

use crate::sql::lexer::{TokenKind, tokens};
use crate::sql::statement::split_statements;

/// Each statement of a text.
pub(super) fn statements(sql: &str) -> impl Iterator<Item = &str> {
    split_statements(sql).into_iter().map(|span| &sql[span])
}

/// The word a statement begins with, in lower case; empty where it begins with none.
pub(super) fn first_word(statement: &str) -> String {
    let first = tokens(statement).find(|token| !token.kind.is_trivia());
    let word = first.filter(|token| token.kind == TokenKind::Word);
    word.map_or(String::new(), |token| token.text(statement).to_lowercase())
}

/// Whether a statement names a table, however it is qualified. Strings and comments count: it is
/// better to think so once too often.
pub(super) fn mentions(statement: &str, relation: &str) -> bool {
    let bare = relation.rsplit('.').next().unwrap_or(relation).trim_matches('"').to_lowercase();
    let statement = statement.to_lowercase();
    let mut words = statement.split(|character: char| !(character.is_alphanumeric() || character == '_'));
    words.any(|word| word == bare)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_semicolon_in_a_string_and_a_comment_in_front_change_nothing() {
        let first = |sql: &str| statements(sql).map(first_word).collect::<Vec<_>>();
        assert_eq!(first("-- why\nUPDATE t SET a = 'x; drop'; Commit;"), ["update", "commit"]);
        assert_eq!(first("(SELECT 1)"), [""]);
        assert_eq!(first(" ; "), Vec::<String>::new());
        assert_eq!(first_word("/* why */ LOCK TABLE t"), "lock");
    }

    #[test]
    fn a_table_is_named_whole_and_with_or_without_its_schema() {
        for (statement, relation, expected) in [
            ("UPDATE app.Orders SET a = 1", "orders", true),
            ("UPDATE orders SET a = 1", "app.orders", true),
            ("SELECT FROM \"Orders\"", "\"Orders\"", true),
            ("SELECT FROM orders_archive", "orders", false),
        ] {
            assert_eq!(mentions(statement, relation), expected, "{statement} {relation}");
        }
    }
}
