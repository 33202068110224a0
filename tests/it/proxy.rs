//! The recording proxy against a server: the same bytes as without it, and
//! records that say what happened.

mod command;
mod encryption;
mod findings;
mod raw;
mod streams;

use crate::support::{TestDatabase, database};
use plimsoll::proxy::{ChildCommand, Options, Recorder, Recording, ServerUrl, run_child};
use plimsoll::trace::{Outcome, Protocol, StatementRecord};
use plimsoll::wire::encode;
use raw::{Message, RawClient, sqlstate, tags};
use std::time::Duration;

const HASH_KEY: u64 = 7;

/// A database and a recorder in front of it.
struct Recorded {
    database: TestDatabase,
    direct: ServerUrl,
    recorder: Recorder,
}

impl Recorded {
    async fn start(label: &str) -> Self {
        Self::start_with(label, |_| {}).await
    }

    async fn start_with(label: &str, change: impl FnOnce(&mut Options)) -> Self {
        let database = database(label).await;
        let url = database.target.url_for(&database.name);
        let mut options = Options::new(&url, HASH_KEY);
        change(&mut options);
        let recorder = Recorder::start(&options).unwrap();
        Self { database, direct: ServerUrl::parse(&url).unwrap(), recorder }
    }

    fn login(&self) -> Vec<(&'static str, String)> {
        vec![("user", self.direct.user().unwrap()), ("database", self.direct.database().unwrap())]
    }

    fn client(&self) -> RawClient {
        self.client_with(&[])
    }

    fn client_with(&self, more: &[(&str, &str)]) -> RawClient {
        let login = self.login();
        let mut parameters: Vec<(&str, &str)> =
            login.iter().map(|(name, value)| (*name, value.as_str())).collect();
        parameters.extend_from_slice(more);
        let address = self.recorder.address();
        let password = self.direct.password().unwrap_or_default();
        RawClient::connect(&address.ip().to_string(), address.port(), &password, &parameters)
    }

    fn direct_client(&self) -> RawClient {
        let login = self.login();
        let parameters: Vec<(&str, &str)> =
            login.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let (host, port) = &self.direct.hosts[0];
        RawClient::connect(host, *port, &self.direct.password().unwrap_or_default(), &parameters)
    }

    fn stop(self) -> Recording {
        self.recorder.stop().unwrap()
    }
}

fn records(recording: &Recording) -> Vec<&StatementRecord> {
    let mut records: Vec<&StatementRecord> = recording.trace.statements.iter().collect();
    records.sort_by_key(|record| record.sequence);
    records
}

fn shapes(recording: &Recording) -> Vec<&str> {
    records(recording).iter().map(|record| record.shape.text.as_str()).collect()
}

fn pipeline(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&mut bytes);
    encode::sync(&mut bytes);
    bytes
}

#[tokio::test]
async fn a_statement_is_forwarded_and_recorded() {
    let recorded = Recorded::start("proxy_one").await;
    let mut client = recorded.client();
    let answer = client.query("SELECT 1 AS one, 'x'::text");
    assert_eq!(tags(&answer), "TDCZ");
    let recording = recorded.stop();
    assert_eq!(shapes(&recording), ["select ? as one, ?"]);
    let record = &recording.trace.statements[0];
    assert_eq!((record.rows, record.outcome, record.protocol), (1, Outcome::Ok, Protocol::Simple));
    assert_eq!(record.columns[0].name, "one");
    assert_eq!(record.values[0].hashes.len(), 1);
    assert_eq!(recording.trace.connections, 1);
    assert!(recording.trace.complete);
    assert_eq!(recording.trace.losses, plimsoll::trace::Losses::default());
}

