//! ReadyForQuery: the end of a group, with the transaction's state.

use super::body::Body;

/// The state a group left the transaction in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionStatus {
    /// `I`: no transaction block is open.
    Idle,
    /// `T`: in a transaction block.
    Open,
    /// `E`: in a failed transaction block.
    Failed,
}

/// The server waits for the next group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadyForQuery {
    /// The transaction's state.
    pub status: TransactionStatus,
}

impl ReadyForQuery {
    pub(super) fn decode(body: &[u8]) -> Option<Self> {
        let status = match Body::new(body).u8()? {
            b'I' => TransactionStatus::Idle,
            b'T' => TransactionStatus::Open,
            b'E' => TransactionStatus::Failed,
            _ => return None,
        };
        Some(Self { status })
    }
}
