//! The deadlock scenario as a gate in CI: what is expected, exit codes, bounds,
//! the JUnit case; and its sweeps.

use crate::cli::{code, plimsoll, stderr};
use crate::support;
use plimsoll::model::evidence::Evidence;
use plimsoll::model::evidence::deadlock::DeadlockEvidence;
use plimsoll::model::{Quiet, ScenarioReport, Verdict};
use plimsoll::project::transaction::SpecFile;
use plimsoll::scenarios::deadlock::run::{Options, Place, run_specs};
use plimsoll::scenarios::deadlock::spec::Expectation;
use plimsoll::scenarios::deadlock::sweep::Sweep;
use std::fs;
use std::time::Duration;

const SETUP: &str = "
    setup { CREATE TABLE accounts (id int PRIMARY KEY, x int); INSERT INTO accounts SELECT n, 0 FROM generate_series(1, 30) n; }
    teardown { DROP TABLE accounts; }";

/// Two transactions that each update two accounts.
fn transfers(second: [u32; 2], begin: &str) -> String {
    format!(
        "{SETUP}
        session a setup {{ {begin} }}
        step a1 {{ UPDATE accounts SET x = x + 1 WHERE id = 1; }}
        step a2 {{ UPDATE accounts SET x = x - 1 WHERE id = 2; }}
        step ac {{ COMMIT; }}
        session b setup {{ {begin} }}
        step b1 {{ UPDATE accounts SET x = x + 1 WHERE id = {}; }}
        step b2 {{ UPDATE accounts SET x = x - 1 WHERE id = {}; }}
        step bc {{ COMMIT; }}",
        second[0], second[1]
    )
}

async fn run(label: &str, text: &str, options: Options) -> (ScenarioReport, DeadlockEvidence) {
    let database = support::database(label).await;
    let place =
        Place { target: database.target, source: &database.name, progress: &Quiet, checkpoint: &|_| () };
    let file = SpecFile { name: label.into(), path: format!("{label}.spec").into(), text: text.into() };
    let options = Options { repetitions: 0, step_timeout: Duration::from_secs(10), ..options };
    let report = run_specs(&place, &[file], &options).await.unwrap();
    let Evidence::Deadlock(evidence) = report.evidence.clone() else { panic!("no evidence") };
    (report, evidence)
}

fn expecting(word: &str) -> Options {
    Options { expect: Some(Expectation::of(word).unwrap()), predicts: false, ..Options::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_expected_decides_and_a_bound_leaves_it_open() {
    let (reverse, ordered) = (transfers([2, 1], "BEGIN;"), transfers([1, 2], "BEGIN;"));
    let snapshots = transfers([1, 2], "BEGIN ISOLATION LEVEL REPEATABLE READ;");
    for (text, word, verdict, finding) in [
        (&ordered, "none", "pass", None),
        (&reverse, "none", "fail", Some("deadlock")),
        (&reverse, "deadlock", "pass", None),
        (&ordered, "deadlock", "fail", Some("expected-deadlock-missing")),
        (&snapshots, "serialization", "pass", None),
        (&ordered, "serialization-failure", "fail", Some("expected-outcome-missing")),
        (&reverse, "serialization-failure", "fail", Some("deadlock")),
    ] {
        let (report, _) = run("expect", text, expecting(word)).await;
        assert_eq!(report.verdict.word(), verdict, "{word}: {}", report.summary);
        let failure = report.findings.iter().find(|f| f.severity == plimsoll::model::Severity::Failure);
        assert_eq!(failure.map(|found| found.code), finding, "{word}");
    }
    // One order is not all of them, whatever is expected.
    for word in ["none", "deadlock", "serialization-failure"] {
        let bounded = Options { max_interleavings: 1, ..expecting(word) };
        let (report, _) = run("bounded", &ordered, bounded).await;
        assert!(matches!(report.verdict, Verdict::Inconclusive { .. }), "{word}: {:?}", report.verdict);
    }
}

#[test]
fn the_gate_ends_with_its_exit_code_and_a_junit_case_per_spec() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("reverse.spec"), transfers([2, 1], "BEGIN;")).unwrap();
    fs::write(folder.path().join("ordered.spec"), transfers([1, 2], "BEGIN;")).unwrap();
    let gate = |arguments: &[&str]| {
        plimsoll(folder.path())
            .args(["deadlock", "--repetitions", "0", "--expect"])
            .args(arguments)
            .output()
            .unwrap()
    };
    let output = gate(&["none", "ordered.spec", "reverse.spec", "--format", "junit"]);
    assert_eq!(code(&output), 1, "{}", stderr(&output));
    let junit = String::from_utf8(output.stdout).unwrap();
    assert!(junit.contains("name=\"plimsoll\" tests=\"3\""), "a case per spec, one for the verdict: {junit}");
    assert_eq!(junit.matches("<failure ").count(), 2, "{junit}");
    for case in ["testcase name=\"ordered\"", "testcase name=\"reverse\"", "testcase name=\"verdict\""] {
        assert!(junit.contains(case), "{case}: {junit}");
    }
    assert_eq!(code(&gate(&["none", "ordered.spec"])), 0);
    assert_eq!(code(&gate(&["deadlock", "reverse.spec"])), 0);
    let bounded = ["none", "ordered.spec", "--max-interleavings", "1"];
    // What is open is enough, and skipped; where it is strict it is not, and fails.
    for (words, expected, element) in [(&[][..], 0, "<skipped "), (&["--strict"][..], 1, "<failure ")] {
        let output = gate(&[&bounded[..], &["--format", "junit"], words].concat());
        let junit = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(code(&output), expected, "{junit}");
        let (_, verdict) = junit.split_once("testcase name=\"verdict\"").unwrap();
        assert!(verdict.contains(element), "{words:?}: {junit}");
    }
    let wrong = gate(&["nothing", "ordered.spec"]);
    assert_eq!(code(&wrong), 2);
    assert!(stderr(&wrong).contains("serialization-failure"), "{}", stderr(&wrong));
}

