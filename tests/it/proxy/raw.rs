//! A client that speaks bytes: it sends what it is told and returns what came,
//! so that two ways to one server can be compared message by message.

use plimsoll::wire::{Frame, Splitter, encode};
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A message as it came: type and body.
pub(crate) type Message = (u8, Vec<u8>);

/// A session over a socket, in plain or in TLS.
pub(crate) struct RawClient<S = TcpStream> {
    pub(crate) stream: S,
    splitter: Splitter,
    /// What came before the first ReadyForQuery, or up to the error that ended it.
    pub(crate) greeting: Vec<Message>,
}

/// How a client logs in.
pub(crate) struct Login<'a> {
    pub(crate) version: u32,
    pub(crate) parameters: &'a [(&'a str, &'a str)],
    pub(crate) user: &'a str,
    pub(crate) password: &'a str,
    /// What it says about channel binding; it binds where it can and is offered it.
    pub(crate) binding: Binding,
}

/// A client's stand on SCRAM channel binding.
pub(crate) enum Binding {
    /// It cannot (`n`).
    Unsupported,
    /// It could, and believes that the server cannot (`y`).
    NotOffered,
    /// It binds to this certificate's hash.
    To(Vec<u8>),
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
        let login = Login { version, parameters, user: "", password, binding: Binding::Unsupported };
        Self::over(tcp(host, port), &login)
    }
}

/// A connection that fails a test rather than hang it.
pub(crate) fn tcp(host: &str, port: u16) -> TcpStream {
    let stream = TcpStream::connect((host, port)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

impl<S: Read + Write> RawClient<S> {
    /// Starts a session over a stream that is connected.
    pub(crate) fn over(stream: S, login: &Login<'_>) -> Self {
        let mut client = Self { stream, splitter: Splitter::typed(1 << 24), greeting: Vec::new() };
        let mut startup = Vec::new();
        encode::startup(&mut startup, login.version, login.parameters);
        client.send(&startup);
        client.log_in(login);
        client
    }

    fn log_in(&mut self, login: &Login<'_>) {
        let binding = match &login.binding {
            Binding::Unsupported => ChannelBinding::unsupported(),
            Binding::NotOffered => ChannelBinding::unrequested(),
            Binding::To(hash) => ChannelBinding::tls_server_end_point(hash.clone()),
        };
        let mechanism: &[u8] =
            if matches!(login.binding, Binding::To(_)) { b"SCRAM-SHA-256-PLUS" } else { b"SCRAM-SHA-256" };
        let mut scram = ScramSha256::new(login.password.as_bytes(), binding);
        loop {
            let more = self.until(|messages| messages.last().is_some_and(|(tag, _)| b"RZE".contains(tag)));
            let Some((tag, body)) = more.last().cloned() else {
                return;
            };
            self.greeting.extend(more);
            let mut answer = Vec::new();
            match (tag, body.get(..4)) {
                (b'R', Some([0, 0, 0, 0])) => continue,
                (b'R', Some([0, 0, 0, 5])) => {
                    let salt = body[4..8].try_into().unwrap();
                    let hash = md5_hash(login.user.as_bytes(), login.password.as_bytes(), salt);
                    encode::message(&mut answer, b'p', |out| encode::cstr(out, hash.as_bytes()));
                }
                (b'R', Some([0, 0, 0, 10])) => encode::message(&mut answer, b'p', |out| {
                    encode::cstr(out, mechanism);
                    out.extend_from_slice(&i32::try_from(scram.message().len()).unwrap().to_be_bytes());
                    out.extend_from_slice(scram.message());
                }),
                (b'R', Some([0, 0, 0, 11])) => {
                    scram.update(&body[4..]).unwrap();
                    encode::message(&mut answer, b'p', |out| out.extend_from_slice(scram.message()));
                }
                (b'R', Some([0, 0, 0, 12])) => {
                    scram.finish(&body[4..]).unwrap();
                    continue;
                }
                _ => return,
            }
            self.send(&answer);
        }
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

/// The text of the first error.
pub(crate) fn message_of(messages: &[Message]) -> String {
    let body = messages.iter().find(|(tag, _)| *tag == b'E').map_or(&[][..], |(_, body)| body);
    let text = body.split(|byte| *byte == 0).find_map(|field| field.strip_prefix(b"M"));
    String::from_utf8_lossy(text.unwrap_or_default()).into_owned()
}
