//! The thin client against a real server.

use crate::support;
use plimsoll::load::{Address, Client, Endpoint, Error};

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
async fn passwords_are_proven_by_scram_md5_and_a_wrong_one_is_refused() {
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
