//! One end of a relayed connection: its stream and what is still to be sent
//! on it. What waits is bounded by one read, as nothing more is read from the
//! other end until it is gone.

use super::burst::Piece;
use super::stream::Stream;
use mio::{Interest, Registry, Token};
use std::io;

/// What the system is to tell where a write waits.
pub(super) const READ_AND_WRITE: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// The longest bytes that are held for a burst; copying more costs more than a call of its own.
const HELD_BYTES_MAX: usize = 4096;

/// A stream with its readiness and its unsent bytes.
#[derive(Debug)]
pub(super) struct End {
    pub(super) stream: Stream,
    /// The system tells when it takes bytes again.
    is_write_watched: bool,
    unsent: Vec<u8>,
    sent: usize,
    /// What is unsent goes out with the thread's next burst.
    pub(super) is_held: bool,
    /// The system may have bytes for us.
    pub(super) is_readable: bool,
    /// The system has told that the stream's end is on its way. It tells only
    /// once, so a short read does not mean that nothing is left.
    is_ending: bool,
    /// The peer has ended its side.
    pub(super) is_ended: bool,
    /// Why the peer's side ended, where that was an error.
    pub(super) failure: Option<io::Error>,
    /// The peer takes nothing any more; what is sent is dropped.
    pub(super) is_deaf: bool,
    /// We have ended our side.
    is_shut: bool,
}

impl End {
    /// Of a stream that is registered, with interest in writing where `is_write_watched`.
    pub(super) fn new(stream: Stream, is_write_watched: bool) -> Self {
        Self {
            stream,
            is_write_watched,
            unsent: Vec::new(),
            sent: 0,
            is_held: false,
            is_readable: true,
            is_ending: false,
            is_ended: false,
            failure: None,
            is_deaf: false,
            is_shut: false,
        }
    }

    /// Whether there may be something to read.
    pub(super) fn may_have_bytes(&self) -> bool {
        self.is_readable && !self.is_ended
    }

    /// The system says that there may be something to read, or the end.
    pub(super) fn mark_readable(&mut self, is_ending: bool) {
        self.is_readable = true;
        self.is_ending |= is_ending;
    }

    /// Reads into `buffer`; `None` where there is nothing now or ever again.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Option<usize> {
        if !self.may_have_bytes() {
            return None;
        }
        loop {
            match self.stream.read(buffer) {
                Ok(0) => {
                    self.is_ended = true;
                    return None;
                }
                Ok(count) => {
                    // A short read drained an edge-triggered socket; TLS may hold more.
                    self.is_readable = count == buffer.len() || self.is_ending || self.stream.is_tls();
                    return Some(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.is_readable = false;
                    return None;
                }
                Err(error) => {
                    self.is_ended = true;
                    self.failure = Some(error);
                    return None;
                }
            }
        }
    }

    /// Sends, or keeps what cannot be sent now.
    pub(super) fn send(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while self.unsent.is_empty() && !rest.is_empty() && !self.is_deaf {
            match self.stream.write(rest) {
                Ok(count) => rest = &rest[count..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => self.is_deaf = true,
            }
        }
        if !self.is_deaf {
            self.unsent.extend_from_slice(rest);
        }
    }

    /// Keeps bytes for the thread's next burst; false where they have to be sent by themselves.
    pub(super) fn hold(&mut self, bytes: &[u8]) -> bool {
        let is_behind_others = !self.unsent.is_empty() && !self.is_held;
        if is_behind_others || bytes.len() > HELD_BYTES_MAX || self.is_deaf || self.stream.is_tls() {
            return false;
        }
        self.unsent.extend_from_slice(bytes);
        self.is_held = true;
        true
    }

    /// Whether there is something for the burst, which is held no longer.
    pub(super) fn release(&mut self) -> bool {
        std::mem::take(&mut self.is_held) && !self.unsent.is_empty() && !self.is_deaf
    }

    /// What is unsent, for a burst.
    pub(super) fn piece(&self) -> Piece<'_> {
        Piece { socket: self.stream.socket(), bytes: &self.unsent[self.sent..] }
    }

