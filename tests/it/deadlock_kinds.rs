//! What the deadlock scenario says about each kind of conflict: the table of
//! `docs/deadlock.md`, checked row by row against a server.

use crate::support;
use plimsoll::model::evidence::Evidence;
use plimsoll::model::evidence::deadlock::{ConflictKind, Outcome};
use plimsoll::model::{Quiet, Verdict};
use plimsoll::project::transaction::SpecFile;
use plimsoll::scenarios::deadlock::run::{Options, Place, run_specs};

const SCHEMA: &str = "
    CREATE TABLE users (id int PRIMARY KEY, email text UNIQUE);
    CREATE TABLE orders (id int PRIMARY KEY, user_id int REFERENCES users, status text);
    INSERT INTO users SELECT n, 'u' || n FROM generate_series(1, 5) n;
    INSERT INTO orders SELECT n, n, 'paid' FROM generate_series(1, 5) n;";

/// A session from `name: step; step`, each step named by its letter and place.
struct Case {
    name: &'static str,
    /// Per session: how it begins, and its steps.
    sessions: &'static [(&'static str, &'static [&'static str])],
    /// Session numbers in the order in which their steps are sent.
    order: &'static str,
    outcome: Outcome,
    kind: Option<ConflictKind>,
    verdict: &'static str,
}

const READ_COMMITTED: &str = "BEGIN;";

/// The second of them looks for a cycle, the others never: who resolves it is certain.
const PATIENT: &str = "BEGIN; SET LOCAL deadlock_timeout = '100s';";
const HASTY: &str = "BEGIN; SET LOCAL deadlock_timeout = '20ms';";

