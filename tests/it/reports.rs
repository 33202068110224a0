//! Every format of one made-up run report that has one of everything.

use plimsoll::model::evidence::Evidence;
use plimsoll::model::{
    Durability, Environment, Finding, Interval, Measurement, MeasurementWarning, RunReport, Scenario,
    ScenarioReport, Severity, SourceLocation, TargetDescription, TargetKind, Unit, Variant, Verdict,
};
use plimsoll::report::{Format, json, kept_run};
use std::fs;
use std::path::Path;

fn measurement(metric: &'static str, unit: Unit, value: f64, variant: Variant) -> Measurement {
    Measurement {
        subject: "order_history".into(),
        metric,
        unit,
        value,
        samples: 400,
        interval: (unit == Unit::Microseconds).then_some(Interval {
            low: value * 0.9,
            high: value * 1.1,
            confidence: 0.95,
        }),
        volume: Some("small".into()),
        variant,
    }
}

fn scenario(scenario: Scenario, verdict: Verdict, summary: &str) -> ScenarioReport {
    ScenarioReport {
        scenario,
        verdict,
        summary: summary.into(),
        findings: Vec::new(),
        measurements: Vec::new(),
        evidence: Evidence::None,
        warnings: Vec::new(),
        duration_ms: 1240,
    }
}

pub(crate) fn sample() -> RunReport {
    let over_budget = Finding {
        code: "over-budget",
        severity: Severity::Failure,
        subject: "order_history".into(),
        message: "order_history p95 is 4.20 ms, over its budget of 2 ms".into(),
        evidence: vec![
            "Seq Scan on orders  39 blocks, 2 500 rows read | 3 kept".into(),
            "user_id = 17 (common)".into(),
        ],
        next_step: "create an index on orders(user_id, created_at DESC)".into(),
        location: Some(SourceLocation { path: "queries/order_history.sql".into(), line: 2 }),
    };
    let note = Finding {
        code: "improved",
        severity: Severity::Note,
        subject: "order_history".into(),
        message: "order_history reads 5 blocks instead of 39".into(),
        evidence: Vec::new(),
        next_step: String::new(),
        location: None,
    };
    RunReport {
        run_id: "20260102T030405-00abcd".into(),
        started_at: "2026-01-02T03:04:05Z".into(),
        plimsoll_version: "0.0.0".into(),
        project: "shop".into(),
        target: Some(TargetDescription {
            kind: TargetKind::Throwaway,
            server_version: "15.18".into(),
            server_version_num: 150_018,
            durability: Durability { fsync: true, synchronous_commit: "on".into(), full_page_writes: true },
        }),
        environment: Environment {
            git_commit: Some("0123456789abcdef".into()),
            git_branch: Some("main".into()),
            cpu_count: 2,
            operating_system: "linux".into(),
            processor: Some("a processor".into()),
        },
        seed: 42,
        confined_to: vec![],
        scenarios: vec![
            ScenarioReport {
                findings: vec![over_budget],
                measurements: vec![
                    measurement("p95", Unit::Microseconds, 4200.0, Variant::Only),
                    measurement("buffers", Unit::Blocks, 39.0, Variant::Only),
                ],
                warnings: vec![MeasurementWarning::NoisyMachine { p95_over_median: 3.2 }],
                ..scenario(Scenario::SlowQueries, Verdict::Fail, "1 of 12 queries is over budget")
            },
            ScenarioReport {
                findings: vec![note],
                measurements: vec![
                    measurement("buffers", Unit::Blocks, 39.0, Variant::Before),
                    measurement("buffers", Unit::Blocks, 5.0, Variant::After),
                    measurement("time_ratio", Unit::Ratio, f64::INFINITY, Variant::Only),
                ],
                ..scenario(Scenario::Regression, Verdict::Pass, "0 regressed, 1 improved, 11 unchanged")
            },
            scenario(
                Scenario::Deadlock,
                Verdict::Inconclusive { needs: "a higher step timeout".into() },
                "1 order hung",
            ),
            scenario(
                Scenario::NPlusOne,
                Verdict::Skipped { reason: "the project names no command".into() },
                "not asked",
            ),
        ],
        warnings: vec![MeasurementWarning::DebugBuild],
        complete: true,
        strict: false,
    }
}

