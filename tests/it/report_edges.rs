//! What a hostile reader finds in reports: doubt shown as success, what was not
//! judged shown as gone, formats that are ignored.

use crate::cli::{code, plimsoll, stderr};
use crate::formats::written;
use crate::reports::sample;
use plimsoll::model::evidence::Evidence;
use plimsoll::model::evidence::n_plus_one::NPlusOneEvidence;
use plimsoll::model::evidence::regression::{Change, QueryComparison, RegressionEvidence};
use plimsoll::model::{Finding, Measurement, RunReport, Severity, Verdict};
use plimsoll::report::compare::{Comparison, write_markdown};
use plimsoll::report::{Format, history, kept_run};
use std::path::Path;

fn compared(query: &str, change: Change) -> QueryComparison {
    QueryComparison {
        query: query.into(),
        change,
        because: "buffers fell and rows read rose".into(),
        parameter_sets: Vec::new(),
        time: None,
        attribution: None,
        plan_choices: Vec::new(),
        is_unstable: false,
        limits: None,
    }
}

/// The case of that name, to the start of the next one.
fn case<'a>(xml: &'a str, suite: &str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<testsuite name=\"{suite}\""))?;
    let rest = rest.split("</testsuite>").next()?;
    let (_, rest) = rest.split_once(&format!("<testcase name=\"{name}\""))?;
    rest.split("<testcase").next()
}

#[test]
fn junit_shows_doubt_without_a_finding_as_skipped_and_a_failed_verdict_as_failed() {
    let mut run = sample();
    run.scenarios[1].findings.clear();
    run.scenarios[1].evidence = Evidence::Regression(Box::new(RegressionEvidence {
        queries: vec![compared("order_history", Change::Inconclusive)],
        ..RegressionEvidence::default()
    }));
    let mut reference = run.scenarios[0].measurements[0].clone();
    reference.subject = "ping".into();
    run.scenarios[0].measurements.push(reference);
    let xml = written(&run, Format::Junit);
    let doubt = case(&xml, "regression", "order_history").unwrap();
    assert!(doubt.contains("<skipped") && doubt.contains("buffers fell and rows read rose"), "{xml}");
    assert!(case(&xml, "slow-queries", "verdict").unwrap().contains("<failure"), "{xml}");
    assert_eq!(case(&xml, "slow-queries", "ping"), None, "{xml}");
    run.scenarios[1].evidence = Evidence::Regression(Box::new(RegressionEvidence {
        queries: vec![compared("order_history", Change::Unchanged)],
        ..RegressionEvidence::default()
    }));
    let xml = written(&run, Format::Junit);
    assert!(!case(&xml, "regression", "order_history").unwrap().contains("<skipped"), "{xml}");
}

/// The sample, in doubt about one query, asked to be strict or not.
fn doubtful(strict: bool) -> RunReport {
    let mut run = RunReport { strict, ..sample() };
    run.scenarios[1].findings.clear();
    run.scenarios[1].verdict = Verdict::Inconclusive { needs: "more pairs".into() };
    run.scenarios[1].evidence = Evidence::Regression(Box::new(RegressionEvidence {
        queries: vec![compared("order_history", Change::Inconclusive)],
        ..RegressionEvidence::default()
    }));
    let finding = sample().scenarios[0].findings[0].clone();
    let of = |code, severity, subject: &str| Finding {
        code,
        severity,
        subject: subject.into(),
        ..finding.clone()
    };
    run.scenarios[0].verdict = Verdict::Inconclusive { needs: "more samples".into() };
    run.scenarios[0].findings = vec![
        of("undecided", Severity::Warning, "order_history"),
        of("not-judged", Severity::Note, "no_budget"),
    ];
    run
}

#[test]
fn doubt_is_a_failure_in_a_strict_run_and_skipped_in_another() {
    let doubts =
        [("slow-queries", "order_history"), ("slow-queries", "verdict"), ("regression", "order_history")];
    for (strict, element) in [(false, "<skipped"), (true, "<failure")] {
        let xml = written(&doubtful(strict), Format::Junit);
        for (suite, name) in doubts {
            assert!(case(&xml, suite, name).unwrap().contains(element), "{suite} {name} {strict}: {xml}");
        }
        // Nobody was asked for a verdict here.
        assert!(case(&xml, "slow-queries", "no_budget").unwrap().contains("<skipped"), "{xml}");
        assert!(case(&xml, "n-plus-one", "verdict").unwrap().contains("<skipped"), "{xml}");
        assert_eq!(xml.contains("type=\"inconclusive\""), strict, "{xml}");
        let github = written(&doubtful(strict), Format::Github);
        assert_eq!(github.contains("::error title=plimsoll deadlock%3A inconclusive"), strict, "{github}");
        for (format, part) in [(Format::Terminal, "strict: "), (Format::Markdown, "**Strict**")] {
            let said = written(&doubtful(strict), format);
            assert_eq!(said.contains(part), strict, "{said}");
        }
    }
}

