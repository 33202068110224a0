//! Orders of `0..length` that can be asked for one element at a time.

use super::random::{Key, mix};

/// A random-looking order: a balanced Feistel network, walked until it lands within
/// the length (Black and Rogaway 2002, "cycle walking").
#[derive(Debug, Clone, Copy)]
pub(super) struct Permutation {
    length: u64,
    half_bits: u32,
    round_keys: [u64; 4],
}

impl Permutation {
    /// Of `0..length`; the length is not 0.
    pub(super) fn new(key: Key, length: u64) -> Self {
        let bits = u64::BITS - (length - 1).leading_zeros();
        let mut stream = key.at(0, 0);
        Self {
            length,
            half_bits: bits.div_ceil(2).max(1),
            round_keys: std::array::from_fn(|_| stream.bits()),
        }
    }

    /// How many elements it orders.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Where `index` goes; `index` is below the length.
    #[inline]
    pub(super) fn at(&self, index: u64) -> u64 {
        let mask = (1_u64 << self.half_bits) - 1;
        let mut place = index;
        loop {
            let (mut left, mut right) = (place >> self.half_bits, place & mask);
            for key in self.round_keys {
                (left, right) = (right, left ^ (mix(right ^ key) & mask));
            }
            place = (left << self.half_bits) | right;
            if place < self.length {
                return place;
            }
        }
    }
}

/// A cheap order that keeps neighbours apart: multiplication by a number prime to
/// the length. For spreading hot keys over a table, not for looking random.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scatter {
    length: u64,
    factor: u64,
    offset: u64,
}

impl Scatter {
    /// Of `0..length`; the length is not 0.
    pub(super) fn new(key: Key, length: u64) -> Self {
        let mut stream = key.at(0, 0);
        let offset = stream.below(length);
        // The golden ratio keeps successive places far apart for every length.
        let mut factor = ((length as f64 * 0.618_033_988_749_895) as u64).max(1);
        while greatest_common_divisor(factor, length) != 1 {
            factor += 1;
        }
        Self { length, factor, offset }
    }

    /// Where `index` goes; `index` is below the length.
    #[inline]
    pub(super) fn at(&self, index: u64) -> u64 {
        if self.length <= u64::from(u32::MAX) {
            return (index * self.factor + self.offset) % self.length;
        }
        ((u128::from(index) * u128::from(self.factor) + u128::from(self.offset)) % u128::from(self.length))
            as u64
    }
}

fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::{Key, Permutation, Scatter};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn both_hit_every_place_once(length in 1_u64..3_000, seed in any::<u64>()) {
            let key = Key::new(seed, &["t"]);
            let (permutation, scatter) = (Permutation::new(key, length), Scatter::new(key, length));
            let mut hits = vec![(0, 0); length as usize];
            for index in 0..length {
                hits[permutation.at(index) as usize].0 += 1;
                hits[scatter.at(index) as usize].1 += 1;
            }
            prop_assert!(hits.iter().all(|hit| *hit == (1, 1)));
        }
    }

    #[test]
    fn the_longest_lengths_work() {
        let key = Key::new(1, &["t"]);
        for length in [u64::from(u32::MAX) + 2, 1 << 62] {
            let (permutation, scatter) = (Permutation::new(key, length), Scatter::new(key, length));
            for index in [0, 1, length / 2, length - 1] {
                assert!(permutation.at(index) < length && scatter.at(index) < length);
            }
        }
    }
}
