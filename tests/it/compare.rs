//! Two kept runs compared, and the page over all of them.

use crate::cli::{code, plimsoll, stderr};
use crate::reports::sample;
use plimsoll::model::evidence::Evidence;
use plimsoll::model::{RunReport, Verdict};
use plimsoll::report::compare::{Comparison, write_json, write_markdown, write_terminal};
use plimsoll::report::{json, kept_run};
use std::fs;
use std::path::Path;
use std::process::Output;

const THEN: &str = "20260101T000000-aaaaaa";
const NOW: &str = "20260102T000000-bbbbbb";

fn keep(folder: &Path, id: &str, report: RunReport) {
    let kept = kept_run::KeptRun::create(folder, id).unwrap();
    kept.write(&RunReport { run_id: id.into(), ..report }).unwrap();
}

/// The sample, repaired: the query within its budget, reading less.
fn repaired() -> RunReport {
    let mut run = sample();
    run.scenarios[0].verdict = Verdict::Pass;
    run.scenarios[0].findings.clear();
    for m in &mut run.scenarios[0].measurements {
        m.value /= 8.0;
        if let Some(interval) = &mut m.interval {
            interval.low /= 8.0;
            interval.high /= 8.0;
        }
    }
    run
}

fn without_debug(mut run: RunReport) -> RunReport {
    run.warnings.clear();
    run
}

