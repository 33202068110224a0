//! What a statement does to the session itself, as far as the recorder has to
//! follow it: SQL-level prepared statements, cursors, the scope setting.

use crate::sql::lexer::{Lexer, Token, TokenKind, tokens};
use crate::sql::literal::{self, Value};
use crate::trace::{limit_setting, scope_setting};
use std::ops::Range;

/// A statement's effect on the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    /// None that matters here.
    Other,
    /// `PREPARE name AS …`, with the byte range of the inner statement.
    Prepare { name: Vec<u8>, inner: Range<usize> },
    /// `EXECUTE name (…)`, with the arguments as text.
    Execute { name: Vec<u8>, arguments: Vec<Option<String>> },
    /// `DEALLOCATE name`; all of them for none.
    Deallocate { name: Option<Vec<u8>> },
    /// `DECLARE name CURSOR … FOR …`, with the byte range of the query.
    Declare { name: Vec<u8>, inner: Range<usize>, is_held: bool },
    /// `FETCH … name`.
    Fetch { name: Vec<u8> },
    /// `CLOSE name`; all of them for none.
    CloseCursor { name: Option<Vec<u8>> },
    /// `SET plimsoll.scope`.
    Scope { scope: Option<String>, is_local: bool },
    /// `SET plimsoll.max_statements`.
    MaxStatements { statements: Option<u64> },
    /// `SAVEPOINT name`.
    Savepoint { name: Vec<u8> },
    /// `RELEASE name`.
    Release { name: Vec<u8> },
    /// `ROLLBACK TO name`, which ends no transaction although its tag says so.
    RollbackToSavepoint { name: Vec<u8> },
    /// `DISCARD ALL`.
    DiscardAll,
}

/// Reads what one statement does.
pub(super) fn command(text: &str) -> Command {
    let mut lexer = tokens(text);
    let Some(first) = lexer.next_significant().filter(|token| token.kind == TokenKind::Word) else {
        return Command::Other;
    };
    let word = first.text(text);
    let is = |other: &str| word.eq_ignore_ascii_case(other);
    let found = if is("prepare") {
        prepare(text, lexer)
    } else if is("execute") {
        execute(text, lexer)
    } else if is("deallocate") {
        deallocate(text, lexer)
    } else if is("declare") {
        declare(text, lexer)
    } else if is("fetch") {
        last_name(text, lexer).map(|name| Command::Fetch { name })
    } else if is("close") {
        lexer.next_significant().map(|token| Command::CloseCursor {
            name: (!token.is_word(text, "all")).then(|| name(text, token)),
        })
    } else if is("set") || is("reset") {
        let second = lexer.next_significant();
        let is_second = |word: &str| second.is_some_and(|token| token.is_word(text, word));
        // RESET ALL takes back this setting with all others.
        let scope = if is("reset") && is_second("all") { Some(None) } else { scope_setting(text) };
        let scope = scope.map(|scope| Command::Scope { scope, is_local: is_second("local") });
        scope.or_else(|| limit_setting(text).map(|statements| Command::MaxStatements { statements }))
    } else if is("savepoint") {
        lexer.next_significant().map(|token| Command::Savepoint { name: name(text, token) })
    } else if is("release") {
        savepoint_name(text, &mut lexer).map(|name| Command::Release { name })
    } else if is("select") {
        set_config(text, lexer)
    } else if is("rollback") || is("abort") {
        rollback(text, lexer)
    } else if is("discard") {
        let second = lexer.next_significant();
        second.filter(|token| token.is_word(text, "all")).map(|_| Command::DiscardAll)
    } else {
        None
    };
    found.unwrap_or(Command::Other)
}

/// An identifier as the server folds it.
fn name(text: &str, token: Token) -> Vec<u8> {
    let written = token.text(text);
    match written.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(quoted) => quoted.replace("\"\"", "\"").into_bytes(),
        None => written.to_lowercase().into_bytes(),
    }
}

