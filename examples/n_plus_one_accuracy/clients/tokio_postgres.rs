//! The shop's pages with tokio-postgres, run by this program as a child of itself.

use anyhow::{Context as _, bail};
use futures_util::future::{join_all, try_join};
use futures_util::{SinkExt as _, TryStreamExt as _};
use std::fmt::Write as _;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

const SCENARIOS: [&str; 12] = [
    "a user per order",
    "a user per order, prepared once",
    "a user per order, text in place",
    "pipelined with join_all",
    "items and their products",
    "read through a portal",
    "two workers with the same code",
    "a document's revisions by uuid",
    "batched",
    "copied in and out",
    "pages by key",
    "a savepoint per write",
];

const ORDERS: &str = "SELECT id, user_id FROM orders ORDER BY id LIMIT $1";
const USER: &str = "SELECT id, email FROM users WHERE id = $1";
const ITEMS: &str = "SELECT id, product_id FROM order_items WHERE order_id = $1";
const PRODUCT: &str = "SELECT id, name FROM products WHERE id = $1";

#[derive(Default)]
struct Labels(String);

impl Labels {
    fn expect_loop(&mut self, parent: &str, child: &str, n: usize) {
        let _ = writeln!(self.0, "loop\t{parent}\t{child}\t{n}");
    }
}

/// `list`, or `run NAME FILE`.
pub(crate) async fn run(words: &[String]) -> anyhow::Result<()> {
    match words {
        [verb] if verb == "list" => {
            println!("version\ttokio-postgres {}", locked_version()?);
            SCENARIOS.iter().for_each(|name| println!("scenario\t{name}"));
        }
        [verb, name, file] if verb == "run" => {
            let mut labels = Labels::default();
            page(name, &mut labels).await?;
            std::fs::write(file, labels.0)?;
        }
        _ => bail!("list, or run NAME FILE"),
    }
    Ok(())
}

fn locked_version() -> anyhow::Result<String> {
    let lock: toml::Table =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.lock"))?.parse()?;
    let packages = lock.get("package").and_then(toml::Value::as_array).context("no packages")?;
    let own = packages.iter().find(|package| package["name"].as_str() == Some("tokio-postgres"));
    Ok(own.and_then(|package| package["version"].as_str()).context("no version")?.to_owned())
}

