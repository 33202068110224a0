//! The copy of the traffic on its way from the forwarding threads to the
//! observer. Bounded: a full queue makes the forwarding thread wait, so that
//! nothing is ever lost; how often that happened is counted.

use super::findings::Question;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The most bytes that wait for the observer; as many again may be in its hands.
pub const QUEUE_BYTES_MAX: usize = 32 * 1024 * 1024;

/// What one copied piece is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// A client connected.
    Connected,
    /// Bytes the client sent.
    Client,
    /// Bytes the server sent.
    Server,
    /// The connection is refused by the recorder; the bytes say why.
    Refused,
    /// The connection is over.
    Closed,
    /// The connection asks for its findings; who waits is the next of the batch's questions.
    Question,
}

/// One copied piece.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) connection: u64,
    pub(super) event: Event,
    /// When it was read, in microseconds since the start.
    pub(super) at_us: u64,
    pub(super) length: usize,
}

/// Pieces in order, their bytes behind one another.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) entries: Vec<Entry>,
    pub(super) bytes: Vec<u8>,
    pub(super) questions: VecDeque<Question>,
}

impl Batch {
    pub(super) fn clear(&mut self) {
        self.questions.clear();
        self.entries.clear();
        self.bytes.clear();
    }

    fn weight(&self) -> usize {
        self.bytes.len() + self.entries.len() * size_of::<Entry>()
    }
}

#[derive(Debug, Default)]
struct State {
    batch: Batch,
    is_closed: bool,
    /// The observer waits to be woken; else it polls.
    is_asleep: bool,
    /// Forwarding threads that wait for room.
    waiting: usize,
    stalls: u64,
}

/// The queue.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    drained: Condvar,
}

impl Queue {
    /// Copies a piece in, waiting for room where there is none.
    pub(super) fn push(&self, connection: u64, event: Event, at_us: u64, bytes: &[u8]) {
        let mut state = self.lock();
        while state.batch.weight() + bytes.len() > QUEUE_BYTES_MAX && !state.batch.entries.is_empty() {
            state.stalls += 1;
            state.waiting += 1;
            self.filled.notify_one();
            state = self.drained.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
        }
        state.batch.bytes.extend_from_slice(bytes);
        state.batch.entries.push(Entry { connection, event, at_us, length: bytes.len() });
        if state.is_asleep {
            state.is_asleep = false;
            self.filled.notify_one();
        }
    }

    /// Puts a question behind everything that came so far.
    pub(super) fn ask(&self, connection: u64, at_us: u64, question: Question) {
        let mut state = self.lock();
        state.batch.questions.push_back(question);
        state.batch.entries.push(Entry { connection, event: Event::Question, at_us, length: 0 });
        state.is_asleep = false;
        self.filled.notify_one();
    }

    /// No more will come.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.filled.notify_one();
    }

    /// Exchanges `batch`, which is empty, for what has come. False once closed and empty.
    pub(super) fn take(&self, batch: &mut Batch) -> bool {
        let mut state = self.lock();
        std::mem::swap(&mut state.batch, batch);
        if state.waiting > 0 {
            self.drained.notify_all();
        }
        !(state.is_closed && batch.entries.is_empty())
    }

    /// Waits for more: at most `pause`, or until woken where that is `None`.
    /// A push wakes only the observer that asked for it, so that forwarding
    /// does not pay for wake-ups while traffic flows.
    pub(super) fn wait(&self, pause: Option<Duration>) {
        let mut state = self.lock();
        if state.is_closed || state.waiting > 0 {
            return;
        }
        match pause {
            Some(pause) => drop(self.filled.wait_timeout(state, pause)),
            None if state.batch.entries.is_empty() => {
                state.is_asleep = true;
                while state.is_asleep && !state.is_closed {
                    state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
            }
            None => {}
        }
    }

    /// How often a forwarding thread had to wait for the observer.
    pub(super) fn stalls(&self) -> u64 {
        self.lock().stalls
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{Batch, Event, QUEUE_BYTES_MAX, Queue};
    use std::sync::Arc;

    #[test]
    fn a_full_queue_makes_the_sender_wait_and_loses_nothing() {
        let queue = Arc::new(Queue::default());
        let chunk = vec![7_u8; 1 << 20];
        let pieces = 2 * QUEUE_BYTES_MAX / chunk.len();
        let sender = std::thread::spawn({
            let queue = queue.clone();
            move || {
                for number in 0..pieces {
                    queue.push(number as u64, Event::Client, 0, &chunk);
                }
                queue.close();
            }
        });
        let (mut batch, mut seen) = (Batch::default(), 0);
        loop {
            let is_open = queue.take(&mut batch);
            assert!(batch.bytes.len() <= QUEUE_BYTES_MAX);
            for entry in &batch.entries {
                assert_eq!(entry.connection, seen);
                seen += 1;
            }
            batch.clear();
            if !is_open {
                break;
            }
            queue.wait(None);
        }
        sender.join().unwrap();
        assert_eq!(seen, pieces as u64);
    }
}
