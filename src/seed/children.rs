//! How many children each parent row has, and so which parent a child row has:
//! children follow each other in the order of their parents.
//!
//! The counts have the largest entropy that their bounds and mean allow: the
//! probability of n children is proportional to θ^n. A count is a function of the
//! parent row, so more parents only append rows.

use super::alias::AliasTable;
use super::random::Key;
use super::scale::RowCounts;
use std::ops::Range;

/// Parents between two remembered row numbers.
const CHECKPOINT: u64 = 1_024;

/// Largest distance between `min` and `max`.
pub(super) const MAX_SPREAD: u32 = 1_000_000;

/// The children of every parent row.
#[derive(Debug, Clone)]
pub(super) struct Children {
    key: Key,
    min: u32,
    counts: AliasTable,
    probabilities: Vec<f64>,
    /// Child rows before parents 0, 1024, 2048 …
    checkpoints: Vec<u64>,
    parents: u64,
    rows: RowCounts,
}

/// Place of a child row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Row of the parent.
    pub(super) parent: u64,
    /// From 0.
    pub(super) ordinal: u64,
}

impl Children {
    /// Of `parents` rows. `min <= mean <= max`, and `max - min` is at most [`MAX_SPREAD`].
    pub(super) fn new(key: Key, min: u32, max: u32, mean: f64, parents: &RowCounts) -> Self {
        let probabilities = entropy_maximum(max - min, mean - f64::from(min));
        let mut children = Self {
            key,
            min,
            counts: AliasTable::new(&probabilities),
            probabilities,
            checkpoints: Vec::new(),
            parents: parents.total(),
            rows: RowCounts(Vec::new()),
        };
        let mut rows = 0;
        let mut generations = parents.0.iter().copied().peekable();
        for parent in 0..=children.parents {
            while generations.next_if_eq(&parent).is_some() {
                children.rows.0.push(rows);
            }
            if parent % CHECKPOINT == 0 {
                children.checkpoints.push(rows);
            }
            if parent < children.parents {
                rows += children.count_of(parent);
            }
        }
        children
    }

    /// Children of a parent row.
    #[inline]
    pub(super) fn count_of(&self, parent: u64) -> u64 {
        u64::from(self.min) + self.counts.draw(&mut self.key.at(parent, 0)) as u64
    }

    /// Child rows in each generation.
    pub(super) fn rows(&self) -> &RowCounts {
        &self.rows
    }

    /// Parents at the wanted volume.
    pub(super) fn parents(&self) -> u64 {
        self.parents
    }

    /// The counts that occur with their probabilities.
    pub(super) fn probabilities(&self) -> impl Iterator<Item = (u64, f64)> {
        self.probabilities.iter().enumerate().map(|(more, p)| (u64::from(self.min) + more as u64, *p))
    }

    /// The parent of a child row, found from the nearest remembered row number.
    pub(super) fn place_of(&self, row: u64) -> Place {
        let checkpoint = self.checkpoints.partition_point(|before| *before <= row) - 1;
        let mut before = self.checkpoints[checkpoint];
        let mut parent = checkpoint as u64 * CHECKPOINT;
        loop {
            let count = self.count_of(parent);
            if row < before + count {
                return Place { parent, ordinal: row - before };
            }
            before += count;
            parent += 1;
        }
    }

    /// The places of consecutive child rows.
    pub(super) fn places(&self, rows: Range<u64>) -> impl Iterator<Item = Place> {
        let mut next = (!rows.is_empty()).then(|| self.place_of(rows.start));
        let mut count = next.map_or(0, |place| self.count_of(place.parent));
        rows.map_while(move |_| {
            let mut place = next?;
            while place.ordinal >= count {
                place = Place { parent: place.parent + 1, ordinal: 0 };
                count = self.count_of(place.parent);
            }
            next = Some(Place { parent: place.parent, ordinal: place.ordinal + 1 });
            Some(place)
        })
    }
}

/// Probabilities of 0 to `spread` with the given mean, proportional to θ^n.
fn entropy_maximum(spread: u32, mean: f64) -> Vec<f64> {
    let weights = |log_theta: f64| -> Vec<f64> {
        // Counted from the heavier end, so that nothing overflows.
        let from = if log_theta > 0.0 { f64::from(spread) } else { 0.0 };
        (0..=spread).map(|n| ((f64::from(n) - from) * log_theta).exp()).collect()
    };
    let mean_of = |weights: &[f64]| {
        let sum: f64 = weights.iter().sum();
        weights.iter().enumerate().map(|(n, weight)| n as f64 * weight / sum).sum::<f64>()
    };
    let (mut low, mut high) = (-745.0, 745.0);
    for _ in 0..100 {
        let middle = (low + high) / 2.0;
        if mean_of(&weights(middle)) < mean { low = middle } else { high = middle }
    }
    let mut weights = weights((low + high) / 2.0);
    let sum: f64 = weights.iter().sum();
    weights.iter_mut().for_each(|weight| *weight /= sum);
    weights
}

#[cfg(test)]
mod tests {
    use super::{Children, entropy_maximum};
    use crate::seed::random::Key;
    use crate::seed::scale::RowCounts;
    use proptest::prelude::*;

    #[test]
    fn means_and_bounds_hold() {
        for (spread, mean) in [(7, 1.5), (7, 0.0), (7, 7.0), (7, 3.5), (0, 0.0), (500, 3.0)] {
            let probabilities = entropy_maximum(spread, mean);
            let obtained: f64 = probabilities.iter().enumerate().map(|(n, p)| n as f64 * p).sum();
            assert!((obtained - mean).abs() < 1e-6, "0..={spread} mean {mean}: {obtained}");
        }
    }

    proptest! {
        #[test]
        fn children_follow_their_parents_and_more_parents_only_append(
            seed in any::<u64>(),
            min in 0_u32..3,
            spread in 0_u32..9,
            position in 0.0_f64..=1.0,
            small in 1_u64..2_500,
            more in 0_u64..2_500,
        ) {
            let mean = f64::from(min) + position * f64::from(spread);
            let key = Key::new(seed, &["c"]);
            let make = |parents: Vec<u64>| Children::new(key, min, min + spread, mean, &RowCounts(parents));
            let (few, many) = (make(vec![small]), make(vec![small, small + more]));
            let expected: Vec<_> = (0..small + more)
                .flat_map(|parent| (0..many.count_of(parent)).map(move |ordinal| super::Place { parent, ordinal }))
                .collect();
            prop_assert_eq!(many.rows().total(), expected.len() as u64);
            prop_assert_eq!(many.rows().0[0], few.rows().total());
            let places: Vec<_> = many.places(0..many.rows().total()).collect();
            prop_assert_eq!(&places, &expected);
            for row in (0..few.rows().total()).step_by(97) {
                prop_assert_eq!(few.place_of(row), expected[row as usize]);
                prop_assert_eq!(many.places(row..row + 1).next(), Some(expected[row as usize]));
            }
        }
    }
}