/// The rows that a transaction locks are known without pgrowlocks, their modes are not.
#[tokio::test(flavor = "multi_thread")]
async fn without_pgrowlocks_the_pair_is_predicted_and_no_order_is_left_out() {
    let without = |ignores_pgrowlocks| Options { ignores_pgrowlocks, ..Options::default() };
    let text = transfers([2, 1], "BEGIN;");
    let (_, by_module) = run("by_module", &text, without(false)).await;
    let (_, by_xmax) = run("by_xmax", &text, without(true)).await;
    for evidence in [&by_module, &by_xmax] {
        let [prediction] = &evidence.predictions[..] else { panic!("{:?}", evidence.predictions) };
        assert!(prediction.is_confirmed(), "{prediction:?}");
        assert!(prediction.cycle[0].contains("row id=2 of accounts FOR NO KEY UPDATE"), "{prediction:?}");
        assert!(evidence.specs[0].deadlock.is_some());
    }
    assert!(by_module.specs[0].exploration.equivalent > 0);
    assert_eq!(by_xmax.specs[0].exploration.equivalent, 0, "what is guessed prunes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_measures_detection_and_workers_and_ordered_rows_never_deadlock() {
    let sweep = Sweep {
        deadlock_timeouts: vec![Duration::from_millis(10), Duration::from_millis(60)],
        workers: vec![1, 4],
        hot_rows: vec![2],
        point: Duration::from_millis(400),
        workers_timeout: Duration::from_millis(10),
    };
    let options = Options { sweep: Some(sweep), predicts: false, ..Options::default() };
    let (report, evidence) = run("swept", &transfers([2, 1], "BEGIN;"), options).await;
    assert_eq!(evidence.timeout_sweep.len(), 2);
    for (point, timeout_us) in evidence.timeout_sweep.iter().zip([10_000.0, 60_000.0]) {
        assert!(!point.trials.is_empty());
        assert!(
            point.trials.iter().all(|trial| (trial.deadlock_timeout_us - timeout_us).abs() < 1.0),
            "{point:?}"
        );
    }
    let [alone, crowd, alone_in_order, crowd_in_order] = &evidence.contention_sweep[..] else {
        panic!("{:?}", evidence.contention_sweep)
    };
    assert_eq!((alone.workers, alone.deadlocks, crowd.workers), (1, 0, 4));
    assert!(crowd.deadlocks > 0 && crowd.retries > 0 && crowd.committed > 0, "{crowd:?}");
    for point in [alone_in_order, crowd_in_order] {
        assert!(
            point.ordered && point.deadlocks == 0 && point.failures == 0 && point.committed > 0,
            "{point:?}"
        );
    }
    assert!(crowd.latency.p99_us >= crowd.latency.p50_us && crowd.latency.samples == crowd.committed);
    assert!(
        report.warnings.iter().all(|warning| !warning.message().contains("not swept")),
        "{:?}",
        report.warnings
    );
}
