//! Which table a plan rule, an index and a VACUUM mean where several have the name.

use super::{judge_with, query};
use plimsoll::model::Verdict;
use plimsoll::scenarios::slow_queries::Options;

const SCHEMA: &str = "
    CREATE TABLE orders (id int PRIMARY KEY, user_id int NOT NULL);
    CREATE SCHEMA audit;
    CREATE TABLE audit.orders (id int PRIMARY KEY, user_id int NOT NULL);
    CREATE VIEW seen AS SELECT * FROM orders;
    INSERT INTO orders SELECT n, n % 100 FROM generate_series(1, 500) n;
    INSERT INTO audit.orders SELECT n, n % 500 FROM generate_series(1, 20000) n;
    CREATE INDEX by_user ON orders (user_id);
    ANALYZE orders, audit.orders;";

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_is_about_the_table_it_names() {
    let count = "SELECT count(*) FROM orders;";
    let audited = "SELECT count(*) FROM audit.orders WHERE user_id = 7;";
    let scanned = |table: &str, statement: &str| format!("-- budget: no seq scan on {table}\n{statement}");
    let queries = [
        ("a_other", scanned("audit.orders", count)),
        ("b_same", scanned("public.orders", count)),
        ("c_visible", scanned("orders", count)),
        ("d_hidden", scanned("orders", audited)),
        ("e_quoted", scanned("\"audit\".\"orders\"", audited)),
        ("f_typo", scanned("ordrs", count)),
        ("g_view", scanned("seen", "SELECT count(*) FROM seen;")),
        (
            "h_index",
            "-- budget: uses index audit.by_user\nSELECT * FROM orders WHERE user_id = 7;".to_owned(),
        ),
        ("i_index", "-- budget: uses index by_user\nSELECT * FROM orders WHERE user_id = 7;".to_owned()),
    ];
    let queries: Vec<(&str, &str)> = queries.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let report = judge_with(SCHEMA, &queries, &Options::default()).await;
    let words: Vec<(&str, &str)> =
        queries.iter().map(|(name, _)| (*name, query(&report, name).verdict.word())).collect();
    let expected = [
        ("a_other", "pass"),
        ("b_same", "fail"),
        ("c_visible", "fail"),
        ("d_hidden", "pass"),
        ("e_quoted", "fail"),
        ("f_typo", "inconclusive"),
        ("g_view", "inconclusive"),
        ("h_index", "fail"),
        ("i_index", "pass"),
    ];
    assert_eq!(words, expected);
    let trial = query(&report, "e_quoted").reason.as_ref().unwrap().trial.as_ref().unwrap();
    assert_eq!(trial.create_index, "CREATE INDEX ON audit.orders (user_id)");
    assert!(trial.used && trial.buffers_after * 2 < trial.buffers_before, "{trial:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_no_parameter_reaches_is_undecided() {
    let joined = "-- budget: uses index by_user\n\
                  -- param: id = one_of(-1, 7)\n\
                  SELECT o.id FROM audit.orders a JOIN orders o ON o.user_id = a.user_id WHERE a.id = :id;";
    let never = joined.replace("one_of(-1, 7)", "-1").replace("by_user", "by_user, rows >= 0");
    let planner = "SET LOCAL enable_hashjoin = off;\nSET LOCAL enable_mergejoin = off;\nSET LOCAL enable_seqscan = off;\n";
    let [joined, never] = [joined, &*never].map(|text| {
        let at = text.find("SELECT").unwrap();
        format!("-- transaction\n{}{planner}{}", &text[..at], &text[at..])
    });
    let report = judge_with(SCHEMA, &[("joined", &*joined), ("never", &*never)], &Options::default()).await;
    assert_eq!(query(&report, "joined").verdict, Verdict::Pass, "{:#?}", report.findings);
    let Verdict::Inconclusive { needs } = &query(&report, "never").verdict else { panic!("{report:#?}") };
    assert_eq!(needs, "parameters with which the execution comes to by_user");
}
