//! Requests that the server has not answered yet, in order. Which answer
//! belongs to which request follows from the order alone, also in a pipeline.

use super::execution::Execution;
use super::prepared::{Portal, Prepared};
use super::texts::Statements;
use std::collections::VecDeque;
use std::rc::Rc;

/// Unanswered requests of one session at most; a session beyond is given up.
pub(super) const PENDING_MAX: usize = 1 << 18;

/// A request.
#[derive(Debug)]
pub(super) enum Pending {
    /// The start-up message; answered by the first ReadyForQuery.
    Startup,
    /// Parse, with what the name meant before, for the case that it fails.
    Parse { name: Box<[u8]>, previous: Option<Rc<Prepared>> },
    /// Bind, likewise.
    Bind { name: Box<[u8]>, previous: Option<Rc<Portal>> },
    /// Describe of a statement.
    DescribeStatement(Option<Rc<Prepared>>),
    /// Describe of a portal.
    DescribePortal(Option<Rc<Portal>>),
    /// Close.
    Close,
    /// Execute; none where nothing is known of the portal.
    Execute(Option<Box<Execution>>, Option<Rc<Portal>>),
    /// Query; answered by ReadyForQuery.
    Query(Box<SimpleQuery>),
    /// A function call; answered by ReadyForQuery.
    Function(Option<Box<Execution>>),
    /// Sync; answered by ReadyForQuery.
    Sync,
    /// Where the client ended its COPY data; no request, but a place in the order.
    CopyEnd,
}

impl Pending {
    /// Whether a ReadyForQuery answers it.
    pub(super) fn ends_group(&self) -> bool {
        matches!(self, Self::Startup | Self::Query(_) | Self::Function(_) | Self::Sync)
    }
}

/// A text of the simple protocol on its way through its statements.
#[derive(Debug)]
pub(super) struct SimpleQuery {
    pub(super) statements: Statements,
    /// The sequence of the first statement; the others follow.
    pub(super) sequence: u64,
    /// The statement that runs now or next.
    pub(super) next: usize,
    /// When it began: at the request, or at the end of the one before.
    pub(super) start_us: u64,
    /// It, once something is known of its result.
    pub(super) current: Option<Box<Execution>>,
    /// An error has ended the text.
    pub(super) is_failed: bool,
}

/// The requests.
#[derive(Debug, Default)]
pub(super) struct Requests {
    queue: VecDeque<Pending>,
}

impl Requests {
    pub(super) fn push(&mut self, pending: Pending) {
        self.queue.push_back(pending);
    }

    pub(super) fn is_full(&self) -> bool {
        self.queue.len() >= PENDING_MAX
    }

    /// The request that the server answers now.
    pub(super) fn front(&mut self) -> Option<&mut Pending> {
        while matches!(self.queue.front(), Some(Pending::CopyEnd)) {
            self.queue.pop_front();
        }
        self.queue.front_mut()
    }

    pub(super) fn pop(&mut self) -> Option<Pending> {
        self.front()?;
        self.queue.pop_front()
    }

    /// The server ignores Sync while it takes COPY data in: forgets those that
    /// were sent before the data's end. False where the end is still to come.
    pub(super) fn forget_syncs_before_copy_end(&mut self) -> bool {
        let end = self.queue.iter().position(|pending| matches!(pending, Pending::CopyEnd));
        let limit = end.unwrap_or(self.queue.len());
        let mut index = 0;
        self.queue.retain(|pending| {
            index += 1;
            !(index <= limit && matches!(pending, Pending::Sync))
        });
        end.is_some()
    }

    /// Everything up to the next Sync, which stays. The flag says whether
    /// there was one.
    pub(super) fn take_group(&mut self) -> (Vec<Pending>, bool) {
        let end = self.queue.iter().position(Pending::ends_group);
        let taken = self.queue.drain(..end.unwrap_or(self.queue.len())).collect();
        (taken, end.is_some())
    }
}
