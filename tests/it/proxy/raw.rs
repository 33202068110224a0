//! A client that speaks bytes: it sends what it is told and returns what came,
//! so that two ways to one server can be compared message by message.

use plimsoll::wire::{Frame, Splitter, encode};
use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A message as it came: type and body.
pub(crate) type Message = (u8, Vec<u8>);

/// A session.
pub(crate) struct RawClient {
    pub(crate) stream: TcpStream,
    splitter: Splitter,
    /// What came before the first ReadyForQuery.
    pub(crate) greeting: Vec<Message>,
}

impl RawClient {
    /// Connects and logs in with SCRAM.
    pub(crate) fn connect(host: &str, port: u16, password: &str, parameters: &[(&str, &str)]) -> Self {
        Self::connect_with(host, port, encode::PROTOCOL_3_0, password, parameters)
    }

    pub(crate) fn connect_with(
        host: &str,
        port: u16,
        version: u32,
        password: &str,
        parameters: &[(&str, &str)],
    ) -> Self {
        let stream = TcpStream::connect((host, port)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut client = Self { stream, splitter: Splitter::typed(1 << 24), greeting: Vec::new() };
        let mut startup = Vec::new();
        encode::startup(&mut startup, version, parameters);
        client.send(&startup);
        client.log_in(password);
        client.greeting = client.until_ready(1);
        client
    }

    fn log_in(&mut self, password: &str) {
        let mut scram = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
        let is_request =
            |messages: &[Message]| messages.last().is_some_and(|(tag, _)| matches!(tag, b'R' | b'E'));
        let offer = self.until(is_request);
        assert_eq!(tags(&offer).trim_start_matches('v'), "R", "{offer:?}");
        let mut answer = Vec::new();
        encode::message(&mut answer, b'p', |out| {
            encode::cstr(out, b"SCRAM-SHA-256");
            out.extend_from_slice(&i32::try_from(scram.message().len()).unwrap().to_be_bytes());
            out.extend_from_slice(scram.message());
        });
        self.send(&answer);
        let challenge = self.until(is_request);
        scram.update(&challenge[0].1[4..]).unwrap();
        let mut proof = Vec::new();
        encode::message(&mut proof, b'p', |out| out.extend_from_slice(scram.message()));
        self.send(&proof);
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Messages up to the `count`th ReadyForQuery, or the end of the stream.
    pub(crate) fn until_ready(&mut self, count: usize) -> Vec<Message> {
        self.until(|messages| messages.iter().filter(|(tag, _)| *tag == b'Z').count() == count)
    }

    /// Messages until `is_done`, or the end of the stream.
    pub(crate) fn until(&mut self, is_done: impl Fn(&[Message]) -> bool) -> Vec<Message> {
        let mut messages = Vec::new();
        let mut chunk = vec![0; 65_536];
        while !is_done(&messages) {
            let count = self.stream.read(&mut chunk).expect("an answer in time");
            if count == 0 {
                break;
            }
            let mut input = &chunk[..count];
            while let Some(Frame { tag, body, body_bytes }) = self.splitter.next(&mut input).unwrap() {
                assert_eq!(body.len(), body_bytes as usize);
                messages.push((tag, body.to_vec()));
            }
        }
        messages
    }

    pub(crate) fn query(&mut self, text: &str) -> Vec<Message> {
        let mut bytes = Vec::new();
        encode::query(&mut bytes, text.as_bytes());
        self.send(&bytes);
        self.until_ready(1)
    }
}

/// The type bytes of messages.
pub(crate) fn tags(messages: &[Message]) -> String {
    messages.iter().map(|(tag, _)| char::from(*tag)).collect()
}

/// The SQLSTATE of the first error.
pub(crate) fn sqlstate(messages: &[Message]) -> Option<String> {
    let (tag, body) = messages.iter().find(|(tag, _)| *tag == b'E')?;
    let frame = Frame { tag: *tag, body, body_bytes: u32::try_from(body.len()).unwrap() };
    match plimsoll::wire::BackendMessage::decode(&frame) {
        plimsoll::wire::BackendMessage::ErrorResponse(error) => {
            error.sqlstate().map(|code| String::from_utf8(code.to_vec()).unwrap())
        }
        _ => None,
    }
}
