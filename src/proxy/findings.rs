//! `SHOW plimsoll.findings`: what was found so far in the scope of the session
//! that asks. A mode of its own, as it replaces that statement by one with the
//! answer in it; who judges is given from outside.

use super::recorder::Shared;
use super::replace::Replacement;
use crate::sql::lexer::tokens;
use crate::trace::Trace;
use std::fmt;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

/// How long a session waits for the answer; then it is told so by an error.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// What the result column is called, and what is asked for.
const NAME: &str = "plimsoll.findings";

/// Judges the trace of one scope; the answer is the text that the session gets.
#[derive(Clone)]
pub struct Judge(Arc<dyn Fn(&Trace) -> String + Send + Sync>);

impl Judge {
    /// From a pure function.
    pub fn new(judge: impl Fn(&Trace) -> String + Send + Sync + 'static) -> Self {
        Self(Arc::new(judge))
    }

    pub(super) fn judge(&self, trace: &Trace) -> String {
        (self.0)(trace)
    }
}

impl fmt::Debug for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Judge")
    }
}

/// A session's question on its way to the observer; none is the answer where
/// the session has no scope.
pub(super) type Question = mpsc::Sender<Option<String>>;

/// Asks the observer for one connection.
#[derive(Debug)]
pub(super) struct Asker {
    shared: Arc<Shared>,
    connection: u64,
}

impl Asker {
    pub(super) fn new(shared: Arc<Shared>, connection: u64) -> Self {
        Self { shared, connection }
    }
}

impl Replacement for Asker {
    fn matches(&self, statement: &str) -> bool {
        let mut lexer = tokens(statement);
        let mut is_next = |word: &str| {
            lexer.next_significant().is_some_and(|token| token.text(statement).eq_ignore_ascii_case(word))
        };
        is_next("show") && is_next("plimsoll") && is_next(".") && is_next("findings")
    }

    fn prepared(&self) -> Option<&'static str> {
        Some("SELECT ''::text AS \"plimsoll.findings\"")
    }

    fn instead(&self) -> Option<String> {
        let (question, answer) = mpsc::channel();
        self.shared.queue.ask(self.connection, self.shared.now_us(), question);
        Some(match answer.recv_timeout(ANSWER_TIMEOUT) {
            Ok(Some(text)) => format!("SELECT {}::text AS \"{NAME}\"", literal(&text)),
            Ok(None) => error("plimsoll.findings needs a scope: SET plimsoll.scope to the test's name first"),
            Err(_) => error("plimsoll found no answer in time"),
        })
    }
}

/// A string literal, whatever `standard_conforming_strings` says.
fn literal(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('\'', "''").replace('\0', "");
    format!("E'{escaped}'")
}

/// A statement that fails with a message.
fn error(message: &str) -> String {
    // Once for the message's literal, once for the body's.
    let message = message.replace('\'', "''''");
    format!(
        "DO LANGUAGE plpgsql 'BEGIN RAISE EXCEPTION USING ERRCODE = ''55000'', MESSAGE = ''{message}''; END'"
    )
}

#[cfg(test)]
mod tests {
    use super::literal;

    #[test]
    fn a_literal_survives_quotes_and_backslashes() {
        assert_eq!(literal(r#"{"a":"it's \n"}"#), r#"E'{"a":"it''s \\n"}'"#);
    }
}
