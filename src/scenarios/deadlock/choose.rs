//! Cycles that could close if one transaction named the rows of another:
//! transactions that were written or recorded with different rows are brought to
//! meet. No I/O.
//!
//! A transaction keeps its own shape: rows that differ stay different, and where
//! its rows come in an order that is kept, they stay in that order.

use super::footprint::{Footprint, Held, Object};
use super::predict::{self, Candidate, Stuck};
use super::rows::{self, KeyOrder, NamedRow, Swap};
use std::collections::{BTreeMap, BTreeSet};

/// Ways in which one step may wait for another that are tried.
const MAX_DEMANDS: usize = 8;
/// Cycles of three that are listed.
const MAX_TRIPLES: usize = 20;

/// A row that has to be another one for a wait to come about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Demand<'a> {
    relation: &'a str,
    wanted: &'a str,
    held: &'a str,
}

/// `from` of a relation has to become `to`.
type Wish = (String, String, String);

/// What was chosen for one transaction.
struct Choice {
    swaps: Vec<Swap>,
    is_doubtful: bool,
}

/// Candidates with chosen rows between transactions that do not meet with their own: one for every
/// pair, then rings of three.
pub(super) fn candidates(transactions: &[&Footprint], plain: &[Candidate]) -> Vec<Candidate> {
    let chooser = Chooser::new(transactions);
    let pairs_of = |candidates: &[Candidate]| -> BTreeSet<(usize, usize)> {
        candidates.iter().filter(|found| found.members.len() == 2).map(|found| ends(&found.members)).collect()
    };
    let known = pairs_of(plain);
    let mut pairs: BTreeMap<(usize, usize), Candidate> = BTreeMap::new();
    for &a in &chooser.points {
        for &b in chooser.points.iter().filter(|b| b.transaction >= a.transaction) {
            let ends = (a.transaction, b.transaction);
            if known.contains(&ends) || pairs.get(&ends).is_some_and(|found| !found.is_doubtful) {
                continue;
            }
            if let Some(found) = chooser.ring(&[a, b]).or_else(|| chooser.ring(&[b, a]))
                && (!found.is_doubtful || !pairs.contains_key(&ends))
            {
                pairs.insert(ends, found);
            }
        }
    }
    let mut found: Vec<Candidate> = pairs.into_values().collect();
    let met = &known | &pairs_of(&found);
    found.extend(chooser.triples(&met));
    found.sort_by_key(|candidate| candidate.is_doubtful);
    found
}

fn ends(members: &[Stuck]) -> (usize, usize) {
    let (a, b) = (members[0].transaction, members[1].transaction);
    (a.min(b), a.max(b))
}

struct Chooser<'a> {
    transactions: &'a [&'a Footprint],
    points: Vec<Stuck>,
    named: Vec<Vec<NamedRow>>,
}