const CASES: &[Case] = &[
    Case {
        name: "rows in reverse order",
        sessions: &[
            (
                READ_COMMITTED,
                &[
                    "UPDATE orders SET status = 'a' WHERE id = 1;",
                    "UPDATE orders SET status = 'a' WHERE id = 2;",
                    "COMMIT;",
                ],
            ),
            (
                READ_COMMITTED,
                &[
                    "UPDATE orders SET status = 'b' WHERE id = 2;",
                    "UPDATE orders SET status = 'b' WHERE id = 1;",
                    "COMMIT;",
                ],
            ),
        ],
        order: "010101",
        outcome: Outcome::Deadlock,
        kind: Some(ConflictKind::RowOrder),
        verdict: "fail",
    },
    Case {
        name: "three in a ring",
        sessions: &[
            (
                READ_COMMITTED,
                &[
                    "SELECT FROM orders WHERE id = 1 FOR UPDATE;",
                    "SELECT FROM orders WHERE id = 2 FOR UPDATE;",
                    "COMMIT;",
                ],
            ),
            (
                READ_COMMITTED,
                &[
                    "SELECT FROM orders WHERE id = 2 FOR UPDATE;",
                    "SELECT FROM orders WHERE id = 3 FOR UPDATE;",
                    "COMMIT;",
                ],
            ),
            (
                READ_COMMITTED,
                &[
                    "SELECT FROM orders WHERE id = 3 FOR UPDATE;",
                    "SELECT FROM orders WHERE id = 1 FOR UPDATE;",
                    "COMMIT;",
                ],
            ),
        ],
        order: "012012210",
        outcome: Outcome::Deadlock,
        kind: Some(ConflictKind::RowOrder),
        verdict: "fail",
    },
    Case {
        name: "row lock upgraded",
        sessions: &[
            (
                READ_COMMITTED,
                &[
                    "SELECT FROM orders WHERE id = 1 FOR SHARE;",
                    "UPDATE orders SET status = 'a' WHERE id = 1;",
                    "COMMIT;",
                ],
            ),
            (
                READ_COMMITTED,
                &[
                    "SELECT FROM orders WHERE id = 1 FOR SHARE;",
                    "UPDATE orders SET status = 'b' WHERE id = 1;",
                    "COMMIT;",
                ],
            ),
        ],
        order: "010101",
        outcome: Outcome::Deadlock,
        kind: Some(ConflictKind::RowUpgrade),
        verdict: "fail",
    },
    Case {
        name: "foreign keys",
        sessions: &[
            (
                READ_COMMITTED,
                &[
                    "SELECT FROM users WHERE id = 1 FOR UPDATE;",
                    "INSERT INTO orders VALUES (11, 2);",
                    "COMMIT;",
                ],
            ),
            (
                READ_COMMITTED,
                &[
                    "SELECT FROM users WHERE id = 2 FOR UPDATE;",
                    "INSERT INTO orders VALUES (12, 1);",
                    "COMMIT;",
                ],
            ),
        ],
        order: "010101",
        outcome: Outcome::Deadlock,
        kind: Some(ConflictKind::ForeignKey),
        verdict: "fail",
    },
    Case {
        name: "foreign keys, FOR NO KEY UPDATE",
        sessions: &[
            (
                READ_COMMITTED,
                &[
                    "SELECT FROM users WHERE id = 1 FOR NO KEY UPDATE;",
                    "INSERT INTO orders VALUES (11, 2);",
                    "COMMIT;",
                ],
            ),
            (
                READ_COMMITTED,
                &[
                    "SELECT FROM users WHERE id = 2 FOR NO KEY UPDATE;",
                    "INSERT INTO orders VALUES (12, 1);",
                    "COMMIT;",
                ],
            ),
        ],
        order: "010101",
        outcome: Outcome::Completed,
        kind: None,
        verdict: "pass",
    },
    Case {
        name: "unique keys in reverse order",
        sessions: &[
            (
                READ_COMMITTED,
                &["INSERT INTO users VALUES (11, 'x');", "INSERT INTO users VALUES (12, 'y');", "COMMIT;"],
            ),
            (
                READ_COMMITTED,
                &["INSERT INTO users VALUES (13, 'y');", "INSERT INTO users VALUES (14, 'x');", "COMMIT;"],
            ),
        ],
        order: "010101",
        outcome: Outcome::Deadlock,
        kind: Some(ConflictKind::UniqueIndex),
        verdict: "fail",
    },
    Case {
        name: "the same unique key",
        sessions: &[
            (READ_COMMITTED, &["INSERT INTO users VALUES (11, 'x');", "COMMIT;"]),
            (READ_COMMITTED, &["INSERT INTO users VALUES (12, 'x');", "COMMIT;"]),
        ],
        order: "0101",
        outcome: Outcome::UniqueViolation,
        kind: None,
        verdict: "pass",
    },
    Case {
        name: "tables locked in reverse order",
        sessions: &[
            (
                READ_COMMITTED,
                &["LOCK TABLE users IN EXCLUSIVE MODE;", "LOCK TABLE orders IN EXCLUSIVE MODE;", "COMMIT;"],
            ),
            (
                READ_COMMITTED,
                &["LOCK TABLE orders IN EXCLUSIVE MODE;", "LOCK TABLE users IN EXCLUSIVE MODE;", "COMMIT;"],
            ),
        ],
        order: "010101",
        outcome: Outcome::Deadlock,
        kind: Some(ConflictKind::TableOrder),
        verdict: "fail",
    },
    Case {
        name: "table lock upgraded",
        sessions: &[
            (
                READ_COMMITTED,
                &[
                    "LOCK TABLE orders IN SHARE MODE;",
                    "UPDATE orders SET status = 'a' WHERE id = 1;",
                    "COMMIT;",
                ],
            ),
            (
                READ_COMMITTED,
                &[
                    "LOCK TABLE orders IN SHARE MODE;",
                    "UPDATE orders SET status = 'b' WHERE id = 2;",
                    "COMMIT;",
                ],
            ),
        ],
        order: "010101",
        outcome: Outcome::Deadlock,
        kind: Some(ConflictKind::TableUpgrade),
        verdict: "fail",
    },
    Case {
        name: "DDL against queries",
        sessions: &[
            (
                READ_COMMITTED,
                &["SELECT count(*) FROM users;", "ALTER TABLE orders ADD COLUMN note text;", "ROLLBACK;"],
            ),
            (
                READ_COMMITTED,
                &[
                    "SELECT count(*) FROM orders;",
                    "SELECT count(*) FROM users JOIN orders USING (id);",
                    "LOCK TABLE users;",
                    "COMMIT;",
                ],
            ),
        ],
        order: "0110101",
        outcome: Outcome::Deadlock,
        kind: Some(ConflictKind::DdlAgainstDml),
        verdict: "fail",
    },
    Case {
        name: "advisory locks",
        sessions: &[
            (
                READ_COMMITTED,
                &["SELECT pg_advisory_xact_lock(1);", "SELECT pg_advisory_xact_lock(2);", "COMMIT;"],
            ),
            (
                READ_COMMITTED,
                &["SELECT pg_advisory_xact_lock(2);", "SELECT pg_advisory_xact_lock(1);", "COMMIT;"],
            ),
        ],
        order: "010101",
        outcome: Outcome::Deadlock,
        kind: Some(ConflictKind::Advisory),
        verdict: "fail",
    },
    Case {
        name: "a row and an advisory lock",
        sessions: &[
            (
                READ_COMMITTED,
                &[
                    "SELECT pg_advisory_xact_lock(1);",
                    "UPDATE orders SET status = 'a' WHERE id = 1;",
                    "COMMIT;",
                ],
            ),
            (
                READ_COMMITTED,
                &[
                    "UPDATE orders SET status = 'b' WHERE id = 1;",
                    "SELECT pg_advisory_xact_lock(1);",
                    "COMMIT;",
                ],
            ),
        ],
        order: "010101",
        outcome: Outcome::Deadlock,
        kind: Some(ConflictKind::Mixed),
        verdict: "fail",
    },
    Case {
        name: "a cycle in the queue only",
        sessions: &[
            (
                PATIENT,
                &[
                    "LOCK TABLE users IN ACCESS SHARE MODE;",
                    "LOCK TABLE orders IN ACCESS SHARE MODE;",
                    "COMMIT;",
                ],
            ),
            (
                HASTY,
                &[
                    "LOCK TABLE orders IN ACCESS SHARE MODE;",
                    "LOCK TABLE users IN ACCESS SHARE MODE;",
                    "COMMIT;",
                ],
            ),
            (PATIENT, &["LOCK TABLE users IN ACCESS EXCLUSIVE MODE;", "COMMIT;"]),
            (PATIENT, &["LOCK TABLE orders IN ACCESS EXCLUSIVE MODE;", "COMMIT;"]),
        ],
        order: "0123010213",
        outcome: Outcome::QueueReordered,
        kind: None,
        verdict: "pass",
    },
    Case {
        name: "lock_timeout before deadlock_timeout",
        sessions: &[
            (
                "BEGIN; SET LOCAL lock_timeout = '100ms';",
                &[
                    "UPDATE orders SET status = 'a' WHERE id = 1;",
                    "UPDATE orders SET status = 'a' WHERE id = 2;",
                    "COMMIT;",
                ],
            ),
            (
                READ_COMMITTED,
                &[
                    "UPDATE orders SET status = 'b' WHERE id = 2;",
                    "UPDATE orders SET status = 'b' WHERE id = 1;",
                    "COMMIT;",
                ],
            ),
        ],
        order: "010101",
        outcome: Outcome::LockTimeout,
        kind: None,
        verdict: "pass",
    },
    Case {
        name: "NOWAIT",
        sessions: &[
            (READ_COMMITTED, &["SELECT FROM orders WHERE id = 1 FOR UPDATE;", "COMMIT;"]),
            (READ_COMMITTED, &["SELECT FROM orders WHERE id = 1 FOR UPDATE NOWAIT;", "COMMIT;"]),
        ],
        order: "0101",
        outcome: Outcome::LockTimeout,
        kind: None,
        verdict: "pass",
    },
    Case {
        name: "SKIP LOCKED",
        sessions: &[
            (READ_COMMITTED, &["SELECT FROM orders WHERE id = 1 FOR UPDATE;", "COMMIT;"]),
            (READ_COMMITTED, &["SELECT FROM orders WHERE id = 1 FOR UPDATE SKIP LOCKED;", "COMMIT;"]),
        ],
        order: "0101",
        outcome: Outcome::Completed,
        kind: None,
        verdict: "pass",
    },
    Case {
        name: "write skew under SERIALIZABLE",
        sessions: &[
            (
                "BEGIN ISOLATION LEVEL SERIALIZABLE;",
                &[
                    "SELECT count(*) FROM orders WHERE status = 'paid';",
                    "UPDATE orders SET status = 'a' WHERE id = 1;",
                    "COMMIT;",
                ],
            ),
            (
                "BEGIN ISOLATION LEVEL SERIALIZABLE;",
                &[
                    "SELECT count(*) FROM orders WHERE status = 'paid';",
                    "UPDATE orders SET status = 'b' WHERE id = 2;",
                    "COMMIT;",
                ],
            ),
        ],
        order: "010101",
        outcome: Outcome::SerializationFailure,
        kind: None,
        verdict: "pass",
    },
    Case {
        name: "lost update under REPEATABLE READ",
        sessions: &[
            (
                "BEGIN ISOLATION LEVEL REPEATABLE READ;",
                &[
                    "SELECT FROM orders WHERE id = 1;",
                    "UPDATE orders SET status = 'a' WHERE id = 1;",
                    "COMMIT;",
                ],
            ),
            (
                "BEGIN ISOLATION LEVEL REPEATABLE READ;",
                &[
                    "SELECT FROM orders WHERE id = 1;",
                    "UPDATE orders SET status = 'b' WHERE id = 1;",
                    "COMMIT;",
                ],
            ),
        ],
        order: "010101",
        outcome: Outcome::SerializationFailure,
        kind: None,
        verdict: "pass",
    },
    Case {
        name: "waiting for a safe snapshot",
        sessions: &[
            (
                "BEGIN ISOLATION LEVEL SERIALIZABLE;",
                &["UPDATE orders SET status = 'a' WHERE id = 1;", "COMMIT;"],
            ),
            (
                "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE;",
                &["SELECT count(*) FROM orders;", "COMMIT;"],
            ),
        ],
        order: "0101",
        outcome: Outcome::BlockedThenCompleted,
        kind: None,
        verdict: "pass",
    },
    Case {
        name: "one waits for the other",
        sessions: &[
            (READ_COMMITTED, &["UPDATE orders SET status = 'a' WHERE id = 1;", "COMMIT;"]),
            (READ_COMMITTED, &["UPDATE orders SET status = 'b' WHERE id = 1;", "COMMIT;"]),
        ],
        order: "0101",
        outcome: Outcome::BlockedThenCompleted,
        kind: None,
        verdict: "pass",
    },
    Case {
        name: "a transaction that does not end",
        sessions: &[
            (READ_COMMITTED, &["UPDATE orders SET status = 'a' WHERE id = 1;"]),
            (READ_COMMITTED, &["UPDATE orders SET status = 'b' WHERE id = 1;"]),
        ],
        order: "01",
        outcome: Outcome::Hung,
        kind: None,
        verdict: "inconclusive",
    },
    Case {
        name: "an error of another kind",
        sessions: &[
            (READ_COMMITTED, &["UPDATE orders SET status = 'a' WHERE id = 1;", "COMMIT;"]),
            (READ_COMMITTED, &["SELECT 1 / 0;", "COMMIT;"]),
        ],
        order: "0101",
        outcome: Outcome::OtherError,
        kind: None,
        verdict: "inconclusive",
    },
];

