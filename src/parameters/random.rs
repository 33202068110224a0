//! Numbers that only a seed decides, the same on every machine and in every version.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// `SplitMix64` (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    /// A stream of its own for every name.
    pub(super) fn new(seed: u64, name: &str) -> Self {
        Self(xxh3_64_with_seed(name.as_bytes(), seed))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// In `0.0..1.0`.
    pub(super) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// In `low..=high`.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        let width = u128::from(low.abs_diff(high)) + 1;
        // Multiply-shift: the bias is below width / 2^64.
        let offset = (u128::from(self.next()) * width) >> 64;
        low.wrapping_add_unsigned(u64::try_from(offset).unwrap_or(0))
    }

    /// Standard normal (Box and Muller, 1958).
    pub(super) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// A rank of `1..=count` with weight `rank^-exponent`, by rejection-inversion (Hörmann and
    /// Derflinger: "Rejection-inversion to generate variates from monotone discrete
    /// distributions", 1996). Constant time for any count.
    pub(super) fn zipf(&mut self, count: u64, exponent: f64) -> u64 {
        let count = count.max(1) as f64;
        let integral = |x: f64| {
            if (exponent - 1.0).abs() < 1e-9 {
                x.ln()
            } else {
                (x.powf(1.0 - exponent) - 1.0) / (1.0 - exponent)
            }
        };
        let inverse = |y: f64| {
            if (exponent - 1.0).abs() < 1e-9 {
                y.exp()
            } else {
                (1.0 + y * (1.0 - exponent)).max(0.0).powf(1.0 / (1.0 - exponent))
            }
        };
        let low = integral(1.5) - 1.0;
        let high = integral(count + 0.5);
        loop {
            let point = high + self.unit() * (low - high);
            let x = inverse(point);
            let rank = (x + 0.5).floor().clamp(1.0, count);
            if point >= integral(rank + 0.5) - rank.powf(-exponent) {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "within 1 and count"
                )]
                return rank as u64;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_reproducible_and_differ_by_name() {
        assert_eq!(Random::new(7, "a").next(), Random::new(7, "a").next());
        assert_ne!(Random::new(7, "a").next(), Random::new(7, "b").next());
        assert_ne!(Random::new(7, "a").next(), Random::new(8, "a").next());
    }

    #[test]
    fn bounds_are_kept_and_reached() {
        let mut random = Random::new(1, "range");
        let drawn: Vec<i64> = (0..1000).map(|_| random.between(-2, 2)).collect();
        assert_eq!((drawn.iter().min(), drawn.iter().max()), (Some(&-2), Some(&2)));
        assert!((i64::MIN..=i64::MAX).contains(&random.between(i64::MIN, i64::MAX)));
        assert_eq!(random.between(5, 5), 5);
    }

    #[test]
    fn zipf_follows_its_weights() {
        for exponent in [0.5, 1.0, 1.1, 2.0] {
            let mut random = Random::new(2, "zipf");
            let mut counts = [0_u32; 10];
            let draws = 100_000;
            for _ in 0..draws {
                counts[usize::try_from(random.zipf(10, exponent)).unwrap() - 1] += 1;
            }
            let total: f64 = (1..=10).map(|rank| f64::from(rank).powf(-exponent)).sum();
            for (rank, count) in (1..=10).zip(counts) {
                let expected = f64::from(draws) * f64::from(rank).powf(-exponent) / total;
                let sigma = expected.sqrt();
                assert!(
                    (f64::from(count) - expected).abs() < 5.0 * sigma,
                    "{exponent} {rank}: {count} for {expected}"
                );
            }
        }
    }

    #[test]
    fn zipf_has_no_limit_in_count() {
        let mut random = Random::new(3, "zipf");
        assert!((0..1000).all(|_| (1..=u64::MAX).contains(&random.zipf(u64::MAX >> 1, 1.05))));
    }

    #[test]
    fn the_normal_has_its_moments() {
        let mut random = Random::new(4, "normal");
        let drawn: Vec<f64> = (0..50_000).map(|_| random.normal()).collect();
        let mean = drawn.iter().sum::<f64>() / 50_000.0;
        let variance = drawn.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 50_000.0;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.03, "{mean} {variance}");
    }
}
