//! Orders of the steps of several sessions: all interleavings in the isolation
//! tester's order, those that differ in conflicts only, and how many there are.
//!
//! An interleaving is a word over session numbers. Two words are equivalent when
//! one becomes the other by swapping neighbours that do not conflict; of every
//! class the smallest word is kept, recognised by the lexicographic normal form
//! of traces (Anisimov and Knuth, "Inhomogeneous sorting", 1979).

use super::spec::StepIndex;

/// How many interleavings there are; saturates.
#[must_use]
pub fn count(steps: &[usize]) -> u64 {
    let mut total: u128 = 1;
    let mut placed: u128 = 0;
    for &own in steps {
        for k in 1..=own as u128 {
            placed += 1;
            // The product of k consecutive numbers is divisible by k!: exact at every step.
            total = match total.checked_mul(placed) {
                Some(product) => product / k,
                None => return u64::MAX,
            };
        }
    }
    u64::try_from(total).unwrap_or(u64::MAX)
}

/// All interleavings, smallest word first: the isolation tester's order.
#[derive(Debug, Clone)]
pub struct Interleavings {
    word: Option<Vec<usize>>,
    is_fresh: bool,
}

impl Interleavings {
    /// Of sessions with so many steps each.
    #[must_use]
    pub fn new(steps: &[usize]) -> Self {
        let word = steps.iter().enumerate().flat_map(|(session, &count)| std::iter::repeat_n(session, count));
        Self { word: Some(word.collect()), is_fresh: true }
    }

    /// Leaves out the words that share the first `length` letters with the last one returned, and
    /// says how many of them had not been returned.
    pub fn skip_prefix(&mut self, length: usize) -> u64 {
        let Some(word) = &mut self.word else { return 0 };
        let length = length.min(word.len());
        let tail = &mut word[length..];
        let skipped = words_after(tail);
        tail.sort_unstable_by(|a, b| b.cmp(a));
        skipped
    }
}

impl Iterator for Interleavings {
    type Item = Vec<usize>;

    fn next(&mut self) -> Option<Vec<usize>> {
        let word = self.word.as_mut()?;
        if !std::mem::take(&mut self.is_fresh) && !advance(word) {
            self.word = None;
        }
        self.word.clone()
    }
}

/// The next word of the same letters, or false where this was the last.
fn advance(word: &mut [usize]) -> bool {
    let Some(pivot) = word.windows(2).rposition(|pair| pair[0] < pair[1]) else { return false };
    let Some(swap) = word.iter().rposition(|&letter| letter > word[pivot]) else { return false };
    word.swap(pivot, swap);
    word[pivot + 1..].reverse();
    true
}

/// How many words of the same letters come after this one.
fn words_after(word: &[usize]) -> u64 {
    let letters = word.iter().max().map_or(0, |largest| largest + 1);
    let mut counts = vec![0; letters];
    let mut after: u64 = 0;
    for &letter in word.iter().rev() {
        counts[letter] += 1;
        for larger in letter + 1..letters {
            if counts[larger] > 0 {
                counts[larger] -= 1;
                after = after.saturating_add(count(&counts));
                counts[larger] += 1;
            }
        }
    }
    after
}

/// A word as steps.
#[must_use]
pub fn steps_of(word: &[usize]) -> Vec<StepIndex> {
    let mut next = vec![0; word.iter().max().map_or(0, |largest| largest + 1)];
    word.iter()
        .map(|&session| {
            let step = next[session];
            next[session] += 1;
            StepIndex { session, step }
        })
        .collect()
}

