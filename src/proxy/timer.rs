//! A timer finer than the millisecond of a poll's timeout, where the system
//! has one; elsewhere the timeout is used, rounded up.

use mio::{Registry, Token};
use std::io;
use std::time::Duration;

/// One-shot timer whose end is an event of the poll.
#[derive(Debug)]
pub(super) struct Timer {
    #[cfg(target_os = "linux")]
    descriptor: std::os::fd::OwnedFd,
}

#[cfg(target_os = "linux")]
impl Timer {
    pub(super) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};
        use std::os::fd::AsRawFd;
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let descriptor = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        let mut source = mio::unix::SourceFd(&descriptor.as_raw_fd());
        registry.register(&mut source, token, mio::Interest::READABLE)?;
        Ok(Self { descriptor })
    }

    /// Fires after `duration`, at once for zero.
    pub(super) fn set(&self, duration: Duration) {
        use rustix::time::{Itimerspec, TimerfdTimerFlags, Timespec, timerfd_settime};
        let duration = duration.max(Duration::from_nanos(1));
        let value = Timespec {
            tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(duration.subsec_nanos()),
        };
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
        let _ = timerfd_settime(&self.descriptor, TimerfdTimerFlags::empty(), &once);
    }

    /// Forgets that it fired.
    pub(super) fn clear(&self) {
        let _ = rustix::io::read(&self.descriptor, &mut [0_u8; 8]);
    }

    /// How long the poll itself has to time out: it does not.
    #[expect(clippy::unused_self, reason = "systems without such a timer need it")]
    pub(super) fn timeout(&self, _until_due: Option<Duration>) -> Option<Duration> {
        None
    }
}

#[cfg(not(target_os = "linux"))]
impl Timer {
    pub(super) fn new(_registry: &Registry, _token: Token) -> io::Result<Self> {
        Ok(Self {})
    }

    /// The poll's timeout does it.
    pub(super) fn set(&self, _duration: Duration) {}

    /// Nothing to forget.
    pub(super) fn clear(&self) {}

    /// How long the poll itself has to time out.
    pub(super) fn timeout(&self, until_due: Option<Duration>) -> Option<Duration> {
        until_due
    }
}
