//! DataRow: one row of a result.

use super::body::{Body, Fields};

/// One row.
#[derive(Debug, Clone, Copy)]
pub struct DataRow<'a> {
    fields: Fields<'a>,
}

impl<'a> DataRow<'a> {
    pub(super) fn decode(body: &'a [u8]) -> Option<Self> {
        Fields::read(&mut Body::new(body)).map(|fields| Self { fields })
    }

    /// The column values, in order.
    #[must_use]
    pub fn fields(&self) -> Fields<'a> {
        self.fields
    }
}
