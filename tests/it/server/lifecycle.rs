//! However its owner ends, a throwaway server ends too and leaves nothing behind.
//!
//! The owners are processes of their own: this binary again, running `hold`.

use crate::support::processes::{Process, processes_at};
use crate::support::{self, scratch::Scratch};
use plimsoll::model::Quiet;
use plimsoll::postgres::{Target, ThrowawayOptions};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const SCRATCH: &str = "PLIMSOLL_TEST_SCRATCH";
const CACHE: &str = "PLIMSOLL_TEST_CACHE";
const MANNER: &str = "PLIMSOLL_TEST_MANNER";

fn options(scratch: &Path) -> ThrowawayOptions {
    ThrowawayOptions { scratch_directory: Some(scratch.to_owned()), ..support::server_options() }
}

/// Not a test of its own: the owner that the tests below start and kill.
#[tokio::test]
#[ignore = "started by the other tests as a process of its own"]
async fn hold() {
    let Some(scratch) = std::env::var_os(SCRATCH) else { return };
    let mut options = options(Path::new(&scratch));
    options.cache_directory = std::env::var_os(CACHE).map(PathBuf::from).or(options.cache_directory);
    let target = match Target::throwaway(&options, &Quiet).await {
        Ok(target) => target,
        Err(error) => return print(&format!("failed {error}")),
    };
    print(&format!("holding {}", target.socket_directory().unwrap().display()));
    match std::env::var_os(MANNER) {
        Some(manner) if manner == "panic" => panic!("as asked"),
        Some(manner) if manner == "abort" => std::process::abort(),
        _ => {}
    }
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    target.close().await.unwrap();
}

#[expect(clippy::print_stdout, reason = "the line is read by the test that started this process")]
fn print(line: &str) {
    println!("\n{line}");
}

/// A process that holds a server.
struct Owner {
    child: Child,
    directory: PathBuf,
}

impl Owner {
    fn start(scratch: &Scratch) -> Self {
        Self::start_as(scratch, |command| command).unwrap()
    }

