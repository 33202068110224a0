//! The deadlock scenario against a server: what deadlocks is found, measured and
//! named; what does not is not.

use crate::support;
use plimsoll::model::evidence::Evidence;
use plimsoll::model::evidence::deadlock::{
    Confirmation, ConflictKind, DeadlockEvidence, Outcome, SpecEvidence,
};
use plimsoll::model::{Quiet, ScenarioReport, Verdict};
use plimsoll::project::transaction::SpecFile;
use plimsoll::scenarios::deadlock::run::{Options, Place, run_specs};

const SETUP: &str = "
    setup { CREATE TABLE orders (id int PRIMARY KEY, status text); INSERT INTO orders VALUES (1, 'paid'), (2, 'paid'); }
    teardown { DROP TABLE orders; }";

fn spec(name: &str, text: &str) -> SpecFile {
    SpecFile { name: name.into(), path: format!("transactions/{name}.spec").into(), text: text.into() }
}

async fn run(label: &str, text: &str, options: &Options) -> (ScenarioReport, SpecEvidence) {
    let database = support::database(label).await;
    let place =
        Place { target: database.target, source: &database.name, progress: &Quiet, checkpoint: &|_| () };
    let report = run_specs(&place, &[spec(label, text)], options).await.unwrap();
    let Evidence::Deadlock(DeadlockEvidence { specs, .. }) = &report.evidence else { panic!("no evidence") };
    let spec = specs[0].clone();
    (report, spec)
}

fn options() -> Options {
    Options { repetitions: 2, step_timeout: std::time::Duration::from_secs(10), ..Options::default() }
}