/// What the differential tests ask, in the simple protocol and, where it is
/// one statement, in the extended one.
const STATEMENTS: [&str; 22] = [
    "",
    "SELECT 1",
    "SELECT 1; SELECT 'two', 3.5::numeric; SELECT 4",
    "SELECT * FROM things ORDER BY id",
    "SELECT id, name FROM things WHERE id = 2 -- a comment",
    "SELECT NULL::int, true, '2024-01-31'::date, now() - now(), ARRAY[1, 2, NULL], '\\x00ff'::bytea",
    "SELECT gen_series, repeat('x', 100) FROM generate_series(1, 1000) AS gen_series",
    "SELECT repeat('large ', 1000000)",
    "SELECT",
    "INSERT INTO things VALUES (1, 'again')",
    "UPDATE things SET name = name WHERE id < 0",
    "SELEC 1",
    "SELECT missing FROM things",
    "SELECT 1/0",
    "BEGIN; SELECT 1/0; SELECT 2; COMMIT",
    "BEGIN; SAVEPOINT s; SELECT 1/0",
    "ROLLBACK TO s; SELECT 5; ROLLBACK",
    "DO $$ BEGIN RAISE NOTICE 'said %', 7; END $$",
    "BEGIN; DECLARE c CURSOR FOR SELECT * FROM things; FETCH 2 FROM c; FETCH ALL FROM c; CLOSE c; COMMIT",
    "PREPARE p (int) AS SELECT name FROM things WHERE id = $1; EXECUTE p(1); DEALLOCATE p",
    "COPY things TO STDOUT",
    "SET application_name = 'differential'",
];

async fn with_things(label: &str) -> Recorded {
    let recorded = Recorded::start(label).await;
    recorded
        .database
        .execute("CREATE TABLE things (id int PRIMARY KEY, name text); INSERT INTO things SELECT n, 'thing ' || n FROM generate_series(1, 9) n")
        .await;
    recorded
}

/// One statement with Parse, Bind, Describe, Execute and Sync.
fn extended(text: &str, is_binary: bool) -> Vec<u8> {
    pipeline(|out| {
        encode::parse(out, b"", text.as_bytes());
        encode::message(out, b'B', |out| {
            out.extend_from_slice(&[0, 0]);
            out.extend_from_slice(&[0, 0, 0, 0]);
            out.extend_from_slice(&[0, 1, 0, u8::from(is_binary)]);
        });
        encode::message(out, b'D', |out| out.extend_from_slice(b"P\0"));
        encode::execute(out, b"", 0);
    })
}

#[tokio::test]
async fn every_message_is_the_same_as_without_the_proxy() {
    let recorded = with_things("proxy_differential").await;
    let (mut direct, mut proxied) = (recorded.direct_client(), recorded.client());
    // The cancel key and SCRAM's nonces differ from session to session.
    let without_key = |messages: &[Message]| -> Vec<Message> {
        messages
            .iter()
            .filter(|(tag, body)| *tag != b'K' && !(*tag == b'R' && body[3] > 10))
            .cloned()
            .collect()
    };
    assert_eq!(without_key(&direct.greeting), without_key(&proxied.greeting));
    for text in STATEMENTS {
        assert_eq!(direct.query(text), proxied.query(text), "simple: {text}");
    }
    for text in STATEMENTS.iter().filter(|text| !text.contains(';')) {
        for is_binary in [false, true] {
            let bytes = extended(text, is_binary);
            direct.send(&bytes);
            proxied.send(&bytes);
            assert_eq!(direct.until_ready(1), proxied.until_ready(1), "extended, binary {is_binary}: {text}");
        }
    }
    let recording = recorded.stop();
    assert_eq!(recording.trace.losses.undecoded_messages, 0);
    assert!(!recording.trace.losses.statements_may_be_missing(), "{:?}", recording.trace.losses);
}

