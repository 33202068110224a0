//! What the server answers: frames skipped by their length, rows and bytes
//! counted, never decoded.

use super::error::{Error, ServerError};
use super::stream::Stream;
use crate::wire::{BackendMessage, Frame, Splitter, TransactionStatus};
use std::io::{self, Read};
use std::time::Duration;
use xxhash_rust::xxh3::xxh3_64;

/// The one receive buffer of a connection, in bytes.
const INBOX_BYTES: usize = 64 * 1024;

/// What one execution came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Execution {
    /// From before the request was sent until the server was ready again.
    pub latency: Duration,
    /// Rows returned, or changed by a statement that returns none.
    pub rows: u64,
    /// Bytes of result rows on the wire.
    pub result_bytes: u64,
    /// A hash of the result rows whatever their order; 0 where none was asked for.
    pub result_hash: u64,
    /// The state the transaction is in now.
    pub transaction: TransactionStatus,
}

/// What a reply adds up to, before its time is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reply {
    pub(super) rows: u64,
    pub(super) result_bytes: u64,
    pub(super) result_hash: u64,
    pub(super) transaction: TransactionStatus,
}

/// Receive buffer and frame splitter of a connection.
pub(super) struct Inbox {
    splitter: Splitter,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Inbox {
    pub(super) fn new() -> Self {
        Self {
            splitter: Splitter::typed(INBOX_BYTES),
            buffer: vec![0; INBOX_BYTES].into_boxed_slice(),
            start: 0,
            end: 0,
        }
    }

    /// The next message, given to `read` together with its body.
    pub(super) fn next<T>(
        &mut self,
        stream: &mut Stream,
        read: impl FnOnce(&BackendMessage<'_>, &[u8]) -> T,
    ) -> Result<T, Error> {
        loop {
            let mut input = &self.buffer[self.start..self.end];
            let frame = self.splitter.next(&mut input).map_err(|error| Error::Protocol(error.to_string()))?;
            self.start = self.end - input.len();
            if let Some(frame) = frame {
                return Ok(read(&BackendMessage::decode(&frame), frame.body));
            }
            self.fill(stream)?;
        }
    }

    /// Reads up to the next readiness. An error of the server is returned after
    /// the readiness that follows it, so the connection can go on.
    pub(super) fn read_reply(&mut self, stream: &mut Stream, hash: bool) -> Result<Reply, Error> {
        let mut reply =
            Reply { rows: 0, result_bytes: 0, result_hash: 0, transaction: TransactionStatus::Idle };
        let mut failure = None;
        loop {
            let mut input = &self.buffer[self.start..self.end];
            loop {
                let frame =
                    self.splitter.next(&mut input).map_err(|error| Error::Protocol(error.to_string()))?;
                let Some(frame) = frame else { break };
                if reply.take(&frame, hash, &mut failure)? {
                    self.start = self.end - input.len();
                    return failure.map_or(Ok(reply), |error| Err(Error::Server(Box::new(error))));
                }
            }
            self.start = self.end;
            self.fill(stream)?;
        }
    }

    fn fill(&mut self, stream: &mut Stream) -> Result<(), Error> {
        loop {
            match stream.read(&mut self.buffer) {
                Ok(0) => return Err(Error::Connection(io::ErrorKind::UnexpectedEof.into())),
                Ok(count) => {
                    (self.start, self.end) = (0, count);
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Err(Error::Connection(io::Error::new(
                        io::ErrorKind::TimedOut,
                        "the server stayed silent for too long",
                    )));
                }
                Err(error) => return Err(Error::Connection(error)),
            }
        }
    }
}

impl Reply {
    /// Takes a frame in; true at readiness.
    fn take(
        &mut self,
        frame: &Frame<'_>,
        hash: bool,
        failure: &mut Option<ServerError>,
    ) -> Result<bool, Error> {
        match frame.tag {
            b'D' => {
                self.rows += 1;
                self.result_bytes += frame.wire_bytes();
                if hash {
                    // A sum does not depend on the order; equal rows still count each.
                    self.result_hash = self.result_hash.wrapping_add(xxh3_64(frame.body));
                }
            }
            b'C' => {
                // Rows counted on their way are exact; the tag serves statements that return none.
                if let (0, BackendMessage::CommandComplete(end)) = (self.rows, BackendMessage::decode(frame))
                {
                    self.rows = end.rows().unwrap_or(0);
                }
            }
            b'Z' => {
                if let BackendMessage::ReadyForQuery(ready) = BackendMessage::decode(frame) {
                    self.transaction = ready.status;
                }
                return Ok(true);
            }
            b'E' => {
                if let BackendMessage::ErrorResponse(response) = BackendMessage::decode(frame) {
                    failure.get_or_insert_with(|| ServerError::of(&response));
                }
            }
            b'G' | b'H' | b'W' => {
                return Err(Error::Unsupported("COPY cannot be measured as a query".into()));
            }
            _ => {}
        }
        Ok(false)
    }
}

impl Inbox {
    /// Reads the reply to a Parse and a Describe: how many parameters there are.
    pub(super) fn read_parameter_count(&mut self, stream: &mut Stream) -> Result<usize, Error> {
        enum Part {
            ParameterCount(usize),
            Failed(ServerError),
            Ready,
            Other,
        }
        let mut outcome = Ok(0);
        loop {
            let part = self.next(stream, |message, _| match message {
                BackendMessage::ParameterDescription(parameters) => {
                    Part::ParameterCount(parameters.types().count())
                }
                BackendMessage::ErrorResponse(response) => Part::Failed(ServerError::of(response)),
                BackendMessage::ReadyForQuery(_) => Part::Ready,
                _ => Part::Other,
            })?;
            match part {
                Part::Ready => return outcome,
                Part::Failed(error) => outcome = Err(Error::Server(Box::new(error))),
                Part::ParameterCount(count) => outcome = outcome.and(Ok(count)),
                Part::Other => {}
            }
        }
    }
}
