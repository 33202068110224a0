//! Draws from a list of weights in constant time (Walker 1977, Vose 1991).

use super::random::Stream;

/// An alias table.
#[derive(Debug, Clone)]
pub(super) struct AliasTable {
    /// Threshold of staying, in 2⁻³², and where to go otherwise.
    slots: Vec<(u32, u32)>,
}

impl AliasTable {
    /// Of weights that are not negative and not all 0. Never draws a weight of 0.
    pub(super) fn new(weights: &[f64]) -> Self {
        let sum: f64 = weights.iter().sum();
        let count = weights.len();
        let mut shares: Vec<f64> = weights.iter().map(|weight| weight * count as f64 / sum).collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) = (0..count).partition(|i| shares[*i] < 1.0);
        let mut slots: Vec<(u32, u32)> = (0..count).map(|own| (u32::MAX, own as u32)).collect();
        while let (Some(low), Some(high)) = (small.pop(), large.last().copied()) {
            slots[low] = ((shares[low] * 4_294_967_296.0) as u32, high as u32);
            shares[high] -= 1.0 - shares[low];
            if shares[high] < 1.0 {
                large.pop();
                small.push(high);
            }
        }
        Self { slots }
    }

    /// The index drawn.
    #[inline]
    pub(super) fn draw(&self, stream: &mut Stream) -> usize {
        let bits = stream.bits();
        let slot = ((bits >> 32) * self.slots.len() as u64) >> 32;
        let (stay, alias) = self.slots[slot as usize];
        // The slot used the high half of the bits, the choice uses the low half.
        if (bits as u32) < stay || alias as u64 == slot { slot as usize } else { alias as usize }
    }
}

#[cfg(test)]
mod tests {
    use super::AliasTable;
    use crate::seed::random::Key;

    #[test]
    fn shares_come_out_as_declared() {
        let weights = [0.55, 0.25, 0.0, 0.12, 0.08];
        let table = AliasTable::new(&weights);
        let key = Key::new(3, &["alias"]);
        let rows = 200_000;
        let mut counts = [0.0; 5];
        for row in 0..rows {
            counts[table.draw(&mut key.at(row, 0))] += 1.0;
        }
        assert_eq!(counts[2], 0.0);
        let statistic: f64 = (0..5)
            .filter(|i| weights[*i] > 0.0)
            .map(|i| (weights[i] * rows as f64, counts[i]))
            .map(|(expected, obtained): (f64, f64)| (obtained - expected).powi(2) / expected)
            .sum();
        assert!(statistic < 21.1, "chi-square with 3 degrees of freedom is {statistic}, p < 0.0001");
    }

    #[test]
    fn a_single_value_is_always_drawn() {
        let table = AliasTable::new(&[1.0]);
        assert!((0..100).all(|row| table.draw(&mut Key::new(1, &[]).at(row, 0)) == 0));
    }
}
