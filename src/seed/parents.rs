//! Which parent row a child row refers to.
//!
//! Parents are ranked by row, and rank j is wanted in proportion to (j + 1)^-s (s = 0:
//! uniform) *at every volume*, although a row keeps its parent when the volume
//! grows. So the rows that a generation adds make up the difference between what
//! the volume before them gave each parent and what it should have now: with R
//! child rows, N parents and H(N) = Σ j^-s in a generation, every parent is due
//! A = R / H(N) times its weight; parents that were there before already have the
//! previous A. Uniform references therefore go to the new parents only, while
//! skewed ones return to the old, hot parents too.
//!
//! A rank is drawn by picking a short run of ranks from an alias table and then one
//! of them by rejection, which accepts more than nine times in ten.

use super::alias::AliasTable;
use super::permutation::Scatter;
use super::random::Key;
use super::scale::RowCounts;

/// Ranks up to here have a run of their own.
const SINGLE_RANKS: u64 = 64;

/// Draws parents for the rows of one child table.
#[derive(Debug, Clone)]
pub(super) struct ParentDraw {
    key: Key,
    exponent: f64,
    children: RowCounts,
    generations: Vec<GenerationDraw>,
    /// Where ranks of each parent generation start, and where they are put.
    places: Vec<(u64, Scatter)>,
}

/// The draw of the child rows of one generation.
#[derive(Debug, Clone)]
struct GenerationDraw {
    /// Child rows of this generation alone.
    rows: u64,
    runs: Vec<Run>,
    choice: AliasTable,
    /// Sum of all weights.
    weight: f64,
    /// Multiplies the weight of ranks of earlier generations.
    old: f64,
    /// Multiplies the weight of ranks of this generation.
    new: f64,
    /// Rank at which this generation's parents start.
    first_new: u64,
    /// Rank at which they end.
    end: u64,
}

/// Neighbouring ranks of nearly the same weight.
#[derive(Debug, Clone, Copy)]
struct Run {
    first: u64,
    length: u64,
    /// The last rank's weight over the first's: a draw below it needs no power.
    least_acceptance: f64,
}

impl ParentDraw {
    /// For a child table of `children` rows and a parent of `parents` rows.
    pub(super) fn new(key: Key, exponent: f64, children: &RowCounts, parents: &RowCounts) -> Self {
        let mut generations = Vec::new();
        let mut places = Vec::new();
        let (mut rows_before, mut parents_before, mut due_before) = (0, 0, 0.0);
        for (rows, parents) in children.0.iter().zip(&parents.0) {
            let due = *rows as f64 / power_sum(0, *parents, exponent);
            let old = if parents_before > 0 { (due - due_before).max(0.0) } else { 0.0 };
            generations.push(GenerationDraw::new(
                exponent,
                *rows - rows_before,
                parents_before..*parents,
                old,
                due,
            ));
            if exponent > 0.0 && *parents > parents_before {
                places.push((parents_before, Scatter::new(key, *parents - parents_before)));
            }
            (rows_before, parents_before, due_before) = (*rows, *parents, due);
        }
        Self { key, exponent, children: children.clone(), generations, places }
    }

    /// The parent row of a child row.
    #[inline]
    pub(super) fn parent_of(&self, row: u64, attempt: u8) -> u64 {
        let generation = &self.generations[self.children.generation_of(row)];
        let mut stream = self.key.at(row, attempt);
        loop {
            let run = &generation.runs[generation.choice.draw(&mut stream)];
            if run.length == 1 {
                return self.row_of_rank(run.first);
            }
            let rank = run.first + stream.below(run.length);
            if run.least_acceptance >= 1.0 {
                return self.row_of_rank(rank);
            }
            let accepted = stream.unit();
            if accepted < run.least_acceptance
                || accepted < ((run.first + 1) as f64 / (rank + 1) as f64).powf(self.exponent)
            {
                return self.row_of_rank(rank);
            }
        }
    }

