//! `plimsoll history`: what the kept runs show together, for people and for machines.

use crate::cli::{code, plimsoll, stderr};
use crate::reports::sample;
use plimsoll::model::RunReport;
use plimsoll::report::history::{self, Question};
use plimsoll::report::kept_run;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

fn run_id(day: usize) -> String {
    format!("202601{day:02}T000000-aaaaaa")
}

/// Twelve runs, a day apart; from the seventh on the query takes an eighth and reads an eighth.
fn runs() -> Vec<RunReport> {
    let run = |day: usize| {
        let mut run = RunReport {
            run_id: run_id(day),
            started_at: format!("2026-01-{day:02}T00:00:00Z"),
            warnings: Vec::new(),
            ..sample()
        };
        run.environment.git_commit = Some(format!("{day:02}23456789abcdef"));
        if day >= 7 {
            for m in &mut run.scenarios[0].measurements {
                m.value /= 8.0;
                if let Some(interval) = &mut m.interval {
                    interval.low /= 8.0;
                    interval.high /= 8.0;
                }
            }
        }
        run
    };
    (1..=12).map(run).collect()
}

fn keep(folder: &Path, runs: &[RunReport]) {
    for run in runs {
        kept_run::KeptRun::create(&folder.join("reports"), &run.run_id).unwrap().write(run).unwrap();
    }
}

fn said(folder: &Path, words: &[&str]) -> String {
    let output = plimsoll(folder).args(words).output().unwrap();
    assert_eq!(code(&output), 0, "{words:?}: {}", stderr(&output));
    String::from_utf8(output.stdout).unwrap()
}

fn json_of(runs: &[RunReport], question: Question<'_>) -> Value {
    let mut bytes = Vec::new();
    history::write_json(runs, question, &mut bytes).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

#[test]
fn the_published_schema_is_the_one_of_this_build() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/history.schema.json");
    let generated = serde_json::to_string_pretty(&history::schema()).unwrap() + "\n";
    if std::env::var_os("PLIMSOLL_UPDATE_SCHEMA").is_some() {
        fs::write(&path, &generated).unwrap();
    }
    assert!(
        fs::read_to_string(&path).unwrap_or_default() == generated,
        "docs/history.schema.json is out of date: PLIMSOLL_UPDATE_SCHEMA=1 cargo test --test it history::"
    );
}

#[test]
fn json_fits_its_published_schema() {
    let validator = jsonschema::validator_for(&history::schema()).unwrap();
    let mut odd = runs();
    odd[3].target = None;
    odd[4].environment.git_commit = None;
    odd[5].scenarios[0].measurements[0].interval.as_mut().unwrap().high = f64::INFINITY;
    odd.push(plimsoll::report::json::read(&crate::reports::older_run()).unwrap());
    for question in [
        Question::default(),
        Question { query: Some("order_history"), schema: false },
        Question { query: None, schema: true },
    ] {
        let document = json_of(&odd, question);
        let wrong: Vec<_> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{question:?}: {}", wrong.join("\n"));
        assert_eq!(document["trends"].as_array().unwrap().is_empty(), question.schema);
        assert_eq!(document["schema_versions"].as_array().unwrap().is_empty(), !question.schema);
        for pointer in ["/runs", "/trends", "/schema_version"] {
            let mut broken = document.clone();
            *broken.pointer_mut(pointer).unwrap() = json!("none");
            assert!(!validator.is_valid(&broken), "the schema lets a wrong {pointer} pass");
        }
    }
}

#[test]
fn json_has_runs_trends_and_changes_with_their_reason() {
    let mut runs = runs();
    for run in &mut runs[6..] {
        run.environment.processor = Some("another".into());
    }
    let mut document = json_of(&runs, Question::default());
    assert_eq!(document["runs"].as_array().unwrap().len(), 12);
    document["runs"].as_array_mut().unwrap().truncate(1);
    for trend in document["trends"].as_array_mut().unwrap() {
        let points = trend["points"].as_array_mut().unwrap();
        assert_eq!(points.len(), 12);
        points.drain(7..);
        points.drain(1..6);
    }
    insta::assert_snapshot!(serde_json::to_string_pretty(&document).unwrap());
}

