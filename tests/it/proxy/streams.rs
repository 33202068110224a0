//! What is not a question and an answer: notifications, replication, messages
//! larger than any buffer, and connections that end in unusual ways.

use super::raw::{Binding, Login, RawClient, message_of, sqlstate, tags};
use super::{HASH_KEY, Recorded, pipeline};
use crate::cli::plimsoll;
use crate::support::{self, processes};
use plimsoll::model::Quiet;
use plimsoll::postgres::{Target, ThrowawayOptions};
use plimsoll::proxy::{Options, Recorder};
use plimsoll::trace::{Outcome, Protocol};
use plimsoll::wire::encode;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Stdio};

#[tokio::test]
async fn notifications_arrive_unasked() {
    let recorded = Recorded::start("proxy_notify").await;
    let (mut proxied, mut direct) = (recorded.client(), recorded.direct_client());
    for client in [&mut proxied, &mut direct] {
        assert_eq!(tags(&client.query("LISTEN news")), "CZ");
    }
    recorded.database.execute("NOTIFY news, 'hello'").await;
    let notified = |messages: &[(u8, Vec<u8>)]| messages.iter().any(|(tag, _)| *tag == b'A');
    assert_eq!(proxied.until(notified), direct.until(notified));
    assert_eq!(tags(&proxied.query("SELECT 1")), "TDCZ");
    let recording = recorded.stop();
    assert_eq!(recording.trace.losses, plimsoll::trace::Losses::default());
}

#[tokio::test]
async fn replication_flows_both_ways() {
    let settings = vec![("wal_level".to_owned(), "logical".to_owned())];
    let options = ThrowawayOptions { settings, ..support::server_options() };
    let server = Target::throwaway(&options, &Quiet).await.unwrap();
    let session = server.connect().await.unwrap();
    session
        .batch_execute("CREATE TABLE items (id int PRIMARY KEY); CREATE PUBLICATION p FOR ALL TABLES")
        .await
        .unwrap();
    let recorder = Recorder::start(&Options::new(&server.url_for("postgres"), HASH_KEY)).unwrap();
    let url = recorder.upstream();
    let (user, password) = (url.user().unwrap(), url.password().unwrap());
    let address = recorder.address();
    let parameters = [("user", user.as_str()), ("database", "postgres"), ("replication", "database")];
    let mut client = RawClient::connect(&address.ip().to_string(), address.port(), &password, &parameters);
    let made = client.query("CREATE_REPLICATION_SLOT s TEMPORARY LOGICAL pgoutput");
    assert_eq!(tags(&made), "TDCZ", "{}", message_of(&made));
    let mut bytes = Vec::new();
    let start = "START_REPLICATION SLOT s LOGICAL 0/0 (proto_version '1', publication_names 'p')";
    encode::query(&mut bytes, start.as_bytes());
    client.send(&bytes);
    assert!(tags(&client.until(|messages| !messages.is_empty())).starts_with('W'));

    // The server's changes come, and it answers to what the client says of its place.
    session.batch_execute("INSERT INTO items VALUES (4711)").await.unwrap();
    let is_insert = |body: &[u8]| body.first() == Some(&b'w') && body.get(25) == Some(&b'I');
    let changes = client.until(|messages| messages.iter().any(|(tag, body)| *tag == b'd' && is_insert(body)));
    assert!(changes.iter().any(|(_, body)| body.ends_with(b"4711")));
    let mut status = Vec::new();
    encode::message(&mut status, b'd', |out| {
        out.push(b'r');
        out.extend_from_slice(&[0; 32]);
        out.push(1);
    });
    client.send(&status);
    client.until(|messages| messages.iter().any(|(tag, body)| *tag == b'd' && body[0] == b'k'));

    let mut end = Vec::new();
    encode::message(&mut end, b'c', |_| {});
    client.send(&end);
    let ending = client.until_ready(1);
    // A last keepalive may be on its way.
    let ending = tags(&ending).replace('d', "");
    assert!(["cCCZ", "cCZ"].contains(&ending.as_str()), "{ending}");
    assert_eq!(tags(&client.query("SELECT 1")), "TDCZ");
    let recording = recorder.stop().unwrap();
    let found: Vec<_> =
        recording.trace.statements.iter().map(|record| (record.outcome, record.protocol)).collect();
    assert_eq!(found[1], (Outcome::Ok, Protocol::Copy), "{found:?}");
    assert_eq!(recording.trace.losses.opaque_connections, 0);
    drop(session);
    server.close().await.unwrap();
}