    /// The parent row that holds a rank: hot ranks are scattered over their generation.
    #[inline]
    pub(super) fn row_of_rank(&self, rank: u64) -> u64 {
        match self.places.iter().rev().find(|(first, _)| *first <= rank) {
            Some((first, scatter)) => first + scatter.at(rank - first),
            None => rank,
        }
    }

    /// Child rows that the parents of these ranks are expected to have, all volumes up
    /// to the wanted one together.
    pub(super) fn expected_rows(&self, ranks: std::ops::Range<u64>) -> f64 {
        let share = |generation: &GenerationDraw| {
            let old_end = ranks.end.min(generation.first_new);
            let new = ranks.start.max(generation.first_new)..ranks.end.min(generation.end);
            let old =
                if ranks.start < old_end { power_sum(ranks.start, old_end, self.exponent) } else { 0.0 };
            let new = if new.is_empty() { 0.0 } else { power_sum(new.start, new.end, self.exponent) };
            (old * generation.old + new * generation.new) / generation.weight
        };
        self.generations.iter().filter(|g| g.rows > 0).map(|g| g.rows as f64 * share(g)).sum()
    }

    /// Parents at the wanted volume.
    pub(super) fn parent_count(&self) -> u64 {
        self.generations.last().map_or(0, |generation| generation.end)
    }

    /// 0 for a uniform draw.
    pub(super) fn exponent(&self) -> f64 {
        self.exponent
    }
}

impl GenerationDraw {
    fn new(exponent: f64, rows: u64, new_ranks: std::ops::Range<u64>, old: f64, new: f64) -> Self {
        let mut runs = Vec::new();
        let mut envelope = Vec::new();
        let mut weight = 0.0;
        for (ranks, factor) in [(0..new_ranks.start, old), (new_ranks.clone(), new)] {
            if factor > 0.0 && !ranks.is_empty() {
                weight += factor * power_sum(ranks.start, ranks.end, exponent);
            }
            let mut first = ranks.start;
            while factor > 0.0 && first < ranks.end {
                let most = match exponent {
                    s if s <= 0.0 => u64::MAX,
                    _ if first < SINGLE_RANKS => 1,
                    _ => first / 16,
                };
                let length = most.min(ranks.end - first);
                let least_acceptance = ((first + 1) as f64 / (first + length) as f64).powf(exponent);
                runs.push(Run { first, length, least_acceptance });
                // The envelope: what rejection takes off makes it the runs' own weight.
                envelope.push(factor * length as f64 * ((first + 1) as f64).powf(-exponent));
                first += length;
            }
        }
        let choice = AliasTable::new(&envelope);
        Self { rows, runs, choice, weight, old, new, first_new: new_ranks.start, end: new_ranks.end }
    }
}

/// Σ (j + 1)^-s for ranks j from `first` up to but not including `end`: directly for the first
/// ranks, then by the Euler-Maclaurin formula, whose error is below 10⁻⁹ there.
fn power_sum(first: u64, end: u64, exponent: f64) -> f64 {
    if exponent <= 0.0 {
        return (end - first) as f64;
    }
    let term = |x: f64| x.powf(-exponent);
    let direct_end = end.min(first.max(256));
    let direct: f64 = (first..direct_end).map(|rank| term((rank + 1) as f64)).sum();
    if direct_end == end {
        return direct;
    }
    let (a, b) = ((direct_end + 1) as f64, end as f64);
    let integral = if (exponent - 1.0).abs() < 1e-9 {
        (b / a).ln()
    } else {
        (b.powf(1.0 - exponent) - a.powf(1.0 - exponent)) / (1.0 - exponent)
    };
    let slope = |x: f64| -exponent * x.powf(-exponent - 1.0);
    direct + integral + (term(a) + term(b)) / 2.0 + (slope(b) - slope(a)) / 12.0
}

#[cfg(test)]
mod tests {
    use super::{ParentDraw, power_sum};
    use crate::seed::random::Key;
    use crate::seed::scale::{RowCounts, Scale};
    use proptest::prelude::*;

