//! One client and its server: from the first packet to the end of both.
//!
//! A link is driven whenever one of its sockets may have something, and does
//! what can be done without waiting. In the common case (plain text, nothing
//! injected) a byte goes from one `read` into one `write`, or into the burst in
//! which the thread sends for several links, and a copy to the observer.

use super::delay::SlowWire;
use super::end::{End, READ_AND_WRITE};
use super::findings::Asker;
use super::queue::Event;
use super::recorder::Shared;
use super::replace::Replacer;
use super::sasl::{self, Login};
use crate::stats::clock;
use crate::wire::{STARTUP_BYTES_MAX, StartupPacket, encode};
use mio::{Registry, Token};
use rustls::{ClientConnection, ServerConnection};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// How often one link may read before others have their turn.
const READS_PER_TURN: usize = 16;

/// The first byte of a TLS handshake, for clients that start with TLS at once.
const TLS_HANDSHAKE: u8 = 0x16;

/// What a link needs of the thread it runs in.
pub(super) struct Surroundings<'a> {
    pub(super) shared: &'a Shared,
    pub(super) registry: &'a Registry,
    /// The token of the link's client socket.
    pub(super) client_token: Token,
    /// The token of the link's server socket.
    pub(super) server_token: Token,
    /// Where reads go; shared by all links of the thread.
    pub(super) buffer: &'a mut [u8],
    /// The ends that hold bytes for the thread's next burst; none where it sends each by itself.
    pub(super) held: Option<&'a mut Vec<Token>>,
    /// Set where the link wants to be driven at a time.
    pub(super) wake_at: Option<Instant>,
    /// Set where the link could go on but others have their turn.
    pub(super) has_more: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Reading the client's untagged packets.
    Head,
    /// Connecting to the server.
    Connecting,
    /// Awaiting the server's one-byte answer to the request for TLS.
    TlsAnswer,
    /// Forwarding.
    Relay,
    /// Nothing is left but to send the client what it was told last.
    Closing,
}

/// A client and its server.
#[derive(Debug)]
pub(super) struct Link {
    id: u64,
    pub(super) client: End,
    pub(super) server: Option<End>,
    phase: Phase,
    /// The client's bytes that were not forwarded yet.
    head: Vec<u8>,
    /// A cancel request, of which the observer learns nothing.
    is_cancel: bool,
    login: Option<Login>,
    /// In the order in which the client's bytes pass them.
    replacers: Vec<Replacer>,
    slow_wire: Option<SlowWire>,
}

impl Link {
    pub(super) fn new(id: u64, client: End, shared: &Arc<Shared>) -> Self {
        let faults = shared.faults.as_ref().map(|state| Replacer::new(Box::new(state.clone())));
        let asker = || Replacer::new(Box::new(Asker::new(shared.clone(), id)));
        let findings = shared.answers_findings.then(asker);
        Self {
            id,
            client,
            server: None,
            phase: Phase::Head,
            head: Vec::new(),
            is_cancel: false,
            login: None,
            replacers: faults.into_iter().chain(findings).collect(),
            slow_wire: shared.delay.map(SlowWire::new),
        }
    }

    /// Does what can be done now. False once the link is over.
    pub(super) fn drive(&mut self, around: &mut Surroundings<'_>) -> bool {
        self.advance(around) && self.watch(around).is_ok()
    }

    /// Has the system tell when what could not be done now can.
    fn watch(&mut self, around: &Surroundings<'_>) -> io::Result<()> {
        self.client.watch(around.registry, around.client_token, false)?;
        let is_connecting = self.phase == Phase::Connecting;
        match &mut self.server {
            Some(server) => server.watch(around.registry, around.server_token, is_connecting),
            None => Ok(()),
        }
    }

    /// False once the link is over.
    fn advance(&mut self, around: &mut Surroundings<'_>) -> bool {
        if self.phase == Phase::Head && !self.read_head(around) {
            return false;
        }
        if self.phase == Phase::Connecting {
            self.connect(around);
        }
        if self.phase == Phase::TlsAnswer {
            self.read_tls_answer(around);
        }
        match self.phase {
            Phase::Relay => self.relay(around),
            Phase::Closing => self.close_when_sent(),
            _ => !(self.client.is_ended && self.phase == Phase::Head),
        }
    }

