//! The way out of a loop: what is tried, what is refused, and what is recommended.

use crate::n_plus_one::{evidence, judged_on, recorded_with, shop};
use crate::support;
use plimsoll::model::evidence::n_plus_one::NPlusOneEvidence;
use plimsoll::model::{Finding, ScenarioReport};
use plimsoll::scenarios::n_plus_one::Options;
use std::time::{Duration, Instant};
use tokio_postgres::Client;

/// Asks the parent, and the child for the second column of its first rows.
async fn looped(client: &Client, parent: &str, child: &str, rows: usize) {
    for row in client.query(parent, &[]).await.unwrap().iter().take(rows) {
        client.query(child, &[&row.get::<_, i32>(1)]).await.unwrap();
    }
}

/// A database in which `setup` was run, and what the application asked there, with its values.
async fn asked(setup: &str, ask: impl AsyncFnOnce(&Client)) -> (Options, String) {
    let listed = recorded_with(
        |options| options.keeps_values = true,
        async |clients: Vec<Client>| {
            clients[1].batch_execute(setup).await.unwrap();
            ask(&clients[0]).await;
        },
    )
    .await;
    let database = listed.2.clone();
    (Options { recorded: vec![listed], ..Options::default() }, database)
}

async fn judged(options: &Options) -> ScenarioReport {
    judged_on(support::server(), shop().path(), options).await.unwrap()
}

fn finding(report: &ScenarioReport) -> &Finding {
    let found = report.findings.iter().find(|finding| finding.code == "n-plus-one");
    found.unwrap_or_else(|| panic!("{:#?}", report.findings))
}

/// Why the one loop was neither batched nor joined.
fn refused(evidence: &NPlusOneEvidence) -> [&str; 2] {
    assert!(evidence.batched.is_empty() && evidence.joined.is_empty(), "{evidence:#?}");
    let ([batched], [joined]) = (&*evidence.not_batched, &*evidence.not_joined) else {
        panic!("{evidence:#?}")
    };
    [&batched.reason, &joined.reason]
}

const ORDERS: &str = "SELECT id, user_id FROM orders ORDER BY id";
const EMAIL: &str = "SELECT id, email FROM users WHERE id = $1";

