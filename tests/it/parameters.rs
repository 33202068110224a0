//! Parameter sets drawn from a real server's data.

use crate::support::{self, TestDatabase};
use plimsoll::parameters::{self, Bounds, ParameterSet};
use plimsoll::postgres::{Programs, Session};
use plimsoll::project::query::{Parameter, ParameterSource, Query, Thresholds};
use std::collections::HashSet;

/// A query whose parameters are `name = source`.
fn query(parameters: &[&str]) -> Query {
    let parameter = |text: &&str| {
        let (name, source) = text.split_once(" = ").expect("name = source");
        let source = ParameterSource::parse(source).expect(text);
        Parameter { name: name.to_owned(), source, line: 3 }
    };
    Query {
        is_cold: false,
        weight: 1.0,
        intermediate: Vec::new(),
        name: "history".to_owned(),
        path: "queries/history.sql".into(),
        line: 1,
        statements: Vec::new(),
        parameters: parameters.iter().map(parameter).collect(),
        budgets: Vec::new(),
        thresholds: Thresholds::default(),
    }
}

/// What pgbench itself makes of expressions, by `debug()`.
fn asked_of_pgbench(expressions: &[&str]) -> Option<Vec<String>> {
    let programs = Programs::find(
        support::server_options().postgres_bin.as_deref(),
        std::env::var_os("PATH").as_deref(),
    )
    .ok()?;
    let pgbench = programs.program("pgbench");
    if !pgbench.exists() {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("script.sql");
    let lines: String =
        expressions.iter().map(|expression| format!("\\set value debug({expression})\n")).collect();
    std::fs::write(&script, format!("\\set id 12\n{lines}SELECT 1;\n")).unwrap();
    let mut command = std::process::Command::new(pgbench);
    command.args(["-n", "-t", "1", "-f"]).arg(&script).arg(support::server().url_for("postgres"));
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let values = text.lines().filter_map(|line| line.split_once("): ")).map(|(_, value)| value);
    let bare = |value: &str| value.rsplit(' ').next().unwrap_or(value).to_owned();
    let values: Vec<String> = values.map(bare).collect();
    assert_eq!(values.len(), expressions.len(), "{text}");
    Some(values)
}

#[tokio::test]
async fn expressions_have_the_values_that_pgbench_gives_them() {
    let expressions = [
        "1 + :id % 7",
        "2 + 3 * 4 - 1 * -2",
        "-7 / 2",
        "-7 % 3",
        "7 / 2.0",
        "1 + 6 << 2 | 3",
        "5 & 6 # 3",
        "~ 5 + 1",
        "- 5 + 1",
        "int(2.5) + int(3.5)",
        "int(-5.4 - 3.8)",
        "mod(-54, 32)",
        "abs(-17.5)",
        "greatest(5, 4.5)",
        "least(5, 4, 3)",
        "hash(:id, 5432)",
        "hash_murmur2(-10, -3)",
        "hash_fnv1a(:id, -1)",
        "pow(2, 10)",
        "sqrt(2.25)",
        "not 1 = 2 and 2 < 3",
        "1 = 2 or not 3 <> 3",
        "case when :id < 10 then 1 when :id = 12 then 2 else 3 end",
        "(1 + 2) * 3",
    ];
    let Some(theirs) = asked_of_pgbench(&expressions) else {
        println!("skipped: there is no pgbench beside the server's programs");
        return;
    };
    let session = support::database("expressions").await.session().await;
    for (expression, theirs) in expressions.iter().zip(theirs) {
        let query = query(&["id = 12", &format!("value = {expression}")]);
        let ours = draw(&session, &query, 1).await[0].values[1].clone().unwrap();
        assert_eq!(ours, theirs, "{expression}");
    }
}

#[tokio::test]
async fn expressions_follow_the_seed_and_the_other_parameters_of_their_set() {
    let session = support::database("expression sets").await.session().await;
    let mut declared =
        query(&["low = 10 * :base", "high = :low + random_gaussian(1, 9, 2.5)", "base = random(1, 50)"]);
    declared.intermediate = vec![declared.parameters.remove(2)];
    let sets = draw(&session, &declared, 40).await;
    assert_eq!(sets, draw(&session, &declared, 40).await);
    assert_ne!(sets, parameters::draw(&session, &declared, 43, 40).await.unwrap());
    let number = |set: &ParameterSet, at: usize| set.values[at].as_ref().unwrap().parse::<i64>().unwrap();
    for set in &sets {
        assert_eq!((set.values.len(), number(set, 0) % 10), (2, 0), "{set:?}");
        assert!((1..=9).contains(&(number(set, 1) - number(set, 0))), "{set:?}");
    }
    assert!(sets.iter().map(|set| number(set, 0)).collect::<HashSet<_>>().len() > 10);
    let broken = query(&["id = 12", "value = 1 / (:id - 12)"]);
    let error = parameters::draw(&session, &broken, 42, 1).await.unwrap_err().to_string();
    assert_eq!(
        error,
        "queries/history.sql:3: parameter `value` of `history`: division by zero in `1 / (:id - 12)`"
    );
}

const SCHEMA: &str = "
    CREATE TYPE color AS ENUM ('red', 'green', 'blue');
    CREATE DOMAIN email AS varchar(20);
    CREATE TABLE orders (
        id bigint PRIMARY KEY, user_id int, status text, code char(2), mail email, token uuid, color color,
        paid boolean, total numeric(10, 2), ratio float8, day date, at timestamptz, small smallint, data jsonb, nothing int
    );
    -- User 7 has every second order; users 900 and up have one each.
    INSERT INTO orders
    SELECT n, CASE WHEN n % 2 = 0 THEN 7 WHEN n > 970 THEN n ELSE 100 + n % 10 END, 'status' || n % 3, 'ab', 'm' || n,
           md5(n::text)::uuid, 'red', true, n * 1.5, n, date '2024-01-01' + n, timestamptz '2024-01-01 UTC' + n * interval '1 hour',
           32767, jsonb_build_object('n', n), NULL
    FROM generate_series(1, 1000) AS n;
    CREATE TABLE \"Empty\" (id int);
    CREATE TABLE keyless (a int, b int);
    INSERT INTO keyless SELECT n, -n FROM generate_series(1, 100) AS n;
    CREATE VIEW order_view AS SELECT user_id FROM orders;
    ANALYZE";

async fn ready(label: &str) -> (TestDatabase, Session) {
    let database = support::database(label).await;
    database.execute(SCHEMA).await;
    let session = database.session().await;
    (database, session)
}

async fn draw(session: &Session, query: &Query, count: usize) -> Vec<ParameterSet> {
    parameters::draw(session, query, 42, count).await.unwrap_or_else(|error| panic!("{error}"))
}

fn column(sets: &[ParameterSet], index: usize) -> Vec<&str> {
    sets.iter().map(|set| set.values[index].as_deref().expect("a value")).collect()
}

#[tokio::test]
async fn samples_of_one_table_come_from_one_row_and_follow_its_frequencies() {
    let (_database, session) = ready("sample").await;
    let query = query(&["id = sample(orders.id)", "user = sample(orders.user_id)"]);
    let sets = draw(&session, &query, 200).await;
    assert_eq!(sets.len(), 200);
    for set in &sets {
        let id: i32 = set.values[0].as_deref().unwrap().parse().unwrap();
        let user: i32 = session
            .query_one("SELECT user_id FROM orders WHERE id = $1", &[&i64::from(id)])
            .await
            .unwrap()
            .get(0);
        assert_eq!(set.values[1].as_deref(), Some(user.to_string().as_str()));
    }
    let frequent = column(&sets, 1).iter().filter(|user| **user == "7").count();
    assert!((70..130).contains(&frequent), "half of the orders are of user 7: {frequent} of 200");
    assert_eq!(column(&sets, 0).iter().collect::<HashSet<_>>().len(), 200, "no row twice");
    assert_eq!(
        sets[0].label,
        format!("id={} (sample), user={} (sample)", column(&sets, 0)[0], column(&sets, 1)[0])
    );
}

#[tokio::test]
async fn the_same_seed_and_data_give_the_same_sets_however_rows_are_stored() {
    let (_database, session) = ready("reproducible").await;
    let query = query(&[
        "a = sample(orders.user_id)",
        "b = rare(orders.user_id)",
        "c = absent(orders.token)",
        "d = range(1, 1000000)",
        "e = list(sample(orders.id), 3)",
    ]);
    let first = draw(&session, &query, 5).await;
    // Rewritten in the opposite order: the data is the same, their places are not.
    session
        .batch_execute("CREATE TABLE copy AS SELECT * FROM orders; TRUNCATE orders; INSERT INTO orders SELECT * FROM copy ORDER BY id DESC; ANALYZE")
        .await
        .unwrap();
    assert_eq!(draw(&session, &query, 5).await, first);
    let other = parameters::draw(&session, &query, 43, 5).await.unwrap();
    assert_ne!(other, first);
    assert!(first[0].values[4].as_deref().unwrap().starts_with("{\""));
}

#[tokio::test]
async fn common_rare_and_absent_are_what_they_say() {
    let (_database, session) = ready("kinds").await;
    let query =
        query(&["a = common(orders.user_id)", "b = rare(orders.user_id)", "c = absent(orders.user_id)"]);
    for set in draw(&session, &query, 4).await {
        let count = |index: usize| {
            let statement =
                format!("SELECT count(*) FROM orders WHERE user_id = {}", set.values[index].clone().unwrap());
            let session = &session;
            async move { session.query_one(&statement, &[]).await.unwrap().get::<_, i64>(0) }
        };
        assert_eq!((count(0).await, count(1).await, count(2).await), (500, 1, 0), "{}", set.label);
    }
}

#[tokio::test]
async fn every_type_with_a_value_to_spare_has_an_absent_one() {
    let (_database, session) = ready("absent").await;
    for name in [
        "id", "user_id", "status", "code", "mail", "token", "color", "paid", "total", "ratio", "day", "at",
        "small",
    ] {
        let sets = draw(&session, &query(&[&format!("x = absent(orders.{name})")]), 2).await;
        for set in sets {
            let value = set.values[0].clone().expect("a value").replace('\'', "''");
            let statement = format!("SELECT count(*) FROM orders WHERE {name} = '{value}'");
            let count: i64 = session
                .query_one(&statement, &[])
                .await
                .unwrap_or_else(|error| panic!("{statement}: {error}"))
                .get(0);
            assert_eq!(count, 0, "{}", set.label);
        }
    }
}

#[tokio::test]
async fn tables_without_a_key_and_views_are_sampled_too() {
    let (_database, session) = ready("keyless").await;
    let sets =
        draw(&session, &query(&["a = sample(keyless.a)", "b = sample(public.order_view.user_id)"]), 10).await;
    assert_eq!(column(&sets, 0).iter().collect::<HashSet<_>>().len(), 10);
}

#[tokio::test]
async fn a_column_sampled_twice_comes_from_two_rows() {
    let (_database, session) = ready("twice").await;
    let query =
        query(&["low = sample(orders.id)", "user = sample(orders.user_id)", "high = sample(orders.id)"]);
    let sets = draw(&session, &query, 50).await;
    assert!(sets.iter().all(|set| set.values[0] != set.values[2]));
    let user: i32 = session
        .query_one(&format!("SELECT user_id FROM orders WHERE id = {}", column(&sets, 0)[0]), &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(column(&sets, 1)[0], user.to_string(), "the first of each column are of one row");
}

#[tokio::test]
async fn constants_give_one_set() {
    let (_database, session) = ready("constants").await;
    assert_eq!(draw(&session, &query(&[]), 50).await.len(), 1);
    let sets = draw(&session, &query(&["a = 5", "b = null"]), 50).await;
    assert_eq!(sets.len(), 1);
    assert_eq!(sets[0].label, "a=5, b=NULL");
}

#[tokio::test]
async fn contrasting_sets_hold_common_rare_absent_and_sampled_values() {
    let (_database, session) = ready("contrast").await;
    let query =
        query(&["user = sample(orders.user_id)", "status = sample(orders.status)", "n = range(1, 3)"]);
    let sets = parameters::draw_contrasting(&session, &query, 42).await.unwrap();
    for origin in ["user=7 (common)", "(rare)", "(absent)", "(sample)"] {
        assert!(sets.iter().any(|set| set.label.contains(origin)), "{origin}: {sets:?}");
    }
    assert_eq!(sets.iter().map(|set| &set.values).collect::<HashSet<_>>().len(), sets.len(), "no set twice");
    assert!(sets.len() <= 16);
    assert_eq!(parameters::draw_contrasting(&session, &query, 42).await.unwrap(), sets);
}

#[tokio::test]
async fn what_cannot_be_drawn_says_where_and_what_to_do() {
    let (_database, session) = ready("errors").await;
    for (source, expected) in [
        (
            "sample(order.id)",
            "queries/history.sql:3: parameter `x` of `history`: there is no table `order`: did you mean `orders`?",
        ),
        (
            "rare(orders.user_idd)",
            "queries/history.sql:3: parameter `x` of `history`: `orders` has no column `user_idd`: did you mean `user_id`?",
        ),
        (
            "sample(orders.nothing)",
            "queries/history.sql:3: parameter `x` of `history`: no row of public.orders has a value in \"nothing\": seed the table first, or write a value instead",
        ),
        (
            "common(\"Empty\".id)",
            "queries/history.sql:3: parameter `x` of `history`: no row of public.\"Empty\" has a value in \"id\": seed the table first, or write a value instead",
        ),
        (
            "absent(orders.data)",
            "queries/history.sql:3: parameter `x` of `history`: cannot find a value of type jsonb that no row of public.orders holds: write one that you know is absent",
        ),
    ] {
        let error = parameters::draw(&session, &query(&[&format!("x = {source}")]), 42, 3).await.unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

#[tokio::test]
async fn tables_too_large_to_read_as_a_whole_are_probed_or_sampled() {
    let (_database, session) = ready("large").await;
    let bounds = Bounds { whole_table_bytes_max: 0 };
    let query = query(&[
        "a = sample(orders.user_id)",
        "b = sample(keyless.a)",
        "c = common(orders.user_id)",
        "d = rare(orders.user_id)",
        "e = common(orders.id)",
        "f = absent(orders.user_id)",
    ]);
    let draw = || async {
        parameters::draw_within(&session, &query, 42, 100, bounds)
            .await
            .unwrap_or_else(|error| panic!("{error}"))
    };
    let sets = draw().await;
    let frequent = column(&sets, 0).iter().filter(|user| **user == "7").count();
    assert!((30..70).contains(&frequent), "half of the orders are of user 7: {frequent} of 100");
    assert_eq!(column(&sets, 1).iter().collect::<HashSet<_>>().len(), 100, "every row of the sample once");
    assert!(column(&sets, 2).iter().all(|user| *user == "7"));
    for user in column(&sets, 3) {
        let statement = format!("SELECT count(*) FROM orders WHERE user_id = {user}");
        let count: i64 = session.query_one(&statement, &[]).await.unwrap().get(0);
        assert!((1..100).contains(&count), "{user} has {count} orders");
    }
    assert_eq!(
        column(&sets, 4).iter().collect::<HashSet<_>>().len(),
        1,
        "all values of a key are as frequent"
    );
    assert_eq!(draw().await, sets);
}
