//! `n-plus-one`: the labelled set, and the demo's listings on a real server.

use crate::support;
use plimsoll::model::evidence::Evidence;
use plimsoll::model::evidence::n_plus_one::NPlusOneEvidence;
use plimsoll::model::{Quiet, ScenarioReport, Severity, Verdict};
use plimsoll::prepare::{Context, Databases};
use plimsoll::project::Project;
use plimsoll::scenarios::n_plus_one::{Options, run};
use std::path::Path;

#[path = "../../examples/n_plus_one_accuracy/set/mod.rs"]
mod set;

#[test]
fn the_labelled_set_is_judged_rightly() {
    for scenarios in [set::known(), set::held_out(), set::adversarial()] {
        let score = set::score(&scenarios);
        assert!(score.wrong.is_empty(), "{:#?}", score.wrong);
        assert!(score.scenarios >= 12);
    }
}

/// Random pages whose small keys all coincide: loops are found and nothing else
/// is, though a stray execution may be counted to the loop next to it.
#[test]
fn loops_are_told_apart_where_all_keys_coincide() {
    let score = set::score(&set::generated(100, 11));
    assert!(score.labelled_loops > 200);
    assert_eq!(score.false_loops, 0, "{:#?}", score.wrong);
    assert!(score.found * 100 >= score.labelled_loops * 98, "{:#?}", score.wrong);
    assert!(score.right_parent * 100 >= score.found * 98, "{:#?}", score.wrong);
    assert!(score.exact_n * 100 >= score.found * 99, "{:#?}", score.wrong);
}

const SCHEMA: &str = "
    CREATE TABLE users (id int PRIMARY KEY, email text NOT NULL);
    CREATE TABLE orders (id int PRIMARY KEY, user_id int NOT NULL REFERENCES users, total numeric(10,2) NOT NULL,
        created_at timestamptz NOT NULL);
    INSERT INTO users SELECT n, 'user' || n || '@example.com' FROM generate_series(1, 100) n;
    INSERT INTO orders SELECT n, n * 37 % 100 + 1, n, timestamptz '2024-01-01' + n * interval '1 hour'
        FROM generate_series(1, 300) n;
    ANALYZE;";

async fn judged(root: &Path, options: &Options) -> anyhow::Result<ScenarioReport> {
    let project = Project::load(root).unwrap_or_else(|problems| panic!("{problems:?}"));
    let target = support::server();
    let databases = Databases::new(&project, target, &Quiet);
    let context = Context {
        project: &project,
        target,
        databases: &databases,
        seed: 42,
        progress: &Quiet,
        checkpoint: &|_| {},
    };
    run(&context, options).await
}

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn shop() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "plimsoll.toml", "[volumes]\nsmall = 1\n");
    write(folder.path(), "migrations/001_baseline.sql", SCHEMA);
    folder
}

fn evidence(report: &ScenarioReport) -> &NPlusOneEvidence {
    let Evidence::NPlusOne(evidence) = &report.evidence else { panic!("{:?}", report.evidence) };
    evidence
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_per_row_is_found_and_a_joined_one_is_not() {
    let folder = shop();
    let options = Options { list_orders: true, round_trips_us: vec![2000], ..Options::default() };
    let report = judged(folder.path(), &options).await.unwrap();
    assert_eq!(report.verdict, Verdict::Fail);
    let found: Vec<_> = evidence(&report)
        .loops
        .iter()
        .map(|group| {
            (group.scope.as_str(), group.executions, group.pairs[0].from.as_str(), group.pairs[0].to.as_str())
        })
        .collect();
    let flow = ("orders.user_id", "users.id");
    assert_eq!(
        found,
        [
            ("list orders, one query per row", 20, flow.0, flow.1),
            ("list orders, two workers at once", 20, flow.0, flow.1),
            ("list orders, two workers at once", 20, flow.0, flow.1),
        ]
    );
    let failures: Vec<_> =
        report.findings.iter().filter(|finding| finding.severity == Severity::Failure).collect();
    assert_eq!(failures.len(), 1, "{:#?}", report.findings);
    assert_eq!(failures[0].code, "n-plus-one");

    let [proof] = evidence(&report).batched.as_slice() else { panic!("{:?}", evidence(&report).not_batched) };
    assert_eq!(proof.batched_sql, "SELECT id AS batch_key, id, email FROM users WHERE id = ANY($1)");
    assert!(proof.same_rows);
    assert_eq!((proof.looped.round_trips, proof.batched.round_trips), (20, 1));
    assert_eq!((proof.looped.rows, proof.batched.rows), (20, 20));
    assert!(proof.batched.buffers < proof.looped.buffers, "{proof:?}");
    assert_eq!(evidence(&report).round_trips[0].looped_us, 20 * 2000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_baseline_accepts_with_a_reason_and_reports_what_is_stale() {
    let folder = shop();
    let options = Options { list_orders: true, ..Options::default() };
    let first = judged(folder.path(), &options).await.unwrap();
    let fingerprint = &evidence(&first).loops[0].fingerprint;
    let baseline = folder.path().join("known.toml");
    let text = format!(
        "[[known]]\nfingerprint = \"{fingerprint}\"\nreason = \"twenty rows at most\"\n\n\
         [[known]]\nfingerprint = \"0000000000000000\"\nreason = \"gone\"\n"
    );
    std::fs::write(&baseline, text).unwrap();
    let options = Options { baseline: Some(baseline.clone()), ..options };
    let report = judged(folder.path(), &options).await.unwrap();
    assert_eq!(report.verdict, Verdict::Pass);
    assert_eq!(report.findings[0].severity, Severity::Warning);
    assert!(report.findings[0].message.contains("twenty rows at most"));
    assert_eq!(evidence(&report).stale_baseline, ["0000000000000000"]);
    assert_eq!(report.warnings[0].code(), "stale-baseline-entry");

    std::fs::write(&baseline, format!("[[known]]\nfingerprint = \"{fingerprint}\"\n")).unwrap();
    let error = judged(folder.path(), &options).await.unwrap_err();
    assert!(format!("{error:#}").contains("say why"), "{error:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_recorded_is_skipped() {
    let folder = shop();
    let report = judged(folder.path(), &Options::default()).await.unwrap();
    assert!(matches!(report.verdict, Verdict::Skipped { .. }));
}