#[test]
fn the_command_writes_json_of_one_query_with_all_its_metrics() {
    let folder = tempfile::tempdir().unwrap();
    keep(folder.path(), &runs());
    let of = |words: &[&str]| -> Vec<String> {
        let document: Value = serde_json::from_str(&said(folder.path(), words)).unwrap();
        let trends = document["trends"].as_array().unwrap();
        trends
            .iter()
            .map(|trend| format!("{} {}", trend["query"], trend["metric"]).replace('"', ""))
            .collect()
    };
    let expected = ["order_history p95", "order_history buffers"];
    assert_eq!(of(&["history", "--format", "json"]), expected);
    assert_eq!(of(&["history", "order_history", "--format", "json"]), expected);
}

/// The last run is the twelfth: the change was five runs before it.
#[test]
fn whoever_comes_later_is_told_since_when() {
    let folder = tempfile::tempdir().unwrap();
    keep(folder.path(), &runs());
    let since =
        format!("4.20 ms before run {}, 525 µs since (p = 0.002, commit 07234567, 6 runs at it)", run_id(7));
    let command = format!("plimsoll compare {} {}", run_id(6), run_id(7));
    let listed = said(folder.path(), &["history"]);
    assert!(listed.contains(&format!("order_history p95 at small: {since}")), "{listed}");
    assert!(listed.contains(&command), "{listed}");
    let trend = said(folder.path(), &["history", "order_history"]);
    let now = format!("now 525 µs, since run {}; 4.20 ms before (p = 0.002", run_id(7));
    assert!(trend.lines().nth(1).unwrap().contains(&now) && trend.contains(&command), "{trend}");
    let compared = |before: usize, format: &str| {
        said(folder.path(), &["compare", &run_id(before), "latest", "--format", format])
    };
    for format in ["terminal", "html", "markdown", "json"] {
        assert!(compared(1, format).contains("525 µs since (p = 0.002"), "{format}: {}", compared(1, format));
        assert!(!compared(8, format).contains("525 µs since"), "{format}: {}", compared(8, format));
    }
    said(folder.path(), &["report", "--index"]);
    let page = fs::read_to_string(folder.path().join("reports/index.html")).unwrap();
    assert!(page.contains(&since) && page.contains(&command), "{page}");
    assert!(page.contains(&format!("(4.20 ms before run {}, 6 runs at the new level)", run_id(7))), "{page}");
}

#[test]
fn a_level_that_was_left_again_says_until_when() {
    let (slow, fast) = (runs()[0].clone(), runs()[6].clone());
    let at = |day: usize| {
        let level = if (13..=24).contains(&day) { &fast } else { &slow };
        let started_at = format!("2026-01-{day:02}T00:00:00Z");
        RunReport { run_id: run_id(day), started_at, ..level.clone() }
    };
    let runs: Vec<RunReport> = (1..=36).map(at).collect();
    let mut bytes = Vec::new();
    history::write_runs(&runs, &mut bytes).unwrap();
    let said = String::from_utf8(bytes).unwrap();
    assert!(said.contains(&format!("525 µs from there until run {}", run_id(25))), "{said}");
    assert!(said.contains(&format!("525 µs before run {}, 4.20 ms since", run_id(25))), "{said}");
    let places: Vec<_> =
        [25, 13].map(|day| said.find(&format!("before run {}", run_id(day))).unwrap()).into();
    assert!(places[0] < places[1], "the latest first: {said}");
}

