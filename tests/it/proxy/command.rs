//! A recorded command as a person runs it: its exit code, its signals, and
//! what is said where nothing could be recorded.

use crate::cli::{code, plimsoll, stderr};
use crate::support::{self, processes};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// `plimsoll` with a URL of the server of this test run.
fn recording(folder: &Path, arguments: &[&str]) -> Command {
    let server = support::server();
    let mut command = plimsoll(folder);
    command.args(arguments).env("DATABASE_URL", server.url_for(server.database()));
    command
}

fn run(arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    recording(folder.path(), arguments).output().unwrap()
}

#[tokio::test]
async fn the_commands_own_code_wins_and_is_said() {
    for scenario in ["n-plus-one", "trace"] {
        let output = run(&[scenario, "--", "sh", "-c", "echo from the child; exit 7"]);
        assert_eq!(code(&output), 7);
        assert!(String::from_utf8_lossy(&output.stdout).contains("from the child"));
        assert!(stderr(&output).contains("the command ended with 7"), "{}", stderr(&output));
    }
}

#[tokio::test]
async fn a_command_that_never_connects_gets_no_verdict() {
    let output = run(&["n-plus-one", "--strict", "--", "true"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(code(&output), 1, "{text}");
    for reason in ["a hard-coded address", "a container of the tests' own", "a Unix socket"] {
        assert!(text.contains(reason), "{reason} in {text}");
    }
    let output = run(&["trace", "--", "true"]);
    for reason in ["never connected", "a hard-coded address", "Testcontainers", "a Unix socket"] {
        assert!(stderr(&output).contains(reason), "{reason} in {}", stderr(&output));
    }
}

#[tokio::test]
async fn signals_go_to_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let script = "trap 'echo told to end; exit 9' TERM; echo ready; while :; do sleep 0.05; done";
    let mut child = recording(folder.path(), &["trace", "--", "sh", "-c", script])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "ready");
    processes::signal(child.id(), "TERM");
    assert_eq!(lines.next().unwrap().unwrap(), "told to end");
    assert_eq!(child.wait().unwrap().code(), Some(9));
    assert!(plimsoll::trace::read(&folder.path().join("plimsoll.trace"), 1).unwrap().complete);
}

#[test]
fn files_that_cannot_be_read_are_said_before_anything_starts() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("text"), "not a trace at all, but long enough").unwrap();
    for (arguments, expected) in [
        (vec!["n-plus-one", "--trace", "absent"], "absent"),
        (vec!["n-plus-one", "--trace", "text"], "text: not a Plimsoll trace file"),
        (vec!["n-plus-one", "--env-file", "absent", "--", "true"], "cannot read the environment file absent"),
        (vec!["trace", "--tls-cert", "absent", "--tls-key", "text", "--", "true"], "absent"),
    ] {
        // Starting a server would fail with 3 here, and be told first.
        let output = plimsoll(folder.path()).args(&arguments).env("PATH", "").output().unwrap();
        assert_eq!(code(&output), 2, "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(expected), "{arguments:?}: {}", stderr(&output));
    }
}