impl<'a> Chooser<'a> {
    fn new(transactions: &'a [&'a Footprint]) -> Self {
        // Who holds nothing when it gets stuck is waited for by nobody.
        let points = predict::points(transactions)
            .into_iter()
            .filter(|point| !transactions[point.transaction].before(point.step).is_empty());
        Self {
            transactions,
            points: points.collect(),
            named: transactions.iter().map(|footprint| rows::named_rows(footprint)).collect(),
        }
    }

    /// How `waiter` may come to wait for `holder`; `None` inside: with the rows they have.
    fn demands(&self, waiter: Stuck, holder: Stuck) -> Vec<Option<Demand<'a>>> {
        let held = self.transactions[holder.transaction].before(holder.step);
        let mut demands = Vec::new();
        for wanted in self.transactions[waiter.transaction].wants(waiter.step) {
            for held in held {
                if wanted.conflicts(held) {
                    demands.insert(0, None);
                } else if let Some(demand) = demand(wanted, held) {
                    demands.push(Some(demand));
                }
            }
        }
        demands.dedup();
        demands.truncate(MAX_DEMANDS);
        demands
    }

    /// A cycle of these, each waiting for the next one. The first keeps its rows.
    fn ring(&self, members: &[Stuck]) -> Option<Candidate> {
        let edges: Vec<_> = (0..members.len())
            .map(|index| self.demands(members[index], members[(index + 1) % members.len()]))
            .collect();
        if edges.iter().any(Vec::is_empty) {
            return None;
        }
        let mut doubtful = None;
        let mut digits = vec![0; edges.len()];
        loop {
            let chosen: Vec<Option<Demand<'a>>> =
                digits.iter().zip(&edges).map(|(&digit, edge)| edge[digit]).collect();
            match self.attempt(members, &chosen) {
                Some(found) if !found.is_doubtful => return Some(found),
                Some(found) => doubtful = doubtful.or(Some(found)),
                None => {}
            }
            // The next combination, or the end.
            let next = (0..digits.len()).find(|&index| digits[index] + 1 < edges[index].len());
            let Some(next) = next else { return doubtful };
            digits[next] += 1;
            digits[..next].fill(0);
        }
    }

    fn attempt(&self, members: &[Stuck], chosen: &[Option<Demand<'a>>]) -> Option<Candidate> {
        let last = members.len() - 1;
        let mut choices = vec![Choice { swaps: Vec::new(), is_doubtful: false }];
        for index in 1..=last {
            let mut wishes: Vec<Wish> = Vec::new();
            if let Some(before) = chosen[index - 1] {
                // What the one before wants, by the name that it was given.
                let wanted = renamed(&choices[index - 1].swaps, before.relation, before.wanted);
                wishes.push((before.relation.to_owned(), before.held.to_owned(), wanted));
            }
            if let Some(closing) = chosen[last].filter(|_| index == last) {
                wishes.push((
                    closing.relation.to_owned(),
                    closing.wanted.to_owned(),
                    closing.held.to_owned(),
                ));
            }
            choices.push(self.choose(members[index].transaction, &wishes)?);
        }
        if choices.iter().all(|choice| choice.swaps.is_empty()) {
            return None;
        }
        let candidate = Candidate {
            members: members.to_vec(),
            is_doubtful: choices.iter().any(|choice| choice.is_doubtful),
            swaps: choices.into_iter().map(|choice| choice.swaps).collect(),
        };
        predict::closes(self.transactions, &candidate).then_some(candidate)
    }

    /// The rows of a transaction changed as wished, the others out of their way.
    fn choose(&self, transaction: usize, wishes: &[Wish]) -> Option<Choice> {
        let named = &self.named[transaction];
        let mut map: BTreeMap<(&str, &str), &str> = BTreeMap::new();
        for (relation, from, to) in wishes {
            let is_named = named.iter().any(|row| row.relation == *relation && row.key == *from);
            if (from != to && !is_named) || *map.entry((relation, from)).or_insert(to) != to {
                return None;
            }
        }
        let targets: Vec<(&str, &str)> = map.iter().map(|((relation, _), to)| (*relation, *to)).collect();
        if targets.iter().collect::<BTreeSet<_>>().len() < targets.len() {
            return None;
        }
        // A row whose name is taken gets one that became free.
        for (relation, key) in
            targets.iter().filter(|target| !map.contains_key(target)).copied().collect::<Vec<_>>()
        {
            if !self.locks(transaction, relation, key) {
                continue;
            }
            let is_free = |(place, _): &(&(&str, &str), &&str)| {
                place.0 == relation && !map.iter().any(|(other, to)| other.0 == relation && *to == place.1)
            };
            let free = map.iter().find(is_free).map(|(place, _)| place.1)?;
            named.iter().find(|row| row.relation == relation && row.key == key)?;
            map.insert((relation, key), free);
        }
        self.ordered(transaction, &map)
    }

    fn locks(&self, transaction: usize, relation: &str, key: &str) -> bool {
        let object = Object::Row { relation: relation.to_owned(), key: key.to_owned() };
        let footprint = self.transactions[transaction];
        let held = footprint.steps.iter().flat_map(|step| &step.held).chain(&footprint.start);
        held.into_iter().any(|held| held.object == object)
    }

    /// The swaps, unless they break an order that is kept.
    fn ordered(&self, transaction: usize, map: &BTreeMap<(&str, &str), &str>) -> Option<Choice> {
        let (footprint, named) = (self.transactions[transaction], &self.named[transaction]);
        let new = |row: &NamedRow| {
            map.get(&(row.relation.as_str(), row.key.as_str()))
                .map_or(row.key.clone(), |key| (*key).to_owned())
        };
        let mut is_doubtful = false;
        for (index, first) in named.iter().enumerate() {
            for second in named[index + 1..].iter().filter(|row| row.relation == first.relation) {
                let keeps =
                    rows::compare(&first.key, &second.key) == rows::compare(&new(first), &new(second));
                if keeps || first.step == second.step {
                    continue;
                }
                match footprint.orders.between(first.step, second.step) {
                    KeyOrder::Kept => return None,
                    KeyOrder::Doubtful => is_doubtful = true,
                    KeyOrder::Free => {}
                }
            }
        }
        let changed = named.iter().filter(|row| new(row) != row.key);
        let swaps = changed.map(|row| Swap {
            relation: row.relation.clone(),
            from: row.key.clone(),
            to: new(row),
            steps: rows::steps_naming(footprint, row),
        });
        Some(Choice { swaps: swaps.collect(), is_doubtful })
    }

    /// Rings of three transactions of which no two meet.
    fn triples(&self, met: &BTreeSet<(usize, usize)>) -> Vec<Candidate> {
        let waits: Vec<Vec<usize>> = (self.points.iter())
            .map(|&a| {
                (0..self.points.len()).filter(|&b| !self.demands(a, self.points[b]).is_empty()).collect()
            })
            .collect();
        let of = |point: usize| self.points[point].transaction;
        let are_strangers = |a: usize, b: usize| !met.contains(&(of(a).min(of(b)), of(a).max(of(b))));
        let mut found: BTreeMap<BTreeSet<usize>, Candidate> = BTreeMap::new();
        for a in 0..self.points.len() {
            for &b in waits[a].iter().filter(|&&b| of(b) > of(a) && are_strangers(a, b)) {
                for &c in waits[b].iter().filter(|&&c| of(c) > of(a) && of(c) != of(b)) {
                    let trio = BTreeSet::from([of(a), of(b), of(c)]);
                    let is_new =
                        waits[c].contains(&a) && !found.contains_key(&trio) && found.len() < MAX_TRIPLES;
                    if is_new
                        && are_strangers(b, c)
                        && are_strangers(a, c)
                        && let Some(ring) = self.ring(&[self.points[a], self.points[b], self.points[c]])
                    {
                        found.insert(trio, ring);
                    }
                }
            }
        }
        found.into_values().collect()
    }
}