#[test]
fn a_kept_run_knows_that_it_was_strict_and_a_report_can_be() {
    let folder = tempfile::tempdir().unwrap();
    keep(folder.path(), "20260101T000000-aaaaaa", doubtful(false));
    keep(folder.path(), "20260102T000000-bbbbbb", doubtful(true));
    let failures = |words: &[&str]| {
        let output =
            plimsoll(folder.path()).args(["report", "--format", "junit"]).args(words).output().unwrap();
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        String::from_utf8_lossy(&output.stdout).matches("<failure").count()
    };
    assert_eq!(failures(&["20260101"]), 0);
    assert!(failures(&["20260101", "--strict"]) > 0);
    assert_eq!(failures(&["20260101", "--strict"]), failures(&["20260102"]));
}

#[test]
fn what_was_skipped_or_not_recorded_is_not_gone() {
    let then = sample();
    let told = |change: &dyn Fn(&mut RunReport)| {
        let mut now = sample();
        now.scenarios[0].findings.clear();
        now.scenarios[0].measurements.clear();
        change(&mut now);
        let comparison = Comparison::of(&then, &now);
        let mut words: Vec<_> = comparison.measurements.iter().map(|pair| pair.judgement.word()).collect();
        words.dedup();
        (comparison.gone.len(), comparison.not_asked, words.contains(&"gone".to_owned()))
    };
    assert_eq!(told(&|_| {}), (1, 0, true));
    assert_eq!(
        told(&|now| now.scenarios[0].verdict = Verdict::Skipped { reason: "no server".into() }),
        (0, 1, false)
    );
    let recorded = |statements| {
        move |now: &mut RunReport| {
            now.scenarios[0].evidence =
                Evidence::NPlusOne(NPlusOneEvidence { statements, ..NPlusOneEvidence::default() });
        }
    };
    assert_eq!(told(&recorded(0)), (0, 1, false));
    assert_eq!(told(&recorded(7)), (1, 0, true));
}

fn keep(folder: &Path, id: &str, report: RunReport) {
    let kept = kept_run::KeptRun::create(&folder.join("reports"), id).unwrap();
    kept.write(&RunReport { run_id: id.into(), ..report }).unwrap();
}

#[test]
fn what_cannot_be_shown_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    keep(folder.path(), "20260101T000000-aaaaaa", sample());
    for (words, part) in [
        (&["history", "--format", "junit"][..], "writes terminal and json"),
        (&["history", "nosuch"][..], "no kept run measured `nosuch`; measured were: order_history"),
        (&["history", "--schema"][..], "no kept run compared a query at two schema versions"),
        (&["report", "latest", "--format", "isolationtester"][..], "plimsoll deadlock --format"),
    ] {
        let output = plimsoll(folder.path()).args(words).output().unwrap();
        assert!(code(&output) == 2 && stderr(&output).contains(part), "{words:?}: {}", stderr(&output));
        assert!(output.stdout.is_empty(), "{words:?}");
    }
    let output = plimsoll(folder.path()).args(["history", "order_history"]).output().unwrap();
    assert!(code(&output) == 0 && !output.stdout.is_empty(), "{}", stderr(&output));
}

#[test]
fn markdown_names_nobody() {
    let mut run = sample();
    run.scenarios[0].findings[0].message = "a && b for @octocat, see #12".into();
    let location = run.scenarios[0].findings[0].location.as_mut().unwrap();
    location.path = "queries/a`b.sql".into();
    let said = written(&run, Format::Markdown);
    assert!(said.contains("a &amp;&amp; b for @<!-- -->octocat, see #<!-- -->12"), "{said}");
    assert!(said.contains("(`` queries/a`b.sql:2 ``)"), "{said}");
}

/// What GitHub takes of a comment, in characters.
const COMMENT_CHARS: usize = 65_536;