#[tokio::test]
async fn pipelines_portals_and_copy_are_the_same_byte_by_byte() {
    let recorded = with_things("proxy_pipelines").await;
    let copy_in = |out: &mut Vec<u8>, data: &[u8]| {
        encode::message(out, b'd', |out| out.extend_from_slice(data));
        encode::message(out, b'c', |_| {});
    };
    let mut conversations: Vec<(Vec<u8>, usize)> = Vec::new();
    // A pipeline with an error in its middle; then a group that works.
    let mut bytes = pipeline(|out| {
        for text in ["SELECT 1", "SELECT 1/0", "SELECT 3"] {
            encode::parse(out, b"", text.as_bytes());
            encode::bind_without_parameters(out, b"", b"");
            encode::execute(out, b"", 0);
        }
    });
    bytes.extend(pipeline(|out| {
        encode::parse(out, b"named", b"SELECT name FROM things ORDER BY id");
        encode::bind_without_parameters(out, b"portal", b"named");
        encode::execute(out, b"portal", 2);
        encode::execute(out, b"portal", 2);
        encode::execute(out, b"portal", 0);
        encode::message(out, b'C', |out| out.extend_from_slice(b"Pportal\0"));
    }));
    conversations.push((bytes, 2));
    // COPY in both protocols; in the extended one the first Sync is swallowed.
    let mut bytes = Vec::new();
    encode::query(&mut bytes, b"COPY things FROM STDIN");
    copy_in(&mut bytes, b"101\tone\n102\ttwo\n");
    conversations.push((bytes, 1));
    let mut bytes = extended("COPY things FROM STDIN", false);
    copy_in(&mut bytes, b"103\tthree\n");
    encode::sync(&mut bytes);
    conversations.push((bytes, 1));
    let mut bytes = Vec::new();
    encode::query(&mut bytes, b"DELETE FROM things WHERE id > 100");
    conversations.push((bytes, 1));

    let (mut direct, mut proxied) = (recorded.direct_client(), recorded.client());
    for (number, (bytes, groups)) in conversations.iter().enumerate() {
        direct.send(bytes);
        let expected = direct.until_ready(*groups);
        if number < 3 && number > 0 {
            direct.query("DELETE FROM things WHERE id > 100");
        }
        proxied.send(bytes);
        let found = proxied.until_ready(*groups);
        if number != 3 {
            assert_eq!(expected, found, "conversation {number}");
        }
    }
    let recording = recorded.stop();
    // Nobody described the portal, so nobody knows what its nine and the pipeline's one value are.
    let losses = plimsoll::trace::Losses { values: 10, ..Default::default() };
    assert_eq!(recording.trace.losses, losses);
    let outcomes: Vec<(u64, Outcome, Protocol)> =
        records(&recording).iter().map(|record| (record.rows, record.outcome, record.protocol)).collect();
    let (ok, error) = (Outcome::Ok, Outcome::Error(*b"22012"));
    assert_eq!(
        outcomes,
        [
            (1, ok, Protocol::Extended),
            (0, error, Protocol::Extended),
            (0, Outcome::Skipped, Protocol::Extended),
            (2, ok, Protocol::Extended),
            (2, ok, Protocol::Extended),
            (5, ok, Protocol::Extended),
            (2, ok, Protocol::Copy),
            (1, ok, Protocol::Copy),
            (0, ok, Protocol::Simple),
        ]
    );
    let parts: Vec<Option<u64>> = records(&recording)[3..6].iter().map(|record| record.continues).collect();
    let first = records(&recording)[3].sequence;
    assert_eq!(parts, [None, Some(first), Some(first)]);
}

