//! Cuts a byte stream into frames, however the stream was split on its way.
//!
//! A frame that arrives whole is lent from the input without a copy; one that
//! arrives in pieces is assembled up to the kept bound, and the rest of its
//! body is skipped by its length. Invariant: the frames do not depend on how
//! the stream was split.

/// The tag given to start-up packets, which have none on the wire.
pub const STARTUP_TAG: u8 = 0;

/// The largest start-up packet a server accepts, in bytes.
pub const STARTUP_BYTES_MAX: u32 = 10_000;

/// How much of a body is kept when nothing else is asked for, in bytes.
pub const KEPT_BYTES_DEFAULT: usize = 256 * 1024;

/// A carry buffer larger than this is given back after use, in bytes.
const CARRY_BYTES_RETAINED: usize = 16 * 1024;

/// One message of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The type byte; [`STARTUP_TAG`] for a start-up packet.
    pub tag: u8,
    /// The body after the length word: all of it, or its first bytes where it
    /// is larger than the kept bound.
    pub body: &'a [u8],
    /// How many bytes the body has on the wire.
    pub body_bytes: u32,
}

impl Frame<'_> {
    /// Whether the body is longer than what was kept.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.body.len() < self.body_bytes as usize
    }

    /// How many bytes the message takes on the wire, tag and length included.
    #[must_use]
    pub fn wire_bytes(&self) -> u64 {
        u64::from(self.body_bytes) + if self.tag == STARTUP_TAG { 4 } else { 5 }
    }
}

/// A length word that no PostgreSQL message can have: the stream is not one of
/// the protocol's, or we lost our place in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("message type {tag:#04x} claims a length of {length} bytes")]
pub struct FrameError {
    /// The type byte in front of the length.
    pub tag: u8,
    /// The length as it was on the wire.
    pub length: i32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Packets without a type byte, until the session's start-up message.
    Startup,
    /// Messages with a type byte.
    Typed,
    /// The stream broke the protocol: the error is repeated for ever.
    Broken(FrameError),
}

/// An incremental frame splitter for one direction of one connection.
#[derive(Debug)]
pub struct Splitter {
    phase: Phase,
    kept_bytes: usize,
    header: [u8; 5],
    header_len: usize,
    carry: Vec<u8>,
    /// Bytes of the current body not seen yet; meaningful once the header is whole.
    missing: usize,
    body_bytes: u32,
    /// The carry buffer was lent with the last frame and is free again.
    lent: bool,
}

impl Splitter {
    /// For what a client sends from the first byte on.
    #[must_use]
    pub fn frontend(kept_bytes: usize) -> Self {
        Self::new(Phase::Startup, kept_bytes)
    }

    /// For what a server sends (after the single-byte answers to encryption
    /// requests, which are no messages), and for a client after its start-up.
    #[must_use]
    pub fn typed(kept_bytes: usize) -> Self {
        Self::new(Phase::Typed, kept_bytes)
    }

    fn new(phase: Phase, kept_bytes: usize) -> Self {
        Self {
            phase,
            kept_bytes,
            header: [0; 5],
            header_len: 0,
            carry: Vec::new(),
            missing: 0,
            body_bytes: 0,
            lent: false,
        }
    }

    /// The next frame of `input`, which is advanced past what was used.
    /// `Ok(None)` means that more bytes are needed; `input` is empty then.
    ///
    /// # Errors
    /// A length that no message can have. The splitter then stays broken.
    pub fn next<'f, 'i: 'f>(&'f mut self, input: &mut &'i [u8]) -> Result<Option<Frame<'f>>, FrameError> {
        if self.lent {
            self.release();
        }
        if let Phase::Broken(error) = self.phase {
            *input = &[];
            return Err(error);
        }
        if !self.header_is_whole() && !self.read_header(input)? {
            return Ok(None);
        }
        if self.carry.is_empty() && self.missing == self.body_bytes as usize && input.len() >= self.missing {
            let (whole, rest) = input.split_at(self.missing);
            *input = rest;
            let tag = self.finish(whole);
            let kept = whole.len().min(self.kept_bytes);
            return Ok(Some(Frame { tag, body: &whole[..kept], body_bytes: self.body_bytes }));
        }
        let taken = input.len().min(self.missing);
        let (piece, rest) = input.split_at(taken);
        *input = rest;
        self.missing -= taken;
        let room = self.kept_bytes.saturating_sub(self.carry.len());
        self.carry.extend_from_slice(&piece[..taken.min(room)]);
        if self.missing > 0 {
            return Ok(None);
        }
        self.lent = true;
        let carry = std::mem::take(&mut self.carry);
        let tag = self.finish(&carry);
        self.carry = carry;
        Ok(Some(Frame { tag, body: &self.carry, body_bytes: self.body_bytes }))
    }

    /// Memory held for a message that is still arriving, in bytes.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.carry.capacity()
    }

    fn header_bytes(&self) -> usize {
        if self.phase == Phase::Startup { 4 } else { 5 }
    }

    fn header_is_whole(&self) -> bool {
        self.header_len == self.header_bytes()
    }

    /// Reads what there is of the header; true once it is whole.
    fn read_header(&mut self, input: &mut &[u8]) -> Result<bool, FrameError> {
        let wanted = self.header_bytes();
        let taken = input.len().min(wanted - self.header_len);
        let (piece, rest) = input.split_at(taken);
        *input = rest;
        self.header[self.header_len..self.header_len + taken].copy_from_slice(piece);
        self.header_len += taken;
        if self.header_len < wanted {
            return Ok(false);
        }
        let offset = wanted - 4;
        let length = i32::from_be_bytes([
            self.header[offset],
            self.header[offset + 1],
            self.header[offset + 2],
            self.header[offset + 3],
        ]);
        let body_bytes = u32::try_from(length).ok().and_then(|length| length.checked_sub(4));
        match body_bytes {
            Some(bytes) if self.phase == Phase::Typed || bytes <= STARTUP_BYTES_MAX => {
                self.body_bytes = bytes;
                self.missing = bytes as usize;
                Ok(true)
            }
            _ => {
                let tag = if self.phase == Phase::Startup { STARTUP_TAG } else { self.header[0] };
                let error = FrameError { tag, length };
                self.phase = Phase::Broken(error);
                *input = &[];
                Err(error)
            }
        }
    }

    /// Makes ready for the next header, and returns the finished frame's tag.
    fn finish(&mut self, body: &[u8]) -> u8 {
        self.header_len = 0;
        self.missing = 0;
        if self.phase != Phase::Startup {
            return self.header[0];
        }
        if !super::startup::expects_another_packet(body) {
            self.phase = Phase::Typed;
        }
        STARTUP_TAG
    }

    fn release(&mut self) {
        self.lent = false;
        if self.carry.capacity() > CARRY_BYTES_RETAINED {
            self.carry = Vec::new();
        } else {
            self.carry.clear();
        }
    }
}
