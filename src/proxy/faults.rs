//! Fault injection: the n-th matching statement of the application fails with
//! a deadlock, a serialization failure or a lock timeout, as it might in
//! production.
//!
//! The statement is replaced by one that makes the server itself raise the
//! error. So the transaction is truly in the failed state, savepoints work,
//! and a pipeline is skipped to its Sync: nothing about the session is
//! pretended.

use super::replace::Replacement;
use crate::sql::shape::shape;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The errors that can be injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// 40P01.
    Deadlock,
    /// 40001.
    SerializationFailure,
    /// 55P03.
    LockNotAvailable,
}

impl FaultKind {
    /// The SQLSTATE.
    #[must_use]
    pub fn sqlstate(self) -> &'static str {
        match self {
            Self::Deadlock => "40P01",
            Self::SerializationFailure => "40001",
            Self::LockNotAvailable => "55P03",
        }
    }

    /// The server's own words for it.
    fn message(self) -> &'static str {
        match self {
            Self::Deadlock => "deadlock detected",
            Self::SerializationFailure => "could not serialize access due to concurrent update",
            Self::LockNotAvailable => "canceling statement due to lock timeout",
        }
    }

    /// A statement that makes the server raise it. Needs plpgsql, which every
    /// database has unless somebody dropped it.
    fn statement(self) -> String {
        format!(
            "DO LANGUAGE plpgsql 'BEGIN RAISE EXCEPTION USING ERRCODE = ''{}'', MESSAGE = ''{}'', \
             DETAIL = ''Injected by plimsoll in place of the statement.''; END'",
            self.sqlstate(),
            self.message()
        )
    }
}

/// What to inject where: `40P01:update stock`, or `40P01:3:update stock` for
/// the third matching statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultPlan {
    /// The error.
    pub kind: FaultKind,
    /// Which of the matching executions fails, from 1, over all connections.
    pub nth: u64,
    /// What a statement's normalised text has to contain, itself normalised.
    pub pattern: String,
}

/// Why a fault cannot be injected as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not of the form SQLSTATE:[n:]text, such as `40P01:2:update stock`, with 40P01, 40001 or 55P03"
)]
pub struct FaultPlanError(String);

impl FromStr for FaultPlan {
    type Err = FaultPlanError;

    fn from_str(written: &str) -> Result<Self, FaultPlanError> {
        let wrong = || FaultPlanError(written.to_owned());
        let (sqlstate, rest) = written.split_once(':').ok_or_else(wrong)?;
        let kind = match sqlstate {
            "40P01" => FaultKind::Deadlock,
            "40001" => FaultKind::SerializationFailure,
            "55P03" => FaultKind::LockNotAvailable,
            _ => return Err(wrong()),
        };
        let numbered = rest.split_once(':').and_then(|(nth, text)| Some((nth.trim().parse().ok()?, text)));
        let (nth, text) = numbered.unwrap_or((1, rest));
        let pattern = shape(text).text;
        if nth == 0 || pattern.is_empty() {
            return Err(wrong());
        }
        Ok(Self { kind, nth, pattern })
    }
}

/// A plan in use: counts over all connections.
#[derive(Debug)]
pub(super) struct FaultState {
    plan: FaultPlan,
    matched: AtomicU64,
    injected: AtomicU64,
}

impl FaultState {
    pub(super) fn new(plan: FaultPlan) -> Self {
        Self { plan, matched: AtomicU64::new(0), injected: AtomicU64::new(0) }
    }

    /// How many statements matched, and how many were made to fail.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.matched.load(Ordering::Relaxed), self.injected.load(Ordering::Relaxed))
    }
}

impl Replacement for Arc<FaultState> {
    fn matches(&self, statement: &str) -> bool {
        shape(statement).text.contains(&self.plan.pattern)
    }

    fn prepared(&self) -> Option<&'static str> {
        None
    }

    /// Counts a matching execution; the one to fail is replaced. What follows
    /// it in a text would be skipped anyway.
    fn instead(&self) -> Option<String> {
        let is_struck = self.matched.fetch_add(1, Ordering::Relaxed) + 1 == self.plan.nth;
        is_struck.then(|| {
            self.injected.fetch_add(1, Ordering::Relaxed);
            self.plan.kind.statement()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{FaultKind, FaultPlan};

    #[test]
    fn plans_are_read() {
        let plan: FaultPlan = "40001:3:UPDATE Stock SET amount = 5".parse().unwrap();
        assert_eq!((plan.kind, plan.nth), (FaultKind::SerializationFailure, 3));
        assert_eq!(plan.pattern, "update stock set amount = ?");
        for wrong in ["", "40P01", "23505:x", "40P01:0:x", "40P01:2:"] {
            assert!(wrong.parse::<FaultPlan>().is_err(), "{wrong}");
        }
    }
}
