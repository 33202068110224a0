//! The client's own use of the processor, to tell when it measures itself.

use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// Processor time this thread has used so far, user and system.
#[must_use]
pub fn thread_cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}