#[tokio::test]
async fn physical_replication_starts_and_streams() {
    let server = Target::throwaway(&support::server_options(), &Quiet).await.unwrap();
    let session = server.connect().await.unwrap();
    let rules: String = session.query_one("SHOW hba_file", &[]).await.unwrap().get(0);
    let mut rules = std::fs::OpenOptions::new().append(true).open(rules).unwrap();
    rules.write_all(b"host replication all 127.0.0.1/32 scram-sha-256\n").unwrap();
    session.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    let recorder = Recorder::start(&Options::new(&server.url_for("postgres"), HASH_KEY)).unwrap();
    let url = recorder.upstream();
    let (user, password) = (url.user().unwrap(), url.password().unwrap());
    let address = recorder.address();
    let parameters = [("user", user.as_str()), ("replication", "true")];
    let mut client = RawClient::connect(&address.ip().to_string(), address.port(), &password, &parameters);
    let system = client.query("IDENTIFY_SYSTEM");
    assert_eq!(tags(&system), "TDCZ", "{}", message_of(&system));
    let place = session.query_one("SELECT pg_current_wal_flush_lsn()::text", &[]).await.unwrap();
    let mut bytes = Vec::new();
    encode::query(&mut bytes, format!("START_REPLICATION PHYSICAL {}", place.get::<_, String>(0)).as_bytes());
    client.send(&bytes);
    let started = client.until(|messages| !messages.is_empty());
    assert!(tags(&started).starts_with('W'), "{}", message_of(&started));

    // What the server writes ahead comes as it is.
    let (text, marker) = ("CREATE TABLE marks AS SELECT 'a physical mark'::text AS mark", b"a physical mark");
    session.batch_execute(text).await.unwrap();
    session.batch_execute("SELECT pg_switch_wal()").await.unwrap();
    let has_mark = |messages: &[(u8, Vec<u8>)]| {
        messages
            .iter()
            .any(|(tag, body)| *tag == b'd' && body.windows(marker.len()).any(|part| part == marker))
    };
    assert!(has_mark(&client.until(has_mark)));
    drop(client);
    let recording = recorder.stop().unwrap();
    assert_eq!(recording.trace.losses.undecoded_messages, 0);
    drop(session);
    server.close().await.unwrap();
}

/// `plimsoll proxy` as a process of its own, so that its memory is its own.
struct ProxyProcess {
    child: Child,
    port: u16,
}

impl ProxyProcess {
    fn start(folder: &Path, url: &str) -> Self {
        let mut child = plimsoll(folder)
            .args(["proxy", "--listen", "127.0.0.1:0", "--url", url])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.split("127.0.0.1:").nth(1).and_then(|rest| rest.split(';').next());
        Self {
            port: port.and_then(|port| port.trim().parse().ok()).unwrap_or_else(|| panic!("{line}")),
            child,
        }
    }

    /// The most memory it ever had, in MiB.
    fn peak_memory_mib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() / 1024
    }

    fn stop(mut self) {
        processes::signal(self.child.id(), "INT");
        assert!(self.child.wait().unwrap().success());
    }
}

