//! `migrations/*.sql`: ordered SQL files.

use super::diagnostic::Diagnostic;
use super::fields::Problems;
use super::query::unterminated;
use crate::sql::lexer::{TokenKind, tokens};
use crate::sql::statement::split_statements;
use std::cmp::Ordering;
use std::path::{Path, PathBuf};

/// One migration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// The leading digits of the file name, as written: `001`.
    pub version: String,
    /// The rest of the file name without `.sql`: `baseline`.
    pub label: String,
    /// Relative to the project folder.
    pub path: PathBuf,
    /// The whole file.
    pub sql: String,
    /// False where the file says `-- plimsoll: no-transaction`.
    pub in_transaction: bool,
}

/// The comment that takes a migration out of its transaction.
const NO_TRANSACTION: &str = "plimsoll: no-transaction";

/// Version and label of a migration's file name; `None` where it is not one. `002_add.up.sql` has
/// the label `add`.
#[must_use]
pub fn split_name(file_name: &str) -> Option<(&str, &str)> {
    let stem = file_name.strip_suffix(".sql")?;
    let stem = stem.strip_suffix(".up").unwrap_or(stem);
    let digits = stem.bytes().take_while(u8::is_ascii_digit).count();
    let (version, label) = stem.split_at(digits);
    (digits > 0).then(|| (version, label.trim_start_matches(['_', '-', '.', ' '])))
}

/// Versions in the order of their numbers, however many digits they have.
#[must_use]
pub fn compare_versions(left: &str, right: &str) -> Ordering {
    let (left, right) = (left.trim_start_matches('0'), right.trim_start_matches('0'));
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}

/// Reads one migration.
///
/// # Errors
/// Everything that is wrong with the file by itself, each with its place.
pub fn parse(path: &Path, sql: &str) -> Result<Migration, Vec<Diagnostic>> {
    let mut problems = Problems::new(path, sql);
    let file_name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let name = split_name(file_name);
    if name.is_none() {
        problems.add_file(
            format!("`{file_name}` does not begin with a version"),
            "migrations run in the order of their leading digits: name it like `003_add_index.sql`",
        );
    }
    check_statements(sql, &mut problems);
    match name {
        Some((version, label)) if problems.is_empty() => Ok(Migration {
            version: version.to_owned(),
            label: label.to_owned(),
            path: path.to_path_buf(),
            sql: sql.to_owned(),
            in_transaction: !tokens(sql).any(|token| {
                let comment = token.text(sql).trim_start_matches('-').trim();
                token.kind == TokenKind::LineComment && comment == NO_TRANSACTION
            }),
        }),
        _ => Err(problems.into_sorted()),
    }
}

/// What the server could not run, and what only psql could.
fn check_statements(sql: &str, problems: &mut Problems<'_>) {
    let statements = split_statements(sql);
    if statements.is_empty() {
        problems.add_file("the migration is empty", "write its statements, or delete the file");
        return;
    }
    for statement in statements {
        let words = &sql[statement.clone()];
        let mut lexer = tokens(words);
        if lexer.next_significant().is_some_and(|token| token.is_word(words, "copy"))
            && lexer.any(|token| token.is_word(words, "stdin"))
        {
            problems.add(
                statement.start..statement.start + "copy".len(),
                "data behind COPY … FROM stdin works in psql only",
                "write INSERT, or declare the data in data/distributions.toml",
            );
            // What follows is data, not SQL.
            return;
        }
    }
    for token in tokens(sql) {
        if token.kind == TokenKind::Unterminated {
            let message = format!("this {} never ends", unterminated(token.text(sql)));
            problems.add(token.start..token.start + 1, message, "close it");
        } else if token.kind == TokenKind::Unknown && token.text(sql) == "\\" {
            problems.add(token.span(), "commands of psql do not work here", "only SQL statements");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::diagnostic::render;

    fn problems(name: &str, sql: &str) -> String {
        render(&parse(Path::new(name), sql).expect_err("has problems"), false)
    }

    #[test]
    fn names_split_into_version_and_label() {
        assert_eq!(split_name("002_add_indexes.sql"), Some(("002", "add_indexes")));
        assert_eq!(split_name("20240131120000-a.up.sql"), Some(("20240131120000", "a")));
        assert_eq!(split_name("7.sql"), Some(("7", "")));
        assert_eq!(split_name("V1__init.sql"), None);
        assert_eq!(split_name("001_readme.md"), None);
    }

    #[test]
    fn versions_are_ordered_as_numbers() {
        assert_eq!(compare_versions("9", "010"), Ordering::Less);
        assert_eq!(compare_versions("001", "1"), Ordering::Equal);
        assert_eq!(compare_versions("20240131120000", "3"), Ordering::Greater);
    }

    #[test]
    fn a_migration_can_leave_its_transaction() {
        let migration = |sql| parse(Path::new("migrations/001_a.sql"), sql).expect("sound");
        assert!(
            !migration("-- plimsoll: no-transaction\ncreate index concurrently i on t (a);").in_transaction
        );
        assert!(migration("select '-- plimsoll: no-transaction'").in_transaction);
    }

    #[test]
    fn what_cannot_run_is_pointed_at() {
        insta::assert_snapshot!(problems("migrations/V1__init.sql", "-- nothing"), @r"
        error: `V1__init.sql` does not begin with a version
        --> migrations/V1__init.sql
         = help: migrations run in the order of their leading digits: name it like `003_add_index.sql`

        error: the migration is empty
        --> migrations/V1__init.sql
         = help: write its statements, or delete the file
        ");
        insta::assert_snapshot!(problems("migrations/1.sql", "create table t ();\nCOPY t FROM stdin;\nit's\n\\.\n"), @r"
        error: data behind COPY … FROM stdin works in psql only
         --> migrations/1.sql:2:1
          |
        2 | COPY t FROM stdin;
          | ^^^^
          |
          = help: write INSERT, or declare the data in data/distributions.toml
        ");
        insta::assert_snapshot!(problems("migrations/1.sql", "\\i other.sql\ncreate function f() as $$ begin"), @r"
        error: commands of psql do not work here
         --> migrations/1.sql:1:1
          |
        1 | \i other.sql
          | ^
          |
          = help: only SQL statements

        error: this dollar quote never ends
         --> migrations/1.sql:2:24
          |
        2 | create function f() as $$ begin
          |                        ^
          |
          = help: close it
        ");
    }
}
