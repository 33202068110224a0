//! The recording proxy against a server: the same bytes as without it, and
//! records that say what happened.

mod raw;

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
