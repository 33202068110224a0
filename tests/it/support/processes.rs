//! What runs on this machine.

use rustix::process::Pid;
use std::path::Path;
use std::process::Command;

/// A running process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Process {
    /// Its id.
    pub(crate) pid: Pid,
    /// Its parent's id.
    pub(crate) parent: Option<Pid>,
    /// Its command line.
    pub(crate) command: String,
}

/// Sends a signal, named as `kill` names it.
pub(crate) fn signal(pid: u32, name: &str) {
    let status = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status().unwrap();
    assert!(status.success());
}

/// The processes that name a directory on their command line or work in it.
pub(crate) fn processes_at(directory: &Path) -> Vec<Process> {
    let listing = Command::new("ps").args(["-ww", "-axo", "pid=,ppid=,state=,command="]).output().unwrap();
    assert!(listing.status.success(), "the tests need ps");
    let text = String::from_utf8_lossy(&listing.stdout);
    let name = directory.to_string_lossy();
    text.lines()
        .filter_map(parse)
        .filter(|process| process.command.contains(&*name) || works_below(process.pid, directory))
        .collect()
}

/// `pid ppid state command`; a process that only waits to be collected is none.
fn parse(line: &str) -> Option<Process> {
    let (pid, rest) = line.trim_start().split_once(' ')?;
    let (parent, rest) = rest.trim_start().split_once(' ')?;
    let (state, command) = rest.trim_start().split_once(' ')?;
    let process = Process {
        pid: Pid::from_raw(pid.parse().ok()?)?,
        parent: Pid::from_raw(parent.parse().ok()?),
        command: command.to_owned(),
    };
    (!state.starts_with('Z')).then_some(process)
}

fn works_below(pid: Pid, directory: &Path) -> bool {
    std::fs::read_link(format!("/proc/{}/cwd", pid.as_raw_nonzero()))
        .is_ok_and(|path| path.starts_with(directory))
}
