//! Several statements in one text, and what kind each one is, as far as text can tell.
//!
//! Kinds err on the careful side: what may write is never called a read. A
//! function with side effects inside a SELECT cannot be seen here; a read-only
//! transaction can.

use super::lexer::{Lexer, Token, TokenKind, tokens};
use std::ops::Range;

/// What a statement does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StatementKind {
    /// Reads, and could run in a read-only transaction.
    Read,
    /// `SELECT … FOR UPDATE` and its weaker forms: reads and locks rows.
    LockingRead,
    /// Changes rows, or may: INSERT, UPDATE, DELETE, MERGE, TRUNCATE, COPY … FROM, CALL, DO,
    /// a WITH that holds one of them.
    Write,
    /// Changes the schema.
    Ddl,
    /// BEGIN, COMMIT, ROLLBACK, SAVEPOINT, SET TRANSACTION and so on.
    TransactionControl,
    /// The rest: SET, SHOW, EXPLAIN, VACUUM, LISTEN, PREPARE, DECLARE, FETCH, ….
    Utility,
    /// Nothing but blanks and comments.
    Empty,
}

/// The byte ranges of the statements of a text, without semicolons, blanks and comments around
/// them. Semicolons in strings, comments, parentheses and SQL function bodies
/// (`BEGIN ATOMIC … END`) do not separate.
#[must_use]
pub fn split_statements(text: &str) -> Vec<Range<usize>> {
    let mut statements = Vec::new();
    let mut body = Body::default();
    let mut parentheses = 0_usize;
    let mut current: Option<Range<usize>> = None;
    for token in tokens(text).filter(|token| !token.kind.is_trivia()) {
        match token.kind {
            TokenKind::OpenParenthesis => parentheses += 1,
            TokenKind::CloseParenthesis => parentheses = parentheses.saturating_sub(1),
            TokenKind::Word => body.push(token.text(text)),
            TokenKind::Semicolon if parentheses == 0 && !body.is_open() => {
                statements.extend(current.take());
                body = Body::default();
                continue;
            }
            _ => {}
        }
        let start = current.as_ref().map_or(token.start, |range| range.start);
        current = Some(start..token.end);
    }
    statements.extend(current);
    statements
}

/// The same statements with the comments that belong to each: those in front of it, up to the
/// statement before, and those behind it, up to its semicolon; behind the last one, up to the end.
#[must_use]
pub fn with_comments(text: &str, statements: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut start = 0;
    let mut spans = Vec::with_capacity(statements.len());
    for (index, statement) in statements.iter().enumerate() {
        let end = statements.get(index + 1).map_or(text.len(), |next| {
            // Between two statements nothing else is code, so this is the semicolon that parts them.
            let gap = &text[statement.end..next.start];
            let semicolon = tokens(gap).find(|token| token.kind == TokenKind::Semicolon);
            statement.end + semicolon.map_or(0, |token| token.start)
        });
        spans.push(start..end);
        start = end;
    }
    spans
}

/// Follows `CREATE … FUNCTION … BEGIN ATOMIC … END`, the only statement with semicolons inside.
#[derive(Default)]
struct Body {
    words: usize,
    is_create: bool,
    is_routine: bool,
    previous_was_begin: bool,
    depth: usize,
}

impl Body {
    fn push(&mut self, word: &str) {
        let is = |other: &str| word.eq_ignore_ascii_case(other);
        match self.words {
            0 => self.is_create = is("create"),
            1..=3 if self.is_create => self.is_routine |= is("function") || is("procedure"),
            _ => {}
        }
        self.words += 1;
        if !self.is_routine {
            return;
        }
        if self.depth == 0 {
            if self.previous_was_begin && is("atomic") {
                self.depth = 1;
            }
            self.previous_was_begin = is("begin");
        } else if is("case") {
            self.depth += 1;
        } else if is("end") {
            self.depth -= 1;
        }
    }

    fn is_open(&self) -> bool {
        self.depth > 0
    }
}

/// What a single statement does.
#[must_use]
pub fn statement_kind(statement: &str) -> StatementKind {
    let mut lexer = tokens(statement);
    let first = loop {
        match lexer.next_significant() {
            None => return StatementKind::Empty,
            Some(token) if matches!(token.kind, TokenKind::OpenParenthesis | TokenKind::Semicolon) => {}
            Some(token) => break token,
        }
    };
    if first.kind != TokenKind::Word {
        return StatementKind::Utility;
    }
    match first.text(statement).to_ascii_lowercase().as_str() {
        "select" | "with" | "values" | "table" => query_kind(statement, first, lexer),
        "insert" | "update" | "delete" | "merge" | "truncate" | "call" | "do" => StatementKind::Write,
        "copy" => copy_kind(statement, lexer),
        "create" | "alter" | "drop" | "grant" | "revoke" | "comment" | "security" | "reassign" | "import" => {
            StatementKind::Ddl
        }
        "refresh" => StatementKind::Write,
        "begin" | "start" | "commit" | "end" | "rollback" | "abort" | "savepoint" | "release" => {
            StatementKind::TransactionControl
        }
        "set" => match next_word(statement, &mut lexer).as_str() {
            "transaction" | "constraints" => StatementKind::TransactionControl,
            _ => StatementKind::Utility,
        },
        "prepare" => match next_word(statement, &mut lexer).as_str() {
            "transaction" => StatementKind::TransactionControl,
            _ => StatementKind::Utility,
        },
        _ => StatementKind::Utility,
    }
}

