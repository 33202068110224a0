//! What was recorded of each scope that a session has set, for the questions
//! that are asked about it. Bounded: the scope that began first is given up
//! first, and what was given up is counted.

use super::session::hashing::Table;
use crate::trace::{Header, ScopeLimit, StatementRecord, Trace};
use std::collections::VecDeque;
use std::sync::Arc;

/// Memory for the statements of all scopes, in bytes.
const BYTES_MAX: usize = 256 * 1024 * 1024;
/// Scopes remembered.
const SCOPES_MAX: usize = 10_000;

/// What is known of one scope.
#[derive(Debug, Default)]
struct Kept {
    records: Vec<StatementRecord>,
    limits: Vec<ScopeLimit>,
    bytes: usize,
    lost: u64,
}

/// The scopes.
#[derive(Debug, Default)]
pub(super) struct Scopes {
    known: Table<Arc<str>, Kept>,
    /// In the order in which they began.
    order: VecDeque<Arc<str>>,
    bytes: usize,
}

impl Scopes {
    /// Keeps a statement of `bytes` in memory, if it belongs to a scope.
    pub(super) fn add(&mut self, record: &StatementRecord, bytes: usize) {
        let Some(scope) = &record.scope else {
            return;
        };
        self.begin(scope);
        while self.bytes + bytes > BYTES_MAX && self.give_up_oldest(scope) {}
        let is_full = self.bytes + bytes > BYTES_MAX;
        let Some(kept) = self.known.get_mut(scope) else {
            return;
        };
        if is_full {
            kept.lost += 1;
            return;
        }
        kept.records.push(record.clone());
        kept.bytes += bytes;
        self.bytes += bytes;
    }

    /// Keeps a scope's bound.
    pub(super) fn limit(&mut self, limit: &ScopeLimit) {
        if let Some(scope) = &limit.scope {
            self.begin(scope);
            if let Some(kept) = self.known.get_mut(scope) {
                kept.limits = vec![limit.clone()];
            }
        }
    }

    /// The scope's own trace so far.
    pub(super) fn trace(&self, scope: &Arc<str>, header: Header) -> Trace {
        let mut trace = Trace::new(header);
        trace.complete = true;
        trace.connections = 1;
        if let Some(kept) = self.known.get(scope) {
            trace.statements.clone_from(&kept.records);
            trace.limits.clone_from(&kept.limits);
            trace.losses.statements = kept.lost;
        }
        trace
    }

    fn begin(&mut self, scope: &Arc<str>) {
        if self.known.contains_key(scope) {
            return;
        }
        if self.order.len() >= SCOPES_MAX
            && let Some(oldest) = self.order.pop_front()
            && let Some(kept) = self.known.remove(&oldest)
        {
            self.bytes -= kept.bytes;
        }
        self.order.push_back(scope.clone());
        self.known.insert(scope.clone(), Kept::default());
    }

    /// Forgets the statements of the oldest scope that still has any, other than `scope`.
    fn give_up_oldest(&mut self, scope: &Arc<str>) -> bool {
        for oldest in self.order.iter().filter(|oldest| *oldest != scope) {
            if let Some(kept) = self.known.get_mut(oldest).filter(|kept| kept.bytes > 0) {
                kept.lost += kept.records.len() as u64;
                kept.records = Vec::new();
                self.bytes -= kept.bytes;
                kept.bytes = 0;
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::{BYTES_MAX, Scopes};
    use crate::proxy::session::{Ledger, Session};
    use crate::trace::{Bounds, Header, StatementRecord, ValueHasher};
    use crate::wire::encode;
    use std::sync::Arc;

    fn record(scope: &str) -> StatementRecord {
        let mut ledger = Ledger::new(ValueHasher::new(1), Bounds::default(), false);
        let mut session = Session::new(1);
        let mut bytes = Vec::new();
        encode::startup(&mut bytes, encode::PROTOCOL_3_0, &[("plimsoll.scope", scope)]);
        encode::query(&mut bytes, b"SELECT 1");
        session.client_bytes(&bytes, 1, &mut ledger);
        session.end(2, &mut ledger);
        ledger.records.remove(0)
    }

    #[test]
    fn the_oldest_scope_is_given_up_and_what_it_lost_is_told() {
        let header =
            || Header { hash_key_id: 0, started_at_us: 0, source: String::new(), bounds: Bounds::default() };
        let mut scopes = Scopes::default();
        let half = BYTES_MAX / 2;
        for name in ["a", "b", "b", "b"] {
            scopes.add(&record(name), half);
        }
        let found = |name: &str| {
            let trace = scopes.trace(&Arc::from(name), header());
            (trace.statements.len(), trace.losses.statements)
        };
        assert_eq!(found("a"), (0, 1));
        assert_eq!(found("b"), (2, 1));
        assert_eq!(found("c"), (0, 0));
    }
}
