//! The shop's application, as far as the demo needs one: two ways to list
//! twenty orders with their users' e-mails, and the worse one by two workers
//! at once. It knows nothing of being recorded.

use tokio_postgres::{Client, NoTls};

const ORDERS: &str = "SELECT id, user_id, total FROM orders ORDER BY created_at DESC, id DESC LIMIT 20";
const EMAIL: &str = "SELECT id, email FROM users WHERE id = $1";
const JOINED: &str = "SELECT orders.id, orders.total, users.email FROM orders \
    JOIN users ON users.id = orders.user_id ORDER BY orders.created_at DESC, orders.id DESC LIMIT 20";

/// Lists the orders, in every way.
pub(super) async fn list_orders(url: &str) -> Result<(), tokio_postgres::Error> {
    one_per_row(&connect(url, "list orders, one query per row").await?).await?;
    connect(url, "list orders, joined").await?.query(JOINED, &[]).await?;
    let first = connect(url, "list orders, two workers at once").await?;
    let second = connect(url, "list orders, two workers at once").await?;
    // In turns: the statements of both interleave on the wire.
    tokio::try_join!(one_per_row(&first), one_per_row(&second))?;
    Ok(())
}

async fn connect(url: &str, name: &str) -> Result<Client, tokio_postgres::Error> {
    let mut config: tokio_postgres::Config = url.parse()?;
    let (client, connection) = config.application_name(name).connect(NoTls).await?;
    // It ends with the client; what it fails with, the client's calls report.
    tokio::spawn(connection);
    Ok(client)
}

async fn one_per_row(client: &Client) -> Result<(), tokio_postgres::Error> {
    let email = client.prepare(EMAIL).await?;
    for order in client.query(ORDERS, &[]).await? {
        let user_id: i64 = order.try_get("user_id")?;
        client.query(&email, &[&user_id]).await?;
    }
    Ok(())
}