/// One message of 1 GiB passes as well; that takes longer than a test should.
const LARGE_BYTES: usize = 192 * 1024 * 1024;

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_message_of_any_size_is_streamed_and_not_held() {
    let database = support::database("proxy_large").await;
    let folder = tempfile::tempdir().unwrap();
    let proxy = ProxyProcess::start(folder.path(), &database.target.url_for(&database.name));
    let direct = plimsoll::proxy::ServerUrl::parse(&database.target.url_for(&database.name)).unwrap();
    let (user, name) = (direct.user().unwrap(), direct.database().unwrap());
    let parameters = [("user", user.as_str()), ("database", name.as_str())];
    let mut client = RawClient::connect("127.0.0.1", proxy.port, &direct.password().unwrap(), &parameters);

    // To the server: one Bind with one large binary value.
    let mut bytes = Vec::new();
    encode::parse(&mut bytes, b"", b"SELECT octet_length($1::bytea)");
    let length = u32::try_from(4 + 2 + 4 + 2 + 4 + LARGE_BYTES + 2).unwrap();
    bytes.push(b'B');
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(&[0, 0, 0, 1, 0, 1, 0, 1]);
    bytes.extend_from_slice(&i32::try_from(LARGE_BYTES).unwrap().to_be_bytes());
    client.send(&bytes);
    let chunk = vec![7; 1 << 20];
    for _ in 0..LARGE_BYTES / chunk.len() {
        client.send(&chunk);
    }
    client.send(&[0, 0]);
    client.send(&pipeline(|out| encode::execute(out, b"", 0)));
    let answer = client.until_ready(1);
    assert_eq!(tags(&answer), "12DCZ", "{}", message_of(&answer));
    assert!(answer[2].1.ends_with(LARGE_BYTES.to_string().as_bytes()));

    // To the client: one row of the same size, of which nothing is kept here either.
    let mut bytes = Vec::new();
    encode::query(&mut bytes, format!("SELECT repeat('x', {LARGE_BYTES})").as_bytes());
    client.send(&bytes);
    let (mut seen, mut chunk, mut end) = (0, vec![0; 1 << 20], Vec::new());
    while !end.ends_with(b"Z\0\0\0\x05I") {
        let count = client.stream.read(&mut chunk).unwrap();
        assert!(count > 0);
        seen += count;
        end.extend_from_slice(&chunk[count.saturating_sub(6)..count]);
        end.drain(..end.len().saturating_sub(6));
    }
    assert!(seen > LARGE_BYTES && seen < LARGE_BYTES + 200, "{seen}");

    // Twice 32 MiB of the queue, and the program itself.
    let peak = proxy.peak_memory_mib();
    assert!(peak < 110, "{peak} MiB at most for messages of {} MiB", LARGE_BYTES >> 20);
    drop(client);
    proxy.stop();
    let trace = plimsoll::trace::read(&folder.path().join("plimsoll.trace"), 10).unwrap();
    assert!(trace.complete);
    assert_eq!(trace.statements.iter().map(|record| record.rows).collect::<Vec<_>>(), [1, 1]);
    assert!(trace.statements[1].bytes as usize > LARGE_BYTES);
}

/// Answers of a few bytes up to more than any that are held back for a burst.
const ANSWER_BYTES: [usize; 6] = [1, 300, 3_900, 4_200, 9_000, 70_000];