fn pair(second: [&str; 2]) -> String {
    format!(
        "{SETUP}
        session first
        setup {{ BEGIN; SET LOCAL deadlock_timeout = '100ms'; }}
        step f1 {{ UPDATE orders SET status = 'shipped' WHERE id = 1; }}
        step f2 {{ UPDATE orders SET status = 'shipped' WHERE id = 2; }}
        step fc {{ COMMIT; }}
        session second
        setup {{ BEGIN; SET LOCAL deadlock_timeout = '100ms'; }}
        step s1 {{ UPDATE orders SET status = 'packed' WHERE id = {}; }}
        step s2 {{ UPDATE orders SET status = 'packed' WHERE id = {}; }}
        step sc {{ COMMIT; }}",
        second[0], second[1]
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn two_rows_in_reverse_order_deadlock_with_victim_survivor_and_cost() {
    let (report, spec) = run("reverse", &pair(["2", "1"]), &options()).await;
    assert_eq!(report.verdict, Verdict::Fail);
    assert_eq!(spec.exploration.total, 20);
    let parts = spec.exploration;
    assert_eq!(parts.executed + parts.equivalent + parts.impossible + parts.beyond_bound, 20);
    let deadlocks: u64 = spec
        .outcomes
        .iter()
        .filter(|(outcome, _)| *outcome == Outcome::Deadlock)
        .map(|(_, count)| count)
        .sum();
    assert!(deadlocks > 0 && deadlocks < parts.executed, "{:?}", spec.outcomes);
    let case = spec.deadlock.unwrap();
    assert_eq!(case.steps.len(), 4, "shortest: {:?}", case.steps);
    assert_eq!(case.kind, ConflictKind::RowOrder);
    assert_eq!(case.survivors.len(), 1);
    assert_ne!(case.survivors[0].0, case.victim_session);
    assert_eq!(case.wait_graph.len(), 2);
    let objects: Vec<String> = case.wait_graph.iter().map(|edge| edge.object.describe()).collect();
    assert!(objects.contains(&"row id=1 of orders".to_owned()), "{objects:?}");
    assert!(objects.contains(&"row id=2 of orders".to_owned()), "{objects:?}");
    let cost = spec.cost.unwrap();
    assert_eq!(cost.trials.len(), 2);
    for trial in &cost.trials {
        assert_eq!(trial.victim_session, trial.predicted_victim_session, "{trial:?}");
        assert!(trial.retry_succeeded, "{trial:?}");
        assert!((trial.deadlock_timeout_us - 100_000.0).abs() < 1.0, "{trial:?}");
    }
    let bystander = cost.bystander.unwrap();
    assert!(bystander.before.samples > 0 && bystander.during.samples > 0 && bystander.after.samples > 0);
    // Over time: every execution is in it, and every closed cycle, which lasts for deadlock_timeout.
    let executions: u64 = bystander.series.buckets.iter().map(|bucket| bucket.samples).sum();
    let phases = [bystander.before, bystander.during, bystander.after];
    assert_eq!(executions, phases.iter().map(|phase| phase.samples).sum::<u64>());
    assert_eq!(bystander.series.spans.len(), cost.trials.len());
    for span in &bystander.series.spans {
        assert!(span.from_us > 0.0 && span.to_us - span.from_us > 50_000.0, "{span:?}");
    }
    let finding = &report.findings[0];
    assert_eq!(finding.code, "deadlock");
    assert!(finding.evidence.iter().any(|line| line.starts_with("replay: permutation ")), "{finding:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_rows_in_one_order_never_deadlock() {
    let (report, spec) = run("ordered", &pair(["1", "2"]), &options()).await;
    assert_eq!(report.verdict, Verdict::Pass, "{:?}", spec.outcomes);
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    assert!(spec.outcomes.iter().any(|(outcome, _)| *outcome == Outcome::BlockedThenCompleted));
    assert!(spec.exploration.executed > 0 && spec.deadlock.is_none());
}

/// Pruning may lose orders, but no outcome: compared with all interleavings.
#[tokio::test(flavor = "multi_thread")]
async fn pruned_orders_come_to_what_all_orders_come_to() {
    let upgrade = format!(
        "{SETUP}
        session a
        setup {{ BEGIN; }}
        step a1 {{ SELECT * FROM orders WHERE id = 1 FOR SHARE; }}
        step a2 {{ UPDATE orders SET status = 'x' WHERE id = 1; }}
        step ac {{ COMMIT; }}
        session b
        setup {{ BEGIN; }}
        step b1 {{ SELECT * FROM orders WHERE id = 1 FOR SHARE; }}
        step b2 {{ UPDATE orders SET status = 'y' WHERE id = 1; }}
        step bc {{ ROLLBACK; }}"
    );
    let keys = format!(
        "{SETUP}
        session a
        step ab {{ BEGIN; }}
        step a1 {{ INSERT INTO orders VALUES (10, 'a'); }}
        step ac {{ COMMIT; }}
        session b
        step bb {{ BEGIN; }}
        step b1 {{ INSERT INTO orders VALUES (10, 'b'); }}
        step b2 {{ DELETE FROM orders WHERE id = 2; }}
        step bc {{ COMMIT; }}"
    );
    for (label, text) in [("prune_pair", pair(["2", "1"])), ("prune_upgrade", upgrade), ("prune_keys", keys)]
    {
        let (_, pruned) = run(label, &text, &Options { repetitions: 0, ..options() }).await;
        let (_, all) = run(label, &text, &Options { repetitions: 0, prunes: false, ..options() }).await;
        let outcomes = |spec: &SpecEvidence| {
            let mut outcomes: Vec<Outcome> = spec.outcomes.iter().map(|(outcome, _)| *outcome).collect();
            outcomes.sort();
            outcomes
        };
        assert_eq!(all.exploration.equivalent, 0);
        assert!(pruned.exploration.equivalent > 0, "{label}: {:?}", pruned.exploration);
        assert!(pruned.exploration.executed < all.exploration.executed, "{label}");
        assert_eq!(outcomes(&pruned), outcomes(&all), "{label}");
        let shortest = |spec: &SpecEvidence| spec.deadlock.as_ref().map(|case| case.steps.len());
        assert_eq!(shortest(&pruned), shortest(&all), "{label}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pair_is_predicted_from_solo_runs_also_across_specs() {
    let database = support::database("predicted").await;
    database.execute("CREATE TABLE orders (id int PRIMARY KEY, status text)").await;
    database.execute("INSERT INTO orders VALUES (1, 'paid'), (2, 'paid'), (3, 'paid')").await;
    let place =
        Place { target: database.target, source: &database.name, progress: &Quiet, checkpoint: &|_| () };
    let alone = |name: &str, keys: [u32; 2]| {
        spec(
            name,
            &format!(
                "session only setup {{ BEGIN; }} step first {{ UPDATE orders SET status = 'x' WHERE id = {}; }}
                 step then {{ UPDATE orders SET status = 'y' WHERE id = {}; }} step done {{ COMMIT; }}",
                keys[0], keys[1]
            ),
        )
    };
    let files = [alone("ships", [1, 2]), alone("cancels", [2, 1]), alone("other", [1, 3])];
    let report = run_specs(&place, &files, &options()).await.unwrap();
    let Evidence::Deadlock(evidence) = &report.evidence else { panic!("no evidence") };
    assert_eq!(evidence.predictions.len(), 2, "{:?}", evidence.predictions);
    let prediction = &evidence.predictions[0];
    assert!(prediction.rows.is_empty());
    assert_eq!(prediction.transactions, ["ships/only", "cancels/only"]);
    let Confirmation::Confirmed { replay } = &prediction.confirmation else { panic!("{prediction:?}") };
    assert_eq!(report.verdict, Verdict::Fail);
    assert_eq!(report.findings[0].code, "predicted-deadlock");
    let again = run_specs(&place, &[spec("replay", replay)], &options()).await.unwrap();
    assert!(again.findings.iter().any(|finding| finding.code == "deadlock"), "{replay}");
    // The third one names a row of its own, which could be the others'.
    let chosen = &evidence.predictions[1];
    assert_eq!(chosen.transactions, ["cancels/only", "other/only"]);
    assert_eq!(chosen.rows, ["other/only with row id=2 of orders in place of 3"]);
    assert!(chosen.is_confirmed() && !chosen.is_order_in_doubt, "{chosen:?}");
    let fixed = [alone("ships", [1, 2]), alone("cancels", [1, 2]), alone("other", [2, 3])];
    let report = run_specs(&place, &fixed, &options()).await.unwrap();
    assert_eq!(report.verdict, Verdict::Pass, "{:?}", report.findings);
}

/// The yardstick: PostgreSQL's own isolation specs. Not in this repository; `PLIMSOLL_ISOLATION_SUITE`
/// names a local `src/test/isolation` of the server's source, `PLIMSOLL_ISOLATION_ONLY` a part of a name.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL's source: PLIMSOLL_ISOLATION_SUITE=…/src/test/isolation"]
#[expect(clippy::print_stdout, reason = "says how many specs agree")]
async fn postgresqls_own_isolation_specs_print_what_the_isolation_tester_prints() {
    let suite = std::path::PathBuf::from(std::env::var_os("PLIMSOLL_ISOLATION_SUITE").unwrap());
    let only = std::env::var_os("PLIMSOLL_ISOLATION_ONLY").unwrap_or_default().into_string().unwrap();
    let mut names: Vec<String> = std::fs::read_dir(suite.join("specs"))
        .unwrap()
        .filter_map(|entry| Some(entry.ok()?.path().file_stem()?.to_str()?.to_owned()))
        // These two need max_prepared_transactions; the server's own schedule leaves them out, too.
        .filter(|name| !name.starts_with("prepared-transactions") && name.contains(&only))
        .collect();
    names.sort();
    let database = support::database("isolation_suite").await;
    let mut unequal = Vec::new();
    for name in &names {
        if let Some(difference) = compare_with_expected(&suite, name, &database).await {
            unequal.push((name, difference));
        }
    }
    println!("{} of {} specs print what is expected", names.len() - unequal.len(), names.len());
    for (name, difference) in &unequal {
        println!("--- {name}\n{difference}");
    }
    // Names the database it runs in, which here has a name of its own.
    unequal.retain(|(name, _)| *name != "intra-grant-inplace-db");
    assert!(unequal.is_empty());
}

async fn compare_with_expected(
    suite: &std::path::Path,
    name: &str,
    database: &support::TestDatabase,
) -> Option<String> {
    let text = std::fs::read_to_string(suite.join(format!("specs/{name}.spec"))).unwrap();
    let place =
        Place { target: database.target, source: &database.name, progress: &Quiet, checkpoint: &|_| () };
    let options = Options { transcript: true, max_interleavings: u64::MAX, ..Options::default() };
    // As the server's regression driver sets the sessions.
    let options = Options {
        step_timeout: std::time::Duration::from_secs(60),
        session_options: "-c timezone=PST8PDT -c datestyle=postgres,mdy -c intervalstyle=postgres_verbose"
            .into(),
        application_name: "isolation".into(),
        ..options
    };
    let report = match run_specs(&place, &[spec(name, &text)], &options).await {
        Ok(report) => report,
        Err(error) => return Some(format!("{error:#}")),
    };
    let Evidence::Deadlock(evidence) = &report.evidence else { return Some("no evidence".into()) };
    let mut printed = Vec::new();
    plimsoll::report::isolationtester::write_transcript(&evidence.specs[0].transcript, &mut printed).unwrap();
    let printed = String::from_utf8(printed).unwrap();
    let alternates = (0..10).map(|n| if n == 0 { format!("{name}.out") } else { format!("{name}_{n}.out") });
    let expected: Vec<String> = alternates
        .filter_map(|file| std::fs::read_to_string(suite.join("expected").join(file)).ok())
        .collect();
    if expected.contains(&printed) {
        return None;
    }
    let difference = similar::TextDiff::from_lines(&expected[0], &printed);
    let lines: Vec<String> =
        difference.unified_diff().context_radius(2).to_string().lines().take(40).map(str::to_owned).collect();
    Some(lines.join("\n"))
}

/// The table of `docs/deadlock.md`: detection against the server's rule. Prints it.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: cargo test --release --test it detection_time -- --ignored --nocapture"]
#[expect(clippy::print_stdout, reason = "prints the table of the docs")]
async fn detection_time_is_what_the_rule_gives() {
    println!(
        "| deadlock_timeout | trials | measured, ms | by the rule, ms | beyond the rule, ms | victim as predicted |"
    );
    println!("| --- | --- | --- | --- | --- | --- |");
    for timeout in ["1s", "100ms", "10ms"] {
        let text = pair(["2", "1"]).replace("100ms", timeout);
        let chosen = Options { repetitions: 10, predicts: false, ..options() };
        let (_, spec) = run("detection", &text, &chosen).await;
        let trials = spec.cost.unwrap().trials;
        let column = |value: &dyn Fn(&plimsoll::model::evidence::deadlock::DeadlockTrial) -> f64| {
            let mut values: Vec<f64> = trials.iter().map(|trial| value(trial) / 1e3).collect();
            values.sort_by(f64::total_cmp);
            (values[values.len() / 2], values[0], values[values.len() - 1])
        };
        let show = |(median, least, most): (f64, f64, f64)| format!("{median:.2} [{least:.2}-{most:.2}]");
        let beyond = column(&|trial| trial.detection_us - trial.predicted_us);
        let right =
            trials.iter().filter(|trial| trial.victim_session == trial.predicted_victim_session).count();
        println!(
            "| {timeout} | {} | {} | {} | {} | {right}/{} |",
            trials.len(),
            show(column(&|trial| trial.detection_us)),
            show(column(&|trial| trial.predicted_us)),
            show(beyond),
            trials.len()
        );
        assert!(beyond.0.abs() < 5.0, "the median is {} ms off the rule", beyond.0);
    }
}
