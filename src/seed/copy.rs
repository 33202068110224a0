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

#[cfg(test)]
mod tests {
    use super::{encode_rows, generate};
    use crate::postgres::{Catalog, CatalogColumn, CatalogTable, ColumnType, RelationKind};
    use crate::project::distributions::parse;
    use crate::seed::plan::{TablePlan, plan};
    use crate::seed::scale::Scale;
    use std::path::Path;
    use std::sync::Arc;

    /// A table of text and bigint columns as its declaration names them.
    fn planned(toml: &str) -> Vec<TablePlan> {
        let distributions = parse(Path::new("d.toml"), toml).expect("a valid file");
        let table = |declared: &crate::project::distributions::TableDistribution| CatalogTable {
            schema: "public".into(),
            name: declared.table.clone(),
            is_visible: true,
            kind: RelationKind::Table,
            columns: declared
                .columns
                .iter()
                .map(|column| CatalogColumn {
                    name: column.column.clone(),
                    type_name: "t".into(),
                    column_type: if column.column.starts_with('t') {
                        ColumnType::Text(None)
                    } else {
                        ColumnType::Int8
                    },
                    not_null: false,
                    has_default: false,
                    is_generated: false,
                    sequence: None,
                })
                .collect(),
            unique_keys: Vec::new(),
            foreign_keys: Vec::new(),
            checks: Vec::new(),
            secondary_indexes: Vec::new(),
            has_triggers: false,
        };
        let catalog = Catalog { tables: distributions.tables.iter().map(table).collect() };
        plan(&catalog, &distributions, &Scale::new(3.0, [1.0])).expect("no problems").tables
    }

    const PARENTS: &str = "[p]\nrows = 900\nid = { sequence = 1 }\nname_t = { range = [1, 9] }\n";
    const CHILDREN: &str = "[c]\nrows = { per = \"p.id\", min = 0, max = 7, mean = 3 }\n\
        p = { references = \"p.id\" }\nn = { ordinal = 1 }\n\
        other = { references = \"p.id\", skew = \"zipf\", s = 1.1, nulls = 0.2 }\n\
        text = { template = \"{p}/{n} {word} {hex:20}\" }\ntwo = { text = { min = 0, max = 40 } }\n\
        key = { range = [1, 1000000], unique = true }\n";

    #[test]
    fn a_thread_makes_the_same_bytes_as_one_row_at_a_time() {
        for table in planned(&format!("{PARENTS}{CHILDREN}")) {
            let whole = encode_rows(&table, 0..table.rows);
            let (mut made, mut rows) = (Vec::new(), 0);
            let mut chunks = generate(Arc::new(table.clone()));
            while let Some(chunk) = chunks.blocking_recv() {
                made.extend_from_slice(&chunk.bytes);
                rows += chunk.rows;
            }
            assert_eq!(rows, table.rows);
            assert!(whole == made, "{}", table.name);
        }
    }

    #[test]
    fn other_columns_and_tables_do_not_move_a_column() {
        let alone = planned("[p]\nrows = 900\nname_t = { range = [1, 9] }\n");
        let together = planned(&format!("{PARENTS}{CHILDREN}"));
        let values = |table: &TablePlan| {
            let column = table.columns.iter().find(|column| column.name == "name_t").expect("the column");
            let mut scratch = String::new();
            let mut values = Vec::new();
            table.for_each_row(0..table.rows, |id| {
                column.generator.value(id, &mut scratch).write_binary(&column.column_type, &mut values);
            });
            values
        };
        assert!(values(&alone[0]) == values(&together[0]));
    }

    #[test]
    fn nobody_listening_ends_the_thread() {
        let table = planned("[p]\nrows = 1000000000\nid = { sequence = 1 }\n").remove(0);
        let table = Arc::new(table);
        let mut chunks = generate(Arc::clone(&table));
        assert!(chunks.blocking_recv().is_some());
        drop(chunks);
        // The thread lets go of the table when it ends; it cannot reach the last row first.
        while Arc::strong_count(&table) > 1 {
            std::thread::yield_now();
        }
    }
}