fn prepare(text: &str, mut lexer: Lexer<'_>) -> Option<Command> {
    let token = lexer.next_significant()?;
    let statement_name = name(text, token);
    let mut depth = 0_usize;
    loop {
        let token = lexer.next_significant()?;
        match token.kind {
            TokenKind::OpenParenthesis => depth += 1,
            TokenKind::CloseParenthesis => depth = depth.saturating_sub(1),
            TokenKind::Word if depth == 0 && token.is_word(text, "as") => {
                let inner = lexer.next_significant()?.start..text.len();
                return Some(Command::Prepare { name: statement_name, inner });
            }
            _ => {}
        }
    }
}

fn execute(text: &str, mut lexer: Lexer<'_>) -> Option<Command> {
    let statement_name = name(text, lexer.next_significant()?);
    let mut arguments = Vec::new();
    if lexer.next_significant().is_some_and(|token| token.kind == TokenKind::OpenParenthesis) {
        let mut depth = 0_usize;
        let mut span: Option<Range<usize>> = None;
        while let Some(token) = lexer.next_significant() {
            let is_end = token.kind == TokenKind::CloseParenthesis && depth == 0;
            if is_end || token.kind == TokenKind::Comma && depth == 0 {
                arguments.extend(span.take().map(|span| argument(&text[span])));
                if is_end {
                    break;
                }
                continue;
            }
            match token.kind {
                TokenKind::OpenParenthesis | TokenKind::OpenBracket => depth += 1,
                TokenKind::CloseParenthesis | TokenKind::CloseBracket => depth = depth.saturating_sub(1),
                _ => {}
            }
            span = Some(span.map_or(token.start, |span| span.start)..token.end);
        }
    }
    Some(Command::Execute { name: statement_name, arguments })
}

/// The text of one argument. What is no plain literal keeps its SQL text,
/// which equals no value.
fn argument(written: &str) -> Option<String> {
    match literal::value(written) {
        Value::Text(text) => Some(text.into_owned()),
        Value::Null => None,
        Value::Parameter(_) | Value::Unknown => Some(written.to_owned()),
    }
}

fn deallocate(text: &str, mut lexer: Lexer<'_>) -> Option<Command> {
    let mut token = lexer.next_significant()?;
    if token.is_word(text, "prepare") {
        token = lexer.next_significant()?;
    }
    Some(Command::Deallocate { name: (!token.is_word(text, "all")).then(|| name(text, token)) })
}

fn declare(text: &str, mut lexer: Lexer<'_>) -> Option<Command> {
    let cursor_name = name(text, lexer.next_significant()?);
    let (mut is_held, mut previous_with) = (false, false);
    loop {
        let token = lexer.next_significant()?;
        if token.is_word(text, "for") {
            let inner = lexer.next_significant()?.start..text.len();
            return Some(Command::Declare { name: cursor_name, inner, is_held });
        }
        is_held |= previous_with && token.is_word(text, "hold");
        previous_with = token.is_word(text, "with");
    }
}

fn last_name(text: &str, lexer: Lexer<'_>) -> Option<Vec<u8>> {
    let is_name = |token: &Token| matches!(token.kind, TokenKind::Word | TokenKind::QuotedIdentifier);
    lexer.filter(is_name).last().map(|token| name(text, token))
}

/// `SELECT set_config('plimsoll.scope', '…', false)`, and the same for the bound.
fn set_config(text: &str, mut lexer: Lexer<'_>) -> Option<Command> {
    let mut token = lexer.next_significant()?;
    if token.is_word(text, "pg_catalog") {
        lexer.next_significant()?;
        token = lexer.next_significant()?;
    }
    if !token.is_word(text, "set_config") {
        return None;
    }
    let mut next = || lexer.next_significant();
    next()?;
    let setting = argument(next()?.text(text))?.to_ascii_lowercase();
    next()?;
    // A bound value is not in the text: nothing is better than a wrong scope.
    let value = match literal::value(next()?.text(text)) {
        Value::Text(value) => Some(value.into_owned()).filter(|value| !value.is_empty()),
        Value::Null => None,
        Value::Parameter(_) | Value::Unknown => return None,
    };
    let scope = match setting.as_str() {
        "plimsoll.scope" => value,
        "plimsoll.max_statements" => {
            let statements = value.and_then(|value| value.parse().ok());
            return Some(Command::MaxStatements { statements });
        }
        _ => return None,
    };
    next()?;
    let is_local = next()?.is_word(text, "true");
    Some(Command::Scope { scope, is_local })
}