fn text(comparison: &Comparison<'_>) -> String {
    let mut bytes = Vec::new();
    write_terminal(comparison, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_repair_is_told_with_its_figures() {
    let (then, now) = (without_debug(sample()), without_debug(repaired()));
    let comparison = Comparison::of(&then, &now);
    assert_eq!(
        comparison.headline(),
        "slow-queries repaired; 0 findings new, 1 gone, 0 in both; 2 of 5 measurements changed"
    );
    let said = text(&comparison);
    assert!(said.contains("gone: slow-queries fail order_history p95 is 4.20 ms"), "{said}");
    assert!(said.contains("4.20 ms (3.78 ms to 4.62 ms)"), "{said}");
    assert!(said.contains("lower 0.12x") && !said.contains("doubt:"), "{said}");
    let backwards = Comparison::of(&now, &then);
    assert!(backwards.headline().starts_with("slow-queries fails now; 1 findings new, 0 gone"));
    let mut markdown = Vec::new();
    write_markdown(&backwards, &mut markdown).unwrap();
    assert!(String::from_utf8(markdown).unwrap().contains("### New"));
}

#[test]
fn other_surroundings_are_said_and_not_judged() {
    let then = without_debug(sample());
    let judged = |change: &dyn Fn(&mut RunReport)| {
        let mut now = without_debug(repaired());
        change(&mut now);
        let comparison = Comparison::of(&then, &now);
        let changed: Vec<_> = comparison.changed().map(|pair| pair.any().metric).collect();
        (comparison.fairness.differences.join("; "), changed)
    };
    let (said, changed) = judged(&|now| now.environment.cpu_count = 64);
    assert_eq!((said.contains("64 on linux"), changed), (true, vec!["buffers"]));
    let (said, changed) = judged(&|now| now.environment.processor = Some("another".into()));
    assert_eq!((said.contains("another"), changed), (true, vec!["buffers"]));
    let (said, changed) = judged(&|now| now.target.as_mut().unwrap().server_version_num = 180_001);
    assert_eq!((said.contains("different servers"), changed), (true, vec![]));
    let (said, changed) = judged(&|now| now.seed = 7);
    assert_eq!((said.contains("different seeds"), changed), (true, vec![]));
    let (said, _) = judged(&|now| now.complete = false);
    assert!(said.contains("partial"), "{said}");
}

#[test]
fn a_run_does_not_differ_from_itself() {
    let (then, now) = (sample(), sample());
    let comparison = Comparison::of(&then, &now);
    assert!(comparison.headline().starts_with("no verdict changed; 0 findings new, 0 gone, 1 in both; 0 of"));
    assert_eq!(comparison.fairness.times, None);
}

#[test]
fn what_a_run_was_not_asked_about_is_neither_gone_nor_new() {
    let whole = without_debug(sample());
    let mut named = without_debug(sample());
    named.confined_to = vec!["other_query".into()];
    named.scenarios[0].findings.clear();
    for m in &mut named.scenarios[0].measurements {
        m.subject = "other_query".into();
    }
    let words = |comparison: &Comparison<'_>| {
        let mut words: Vec<String> = comparison
            .measurements
            .iter()
            .map(|pair| format!("{} {}", pair.any().subject, pair.judgement.word()))
            .collect();
        words.sort();
        words.dedup();
        words
    };
    let comparison = Comparison::of(&whole, &named);
    assert!(comparison.headline().contains("0 gone, 0 in both, 1 about what one run was not asked"));
    // The whole run was asked about the other query too, and knows nothing of it: that one is new.
    let judged = words(&comparison);
    assert!(judged.contains(&"order_history not asked in the later run".to_owned()), "{judged:?}");
    assert!(judged.contains(&"other_query new".to_owned()), "{judged:?}");
    // Named or not, what both were asked about and one lacks is gone.
    let mut without = without_debug(sample());
    without.scenarios[0].findings.clear();
    without.scenarios[0].measurements.clear();
    let comparison = Comparison::of(&whole, &without);
    assert_eq!(comparison.gone.len(), 1);
    assert!(words(&comparison).contains(&"order_history gone".to_owned()));
    // A run that was cut short says nothing about what it lacks.
    without.complete = false;
    let comparison = Comparison::of(&whole, &without);
    assert_eq!((comparison.gone.len(), comparison.not_asked), (0, 1));
    assert!(words(&comparison).contains(&"order_history not reached in the later run".to_owned()));
}

#[test]
fn text_of_a_report_is_no_markup() {
    let (then, now) = (without_debug(sample()), without_debug(repaired()));
    let mut bytes = Vec::new();
    write_markdown(&Comparison::of(&then, &now), &mut bytes).unwrap();
    let said = String::from_utf8(bytes).unwrap();
    assert!(said.contains("| order\\_history | small | buffers | 39 blocks |"), "{said}");
}

fn run(folder: &Path, words: &[&str]) -> Output {
    plimsoll(folder).args(words).output().unwrap()
}

#[test]
fn the_command_writes_four_formats_and_refuses_nonsense() {
    let folder = tempfile::tempdir().unwrap();
    keep(&folder.path().join("reports"), THEN, sample());
    keep(&folder.path().join("reports"), NOW, repaired());
    for (format, part) in [
        ("terminal", "slow-queries repaired"),
        ("markdown", "## Plimsoll: slow-queries repaired"),
        ("json", "\"change\": \"repaired\""),
        ("html", "<h2 id=\"gone\">Findings that are gone</h2>"),
    ] {
        let output = run(folder.path(), &["compare", "20260101", "--format", format]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(code(&output) == 0 && said.contains(part), "{format}: {said}{}", stderr(&output));
    }
    for (words, part) in [
        (&["compare", "latest", NOW][..], "the same run"),
        (&["compare", "1999"][..], "no kept run is called `1999`"),
        (&["compare", "20260101", "--format", "junit"][..], "terminal, json, html and markdown"),
    ] {
        let output = run(folder.path(), words);
        assert!(code(&output) == 2 && stderr(&output).contains(part), "{}", stderr(&output));
    }
}

#[test]
fn json_has_every_measurement_with_its_judgement() {
    let (then, now) = (sample(), repaired());
    let mut bytes = Vec::new();
    write_json(&Comparison::of(&then, &now), &mut bytes).unwrap();
    let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(value["measurements"].as_array().unwrap().len(), 5);
    assert_eq!(value["measurements"][0]["judgement"], "lower");
    assert_eq!(value["findings"]["gone"][0]["code"], "over-budget");
}

#[test]
fn the_index_lists_all_runs_with_the_change_of_level() {
    let folder = tempfile::tempdir().unwrap();
    let reports = folder.path().join("reports");
    for day in 1..=12 {
        let report = if day <= 6 { sample() } else { repaired() };
        keep(&reports, &format!("202601{day:02}T000000-aaaaaa"), report);
    }
    fs::create_dir_all(reports.join("20260120T000000-broken")).unwrap();
    fs::write(reports.join("20260120T000000-broken/run.json"), "{").unwrap();
    let output = run(folder.path(), &["report", "--index"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let page = fs::read_to_string(reports.join("index.html")).unwrap();
    assert!(page.contains("12 kept runs") && page.contains("1 older or unreadable"), "{page}");
    assert!(
        page.contains("order_history p95 at small: 4.20 ms before run 20260107T000000-aaaaaa, 525 µs since")
    );
    assert!(page.contains("<svg") && !page.contains("<script"));
    let empty = tempfile::tempdir().unwrap();
    let output = run(empty.path(), &["report", "--index"]);
    assert!(code(&output) == 2 && stderr(&output).contains("no runs are kept"), "{}", stderr(&output));
}

/// A run that the first published format wrote, whole but for its length. A
/// key added since must not make its evidence unreadable.
#[test]
fn a_run_of_the_first_format_is_read_with_all_its_evidence() {
    let run = json::read(include_str!("kept/first-format.json")).unwrap();
    assert_eq!(run.scenarios.len(), 4);
    for scenario in &run.scenarios {
        assert_ne!(scenario.evidence, Evidence::None, "{}", scenario.scenario.name());
    }
    let mut page = Vec::new();
    plimsoll::report::html::write(&run, &mut page).unwrap();
    assert!(String::from_utf8(page).unwrap().contains("the order that deadlocks"));
}
