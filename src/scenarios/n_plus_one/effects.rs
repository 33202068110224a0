//! Whether a statement may do more than read. A read-only transaction does not hold back what a
//! volatile function does elsewhere, so a statement that may call one is not tried.

use crate::postgres::{ExplainOptions, Session, generic_plan_json, volatile_calls};
use crate::sql::calls::{called, operators};
use anyhow::Context as _;
use serde_json::Value;
use std::collections::BTreeSet;

/// Refuses statements that may call a volatile function: by name, behind an operator, an aggregate or
/// a cast, through views or policies. The plan says so, as it has views written out; nothing is
/// executed. The session must be in no transaction.
pub(super) async fn only_reads(session: &Session, statements: &[&str]) -> anyhow::Result<()> {
    let (mut names, mut signs) = (BTreeSet::new(), BTreeSet::new());
    for sql in statements {
        let options = ExplainOptions { verbose: true, ..ExplainOptions::estimate() };
        let plan = generic_plan_json(session, sql, options).await?;
        let plan = serde_json::from_str(&plan).context("the plan cannot be read")?;
        let mut texts = vec![(*sql).to_owned()];
        collect(plan, &mut texts);
        names.extend(texts.iter().flat_map(|text| called(text)));
        signs.extend(texts.iter().flat_map(|text| operators(text)));
    }
    let (names, signs): (Vec<_>, Vec<_>) = (names.into_iter().collect(), signs.into_iter().collect());
    let volatile = volatile_calls(session, &names, &signs).await?;
    anyhow::ensure!(
        volatile.is_empty(),
        "it may call {}, which is volatile and so may do more than read: mark it STABLE if it does not",
        volatile.join(", ")
    );
    Ok(())
}

/// Every text of a plan.
fn collect(plan: Value, texts: &mut Vec<String>) {
    match plan {
        Value::String(text) => texts.push(text),
        Value::Array(items) => items.into_iter().for_each(|item| collect(item, texts)),
        Value::Object(fields) => fields.into_iter().for_each(|(_, value)| collect(value, texts)),
        _ => {}
    }
}
