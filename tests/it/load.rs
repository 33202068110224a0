//! The thin client against a real server.

use crate::server::tls::server_for;
use crate::support::{self, scratch::Scratch};
use plimsoll::load::{Address, Client, Encryption, Endpoint, Error};
use plimsoll::model::Quiet;
use plimsoll::postgres::{Target, ThrowawayOptions};

async fn address(label: &str) -> Address {
    let database = support::database(label).await;
    Address::of(&database.target.config_for(&database.name)).unwrap()
}

#[tokio::test]
async fn rows_bytes_and_errors_come_back_and_the_connection_goes_on() {
    let address = address("thin client").await;
    tokio::task::spawn_blocking(move || {
        let mut client = Client::connect(&address).unwrap();
        assert!(client.backend_pid() > 0);
        let series =
            client.prepare("SELECT n, repeat('x', $2::int) FROM generate_series(1, $1::int) n").unwrap();
        assert_eq!(series.parameter_count(), 2);
        let small = series.bind(&[Some("3".into()), Some("10".into())]).unwrap();
        let execution = client.execute(&small).unwrap();
        assert_eq!(execution.rows, 3);
        assert_eq!(execution.result_hash, 0);
        // Larger than the receive buffer, and single rows larger than it too.
        let large = series.bind(&[Some("5000".into()), Some("100".into())]).unwrap();
        let execution = client.execute(&large).unwrap();
        assert_eq!(execution.rows, 5000);
        assert!(execution.result_bytes > 500_000);
        let wide = series.bind(&[Some("2".into()), Some("300000".into())]).unwrap();
        assert_eq!(client.execute(&wide).unwrap().rows, 2);

        let divide = client.prepare("SELECT 1 / $1::int").unwrap();
        let error = client.execute(&divide.bind(&[Some("0".into())]).unwrap()).unwrap_err();
        assert_eq!(error.server().unwrap().sqlstate, "22012");
        assert_eq!(client.execute(&divide.bind(&[None]).unwrap()).unwrap().rows, 1);
        let error = client.prepare("SELECT * FROM absent").unwrap_err();
        assert_eq!(error.server().unwrap().sqlstate, "42P01");
        assert!(divide.bind(&[]).is_err());
        let error = client.simple("COPY (SELECT 1) TO STDOUT").unwrap_err();
        assert!(matches!(error, Error::Unsupported(_)), "{error}");
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_result_hash_ignores_the_order_and_nothing_else() {
    let address = address("result hash").await;
    tokio::task::spawn_blocking(move || {
        let mut client = Client::connect(&address).unwrap();
        let mut hash = |sql: &str| {
            let request = client.prepare(sql).unwrap().bind(&[]).unwrap();
            client.execute_hashed(&request).unwrap().result_hash
        };
        let ascending = hash("SELECT n FROM generate_series(1, 100) n ORDER BY n");
        assert_eq!(hash("SELECT n FROM generate_series(1, 100) n ORDER BY n DESC"), ascending);
        assert_ne!(hash("SELECT n FROM generate_series(2, 101) n"), ascending);
        assert_ne!(hash("SELECT n FROM generate_series(1, 100) n UNION ALL SELECT 1"), ascending);
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn passwords_are_proven_by_scram_and_a_wrong_one_is_refused() {
    let database = support::database("thin logins").await;
    // Over loopback the throwaway server asks for its password (SCRAM).
    let config: tokio_postgres::Config = database.target.url_for(&database.name).parse().unwrap();
    let address = Address::of(&config).unwrap();
    assert!(matches!(address.endpoint, Endpoint::Tcp { .. }));
    tokio::task::spawn_blocking(move || {
        let mut client = Client::connect(&address).unwrap();
        assert_eq!(client.simple("SELECT 1").unwrap().rows, 1);
        let wrong = Address { password: Some("wrong".into()), ..address.clone() };
        let error = Client::connect(&wrong).err().unwrap();
        assert_eq!(error.server().unwrap().sqlstate, "28P01");
        let none = Address { password: None, ..address.clone() };
        assert!(matches!(Client::connect(&none), Err(Error::PasswordMissing)));
        let nowhere = Address { endpoint: Endpoint::Tcp { host: "127.0.0.1".into(), port: 1 }, ..address };
        let message = Client::connect(&nowhere).err().unwrap().to_string();
        assert!(message.starts_with("cannot connect to 127.0.0.1:1"), "{message}");
    })
    .await
    .unwrap();
}

fn executes(address: &Address, check: &str) {
    let mut client = Client::connect(address).unwrap_or_else(|error| panic!("{error}"));
    let request = client.prepare(check).unwrap().bind(&[]).unwrap();
    assert_eq!(client.execute(&request).unwrap().rows, 1, "{check}");
}

#[tokio::test]
async fn a_session_is_encrypted_where_that_is_asked_for_and_not_otherwise() {
    let scratch = Scratch::new();
    let (server, authority) = server_for(&scratch, "127.0.0.1").await;
    let url =
        format!("{}?sslmode=verify-full&sslrootcert={}", server.url_for("postgres"), authority.display());
    let target = Target::at_url(&url).await.unwrap();
    let plain = Address::of(&target.config_for("postgres")).unwrap();
    let required = Encryption::Required(target.tls_config());
    let preferred = Encryption::Preferred(target.tls_config());
    tokio::task::spawn_blocking(move || {
        let is =
            |ssl: &str| format!("SELECT 1 FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl = {ssl}");
        executes(&Address { encryption: required, ..plain.clone() }, &is("true"));
        executes(&Address { encryption: preferred, ..plain.clone() }, &is("true"));
        executes(&plain, &is("false"));
    })
    .await
    .unwrap();
    server.close().await.unwrap();
}

#[tokio::test]
async fn an_encrypted_session_is_refused_by_a_server_without_encryption() {
    let target = support::server();
    let config: tokio_postgres::Config = target.url_for("postgres").parse().unwrap();
    let address = Address::of(&config).unwrap();
    let required = Address { encryption: Encryption::Required(target.tls_config()), ..address.clone() };
    let preferred = Address { encryption: Encryption::Preferred(target.tls_config()), ..address };
    tokio::task::spawn_blocking(move || {
        assert!(Client::connect(&required).is_err());
        executes(&preferred, "SELECT 1");
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_password_stored_as_md5_is_proven_by_md5() {
    let scratch = Scratch::new();
    let rules = scratch.path().join("pg_hba.conf");
    std::fs::write(&rules, "local all all trust\nhost all all 127.0.0.1/32 md5\n").unwrap();
    let options = ThrowawayOptions {
        settings: vec![("hba_file".to_owned(), rules.display().to_string())],
        ..support::server_options()
    };
    let server = Target::throwaway(&options, &Quiet).await.unwrap();
    let session = server.connect().await.unwrap();
    session
        .batch_execute("SET password_encryption = 'md5'; CREATE ROLE old LOGIN PASSWORD 'secret'")
        .await
        .unwrap();
    let config: tokio_postgres::Config = server.url_for("postgres").parse().unwrap();
    let address =
        Address { user: "old".into(), password: Some("secret".into()), ..Address::of(&config).unwrap() };
    tokio::task::spawn_blocking(move || {
        executes(&address, "SELECT 1 WHERE current_user = 'old'");
        let wrong = Address { password: Some("wrong".into()), ..address };
        let error = Client::connect(&wrong).err().unwrap();
        assert_eq!(error.server().unwrap().sqlstate, "28P01");
    })
    .await
    .unwrap();
    drop(session);
    server.close().await.unwrap();
}
