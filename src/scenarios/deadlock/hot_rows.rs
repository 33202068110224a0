//! The transactions of a spec on rows drawn from a few hot ones: each keeps the
//! pattern in which it takes its rows. No I/O.

use super::footprint::Footprint;
use super::rows::{self, NamedRow, Swap};
use rand::Rng;
use rand::seq::SliceRandom;

/// A transaction that can be run on other rows.
#[derive(Debug, Clone)]
pub(super) struct HotTransaction {
    /// How it begins.
    pub(super) setup: Option<String>,
    statements: Vec<String>,
    named: Vec<NamedRow>,
    steps: Vec<Vec<usize>>,
}

/// How rows are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taking {
    /// In the order in which the spec writes them, however it is.
    AsWritten,
    /// In the order of their keys.
    Ordered,
}

impl HotTransaction {
    /// From a session's setup and what it locks alone.
    pub(super) fn new(setup: Option<String>, footprint: &Footprint) -> Self {
        let named = rows::named_rows(footprint);
        let steps = named.iter().map(|row| rows::steps_naming(footprint, row)).collect();
        Self { setup, statements: footprint.statements.clone(), named, steps }
    }

    /// The rows it names.
    pub(super) fn named(&self) -> &[NamedRow] {
        &self.named
    }

    /// Its statements on rows drawn from `hot`, which are all of one table.
    pub(super) fn draw(&self, hot: &[String], taking: Taking, random: &mut impl Rng) -> Vec<String> {
        if hot.len() < self.named.len() || self.named.is_empty() {
            return self.statements.clone();
        }
        let mut keys: Vec<&String> = hot.iter().collect();
        let (drawn, _) = keys.partial_shuffle(random, self.named.len());
        let mut drawn: Vec<&String> = drawn.iter().map(|key| &**key).collect();
        drawn.sort_by(|a, b| rows::compare(a, b));
        let swaps = self.named.iter().enumerate().map(|(place, row)| {
            let rank = match taking {
                Taking::Ordered => place,
                // As many of its rows come before it by key as by the spec's keys.
                Taking::AsWritten => {
                    self.named.iter().filter(|other| rows::compare(&other.key, &row.key).is_lt()).count()
                }
            };
            Swap {
                relation: row.relation.clone(),
                from: row.key.clone(),
                to: drawn[rank].clone(),
                steps: self.steps[place].clone(),
            }
        });
        let swaps: Vec<Swap> = swaps.collect();
        let statements = self.statements.iter().enumerate();
        statements.map(|(step, sql)| rows::with_rows(sql, step, &swaps)).collect()
    }
}

/// The table all transactions take their rows from and the rows they name, in the order of their
/// keys; none where there are several tables, or no rows.
pub(super) fn common_table(transactions: &[HotTransaction]) -> Option<(String, Vec<String>)> {
    let named: Vec<&NamedRow> = transactions.iter().flat_map(|transaction| &transaction.named).collect();
    let relation = &named.first()?.relation;
    if named.iter().any(|row| row.relation != *relation) {
        return None;
    }
    let mut keys: Vec<String> = named.iter().map(|row| row.key.clone()).collect();
    keys.sort_by(|a, b| rows::compare(a, b));
    keys.dedup();
    Some((relation.clone(), keys))
}

#[cfg(test)]
mod tests {
    use super::super::footprint::{Held, Mode, Object, StepFootprint};
    use super::*;
    use crate::postgres::row_locks::RowMode;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    fn transaction(ids: &[u32]) -> HotTransaction {
        let mut footprint = Footprint::default();
        let mut held = Vec::new();
        for id in ids {
            held.push(Held {
                object: Object::Row { relation: "orders".into(), key: format!("id={id}") },
                mode: Mode::Row(RowMode::NoKeyUpdate),
            });
            footprint.statements.push(format!("UPDATE orders SET x = 1 WHERE id = {id}"));
            footprint.steps.push(StepFootprint { held: held.clone(), ..StepFootprint::default() });
        }
        HotTransaction::new(None, &footprint)
    }

    fn ids(statements: &[String]) -> Vec<u32> {
        statements.iter().filter_map(|sql| sql.rsplit(' ').next()?.parse().ok()).collect()
    }

    #[test]
    fn rows_differ_and_keep_their_pattern_or_come_in_order() {
        let hot: Vec<String> = (10..20).map(|id| format!("id={id}")).collect();
        let mut random = StdRng::seed_from_u64(1);
        let falling = transaction(&[3, 2, 1]);
        let mut seen = Vec::new();
        for _ in 0..50 {
            let written = ids(&falling.draw(&hot, Taking::AsWritten, &mut random));
            assert!(written[0] > written[1] && written[1] > written[2], "{written:?}");
            let ordered = ids(&falling.draw(&hot, Taking::Ordered, &mut random));
            assert!(ordered[0] < ordered[1] && ordered[1] < ordered[2], "{ordered:?}");
            assert!(written.iter().chain(&ordered).all(|id| (10..20).contains(id)));
            seen.extend(written);
        }
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 10, "all of them are drawn");
    }

    #[test]
    fn without_enough_rows_or_a_common_table_nothing_changes() {
        let pair = transaction(&[1, 2]);
        let mut random = StdRng::seed_from_u64(1);
        assert_eq!(ids(&pair.draw(&["id=7".into()], Taking::Ordered, &mut random)), [1, 2]);
        let (table, keys) = common_table(&[transaction(&[10]), pair]).expect("a table");
        assert_eq!(
            (table.as_str(), keys),
            ("orders", vec!["id=1".to_owned(), "id=2".into(), "id=10".into()])
        );
        assert!(common_table(&[]).is_none());
    }
}
