//! Loops over more rows than the recorder keeps, and over rows of several kinds, on a real server.

use crate::n_plus_one::{EMAIL, evidence, judged_on, recorded, recorded_with, shop};
use crate::support;
use plimsoll::model::Severity;
use plimsoll::model::evidence::n_plus_one::Certainty;
use plimsoll::scenarios::n_plus_one::Options;
use plimsoll::trace::Bounds;
use tokio_postgres::Client;

/// 5 000 orders, and a query for the user of each.
async fn emails_of_many(clients: Vec<Client>) {
    let more = "INSERT INTO users SELECT n, 'user' || n FROM generate_series(101, 5000) n;
        INSERT INTO orders SELECT n, (n::bigint * 7919 % 5000 + 1)::int, n, now() FROM generate_series(301, 5000) n;";
    clients[0].batch_execute(more).await.unwrap();
    let child = clients[0].prepare(EMAIL).await.unwrap();
    for order in clients[0].query("SELECT id, user_id FROM orders ORDER BY id", &[]).await.unwrap() {
        clients[0].query(&child, &[&order.get::<_, i32>(1)]).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_loop_is_one_finding_whether_or_not_its_rows_are_kept() {
    let folder = shop();
    let small = Bounds { values_per_result: 2 * 1800, ..Bounds::default() };
    for (bounds, kept) in [(Bounds::default(), 5000), (small, 1800)] {
        let trace = recorded_with(|options| options.bounds = bounds, emails_of_many).await;
        let options = Options { recorded: vec![trace], ..Options::default() };
        let report = judged_on(support::server(), folder.path(), &options).await.unwrap();
        let [group] = evidence(&report).loops.as_slice() else { panic!("{:?}", evidence(&report).loops) };
        assert_eq!((group.executions, group.beyond_kept), (5000, 5000 - kept));
        assert_eq!((group.parent_rows, group.certainty), (5000, Certainty::Strong));
        let codes: Vec<_> = report.findings.iter().map(|finding| finding.code).collect();
        assert_eq!(codes, ["n-plus-one"], "{:#?}", report.findings);
        let lines = &report.findings[0].evidence;
        assert_eq!(lines.iter().any(|line| line.contains("(3200 of them behind the rows")), kept < 5000);
    }
}

/// Comments on posts, photos and articles, four of each; then three children of each of four rows.
async fn subjects_of_comments(clients: Vec<Client>) {
    let tables = "CREATE TABLE posts (id int PRIMARY KEY, title text);
        CREATE TABLE photos (id int PRIMARY KEY, title text);
        CREATE TABLE articles (id int PRIMARY KEY, title text);
        CREATE TABLE comments (id int PRIMARY KEY, subject_type text, subject_id int);
        INSERT INTO posts SELECT n, 'post' FROM generate_series(1, 40) n;
        INSERT INTO photos SELECT n, 'photo' FROM generate_series(1, 40) n;
        INSERT INTO articles SELECT n, 'article' FROM generate_series(1, 40) n;
        INSERT INTO comments SELECT n, (ARRAY['posts', 'photos', 'articles'])[n % 3 + 1], n * 7 % 40 + 1
            FROM generate_series(1, 12) n;
        SET plimsoll.scope = 'several kinds'";
    let client = &clients[0];
    client.batch_execute(tables).await.unwrap();
    let comments = "SELECT id, subject_type, subject_id FROM comments ORDER BY id LIMIT $1";
    for comment in client.query(comments, &[&12_i64]).await.unwrap() {
        let child = format!("SELECT title FROM {} WHERE id = $1", comment.get::<_, &str>(1));
        client.query(&child, &[&comment.get::<_, i32>(2)]).await.unwrap();
    }
    client.batch_execute("SET plimsoll.scope = 'all of each row'").await.unwrap();
    for comment in client.query(comments, &[&4_i64]).await.unwrap() {
        for table in ["posts", "photos", "articles"] {
            let child = format!("SELECT title FROM {table} WHERE id = $1");
            client.query(&child, &[&comment.get::<_, i32>(2)]).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn children_of_several_kinds_are_one_loop_and_a_fan_out_is_none() {
    let folder = shop();
    let trace = recorded(subjects_of_comments).await;
    let options = Options {
        recorded: vec![trace],
        round_trips_us: vec![1000],
        without_batching: true,
        ..Options::default()
    };
    let report = judged_on(support::server(), folder.path(), &options).await.unwrap();
    let [group] = evidence(&report).loops.as_slice() else { panic!("{:#?}", evidence(&report).loops) };
    assert_eq!((group.scope.as_str(), group.executions, group.parent_rows), ("several kinds", 12, 12));
    assert_eq!((group.pairs[0].from.as_str(), group.pairs[0].explained), ("comments.subject_id", 12));
    let mut children: Vec<&str> = group.children().map(|child| child.text.as_str()).collect();
    children.sort_unstable();
    let texts =
        ["articles", "photos", "posts"].map(|table| format!("select title from {table} where id = ?"));
    assert_eq!(children, texts);
    let [finding] = report.findings.as_slice() else { panic!("{:#?}", report.findings) };
    assert_eq!((finding.code, finding.severity), ("n-plus-one", Severity::Failure));
    assert!(finding.message.contains("12 times one of 3 statements"), "{finding:#?}");
    let costs = &evidence(&report).round_trips[0];
    assert_eq!((costs.looped_us, costs.batched_us), (12_000, 3_000));
}