    /// Gives the sockets back and tells the observer.
    pub(super) fn end(&mut self, around: &mut Surroundings<'_>) {
        self.client.flush();
        self.client.shut();
        self.client.stream.deregister(around.registry);
        if let Some(server) = &mut self.server {
            server.flush();
            server.shut();
            server.stream.deregister(around.registry);
        }
        around.shared.observe(self.id, Event::Closed, &[]);
    }

    /// Reads untagged packets until one says what the client wants.
    fn read_head(&mut self, around: &mut Surroundings<'_>) -> bool {
        loop {
            if !self.client.flush() {
                return true;
            }
            if self.head.first() == Some(&TLS_HANDSHAKE) && !self.client.stream.is_tls() {
                if !self.start_client_tls(around) {
                    return false;
                }
                continue;
            }
            if let Some(length) = packet_length(&self.head) {
                if !(8..=STARTUP_BYTES_MAX as usize + 4).contains(&length) {
                    return false;
                }
                if self.head.len() >= length {
                    match StartupPacket::decode(&self.head[4..length]) {
                        Some(StartupPacket::SslRequest) => {
                            self.head.drain(..length);
                            if !self.answer_ssl_request(around) {
                                return false;
                            }
                            continue;
                        }
                        Some(StartupPacket::GssEncryptionRequest) => {
                            self.head.drain(..length);
                            self.client.send(b"N");
                            continue;
                        }
                        Some(StartupPacket::Cancel(_)) => self.is_cancel = true,
                        Some(StartupPacket::Startup(_)) => {}
                        None => return false,
                    }
                    self.begin_to_connect(around);
                    return true;
                }
            }
            let Some(count) = self.client.read(around.buffer) else {
                return true;
            };
            self.head.extend_from_slice(&around.buffer[..count]);
        }
    }

    /// Answers a request for TLS, and begins it where it is offered. False
    /// where the client did not wait for the answer: what it sent may be an
    /// attacker's, injected in front of the encrypted session.
    fn answer_ssl_request(&mut self, around: &mut Surroundings<'_>) -> bool {
        if around.shared.offer.is_none() || self.client.stream.is_tls() {
            self.client.send(b"N");
            return true;
        }
        if !self.head.is_empty() {
            return false;
        }
        self.client.send(b"S");
        self.start_client_tls(around)
    }

    fn start_client_tls(&mut self, around: &mut Surroundings<'_>) -> bool {
        let Some(offer) = &around.shared.offer else {
            return false;
        };
        let Ok(connection) = ServerConnection::new(offer.config.clone()) else {
            return false;
        };
        self.client.stream.start_tls(connection, std::mem::take(&mut self.head));
        self.client.is_readable = true;
        true
    }

    fn begin_to_connect(&mut self, around: &mut Surroundings<'_>) {
        let connected = around.shared.upstream.address.connect().and_then(|mut stream| {
            stream.register(around.registry, around.server_token, READ_AND_WRITE)?;
            Ok(stream)
        });
        match connected {
            Ok(stream) => {
                let mut server = End::new(stream, true);
                server.is_readable = false;
                self.server = Some(server);
                self.phase = Phase::Connecting;
            }
            Err(error) => self.refuse_unreachable(around, &error),
        }
    }

    fn connect(&mut self, around: &mut Surroundings<'_>) {
        let Some(server) = &mut self.server else {
            return;
        };
        match server.stream.is_connected() {
            Ok(false) => {}
            Ok(true) if around.shared.upstream.tls.is_some() => {
                server.send(&encode::SSL_REQUEST);
                server.is_readable = true;
                self.phase = Phase::TlsAnswer;
            }
            Ok(true) => self.begin_relay(around),
            Err(error) => self.refuse_unreachable(around, &error),
        }
    }

