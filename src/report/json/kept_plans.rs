//! Kept plans as a JSON file: made for version control, so what differs from
//! one execution to the next although nothing changed (times) is left out.

use super::ReadError;
use crate::model::{KeptPlans, KeptQuery, KeptSet, KeptTable};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::io;

/// The version this build writes.
const FORMAT_VERSION: u32 = 1;

/// Keys of a plan that hold times.
const TIMES: [&str; 6] =
    ["Actual Startup Time", "Actual Total Time", "Planning Time", "Execution Time", "Planning", "JIT"];

#[derive(Serialize, Deserialize)]
struct File {
    plimsoll_plans: u32,
    kept_at: String,
    source: String,
    server_version: String,
    tables: Vec<Table>,
    queries: Vec<Query>,
}

#[derive(Serialize, Deserialize)]
struct Table {
    name: String,
    bare_name: String,
    rows: u64,
}

#[derive(Serialize, Deserialize)]
struct Query {
    query: String,
    statements: Vec<String>,
    parameter_sets: Vec<Set>,
}

#[derive(Serialize, Deserialize)]
struct Set {
    label: String,
    values: Vec<Option<String>>,
    plans: Vec<Value>,
}

/// Writes the plans, indented, with a final newline.
///
/// # Errors
/// Whatever `out` fails with.
pub fn write(kept: &KeptPlans, out: &mut dyn io::Write) -> io::Result<()> {
    let plan = |json: &String| -> io::Result<Value> {
        let mut plan: Value = serde_json::from_str(json)?;
        leave_times_out(&mut plan);
        Ok(plan)
    };
    let set = |set: &KeptSet| -> io::Result<Set> {
        let plans = set.plans.iter().map(plan).collect::<io::Result<_>>()?;
        Ok(Set { label: set.label.clone(), values: set.values.clone(), plans })
    };
    let query = |query: &KeptQuery| -> io::Result<Query> {
        Ok(Query {
            query: query.query.clone(),
            statements: query.statements.clone(),
            parameter_sets: query.sets.iter().map(set).collect::<io::Result<_>>()?,
        })
    };
    let table = |table: &KeptTable| Table {
        name: table.name.clone(),
        bare_name: table.bare_name.clone(),
        rows: table.rows,
    };
    let file = File {
        plimsoll_plans: FORMAT_VERSION,
        kept_at: kept.kept_at.clone(),
        source: kept.source.clone(),
        server_version: kept.server_version.clone(),
        tables: kept.tables.iter().map(table).collect(),
        queries: kept.queries.iter().map(query).collect::<io::Result<_>>()?,
    };
    serde_json::to_writer_pretty(&mut *out, &file)?;
    writeln!(out)
}

/// Reads kept plans.
///
/// # Errors
/// Where the text is no file of kept plans, or one of a newer format.
pub fn read(text: &str) -> Result<KeptPlans, ReadError> {
    let file: File = serde_json::from_str(text)?;
    if file.plimsoll_plans > FORMAT_VERSION {
        return Err(ReadError::TooNew { found: file.plimsoll_plans });
    }
    let set = |set: Set| KeptSet {
        label: set.label,
        values: set.values,
        plans: set.plans.iter().map(Value::to_string).collect(),
    };
    let query = |query: Query| KeptQuery {
        query: query.query,
        statements: query.statements,
        sets: query.parameter_sets.into_iter().map(set).collect(),
    };
    let table = |table: Table| KeptTable { name: table.name, bare_name: table.bare_name, rows: table.rows };
    Ok(KeptPlans {
        kept_at: file.kept_at,
        source: file.source,
        server_version: file.server_version,
        tables: file.tables.into_iter().map(table).collect(),
        queries: file.queries.into_iter().map(query).collect(),
    })
}

fn leave_times_out(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|key, _| !TIMES.contains(&key.as_str()));
            fields.values_mut().for_each(leave_times_out);
        }
        Value::Array(items) => items.iter_mut().for_each(leave_times_out),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_come_back_without_their_times_and_twice_the_same() {
        let plan = r#"[{"Plan": {"Node Type": "Seq Scan", "Actual Total Time": 0.2, "Actual Rows": 3}, "Execution Time": 1.5}]"#;
        let kept = KeptPlans {
            kept_at: "2026-03-01T00:00:00Z".into(),
            source: "shop".into(),
            server_version: "15.18".into(),
            tables: vec![KeptTable { name: "s.t".into(), bare_name: "t".into(), rows: 7 }],
            queries: vec![KeptQuery {
                query: "q".into(),
                statements: vec!["SELECT :x".into()],
                sets: vec![KeptSet {
                    label: "x=1".into(),
                    values: vec![Some("1".into()), None],
                    plans: vec![plan.into()],
                }],
            }],
        };
        let mut first = Vec::new();
        write(&kept, &mut first).unwrap();
        let back = read(std::str::from_utf8(&first).unwrap()).unwrap();
        assert_eq!(back.queries[0].sets[0].plans, [r#"[{"Plan":{"Node Type":"Seq Scan","Actual Rows":3}}]"#]);
        assert_eq!((&back.tables, &back.server_version), (&kept.tables, &kept.server_version));
        let mut second = Vec::new();
        write(&back, &mut second).unwrap();
        assert_eq!(first, second);
        assert!(read("{}").unwrap_err().to_string().contains("plimsoll_plans"));
    }
}
