//! Rows to the bytes of COPY, made on a thread of their own.

use super::plan::TablePlan;
use crate::postgres::quote_identifier;
use bytes::Bytes;
use std::ops::Range;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Chunks are sent when they reach this size.
const CHUNK_BYTES: usize = 256 * 1024;

/// Chunks that may wait for the server.
const WAITING_CHUNKS: usize = 4;

/// Rows made between two looks at the chunk's size.
const BLOCK_ROWS: u64 = 512;

/// Signature, flags and length of the header's extension.
const BINARY_HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// Part of a table on its way.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) bytes: Bytes,
    /// Rows in this chunk.
    pub(super) rows: u64,
}

/// The COPY statement into `relation` (quoted) for the columns of a table.
pub(super) fn statement(table: &TablePlan, relation: &str) -> String {
    let columns: Vec<String> = table.columns.iter().map(|column| quote_identifier(&column.name)).collect();
    let format = if table.is_binary() { " (FORMAT binary)" } else { "" };
    format!("COPY {relation} ({}) FROM STDIN{format}", columns.join(", "))
}

/// The bytes of some rows, complete with header and trailer.
pub(super) fn encode_rows(table: &TablePlan, rows: impl IntoIterator<Item = u64>) -> Bytes {
    let mut encoder = Encoder::new(table);
    let mut out = encoder.header();
    for row in rows {
        encoder.append(row..row + 1, &mut out);
    }
    encoder.trailer(&mut out);
    out.into()
}

/// Starts a thread that makes a whole table. It ends when the receiver is dropped.
pub(super) fn generate(table: Arc<TablePlan>) -> mpsc::Receiver<Chunk> {
    let (sender, receiver) = mpsc::channel(WAITING_CHUNKS);
    std::thread::spawn(move || {
        let mut encoder = Encoder::new(&table);
        let mut out = encoder.header();
        let (mut next, mut sent) = (0, 0);
        while next < table.rows {
            let end = (next + BLOCK_ROWS).min(table.rows);
            encoder.append(next..end, &mut out);
            next = end;
            if next == table.rows {
                encoder.trailer(&mut out);
            }
            if out.len() >= CHUNK_BYTES || next == table.rows {
                let capacity = out.len() + out.len() / 8;
                let bytes = std::mem::replace(&mut out, Vec::with_capacity(capacity)).into();
                if sender.blocking_send(Chunk { bytes, rows: next - sent }).is_err() {
                    // Nobody listens any more: the seeding failed or was cancelled.
                    return;
                }
                sent = next;
            }
        }
    });
    receiver
}

/// Writes rows in the format that fits the table.
struct Encoder<'a> {
    table: &'a TablePlan,
    is_binary: bool,
    text: String,
    field: String,
}

impl<'a> Encoder<'a> {
    fn new(table: &'a TablePlan) -> Self {
        Self { table, is_binary: table.is_binary(), text: String::new(), field: String::new() }
    }

    fn header(&self) -> Vec<u8> {
        if self.is_binary { BINARY_HEADER.to_vec() } else { Vec::new() }
    }

    fn trailer(&self, out: &mut Vec<u8>) {
        if self.is_binary {
            out.extend_from_slice(&(-1_i16).to_be_bytes());
        }
    }

    fn append(&mut self, rows: Range<u64>, out: &mut Vec<u8>) {
        let Self { table, is_binary, text, field } = self;
        let count = (table.columns.len() as u16).to_be_bytes();
        table.for_each_row(rows, |id| {
            if *is_binary {
                out.extend_from_slice(&count);
                for column in &table.columns {
                    column.generator.value(id, text).write_binary(&column.column_type, out);
                }
            } else {
                for (place, column) in table.columns.iter().enumerate() {
                    if place > 0 {
                        out.push(b'\t');
                    }
                    column.generator.value(id, text).write_text(&column.column_type, field, out);
                }
                out.push(b'\n');
            }
        });
    }
}