fn written(format: Format) -> String {
    let mut bytes = Vec::new();
    format.write(&sample(), false, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn terminal() {
    insta::assert_snapshot!(written(Format::Terminal));
}

#[test]
fn colour_adds_escapes_and_takes_no_word_away() {
    let mut bytes = Vec::new();
    Format::Terminal.write(&sample(), true, &mut bytes).unwrap();
    let coloured = String::from_utf8(bytes).unwrap();
    assert!(coloured.contains("\u{1b}["));
    assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), written(Format::Terminal));
}

#[test]
fn json_as_published() {
    insta::assert_snapshot!(written(Format::Json));
}

#[test]
fn junit() {
    insta::assert_snapshot!(written(Format::Junit));
}

#[test]
fn html_stands_alone_and_escapes_what_it_shows() {
    let mut report = sample();
    report.scenarios[0].findings[0].message = "<script>alert(1)</script>".into();
    let mut bytes = Vec::new();
    Format::Html.write(&report, false, &mut bytes).unwrap();
    let page = String::from_utf8(bytes).unwrap();
    assert!(page.contains("&lt;script&gt;alert"), "escaped");
    assert!(!page.contains("<script"), "no script at all");
    for outside in ["http://", "https://", "src=", "@import", "url("] {
        assert!(!page.contains(outside), "{outside} would leave the file");
    }
    assert!(page.len() < 1_000_000);
}

#[test]
fn the_first_screen_never_says_that_nothing_is_to_do_where_something_is_open() {
    let title = |change: &dyn Fn(&mut plimsoll::model::RunReport)| {
        let mut report = sample();
        report.scenarios.iter_mut().for_each(|entry| entry.findings.clear());
        change(&mut report);
        let mut bytes = Vec::new();
        Format::Html.write(&report, false, &mut bytes).unwrap();
        let page = String::from_utf8(bytes).unwrap();
        let (_, rest) = page.split_once("<h2 id=\"first\">").unwrap();
        (
            rest.split_once("</h2>").unwrap().0.to_owned(),
            rest.contains("</a> would be decided by a higher step timeout"),
        )
    };
    let without = |gone: Scenario| {
        move |report: &mut plimsoll::model::RunReport| {
            report.scenarios.retain(|entry| entry.scenario != gone && entry.verdict != Verdict::Fail);
        }
    };
    let open = without(Scenario::NPlusOne);
    assert_eq!(title(&open), ("Nothing failed, and not everything is decided".to_owned(), true));
    assert_eq!(title(&without(Scenario::Deadlock)).0, "Nothing to do");
    let partial = |report: &mut plimsoll::model::RunReport| {
        without(Scenario::Deadlock)(report);
        report.complete = false;
    };
    assert_eq!(title(&partial).0, "Run it again, to its end");
    assert_eq!(title(&|report| report.scenarios.clear()).0, "Nothing was asked");
}

#[test]
fn html() {
    insta::assert_snapshot!(written(Format::Html));
}

#[test]
fn sarif() {
    insta::assert_snapshot!(written(Format::Sarif));
}

#[test]
fn markdown() {
    insta::assert_snapshot!(written(Format::Markdown));
}

#[test]
fn github() {
    insta::assert_snapshot!(written(Format::Github));
}

#[test]
fn csv() {
    insta::assert_snapshot!(written(Format::Csv));
}

#[test]
fn a_kept_run_reads_back_as_it_was_written() {
    let text = written(Format::Json);
    let read = json::read(&text).unwrap();
    let mut again = Vec::new();
    json::write(&read, &mut again).unwrap();
    assert_eq!(String::from_utf8(again).unwrap(), text);
    assert_eq!(read.scenarios[0].findings, sample().scenarios[0].findings);
}