    fn read_tls_answer(&mut self, around: &mut Surroundings<'_>) {
        let (Some(server), Some(tls)) = (&mut self.server, &around.shared.upstream.tls) else {
            return;
        };
        let mut answer = [0];
        server.flush();
        let Some(1) = server.read(&mut answer) else {
            if server.is_ended {
                self.refuse(around, "08006", "the server closed the connection when asked for TLS", "");
            }
            return;
        };
        match answer[0] {
            b'S' => match ClientConnection::new(tls.config.clone(), tls.name.clone()) {
                Ok(connection) => {
                    server.stream.start_tls(connection, Vec::new());
                    server.is_readable = true;
                    self.login = Some(Login::new(self.client.stream.is_tls()));
                    self.begin_relay(around);
                }
                Err(error) => self.refuse(around, "08006", &format!("TLS to the server failed: {error}"), ""),
            },
            b'N' if !tls.required => {
                server.is_readable = true;
                self.begin_relay(around);
            }
            _ => self.refuse(
                around,
                "08006",
                "the server does not support TLS, but sslmode of the proxy's URL asks for it",
                "Use sslmode=prefer or sslmode=disable in the server's URL.",
            ),
        }
    }

    fn begin_relay(&mut self, around: &mut Surroundings<'_>) {
        self.phase = Phase::Relay;
        if let Some(server) = &mut self.server {
            server.is_readable = true;
        }
        if !self.is_cancel {
            around.shared.observe(self.id, Event::Connected, &[]);
        }
        let head = std::mem::take(&mut self.head);
        self.client_sent(&head, around);
    }

    /// Forwards in both directions. False once both ends are done.
    fn relay(&mut self, around: &mut Surroundings<'_>) -> bool {
        around.has_more |= self.relay_to_server(around);
        if self.phase == Phase::Closing {
            return self.close_when_sent();
        }
        around.has_more |= self.relay_to_client(around);
        if self.phase == Phase::Closing {
            return self.close_when_sent();
        }
        let Some(server) = &mut self.server else {
            return false;
        };
        if self.client.is_deaf {
            return false;
        }
        if self.client.is_ended && self.slow_wire.as_ref().is_none_or(SlowWire::is_empty) && server.flush() {
            server.shut();
        }
        !(server.is_ended && self.client.flush())
    }

    /// True where there may be more to read.
    fn relay_to_server(&mut self, around: &mut Surroundings<'_>) -> bool {
        self.deliver_delayed();
        for _ in 0..READS_PER_TURN {
            let Some(server) = &mut self.server else {
                return false;
            };
            if server.is_held && !self.client.may_have_bytes() {
                return false;
            }
            if !server.flush() || self.slow_wire.as_ref().is_some_and(|wire| !wire.has_room()) {
                return false;
            }
            let Some(count) = self.client.read(around.buffer) else {
                return false;
            };
            if self.login.is_none() && self.replacers.is_empty() && self.slow_wire.is_none() {
                let at_us = around.shared.now_us();
                send_or_hold(server, &around.buffer[..count], around.server_token, &mut around.held);
                around.shared.observe_at(self.id, Event::Client, at_us, &around.buffer[..count]);
            } else {
                let bytes = around.buffer[..count].to_vec();
                self.client_sent(&bytes, around);
                if self.phase == Phase::Closing {
                    return false;
                }
            }
        }
        true
    }

    /// True where there may be more to read.
    fn relay_to_client(&mut self, around: &mut Surroundings<'_>) -> bool {
        for _ in 0..READS_PER_TURN {
            let Some(server) = &mut self.server else {
                return false;
            };
            if self.client.is_held && !server.may_have_bytes() {
                return false;
            }
            if !self.client.flush() {
                return false;
            }
            let Some(count) = server.read(around.buffer) else {
                if let Some(failure) = server.failure.take().filter(|_| self.login.is_some()) {
                    let text = format!("TLS to the server failed: {failure}");
                    self.refuse(
                        around,
                        "08006",
                        &text,
                        "sslmode and sslrootcert of the server's URL decide.",
                    );
                }
                return false;
            };
            let bytes = &around.buffer[..count];
            let at_us = around.shared.now_us();
            if self.login.is_none() && self.replacers.is_empty() {
                send_or_hold(&mut self.client, bytes, around.client_token, &mut around.held);
                self.observe_server(around.shared, at_us, bytes);
                continue;
            }
            let mut out = bytes.to_vec();
            if let Some(login) = &mut self.login {
                let bytes = std::mem::take(&mut out);
                login.server(&bytes, &mut out);
                if login.is_over() {
                    self.login = None;
                }
            }
            for replacer in self.replacers.iter_mut().rev() {
                let bytes = std::mem::take(&mut out);
                replacer.server(&bytes, &mut out);
            }
            self.client.send(&out);
            self.observe_server(around.shared, at_us, &out);
        }
        true
    }

