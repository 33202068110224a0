//! A run that is killed half-way leaves a report that can be read and says
//! that it is partial.

use crate::cli::{code, plimsoll, shop, stderr};
use crate::support::processes;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

/// How many scenarios were not reached yet.
fn not_reached(run: &Path) -> usize {
    fs::read_to_string(run.join("run.json")).unwrap().matches("\"summary\": \"not reached").count()
}

/// The one run kept in a project, once there is one with so few scenarios left.
fn wait_for_report(project: &Path, child: &mut Child, left: usize) -> PathBuf {
    for _ in 0..2400 {
        let runs = fs::read_dir(project.join("reports")).into_iter().flatten().flatten();
        let mut written = runs
            .map(|entry| entry.path())
            .filter(|path| path.join("report.html").is_file() && not_reached(path) <= left);
        if let Some(run) = written.next() {
            return run;
        }
        assert!(child.try_wait().unwrap().is_none(), "the run ended before anything could be cut short");
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("no report within two minutes");
}

/// Starts all four scenarios, and sends the signal when so many are left.
fn cut_short(signal: &str, left: usize) -> (tempfile::TempDir, PathBuf, Option<i32>) {
    let folder = shop();
    let mut child = plimsoll(folder.path())
        .args(["run", "--quiet"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let run = wait_for_report(folder.path(), &mut child, left);
    processes::signal(child.id(), signal);
    let status = child.wait().unwrap();
    (folder, run, status.code())
}

fn check_partial(folder: &Path, run: &Path) {
    let kept: Value = serde_json::from_str(&fs::read_to_string(run.join("run.json")).unwrap()).unwrap();
    assert_eq!(kept["complete"], false);
    assert_ne!(kept["verdict"], "pass", "what was cut short has not passed");
    assert!(!kept["scenarios"].as_array().unwrap().is_empty());
    let page = fs::read_to_string(run.join("report.html")).unwrap();
    assert!(page.contains("Partial.") && page.trim_end().ends_with("</html>"), "a whole page that says so");
    let leftovers: Vec<_> = fs::read_dir(run)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("tmp"))
        .collect();
    assert_eq!(leftovers, Vec::<String>::new());
    for format in ["terminal", "junit", "sarif", "html"] {
        let output = plimsoll(folder).args(["report", "latest", "--format", format]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).to_lowercase();
        let told = if format == "sarif" { "\"executionsuccessful\": false" } else { "partial" };
        assert!(said.contains(told) || said.contains("cut short"), "{format}: {said}{}", stderr(&output));
    }
    let output = plimsoll(folder).arg("history").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(code(&output) == 0 && said.contains("partial"), "{said}{}", stderr(&output));
}

#[test]
fn killed_outright_before_anything_was_found_there_is_a_readable_report() {
    let (folder, run, code) = cut_short("KILL", 4);
    assert_eq!(code, None, "ended by the signal");
    assert_eq!(not_reached(&run), 4);
    check_partial(folder.path(), &run);
}

#[test]
fn interrupted_the_run_ends_with_4_and_a_partial_report() {
    let (folder, run, code) = cut_short("INT", 3);
    assert_eq!(code, Some(4));
    check_partial(folder.path(), &run);
}