    #[test]
    fn power_sums_agree_with_direct_sums() {
        for exponent in [0.3, 0.8, 1.0, 1.05, 2.0] {
            for (first, end) in [(0_u64, 10), (0, 50_000), (700, 9_000), (64, 68)] {
                let direct: f64 = (first..end).map(|rank| ((rank + 1) as f64).powf(-exponent)).sum();
                let obtained = power_sum(first, end, exponent);
                assert!(
                    (obtained / direct - 1.0).abs() < 1e-9,
                    "s {exponent}, {first}..{end}: {obtained}, not {direct}"
                );
            }
        }
    }

    proptest! {
        /// What makes a smaller volume a prefix of a larger one.
        #[test]
        fn parents_exist_in_the_smallest_volume_that_holds_the_child(
            seed in any::<u64>(),
            exponent in prop_oneof![Just(0.0), Just(0.8), Just(1.05), Just(2.0)],
            parents in 1_u64..300,
            children in 1_u64..300,
            volumes in proptest::collection::vec(0.1_f64..40.0, 1..4),
        ) {
            let largest = volumes.iter().copied().fold(0.0, f64::max);
            let at = |factor: f64| {
                let scale = Scale::new(factor, volumes.iter().copied());
                let (parents, children) = (scale.row_counts(parents, false), scale.row_counts(children, false));
                (ParentDraw::new(Key::new(seed, &["c"]), exponent, &children, &parents), parents.total(), children.total())
            };
            let (large, ..) = at(largest);
            for volume in &volumes {
                let (small, parents, children) = at(*volume);
                for row in 0..children {
                    let parent = small.parent_of(row, 0);
                    prop_assert!(parent < parents, "row {row} refers to {parent} of {parents}");
                    prop_assert_eq!(parent, large.parent_of(row, 0), "row {} moved when the volume grew", row);
                }
            }
        }
    }

    /// Pearson's statistic of child rows over groups of ranks.
    fn statistic(seed: u64, exponent: f64, groups: &[std::ops::Range<u64>]) -> f64 {
        let (parents, children) = (RowCounts(vec![1_000, 20_000]), RowCounts(vec![5_000, 200_000]));
        let draw = ParentDraw::new(Key::new(seed, &["c"]), exponent, &children, &parents);
        let mut counts = vec![0_u64; 20_000];
        (0..200_000).for_each(|row| counts[draw.parent_of(row, 0) as usize] += 1);
        let weight: f64 = (0..20_000).map(|rank| f64::from(rank + 1).powf(-exponent)).sum();
        groups
            .iter()
            .map(|ranks| {
                let wanted: f64 =
                    ranks.clone().map(|rank| ((rank + 1) as f64).powf(-exponent) / weight * 200_000.0).sum();
                assert!((draw.expected_rows(ranks.clone()) / wanted - 1.0).abs() < 1e-6);
                let obtained: u64 = ranks.clone().map(|rank| counts[draw.row_of_rank(rank) as usize]).sum();
                (obtained as f64 - wanted).powi(2) / wanted
            })
            .sum()
    }

    #[test]
    fn a_skew_holds_over_all_parents_of_the_largest_volume() {
        let groups = [0..1, 1..3, 3..10, 10..60, 60..100, 100..999, 999..1_001, 1_001..5_000, 5_000..20_000];
        for exponent in [0.8, 1.05] {
            let found = statistic(9, exponent, &groups);
            assert!(
                found < 31.8,
                "s {exponent}: chi-square with 8 degrees of freedom is {found}, p < 0.0001"
            );
        }
    }

    #[test]
    fn uniform_references_are_uniform_over_all_parents() {
        let groups: Vec<_> = (0..20).map(|tenth| tenth * 1_000..(tenth + 1) * 1_000).collect();
        let found = statistic(9, 0.0, &groups);
        assert!(found < 50.8, "chi-square with 19 degrees of freedom is {found}, p < 0.0001");
    }
}