    fn start_as(
        scratch: &Scratch,
        adjust: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Result<Self, String> {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--ignored", "--exact", "server::lifecycle::hold", "--nocapture"])
            .env(SCRATCH, scratch.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // As a shell does for each job: Ctrl-C goes to this group.
            .process_group(0);
        adjust(&mut command);
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let answer = lines.find(|line| line.starts_with("holding ") || line.starts_with("failed "));
        // Drained, so that the owner never blocks on it.
        std::thread::spawn(move || lines.for_each(drop));
        match answer.as_deref().and_then(|line| line.strip_prefix("holding ")) {
            Some(directory) => Ok(Self { child, directory: directory.into() }),
            None => {
                let _ = child.wait();
                Err(answer.unwrap_or_else(|| "the owner ended without a word".into()))
            }
        }
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    fn guards(&self) -> Vec<Process> {
        processes_at(&self.directory)
            .into_iter()
            .filter(|process| process.command.contains("plimsoll-guard"))
            .collect()
    }

    /// The guard's first process, which is the parent of the server.
    fn first_guard(&self) -> Pid {
        let owner = self.pid();
        self.guards().into_iter().find(|process| process.parent == Some(owner)).expect("a guard").pid
    }

    fn postmaster(&self) -> Pid {
        let text = std::fs::read_to_string(self.directory.join("data/postmaster.pid")).unwrap();
        Pid::from_raw(text.lines().next().unwrap().parse().unwrap()).unwrap()
    }

    fn assert_all_gone(mut self) {
        let _ = self.child.wait();
        support::eventually("the directory and its processes are gone", || {
            !self.directory.exists() && processes_at(&self.directory).is_empty()
        });
    }
}

#[tokio::test]
async fn closing_waits_until_no_process_and_no_directory_is_left() {
    let scratch = Scratch::new();
    let target = Target::throwaway(&options(scratch.path()), &Quiet).await.unwrap();
    let directory = target.socket_directory().unwrap().to_owned();
    assert!(directory.exists() && !processes_at(&directory).is_empty());
    target.close().await.unwrap();
    assert_eq!(processes_at(&directory), []);
    assert!(!directory.exists());
    target.close().await.unwrap();
}

#[test]
fn an_owner_that_returns_leaves_nothing() {
    let scratch = Scratch::new();
    let mut owner = Owner::start(&scratch);
    drop(owner.child.stdin.take());
    owner.assert_all_gone();
}

#[test]
fn an_owner_that_panics_or_aborts_leaves_nothing() {
    let scratch = Scratch::new();
    for manner in ["panic", "abort"] {
        Owner::start_as(&scratch, |command| command.env(MANNER, manner)).unwrap().assert_all_gone();
    }
}

#[test]
fn ctrl_c_sigterm_and_sigkill_leave_nothing() {
    let scratch = Scratch::new();
    for signal in [Signal::INT, Signal::TERM, Signal::HUP, Signal::KILL] {
        let owner = Owner::start(&scratch);
        kill_process_group(owner.pid(), signal).unwrap();
        owner.assert_all_gone();
    }
}

#[test]
fn killing_the_owner_and_the_guards_first_process_leaves_nothing() {
    let scratch = Scratch::new();
    let owner = Owner::start(&scratch);
    let guard = owner.first_guard();
    kill_process(owner.pid(), Signal::KILL).unwrap();
    // It may be done already.
    let _ = kill_process(guard, Signal::KILL);
    owner.assert_all_gone();
}

#[test]
fn the_server_dies_with_its_guard_while_the_owner_lives() {
    let scratch = Scratch::new();
    let mut owner = Owner::start(&scratch);
    kill_process(owner.first_guard(), Signal::KILL).unwrap();
    support::eventually("the server is gone", || !owner.directory.join("data/postmaster.pid").exists());
    drop(owner.child.stdin.take());
    owner.assert_all_gone();
}

#[test]
fn a_server_that_crashed_does_not_keep_its_owner_from_ending() {
    let scratch = Scratch::new();
    let mut owner = Owner::start(&scratch);
    kill_process(owner.postmaster(), Signal::KILL).unwrap();
    drop(owner.child.stdin.take());
    owner.assert_all_gone();
}

#[tokio::test]
async fn what_outlived_everybody_is_swept_at_the_next_start_and_nothing_else() {
    let scratch = Scratch::new();
    let neighbour = Owner::start(&scratch);
    let mut dead = Owner::start(&scratch);
    let foreign = scratch.path().join("plimsoll-server-foreign");
    std::fs::create_dir(&foreign).unwrap();
    // Stopped first, so that none of them can clean up before it is killed. Their parent
    // goes last: the kernel wakes stopped processes whose parent ends.
    let first = dead.first_guard();
    let mut all: Vec<Pid> = dead.guards().into_iter().map(|process| process.pid).collect();
    all.sort_by_key(|pid| *pid == first);
    assert_eq!(all.len(), 3, "waits, reads and watches");
    for signal in [Signal::STOP, Signal::KILL] {
        for pid in &all {
            kill_process(*pid, signal).unwrap();
        }
    }
    kill_process(dead.pid(), Signal::KILL).unwrap();
    dead.child.wait().unwrap();
    support::eventually("all of the guard is gone", || dead.guards().is_empty());
    // The `cat` of the reader may end on its own; the server does not.
    assert!(
        dead.directory.exists() && processes_at(&dead.directory).iter().any(|p| p.pid == dead.postmaster())
    );

    let target = Target::throwaway(&options(scratch.path()), &Quiet).await.unwrap();
    assert!(!dead.directory.exists());
    dead.assert_all_gone();
    assert!(neighbour.directory.join("data/postmaster.pid").exists(), "it has an owner");
    assert!(foreign.exists(), "it is not ours");
    target.close().await.unwrap();
    kill_process(neighbour.pid(), Signal::KILL).unwrap();
    neighbour.assert_all_gone();
}

#[test]
fn an_ordinary_user_can_do_the_same() {
    if !rustix::process::geteuid().is_root() {
        // Then every test above is this one.
        return;
    }
    let nobody = 65534;
    let scratch = Scratch::owned_by(nobody);
    let cache = scratch.path().join("cache");
    for attempt in 0..2 {
        let owner =
            Owner::start_as(&scratch, |command| command.uid(nobody).gid(nobody).env(CACHE, &cache)).unwrap();
        assert!(cache.join("clusters").is_dir(), "start {attempt} keeps an initialised directory");
        kill_process(owner.pid(), Signal::KILL).unwrap();
        owner.assert_all_gone();
    }
}

#[test]
fn a_user_id_without_an_account_is_told_what_to_do() {
    if !rustix::process::geteuid().is_root() {
        // Only root can become such a user.
        return;
    }
    let stranger = 54_321;
    let scratch = Scratch::owned_by(stranger);
    let cache = scratch.path().join("cache");
    let message =
        Owner::start_as(&scratch, |command| command.uid(stranger).gid(stranger).env(CACHE, cache)).err();
    let message = message.expect("initdb refuses such a user");
    assert!(message.contains("User id 54321 has no entry in /etc/passwd"), "{message}");
    let left: Vec<_> =
        std::fs::read_dir(scratch.path()).unwrap().flatten().map(|entry| entry.path()).collect();
    assert_eq!(left, Vec::<PathBuf>::new(), "a failed start leaves nothing");
}