#[expect(clippy::disallowed_methods, reason = "an application reads its own environment")]
async fn connect() -> anyhow::Result<Client> {
    let (client, connection) = tokio_postgres::connect(&std::env::var("DATABASE_URL")?, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn page(name: &str, labels: &mut Labels) -> anyhow::Result<()> {
    let mut client = connect().await?;
    match name {
        "a user per order" => {
            let rows = client.query(ORDERS, &[&20_i64]).await?;
            for row in &rows {
                client.query_one(USER, &[&row.get::<_, i32>(1)]).await?;
            }
            labels.expect_loop("from orders", "from users", rows.len());
        }
        "a user per order, prepared once" => {
            let user = client.prepare(USER).await?;
            let rows = client.query(ORDERS, &[&30_i64]).await?;
            for row in &rows {
                client.query_one(&user, &[&row.get::<_, i32>(1)]).await?;
            }
            labels.expect_loop("from orders", "from users", rows.len());
        }
        "a user per order, text in place" => {
            let answer = client.simple_query("SELECT id, user_id FROM orders ORDER BY id LIMIT 13").await?;
            let mut count = 0;
            for message in &answer {
                if let SimpleQueryMessage::Row(row) = message {
                    let user = row.get(1).context("no user")?;
                    client.simple_query(&format!("SELECT email FROM users WHERE id = {user}")).await?;
                    count += 1;
                }
            }
            labels.expect_loop("from orders", "from users", count);
        }
        "pipelined with join_all" => {
            let rows = client.query(ORDERS, &[&24_i64]).await?;
            let user = client.prepare(USER).await?;
            let keys: Vec<i32> = rows.iter().map(|row| row.get(1)).collect();
            join_all(keys.iter().map(async |key| client.query_one(&user, &[key]).await)).await;
            labels.expect_loop("from orders", "from users", rows.len());
        }
        "items and their products" => nested(&client, labels).await?,
        "read through a portal" => portal(&mut client, labels).await?,
        "two workers with the same code" => {
            let other = connect().await?;
            let (one, two) = try_join(work(&client, 16), work(&other, 19)).await?;
            labels.expect_loop("from orders", "from users", one);
            labels.expect_loop("from orders", "from users", two);
        }
        "a document's revisions by uuid" => {
            let rows =
                client.query("SELECT id::text AS id FROM documents ORDER BY title LIMIT 15", &[]).await?;
            for row in &rows {
                let revisions = "SELECT id, body FROM revisions WHERE document_id = $1::text::uuid";
                client.query(revisions, &[&row.get::<_, String>(0)]).await?;
            }
            labels.expect_loop("from documents", "from revisions", rows.len());
        }
        "batched" => {
            let rows = client.query(ORDERS, &[&60_i64]).await?;
            let keys: Vec<i32> = rows.iter().map(|row| row.get(1)).collect();
            client.query("SELECT id, email FROM users WHERE id = ANY($1)", &[&keys]).await?;
        }
        "copied in and out" => copied(&client).await?,
        "pages by key" => {
            let mut last = 0;
            for _ in 0..8 {
                let text = "SELECT id FROM orders WHERE id > $1 ORDER BY id LIMIT 20";
                last = client.query(text, &[&last]).await?.last().map_or(0, |row| row.get(0));
            }
        }
        "a savepoint per write" => savepoints(&mut client).await?,
        _ => bail!("no scenario `{name}`"),
    }
    Ok(())
}

async fn work(client: &Client, count: i64) -> Result<usize, tokio_postgres::Error> {
    let rows = client.query(ORDERS, &[&count]).await?;
    for row in &rows {
        client.query_one(USER, &[&row.get::<_, i32>(1)]).await?;
    }
    Ok(rows.len())
}

async fn nested(client: &Client, labels: &mut Labels) -> anyhow::Result<()> {
    let rows = client.query(ORDERS, &[&21_i64]).await?;
    let mut asked = 0;
    for row in &rows {
        for item in client.query(ITEMS, &[&row.get::<_, i32>(0)]).await? {
            client.query_one(PRODUCT, &[&item.get::<_, i32>(1)]).await?;
            asked += 1;
        }
    }
    labels.expect_loop("from orders", "from order_items", rows.len());
    labels.expect_loop("from order_items", "from products", asked);
    Ok(())
}

async fn portal(client: &mut Client, labels: &mut Labels) -> anyhow::Result<()> {
    let other = connect().await?;
    let transaction = client.transaction().await?;
    let portal = transaction.bind(ORDERS, &[&31_i64]).await?;
    let mut count = 0;
    loop {
        let rows = transaction.query_portal(&portal, 8).await?;
        for row in &rows {
            other.query_one(USER, &[&row.get::<_, i32>(1)]).await?;
        }
        count += rows.len();
        if rows.len() < 8 {
            break;
        }
    }
    labels.expect_loop("from orders", "from users", count);
    Ok(())
}

async fn copied(client: &Client) -> anyhow::Result<()> {
    let rows = client.query(ORDERS, &[&40_i64]).await?;
    let mut sink = Box::pin(client.copy_in("COPY events (kind, subject_id) FROM STDIN").await?);
    for row in rows {
        let line = format!("seen\t{}\n", row.get::<_, i32>(0));
        sink.send(bytes::Bytes::from(line)).await?;
    }
    sink.close().await?;
    let read = client.copy_out("COPY events TO STDOUT").await?;
    read.try_collect::<Vec<_>>().await?;
    Ok(())
}

async fn savepoints(client: &mut Client) -> anyhow::Result<()> {
    let mut transaction = client.transaction().await?;
    let rows = transaction.query(ORDERS, &[&10_i64]).await?;
    for row in &rows {
        let savepoint = transaction.transaction().await?;
        savepoint
            .execute("UPDATE orders SET status = 'seen' WHERE id = $1", &[&row.get::<_, i32>(0)])
            .await?;
        savepoint.commit().await?;
    }
    transaction.commit().await?;
    Ok(())
}
