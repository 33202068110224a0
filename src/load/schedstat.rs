//! What a thread of this machine got of its processors: the first two figures
//! of Linux' `/proc/PID/schedstat` (Documentation/scheduler/sched-stats). They
//! tell a slow statement from a busy machine.

use std::fs::File;
use std::ops::Sub;
use std::os::unix::fs::FileExt;
use std::time::Duration;

/// The time of a thread so far, or between two looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProcessorTime {
    /// On a processor. Of a thread that is on one at this moment, up to its
    /// last accounting, which may be some milliseconds ago.
    pub running: Duration,
    /// Ready to run, and waiting for a processor.
    pub waiting: Duration,
}

impl Sub for ProcessorTime {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            running: self.running.saturating_sub(earlier.running),
            waiting: self.waiting.saturating_sub(earlier.waiting),
        }
    }
}

/// The figures of one thread, read as often as needed. There are none where
/// the system is another, or hides them.
#[derive(Debug)]
pub struct Schedstat {
    file: File,
}

impl Schedstat {
    /// Of the thread that calls.
    #[must_use]
    pub fn of_this_thread() -> Option<Self> {
        Self::open("/proc/thread-self/schedstat")
    }

    /// Of a server process, by its number on this machine. A process of that
    /// number that is not PostgreSQL's is somebody else's: a server within a
    /// container or behind a tunnel counts its processes by itself.
    #[must_use]
    pub fn of_backend(pid: i32) -> Option<Self> {
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
        if name.starts_with("postgres") { Self::open(&format!("/proc/{pid}/schedstat")) } else { None }
    }

    fn open(path: &str) -> Option<Self> {
        let schedstat = Self { file: File::open(path).ok()? };
        schedstat.so_far().is_some().then_some(schedstat)
    }

    /// The time so far; `None` once the thread is gone.
    #[must_use]
    pub fn so_far(&self) -> Option<ProcessorTime> {
        // Three numbers of up to twenty digits.
        let mut text = [0; 64];
        let length = self.file.read_at(&mut text, 0).ok()?;
        parse(&text[..length])
    }
}

fn parse(text: &[u8]) -> Option<ProcessorTime> {
    let mut numbers = text.split(u8::is_ascii_whitespace).map(|word| {
        let nanoseconds = std::str::from_utf8(word).ok()?.parse().ok()?;
        Some(Duration::from_nanos(nanoseconds))
    });
    Some(ProcessorTime { running: numbers.next()??, waiting: numbers.next()?? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_number_is_work_and_the_second_waiting() {
        let time = |running, waiting| ProcessorTime {
            running: Duration::from_nanos(running),
            waiting: Duration::from_nanos(waiting),
        };
        assert_eq!(parse(b"137495 5769 2\n"), Some(time(137_495, 5_769)));
        assert_eq!(parse(b"137495"), None);
        assert_eq!(parse(b"1 x 2"), None);
        assert_eq!(time(9, 4) - time(5, 1), time(4, 3));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_thread_that_works_is_seen_working_and_a_stranger_is_not_taken_for_a_backend() {
        let Some(schedstat) = Schedstat::of_this_thread() else { return };
        let before = schedstat.so_far().unwrap();
        let start = crate::stats::clock::now();
        while crate::stats::clock::elapsed_us(start) < 50_000.0 {}
        assert!((schedstat.so_far().unwrap() - before).running > Duration::from_millis(1));
        assert!(Schedstat::of_backend(i32::try_from(std::process::id()).unwrap()).is_none());
    }
}
