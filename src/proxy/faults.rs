//! Fault injection: the n-th matching statement of the application fails with
//! a deadlock, a serialization failure or a lock timeout, as it might in
//! production.
//!
//! The statement is replaced by one that makes the server itself raise the
//! error. So the transaction is truly in the failed state, savepoints work,
//! and a pipeline is skipped to its Sync: nothing about the session is
//! pretended. Only the two acknowledgements of the replacement are kept from
//! the client. Pure: bytes in, bytes out.

use crate::sql::shape::shape;
use crate::sql::statement::split_statements;
use crate::wire::{Bind, Execute, Parse, Query, encode};
use std::collections::{HashMap, VecDeque};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A longer message is passed on unread, in bytes.
const MESSAGE_BYTES_MAX: usize = 1024 * 1024;
/// Statements and portals remembered by name at most; more are not matched.
const NAMES_MAX: usize = 100_000;

/// The errors that can be injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// 40P01.
    Deadlock,
    /// 40001.
    SerializationFailure,
    /// 55P03.
    LockNotAvailable,
}

impl FaultKind {
    /// The SQLSTATE.
    #[must_use]
    pub fn sqlstate(self) -> &'static str {
        match self {
            Self::Deadlock => "40P01",
            Self::SerializationFailure => "40001",
            Self::LockNotAvailable => "55P03",
        }
    }

    /// The server's own words for it.
    fn message(self) -> &'static str {
        match self {
            Self::Deadlock => "deadlock detected",
            Self::SerializationFailure => "could not serialize access due to concurrent update",
            Self::LockNotAvailable => "canceling statement due to lock timeout",
        }
    }

    /// A statement that makes the server raise it. Needs plpgsql, which every
    /// database has unless somebody dropped it.
    fn statement(self) -> String {
        format!(
            "DO LANGUAGE plpgsql 'BEGIN RAISE EXCEPTION USING ERRCODE = ''{}'', MESSAGE = ''{}'', \
             DETAIL = ''Injected by plimsoll in place of the statement.''; END'",
            self.sqlstate(),
            self.message()
        )
    }
}

/// What to inject where: `40P01:update stock`, or `40P01:3:update stock` for
/// the third matching statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultPlan {
    /// The error.
    pub kind: FaultKind,
    /// Which of the matching executions fails, from 1, over all connections.
    pub nth: u64,
    /// What a statement's normalised text has to contain, itself normalised.
    pub pattern: String,
}

/// Why a fault cannot be injected as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not of the form SQLSTATE:[n:]text, such as `40P01:2:update stock`, with 40P01, 40001 or 55P03"
)]
pub struct FaultPlanError(String);

impl FromStr for FaultPlan {
    type Err = FaultPlanError;

    fn from_str(written: &str) -> Result<Self, FaultPlanError> {
        let wrong = || FaultPlanError(written.to_owned());
        let (sqlstate, rest) = written.split_once(':').ok_or_else(wrong)?;
        let kind = match sqlstate {
            "40P01" => FaultKind::Deadlock,
            "40001" => FaultKind::SerializationFailure,
            "55P03" => FaultKind::LockNotAvailable,
            _ => return Err(wrong()),
        };
        let numbered = rest.split_once(':').and_then(|(nth, text)| Some((nth.trim().parse().ok()?, text)));
        let (nth, text) = numbered.unwrap_or((1, rest));
        let pattern = shape(text).text;
        if nth == 0 || pattern.is_empty() {
            return Err(wrong());
        }
        Ok(Self { kind, nth, pattern })
    }
}

/// A plan in use: counts over all connections.
#[derive(Debug)]
pub(super) struct FaultState {
    plan: FaultPlan,
    matched: AtomicU64,
    injected: AtomicU64,
}

impl FaultState {
    pub(super) fn new(plan: FaultPlan) -> Self {
        Self { plan, matched: AtomicU64::new(0), injected: AtomicU64::new(0) }
    }

    /// How many statements matched, and how many were made to fail.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.matched.load(Ordering::Relaxed), self.injected.load(Ordering::Relaxed))
    }

    fn matches(&self, statement: &str) -> bool {
        shape(statement).text.contains(&self.plan.pattern)
    }

    /// Counts a matching execution; true where it is the one to fail.
    fn strikes(&self) -> bool {
        let is_struck = self.matched.fetch_add(1, Ordering::Relaxed) + 1 == self.plan.nth;
        if is_struck {
            self.injected.fetch_add(1, Ordering::Relaxed);
        }
        is_struck
    }
}

/// An answer that is still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// `ParseComplete` or `BindComplete`; dropped where the request was ours.
    Acknowledgement { is_ours: bool },
    /// `ReadyForQuery`.
    Ready,
}

