//! What to try a child with: arguments that the trace kept, else keys out of
//! the parent's own columns.

use super::detect::ArgumentSet;
use super::origin::Origin;
use super::reading::{Reading, Role, read};
use super::trial::Trial;
use crate::model::evidence::n_plus_one::LoopGroup;
use crate::postgres::quote_identifier;
use std::collections::BTreeSet;
use tokio_postgres::Row;

/// Most keys tried; more would only cost time.
const KEYS_MAX: u64 = 50;
/// Rows of the parent's table in which they are looked for.
const KEY_ROWS_MAX: u64 = 100_000;

/// Arguments for a child, and which of them vary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Keys {
    /// Places of the varying arguments, ascending.
    pub(super) positions: Vec<usize>,
    /// Whole sets of arguments, all different.
    pub(super) sets: Vec<ArgumentSet>,
    /// The place of a LIMIT that is to be left out, as its value is not known.
    pub(super) limit: Option<usize>,
}

impl Keys {
    /// The varying values of one set.
    pub(super) fn key(&self, set: &ArgumentSet) -> Vec<String> {
        self.positions.iter().map(|at| set[*at].clone().unwrap_or_default()).collect()
    }

    /// All values at a place, as an array's text.
    pub(super) fn list(&self, position: usize) -> Option<String> {
        let values = self.sets.iter().map(|set| set[position].as_deref().unwrap_or_default());
        let quoted: Vec<String> =
            values.map(|value| format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))).collect();
        Some(format!("{{{}}}", quoted.join(",")))
    }

    /// The arguments of the batched form: lists where they vary.
    pub(super) fn lists(&self) -> ArgumentSet {
        let first = self.sets.first().cloned().unwrap_or_default();
        let at = |(at, value)| if self.positions.contains(&at) { self.list(at) } else { value };
        first.into_iter().enumerate().map(at).collect()
    }
}

/// Where keys are to be had.
pub(super) enum KeySource {
    /// In the trace.
    Kept(Keys),
    /// In the parent's columns.
    Columns(KeyColumns),
}

/// Columns of one table that hold keys.
pub(super) struct KeyColumns {
    /// Returns the columns as they are: it says which table they are of.
    pub(super) columns_sql: String,
    /// Returns different keys as text.
    pub(super) sql: String,
    count: usize,
    limit: Option<usize>,
}

/// Says where they are. The error is a phrase after "because".
pub(super) fn key_source(
    group: &LoopGroup,
    samples: &[ArgumentSet],
    origin: &Origin<'_>,
) -> Result<KeySource, String> {
    if let Some(kept) = kept(samples) {
        return Ok(KeySource::Kept(kept));
    }
    let reading = read(&group.child.text);
    let Fed { columns, limit } = fed(group, &reading, origin)?;
    let table = &columns[0].0;
    if columns.iter().any(|(other, _)| other != table) {
        return Err("its keys come from several tables: record with --keep-values".into());
    }
    let names: Vec<String> = columns.iter().map(|(_, column)| quote_identifier(column)).collect();
    let texts: Vec<String> = names.iter().map(|name| format!("{name}::text")).collect();
    let present: Vec<String> = names.iter().map(|name| format!("{name} IS NOT NULL")).collect();
    let places: Vec<String> = (1..=names.len()).map(|at| at.to_string()).collect();
    let columns_sql = format!("SELECT {} FROM {table}", names.join(", "));
    let sql = format!(
        "SELECT DISTINCT {} FROM ({columns_sql} WHERE {} LIMIT {KEY_ROWS_MAX}) AS held ORDER BY {} LIMIT {}",
        texts.join(", "),
        present.join(" AND "),
        places.join(", "),
        group.distinct_values.clamp(1, KEYS_MAX)
    );
    Ok(KeySource::Columns(KeyColumns { columns_sql, sql, count: columns.len(), limit }))
}

impl KeyColumns {
    /// Takes keys out of them.
    pub(super) async fn keys(&self, trial: &mut Trial<'_>) -> anyhow::Result<Keys> {
        let keys = trial.prepare(&self.sql).await?;
        let rows = trial.query(&keys, &[]).await?;
        anyhow::ensure!(!rows.is_empty(), "the parent's table holds no key to try with");
        let set = |row: &Row| (0..self.count).map(|at| Ok(Some(row.try_get(at)?))).collect();
        let sets: anyhow::Result<Vec<ArgumentSet>> = rows.iter().map(set).collect();
        Ok(Keys { positions: (0..self.count).collect(), sets: sets?, limit: self.limit })
    }
}

/// Sets that the trace kept, where at least two differ.
fn kept(samples: &[ArgumentSet]) -> Option<Keys> {
    let places = samples.first()?.len();
    let is_whole = |set: &&ArgumentSet| set.len() == places && set.iter().all(Option::is_some);
    let sets: Vec<ArgumentSet> =
        samples.iter().filter(is_whole).cloned().collect::<BTreeSet<_>>().into_iter().collect();
    let first = sets.first()?;
    let positions: Vec<usize> =
        (0..places).filter(|at| sets.iter().any(|set| set[*at] != first[*at])).collect();
    (!positions.is_empty()).then_some(Keys { positions, sets, limit: None })
}

/// What feeds the arguments of a child.
struct Fed {
    /// Table, as it is written in a statement, and column for each argument.
    columns: Vec<(String, String)>,
    /// The place of a LIMIT behind them.
    limit: Option<usize>,
}

fn fed(group: &LoopGroup, reading: &Reading, origin: &Origin<'_>) -> Result<Fed, String> {
    let unknown = || "its other values are not in the trace: record with --keep-values".to_owned();
    let mut columns = Vec::new();
    let mut limit = None;
    for (position, placeholder) in reading.placeholders.iter().enumerate() {
        let name = reading.compared_name(position);
        match group.pairs.iter().find(|pair| pair.to == name) {
            Some(pair) => {
                let fed = column(&pair.from, origin);
                columns.push(fed.ok_or("the parent's column is not one of a table that the trace names")?);
            }
            None if placeholder.role == Role::Count && position + 1 == reading.placeholders.len() => {
                limit = Some(position);
            }
            None => return Err(unknown()),
        }
    }
    if columns.is_empty() { Err(unknown()) } else { Ok(Fed { columns, limit }) }
}

/// Table and column of `orders.user_id`. A name with a further dot is only certain where the trace
/// has the table's.
fn column(from: &str, origin: &Origin<'_>) -> Option<(String, String)> {
    if let Some([schema, table, column]) = origin.column(from) {
        return Some((
            format!("{}.{}", quote_identifier(schema), quote_identifier(table)),
            column.to_owned(),
        ));
    }
    let (table, column) = from.split_once('.').filter(|(_, column)| !column.contains('.'))?;
    Some((quote_identifier(table), column.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::kept;

    fn set(values: &[&str]) -> Vec<Option<String>> {
        values.iter().map(|value| Some((*value).to_owned())).collect()
    }

    #[test]
    fn kept_arguments_tell_what_varies() {
        let keys = kept(&[set(&["7", "b", "21"]), set(&["7", "a", "21"]), set(&["7", "a", "21"])]).unwrap();
        assert_eq!(keys.positions, [1]);
        assert_eq!(keys.sets.len(), 2);
        assert_eq!(keys.lists(), [Some("7".into()), Some("{\"a\",\"b\"}".into()), Some("21".into())]);
        assert_eq!(kept(&[set(&["7"])]), None);
        assert_eq!(kept(&[]), None);
    }
}
