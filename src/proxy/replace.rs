//! Statements of the application replaced by others, one execution at a time,
//! for the modes that do so: fault injection, and answers of the recorder.
//!
//! The server itself executes the replacement, so transactions, savepoints and
//! pipelines stay what they are. Only the acknowledgements of what the client
//! did not send are kept from it. Pure: bytes in, bytes out.

use crate::sql::statement::split_statements;
use crate::wire::{Bind, Execute, Parse, Query, encode};
use std::collections::{HashMap, VecDeque};
use std::fmt::Debug;

/// A longer message is passed on unread, in bytes.
const MESSAGE_BYTES_MAX: usize = 1024 * 1024;
/// Statements and portals remembered by name at most; more are not matched.
const NAMES_MAX: usize = 100_000;

/// Which statements are replaced, and by what.
pub(super) trait Replacement: Debug + Send {
    /// Whether a statement is one of them.
    fn matches(&self, statement: &str) -> bool;

    /// What is prepared in place of such a statement, so that it can be
    /// described; none prepares it as it is.
    fn prepared(&self) -> Option<&'static str>;

    /// What is executed in place of such a statement; none lets it be.
    fn instead(&self) -> Option<String>;
}

/// An answer that is still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// `ParseComplete`, `BindComplete` or `CloseComplete`; dropped where the request was ours.
    Acknowledgement { is_ours: bool },
    /// `ReadyForQuery`.
    Ready,
}

/// One connection on which statements are replaced.
#[derive(Debug)]
pub(super) struct Replacer {
    replacement: Box<dyn Replacement>,
    client: Vec<u8>,
    client_passes: usize,
    is_started: bool,
    server: Vec<u8>,
    server_passes: usize,
    statements: HashMap<Vec<u8>, bool>,
    portals: HashMap<Vec<u8>, bool>,
    expected: VecDeque<Expected>,
    is_skipping: bool,
    replacements: u64,
}

impl Replacer {
    pub(super) fn new(replacement: Box<dyn Replacement>) -> Self {
        Self {
            replacement,
            client: Vec::new(),
            client_passes: 0,
            is_started: false,
            server: Vec::new(),
            server_passes: 0,
            statements: HashMap::new(),
            portals: HashMap::new(),
            expected: VecDeque::new(),
            is_skipping: false,
            replacements: 0,
        }
    }

    /// Takes the client's bytes, from the start-up message on; appends those for the server.
    pub(super) fn client(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let mut buffer = std::mem::take(&mut self.client);
        buffer.extend_from_slice(bytes);
        let mut rest = buffer.as_slice();
        loop {
            let passing = rest.len().min(self.client_passes);
            out.extend_from_slice(&rest[..passing]);
            rest = &rest[passing..];
            self.client_passes -= passing;
            let tag_bytes = usize::from(self.is_started);
            let Some(length) = message_length(rest, tag_bytes).filter(|_| self.client_passes == 0) else {
                break;
            };
            let is_read = matches!(rest[0], b'P' | b'B' | b'E' | b'Q') && length <= MESSAGE_BYTES_MAX;
            if !self.is_started || !is_read {
                self.note_passed(if self.is_started { rest[0] } else { 0 });
                self.is_started = true;
                self.client_passes = length;
                continue;
            }
            if rest.len() < length {
                break;
            }
            self.client_message(&rest[..length], out);
            rest = &rest[length..];
        }
        self.client = rest.to_vec();
    }

    fn note_passed(&mut self, tag: u8) {
        match tag {
            b'S' => {
                self.is_skipping = false;
                self.expected.push_back(Expected::Ready);
            }
            0 | b'Q' | b'F' => self.expect(Expected::Ready),
            b'P' | b'B' | b'C' => self.expect(Expected::Acknowledgement { is_ours: false }),
            _ => {}
        }
    }

    fn expect(&mut self, expected: Expected) {
        if !self.is_skipping {
            self.expected.push_back(expected);
        }
    }

    fn client_message(&mut self, message: &[u8], out: &mut Vec<u8>) {
        let frame = crate::wire::Frame {
            tag: message[0],
            body: &message[5..],
            body_bytes: u32::try_from(message.len() - 5).unwrap_or(u32::MAX),
        };
        use crate::wire::FrontendMessage as Message;
        match Message::decode(&frame) {
            Message::Parse(parse) if self.parse(&parse, out) => return,
            Message::Bind(bind) => self.bind(&bind),
            Message::Execute(execute) if self.execute(&execute, out) => return,
            Message::Query(query) => {
                self.expect(Expected::Ready);
                if self.query(&query, out) {
                    return;
                }
            }
            _ => {}
        }
        out.extend_from_slice(message);
    }

