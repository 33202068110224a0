//! TLS on both hops and the ways to log in, each against a real server.

use super::HASH_KEY;
use super::raw::{Binding, Login, Message, RawClient, message_of, sqlstate, tags, tcp};
use crate::server::tls::server_for;
use crate::support::{self, scratch::Scratch};
use plimsoll::postgres::Target;
use plimsoll::proxy::{ClientTls, Options, Recorder, ServerUrl};
use plimsoll::wire::encode;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use sha2::{Digest, Sha256};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

type TlsStream = StreamOwned<ClientConnection, TcpStream>;

/// A recorder in front of a server, with the parameters of its URL.
fn recorder(server: &Target, parameters: &str, client_tls: ClientTls) -> Recorder {
    let url = format!("{}?{parameters}", server.url_for("postgres"));
    Recorder::start(&Options { client_tls, ..Options::new(&url, HASH_KEY) }).unwrap()
}

/// A session through the recorder over `stream`, as the server's own user.
fn session<S: Read + Write>(recorder: &Recorder, stream: S, binding: Binding) -> RawClient<S> {
    let url: &ServerUrl = recorder.upstream();
    let (user, password) = (url.user().unwrap(), url.password().unwrap());
    let parameters = [("user", user.as_str()), ("database", "postgres")];
    let login = Login {
        version: encode::PROTOCOL_3_0,
        parameters: &parameters,
        user: &user,
        password: &password,
        binding,
    };
    RawClient::over(stream, &login)
}

fn plain(recorder: &Recorder) -> TcpStream {
    tcp(&recorder.address().ip().to_string(), recorder.address().port())
}

/// Asks for TLS; the answer, and the stream.
fn asked(recorder: &Recorder) -> (u8, TcpStream) {
    let mut stream = plain(recorder);
    stream.write_all(&encode::SSL_REQUEST).unwrap();
    let mut answer = [0];
    stream.read_exact(&mut answer).unwrap();
    (answer[0], stream)
}

/// A stream in TLS, whatever the certificate.
async fn in_tls(recorder: &Recorder, server: &Target) -> TlsStream {
    let (answer, stream) = asked(recorder);
    assert_eq!(answer, b'S');
    let trusting = Target::at_url(&format!("{}?sslmode=require", server.url_for("postgres"))).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let mut stream = StreamOwned::new(ClientConnection::new(trusting.tls_config(), name).unwrap(), stream);
    stream.flush().unwrap();
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).unwrap();
    }
    stream
}

/// Whether the server says that it is spoken to in TLS, or why there is no session.
fn is_server_in_tls<S: Read + Write>(mut client: RawClient<S>) -> Result<bool, String> {
    if sqlstate(&client.greeting).is_some() {
        return Err(message_of(&client.greeting));
    }
    let answer = client.query("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()");
    assert_eq!(tags(&answer), "TDCZ");
    Ok(answer[1].1.ends_with(b"t"))
}

#[tokio::test]
async fn the_hop_to_the_server_follows_sslmode() {
    let scratch = Scratch::new();
    let (server, authority) = server_for(&scratch, "127.0.0.1").await;
    let root = format!("sslrootcert={}", authority.display());
    for (parameters, expected) in [
        ("sslmode=disable".to_owned(), Ok(false)),
        ("sslmode=allow".to_owned(), Ok(false)),
        ("sslmode=prefer".to_owned(), Ok(true)),
        ("sslmode=require".to_owned(), Ok(true)),
        (format!("sslmode=require&{root}"), Ok(true)),
        (format!("sslmode=verify-ca&{root}"), Ok(true)),
        (format!("sslmode=verify-full&{root}"), Ok(true)),
        ("sslmode=verify-ca&sslrootcert=system".to_owned(), Err("UnknownIssuer")),
        ("sslmode=verify-full&sslrootcert=system".to_owned(), Err("UnknownIssuer")),
    ] {
        let recorder = recorder(&server, &parameters, ClientTls::Refused);
        let found = is_server_in_tls(session(&recorder, plain(&recorder), Binding::Unsupported));
        match (expected, &found) {
            (Ok(expected), Ok(found)) => assert_eq!(*found, expected, "{parameters}"),
            (Err(part), Err(message)) => assert!(message.contains(part), "{parameters}: {message}"),
            _ => panic!("{parameters}: {found:?}"),
        }
        assert_eq!(recorder.stop().unwrap().refused, u64::from(found.is_err()), "{parameters}");
    }
    server.close().await.unwrap();
}

