//! Keeps backends on one processor, where they are ours to place.
//!
//! Where the scheduler puts a backend lasts as long as its connection, and
//! makes identical databases differ by 12 to 31 %. Backends on the same
//! processor differ by less than 1 %.

/// The processor that backends are put on: the last one we may use ourselves.
/// `None` where the system does not say.
#[must_use]
pub fn processor() -> Option<usize> {
    #[cfg(target_os = "linux")]
    {
        let allowed = rustix::thread::sched_getaffinity(None).ok()?;
        (0..rustix::thread::CpuSet::MAX_CPU).rev().find(|&cpu| allowed.is_set(cpu))
    }
    #[cfg(not(target_os = "linux"))]
    None
}

/// Puts a backend of this machine on a processor; false where that cannot be done.
#[must_use]
pub fn pin(backend_pid: i32, processor: usize) -> bool {
    #[cfg(target_os = "linux")]
    {
        let Some(pid) = rustix::process::Pid::from_raw(backend_pid) else { return false };
        let mut only = rustix::thread::CpuSet::new();
        only.set(processor);
        rustix::thread::sched_setaffinity(Some(pid), &only).is_ok()
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (backend_pid, processor);
        false
    }
}

/// This thread on one processor, until dropped.
///
/// A client elsewhere pays a wake-up of another processor or does not, as the
/// scheduler likes: some 40 µs in every execution, and with them another ratio.
#[derive(Debug)]
pub struct PinnedThread {
    #[cfg(target_os = "linux")]
    before: rustix::thread::CpuSet,
}

impl PinnedThread {
    /// `None` where that cannot be done.
    #[must_use]
    pub fn on(processor: usize) -> Option<Self> {
        #[cfg(target_os = "linux")]
        {
            let before = rustix::thread::sched_getaffinity(None).ok()?;
            let mut only = rustix::thread::CpuSet::new();
            only.set(processor);
            rustix::thread::sched_setaffinity(None, &only).ok()?;
            Some(Self { before })
        }
        #[cfg(not(target_os = "linux"))]
        {
            let _ = processor;
            None
        }
    }
}

#[cfg(target_os = "linux")]
impl Drop for PinnedThread {
    fn drop(&mut self) {
        // A thread that stays where it is works all the same.
        let _ = rustix::thread::sched_setaffinity(None, &self.before);
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_thread_is_pinned_only_while_the_guard_lives() {
        let allowed = || {
            let set = rustix::thread::sched_getaffinity(None).unwrap();
            (0..rustix::thread::CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu)).collect::<Vec<_>>()
        };
        let before = allowed();
        let processor = processor().unwrap();
        let guard = PinnedThread::on(processor).unwrap();
        assert_eq!(allowed(), [processor]);
        drop(guard);
        assert_eq!(allowed(), before);
    }
}