#[tokio::test(flavor = "multi_thread")]
async fn a_join_that_would_take_long_is_given_up_early() {
    let slow = "CREATE FUNCTION slow(int) RETURNS int STABLE LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_sleep(0.05); RETURN $1; END'";
    let child = "SELECT email FROM users WHERE id = $1 AND slow(id) > 0";
    let (options, _) = asked(slow, async |client| looped(client, ORDERS, child, 6).await).await;
    let start = Instant::now();
    let report = judged(&options).await;
    assert!(start.elapsed() < Duration::from_secs(9), "{:?}", start.elapsed());
    let evidence = evidence(&report);
    let [refusal] = &*evidence.not_joined else { panic!("{evidence:#?}") };
    assert_eq!(refusal.reason, "asking for its 100 different values takes longer than it may");
    assert!(evidence.batched[0].same_rows, "{evidence:#?}");
    let lines = &finding(&report).evidence;
    assert!(lines.contains(&format!("not joined: {}", refusal.reason)), "{lines:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_somebody_has_locked_is_not_waited_for() {
    let (options, database) = asked("", async |client| looped(client, ORDERS, EMAIL, 9).await).await;
    let other = support::server().connect_to(&database).await.unwrap();
    other.batch_execute("BEGIN; LOCK TABLE users").await.unwrap();
    let report = judged(&options).await;
    for reason in refused(evidence(&report)) {
        assert!(reason.contains("lock timeout"), "{reason}");
    }
}

/// Ten teams whose members are asked for once each, and then once for each of many people.
#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_costs_more_is_not_recommended_and_a_huge_one_not_tried() {
    for (people, members, is_tried) in [(300, 20, true), (1000, 50, false)] {
        let setup = format!(
            "CREATE TABLE people (id int PRIMARY KEY, team int NOT NULL);
             CREATE TABLE members (id int PRIMARY KEY, team int NOT NULL, name text NOT NULL);
             INSERT INTO people SELECT n, n % 10 FROM generate_series(1, {people}) n;
             INSERT INTO members SELECT n, n % 10, repeat('x', 1000) FROM generate_series(1, 10 * {members}) n;
             CREATE INDEX ON members (team); ANALYZE"
        );
        let members = "SELECT name FROM members WHERE team = $1";
        let people = "SELECT id, team FROM people ORDER BY id";
        let (options, _) = asked(&setup, async |client| looped(client, people, members, 10).await).await;
        let report = judged(&options).await;
        let evidence = evidence(&report);
        let finding = finding(&report);
        assert!(!finding.next_step.contains("joined form"), "{finding:#?}");
        if is_tried {
            let [proof] = &*evidence.joined else { panic!("{evidence:#?}") };
            assert_eq!((proof.looped.rows, proof.looped.round_trips), (6000, 11));
            assert!(!proof.is_way_out(), "{proof:#?}");
            assert!(finding.evidence.iter().any(|line| line.ends_with("joined, which costs more")));
        } else {
            let [refusal] = &*evidence.not_joined else { panic!("{evidence:#?}") };
            assert!(refusal.reason.contains("rows of it, and 20000 are compared at most"), "{refusal:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_parent_is_not_fetched() {
    let setup = "CREATE TABLE visits (id int PRIMARY KEY, user_id int NOT NULL);
        INSERT INTO visits SELECT n, n % 100 + 1 FROM generate_series(1, 1001) n; ANALYZE";
    let visits = "SELECT id, user_id FROM visits ORDER BY id";
    let (options, _) = asked(setup, async |client| looped(client, visits, EMAIL, 9).await).await;
    let report = judged(&options).await;
    let [refusal] = &*evidence(&report).not_joined else { panic!("{:#?}", evidence(&report)) };
    assert_eq!(refusal.reason, "its parent returns more than the 1000 rows that it is tried with at most");
}

/// Statements mean other tables under another `search_path`, and where a temporary one hides them.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_said_of_tables_that_the_application_did_not_read() {
    let tenant = "CREATE SCHEMA tenant1; CREATE TABLE tenant1.users AS SELECT * FROM users;
        CREATE TABLE tenant1.orders AS SELECT * FROM orders";
    let count = "SELECT count(*) FROM orders WHERE user_id = $1";
    for (parent, child, is_joined) in [(ORDERS, EMAIL, true), ("SELECT email, id FROM users", count, false)] {
        let (options, _) = asked(tenant, async |client| {
            client.batch_execute("SET search_path = tenant1").await.unwrap();
            looped(client, parent, child, 9).await;
        })
        .await;
        let report = judged(&options).await;
        let evidence = evidence(&report);
        assert!(evidence.batched.is_empty() && evidence.joined.is_empty(), "{evidence:#?}");
        assert_eq!(evidence.not_joined.len(), usize::from(is_joined), "{evidence:#?}");
        for refusal in evidence.not_batched.iter().chain(&evidence.not_joined) {
            let expected = "the application read tenant1.";
            assert!(refusal.reason.starts_with(expected), "{refusal:?}");
            assert!(refusal.reason.contains("here the same text reads public."), "{refusal:?}");
        }
    }
    let (options, _) = asked("", async |client| {
        client.batch_execute("CREATE TEMP TABLE users AS SELECT * FROM public.users").await.unwrap();
        looped(client, ORDERS, EMAIL, 9).await;
    })
    .await;
    let report = judged(&options).await;
    for reason in refused(evidence(&report)) {
        assert!(reason.contains("a temporary"), "{reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_do_more_than_read_is_not_tried() {
    let setup = "CREATE FUNCTION peek(int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN $1; END';
        CREATE FUNCTION same(int, int) RETURNS bool LANGUAGE plpgsql AS 'BEGIN RETURN $1 = $2; END';
        CREATE OPERATOR @> (FUNCTION = same, LEFTARG = int, RIGHTARG = int);
        CREATE FUNCTION step(int, int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN $1 + $2; END';
        CREATE AGGREGATE stepped (int) (SFUNC = step, STYPE = int, INITCOND = '0');
        CREATE VIEW peeked AS SELECT id, email FROM users WHERE peek(id) > 0;
        CREATE VIEW twice AS SELECT p.id, p.email FROM peeked p;
        CREATE VIEW listed AS SELECT id, user_id, peek(id) AS seen FROM orders";
    for (parent, child, name) in [
        (ORDERS, "SELECT email FROM users WHERE id = $1 AND peek(id) = id", "peek"),
        (ORDERS, "SELECT email FROM users WHERE id = $1 AND id @> id", "same"),
        (ORDERS, "SELECT email FROM peeked WHERE id = $1", "peek"),
        (ORDERS, "SELECT email FROM twice WHERE id = $1", "peek"),
        (ORDERS, "SELECT stepped(id) FROM users WHERE id = $1", "step"),
        ("SELECT id, user_id, seen FROM listed ORDER BY id", EMAIL, "peek"),
    ] {
        let (options, _) = asked(setup, async |client| looped(client, parent, child, 9).await).await;
        let report = judged(&options).await;
        let evidence = evidence(&report);
        let expected = format!("it may call {name}, which is volatile");
        let is_parent = parent != ORDERS;
        let refusals = if is_parent { &evidence.not_joined } else { &evidence.not_batched };
        assert!(evidence.joined.is_empty() && evidence.batched.is_empty() != is_parent, "{evidence:#?}");
        assert!(refusals[0].reason.starts_with(&expected), "{child}: {refusals:?}");
    }
}

/// What a transactional test leaves behind: nothing equals nothing.
#[tokio::test(flavor = "multi_thread")]
async fn where_no_row_is_left_nothing_is_proven() {
    let setup = "CREATE TABLE notes (id int PRIMARY KEY, user_id int NOT NULL)";
    for (child, is_joined) in [
        ("SELECT id FROM notes WHERE user_id = $1", true),
        ("SELECT count(*) FROM notes WHERE user_id = $1", false),
    ] {
        let (options, _) = asked(setup, async |client| {
            client
                .batch_execute("BEGIN; INSERT INTO notes SELECT n, n FROM generate_series(1, 100) n")
                .await
                .unwrap();
            looped(client, ORDERS, child, 9).await;
            client.batch_execute("ROLLBACK").await.unwrap();
        })
        .await;
        let report = judged(&options).await;
        let evidence = evidence(&report);
        assert!(evidence.batched.is_empty() && evidence.joined.is_empty(), "{evidence:#?}");
        assert_eq!(evidence.not_joined.len(), usize::from(is_joined), "{evidence:#?}");
        for refusal in evidence.not_batched.iter().chain(&evidence.not_joined) {
            assert!(refusal.reason.starts_with("there are no rows to compare"), "{refusal:?}");
        }
        assert!(!finding(&report).next_step.contains("tried"), "{:#?}", report.findings);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn padded_keys_and_names_with_dots_are_understood() {
    let setup = "CREATE TABLE \"lists.of\" (id int PRIMARY KEY, code char(5) NOT NULL);
        CREATE TABLE codes (code char(5) PRIMARY KEY, name text NOT NULL);
        INSERT INTO codes SELECT 'c' || n, 'code ' || n FROM generate_series(1, 100) n;
        INSERT INTO \"lists.of\" SELECT n, 'c' || n FROM generate_series(1, 100) n; ANALYZE";
    for keeps_values in [true, false] {
        let listed = recorded_with(
            |options| options.keeps_values = keeps_values,
            async |clients: Vec<Client>| {
                clients[1].batch_execute(setup).await.unwrap();
                let lists = "SELECT id, code FROM \"lists.of\" ORDER BY id";
                for row in clients[0].query(lists, &[]).await.unwrap().iter().take(9) {
                    let name = "SELECT name FROM codes WHERE code = $1";
                    clients[0].query(name, &[&row.get::<_, &str>(1).trim_end()]).await.unwrap();
                }
            },
        )
        .await;
        let report = judged(&Options { recorded: vec![listed], ..Options::default() }).await;
        let [proof] = &*evidence(&report).batched else { panic!("{:#?}", evidence(&report)) };
        assert_eq!((proof.same_rows, proof.values, proof.batched.rows), (true, 9, 9), "{proof:?}");
    }
}

/// Equal numbers of another scale: the batched form's rows cannot be told apart by them.
#[tokio::test(flavor = "multi_thread")]
async fn a_join_is_recommended_also_where_the_batched_form_could_not_be_tried() {
    let setup = "CREATE TABLE amounts (id int PRIMARY KEY, amount numeric(10,2) NOT NULL);
        CREATE TABLE fees (amount numeric PRIMARY KEY, fee int NOT NULL);
        INSERT INTO fees SELECT n, n FROM generate_series(1, 30) n;
        INSERT INTO amounts SELECT n, n FROM generate_series(1, 30) n; ANALYZE";
    let (options, _) = asked(setup, async |client| {
        client.simple_query("SELECT id, amount FROM amounts ORDER BY id").await.unwrap();
        for amount in 1..=30 {
            client.simple_query(&format!("SELECT fee FROM fees WHERE amount = {amount}.00")).await.unwrap();
        }
    })
    .await;
    let report = judged(&options).await;
    let [refusal] = &*evidence(&report).not_batched else { panic!("{:#?}", evidence(&report)) };
    assert!(refusal.reason.contains("another notation"), "{refusal:?}");
    let step = &finding(&report).next_step;
    assert!(step.starts_with("Ask once for all rows with the joined form, which was tried"), "{step}");
}
