//! The trace file: a magic, a version, a header, then blocks.
//!
//! ```text
//! "PLMSTRC" 0x1a | version u16 | header length u32 | header
//! block*: compressed length u32 | plain length u32 | LZ4 of the plain bytes
//! plain:  (length varint | event)*
//! ```
//! Little-endian throughout. Each block stands alone; writing and reading hold
//! one block at a time. A file whose last block is cut, or that lacks the end
//! event, is read as far as it goes and says so.

use super::codec::{Input, Output, ReadTables, WrittenTables, read_event, write_event};
use super::model::{Bounds, Header, MEMORY_BYTES_MAX, RefusedBy, Trace, TraceEvent};
use std::io::{self, Read, Write};
use std::path::Path;

const MAGIC: &[u8; 8] = b"PLMSTRC\x1a";
const VERSION: u16 = 1;
/// A block is written out once its plain bytes reach this size.
const BLOCK_BYTES: usize = 256 * 1024;
/// No block is larger: one event at the default bounds stays far below.
const MAX_BLOCK_BYTES: usize = 64 * 1024 * 1024;

/// Why a trace file could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum TraceFileError {
    /// The file system said no.
    #[error("trace file: {0}")]
    Io(#[from] io::Error),
    /// Not one of our files.
    #[error("not a Plimsoll trace file: it does not start with the trace magic")]
    NotATrace,
    /// Written by another version.
    #[error("trace file of version {0}, this Plimsoll reads version {VERSION}: record it again")]
    Version(u16),
    /// The bytes make no sense.
    #[error("damaged trace file: block {block}: {problem}")]
    Malformed {
        /// One-based; 0 for the header.
        block: u64,
        /// What is wrong.
        problem: &'static str,
    },
}

/// Writes events as they come; memory is one block.
#[derive(Debug)]
pub struct Writer<W: Write> {
    inner: W,
    plain: Output,
    event: Output,
    tables: WrittenTables,
}

impl<W: Write> Writer<W> {
    /// Starts a file.
    pub fn new(mut inner: W, header: &Header) -> Result<Self, TraceFileError> {
        let mut output = Output::default();
        output.fixed(header.hash_key_id);
        output.fixed(header.started_at_us.cast_unsigned());
        output.text(&header.source);
        for bound in [
            u64::from(header.bounds.shape_bytes),
            u64::from(header.bounds.values_per_result),
            u64::from(header.bounds.columns),
            u64::from(header.bounds.elements_per_argument),
        ] {
            output.number(bound);
        }
        inner.write_all(MAGIC)?;
        inner.write_all(&VERSION.to_le_bytes())?;
        inner.write_all(&length_of(&output.bytes)?)?;
        inner.write_all(&output.bytes)?;
        Ok(Self {
            inner,
            plain: Output::default(),
            event: Output::default(),
            tables: WrittenTables::default(),
        })
    }

    /// Appends one event.
    pub fn write(&mut self, event: &TraceEvent) -> Result<(), TraceFileError> {
        self.event.bytes.clear();
        write_event(event, &mut self.tables, &mut self.event);
        self.plain.number(self.event.bytes.len() as u64);
        self.plain.bytes.extend_from_slice(&self.event.bytes);
        if self.plain.bytes.len() >= BLOCK_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    /// Writes out what is buffered as a block of its own.
    pub fn flush(&mut self) -> Result<(), TraceFileError> {
        if !self.plain.bytes.is_empty() {
            let compressed = lz4_flex::block::compress(&self.plain.bytes);
            self.inner.write_all(&length_of(&compressed)?)?;
            self.inner.write_all(&length_of(&self.plain.bytes)?)?;
            self.inner.write_all(&compressed)?;
            self.plain.bytes.clear();
            self.tables = WrittenTables::default();
        }
        self.inner.flush()?;
        Ok(())
    }

    /// Ends the trace in order.
    pub fn finish(mut self) -> Result<W, TraceFileError> {
        self.write(&TraceEvent::End)?;
        self.flush()?;
        Ok(self.inner)
    }
}

fn length_of(bytes: &[u8]) -> Result<[u8; 4], TraceFileError> {
    let length = u32::try_from(bytes.len()).map_err(|_| io::Error::other("a block is larger than 4 GiB"))?;
    Ok(length.to_le_bytes())
}

/// Reads events as they are asked for; memory is one block.
#[derive(Debug)]
pub struct Reader<R: Read> {
    inner: R,
    header: Header,
    plain: Vec<u8>,
    at: usize,
    tables: ReadTables,
    block: u64,
}

impl<R: Read> Reader<R> {
    /// Reads the header.
    pub fn new(mut inner: R) -> Result<Self, TraceFileError> {
        let mut start = [0; 14];
        inner.read_exact(&mut start).map_err(|_| TraceFileError::NotATrace)?;
        if &start[..8] != MAGIC {
            return Err(TraceFileError::NotATrace);
        }
        let version = u16::from_le_bytes([start[8], start[9]]);
        if version != VERSION {
            return Err(TraceFileError::Version(version));
        }
        let length = u32::from_le_bytes([start[10], start[11], start[12], start[13]]) as usize;
        let malformed = |problem| TraceFileError::Malformed { block: 0, problem };
        if length > BLOCK_BYTES {
            return Err(malformed("the header is too large"));
        }
        let mut bytes = vec![0; length];
        inner.read_exact(&mut bytes)?;
        let header = read_header(&mut Input { bytes: &bytes }).map_err(malformed)?;
        Ok(Self { inner, header, plain: Vec::new(), at: 0, tables: ReadTables::default(), block: 0 })
    }

