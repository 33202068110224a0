//! What to try a child with: arguments that the trace kept, else keys out of
//! the parent's own columns.

use super::detect::ArgumentSet;
use super::reading::{Reading, Role, read};
use crate::model::evidence::n_plus_one::LoopGroup;
use crate::postgres::{Session, quote_identifier};
use std::collections::BTreeSet;

/// Most keys tried; more would only cost time.
const KEYS_MAX: u64 = 50;

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

/// Finds them.
pub(super) async fn keys(
    session: &Session,
    group: &LoopGroup,
    samples: &[ArgumentSet],
) -> anyhow::Result<Keys> {
    if let Some(kept) = kept(samples) {
        return Ok(kept);
    }
    let reading = read(&group.child.text);
    let Fed { columns, limit } = fed(group, &reading).map_err(anyhow::Error::msg)?;
    let table = &columns[0].0;
    anyhow::ensure!(
        columns.iter().all(|(other, _)| other == table),
        "its keys come from several tables: record with --keep-values"
    );
    let names: Vec<String> = columns.iter().map(|(_, column)| quote_identifier(column)).collect();
    let texts: Vec<String> = names.iter().map(|name| format!("{name}::text")).collect();
    let present: Vec<String> = names.iter().map(|name| format!("{name} IS NOT NULL")).collect();
    let sql = format!(
        "SELECT DISTINCT {} FROM {} WHERE {} ORDER BY {} LIMIT {}",
        texts.join(", "),
        quote_identifier(table),
        present.join(" AND "),
        (1..=names.len()).map(|at| at.to_string()).collect::<Vec<_>>().join(", "),
        group.distinct_values.clamp(1, KEYS_MAX)
    );
    let rows = session.query(&sql, &[]).await?;
    anyhow::ensure!(!rows.is_empty(), "the parent's table holds no key to try with");
    let set = |row: &tokio_postgres::Row| (0..names.len()).map(|at| Ok(Some(row.try_get(at)?))).collect();
    let sets: anyhow::Result<Vec<ArgumentSet>> = rows.iter().map(set).collect();
    Ok(Keys { positions: (0..columns.len()).collect(), sets: sets?, limit })
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
    /// Table and column for each argument.
    columns: Vec<(String, String)>,
    /// The place of a LIMIT behind them.
    limit: Option<usize>,
}

fn fed(group: &LoopGroup, reading: &Reading) -> Result<Fed, String> {
    let unknown = || "its other values are not in the trace: record with --keep-values".to_owned();
    let mut columns = Vec::new();
    let mut limit = None;
    for (position, placeholder) in reading.placeholders.iter().enumerate() {
        let name = reading.compared_name(position);
        match group.pairs.iter().find(|pair| pair.to == name) {
            Some(pair) => {
                let from = pair.from.split_once('.');
                let (table, column) = from.ok_or("the parent's column is not one of a table")?;
                columns.push((table.to_owned(), column.to_owned()));
            }
            None if placeholder.role == Role::Count && position + 1 == reading.placeholders.len() => {
                limit = Some(position);
            }
            None => return Err(unknown()),
        }
    }
    if columns.is_empty() { Err(unknown()) } else { Ok(Fed { columns, limit }) }
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