#[test]
fn a_key_of_a_later_version_is_ignored_and_a_later_format_refused() {
    let text = written(Format::Json).replacen('{', "{\"new_key\": 1,", 1);
    assert!(json::read(&text).is_ok());
    let text = written(Format::Json).replacen("\"schema_version\": 1", "\"schema_version\": 99", 1);
    let error = json::read(&text).unwrap_err().to_string();
    assert!(error.contains("format 99"), "{error}");
}

#[test]
fn the_published_schema_is_the_one_of_this_build() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/run.schema.json");
    let generated = serde_json::to_string_pretty(&json::schema()).unwrap() + "\n";
    if std::env::var_os("PLIMSOLL_UPDATE_SCHEMA").is_some() {
        fs::write(&path, &generated).unwrap();
    }
    assert!(
        fs::read_to_string(&path).unwrap_or_default() == generated,
        "docs/run.schema.json is out of date: PLIMSOLL_UPDATE_SCHEMA=1 cargo test --test it reports::"
    );
}

#[test]
fn kept_runs_are_found_by_prefix_and_as_latest_and_replaced_whole() {
    let folder = tempfile::tempdir().unwrap();
    for id in ["20260101T000000-aaaaaa", "20260102T000000-bbbbbb"] {
        let kept = kept_run::KeptRun::create(folder.path(), id).unwrap();
        kept.write(&sample()).unwrap();
        kept.write(&RunReport { run_id: id.into(), ..sample() }).unwrap();
    }
    let latest = kept_run::find(folder.path(), "latest").unwrap();
    assert_eq!(kept_run::read(&latest).unwrap().run_id, "20260102T000000-bbbbbb");
    let first = kept_run::find(folder.path(), "20260101").unwrap();
    assert_eq!(kept_run::read(&first).unwrap().run_id, "20260101T000000-aaaaaa");
    assert!(kept_run::find(folder.path(), "2026").is_err(), "two runs answer to it");
    kept_run::KeptRun::create(folder.path(), "20260102T000000-bbbbbb")
        .unwrap()
        .write_page(&sample())
        .unwrap();
    let mut names: Vec<_> =
        fs::read_dir(latest.parent().unwrap()).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["report.html", "run.json"], "no temporary file stays behind");
}

/// A run as an earlier Plimsoll kept it: the demo's, with fewer queries.
pub(crate) fn older_run() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/run-format-1.json");
    fs::read_to_string(path).unwrap()
}

#[test]
fn a_run_of_the_first_format_stays_readable_with_its_detail() {
    let run = json::read(&older_run()).unwrap();
    assert_eq!(run.scenarios.len(), 4);
    assert_eq!(run.verdict().word(), "fail");
    assert_eq!(run.scenarios[2].findings[0].code, "deadlock");
    assert_eq!(run.scenarios[3].findings[0].code, "n-plus-one");
    let kept = |index: usize| run.scenarios[index].measurements.len();
    assert_eq!((kept(2), kept(3)), (12, 4));
    for entry in &run.scenarios {
        assert!(
            entry.evidence != Evidence::None,
            "older runs lose the detail of {}: a key that is new in its evidence has to be an Option, or a list \
             with #[serde(default)]",
            entry.scenario.name()
        );
    }
}

#[test]
fn detail_that_cannot_be_read_is_said_to_be_left_out() {
    let text = older_run().replace("\"orders_left_out\"", "\"some_other_key\"");
    let run = json::read(&text).unwrap();
    assert_eq!(run.scenarios[2].evidence, Evidence::None);
    assert_eq!(run.scenarios[2].findings.len(), 1);
    assert!(run.scenarios[2].warnings.iter().any(|w| w.code() == "evidence-of-another-version"));
}