    /// Takes what became of the piece in a burst; true where all of it was sent.
    pub(super) fn take_result(&mut self, result: &io::Result<usize>) -> bool {
        match result {
            Ok(count) => self.sent += count,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(_) => self.is_deaf = true,
        }
        if self.sent < self.unsent.len() {
            return false;
        }
        self.unsent.clear();
        self.sent = 0;
        true
    }

    /// Sends what was kept; true once nothing is left.
    pub(super) fn flush(&mut self) -> bool {
        self.is_held = false;
        if self.unsent.is_empty() && !self.stream.is_tls() || self.is_deaf {
            return true;
        }
        while self.sent < self.unsent.len() {
            match self.stream.write(&self.unsent[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(_) => {
                    self.is_deaf = true;
                    return true;
                }
            }
        }
        self.unsent.clear();
        self.sent = 0;
        match self.stream.flush() {
            Ok(is_done) => is_done,
            Err(_) => {
                self.is_deaf = true;
                true
            }
        }
    }

    /// Watches for room to write only while there is something to write. A Unix
    /// socket tells of room whenever its peer takes a message, which would wake
    /// the thread once more for every statement.
    pub(super) fn watch(&mut self, registry: &Registry, token: Token, is_connecting: bool) -> io::Result<()> {
        let is_blocked = !self.unsent.is_empty() && !self.is_held;
        let is_waiting = !self.is_deaf && (is_blocked || self.stream.holds_back());
        let wants_write = is_connecting || is_waiting;
        if wants_write == self.is_write_watched {
            return Ok(());
        }
        self.is_write_watched = wants_write;
        let interest = if wants_write { READ_AND_WRITE } else { Interest::READABLE };
        self.stream.reregister(registry, token, interest)
    }

    /// Ends our side, once.
    pub(super) fn shut(&mut self) {
        if !self.is_shut {
            self.is_shut = true;
            self.stream.shutdown_write();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{End, HELD_BYTES_MAX};
    use crate::proxy::stream::Stream;
    use std::io::{self, ErrorKind, Read};
    use std::os::unix::net::UnixStream;

    fn end_and_peer() -> (End, UnixStream) {
        let (ours, peers) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        peers.set_nonblocking(true).unwrap();
        (End::new(Stream::unix(mio::net::UnixStream::from_std(ours)), false), peers)
    }

    fn arrived(peers: &mut UnixStream) -> Vec<u8> {
        let mut bytes = Vec::new();
        assert_eq!(peers.read_to_end(&mut bytes).unwrap_err().kind(), ErrorKind::WouldBlock);
        bytes
    }

    #[test]
    fn what_comes_behind_held_bytes_stays_behind_them() {
        let (mut end, mut peers) = end_and_peer();
        assert!(end.hold(b"one "));
        end.send(b"two ");
        assert!(end.hold(b"three"));
        assert_eq!(arrived(&mut peers), b"", "held until somebody sends it");
        assert!(end.flush());
        assert_eq!(arrived(&mut peers), b"one two three");
        assert!(!end.release(), "nothing is left for a burst");
        assert!(!end.hold(&[0; HELD_BYTES_MAX + 1]), "long ones go by themselves");
    }

    #[test]
    fn what_a_burst_left_is_sent_on_and_nothing_twice() {
        let (mut end, mut peers) = end_and_peer();
        for (result, is_sent, rest) in [
            (Ok(5), false, " burst".as_bytes()),
            (Err(io::Error::from(ErrorKind::WouldBlock)), false, b"whole burst"),
            (Ok(11), true, b""),
        ] {
            assert!(end.hold(b"whole burst"));
            assert!(end.release() && !end.release(), "one burst takes it, once");
            assert_eq!(end.piece().bytes, b"whole burst");
            assert_eq!(end.take_result(&result), is_sent);
            assert!(is_sent || !end.hold(b"more"), "not in front of what waits");
            assert!(end.flush());
            assert_eq!(arrived(&mut peers), rest);
        }
        assert!(end.hold(b"gone"));
        assert!(end.release());
        assert!(!end.take_result(&Err(ErrorKind::BrokenPipe.into())));
        assert!(end.is_deaf && end.flush() && !end.hold(b"more"));
    }
}
