//! Round-trip time added on purpose: what a client sends is held back for a
//! fixed time, as a longer wire would. Pure: times come in as arguments.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The most that one connection's wire holds, in bytes; then nothing more is read.
const HELD_BYTES_MAX: usize = 1024 * 1024;

/// Bytes on a slow wire, in one direction.
#[derive(Debug)]
pub(super) struct SlowWire {
    delay: Duration,
    held: VecDeque<(Instant, Vec<u8>)>,
    held_bytes: usize,
}

impl SlowWire {
    pub(super) fn new(delay: Duration) -> Self {
        Self { delay, held: VecDeque::new(), held_bytes: 0 }
    }

    pub(super) fn has_room(&self) -> bool {
        self.held_bytes < HELD_BYTES_MAX
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Takes bytes in; they arrive at the time returned.
    pub(super) fn put(&mut self, now: Instant, bytes: Vec<u8>) -> Instant {
        let due = now + self.delay;
        self.held_bytes += bytes.len();
        self.held.push_back((due, bytes));
        due
    }

    /// The next bytes that have arrived.
    pub(super) fn arrived(&mut self, now: Instant) -> Option<Vec<u8>> {
        if self.held.front()?.0 > now {
            return None;
        }
        let (_, bytes) = self.held.pop_front()?;
        self.held_bytes -= bytes.len();
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::SlowWire;
    use std::time::Duration;

    #[test]
    fn bytes_arrive_in_order_after_the_delay() {
        let start = crate::stats::clock::now();
        let mut wire = SlowWire::new(Duration::from_millis(1));
        let due = wire.put(start, vec![1]);
        wire.put(start + Duration::from_micros(500), vec![2]);
        assert_eq!(due, start + Duration::from_millis(1));
        assert_eq!(wire.arrived(start), None);
        assert_eq!(wire.arrived(due), Some(vec![1]));
        assert_eq!(wire.arrived(due), None);
        assert_eq!(wire.arrived(due + Duration::from_millis(1)), Some(vec![2]));
        assert!(wire.is_empty());
    }
}