/// One connection under injection.
#[derive(Debug)]
pub(super) struct Faults {
    state: Arc<FaultState>,
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

impl Faults {
    pub(super) fn new(state: Arc<FaultState>) -> Self {
        Self {
            state,
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
            b'P' | b'B' => self.expect(Expected::Acknowledgement { is_ours: false }),
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
            Message::Parse(parse) => self.parse(&parse),
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

    fn parse(&mut self, parse: &Parse<'_>) {
        self.expect(Expected::Acknowledgement { is_ours: false });
        if self.statements.len() < NAMES_MAX {
            let is_match = self.state.matches(&String::from_utf8_lossy(parse.text));
            self.statements.insert(parse.statement.to_vec(), is_match);
        }
    }

    fn bind(&mut self, bind: &Bind<'_>) {
        self.expect(Expected::Acknowledgement { is_ours: false });
        if self.portals.len() < NAMES_MAX {
            let is_match = self.statements.get(bind.statement).copied().unwrap_or(false);
            self.portals.insert(bind.portal.to_vec(), is_match);
        }
    }

    /// True where another message went out in place of this one.
    fn execute(&mut self, execute: &Execute<'_>, out: &mut Vec<u8>) -> bool {
        let is_match = self.portals.get(execute.portal).copied().unwrap_or(false);
        if !is_match || self.is_skipping || !self.state.strikes() {
            return false;
        }
        self.replacements += 1;
        let name = format!("plimsoll_fault_{}", self.replacements);
        encode::parse(out, name.as_bytes(), self.state.plan.kind.statement().as_bytes());
        encode::bind_without_parameters(out, name.as_bytes(), name.as_bytes());
        encode::execute(out, name.as_bytes(), 0);
        self.expect(Expected::Acknowledgement { is_ours: true });
        self.expect(Expected::Acknowledgement { is_ours: true });
        true
    }

    /// True where another message went out in place of this one. What stands
    /// before the statement still runs; what follows would be skipped anyway.
    fn query(&mut self, query: &Query<'_>, out: &mut Vec<u8>) -> bool {
        let Ok(text) = std::str::from_utf8(query.text) else {
            return false;
        };
        for span in split_statements(text) {
            if self.state.matches(&text[span.clone()]) && self.state.strikes() {
                let replaced = format!("{}{}", &text[..span.start], self.state.plan.kind.statement());
                encode::query(out, replaced.as_bytes());
                return true;
            }
        }
        false
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
            b'1' | b'2' => loop {
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
    use super::{FaultKind, FaultPlan, FaultState, Faults};
    use crate::wire::encode;
    use std::sync::Arc;

    fn faults(plan: &str) -> Faults {
        let mut faults = Faults::new(Arc::new(FaultState::new(plan.parse().unwrap())));
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

    fn sent(faults: &mut Faults, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        bytes.iter().for_each(|byte| faults.client(&[*byte], &mut out));
        out
    }

    #[test]
    fn plans_are_read() {
        let plan: FaultPlan = "40001:3:UPDATE Stock SET amount = 5".parse().unwrap();
        assert_eq!((plan.kind, plan.nth), (FaultKind::SerializationFailure, 3));
        assert_eq!(plan.pattern, "update stock set amount = ?");
        for wrong in ["", "40P01", "23505:x", "40P01:0:x", "40P01:2:"] {
            assert!(wrong.parse::<FaultPlan>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_the_nth_matching_statement_is_replaced() {
        let mut faults = faults("40P01:2:update stock");
        for text in ["UPDATE stock SET amount = 1", "SELECT 1"] {
            assert_eq!(sent(&mut faults, &query(text)), query(text));
        }
        let replaced = sent(&mut faults, &query("BEGIN; update  stock SET amount = 2; SELECT 2"));
        let text = String::from_utf8_lossy(&replaced).into_owned();
        assert!(
            text.contains("BEGIN; DO LANGUAGE") && text.contains("40P01") && !text.contains("SELECT 2"),
            "{text}"
        );
        assert_eq!(
            sent(&mut faults, &query("UPDATE stock SET amount = 3")),
            query("UPDATE stock SET amount = 3")
        );
        assert_eq!(faults.state.counts(), (3, 1));
    }

    #[test]
    fn in_a_pipeline_the_acknowledgements_of_the_replacement_are_kept_back() {
        let mut faults = faults("40P01:update stock");
        let mut pipeline = Vec::new();
        encode::parse(&mut pipeline, b"", b"UPDATE stock SET amount = 1");
        encode::bind_without_parameters(&mut pipeline, b"", b"");
        encode::execute(&mut pipeline, b"", 0);
        encode::sync(&mut pipeline);
        let out = sent(&mut faults, &pipeline);
        let tags: Vec<u8> = frames(&out);
        assert_eq!(tags, b"PBPBES");
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
}
