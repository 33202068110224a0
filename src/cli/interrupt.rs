//! Ctrl-C, SIGTERM and SIGHUP end the work in hand, not the cleaning up after
//! it. While a wrapped command runs, they are the command's.

use super::Failure;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Whose signals are.
#[derive(Debug, Default)]
pub(super) struct Interrupts {
    belong_to_command: AtomicBool,
}

impl Interrupts {
    /// Runs `work` until it ends or a signal asks us to stop.
    pub(super) async fn stop<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let mut work = std::pin::pin!(work);
        let mut signals = [
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        ];
        loop {
            tokio::select! {
                result = &mut work => return result,
                () = any(&mut signals) => {
                    if !self.belong_to_command.load(Ordering::Relaxed) {
                        return Err(Failure::Interrupted);
                    }
                }
            }
        }
    }

    /// Leaves signals to a wrapped command, which is told of them by whoever
    /// runs it, until `work` ends.
    pub(super) async fn leave_to_command<T>(&self, work: impl Future<Output = T>) -> T {
        self.belong_to_command.store(true, Ordering::Relaxed);
        let outcome = work.await;
        self.belong_to_command.store(false, Ordering::Relaxed);
        outcome
    }
}

async fn any(signals: &mut [Signal; 3]) {
    let [interrupt, terminate, hangup] = signals;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
}
