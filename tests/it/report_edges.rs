//! What a hostile reader finds in reports: doubt shown as success, what was not
//! judged shown as gone, formats that are ignored.

use crate::cli::{code, plimsoll, stderr};
use crate::formats::written;
use crate::reports::sample;
use plimsoll::model::evidence::Evidence;
use plimsoll::model::evidence::n_plus_one::NPlusOneEvidence;
use plimsoll::model::evidence::regression::{Change, QueryComparison, RegressionEvidence};
use plimsoll::model::{RunReport, Verdict};
use plimsoll::report::compare::Comparison;
use plimsoll::report::{Format, kept_run};
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
        (&["history", "--format", "json"][..], "writes terminal only"),
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