    /// The first event.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The next event; none at the end of the file, or where its last block is cut.
    pub fn next_event(&mut self) -> Result<Option<TraceEvent>, TraceFileError> {
        if self.at == self.plain.len() && !self.next_block()? {
            return Ok(None);
        }
        let block = self.block;
        let malformed = |problem| TraceFileError::Malformed { block, problem };
        let mut input = Input { bytes: &self.plain[self.at..] };
        let length = input.number().map_err(malformed)?;
        let length = usize::try_from(length).map_err(|_| malformed("an event is too large"))?;
        let event = input.take(length).map_err(malformed)?;
        let event = read_event(&mut Input { bytes: event }, &mut self.tables).map_err(malformed)?;
        self.at = self.plain.len() - input.bytes.len();
        Ok(Some(event))
    }

    fn next_block(&mut self) -> Result<bool, TraceFileError> {
        let mut lengths = [0; 8];
        if !read_whole(&mut self.inner, &mut lengths)? {
            return Ok(false);
        }
        self.block += 1;
        let malformed = |problem| TraceFileError::Malformed { block: self.block, problem };
        let compressed = u32::from_le_bytes([lengths[0], lengths[1], lengths[2], lengths[3]]) as usize;
        let plain = u32::from_le_bytes([lengths[4], lengths[5], lengths[6], lengths[7]]) as usize;
        if compressed > MAX_BLOCK_BYTES || plain > MAX_BLOCK_BYTES || plain == 0 {
            return Err(malformed("its length is out of bounds"));
        }
        let mut bytes = vec![0; compressed];
        if !read_whole(&mut self.inner, &mut bytes)? {
            return Ok(false);
        }
        self.plain =
            lz4_flex::block::decompress(&bytes, plain).map_err(|_| malformed("it does not decompress"))?;
        if self.plain.len() != plain {
            return Err(malformed("its length is not what it says"));
        }
        self.at = 0;
        self.tables = ReadTables::default();
        Ok(true)
    }
}

/// Fills the buffer; false where the file ends before.
fn read_whole(inner: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match inner.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn read_header(input: &mut Input<'_>) -> Result<Header, &'static str> {
    let (hash_key_id, started_at_us) = (input.fixed()?, input.fixed()?.cast_signed());
    let source = input.text()?;
    let mut bound = || input.number().and_then(|n| u32::try_from(n).map_err(|_| "a bound is out of range"));
    let (shape_bytes, values_per_result, columns, elements_per_argument) =
        (bound()?, bound()?, bound()?, bound()?);
    let columns = u16::try_from(columns).map_err(|_| "a bound is out of range")?;
    let bounds = Bounds { shape_bytes, values_per_result, columns, elements_per_argument };
    Ok(Header { hash_key_id, started_at_us, source, bounds })
}

/// Reads a whole trace file, at most `max_statements` executions of it and
/// [`MEMORY_BYTES_MAX`] of memory; what lies beyond is counted as lost.
pub fn read(path: &Path, max_statements: usize) -> Result<Trace, TraceFileError> {
    let mut reader = Reader::new(io::BufReader::new(std::fs::File::open(path)?))?;
    let mut trace = Trace::new(reader.header().clone());
    let mut bytes = 0;
    while let Some(event) = reader.next_event()? {
        if let TraceEvent::Statement(record) = &event {
            bytes += record.memory_bytes();
            if trace.statements.len() >= max_statements || bytes > MEMORY_BYTES_MAX {
                trace.losses.statements += 1;
                continue;
            }
        }
        trace.push(event);
    }
    Ok(trace)
}

/// Writes a whole trace to a file.
pub fn write(path: &Path, trace: &Trace) -> Result<(), TraceFileError> {
    let mut writer = Writer::new(io::BufWriter::new(std::fs::File::create(path)?), &trace.header)?;
    for connection in 0..trace.connections {
        writer.write(&TraceEvent::Connected { connection })?;
    }
    for (by, refusals) in [(RefusedBy::Recorder, &trace.unreached), (RefusedBy::Server, &trace.denied)] {
        for _ in 0..refusals.count {
            writer.write(&TraceEvent::Refused { by, reason: refusals.first.clone() })?;
        }
    }
    for table in &trace.tables {
        writer.write(&TraceEvent::Table(table.clone()))?;
    }
    for statement in &trace.statements {
        writer.write(&TraceEvent::Statement(statement.clone()))?;
    }
    for limit in &trace.limits {
        writer.write(&TraceEvent::Limit(limit.clone()))?;
    }
    writer.write(&TraceEvent::Loss(trace.losses))?;
    if trace.complete { writer.finish()? } else { writer.flush().map(|()| writer.inner)? }.flush()?;
    Ok(())
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