#[tokio::test]
async fn statements_carry_transaction_scope_and_name() {
    let recorded = with_things("proxy_labels").await;
    let mut client = recorded.client_with(&[("application_name", "shop")]);
    for text in [
        "SET plimsoll.scope = 'test_a'",
        "SELECT 1",
        "BEGIN",
        "SET LOCAL plimsoll.scope = 'inner'",
        "SELECT 2",
        "COMMIT",
        "SELECT 3",
        "BEGIN; SET plimsoll.scope = 'gone'; ROLLBACK",
        "SELECT 4",
        "SELECT 5 /*traceparent='00-5bd66ef5095369c7b0d1f8f4bd33716a-c532cb4098ac3dd2-01'*/",
        "RESET plimsoll.scope",
        "SELECT 6 /*traceparent='00-5bd66ef5095369c7b0d1f8f4bd33716a-c532cb4098ac3dd2-01'*/",
        "SELECT 7 /*plimsoll_scope='b'*/; SELECT 8 /*plimsoll_scope='c'*/",
    ] {
        client.query(text);
    }
    let recording = recorded.stop();
    let found: Vec<(bool, Option<&str>)> = records(&recording)
        .iter()
        .filter(|record| record.shape.text == "select ?")
        .map(|record| (record.transaction.is_some(), record.scope.as_deref()))
        .collect();
    let a = Some("test_a");
    let from_comments =
        ["trace 5bd66ef5095369c7b0d1f8f4bd33716a", "b", "c"].map(|scope| (false, Some(scope)));
    let mut expected = vec![(false, a), (true, Some("inner")), (false, a), (false, a), (false, a)];
    expected.extend(from_comments);
    assert_eq!(found, expected);
    assert!(records(&recording).iter().all(|record| record.application_name.as_deref() == Some("shop")));
    let blocks: Vec<Option<u64>> =
        records(&recording)[2..6].iter().map(|record| record.transaction).collect();
    assert!(blocks[0].is_some() && blocks.iter().all(|block| *block == blocks[0]), "{blocks:?}");
}

