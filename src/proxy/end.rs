//! One end of a relayed connection: its stream and what is still to be sent
//! on it. What waits is bounded by one read, as nothing more is read from the
//! other end until it is gone.

use super::stream::Stream;
use mio::{Interest, Registry, Token};
use std::io;

/// What the system is to tell where a write waits.
pub(super) const READ_AND_WRITE: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// A stream with its readiness and its unsent bytes.
#[derive(Debug)]
pub(super) struct End {
    pub(super) stream: Stream,
    /// The system tells when it takes bytes again.
    is_write_watched: bool,
    unsent: Vec<u8>,
    sent: usize,
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
            is_readable: true,
            is_ending: false,
            is_ended: false,
            failure: None,
            is_deaf: false,
            is_shut: false,
        }
    }

    /// The system says that there may be something to read, or the end.
    pub(super) fn mark_readable(&mut self, is_ending: bool) {
        self.is_readable = true;
        self.is_ending |= is_ending;
    }

    /// Reads into `buffer`; `None` where there is nothing now or ever again.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Option<usize> {
        if !self.is_readable || self.is_ended {
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

    /// Sends what was kept; true once nothing is left.
    pub(super) fn flush(&mut self) -> bool {
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
        let is_waiting = !self.is_deaf && (!self.unsent.is_empty() || self.stream.holds_back());
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
