//! `SHOW plimsoll.findings` and `SET plimsoll.max_statements`, in every protocol.

use super::raw::{RawClient, message_of, sqlstate, tags};
use super::{Recorded, extended, pipeline};
use plimsoll::proxy::Judge;
use plimsoll::wire::encode;

const SHOW: &str = "SHOW plimsoll.findings";

/// Answers with what there was to judge.
async fn counting(label: &str) -> Recorded {
    Recorded::start_with(label, |options| {
        options.findings = Some(Judge::new(|trace| {
            let limit = trace.limits.last().and_then(|limit| limit.statements);
            format!("it's {} of {limit:?} \\", trace.statements.len())
        }));
    })
    .await
}

fn row(messages: &[(u8, Vec<u8>)]) -> String {
    let body = &messages.iter().find(|(tag, _)| *tag == b'D').unwrap_or_else(|| panic!("{messages:?}")).1;
    String::from_utf8_lossy(&body[6..]).into_owned()
}

#[tokio::test]
async fn a_session_is_told_about_its_own_scope() {
    let recorded = counting("proxy_findings").await;
    let (mut client, mut other) = (recorded.client(), recorded.client());
    for client in [&mut client, &mut other] {
        client.query("SET plimsoll.scope = 'a'");
    }
    other.query("SET plimsoll.scope = 'b'");
    other.query("SELECT 1");
    client.query("SELECT 1");
    client.query("SET plimsoll.max_statements = 3");
    let answer = client.query("SELECT 2; show Plimsoll.findings ; SELECT 3");
    assert_eq!(tags(&answer), "TDCTDCTDCZ", "{}", message_of(&answer));
    assert!(answer[3].1.windows(17).any(|part| part == b"plimsoll.findings"));
    // `SET scope` of both, SELECT 1 and SET of one; the text's own statements are not answered yet.
    assert_eq!(row(&answer[3..]), "it's 3 of Some(3) \\");
    // In a transaction that has failed it fails as everything does.
    client.query("BEGIN; SELECT 1/0");
    assert_eq!(sqlstate(&client.query(SHOW)).as_deref(), Some("25P02"));
    client.query("ROLLBACK");
    client.query("RESET plimsoll.scope");
    let refused = client.query(SHOW);
    assert_eq!(sqlstate(&refused).as_deref(), Some("55000"));
    assert!(
        message_of(&refused).contains("SET plimsoll.scope to the test's name"),
        "{}",
        message_of(&refused)
    );
    assert_eq!(tags(&client.query("SELECT 1")), "TDCZ");
    let recording = recorded.stop();
    assert_eq!(recording.trace.limits.len(), 1);
    assert_eq!(recording.trace.limits[0].scope.as_deref(), Some("a"));
    assert_eq!(recording.trace.losses.undecoded_messages, 0);
}

#[tokio::test]
async fn a_prepared_question_is_answered_anew_each_time() {
    let recorded = counting("proxy_findings_prepared").await;
    let mut client = recorded.client();
    client.query("SET plimsoll.scope = 'a'");
    for is_binary in [false, true] {
        client.send(&extended(SHOW, is_binary));
        let answer = client.until_ready(1);
        assert_eq!(tags(&answer), "12TDCZ", "{}", message_of(&answer));
    }
    client.send(&pipeline(|out| encode::parse(out, b"s", SHOW.as_bytes())));
    client.until_ready(1);
    let execute = |client: &mut RawClient| {
        client.send(&pipeline(|out| {
            encode::bind_without_parameters(out, b"", b"s");
            encode::execute(out, b"", 0);
            encode::message(out, b'C', |out| out.extend_from_slice(b"P\0"));
        }));
        let answer = client.until_ready(1);
        assert_eq!(tags(&answer), "2DC3Z", "{}", message_of(&answer));
        row(&answer)
    };
    let first = execute(&mut client);
    client.query("SELECT 1");
    let second = execute(&mut client);
    assert_ne!(first, second);
    let left = client.query("SELECT count(*) FROM pg_prepared_statements WHERE name <> 's'");
    assert_eq!(row(&left), "0", "nothing of ours stays in the session");
    assert_eq!(recorded.stop().trace.losses.undecoded_messages, 0);
}

#[tokio::test]
async fn without_the_mode_the_server_answers() {
    let recorded = Recorded::start("proxy_findings_off").await;
    let mut client = recorded.client();
    client.query("SET plimsoll.scope = 'a'");
    assert_eq!(sqlstate(&client.query(SHOW)).as_deref(), Some("42704"));
}