fn rollback(text: &str, mut lexer: Lexer<'_>) -> Option<Command> {
    lexer.find(|token| token.is_word(text, "to"))?;
    savepoint_name(text, &mut lexer).map(|name| Command::RollbackToSavepoint { name })
}

/// `[SAVEPOINT] name`.
fn savepoint_name(text: &str, lexer: &mut Lexer<'_>) -> Option<Vec<u8>> {
    let first = lexer.next_significant()?;
    let named = if first.is_word(text, "savepoint") { lexer.next_significant() } else { None };
    Some(name(text, named.unwrap_or(first)))
}

#[cfg(test)]
mod tests {
    use super::{Command, command};

    #[test]
    fn statements_about_the_session_are_understood() {
        let bytes = |text: &str| text.as_bytes().to_vec();
        for (text, expected) in [
            ("SELECT 1", Command::Other),
            ("", Command::Other),
            ("PREPARE Q (int) AS SELECT $1", Command::Prepare { name: bytes("q"), inner: 19..28 }),
            (
                "execute q(7, 'a,b', NULL)",
                Command::Execute {
                    name: bytes("q"),
                    arguments: vec![Some("7".into()), Some("a,b".into()), None],
                },
            ),
            ("EXECUTE \"Q\"", Command::Execute { name: bytes("Q"), arguments: vec![] }),
            ("DEALLOCATE PREPARE q", Command::Deallocate { name: Some(bytes("q")) }),
            ("DEALLOCATE ALL", Command::Deallocate { name: None }),
            (
                "DECLARE c NO SCROLL CURSOR WITH HOLD FOR SELECT 1",
                Command::Declare { name: bytes("c"), inner: 41..49, is_held: true },
            ),
            ("FETCH FORWARD 10 FROM \"c_1\"", Command::Fetch { name: bytes("c_1") }),
            ("CLOSE c", Command::CloseCursor { name: Some(bytes("c")) }),
            ("SET LOCAL plimsoll.scope = 'a'", Command::Scope { scope: Some("a".into()), is_local: true }),
            (
                "select set_config('plimsoll.scope', 'b', false)",
                Command::Scope { scope: Some("b".into()), is_local: false },
            ),
            ("SET plimsoll.max_statements = 9", Command::MaxStatements { statements: Some(9) }),
            (
                "select set_config('plimsoll.max_statements', '', true)",
                Command::MaxStatements { statements: None },
            ),
            ("select set_config('plimsoll.scope', $1, false)", Command::Other),
            ("SET search_path = x", Command::Other),
            ("RESET ALL", Command::Scope { scope: None, is_local: false }),
            ("RESET search_path", Command::Other),
            ("SAVEPOINT S", Command::Savepoint { name: bytes("s") }),
            ("RELEASE SAVEPOINT s", Command::Release { name: bytes("s") }),
            ("RELEASE \"S\"", Command::Release { name: bytes("S") }),
            ("ROLLBACK TO SAVEPOINT s", Command::RollbackToSavepoint { name: bytes("s") }),
            ("ROLLBACK WORK TO s", Command::RollbackToSavepoint { name: bytes("s") }),
            ("ROLLBACK", Command::Other),
            ("DISCARD ALL", Command::DiscardAll),
        ] {
            assert_eq!(command(text), expected, "{text}");
        }
    }
}