#[tokio::test]
async fn clients_that_talk_at_once_get_the_same_in_bursts_and_each_by_itself() {
    const CLIENTS: usize = 12;
    const ROUNDS: usize = 40;
    for sends_in_bursts in [true, false] {
        let recorded =
            Recorded::start_with("proxy_bursts", |options| options.sends_in_bursts = sends_in_bursts).await;
        let mut direct = recorded.direct_client();
        let mut clients: Vec<RawClient> = (0..CLIENTS).map(|_| recorded.client()).collect();
        let question = |round: usize, number: usize| {
            let length = ANSWER_BYTES[(round + number) % ANSWER_BYTES.len()];
            let mut bytes = Vec::new();
            let text = format!("SELECT {number}, {round}, repeat('x', {length})");
            encode::query(&mut bytes, text.as_bytes());
            bytes
        };
        for round in 0..ROUNDS {
            for (number, client) in clients.iter_mut().enumerate() {
                client.send(&question(round, number));
            }
            for (number, client) in clients.iter_mut().enumerate() {
                direct.send(&question(round, number));
                assert_eq!(client.until_ready(1), direct.until_ready(1), "client {number}, round {round}");
            }
        }
        drop(clients);
        let recording = recorded.stop();
        assert_eq!(recording.trace.losses, plimsoll::trace::Losses::default());
        assert_eq!(recording.trace.statements.len(), CLIENTS * ROUNDS);
        // A system may refuse bursts.
        assert!(if sends_in_bursts { recording.bursts != Some(0) } else { recording.bursts.is_none() });
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_up_no_other_and_gets_it_all() {
    const ANSWERS: usize = 1_000;
    for sends_in_bursts in [true, false] {
        let recorded =
            Recorded::start_with("proxy_slow", |options| options.sends_in_bursts = sends_in_bursts).await;
        let (directory, port) = (recorded.recorder.socket_directory(), recorded.recorder.address().port());
        let (login, password) = (recorded.login(), recorded.direct.password().unwrap_or_default());
        let parameters: Vec<(&str, &str)> =
            login.iter().map(|(name, value)| (*name, value.as_str())).collect();
        // A Unix socket, which takes least.
        let path = directory.join(format!(".s.PGSQL.{port}"));
        let version = encode::PROTOCOL_3_0;
        let login = Login {
            version,
            parameters: &parameters,
            user: "",
            password: &password,
            binding: Binding::Unsupported,
        };
        let mut slow = RawClient::over(UnixStream::connect(&path).unwrap(), &login);
        let mut others: Vec<RawClient> = (0..4).map(|_| recorded.client()).collect();
        let mut bytes = Vec::new();
        for number in 0..ANSWERS {
            encode::query(&mut bytes, format!("SELECT {number}, repeat('x', 3000)").as_bytes());
        }
        slow.send(&bytes);
        let mut ask_others = || {
            let mut bytes = Vec::new();
            encode::query(&mut bytes, b"SELECT 1");
            for other in &mut others {
                other.send(&bytes);
            }
            for other in &mut others {
                assert_eq!(tags(&other.until_ready(1)), "TDCZ");
            }
        };
        for _ in 0..200 {
            ask_others();
        }
        let mut answers = Vec::new();
        while answers.iter().filter(|(tag, _)| *tag == b'Z').count() < ANSWERS {
            answers.extend(slow.until(|messages| messages.iter().any(|(tag, _)| *tag == b'Z')));
            ask_others();
        }
        assert_eq!(tags(&answers), "TDCZ".repeat(ANSWERS));
        for (number, (_, row)) in answers.iter().filter(|(tag, _)| *tag == b'D').enumerate() {
            let number = number.to_string();
            assert_eq!(&row[6..6 + number.len()], number.as_bytes());
            assert_eq!(row.len(), 2 + 4 + number.len() + 4 + 3000);
        }
        assert_eq!(recorded.stop().trace.losses, plimsoll::trace::Losses::default());
    }
}

#[tokio::test]
async fn a_client_may_come_by_unix_socket() {
    let recorded = Recorded::start("proxy_unix").await;
    let (directory, port) = (recorded.recorder.socket_directory(), recorded.recorder.address().port());
    let path = directory.join(format!(".s.PGSQL.{port}"));
    let login = recorded.login();
    let parameters: Vec<(&str, &str)> = login.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let password = recorded.direct.password().unwrap_or_default();
    let login = Login {
        version: encode::PROTOCOL_3_0,
        parameters: &parameters,
        user: "",
        password: &password,
        binding: Binding::Unsupported,
    };
    let mut client = RawClient::over(UnixStream::connect(&path).unwrap(), &login);
    assert_eq!(tags(&client.query("SELECT 1")), "TDCZ");
    let recording = recorded.stop();
    assert_eq!((recording.trace.connections, recording.trace.statements.len()), (1, 1));
    assert!(!path.exists(), "the socket goes with the recorder");
}

#[tokio::test]
async fn a_session_that_the_server_ends_says_why() {
    let recorded = Recorded::start("proxy_terminated").await;
    let mut client = recorded.client();
    let terminate = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    recorded.database.execute(terminate).await;
    let last = client.until(|_| false);
    assert_eq!(sqlstate(&last).as_deref(), Some("57P01"));
    assert_eq!(recorded.stop().cut, 0);
}

#[tokio::test]
async fn a_client_that_vanishes_takes_its_server_session_along() {
    let recorded = Recorded::start("proxy_vanished").await;
    let mut client = recorded.client();
    client.query("SELECT 1");
    let session = recorded.database.session().await;
    // No Terminate, as of a process that was killed.
    drop(client);
    let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let mut left = 1_i64;
    for _ in 0..400 {
        left = session.query_one(others, &[]).await.unwrap().get(0);
        if left == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    assert_eq!(left, 0);
    let recording = recorded.stop();
    assert_eq!(recording.cut, 0);
}
