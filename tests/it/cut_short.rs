//! A run that is killed half-way leaves a report that can be read and says
//! that it is partial.

use crate::cli::{code, plimsoll, shop, stderr};
use crate::support::processes;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

/// The one run kept in a project, once it has something to say.
fn wait_for_report(project: &Path, child: &mut Child) -> PathBuf {
    for _ in 0..2400 {
        let runs = fs::read_dir(project.join("reports")).into_iter().flatten().flatten();
        let mut written = runs.map(|entry| entry.path()).filter(|path| path.join("report.html").is_file());
        if let Some(run) = written.next() {
            return run;
        }
        assert!(child.try_wait().unwrap().is_none(), "the run ended before anything could be cut short");
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("no report within two minutes");
}

/// Starts all four scenarios, and sends the signal when the first has said something.
fn cut_short(signal: &str) -> (tempfile::TempDir, PathBuf, Option<i32>) {
    let folder = shop();
    let mut child = plimsoll(folder.path())
        .args(["run", "--quiet"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let run = wait_for_report(folder.path(), &mut child);
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
fn killed_outright_the_report_stays_readable() {
    let (folder, run, code) = cut_short("KILL");
    assert_eq!(code, None, "ended by the signal");
    check_partial(folder.path(), &run);
}

#[test]
fn interrupted_the_run_ends_with_4_and_a_partial_report() {
    let (folder, run, code) = cut_short("INT");
    assert_eq!(code, Some(4));
    check_partial(folder.path(), &run);
}
