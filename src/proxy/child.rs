//! A command run with the recorder between it and its database. Its input and
//! output are its own; signals sent to us are passed on to it.

use super::environment::{self, Changes};
use super::error::Error;
use super::program;
use super::recorder::{Options, Recorder, Recording};
use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use tokio::signal::unix::{SignalKind, signal};

/// The command to run.
#[derive(Debug, Clone, Default)]
pub struct ChildCommand {
    /// The program and its arguments.
    pub words: Vec<OsString>,
    /// The environment it would inherit, as far as it is text.
    pub parent_environment: Vec<(String, String)>,
    /// Further variables that hold the database's URL.
    pub url_variables: Vec<String>,
    /// Variables to add, from environment files; those that hold a URL of the
    /// same database are rewritten.
    pub variables: Vec<(String, String)>,
}

impl ChildCommand {
    /// Looks for the program as the command would be started.
    ///
    /// # Errors
    /// It is not there, or nothing that the system can run.
    pub fn check(&self) -> Result<(), Error> {
        let program = self.words.first().map(OsString::as_os_str).unwrap_or_default();
        let name = program.to_string_lossy();
        let places = if name.contains('/') {
            vec![PathBuf::from(program)]
        } else {
            std::env::split_paths(&self.search_path()).map(|folder| folder.join(program)).collect()
        };
        if name.is_empty() || !places.iter().any(|place| place.exists()) {
            return Err(not_found(&name));
        }
        // The first on the path decides, as it does in a shell.
        let Some(place) = places.into_iter().find(|place| program::is_executable(place)) else {
            let source = std::io::ErrorKind::PermissionDenied.into();
            return Err(Error::Spawn { program: name.into_owned(), source });
        };
        program::fault(&place).map_or(Ok(()), |fault| Err(Error::NoProgram { path: place, fault }))
    }

    /// Where its program is looked for: its own variables count, as they do when it is started.
    fn search_path(&self) -> OsString {
        let own = self.variables.iter().rev().find(|(name, _)| name == "PATH");
        own.map(|(_, value)| OsString::from(value))
            .or_else(|| std::env::var_os("PATH"))
            .unwrap_or_else(|| SEARCH_PATH_DEFAULT.into())
    }
}

/// Where programs are looked for without `PATH`.
const SEARCH_PATH_DEFAULT: &str = "/bin:/usr/bin";

fn not_found(program: &str) -> Error {
    Error::Spawn { program: program.to_owned(), source: std::io::ErrorKind::NotFound.into() }
}

/// How the command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChildOutcome {
    /// Its exit code; 128 plus the signal's number where a signal ended it, as shells have it.
    pub code: i32,
    /// The signal that ended it.
    pub signal: Option<i32>,
}

/// Records a command from its start to its end.
///
/// Whether it ever connected is in the recording's `trace.connections`.
///
/// # Errors
/// Where the recorder or the command cannot be started.
pub async fn run_child(
    options: &Options,
    command: &ChildCommand,
) -> Result<(ChildOutcome, Recording), Error> {
    command.check()?;
    let recorder = Recorder::start(options)?;
    let status = run(&recorder, command).await?;
    let recording =
        tokio::task::spawn_blocking(move || recorder.stop()).await.map_err(|_| Error::Bug("stopping"))??;
    Ok((outcome(status), recording))
}

fn outcome(status: ExitStatus) -> ChildOutcome {
    let signal = status.signal();
    ChildOutcome { code: status.code().unwrap_or_else(|| 128 + signal.unwrap_or(0)), signal }
}

/// The changes to the command's environment.
fn environment(recorder: &Recorder, command: &ChildCommand) -> Changes {
    let mut parent = command.parent_environment.clone();
    let mut changes: Changes =
        command.variables.iter().map(|(name, value)| (name.clone(), Some(value.clone()))).collect();
    parent.retain(|(name, _)| !command.variables.iter().any(|(added, _)| added == name));
    parent.extend(command.variables.iter().cloned());
    let mut names = command.url_variables.clone();
    for (name, value) in &command.variables {
        let url = super::url::ServerUrl::parse(value);
        if url.is_ok_and(|url| url.is_same_database(recorder.upstream())) {
            names.push(name.clone());
        }
    }
    changes.extend(environment::changes(recorder.upstream(), recorder.address(), &parent, &names));
    changes
}

async fn run(recorder: &Recorder, command: &ChildCommand) -> Result<ExitStatus, Error> {
    let (program, arguments) = command.words.split_first().ok_or_else(|| Error::Spawn {
        program: String::new(),
        source: std::io::ErrorKind::InvalidInput.into(),
    })?;
    let mut child = tokio::process::Command::new(program);
    child.args(arguments);
    for (name, value) in environment(recorder, command) {
        match value {
            Some(value) => child.env(name, value),
            None => child.env_remove(name),
        };
    }
    // Before the child exists, so that no signal finds us without a handler.
    let mut signals = Signals::new()?;
    let mut child = child
        .spawn()
        .map_err(|source| Error::Spawn { program: program.to_string_lossy().into_owned(), source })?;
    let pid = child.id().and_then(|pid| rustix::process::Pid::from_raw(pid.cast_signed()));
    loop {
        tokio::select! {
            status = child.wait() => return status.map_err(Error::system("to wait for the command")),
            signal = signals.next() => {
                if let (Some(signal), Some(pid)) = (signal, pid) {
                    let _ = rustix::process::kill_process(pid, signal);
                }
            }
        }
    }
}

/// The signals that are passed on.
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
    quit: tokio::signal::unix::Signal,
    user_1: tokio::signal::unix::Signal,
    user_2: tokio::signal::unix::Signal,
    /// The terminal sends its signals to the child as well as to us.
    has_terminal: bool,
}

impl Signals {
    fn new() -> Result<Self, Error> {
        let handle = |kind| signal(kind).map_err(Error::system("a signal handler"));
        Ok(Self {
            interrupt: handle(SignalKind::interrupt())?,
            terminate: handle(SignalKind::terminate())?,
            hangup: handle(SignalKind::hangup())?,
            quit: handle(SignalKind::quit())?,
            user_1: handle(SignalKind::user_defined1())?,
            user_2: handle(SignalKind::user_defined2())?,
            has_terminal: is_in_foreground(),
        })
    }

    /// The next signal to pass on; none for one the child got by itself.
    async fn next(&mut self) -> Option<rustix::process::Signal> {
        use rustix::process::Signal;
        let of_terminal = |signal| if self.has_terminal { None } else { Some(signal) };
        tokio::select! {
            _ = self.interrupt.recv() => of_terminal(Signal::INT),
            _ = self.quit.recv() => of_terminal(Signal::QUIT),
            _ = self.hangup.recv() => of_terminal(Signal::HUP),
            _ = self.terminate.recv() => Some(Signal::TERM),
            _ = self.user_1.recv() => Some(Signal::USR1),
            _ = self.user_2.recv() => Some(Signal::USR2),
        }
    }
}

/// Whether a terminal's Ctrl-C reaches our whole process group.
fn is_in_foreground() -> bool {
    let foreground = rustix::termios::tcgetpgrp(rustix::stdio::stdin());
    foreground.is_ok_and(|group| group == rustix::process::getpgrp())
}