    /// True where another text went out under the same name.
    fn parse(&mut self, parse: &Parse<'_>, out: &mut Vec<u8>) -> bool {
        self.expect(Expected::Acknowledgement { is_ours: false });
        let is_match = self.statements.len() < NAMES_MAX
            && self.replacement.matches(&String::from_utf8_lossy(parse.text));
        if self.statements.len() < NAMES_MAX {
            self.statements.insert(parse.statement.to_vec(), is_match);
        }
        match self.replacement.prepared() {
            Some(text) if is_match => {
                encode::parse(out, parse.statement, text.as_bytes());
                true
            }
            _ => false,
        }
    }

    fn bind(&mut self, bind: &Bind<'_>) {
        self.expect(Expected::Acknowledgement { is_ours: false });
        if self.portals.len() < NAMES_MAX {
            let is_match = self.statements.get(bind.statement).copied().unwrap_or(false);
            self.portals.insert(bind.portal.to_vec(), is_match);
        }
    }

    /// True where other messages went out in place of this one.
    fn execute(&mut self, execute: &Execute<'_>, out: &mut Vec<u8>) -> bool {
        let is_match = self.portals.get(execute.portal).copied().unwrap_or(false);
        if !is_match || self.is_skipping {
            return false;
        }
        let Some(text) = self.replacement.instead() else {
            return false;
        };
        self.replacements += 1;
        let name = format!("plimsoll_{}", self.replacements);
        encode::parse(out, name.as_bytes(), text.as_bytes());
        encode::bind_without_parameters(out, name.as_bytes(), name.as_bytes());
        encode::execute(out, name.as_bytes(), execute.rows_max);
        // Closing the statement closes its portal.
        encode::message(out, b'C', |out| {
            out.push(b'S');
            encode::cstr(out, name.as_bytes());
        });
        for _ in 0..3 {
            self.expect(Expected::Acknowledgement { is_ours: true });
        }
        true
    }

    /// True where another message went out in place of this one.
    fn query(&mut self, query: &Query<'_>, out: &mut Vec<u8>) -> bool {
        let Ok(text) = std::str::from_utf8(query.text) else {
            return false;
        };
        let (mut replaced, mut copied) = (String::new(), 0);
        for span in split_statements(text) {
            if !self.replacement.matches(&text[span.clone()]) {
                continue;
            }
            if let Some(other) = self.replacement.instead() {
                replaced.push_str(&text[copied..span.start]);
                replaced.push_str(&other);
                copied = span.end;
            }
        }
        if copied > 0 {
            replaced.push_str(&text[copied..]);
            encode::query(out, replaced.as_bytes());
        }
        copied > 0
    }

    /// Takes the server's bytes; appends those for the client.
    pub(super) fn server(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let mut buffer = std::mem::take(&mut self.server);
        buffer.extend_from_slice(bytes);
        let mut rest = buffer.as_slice();
        loop {
            let passing = rest.len().min(self.server_passes);
            out.extend_from_slice(&rest[..passing]);
            rest = &rest[passing..];
            self.server_passes -= passing;
            let Some(length) = message_length(rest, 1).filter(|_| self.server_passes == 0) else {
                break;
            };
            if self.is_kept_back(rest[0]) {
                // An acknowledgement has no body: its header is all of it.
                rest = &rest[5..];
            } else {
                self.server_passes = length;
            }
        }
        self.server = rest.to_vec();
    }

    /// Whether an answer is to a request of ours.
    fn is_kept_back(&mut self, tag: u8) -> bool {
        match tag {
            b'1' | b'2' | b'3' => loop {
                match self.expected.pop_front() {
                    Some(Expected::Acknowledgement { is_ours }) => return is_ours,
                    // A Sync that the server ignored while it took COPY data in.
                    Some(Expected::Ready) => {}
                    None => return false,
                }
            },
            b'Z' => {
                while self.expected.pop_front().is_some_and(|expected| expected != Expected::Ready) {}
                false
            }
            b'E' => {
                while self.expected.front().is_some_and(|expected| *expected != Expected::Ready) {
                    self.expected.pop_front();
                }
                self.is_skipping = self.expected.is_empty();
                false
            }
            _ => false,
        }
    }
}

/// The length of the message at the start, its `tag_bytes` included.
fn message_length(bytes: &[u8], tag_bytes: usize) -> Option<usize> {
    let word = bytes.get(tag_bytes..tag_bytes + 4)?.try_into().ok()?;
    Some((u32::from_be_bytes(word) as usize).max(4) + tag_bytes)
}

#[cfg(test)]
mod tests {
    use super::{Replacement, Replacer};
    use crate::proxy::faults::FaultState;
    use crate::wire::encode;
    use std::sync::Arc;

    fn faults(plan: &str) -> (Replacer, Arc<FaultState>) {
        let state = Arc::new(FaultState::new(plan.parse().unwrap()));
        (started(Box::new(state.clone())), state)
    }