#[test]
fn what_else_changed_beside_a_change_of_level_is_said_with_doubt() {
    let told = |from: usize| {
        let mut runs = runs();
        for run in &mut runs[from..] {
            run.environment.processor = Some("another".into());
        }
        let mut bytes = Vec::new();
        history::write_trend(&runs, "order_history", &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap().lines().nth(1).unwrap().to_owned()
    };
    assert!(told(6).contains("6 runs at it; not the query alone: different machines"), "{}", told(6));
    let beside = format!("; perhaps not the query alone: at run {}, different machines", run_id(8));
    assert!(told(7).contains(&beside), "{}", told(7));
    assert!(!told(10).contains("not the query"), "{}", told(10));
}

/// As many runs as hourly ones in five days; the level changed at the sixteenth.
#[test]
fn a_change_more_than_a_hundred_runs_ago_is_told_everywhere() {
    let (slow, fast) = (runs()[0].clone(), runs()[6].clone());
    let id = |hour: usize| format!("202601{:02}T{:02}0000-aaaaaa", 1 + hour / 24, hour % 24);
    let at = |hour: usize| {
        let level = if hour < 15 { &slow } else { &fast };
        let started_at = format!("2026-01-{:02}T{:02}:00:00Z", 1 + hour / 24, hour % 24);
        RunReport { run_id: id(hour), started_at, ..level.clone() }
    };
    let folder = tempfile::tempdir().unwrap();
    keep(folder.path(), &(0..130).map(at).collect::<Vec<_>>());
    let since = format!("p95 at small: 4.20 ms before run {}, 525 µs since", id(15));
    // The fourteenth alone has too few runs before the change.
    for words in [&["history"][..], &["compare", &id(4), &id(129)], &["compare", &id(13), &id(20)]] {
        assert!(said(folder.path(), words).contains(&since), "{words:?}: {}", said(folder.path(), words));
    }
}

/// The runs of a day each are of the branch that the letter says, at the level it says: capital
/// letters are the slow one. `?` and `!` are runs of no known branch.
fn on_branches(days: &str) -> Vec<RunReport> {
    let (slow, fast) = (runs()[0].clone(), runs()[6].clone());
    let at = |(index, letter): (usize, char)| {
        let level = if letter.is_uppercase() || letter == '!' { &slow } else { &fast };
        let started_at = format!("2026-01-{:02}T00:00:00Z", index + 1);
        let mut run = RunReport { run_id: run_id(index + 1), started_at, ..level.clone() };
        run.environment.git_branch = match letter.to_ascii_lowercase() {
            'm' => Some("main".into()),
            '?' | '!' => None,
            other => Some(format!("feature-{other}")),
        };
        run
    };
    days.chars().enumerate().map(at).collect()
}

#[test]
fn a_difference_between_branches_is_said_to_be_one() {
    let because = |days: &str| -> Vec<Value> {
        let document = json_of(&on_branches(days), Question::default());
        let changes = document["trends"][0]["level_changes"].as_array().unwrap();
        changes.iter().map(|change| change["because"].clone()).collect()
    };
    let doubt = |what: &str| json!(format!("perhaps the branches differ, and none changed: {what}"));
    let since = |from: &str, day: usize| json!(format!("first on {from}, on main since run {}", run_id(day)));
    let cases = [
        // One branch, or none known: nothing to say.
        ("mmmmmmMMMMMM", vec![Value::Null]),
        ("??????!!!!!!", vec![Value::Null]),
        // Branches in turn, both changed.
        ("mamamamMAMAMAMA", vec![Value::Null]),
        // One after the other, and back.
        ("mmmmmmAAAAAA", vec![doubt("main before, feature-a from there")]),
        (
            "mmmmmmmmAAAAAAAAmmmmmmmm",
            vec![doubt("main before, feature-a from there"), doubt("feature-a before, main from there")],
        ),
        // Too few runs of main again to be a level.
        (
            "mmmmmmAAAAAAmA",
            vec![doubt(&format!(
                "main before, feature-a from there; main still took 525 µs in run {}",
                run_id(13)
            ))],
        ),
        // Merged.
        ("mmmmmmAAAMMMMMM", vec![since("feature-a", 10)]),
        ("mmmmmm!!!MMMMMM", vec![since("runs of no known branch", 10)]),
        // A detached checkout may be any branch.
        ("mmmmmm!!!!!!", vec![doubt("main before, runs of no known branch from there")]),
        ("??????MMMMMM", vec![doubt("runs of no known branch before, main from there")]),
        ("mmmmmmABCDEA", vec![doubt("main before, feature-a, feature-b, feature-c and 2 more from there")]),
    ];
    for (days, expected) in cases {
        assert_eq!(because(days), expected, "{days}");
    }
}

#[test]
fn people_are_told_of_the_branches_too() {
    let mut bytes = Vec::new();
    history::write_runs(&on_branches("mmmmmmAAAAAA"), &mut bytes).unwrap();
    let said = String::from_utf8(bytes).unwrap();
    let wanted =
        "6 runs at it; perhaps the branches differ, and none changed: main before, feature-a from there)";
    assert!(said.contains(wanted), "{said}");
}

#[test]
fn names_cannot_steer_a_terminal() {
    let mut runs = runs();
    for run in &mut runs {
        run.run_id.push_str("\u{1b}[2J");
        run.environment.git_commit = Some("\u{1b}[31mabc".into());
        for m in &mut run.scenarios[0].measurements {
            m.subject = "q\u{1b}]0;owned\u{7}".into();
        }
    }
    let mut bytes = Vec::new();
    history::write_runs(&runs, &mut bytes).unwrap();
    history::write_trend(&runs, "q\u{1b}]0;owned\u{7}", &mut bytes).unwrap();
    let said = String::from_utf8(bytes).unwrap();
    assert!(said.contains("q\u{241b}]0;owned\u{2407} p95 at small"), "{said}");
    assert!(!said.chars().any(|c| c.is_control() && c != '\n'), "{said:?}");
}
