//! Recorded statements of an application: the model and the trace file.
//!
//! A recorder (the wire proxy, or a test) makes [`StatementRecord`]s; scenarios
//! read them. Values are kept as keyed hashes of a canonical form, so that the
//! same value hashes alike in text and in binary, as literal and as parameter.
//! Invariant: everything is bounded, and what a bound left out is counted.

mod array;
mod calendar;
mod codec;
mod comment;
mod file;
mod inline;
mod model;
mod numeric;
mod readable;
mod template;
mod value;

pub use comment::{Tags, comment_tags, limit_setting, scope_setting};
pub use file::{Reader, TraceFileError, Writer, read, write};
pub use inline::{Bound, inline_parameters};
pub use model::{
    Argument, Bounds, ColumnSource, ColumnValues, Header, LIMITS_MAX, Losses, MEMORY_BYTES_MAX, Outcome,
    Protocol, Refusals, RefusedBy, ScopeLimit, StatementRecord, StatementShape, TableName, Trace, TraceEvent,
};
pub use readable::{hexadecimal, readable};
pub use template::{Slot, StatementTemplate};
pub use value::{Format, ValueHash, ValueHasher};