fn demand<'a>(wanted: &'a Held, held: &'a Held) -> Option<Demand<'a>> {
    let (Object::Row { relation, key }, Object::Row { relation: other, key: held_key }) =
        (&wanted.object, &held.object)
    else {
        return None;
    };
    let excludes = Held { object: wanted.object.clone(), mode: held.mode }.conflicts(wanted);
    (relation == other && excludes).then_some(Demand { relation, wanted: key, held: held_key })
}

fn renamed(swaps: &[Swap], relation: &str, key: &str) -> String {
    let swap = swaps.iter().find(|swap| swap.relation == relation && swap.from == key);
    swap.map_or(key, |swap| &swap.to).to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::footprint::{Mode, StepFootprint};
    use super::super::rows::KeyOrders;
    use super::*;
    use crate::postgres::row_locks::RowMode;

    /// A transaction that updates one row a step, of `orders` or of the table before a dot.
    fn updates(keys: &[&str], orders: KeyOrders) -> Footprint {
        let mut footprint = Footprint { orders, ..Footprint::default() };
        let mut held = Vec::new();
        for key in keys {
            let (table, id) = key.split_once('.').unwrap_or(("orders", key));
            held.push(Held {
                object: Object::Row { relation: table.to_owned(), key: format!("id={id}") },
                mode: Mode::Row(RowMode::NoKeyUpdate),
            });
            footprint.statements.push(format!("UPDATE {table} SET x = 1 WHERE id = {id}"));
            footprint.steps.push(StepFootprint { held: held.clone(), ..StepFootprint::default() });
        }
        footprint
    }

    fn looped(order: KeyOrder) -> KeyOrders {
        KeyOrders::Recorded { shapes: vec![7; 3], orders: vec![(7, order)] }
    }

    fn found(transactions: &[Footprint]) -> Vec<String> {
        let transactions: Vec<&Footprint> = transactions.iter().collect();
        let plain = predict::candidates(&transactions);
        let describe = |found: &Candidate| {
            let members = found.members.iter().zip(&found.swaps).map(|(member, swaps)| {
                let swaps: Vec<String> =
                    swaps.iter().map(|swap| format!("{}>{}", swap.from, swap.to)).collect();
                format!("{}[{}]", member.transaction, swaps.join(" "))
            });
            members.collect::<Vec<_>>().join(" ") + if found.is_doubtful { " ?" } else { "" }
        };
        candidates(&transactions, &plain).iter().map(describe).collect()
    }

    #[test]
    fn written_rows_become_those_of_another_in_the_same_order() {
        let written = KeyOrders::AsWritten;
        let (up, down) = (updates(&["1", "2"], written.clone()), updates(&["9", "8"], written.clone()));
        assert_eq!(found(&[up.clone(), down]), ["0[] 1[id=9>id=2 id=8>id=1]"]);
        assert!(found(&[up.clone(), updates(&["5", "6"], written.clone())]).is_empty(), "one order");
        assert!(
            found(&[up.clone(), updates(&["2", "1"], written.clone())]).is_empty(),
            "they meet as they are"
        );
        assert!(found(&[up]).is_empty(), "a second run of what is written in one order");
    }

    #[test]
    fn a_recorded_loop_meets_its_second_run_unless_it_sorts() {
        let run = |order| found(&[updates(&["1", "2"], looped(order))]);
        assert_eq!(run(KeyOrder::Free), ["0[] 0[id=1>id=2 id=2>id=1]"]);
        assert_eq!(run(KeyOrder::Doubtful), ["0[] 0[id=1>id=2 id=2>id=1] ?"]);
        assert!(run(KeyOrder::Kept).is_empty());
    }

    #[test]
    fn rows_in_the_way_get_out_of_it() {
        let free = || looped(KeyOrder::Free);
        let found = found(&[updates(&["1", "2"], free()), updates(&["7", "3", "1"], KeyOrders::default())]);
        assert!(found.iter().any(|found| found.starts_with("0[] 0[")), "{found:?}");
        // 7 becomes 2 and 3 becomes 1, so the row that was 1 takes a name that became free.
        assert!(found.iter().all(|found| !found.contains("id=1>id=1")), "{found:?}");
    }

    #[test]
    fn three_meet_over_three_tables() {
        let free = || looped(KeyOrder::Free);
        let ring = [
            updates(&["users.1", "orders.1"], free()),
            updates(&["orders.5", "stock.5"], free()),
            updates(&["stock.9", "users.8"], free()),
        ];
        assert_eq!(found(&ring), ["0[] 1[id=5>id=1] 2[id=9>id=5 id=8>id=1]"]);
    }
}
