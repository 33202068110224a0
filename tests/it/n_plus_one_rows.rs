//! Loops over more rows than the recorder keeps, on a real server.

use crate::n_plus_one::{EMAIL, evidence, judged_on, recorded_with, shop};
use crate::support;
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
