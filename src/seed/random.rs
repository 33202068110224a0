//! Randomness as a function: the same key, row and draw always give the same
//! number, in whatever order and on whatever thread they are asked for.
//!
//! Counter-based in the manner of `SplitMix64` (Steele, Lea and Flood 2014): the
//! mixing function applied to a Weyl sequence that starts at the column's key.

use xxhash_rust::xxh3::Xxh3;

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// Names one stream of random numbers: a column, a table's child counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key(u64);

impl Key {
    /// The stream of `names` under `seed`. The same names give the same stream.
    pub(super) fn new(seed: u64, names: &[&str]) -> Self {
        let mut hash = Xxh3::with_seed(seed);
        for name in names {
            hash.update(&(name.len() as u64).to_le_bytes());
            hash.update(name.as_bytes());
        }
        Self(hash.digest())
    }

    /// The generator at a row. `attempt` redraws a row whose value was taken.
    #[inline]
    pub(super) fn at(self, row: u64, attempt: u8) -> Stream {
        let start = mix(self.0.wrapping_add(row.wrapping_mul(GOLDEN)));
        Stream(start.wrapping_add(u64::from(attempt).wrapping_mul(0xd6e8_feb8_6659_fd93)))
    }
}

/// The numbers of one row of one key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stream(u64);

impl Stream {
    /// 64 random bits.
    #[inline]
    pub(super) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// A number strictly between 0 and 1, on a grid of 2⁻⁵³ shifted by half a step.
    #[inline]
    pub(super) fn unit(&mut self) -> f64 {
        ((self.bits() >> 11) as f64 + 0.5) * (1.0 / (1_u64 << 53) as f64)
    }

    /// A whole number below `bound`, which is not 0. The bias is below `bound` / 2⁶⁴.
    #[inline]
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }
}

/// The finaliser of `SplitMix64`.
#[inline]
pub(super) fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The standard normal distribution's quantile (Wichura 1988, algorithm AS 241, PPND16).
pub(super) fn normal_quantile(p: f64) -> f64 {
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180_625 - q * q;
        return q * polynomial(&CENTRE_NUMERATOR, r) / polynomial(&CENTRE_DENOMINATOR, r);
    }
    let tail = if q < 0.0 { p } else { 1.0 - p };
    let r = (-tail.ln()).sqrt();
    let value = if r <= 5.0 {
        polynomial(&MIDDLE_NUMERATOR, r - 1.6) / polynomial(&MIDDLE_DENOMINATOR, r - 1.6)
    } else {
        polynomial(&TAIL_NUMERATOR, r - 5.0) / polynomial(&TAIL_DENOMINATOR, r - 5.0)
    };
    if q < 0.0 { -value } else { value }
}

/// Coefficients from the highest power down.
#[inline]
fn polynomial(coefficients: &[f64; 8], x: f64) -> f64 {
    coefficients.iter().fold(0.0, |sum, coefficient| sum * x + coefficient)
}

const CENTRE_NUMERATOR: [f64; 8] = [
    2_509.080_928_730_122_7,
    33_430.575_583_588_13,
    67_265.770_927_008_7,
    45_921.953_931_549_87,
    13_731.693_765_509_46,
    1_971.590_950_306_551_3,
    133.141_667_891_784_38,
    3.387_132_872_796_366_5,
];
const CENTRE_DENOMINATOR: [f64; 8] = [
    5_226.495_278_852_854,
    28_729.085_735_721_943,
    39_307.895_800_092_71,
    21_213.794_301_586_597,
    5_394.196_021_424_751,
    687.187_007_492_057_9,
    42.313_330_701_600_91,
    1.0,
];
const MIDDLE_NUMERATOR: [f64; 8] = [
    7.745_450_142_783_414e-4,
    0.022_723_844_989_269_184,
    0.241_780_725_177_450_6,
    1.270_458_252_452_368_4,
    3.647_848_324_763_204_5,
    5.769_497_221_460_691,
    4.630_337_846_156_546,
    1.423_437_110_749_683_5,
];
const MIDDLE_DENOMINATOR: [f64; 8] = [
    1.050_750_071_644_416_9e-9,
    5.475_938_084_995_345e-4,
    0.015_198_666_563_616_457,
    0.148_103_976_427_480_08,
    0.689_767_334_985_1,
    1.676_384_830_183_803_8,
    2.053_191_626_637_759,
    1.0,
];
const TAIL_NUMERATOR: [f64; 8] = [
    2.010_334_399_292_288_1e-7,
    2.711_555_568_743_487_6e-5,
    0.001_242_660_947_388_078_4,
    0.026_532_189_526_576_124,
    0.296_560_571_828_504_87,
    1.784_826_539_917_291_3,
    5.463_784_911_164_114,
    6.657_904_643_501_103,
];
const TAIL_DENOMINATOR: [f64; 8] = [
    2.044_263_103_389_939_8e-15,
    1.421_511_758_316_446e-7,
    1.846_318_317_510_054_8e-5,
    7.868_691_311_456_133e-4,
    0.014_875_361_290_850_615,
    0.136_929_880_922_735_8,
    0.599_832_206_555_888,
    1.0,
];

#[cfg(test)]
mod tests {
    use super::{Key, normal_quantile};

    #[test]
    fn draws_depend_on_key_row_and_attempt_only() {
        let key = Key::new(42, &["orders", "total"]);
        let draw = |key: Key, row, attempt| key.at(row, attempt).bits();
        assert_eq!(draw(key, 7, 0), draw(Key::new(42, &["orders", "total"]), 7, 0));
        assert_ne!(draw(key, 7, 0), draw(key, 8, 0));
        assert_ne!(draw(key, 7, 0), draw(key, 7, 1));
        assert_ne!(draw(key, 7, 0), draw(Key::new(43, &["orders", "total"]), 7, 0));
        assert_ne!(draw(key, 7, 0), draw(Key::new(42, &["orderst", "otal"]), 7, 0));
    }

    #[test]
    fn quantiles_of_the_normal_distribution() {
        // R: qnorm(c(0.5, 0.975, 0.1, 0.001, 1e-10))
        for (p, expected) in [
            (0.5, 0.0),
            (0.975, 1.959_963_984_540_054),
            (0.1, -1.281_551_565_544_600_4),
            (0.001, -3.090_232_306_167_813_5),
            (1e-10, -6.361_340_902_404_056),
        ] {
            let obtained = normal_quantile(p);
            assert!((obtained - expected).abs() < 1e-12, "{p}: {obtained}, not {expected}");
        }
    }

    #[test]
    fn units_are_uniform() {
        let key = Key::new(1, &["t", "c"]);
        let mut counts = [0_u32; 10];
        for row in 0..100_000 {
            counts[(key.at(row, 0).unit() * 10.0) as usize] += 1;
        }
        let statistic: f64 = counts.iter().map(|c| (f64::from(*c) - 10_000.0).powi(2) / 10_000.0).sum();
        assert!(statistic < 33.7, "chi-square with 9 degrees of freedom is {statistic}, p < 0.0001");
    }
}