    fn started(replacement: Box<dyn Replacement>) -> Replacer {
        let mut faults = Replacer::new(replacement);
        let (mut startup, mut out) = (Vec::new(), Vec::new());
        encode::startup(&mut startup, encode::PROTOCOL_3_0, &[("user", "ann")]);
        faults.client(&startup, &mut out);
        assert_eq!(out, startup);
        faults.server(&ready(), &mut out);
        faults
    }

    fn ready() -> Vec<u8> {
        let mut out = Vec::new();
        encode::message(&mut out, b'Z', |out| out.push(b'I'));
        out
    }

    fn query(text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        encode::query(&mut out, text.as_bytes());
        out
    }

    fn sent(faults: &mut Replacer, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        bytes.iter().for_each(|byte| faults.client(&[*byte], &mut out));
        out
    }

    #[test]
    fn only_the_nth_matching_statement_is_replaced() {
        let (mut faults, state) = faults("40P01:2:update stock");
        for text in ["UPDATE stock SET amount = 1", "SELECT 1"] {
            assert_eq!(sent(&mut faults, &query(text)), query(text));
        }
        let replaced = sent(&mut faults, &query("BEGIN; update  stock SET amount = 2; SELECT 2"));
        let text = String::from_utf8_lossy(&replaced).into_owned();
        assert!(
            text.contains("BEGIN; DO LANGUAGE") && text.contains("40P01") && text.ends_with("; SELECT 2\0"),
            "{text}"
        );
        assert_eq!(
            sent(&mut faults, &query("UPDATE stock SET amount = 3")),
            query("UPDATE stock SET amount = 3")
        );
        assert_eq!(state.counts(), (3, 1));
    }

    #[test]
    fn in_a_pipeline_the_acknowledgements_of_the_replacement_are_kept_back() {
        let (mut faults, _) = faults("40P01:update stock");
        let mut pipeline = Vec::new();
        encode::parse(&mut pipeline, b"", b"UPDATE stock SET amount = 1");
        encode::bind_without_parameters(&mut pipeline, b"", b"");
        encode::execute(&mut pipeline, b"", 0);
        encode::sync(&mut pipeline);
        let out = sent(&mut faults, &pipeline);
        let tags: Vec<u8> = frames(&out);
        assert_eq!(tags, b"PBPBECS");
        let mut answers = Vec::new();
        for tag in [b'1', b'2', b'1', b'2', b'E'] {
            encode::message(&mut answers, tag, |_| {});
        }
        answers.extend_from_slice(&ready());
        let mut seen = Vec::new();
        answers.iter().for_each(|byte| faults.server(&[*byte], &mut seen));
        assert_eq!(frames(&seen), b"12EZ");
        assert!(faults.expected.is_empty());
    }

    fn frames(mut bytes: &[u8]) -> Vec<u8> {
        let mut splitter = crate::wire::Splitter::typed(64);
        let mut tags = Vec::new();
        while let Some(frame) = splitter.next(&mut bytes).unwrap() {
            tags.push(frame.tag);
        }
        tags
    }

    /// Answers every SHOW with how often it was asked.
    #[derive(Debug, Default)]
    struct Counting(std::cell::Cell<u64>);

    impl Replacement for Counting {
        fn matches(&self, statement: &str) -> bool {
            statement.starts_with("SHOW")
        }

        fn prepared(&self) -> Option<&'static str> {
            Some("SELECT 0")
        }

        fn instead(&self) -> Option<String> {
            self.0.set(self.0.get() + 1);
            Some(format!("SELECT {}", self.0.get()))
        }
    }

    #[test]
    fn each_execution_of_a_prepared_statement_is_replaced_anew() {
        let mut replacer = started(Box::new(Counting::default()));
        let mut once = Vec::new();
        encode::parse(&mut once, b"s", b"SHOW x");
        encode::sync(&mut once);
        let out = sent(&mut replacer, &once);
        assert!(String::from_utf8_lossy(&out).contains("s\0SELECT 0"));
        for number in ["SELECT 1", "SELECT 2"] {
            let mut again = Vec::new();
            encode::bind_without_parameters(&mut again, b"", b"s");
            encode::execute(&mut again, b"", 0);
            encode::message(&mut again, b'C', |out| out.extend_from_slice(b"P\0"));
            encode::sync(&mut again);
            let out = sent(&mut replacer, &again);
            assert_eq!(frames(&out), b"BPBECCS");
            assert!(String::from_utf8_lossy(&out).contains(number));
        }
        let mut answers = Vec::new();
        for tags in [&b"1Z"[..], b"212DC33Z", b"212DC33Z"] {
            for tag in tags {
                encode::message(&mut answers, *tag, |_| {});
            }
        }
        let mut seen = Vec::new();
        answers.iter().for_each(|byte| replacer.server(&[*byte], &mut seen));
        assert_eq!(frames(&seen), b"1Z2DC3Z2DC3Z");
        assert!(replacer.expected.is_empty());
    }
}
