//! Databases of their own for queries that write. A write that is rolled back
//! leaves its dead rows behind: the next reader of the same database would
//! touch them as well, and what is measured would depend on the order.

use super::counters::{Caps, EXPLAINED_MAX, Explained, explain_all};
use super::record::QueryRecord;
use super::workload::PreparedQuery;
use crate::plan::PlanNode;
use crate::postgres::{Error, Target, quote_identifier};
use crate::stats::clock;
use serde_json::Value;

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
    // Copying takes time as well, so there is more of it than for a query that reads.
    let mut whole = Explained { writes: true, cap: caps.statement, ..Explained::default() };
    let wanted = query.sets.len().min(EXPLAINED_MAX);
    for (done, set) in query.sets.iter().take(wanted).cycle().enumerate() {
        if done >= wanted && whole.server_times.len() >= caps.server_times {
            break;
        }
        if done > 0 && clock::now().duration_since(start) > whole.cap {
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
    for (schema, table) in tables {
        let name = format!("{}.{}", quote_identifier(&schema), quote_identifier(&table));
        match session.batch_execute(&format!("VACUUM {name}")).await {
            Err(error) if error.code().is_none() => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

/// Schema and name of the tables that the plans write to.
fn written_tables(record: &QueryRecord) -> Vec<(String, String)> {
    let plans = record.explained.iter().flat_map(|set| &set.plans);
    let mut tables: Vec<(String, String)> =
        plans.flat_map(|plan| plan.walk()).flat_map(|visit| written_by(visit.node)).collect();
    tables.sort();
    tables.dedup();
    tables
}

/// Those of one node. It lists its targets only where there are several, as children of one table.
fn written_by(node: &PlanNode) -> Vec<(String, String)> {
    if node.node_type != "ModifyTable" {
        return Vec::new();
    }
    let listed = node.other.get("Target Tables").and_then(Value::as_array);
    let text = |target: &Value, key: &str| target.get(key).and_then(Value::as_str).map(str::to_owned);
    let targets = listed
        .into_iter()
        .flatten()
        .filter_map(|target| Some((text(target, "Schema")?, text(target, "Relation Name")?)));
    targets.chain(node.schema.clone().zip(node.relation.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Plan;
    use crate::scenarios::slow_queries::record::ExplainedSet;

    #[test]
    fn written_tables_are_named_with_their_schema() {
        let plan = Plan::parse(
            r#"[{"Plan": {"Node Type": "Append", "Plans": [
                {"Node Type": "ModifyTable", "Relation Name": "Log", "Schema": "audit", "Target Tables": [
                    {"Relation Name": "Log", "Schema": "audit"}, {"Relation Name": "old.log", "Schema": "audit"}]},
                {"Node Type": "Seq Scan", "Relation Name": "orders", "Schema": "public"}]}}]"#,
        );
        let explained = vec![ExplainedSet::new("", vec![plan.unwrap()])];
        let record = QueryRecord { explained, ..QueryRecord::default() };
        let name = |name: &str| ("audit".to_owned(), name.to_owned());
        assert_eq!(written_tables(&record), [name("Log"), name("old.log")]);
    }
}