/// A setting goes the way of its savepoint or transaction; so does the scope.
#[tokio::test]
async fn a_scope_that_the_server_takes_back_is_taken_back() {
    let recorded = Recorded::start("proxy_scopes").await;
    let mut client = recorded.client();
    let setting = "SELECT current_setting('plimsoll.scope', true)";
    let mut told = Vec::new();
    for text in [
        "BEGIN",
        "SET plimsoll.scope = 'outer'",
        "SAVEPOINT a",
        "SET plimsoll.scope = 'inner'",
        "SAVEPOINT \"B\"",
        "SET LOCAL plimsoll.scope = 'innermost'",
        "ROLLBACK TO SAVEPOINT \"B\"",
        "RELEASE \"B\"",
        "ROLLBACK TO a",
        "COMMIT",
        "BEGIN; SAVEPOINT c; SET plimsoll.scope = 'kept'; RELEASE c; COMMIT",
        "RESET ALL",
        "SET plimsoll.scope = 'again'",
        "DISCARD ALL",
    ] {
        client.query(text);
        let answer = client.query(setting);
        let (_, row) = answer.iter().find(|(tag, _)| *tag == b'D').unwrap();
        // A field count and a length come before the value.
        told.push(String::from_utf8_lossy(row.get(6..).unwrap_or_default()).into_owned());
    }
    let recording = recorded.stop();
    let found: Vec<String> = records(&recording)
        .iter()
        .filter(|record| record.shape.text.starts_with("select current_setting"))
        .map(|record| record.scope.as_deref().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(found, told);
    assert_eq!(found[3..10], ["inner", "inner", "innermost", "inner", "inner", "outer", "outer"]);
}

#[tokio::test]
async fn bound_inlined_and_prepared_values_give_one_shape_and_argument() {
    let recorded = with_things("proxy_arguments").await;
    let mut client = recorded.client();
    client.query("SELECT name FROM things WHERE id = 7");
    client.query("PREPARE p AS SELECT name FROM things WHERE id = $1");
    client.query("EXECUTE p(7)");
    for (format, value) in [(0_u8, &b"7"[..]), (1, &[0, 0, 0, 7])] {
        client.send(&pipeline(|out| {
            encode::message(out, b'P', |out| {
                out.extend_from_slice(b"\0SELECT name FROM things WHERE id = $1\0\0\x01\0\0\0\x17");
            });
            encode::message(out, b'B', |out| {
                out.extend_from_slice(&[0, 0, 0, 1, 0, format, 0, 1]);
                out.extend_from_slice(&i32::try_from(value.len()).unwrap().to_be_bytes());
                out.extend_from_slice(value);
                out.extend_from_slice(&[0, 0]);
            });
            encode::message(out, b'D', |out| out.extend_from_slice(b"P\0"));
            encode::execute(out, b"", 0);
        }));
        client.until_ready(1);
    }
    let recording = recorded.stop();
    let found: Vec<&StatementRecord> = records(&recording)
        .into_iter()
        .filter(|record| record.shape.text == "select name from things where id = ?")
        .collect();
    assert_eq!(found.len(), 4, "{:?}", shapes(&recording));
    assert!(found.iter().all(|record| record.arguments == found[0].arguments && record.rows == 1));
    assert!(found.iter().all(|record| record.values[0] == found[0].values[0]));
    assert!(found[0].columns[0].table_oid > 0);
}

#[tokio::test]
async fn a_cancel_request_finds_its_session() {
    for version in [encode::PROTOCOL_3_0, (3 << 16) | 2] {
        cancelled(version).await;
    }
}

/// Servers from 18 on give keys of 32 bytes to whom speaks 3.2.
async fn cancelled(version: u32) {
    let recorded = Recorded::start("proxy_cancel").await;
    let login = recorded.login();
    let parameters: Vec<(&str, &str)> = login.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let (address, password) = (recorded.recorder.address(), recorded.direct.password().unwrap_or_default());
    let mut client =
        RawClient::connect_with(&address.ip().to_string(), address.port(), version, &password, &parameters);
    let key = client.greeting.iter().find(|(tag, _)| *tag == b'K').unwrap().1.clone();
    let mut bytes = Vec::new();
    encode::query(&mut bytes, b"SELECT pg_sleep(60)");
    client.send(&bytes);
    let server = recorded.database.target.description().server_version_num;
    assert_eq!(key.len(), if server >= 180_000 && version > encode::PROTOCOL_3_0 { 36 } else { 8 });
    let mut cancel = u32::try_from(8 + key.len()).unwrap().to_be_bytes().to_vec();
    cancel.extend_from_slice(&[0x04, 0xd2, 0x16, 0x2e]);
    cancel.extend_from_slice(&key);
    // The request may overtake the statement: it is repeated until it meets it.
    let answer = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| client.until_ready(1));
        while !waiting.is_finished() {
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            std::io::Write::write_all(&mut stream, &cancel).unwrap();
            // The server closes it once the signal is sent.
            let _ = std::io::Read::read(&mut stream, &mut [0; 1]);
        }
        waiting.join().unwrap()
    });
    assert_eq!(sqlstate(&answer).as_deref(), Some("57014"));
    let recording = recorded.stop();
    assert_eq!(recording.trace.connections, 1);
    assert_eq!(recording.trace.statements[0].outcome, Outcome::Error(*b"57014"));
}

#[tokio::test]
async fn a_half_open_client_still_gets_its_answers() {
    let recorded = Recorded::start("proxy_half_open").await;
    let mut client = recorded.client();
    let mut bytes = Vec::new();
    encode::query(&mut bytes, b"SELECT repeat('x', 3000000)");
    encode::terminate(&mut bytes);
    client.send(&bytes);
    client.stream.shutdown(std::net::Shutdown::Write).unwrap();
    let answer = client.until(|_| false);
    assert_eq!(tags(&answer), "TDCZ");
    assert_eq!(recorded.stop().cut, 0);
}

#[tokio::test]
async fn a_newer_protocol_is_negotiated_by_the_server_itself() {
    let recorded = Recorded::start("proxy_protocol").await;
    let login = recorded.login();
    let mut parameters: Vec<(&str, &str)> =
        login.iter().map(|(name, value)| (*name, value.as_str())).collect();
    parameters.push(("_pq_.plimsoll", "on"));
    let password = recorded.direct.password().unwrap_or_default();
    let address = recorded.recorder.address();
    let version = (3 << 16) | 2;
    let mut client =
        RawClient::connect_with(&address.ip().to_string(), address.port(), version, &password, &parameters);
    assert_eq!(tags(&client.query("SELECT 1")), "TDCZ");
    assert_eq!(recorded.stop().trace.losses.undecoded_messages, 0);
}