#[tokio::test]
async fn a_certificate_for_another_name_stops_only_verify_full() {
    let scratch = Scratch::new();
    let (server, authority) = server_for(&scratch, "db.example").await;
    let root = format!("sslrootcert={}", authority.display());
    let ca = recorder(&server, &format!("sslmode=verify-ca&{root}"), ClientTls::Refused);
    assert_eq!(is_server_in_tls(session(&ca, plain(&ca), Binding::Unsupported)), Ok(true));
    let full = recorder(&server, &format!("sslmode=verify-full&{root}"), ClientTls::Refused);
    let error = is_server_in_tls(session(&full, plain(&full), Binding::Unsupported)).unwrap_err();
    assert!(error.contains("not valid for name"), "{error}");
    drop((ca, full));
    server.close().await.unwrap();
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_the_url_asks_for_it() {
    let server = support::server();
    let strict = recorder(server, "sslmode=require", ClientTls::Refused);
    let error = is_server_in_tls(session(&strict, plain(&strict), Binding::Unsupported)).unwrap_err();
    assert!(error.contains("the server does not support TLS"), "{error}");
    let lax = recorder(server, "sslmode=prefer", ClientTls::Refused);
    assert_eq!(is_server_in_tls(session(&lax, plain(&lax), Binding::Unsupported)), Ok(false));
}

fn given(scratch: &Scratch) -> ClientTls {
    let file = |name: &str| Path::new(scratch.path()).join(name);
    ClientTls::Given { certificate: file("server.pem"), key: file("server.key") }
}

/// The hash that a client binds to: of the certificate it was shown.
fn shown(stream: &TlsStream) -> Vec<u8> {
    Sha256::digest(&stream.conn.peer_certificates().unwrap()[0]).to_vec()
}

#[tokio::test]
async fn a_client_may_use_tls_and_channel_binding_is_answered_honestly() {
    let scratch = Scratch::new();
    let (server, _) = server_for(&scratch, "127.0.0.1").await;
    let server_tls = "sslmode=require";

    // Without a certificate of its own the recorder says no, as a server would.
    let refusing = recorder(&server, server_tls, ClientTls::Refused);
    let (answer, stream) = asked(&refusing);
    assert_eq!(answer, b'N');
    let client = session(&refusing, stream, Binding::Unsupported);
    assert!(!offer(&client.greeting).contains("PLUS"), "{}", offer(&client.greeting));
    assert_eq!(is_server_in_tls(client), Ok(true));
    // One that could bind if it had TLS is refused by the server, which has: better said here.
    let client = session(&refusing, plain(&refusing), Binding::NotOffered);
    let error = is_server_in_tls(client).unwrap_err();
    assert!(error.contains("SCRAM channel binding cannot pass a proxy"), "{error}");

    let own = recorder(&server, server_tls, ClientTls::OwnCertificate);
    let client = session(&own, in_tls(&own, &server).await, Binding::Unsupported);
    assert!(offer(&client.greeting).contains("SCRAM-SHA-256-PLUS"));
    assert_eq!(is_server_in_tls(client), Ok(true));
    let stream = in_tls(&own, &server).await;
    let hash = shown(&stream);
    for (stream, binding) in [(stream, Binding::To(hash)), (in_tls(&own, &server).await, Binding::NotOffered)]
    {
        let client = session(&own, stream, binding);
        assert_eq!(sqlstate(&client.greeting).as_deref(), Some("28000"));
        let error = is_server_in_tls(client).unwrap_err();
        assert!(error.contains("SCRAM channel binding cannot pass a proxy"), "{error}");
    }
    assert_eq!(own.stop().unwrap().refused, 2);

    // The server's own certificate on both hops: binding works.
    let same = recorder(&server, server_tls, given(&scratch));
    let stream = in_tls(&same, &server).await;
    let hash = shown(&stream);
    assert_eq!(is_server_in_tls(session(&same, stream, Binding::To(hash))), Ok(true));
    let client = session(&same, in_tls(&same, &server).await, Binding::Unsupported);
    assert_eq!(is_server_in_tls(client), Ok(true));
    drop((refusing, same));
    server.close().await.unwrap();
}

/// The names of the mechanisms that were offered.
fn offer(greeting: &[Message]) -> String {
    let body = &greeting.iter().find(|(tag, body)| *tag == b'R' && body[3] == 10).unwrap().1;
    String::from_utf8_lossy(&body[4..]).into_owned()
}

#[tokio::test]
async fn an_md5_password_passes_through() {
    let scratch = Scratch::new();
    let (server, _) = server_for(&scratch, "127.0.0.1").await;
    let admin = server.connect().await.unwrap();
    admin
        .batch_execute("SET password_encryption = 'md5'; CREATE ROLE old LOGIN PASSWORD 'secret'")
        .await
        .unwrap();
    drop(admin);
    for parameters in ["sslmode=disable", "sslmode=require"] {
        let recorder = recorder(&server, parameters, ClientTls::Refused);
        for (password, expected) in [("secret", None), ("wrong", Some("28P01"))] {
            let login = Login {
                version: encode::PROTOCOL_3_0,
                parameters: &[("user", "old"), ("database", "postgres")],
                user: "old",
                password,
                binding: Binding::Unsupported,
            };
            let client = RawClient::over(plain(&recorder), &login);
            assert!(client.greeting.iter().any(|(tag, body)| *tag == b'R' && body[3] == 5));
            assert_eq!(sqlstate(&client.greeting).as_deref(), expected, "{parameters}");
        }
    }
    server.close().await.unwrap();
}
