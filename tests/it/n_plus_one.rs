//! `n-plus-one`: the labelled set, and the demo's listings on a real server.

use crate::support;
use plimsoll::model::evidence::Evidence;
use plimsoll::model::evidence::n_plus_one::{JoinProof, NPlusOneEvidence};
use plimsoll::model::{Quiet, ScenarioReport, Severity, Verdict};
use plimsoll::postgres::Target;
use plimsoll::prepare::{Context, Databases};
use plimsoll::project::Project;
use plimsoll::proxy::{self, Recorder, ServerUrl};
use plimsoll::scenarios::n_plus_one::{Options, run, table_names};
use plimsoll::trace::Trace;
use std::collections::BTreeSet;
use std::path::Path;
use tokio_postgres::{Client, Config, NoTls};

#[path = "../../examples/n_plus_one_accuracy/set/mod.rs"]
mod set;

#[test]
fn the_labelled_set_is_judged_rightly() {
    for scenarios in [
        set::known(),
        set::held_out(),
        set::adversarial(),
        set::unseen(),
        set::field(),
        set::cut(),
        set::polymorphic(),
        set::reviewed(),
    ] {
        let score = set::score(&scenarios);
        assert!(score.wrong.is_empty(), "{:#?}", score.wrong);
        assert!(score.scenarios >= 12);
    }
}

/// Look-ups by the loop's own statement, next to the row that they coincide with, may be counted in.
#[test]
fn what_programs_from_outside_showed_is_judged_rightly() {
    let score = set::score(&set::outside());
    assert!(score.labelled_loops >= 60);
    assert_eq!((score.false_loops, score.false_repeats), (0, 0), "{:#?}", score.wrong);
    assert_eq!((score.found, score.repeats_found), (score.labelled_loops, score.repeats_labelled));
    assert_eq!((score.right_parent, score.unstated), (score.found, 0), "{:#?}", score.wrong);
    assert!(score.exact_n * 100 >= score.found * 95, "{:#?}", score.wrong);
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

/// The same where nothing tells the workers apart but the order of the rows.
#[test]
fn loops_through_one_pool_are_told_apart() {
    let score = set::score(&set::pooled(100, 12));
    assert!(score.labelled_loops > 200);
    assert_eq!((score.false_loops, score.false_repeats), (0, 0), "{:#?}", score.wrong);
    assert!(score.found * 100 >= score.labelled_loops * 98, "{:#?}", score.wrong);
    assert!(score.exact_n * 100 >= score.found * 98, "{:#?}", score.wrong);
    assert!(score.uncertain * 100 <= score.found * 10, "{} of {}", score.uncertain, score.found);
}

const SCHEMA: &str = "
    CREATE TABLE users (id int PRIMARY KEY, email text NOT NULL);
    CREATE TABLE orders (id int PRIMARY KEY, user_id int NOT NULL REFERENCES users, total numeric(10,2) NOT NULL,
        created_at timestamptz NOT NULL);
    INSERT INTO users SELECT n, 'user' || n || '@example.com' FROM generate_series(1, 100) n;
    INSERT INTO orders SELECT n, n * 37 % 100 + 1, n, timestamptz '2024-01-01' + n * interval '1 hour'
        FROM generate_series(1, 300) n;
    CREATE TABLE stock (order_id int, user_id int, amount int NOT NULL, PRIMARY KEY (order_id, user_id));
    INSERT INTO stock SELECT id, user_id, id FROM orders;
    ANALYZE;";

/// What an application asks, recorded by the proxy: as `Options::recorded` takes it.
pub(crate) async fn recorded<F>(ask: impl FnOnce(Vec<Client>) -> F) -> (String, Trace, String)
where
    F: Future<Output = ()>,
{
    recorded_with(|_| (), ask).await
}

/// The same by a recorder of other options.
pub(crate) async fn recorded_with<F>(
    change: impl FnOnce(&mut proxy::Options),
    ask: impl FnOnce(Vec<Client>) -> F,
) -> (String, Trace, String)
where
    F: Future<Output = ()>,
{
    let database = support::database("n_plus_one").await;
    database.execute(SCHEMA).await;
    let url = database.target.url_for(&database.name);
    let mut options = proxy::Options::new(&url, 7);
    options.names = Some(table_names(&url));
    change(&mut options);
    let recorder = Recorder::start(&options).unwrap();
    let mut clients = Vec::new();
    for _ in 0..2 {
        let direct = ServerUrl::parse(&url).unwrap();
        let address = recorder.address();
        let mut through = Config::new();
        through.host(address.ip().to_string()).port(address.port()).dbname(&database.name);
        through.user(direct.user().unwrap()).password(direct.password().unwrap_or_default());
        let (client, connection) = through.connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        clients.push(client);
    }
    ask(clients).await;
    let recording = tokio::task::spawn_blocking(move || recorder.stop().unwrap()).await.unwrap();
    ("the application".to_owned(), recording.trace, database.name)
}

async fn judged(root: &Path, options: &Options) -> anyhow::Result<ScenarioReport> {
    judged_on(support::server(), root, options).await
}

/// The same with another target than the server of this test run.
pub(crate) async fn judged_on(
    target: &Target,
    root: &Path,
    options: &Options,
) -> anyhow::Result<ScenarioReport> {
    let project = Project::load(root).unwrap_or_else(|problems| panic!("{problems:?}"));
    let databases = Databases::new(&project, target, &Quiet);
    let (progress, checkpoint) = (&Quiet, &|_: &ScenarioReport| {});
    run(
        &Context { project: &project, target, databases: &databases, seed: 42, progress, checkpoint },
        options,
    )
    .await
}

pub(crate) fn shop() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    support::write_file(folder.path(), "plimsoll.toml", "[volumes]\nsmall = 1\n");
    support::write_file(folder.path(), "migrations/001_baseline.sql", SCHEMA);
    folder
}