    fn observe_server(&self, shared: &Shared, at_us: u64, bytes: &[u8]) {
        if !self.is_cancel {
            shared.observe_at(self.id, Event::Server, at_us, bytes);
        }
    }

    /// The way of a client's bytes where something looks at them or holds them back.
    fn client_sent(&mut self, bytes: &[u8], around: &mut Surroundings<'_>) {
        let at_us = around.shared.now_us();
        let mut out = bytes.to_vec();
        if let Some(login) = &mut self.login {
            let offered = around.shared.offer.as_ref().map(|offer| offer.certificate.as_ref());
            let shown = self.server.as_ref().and_then(|server| server.stream.peer_certificate());
            let is_same_certificate = offered.is_some() && offered == shown;
            let bytes = std::mem::take(&mut out);
            if !login.client(&bytes, is_same_certificate, &mut out) {
                self.refuse(around, "28000", sasl::REFUSAL, sasl::REFUSAL_HINT);
                return;
            }
        }
        // Before anything is replaced: what a question asks about is complete then.
        if !self.is_cancel {
            around.shared.observe_at(self.id, Event::Client, at_us, &out);
            for replacer in &mut self.replacers {
                let bytes = std::mem::take(&mut out);
                replacer.client(&bytes, &mut out);
            }
        }
        match (&mut self.slow_wire, &mut self.server) {
            (Some(wire), _) => {
                let due = wire.put(clock::now(), out);
                around.wake_at = Some(due);
            }
            (None, Some(server)) => server.send(&out),
            (None, None) => {}
        }
    }

    fn deliver_delayed(&mut self) {
        let (Some(wire), Some(server)) = (&mut self.slow_wire, &mut self.server) else {
            return;
        };
        let now = clock::now();
        while server.flush() {
            let Some(bytes) = wire.arrived(now) else {
                return;
            };
            server.send(&bytes);
        }
    }

    fn refuse_unreachable(&mut self, around: &Surroundings<'_>, error: &io::Error) {
        let address = &around.shared.upstream.address;
        let text = format!("could not connect to the server at {address}: {error}");
        self.refuse(around, "08001", &text, "Is the server still running?");
    }

    /// Tells the client why, in the server's manner, and ends.
    fn refuse(&mut self, around: &Surroundings<'_>, sqlstate: &str, text: &str, hint: &str) {
        around.shared.refused.fetch_add(1, Ordering::Relaxed);
        let mut message = Vec::new();
        encode::fatal_error(&mut message, sqlstate, &format!("plimsoll: {text}"), hint);
        if !self.is_cancel {
            around.shared.observe(self.id, Event::Refused, text.as_bytes());
            self.client.send(&message);
        }
        self.phase = Phase::Closing;
    }

    fn close_when_sent(&mut self) -> bool {
        !self.client.flush()
    }
}

/// Sends now, or with the thread's next burst.
fn send_or_hold(end: &mut End, bytes: &[u8], token: Token, held: &mut Option<&mut Vec<Token>>) {
    match held {
        Some(held) if end.hold(bytes) => held.push(token),
        _ => end.send(bytes),
    }
}

/// The length an untagged packet claims, its length word included.
fn packet_length(bytes: &[u8]) -> Option<usize> {
    let word = bytes.get(..4)?.try_into().ok()?;
    Some(u32::from_be_bytes(word) as usize)
}
