//! What the deadlock scenario says about each kind of conflict: the table of
//! `docs/deadlock.md`, checked row by row against a server.

use crate::support;
use plimsoll::model::evidence::Evidence;
use plimsoll::model::{Quiet, Verdict};
use plimsoll::project::transaction::SpecFile;
use plimsoll::scenarios::deadlock::run::{Options, Place, run_specs};

const SCHEMA: &str = "
    CREATE TABLE users (id int PRIMARY KEY, email text UNIQUE);
    CREATE TABLE orders (id int PRIMARY KEY, user_id int REFERENCES users, status text);
    INSERT INTO users SELECT n, 'u' || n FROM generate_series(1, 5) n;
    INSERT INTO orders SELECT n, n, 'paid' FROM generate_series(1, 5) n;";

struct Case {
    conflict: &'static str,
    /// `how it begins | step; step; …`, or only the steps where it begins with BEGIN.
    sessions: &'static [&'static str],
    /// Session numbers in the order in which their steps are sent.
    order: &'static str,
    /// `outcome | kind | verdict`.
    comes_to: &'static str,
}

const CASES: &[Case] = &[
    Case {
        conflict: "rows in reverse order",
        sessions: &[
            "UPDATE orders SET status = 'a' WHERE id = 1; UPDATE orders SET status = 'a' WHERE id = 2; COMMIT",
            "UPDATE orders SET status = 'b' WHERE id = 2; UPDATE orders SET status = 'b' WHERE id = 1; COMMIT",
        ],
        order: "010101",
        comes_to: "deadlock | row-order | fail",
    },
    Case {
        conflict: "three in a ring",
        sessions: &[
            "SELECT FROM orders WHERE id = 1 FOR UPDATE; SELECT FROM orders WHERE id = 2 FOR UPDATE; COMMIT",
            "SELECT FROM orders WHERE id = 2 FOR UPDATE; SELECT FROM orders WHERE id = 3 FOR UPDATE; COMMIT",
            "SELECT FROM orders WHERE id = 3 FOR UPDATE; SELECT FROM orders WHERE id = 1 FOR UPDATE; COMMIT",
        ],
        order: "012012210",
        comes_to: "deadlock | row-order | fail",
    },
    Case {
        conflict: "row lock upgraded",
        sessions: &[
            "SELECT FROM orders WHERE id = 1 FOR SHARE; UPDATE orders SET status = 'a' WHERE id = 1; COMMIT",
            "SELECT FROM orders WHERE id = 1 FOR SHARE; UPDATE orders SET status = 'b' WHERE id = 1; COMMIT",
        ],
        order: "010101",
        comes_to: "deadlock | row-upgrade | fail",
    },
    Case {
        conflict: "foreign keys",
        sessions: &[
            "SELECT FROM users WHERE id = 1 FOR UPDATE; INSERT INTO orders VALUES (11, 2); COMMIT",
            "SELECT FROM users WHERE id = 2 FOR UPDATE; INSERT INTO orders VALUES (12, 1); COMMIT",
        ],
        order: "010101",
        comes_to: "deadlock | foreign-key | fail",
    },
    Case {
        conflict: "foreign keys, FOR NO KEY UPDATE",
        sessions: &[
            "SELECT FROM users WHERE id = 1 FOR NO KEY UPDATE; INSERT INTO orders VALUES (11, 2); COMMIT",
            "SELECT FROM users WHERE id = 2 FOR NO KEY UPDATE; INSERT INTO orders VALUES (12, 1); COMMIT",
        ],
        order: "010101",
        comes_to: "completed |  | pass",
    },
    Case {
        conflict: "unique keys in reverse order",
        sessions: &[
            "INSERT INTO users VALUES (11, 'x'); INSERT INTO users VALUES (12, 'y'); COMMIT",
            "INSERT INTO users VALUES (13, 'y'); INSERT INTO users VALUES (14, 'x'); COMMIT",
        ],
        order: "010101",
        comes_to: "deadlock | unique-index | fail",
    },
    Case {
        conflict: "the same unique key",
        sessions: &[
            "INSERT INTO users VALUES (11, 'x'); COMMIT",
            "INSERT INTO users VALUES (12, 'x'); COMMIT",
        ],
        order: "0101",
        comes_to: "unique-violation |  | pass",
    },
    Case {
        conflict: "tables locked in reverse order",
        sessions: &[
            "LOCK TABLE users IN EXCLUSIVE MODE; LOCK TABLE orders IN EXCLUSIVE MODE; COMMIT",
            "LOCK TABLE orders IN EXCLUSIVE MODE; LOCK TABLE users IN EXCLUSIVE MODE; COMMIT",
        ],
        order: "010101",
        comes_to: "deadlock | table-order | fail",
    },
    Case {
        conflict: "table lock upgraded",
        sessions: &[
            "LOCK TABLE orders IN SHARE MODE; UPDATE orders SET status = 'a' WHERE id = 1; COMMIT",
            "LOCK TABLE orders IN SHARE MODE; UPDATE orders SET status = 'b' WHERE id = 2; COMMIT",
        ],
        order: "010101",
        comes_to: "deadlock | table-upgrade | fail",
    },
    Case {
        conflict: "DDL against queries",
        sessions: &[
            "SELECT count(*) FROM users; ALTER TABLE orders ADD COLUMN note text; ROLLBACK",
            "SELECT count(*) FROM orders; SELECT count(*) FROM users JOIN orders USING (id); LOCK TABLE users; COMMIT",
        ],
        order: "0110101",
        comes_to: "deadlock | ddl-against-dml | fail",
    },
    Case {
        conflict: "advisory locks",
        sessions: &[
            "SELECT pg_advisory_xact_lock(1); SELECT pg_advisory_xact_lock(2); COMMIT",
            "SELECT pg_advisory_xact_lock(2); SELECT pg_advisory_xact_lock(1); COMMIT",
        ],
        order: "010101",
        comes_to: "deadlock | advisory-order | fail",
    },
    Case {
        conflict: "a row and an advisory lock",
        sessions: &[
            "SELECT pg_advisory_xact_lock(1); UPDATE orders SET status = 'a' WHERE id = 1; COMMIT",
            "UPDATE orders SET status = 'b' WHERE id = 1; SELECT pg_advisory_xact_lock(1); COMMIT",
        ],
        order: "010101",
        comes_to: "deadlock | mixed | fail",
    },
    Case {
        conflict: "a cycle in the queue only",
        // The second looks for a cycle, the others never: who resolves it is certain.
        sessions: &[
            "BEGIN; SET LOCAL deadlock_timeout = '100s' | LOCK TABLE users IN ACCESS SHARE MODE; LOCK TABLE orders IN ACCESS SHARE MODE; COMMIT",
            "BEGIN; SET LOCAL deadlock_timeout = '20ms' | LOCK TABLE orders IN ACCESS SHARE MODE; LOCK TABLE users IN ACCESS SHARE MODE; COMMIT",
            "BEGIN; SET LOCAL deadlock_timeout = '100s' | LOCK TABLE users IN ACCESS EXCLUSIVE MODE; COMMIT",
            "BEGIN; SET LOCAL deadlock_timeout = '100s' | LOCK TABLE orders IN ACCESS EXCLUSIVE MODE; COMMIT",
        ],
        order: "0123010213",
        comes_to: "queue-reordered |  | pass",
    },
    Case {
        conflict: "lock_timeout before deadlock_timeout",
        sessions: &[
            "BEGIN; SET LOCAL lock_timeout = '100ms' | UPDATE orders SET status = 'a' WHERE id = 1; UPDATE orders SET status = 'a' WHERE id = 2; COMMIT",
            "UPDATE orders SET status = 'b' WHERE id = 2; UPDATE orders SET status = 'b' WHERE id = 1; COMMIT",
        ],
        order: "010101",
        comes_to: "lock-timeout |  | pass",
    },
    Case {
        conflict: "NOWAIT",
        sessions: &[
            "SELECT FROM orders WHERE id = 1 FOR UPDATE; COMMIT",
            "SELECT FROM orders WHERE id = 1 FOR UPDATE NOWAIT; COMMIT",
        ],
        order: "0101",
        comes_to: "lock-timeout |  | pass",
    },
    Case {
        conflict: "SKIP LOCKED",
        sessions: &[
            "SELECT FROM orders WHERE id = 1 FOR UPDATE; COMMIT",
            "SELECT FROM orders WHERE id = 1 FOR UPDATE SKIP LOCKED; COMMIT",
        ],
        order: "0101",
        comes_to: "completed |  | pass",
    },
    Case {
        conflict: "write skew under SERIALIZABLE",
        sessions: &[
            "BEGIN ISOLATION LEVEL SERIALIZABLE | SELECT count(*) FROM orders WHERE status = 'paid'; UPDATE orders SET status = 'a' WHERE id = 1; COMMIT",
            "BEGIN ISOLATION LEVEL SERIALIZABLE | SELECT count(*) FROM orders WHERE status = 'paid'; UPDATE orders SET status = 'b' WHERE id = 2; COMMIT",
        ],
        order: "010101",
        comes_to: "serialization-failure |  | pass",
    },
    Case {
        conflict: "lost update under REPEATABLE READ",
        sessions: &[
            "BEGIN ISOLATION LEVEL REPEATABLE READ | SELECT FROM orders WHERE id = 1; UPDATE orders SET status = 'a' WHERE id = 1; COMMIT",
            "BEGIN ISOLATION LEVEL REPEATABLE READ | SELECT FROM orders WHERE id = 1; UPDATE orders SET status = 'b' WHERE id = 1; COMMIT",
        ],
        order: "010101",
        comes_to: "serialization-failure |  | pass",
    },
    Case {
        conflict: "waiting for a safe snapshot",
        sessions: &[
            "BEGIN ISOLATION LEVEL SERIALIZABLE | UPDATE orders SET status = 'a' WHERE id = 1; COMMIT",
            "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE | SELECT count(*) FROM orders; COMMIT",
        ],
        order: "0101",
        comes_to: "blocked-then-completed |  | pass",
    },
    Case {
        conflict: "one waits for the other",
        sessions: &[
            "UPDATE orders SET status = 'a' WHERE id = 1; COMMIT",
            "UPDATE orders SET status = 'b' WHERE id = 1; COMMIT",
        ],
        order: "0101",
        comes_to: "blocked-then-completed |  | pass",
    },
    Case {
        conflict: "a transaction that does not end",
        sessions: &[
            "UPDATE orders SET status = 'a' WHERE id = 1",
            "UPDATE orders SET status = 'b' WHERE id = 1",
        ],
        order: "01",
        comes_to: "hung |  | inconclusive",
    },
    Case {
        conflict: "an error of another kind",
        sessions: &["UPDATE orders SET status = 'a' WHERE id = 1; COMMIT", "SELECT 1 / 0; COMMIT"],
        order: "0101",
        comes_to: "other-error |  | inconclusive",
    },
];

