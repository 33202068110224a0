//! RowDescription: the columns of a result, each with the table column it
//! comes from.

use super::body::Body;

/// The columns of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowDescription<'a> {
    body: Body<'a>,
}

/// One column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// OID of the table it comes from; 0 for an expression.
    pub table_oid: u32,
    /// Attribute number in that table, from 1; 0 for an expression.
    pub column_number: i16,
    /// OID of its type.
    pub type_oid: u32,
    /// Size of the type in bytes; negative for a variable size.
    pub type_size: i16,
    /// The type's modifier.
    pub type_modifier: i32,
    /// Whether values come in the binary format.
    pub is_binary: bool,
}

impl<'a> RowDescription<'a> {
    pub(super) fn decode(body: &'a [u8]) -> Self {
        Self { body: Body::new(body) }
    }

    /// The columns, in order.
    pub fn columns(&self) -> impl Iterator<Item = Column<'a>> + use<'a> {
        let mut rest = self.body;
        let count = rest.count().unwrap_or(0);
        (0..count).map_while(move |_| {
            Some(Column {
                name: rest.cstr()?,
                table_oid: rest.u32()?,
                column_number: rest.i16()?,
                type_oid: rest.u32()?,
                type_size: rest.i16()?,
                type_modifier: rest.i32()?,
                is_binary: rest.i16()? == 1,
            })
        })
    }
}