/// How long the prefix is that shows the word not to be the smallest of its class, `None` where it
/// is the smallest: no step may stand behind one of a later session that it could be swapped past.
#[must_use]
pub fn redundant_prefix(
    steps: &[StepIndex],
    conflict: impl Fn(StepIndex, StepIndex) -> bool,
) -> Option<usize> {
    for (position, &step) in steps.iter().enumerate() {
        for &earlier in steps[..position].iter().rev() {
            if earlier.session == step.session || conflict(earlier, step) {
                break;
            }
            if earlier.session > step.session {
                return Some(position + 1);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn words(steps: &[usize]) -> Vec<String> {
        Interleavings::new(steps).map(|word| word.iter().map(ToString::to_string).collect()).collect()
    }

    #[test]
    fn all_words_come_once_in_the_testers_order() {
        assert_eq!(words(&[2, 2]), ["0011", "0101", "0110", "1001", "1010", "1100"]);
        assert_eq!(words(&[1, 0, 1]), ["02", "20"]);
        for steps in [vec![3, 3], vec![2, 2, 2], vec![1, 1, 1, 1], vec![4], vec![2, 3, 1]] {
            let all = words(&steps);
            assert_eq!(all.len() as u64, count(&steps), "{steps:?}");
            assert!(all.windows(2).all(|pair| pair[0] < pair[1]), "{steps:?}");
        }
    }

    #[test]
    fn counts_are_multinomial_and_saturate() {
        assert_eq!(count(&[3, 3]), 20);
        assert_eq!(count(&[4, 4, 4]), 34_650);
        assert_eq!(count(&[]), 1);
        assert_eq!(count(&[60, 60, 60]), u64::MAX);
    }

    #[test]
    fn skipping_a_prefix_leaves_out_exactly_its_words() {
        for steps in [vec![3, 3], vec![2, 2, 2], vec![2, 3, 1]] {
            let all: Vec<Vec<usize>> = Interleavings::new(&steps).collect();
            for length in 0..=all[0].len() {
                let mut orders = Interleavings::new(&steps);
                let (mut seen, mut skipped) = (Vec::new(), 0);
                while let Some(word) = orders.next() {
                    skipped += orders.skip_prefix(length);
                    seen.push(word);
                }
                let prefixes: BTreeSet<_> = all.iter().map(|word| word[..length].to_vec()).collect();
                assert_eq!(seen.len(), prefixes.len());
                assert_eq!(seen.len() as u64 + skipped, count(&steps));
            }
        }
    }

    /// Every class keeps exactly one word, for every relation of conflicts between 3 + 2 + 2 steps tried.
    #[test]
    fn every_class_of_equivalent_orders_keeps_exactly_one() {
        let lengths = [3usize, 2, 2];
        for seed in 0..40u64 {
            let conflict = |a: StepIndex, b: StepIndex| {
                let (low, high) = (a.min(b), a.max(b));
                let key = (low.session * 3 + low.step) as u64 * 31
                    + (high.session * 3 + high.step) as u64
                    + seed * 977;
                key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 62 == 0
            };
            let all: Vec<Vec<StepIndex>> = Interleavings::new(&lengths).map(|word| steps_of(&word)).collect();
            let kept: BTreeSet<_> =
                all.iter().filter(|steps| redundant_prefix(steps, conflict).is_none()).cloned().collect();
            let mut reached: BTreeSet<Vec<StepIndex>> = BTreeSet::new();
            for start in &kept {
                let mut class = BTreeSet::from([start.clone()]);
                let mut open = vec![start.clone()];
                while let Some(word) = open.pop() {
                    for i in 1..word.len() {
                        let mut other = word.clone();
                        other.swap(i - 1, i);
                        let may_swap =
                            word[i].session != word[i - 1].session && !conflict(word[i - 1], word[i]);
                        if may_swap && class.insert(other.clone()) {
                            open.push(other);
                        }
                    }
                }
                assert_eq!(class.intersection(&kept).count(), 1, "two of one class are kept");
                reached.extend(class);
            }
            assert_eq!(reached.len(), all.len(), "a class lost all of its orders");
        }
    }

    #[test]
    fn without_conflicts_one_order_is_enough_and_with_all_of_them_none_goes() {
        let all: Vec<_> = Interleavings::new(&[3, 3]).map(|word| steps_of(&word)).collect();
        assert_eq!(all.iter().filter(|steps| redundant_prefix(steps, |_, _| false).is_none()).count(), 1);
        assert_eq!(all.iter().filter(|steps| redundant_prefix(steps, |_, _| true).is_none()).count(), 20);
    }
}
