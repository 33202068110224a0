//! Result descriptions, decoded once and shared: drivers ask for the same ones
//! again and again.

use super::hashing::Table;
use crate::trace::{ColumnSource, Format};
use crate::wire::{Formats, RowDescription};
use std::rc::Rc;
use std::sync::Arc;

/// Descriptions kept at most; then the cache starts afresh.
const DESCRIPTIONS_MAX: usize = 4096;

/// The columns of a result.
#[derive(Debug)]
pub(super) struct Description {
    /// No other has it, also after the cache started afresh.
    pub(super) id: u64,
    pub(super) columns: Arc<[ColumnSource]>,
    /// Whether each column comes in binary, as the description itself says.
    is_binary: Box<[bool]>,
}

/// Decoded descriptions by their bytes.
#[derive(Debug, Default)]
pub(super) struct Descriptions {
    known: Table<Box<[u8]>, Rc<Description>>,
    next_id: u64,
}

impl Descriptions {
    /// The description in a message body.
    pub(super) fn get(&mut self, body: &[u8], description: &RowDescription<'_>) -> Rc<Description> {
        if let Some(found) = self.known.get(body) {
            return found.clone();
        }
        let mut columns = Vec::new();
        let mut is_binary = Vec::new();
        for column in description.columns() {
            is_binary.push(column.is_binary);
            columns.push(ColumnSource {
                name: String::from_utf8_lossy(column.name).into_owned(),
                table_oid: column.table_oid,
                attribute_number: column.column_number,
                type_oid: column.type_oid,
            });
        }
        self.next_id += 1;
        let id = self.next_id;
        let decoded = Rc::new(Description { id, columns: columns.into(), is_binary: is_binary.into() });
        if self.known.len() >= DESCRIPTIONS_MAX {
            self.known.clear();
        }
        self.known.insert(body.into(), decoded.clone());
        decoded
    }
}

/// How the columns of a result are encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ResultFormats {
    /// As the description says: the simple protocol.
    Described,
    /// All alike.
    All(Format),
    /// As Bind asked, for each column.
    Each(Rc<[Format]>),
}

impl ResultFormats {
    /// What a Bind asks for, of a result of `columns` columns at most.
    pub(super) fn of_bind(formats: Formats<'_>) -> Self {
        let mut codes = formats.iter().map(format);
        match (codes.next(), codes.next()) {
            (None, _) => Self::All(Format::Text),
            (Some(one), None) => Self::All(one),
            _ => Self::Each(formats.iter().map(format).collect()),
        }
    }

    pub(super) fn of_column(&self, index: usize, description: &Description) -> Format {
        match self {
            Self::Described => format(description.is_binary.get(index).copied().unwrap_or(false)),
            Self::All(format) => *format,
            Self::Each(formats) => formats.get(index).copied().unwrap_or(Format::Text),
        }
    }
}

fn format(is_binary: bool) -> Format {
    if is_binary { Format::Binary } else { Format::Text }
}
