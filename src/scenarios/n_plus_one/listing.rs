//! The demo's workload: ways to list twenty orders with their users' e-mails.

use super::record::{RecordedSession, Tape};
use crate::postgres::Target;
use std::sync::Arc;

const ORDERS: &str = "SELECT id, user_id, total FROM orders ORDER BY created_at DESC, id DESC LIMIT 20";
const EMAIL: &str = "SELECT id, email FROM users WHERE id = $1";
const JOINED: &str = "SELECT orders.id, orders.total, users.email FROM orders \
    JOIN users ON users.id = orders.user_id ORDER BY orders.created_at DESC, orders.id DESC LIMIT 20";

/// Executes every listing against a database; the tape holds what was asked.
pub(super) async fn list_orders(target: &Target, database: &str, tape: &Arc<Tape>) -> anyhow::Result<()> {
    let connect = async |scope: &str| {
        let session = target.connect_to(database).await?;
        Ok::<_, crate::postgres::Error>(RecordedSession::new(session, tape, scope))
    };
    let one_per_row = connect("list orders, one query per row").await?;
    per_row(&one_per_row).await?;
    let joined = connect("list orders, joined").await?;
    joined.query(JOINED, &[]).await?;
    let first = connect("list orders, two workers at once").await?;
    let second = connect("list orders, two workers at once").await?;
    // Polled in turns: the statements of both interleave on the wire.
    let (one, other) = tokio::join!(per_row(&first), per_row(&second));
    one?;
    other?;
    Ok(())
}

async fn per_row(session: &RecordedSession) -> Result<(), tokio_postgres::Error> {
    for order in session.query(ORDERS, &[]).await? {
        let user = order.try_get::<_, i64>(1).map(|id| id.to_string());
        let user = user.or_else(|_| order.try_get::<_, i32>(1).map(|id| id.to_string()))?;
        session.query(EMAIL, &[Some(user)]).await?;
    }
    Ok(())
}