fn next_word(statement: &str, lexer: &mut Lexer<'_>) -> String {
    lexer.next_significant().map(|token| token.text(statement).to_ascii_lowercase()).unwrap_or_default()
}

/// SELECT, WITH, VALUES, TABLE: reads unless a word says otherwise.
fn query_kind(statement: &str, first: Token, lexer: Lexer<'_>) -> StatementKind {
    let mut kind = StatementKind::Read;
    let mut previous = first;
    let mut depth = 0_usize;
    for token in lexer.filter(|token| !token.kind.is_trivia()) {
        match token.kind {
            TokenKind::OpenParenthesis => depth += 1,
            TokenKind::CloseParenthesis => depth = depth.saturating_sub(1),
            TokenKind::Word => {
                let is = |word: &str| token.is_word(statement, word);
                let opens_statement =
                    matches!(previous.kind, TokenKind::OpenParenthesis | TokenKind::CloseParenthesis);
                if opens_statement && (is("insert") || is("update") || is("delete") || is("merge")) {
                    return StatementKind::Write;
                }
                if depth == 0 && is("into") {
                    return StatementKind::Ddl;
                }
                let follows_for = previous.is_word(statement, "for");
                if follows_for && (is("update") || is("share") || is("no") || is("key")) {
                    kind = StatementKind::LockingRead;
                }
            }
            _ => {}
        }
        previous = token;
    }
    kind
}

/// `COPY … FROM` writes, `COPY … TO` reads.
fn copy_kind(statement: &str, lexer: Lexer<'_>) -> StatementKind {
    let mut depth = 0_usize;
    for token in lexer.filter(|token| !token.kind.is_trivia()) {
        match token.kind {
            TokenKind::OpenParenthesis => depth += 1,
            TokenKind::CloseParenthesis => depth = depth.saturating_sub(1),
            TokenKind::Word if depth == 0 && token.is_word(statement, "from") => return StatementKind::Write,
            TokenKind::Word if depth == 0 && token.is_word(statement, "to") => return StatementKind::Read,
            _ => {}
        }
    }
    StatementKind::Utility
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check_split(text: &str, expected: &[&str]) {
        let found: Vec<_> = split_statements(text).into_iter().map(|range| &text[range]).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn statements_end_at_semicolons_in_code() {
        check_split("select 1; select 2", &["select 1", "select 2"]);
        check_split("-- a;\nselect ';', $$;$$ /* ; */ ;;\n", &["select ';', $$;$$"]);
        check_split(
            "create rule r as on insert to t do also (select 1; select 2); select 3",
            &["create rule r as on insert to t do also (select 1; select 2)", "select 3"],
        );
        check_split(
            "create or replace function f() returns int begin atomic select case when true then 1 end; select 2; end; select 3",
            &[
                "create or replace function f() returns int begin atomic select case when true then 1 end; select 2; end",
                "select 3",
            ],
        );
        check_split("begin; commit", &["begin", "commit"]);
        check_split("  -- nothing", &[]);
    }

    #[test]
    fn comments_belong_to_the_statement_they_stand_by() {
        let check = |text: &str, expected: &[&str]| {
            let statements = split_statements(text);
            let found: Vec<_> =
                with_comments(text, &statements).into_iter().map(|range| &text[range]).collect();
            assert_eq!(found, expected);
        };
        check("/*a*/ select 1 /*b*/", &["/*a*/ select 1 /*b*/"]);
        check("select 1; /*a*/", &["select 1; /*a*/"]);
        check(
            "/*a*/ select 1 /*b;*/; ; /*c*/ select 2 -- d",
            &["/*a*/ select 1 /*b;*/", "; ; /*c*/ select 2 -- d"],
        );
        check("/*a*/", &[]);
    }

    #[test]
    fn kinds() {
        use StatementKind::*;
        for (statement, expected) in [
            ("select 1", Read),
            ("(SELECT 1) union select 2", Read),
            ("with a as (select 1) select * from a", Read),
            ("with a as (delete from t returning *) select * from a", Write),
            ("with a as (select 1) insert into t select * from a", Write),
            ("with a as materialized (select 1), b as (update t set x = 1) select 1", Write),
            ("select a from t for update", LockingRead),
            ("select a from t for no key update skip locked", LockingRead),
            ("select substring(a for 3) from t", Read),
            ("select * into b from t", Ddl),
            ("values (1)", Read),
            ("insert into t values (1)", Write),
            ("copy t from stdin", Write),
            ("copy (select 1 from t) to stdout", Read),
            ("create table t ()", Ddl),
            ("BEGIN isolation level serializable", TransactionControl),
            ("set transaction read only", TransactionControl),
            ("set search_path = a", Utility),
            ("prepare transaction 'x'", TransactionControl),
            ("explain select 1", Utility),
            ("-- nothing", Empty),
            ("", Empty),
            ("42", Utility),
        ] {
            assert_eq!(statement_kind(statement), expected, "{statement}");
        }
    }

    proptest! {
        #[test]
        fn any_text_splits_into_ordered_disjoint_statements(
            text in r#"([a-z ;()'"$-]|create function |begin atomic |end |case |\$\$|é){0,30}"#
        ) {
            let mut position = 0;
            let statements = split_statements(&text);
            let with_comments = with_comments(&text, &statements);
            prop_assert_eq!(with_comments.len(), statements.len());
            for (range, wider) in statements.into_iter().zip(with_comments) {
                prop_assert!(wider.start <= range.start && wider.end >= range.end);
                prop_assert!(range.start >= position && range.end > range.start);
                position = range.end;
                let _ = statement_kind(&text[range]);
            }
        }
    }
}
