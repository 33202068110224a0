//! `plimsoll compare`: two kept runs side by side.

use crate::cli::{code, plimsoll, stderr};
use crate::reports;
use plimsoll::model::{Interval, RunReport, Verdict};
use plimsoll::report::{compare, kept_run};

fn compared(before: &RunReport, after: &RunReport) -> String {
    let mut bytes = Vec::new();
    compare::write_terminal(before, after, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_run_does_not_differ_from_itself() {
    let text = compared(&reports::sample(), &reports::sample());
    assert!(text.contains("the same verdicts and findings") && text.contains("\n0 of "), "{text}");
    assert!(!text.contains("doubt"), "{text}");
}

#[test]
fn verdicts_findings_and_counters_that_differ_are_named() {
    let before = reports::sample();
    let mut after = reports::sample();
    after.scenarios[0].verdict = Verdict::Pass;
    after.scenarios[0].findings.clear();
    after.scenarios[0].measurements[1].value = 78.0;
    let text = compared(&before, &after);
    assert!(text.contains("slow-queries: fail before, pass after"), "{text}");
    assert!(text.contains("gone: slow-queries over-budget"), "{text}");
    assert!(text.contains("2.00x") && text.contains("1 of "), "{text}");
    let text = compared(&after, &before);
    assert!(text.contains("new: slow-queries over-budget") && text.contains("0.50x"), "{text}");
}

#[test]
fn an_estimate_differs_only_where_the_intervals_are_apart() {
    let before = reports::sample();
    for (low, high, differs) in
        [(4_000.0, 6_000.0, false), (4_700.0, 6_000.0, true), (1_000.0, 3_700.0, true)]
    {
        let mut after = reports::sample();
        let p95 = &mut after.scenarios[0].measurements[0];
        p95.value = f64::midpoint(low, high);
        p95.interval = Some(Interval { low, high, confidence: 0.95 });
        let text = compared(&before, &after);
        assert_eq!(text.contains("p95"), differs, "{low} to {high}: {text}");
    }
}

#[test]
fn what_makes_runs_hard_to_compare_is_said() {
    let before = reports::sample();
    let mut after = RunReport { complete: false, seed: 7, ..reports::sample() };
    after.target.as_mut().unwrap().server_version = "17.2".into();
    let text = compared(&before, &after);
    for doubt in
        ["the run after was cut short", "PostgreSQL 15.18 before, PostgreSQL 17.2 after", "seeds differ"]
    {
        assert!(text.contains(doubt), "{doubt} in {text}");
    }
}

#[test]
fn kept_runs_are_compared_as_markdown_and_wrong_use_is_told() {
    let folder = tempfile::tempdir().unwrap();
    for id in ["20260101T000000-aaaaaa", "20260102T000000-bbbbbb"] {
        let kept = kept_run::KeptRun::create(&folder.path().join("reports"), id).unwrap();
        let mut run = RunReport { run_id: id.into(), ..reports::sample() };
        run.scenarios[0].measurements[1].value = if id.ends_with('a') { 39.0 } else { 5.0 };
        kept.write(&run).unwrap();
    }
    let compare =
        |arguments: &[&str]| plimsoll(folder.path()).arg("compare").args(arguments).output().unwrap();
    let output = compare(&["20260101", "--format", "markdown"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(text.contains("| order\\_history @ small | buffers | 39 blocks | 5 blocks | 0.13x |"), "{text}");
    assert_eq!(code(&compare(&["2025"])), 2);
    let output = compare(&["20260101", "--format", "junit"]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("terminal or markdown"), "{}", stderr(&output));
}