fn text_of(case: &Case) -> String {
    let mut text = String::new();
    for (session, written) in case.sessions.iter().enumerate() {
        let (begin, steps) = written.split_once(" | ").unwrap_or(("BEGIN", written));
        text += &format!("session s{session}\nsetup {{ {begin}; }}\n");
        for (step, sql) in steps.split("; ").enumerate() {
            text += &format!("step s{session}_{step} {{ {sql}; }}\n");
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
        let file = SpecFile { name: "kind".into(), path: "kind.spec".into(), text: text_of(case) };
        let report = run_specs(&place, &[file], &options).await.unwrap();
        let Evidence::Deadlock(evidence) = &report.evidence else { panic!("no evidence") };
        let spec = &evidence.specs[0];
        let outcome = spec.outcomes.first().map_or("none", |(outcome, _)| outcome.word());
        let kind = spec.deadlock.as_ref().map_or("", |deadlock| deadlock.kind.word());
        let came_to = format!("{outcome} | {kind} | {}", report.verdict.word());
        println!("| {} | {came_to} |", case.conflict);
        if came_to != case.comes_to {
            wrong.push(format!("{}: {came_to}, {:?} {:#?}", case.conflict, report.verdict, spec.orders));
        }
        assert!(
            matches!(report.verdict, Verdict::Fail) == report.findings.iter().any(|f| f.code == "deadlock")
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