/// The sample with more and longer of everything than any comment holds.
fn enormous() -> RunReport {
    let mut run = sample();
    let long = |what: &str| format!("{what} ").repeat(20_000);
    run.run_id = long("run").trim().replace(' ', "-");
    run.environment.git_branch = Some(long("branch"));
    run.target.as_mut().unwrap().server_version = long("15");
    for scenario in &mut run.scenarios {
        let finding = Finding {
            message: long("@message|"),
            next_step: long("#next"),
            evidence: vec![long("```plan"), "line\n".repeat(10_000)],
            ..sample().scenarios[0].findings[0].clone()
        };
        scenario.summary = long("<summary>");
        scenario.findings = vec![finding; 100];
        scenario.warnings = vec![sample().scenarios[0].warnings[0].clone(); 100];
        for number in 0..5_000 {
            let of = &sample().scenarios[1].measurements[number % 2];
            scenario
                .measurements
                .push(Measurement { subject: format!("{number} {}", long("query")), ..of.clone() });
        }
    }
    run
}

#[test]
fn markdown_fits_a_comment_and_says_what_it_leaves_out() {
    let mut run = sample();
    for scenario in &mut run.scenarios {
        let plan = "Seq Scan on orders ".repeat(50);
        let finding = sample().scenarios[0].findings[0].clone();
        scenario.findings = vec![Finding { evidence: vec![plan; 200], ..finding }; 100];
        for number in 0..5_000 {
            let of = &sample().scenarios[1].measurements[number % 2];
            scenario.measurements.push(Measurement { subject: format!("query {number}"), ..of.clone() });
        }
    }
    let whole = "`plimsoll report 20260102T030405-00abcd --format json`";
    let said = written(&run, Format::Markdown);
    assert!(said.len() < COMMENT_CHARS, "{}", said.len());
    for scenario in ["slow-queries", "regression", "deadlock", "n-plus-one"] {
        let (_, section) = said.split_once(&format!("\n### {scenario}\n")).unwrap();
        let section = section.split("\n### ").next().unwrap();
        assert!(
            section.contains("**fail** `over-budget`") && section.contains("| query "),
            "{scenario}: {section}"
        );
        assert!(section.contains(&format!(" more findings: {whole}")), "{scenario}: {section}");
        assert!(section.contains(&format!(" more: {whole} (or csv)")), "{scenario}: {section}");
        assert!(section.ends_with("</details>\n") || scenario == "n-plus-one", "{scenario}: {section}");
    }
    // Everything at once: something of every kind is still there.
    let said = written(&enormous(), Format::Markdown);
    assert!(said.len() < COMMENT_CHARS, "{}", said.len());
    for part in ["**fail** `over-budget`", "| deadlock |", "more doubts: ", "<sub>Plimsoll"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn a_comparison_fits_a_comment_and_says_what_it_leaves_out() {
    let (then, mut now) = (sample(), enormous());
    for (number, finding) in now.scenarios.iter_mut().flat_map(|s| &mut s.findings).enumerate() {
        finding.subject = number.to_string();
    }
    let mut comparison = Comparison::of(&then, &now);
    comparison.since = vec!["a level changed ".repeat(10_000); 100];
    let mut bytes = Vec::new();
    write_markdown(&comparison, &mut bytes).unwrap();
    let said = String::from_utf8(bytes).unwrap();
    assert!(said.len() < COMMENT_CHARS, "{}", said.len());
    for part in
        ["### New", "more findings: `plimsoll compare 2026", "### Since when", "more changes of level"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn a_branch_cannot_mark_up_a_comparison() {
    let then = sample();
    let mut now = sample();
    now.environment.git_branch = Some("a|<b>@octocat".into());
    let mut bytes = Vec::new();
    write_markdown(&Comparison::of(&then, &now), &mut bytes).unwrap();
    let said = String::from_utf8(bytes).unwrap();
    assert!(said.contains("a\\|\\<b\\>@<!-- -->octocat"), "{said}");
}

#[test]
fn control_characters_reach_no_reader() {
    let mut run = sample();
    run.project = "shop\u{1b}]0;owned\u{7}".into();
    run.scenarios[0].findings[0].message = "title \u{1b}]0;owned\u{7}".into();
    run.scenarios[0].findings[0].evidence = vec!["\u{1b}[2Jwiped\u{9b}".into()];
    for format in [Format::Terminal, Format::Markdown, Format::Html, Format::Github] {
        let said = written(&run, format);
        assert!(said.contains("\u{241b}") && said.contains("]0;owned\u{2407}"), "{format:?}: {said}");
        assert!(!said.chars().any(|c| c.is_control() && c != '\n' && c != '\t'), "{format:?}");
    }
}

#[test]
fn github_gets_the_worst_first_and_no_notes() {
    let mut run = sample();
    let failure = run.scenarios[0].findings[0].clone();
    run.scenarios[3].findings = vec![failure; 11];
    run.scenarios[0].findings[0].severity = Severity::Warning;
    let said = written(&run, Format::Github);
    let kinds: Vec<_> = said.lines().map(|line| line.split([' ', ',']).next().unwrap()).collect();
    assert!(kinds.starts_with(&["::error"; 11]) && !said.contains("::notice"), "{said}");
    assert!(said.contains("\nnotes left out: 1"), "{said}");
    assert!(said.contains("not all 11 failures"), "{said}");
    run.scenarios[0].findings[0].evidence = vec!["a line of a plan\n".repeat(1_000)];
    let said = written(&run, Format::Github);
    let long = said.lines().find(|line| line.contains("a line of a plan")).unwrap();
    assert!(
        long.len() < 8_000 && long.contains("%0Aand 750 lines more, in the other formats%0Anext: "),
        "{long}"
    );
}

#[test]
fn a_volume_that_grew_is_not_the_querys_change() {
    let with_factor = |factor: f64, p95_us: f64| {
        let mut run = crate::export::full_run();
        let entry = &mut run.scenarios[0];
        let Evidence::SlowQueries(evidence) = &mut entry.evidence else { panic!("slow-queries first") };
        evidence.volumes.truncate(1);
        evidence.volumes[0].volume = "small".into();
        evidence.volumes[0].factor = factor;
        entry.measurements = sample().scenarios[0].measurements.clone();
        entry.measurements[0].value = p95_us;
        run
    };
    let told = |factor_now: f64| {
        let runs: Vec<RunReport> = (0..16)
            .map(|n| if n < 8 { with_factor(1.0, 61.6) } else { with_factor(factor_now, 3_060.0) })
            .collect();
        let mut bytes = Vec::new();
        history::write_trend(&runs, "order_history", &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    };
    let reason = "; not the query alone: volume small changed its size)";
    assert!(told(100.0).contains(reason), "{}", told(100.0));
    assert!(told(1.0).contains("level changed") && !told(1.0).contains("not the query"), "{}", told(1.0));
}

/// The same percentile has an interval of its own, at 95 %, in another picture.
#[test]
fn the_interval_of_a_budget_says_its_confidence() {
    let page = written(&crate::export::full_run(), Format::Html);
    assert!(page.contains("the value and its interval at 99.983 %, which decides"), "{page}");
    assert!(page.contains("p95 &lt; 5ms: 4.20 ms (3.78 ms to 4.62 ms at 99.983 %), pass"), "{page}");
}

/// A screen of 400 px has so much room between its margins.
const NARROW: f64 = 368.0;

#[test]
fn a_picture_wider_than_a_narrow_screen_is_drawn_again_for_one() {
    let kept = plimsoll::report::json::read(&crate::reports::older_run()).unwrap();
    let mut seen = Vec::new();
    for run in [kept, crate::export::full_run()] {
        let page = written(&run, Format::Html);
        let mut place = "";
        for piece in page.split_inclusive('>') {
            if piece.contains("<div class=\"wide\"") || piece.contains("<div class=\"narrow\"") {
                place = if piece.contains("wide") { "wide" } else { "narrow" };
            } else if piece.contains("</figure") && place == "narrow" {
                place = "";
            }
            let Some((_, box_)) = piece.split_once("<svg viewBox=\"0 0 ") else { continue };
            let width: f64 = box_.split(' ').next().unwrap().parse().unwrap();
            let (_, title) = piece.split_once("aria-label=\"").unwrap();
            assert!(width <= NARROW || place == "wide", "{width} px, shown on any screen: {title}");
            seen.push(format!("{place} {}", title.split('"').next().unwrap()));
        }
    }
    for part in
        ["the order that deadlocks", "queries where one would do", "over concurrent workers", "offered rate"]
    {
        let drawn = |place: &str| seen.iter().filter(|t| t.starts_with(place) && t.contains(part)).count();
        assert!(drawn("narrow") > 0 && drawn("wide") == drawn("narrow"), "{part}: {seen:#?}");
    }
}
