//! The guard process: parent of a throwaway server, in its own process group.
//!
//! It blocks on a pipe from us. However we end, the kernel closes the pipe, and
//! the guard stops the server and removes its directory. It is a script for
//! `sh`, which is there wherever PostgreSQL is (`initdb` needs it), so that it
//! works alike in our program and in a test binary that uses the library.

use super::Error;
use super::account::Account;
use crate::scratch::PrivateDirectory;
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

const SCRIPT: &str = include_str!("guard.sh");

/// A running guard. Dropping it makes it clean up, without waiting for that.
#[derive(Debug)]
pub(super) struct Guard {
    /// Our end of the pipe: closing it is the signal.
    owner: Option<ChildStdin>,
    child: Child,
    status: Receiver<String>,
}

impl Guard {
    /// Starts the guard, and the server below it. The directory is the guard's to remove from now on.
    pub(super) fn spawn(
        directory: &mut PrivateDirectory,
        account: &Account,
        program: &Path,
        arguments: &[OsString],
    ) -> Result<Self, Error> {
        let fail = |source| Error::File { action: "run", path: "/bin/sh".into(), source };
        let mut command = account.command(Path::new("/bin/sh"));
        command
            .arg("-c")
            .arg(SCRIPT)
            .arg("plimsoll-guard")
            .arg(directory.path())
            .arg(program)
            .args(arguments);
        // Ctrl-C goes to our process group; the guard acts on our end, not on the key.
        command.process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(directory.lock().map_err(fail)?);
        let mut child = command.spawn().map_err(fail)?;
        directory.hand_over();
        let (sender, status) = std::sync::mpsc::channel();
        if let Some(output) = child.stdout.take() {
            // Ends when the guard's last process has ended.
            std::thread::spawn(move || {
                BufReader::new(output).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
            });
        }
        Ok(Self { owner: child.stdin.take(), child, status })
    }

    /// Waits up to `pause` for the server's end; its exit status where it ended.
    pub(super) fn server_ended_within(&self, pause: Duration) -> Option<String> {
        match self.status.recv_timeout(pause) {
            Ok(line) => line.strip_prefix("exited ").map(str::to_owned),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some("unknown, its guard has ended".into()),
        }
    }

    /// Has the server stopped and the directory removed, and waits until that is done.
    pub(super) fn finish(mut self) {
        drop(self.owner.take());
        while self.status.recv().is_ok() {}
        let _ = self.child.wait();
    }
}