pub(crate) fn evidence(report: &ScenarioReport) -> &NPlusOneEvidence {
    let Evidence::NPlusOne(evidence) = &report.evidence else { panic!("{:?}", report.evidence) };
    evidence
}

const ORDERS: &str = "SELECT id, user_id, total FROM orders ORDER BY created_at DESC, id DESC LIMIT 20";
pub(crate) const EMAIL: &str = "SELECT id, email FROM users WHERE id = $1";
const JOINED: &str =
    "SELECT orders.id, users.email FROM orders JOIN users ON users.id = orders.user_id LIMIT 20";

async fn emails_per_row(client: &Client) {
    for order in client.query(ORDERS, &[]).await.unwrap() {
        client.query(EMAIL, &[&order.get::<_, i32>(1)]).await.unwrap();
    }
}

/// A loop, then the same code twice at once, then a join.
async fn listings() -> Options {
    let listed = recorded(async |clients: Vec<Client>| {
        clients[0].batch_execute("SET plimsoll.scope = 'one query per row'").await.unwrap();
        emails_per_row(&clients[0]).await;
        for client in &clients {
            client.batch_execute("SET plimsoll.scope = 'two workers at once'").await.unwrap();
        }
        tokio::join!(emails_per_row(&clients[0]), emails_per_row(&clients[1]));
        clients[0].batch_execute("SET plimsoll.scope = 'joined'").await.unwrap();
        clients[0].query(JOINED, &[]).await.unwrap();
    });
    Options { recorded: vec![listed.await], ..Options::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_per_row_is_found_and_a_joined_one_is_not() {
    let folder = shop();
    let options = Options { round_trips_us: vec![2000], ..listings().await };
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
            ("one query per row", 20, flow.0, flow.1),
            ("two workers at once", 20, flow.0, flow.1),
            ("two workers at once", 20, flow.0, flow.1),
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

/// A test that names its scope has said nothing of the connection that it runs on.
#[tokio::test(flavor = "multi_thread")]
async fn a_scope_is_one_that_something_was_asked_in() {
    let folder = shop();
    let asked = recorded(async |clients: Vec<Client>| {
        clients[0].batch_execute("BEGIN; SET LOCAL statement_timeout = '1min'; COMMIT").await.unwrap();
        clients[0].batch_execute("SET plimsoll.scope = 'test_listing'").await.unwrap();
        clients[0].query(JOINED, &[]).await.unwrap();
        clients[0].batch_execute("SET plimsoll.scope = 'test_of_nothing'").await.unwrap();
        clients[0].query("SHOW plimsoll.scope", &[]).await.unwrap();
        clients[1].query(JOINED, &[]).await.unwrap();
    });
    let options = Options { recorded: vec![asked.await], ..Options::default() };
    let report = judged(folder.path(), &options).await.unwrap();
    assert_eq!(evidence(&report).scopes, ["test_listing", "test_of_nothing", "connection 2"]);
}

/// Two keys, a LIMIT as an ORM puts one, and a LIMIT that cuts rows off.
#[tokio::test(flavor = "multi_thread")]
async fn children_with_several_parameters_are_batched_where_that_means_the_same() {
    let folder = shop();
    let listed = recorded(async |clients: Vec<Client>| {
        let client = &clients[0];
        for order in client.query(ORDERS, &[]).await.unwrap() {
            let (id, user): (i32, i32) = (order.get(0), order.get(1));
            let amount = "SELECT amount FROM stock WHERE order_id = $1 AND user_id = $2";
            client.query(amount, &[&id, &user]).await.unwrap();
            client.query("SELECT email FROM users WHERE id = $1 LIMIT 21", &[&user]).await.unwrap();
            let latest = "SELECT id FROM orders WHERE user_id = $1 ORDER BY created_at LIMIT 2";
            client.query(latest, &[&user]).await.unwrap();
        }
    });
    let options = Options { recorded: vec![listed.await], ..Options::default() };
    let report = judged(folder.path(), &options).await.unwrap();
    let evidence = evidence(&report);
    let mut batched: Vec<&str> = evidence.batched.iter().map(|proof| proof.batched_sql.as_str()).collect();
    batched.sort_unstable();
    assert_eq!(
        batched,
        [
            "SELECT id AS batch_key, email FROM users WHERE id = ANY($1)",
            "SELECT order_id AS batch_key_1, user_id AS batch_key_2, amount FROM stock WHERE (order_id, user_id) IN (SELECT * FROM unnest($1::\"int4\"[], $2::\"int4\"[]))",
        ],
        "{:?}",
        evidence.not_batched
    );
    assert!(evidence.batched.iter().all(|proof| proof.same_rows && proof.looped.rows == 20), "{evidence:?}");
    let [refusal] = evidence.not_batched.as_slice() else { panic!("{:?}", evidence.not_batched) };
    assert!(refusal.reason.contains("its LIMIT is not in the trace and cuts rows off"), "{refusal:?}");
}

/// Rows without a key keep their place, and the application remembers what it has looked up.
#[tokio::test(flavor = "multi_thread")]
async fn a_look_up_is_joined_to_its_parent_where_the_parents_values_are_known() {
    let folder = shop();
    let with_gaps = "SELECT id, nullif(user_id, 38) AS user_id FROM orders WHERE id < 160";
    let asked = recorded_with(
        |options| options.keeps_values = true,
        async |clients: Vec<Client>| {
            emails_per_row(&clients[0]).await;
            let named = "SELECT email FROM users WHERE id = $1 AND email <> 'user7@example.com' LIMIT 21";
            let mut known = BTreeSet::new();
            for order in clients[1].query(with_gaps, &[]).await.unwrap() {
                if let Some(user) = order.get::<_, Option<i32>>(1).filter(|user| known.insert(*user)) {
                    clients[1].query(named, &[&user]).await.unwrap();
                }
            }
        },
    );
    let options = Options { recorded: vec![asked.await], ..Options::default() };
    let report = judged(folder.path(), &options).await.unwrap();
    let mut joined = evidence(&report).joined.clone();
    joined.sort_by_key(|proof| proof.parent_rows);
    let [listed, gaps] = joined.as_slice() else { panic!("{:#?}", evidence(&report)) };
    assert_eq!(
        listed.joined_sql,
        format!(
            "SELECT parent.*, child.* FROM ({ORDERS}) AS parent LEFT JOIN (SELECT id AS batch_key, id, email FROM users) AS child ON child.batch_key = parent.user_id"
        )
    );
    let round_trips = |proof: &JoinProof| (proof.looped.round_trips, proof.joined.round_trips);
    assert_eq!((round_trips(listed), listed.parent_rows, listed.values), ((21, 1), 20, 20));
    assert_eq!((round_trips(gaps), gaps.parent_rows, gaps.values), ((100, 1), 159, 99));
    assert_eq!((gaps.looped.rows, gaps.joined.rows), (159, 159));
    assert!(gaps.joined_sql.contains("FROM users WHERE email <> 'user7@example.com')"), "{gaps:?}");
    assert!(joined.iter().all(|proof| proof.joined.buffers < proof.looped.buffers), "{joined:#?}");
    let lines = report.findings.iter().flat_map(|finding| &finding.evidence);
    let said: Vec<&String> = lines.filter(|line| line.contains("of the parent, the same rows")).collect();
    assert_eq!(said.len(), 2, "{:#?}", report.findings);
}

/// Of what a trace does not tell, nothing is said.
#[tokio::test(flavor = "multi_thread")]
async fn a_parent_without_its_values_is_joined_only_where_it_has_none() {
    let folder = shop();
    let asked = recorded(async |clients: Vec<Client>| {
        emails_per_row(&clients[0]).await;
        for order in clients[1].query("SELECT o.* FROM orders o ORDER BY o.id", &[]).await.unwrap() {
            clients[1]
                .query("SELECT email FROM users WHERE id = $1", &[&order.get::<_, i32>(1)])
                .await
                .unwrap();
        }
    });
    let options = Options { recorded: vec![asked.await], ..Options::default() };
    let report = judged(folder.path(), &options).await.unwrap();
    assert_eq!(evidence(&report).batched.len(), 2);
    let [proof] = evidence(&report).joined.as_slice() else { panic!("{:#?}", evidence(&report)) };
    assert_eq!((proof.parent_rows, proof.values, proof.joined.rows), (300, 100, 300));
    assert!(
        proof.joined_sql.contains("(SELECT o.* FROM orders o ORDER BY o.id) AS parent"),
        "{}",
        proof.joined_sql
    );
}

/// A command that asks once per order, with so many of them at the small and the large volume.
async fn at_two_volumes(small: i64, large: i64) -> Options {
    let at = async |rows: i64| {
        recorded(async |clients: Vec<Client>| {
            let some = "SELECT id, user_id FROM orders ORDER BY id LIMIT $1";
            for order in clients[0].query(some, &[&rows]).await.unwrap() {
                clients[0].query(EMAIL, &[&order.get::<_, i32>(1)]).await.unwrap();
            }
        })
        .await
    };
    Options {
        recorded: vec![at(small).await, at(large).await],
        grow: Some(["small".into(), "large".into()]),
        ..Options::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_count_that_follows_the_data_is_told_from_one_that_does_not() {
    let folder = shop();
    let report = judged(folder.path(), &at_two_volumes(1, 4).await).await.unwrap();
    // Four children are no loop by themselves; that there was one before is what tells.
    assert_eq!(report.verdict, Verdict::Pass);
    let [finding] = report.findings.as_slice() else { panic!("{:#?}", report.findings) };
    assert_eq!((finding.code, finding.severity), ("query-count-grows", Severity::Warning));
    assert_eq!(finding.message, "executed 1 times at the small volume and 4 times at the large one");
    let grows: Vec<_> = evidence(&report).growth.iter().map(|g| (g.small, g.large, g.grows)).collect();
    assert_eq!(grows, [(1, 4, true), (1, 1, false)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loop_found_at_two_volumes_is_measured_at_each() {
    let folder = shop();
    let report = judged(folder.path(), &at_two_volumes(6, 9).await).await.unwrap();
    let loops = report.measurements.iter().filter(|m| m.metric == "queries_per_parent");
    let found: Vec<_> = loops.map(|m| (m.volume.as_deref(), m.value)).collect();
    assert_eq!(found, [(Some("small"), 6.0), (Some("large"), 9.0)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_baseline_accepts_with_a_reason_and_reports_what_is_stale() {
    let folder = shop();
    let options = listings().await;
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
