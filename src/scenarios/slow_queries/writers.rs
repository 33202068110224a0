//! Databases of their own for queries that write. A write that is rolled back
//! leaves its dead rows behind: the next reader of the same database would
//! touch them as well, and what is measured would depend on the order.

use super::counters::{Caps, EXPLAINED_MAX, Explained, explain_all};
use super::record::QueryRecord;
use super::workload::PreparedQuery;
use crate::postgres::{Error, Target, quote_identifier};
use crate::stats::clock;

/// Explains a query that writes, each of its first parameter sets in a fresh
/// clone of `template`.
///
/// # Errors
/// A clone cannot be made, or the server is lost. An error of the query is data.
pub(crate) async fn explain_writes(
    target: &Target,
    template: &str,
    query: &PreparedQuery,
    caps: Caps,
) -> Result<Explained, Error> {
    let start = clock::now();
    let mut whole = Explained { writes: true, ..Explained::default() };
    let wanted = query.sets.len().min(EXPLAINED_MAX);
    for (done, set) in query.sets.iter().take(wanted).cycle().enumerate() {
        if done >= wanted && whole.server_times.len() >= caps.server_times {
            break;
        }
        // Copying takes time as well, so there is more of it than for a query that reads.
        if done > 0 && clock::now().duration_since(start) > caps.statement {
            whole.left_out = wanted.saturating_sub(done);
            break;
        }
        let clone = target.clone_database(template, "write").await?;
        let one = PreparedQuery { sets: vec![set.clone()], ..query.clone() };
        let outcome = explain_all(target, &clone, &one, Caps { writes: true, server_times: 0, ..caps }).await;
        target.drop_database(&clone).await?;
        let explained = outcome?;
        whole.server_times.extend(explained.server_times);
        if done >= wanted {
            // Only for the times; the first round went well.
            continue;
        }
        whole.sets.extend(explained.sets);
        if explained.failure.is_some() {
            whole.failure = explained.failure;
            break;
        }
    }
    Ok(whole)
}

/// Takes the dead rows of rolled-back samples out of the tables that a query
/// writes to, as autovacuum does where it runs: else each connection would be
/// slower than the one before. What cannot be vacuumed stays as it is.
pub(crate) async fn vacuum(target: &Target, database: &str, record: &QueryRecord) -> Result<(), Error> {
    let tables = written_tables(record);
    if tables.is_empty() {
        return Ok(());
    }
    let session = target.connect_to(database).await?;
    for table in tables {
        match session.batch_execute(&format!("VACUUM {}", quote_identifier(&table))).await {
            Err(error) if error.code().is_none() => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

/// The tables that the plans write to, by name.
fn written_tables(record: &QueryRecord) -> Vec<String> {
    let plans = record.explained.iter().flat_map(|set| &set.plans);
    let nodes = plans.flat_map(|plan| plan.walk()).map(|visit| visit.node);
    let mut tables: Vec<String> = nodes
        .filter(|node| node.node_type == "ModifyTable")
        .filter_map(|node| node.relation.clone())
        .collect();
    tables.sort();
    tables.dedup();
    tables
}