fn text_of(case: &Case) -> String {
    let mut text = String::new();
    for (session, (setup, steps)) in case.sessions.iter().enumerate() {
        text += &format!("session s{session}\nsetup {{ {setup} }}\n");
        for (step, sql) in steps.iter().enumerate() {
            text += &format!("step s{session}_{step} {{ {sql} }}\n");
        }
    }
    let mut next = vec![0; case.sessions.len()];
    let names = case.order.chars().map(|session| {
        let session = session.to_digit(10).unwrap() as usize;
        next[session] += 1;
        format!("s{session}_{}", next[session] - 1)
    });
    text + "permutation " + &names.collect::<Vec<_>>().join(" ") + "\n"
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stdout, reason = "prints the table of the docs")]
async fn every_kind_of_conflict_is_told_apart() {
    let database = support::database("kinds").await;
    database.execute(SCHEMA).await;
    let place =
        Place { target: database.target, source: &database.name, progress: &Quiet, checkpoint: &|_| () };
    let options = Options {
        repetitions: 0,
        predicts: false,
        step_timeout: std::time::Duration::from_secs(30),
        ..Options::default()
    };
    let mut wrong = Vec::new();
    for case in CASES {
        let text = text_of(case);
        let file = SpecFile { name: "kind".into(), path: "kind.spec".into(), text: text.clone() };
        let report = run_specs(&place, &[file], &options).await.unwrap();
        let Evidence::Deadlock(evidence) = &report.evidence else { panic!("no evidence") };
        let spec = &evidence.specs[0];
        let outcome = spec.outcomes.first().map(|(outcome, _)| *outcome);
        let kind = spec.deadlock.as_ref().map(|deadlock| deadlock.kind);
        println!(
            "| {} | {} | {} | {} |",
            case.name,
            outcome.map_or("none", Outcome::word),
            kind.map_or("", ConflictKind::word),
            report.verdict.word()
        );
        if outcome != Some(case.outcome) || kind != case.kind || report.verdict.word() != case.verdict {
            wrong.push(format!(
                "{}: {:?} {:?} {:?} {:#?}",
                case.name, outcome, kind, report.verdict, spec.orders
            ));
        }
        assert!(
            matches!(report.verdict, Verdict::Fail) == report.findings.iter().any(|f| f.code == "deadlock")
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
