//! Signals to a server by its data directory: one whose owner and guard are both
//! gone, or our own when its data is to be kept.

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// How often and how long the server is given to end, before it is killed.
const ROUNDS: u32 = 200;
const ROUND: Duration = Duration::from_millis(50);

/// Stops the server of `data`, where one runs. A process is that server only
/// if it works in that directory: a recycled process id is left alone.
pub(super) fn stop(data: &Path) {
    let Some(pid) = postmaster_of(data) else { return };
    let _ = kill_process(pid, Signal::QUIT);
    for _ in 0..ROUNDS {
        if test_kill_process(pid).is_err() || !works_in(pid, data) {
            return;
        }
        std::thread::sleep(ROUND);
    }
    let _ = kill_process(pid, Signal::KILL);
}

/// Asks the server of `data` to disconnect everybody and to shut down cleanly.
pub(super) fn request_fast_shutdown(data: &Path) {
    if let Some(pid) = postmaster_of(data) {
        let _ = kill_process(pid, Signal::INT);
    }
}

fn postmaster_of(data: &Path) -> Option<Pid> {
    let file = std::fs::read_to_string(data.join("postmaster.pid")).ok()?;
    let pid = Pid::from_raw(file.lines().next()?.trim().parse().ok()?)?;
    works_in(pid, data).then_some(pid)
}

/// The postmaster changes into its data directory and names it on its command line.
fn works_in(pid: Pid, data: &Path) -> bool {
    let number = pid.as_raw_nonzero();
    if cfg!(target_os = "linux") {
        return std::fs::read_link(format!("/proc/{number}/cwd")).is_ok_and(|path| path == data);
    }
    let listing = Command::new("ps").args(["-o", "command=", "-p", &number.to_string()]).output();
    listing.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(&*data.to_string_lossy()))
}
