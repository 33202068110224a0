//! Whose a database is that was made beside a target: written into its comment,
//! so that a later run can remove what a killed one left behind.
//!
//! Only a process of this very machine can be known to be dead. What another
//! machine, another container or an earlier boot left is never touched.

use std::process::Command;

/// A process, as a database's comment names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owner {
    pid: u32,
    /// When it started, as the system counts: tells a recycled id apart.
    started: String,
    /// Host, boot and process namespace.
    machine: String,
}

const BEFORE: &str = "plimsoll: made by process ";

impl Owner {
    /// This process.
    pub(super) fn current() -> Option<Self> {
        let pid = std::process::id();
        Some(Self { pid, started: start_of(pid)?, machine: machine() })
    }

    /// The comment of a database that is this process's.
    pub(super) fn comment(&self) -> String {
        format!("{BEFORE}{} started {} on {}", self.pid, self.started, self.machine)
    }

    /// Reads such a comment.
    pub(super) fn parse(comment: &str) -> Option<Self> {
        let (pid, rest) = comment.strip_prefix(BEFORE)?.split_once(" started ")?;
        let (started, machine) = rest.split_once(" on ")?;
        Some(Self { pid: pid.parse().ok()?, started: started.into(), machine: machine.into() })
    }

    /// Whether it certainly does not run any more; false wherever that cannot be known.
    pub(super) fn is_clearly_dead(&self) -> bool {
        self.machine == machine() && start_of(self.pid).is_none_or(|started| started != self.started)
    }
}

/// When a process started; `None` where there is no such process.
fn start_of(pid: u32) -> Option<String> {
    if cfg!(target_os = "linux") {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in parentheses may hold anything, so count from its end: the
        // 22nd field is the twentieth after it.
        return stat.rsplit_once(')')?.1.split_whitespace().nth(19).map(str::to_owned);
    }
    let output = Command::new("ps").args(["-o", "lstart=", "-p", &pid.to_string()]).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).split_whitespace().collect::<Vec<_>>().join("-");
    (!text.is_empty()).then_some(text)
}

fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).map(|text| text.trim().to_owned()).ok();
    let host = read("/proc/sys/kernel/hostname").or_else(|| {
        let output = Command::new("hostname").output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    });
    let boot = read("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let namespace = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    format!("{}/{boot}/{}", host.unwrap_or_default(), namespace.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_names_its_process_and_is_read_back() {
        let owner = Owner::current().unwrap();
        assert_eq!(Owner::parse(&owner.comment()), Some(owner.clone()));
        assert!(!owner.is_clearly_dead());
        assert_eq!(Owner::parse("plimsoll: disposable"), None);
    }

    #[test]
    fn dead_is_only_what_ran_here_and_is_gone() {
        let owner = Owner::current().unwrap();
        let recycled = Owner { started: "1".into(), ..owner.clone() };
        assert!(recycled.is_clearly_dead());
        let mut child = Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        assert!(Owner { pid: child.id(), ..owner.clone() }.is_clearly_dead());
        let elsewhere = Owner { machine: "other".into(), ..recycled };
        assert!(!elsewhere.is_clearly_dead());
    }
}