#[tokio::test]
async fn an_injected_fault_leaves_the_transaction_truly_failed() {
    for is_extended in [false, true] {
        let recorded = Recorded::start_with("proxy_fault", |options| {
            options.fault = Some("40P01:2:update things".parse().unwrap());
        })
        .await;
        recorded.database.execute("CREATE TABLE things (id int); INSERT INTO things VALUES (1)").await;
        let mut client = recorded.client();
        let mut run = |text: &str| {
            if is_extended {
                client.send(&extended(text, false));
                client.until_ready(1)
            } else {
                client.query(text)
            }
        };
        let update = "UPDATE things SET id = id + 1";
        assert_eq!(sqlstate(&run("BEGIN")), None);
        assert_eq!(sqlstate(&run(update)), None);
        let failed = run(update);
        assert_eq!(sqlstate(&failed).as_deref(), Some("40P01"));
        assert_eq!(failed.last().unwrap().1, b"E");
        assert_eq!(tags(&failed), if is_extended { "12nEZ" } else { "EZ" });
        assert_eq!(sqlstate(&run("SELECT 1")).as_deref(), Some("25P02"));
        run("ROLLBACK");
        assert_eq!(sqlstate(&run(update)), None, "the third does not fail");
        let left = run("SELECT id FROM things");
        assert!(left.iter().any(|(tag, body)| *tag == b'D' && body.ends_with(b"2")), "{left:?}");
        let recording = recorded.stop();
        assert_eq!((recording.fault_matches, recording.faults), (3, 1));
        let failed = records(&recording)[2];
        assert_eq!(failed.outcome, Outcome::Error(*b"40P01"));
        assert!(failed.shape.text.starts_with("update things"), "{}", failed.shape.text);
    }
}

#[tokio::test]
async fn an_added_delay_is_really_added() {
    let delay = Duration::from_millis(3);
    let recorded = Recorded::start_with("proxy_delay", |options| options.delay = Some(delay)).await;
    let mut client = recorded.client();
    for _ in 0..10 {
        assert_eq!(tags(&client.query("SELECT 1")), "TDCZ");
    }
    let recording = recorded.stop();
    for record in &recording.trace.statements {
        assert!(record.end_us - record.start_us >= 3000, "{}", record.end_us - record.start_us);
    }
}

#[tokio::test]
async fn an_unreachable_server_is_said_before_anything_starts() {
    let error = Recorder::start(&Options::new("postgres://127.0.0.1:1/app", HASH_KEY)).unwrap_err();
    assert!(error.to_string().contains("127.0.0.1:1"), "{error}");
}

#[tokio::test]
async fn a_command_gets_the_recorder_and_keeps_its_exit_code() {
    let database = database("proxy_child").await;
    let options = Options::new(&database.target.url_for(&database.name), HASH_KEY);
    let script = r#"test "$PGPORT" = "${DATABASE_URL##*:}" -o -n "$DATABASE_URL" && test "$PGHOST" = 127.0.0.1 && test "$URI" = "$DATABASE_URL" && exit 7"#;
    let command = ChildCommand {
        words: ["sh", "-c", script].map(Into::into).to_vec(),
        url_variables: vec!["URI".into()],
        ..ChildCommand::default()
    };
    let (outcome, recording) = run_child(&options, &command).await.unwrap();
    assert_eq!((outcome.code, outcome.signal), (7, None));
    assert_eq!(recording.trace.connections, 0);
    let killed =
        ChildCommand { words: ["sh", "-c", "kill -9 $$"].map(Into::into).to_vec(), ..command.clone() };
    assert_eq!(run_child(&options, &killed).await.unwrap().0.code, 137);
    let missing = ChildCommand { words: vec!["/no/such/program".into()], ..command };
    assert!(run_child(&options, &missing).await.unwrap_err().to_string().contains("/no/such/program"));
}
