//! Words for texts: short, plain, and nobody's name.

/// All in lower case.
pub(super) const WORDS: [&str; 128] = [
    "amber", "anchor", "apple", "arch", "ash", "autumn", "bark", "basin", "beacon", "birch", "blue", "bolt",
    "branch", "brass", "bridge", "brook", "cabin", "canal", "candle", "canyon", "cedar", "chalk", "cinder",
    "clay", "cliff", "cloud", "clover", "coast", "cobalt", "copper", "coral", "cotton", "creek", "crystal",
    "current", "dawn", "delta", "dune", "dust", "echo", "elm", "ember", "fern", "field", "flint", "forest",
    "frost", "garden", "glacier", "glass", "gold", "granite", "grass", "gravel", "green", "grove", "harbor",
    "harvest", "hazel", "hill", "hollow", "honey", "horizon", "indigo", "iron", "island", "ivory", "jade",
    "juniper", "lagoon", "lake", "lantern", "leaf", "ledge", "lemon", "light", "linen", "maple", "marble",
    "meadow", "mill", "mist", "moon", "moss", "mountain", "north", "oak", "ocean", "olive", "onyx", "opal",
    "orchard", "paper", "pearl", "pebble", "pine", "plain", "plum", "pond", "poplar", "prairie", "quartz",
    "quill", "rain", "reed", "ridge", "river", "rose", "saffron", "sail", "sand", "silver", "slate", "snow",
    "spring", "spruce", "stone", "storm", "summer", "summit", "thistle", "timber", "valley", "violet",
    "walnut", "willow", "winter", "wool",
];

/// Length of the longest word in bytes and characters.
pub(super) const LONGEST: usize = 8;

#[cfg(test)]
mod tests {
    use super::{LONGEST, WORDS};

    #[test]
    fn words_are_distinct_and_no_longer_than_said() {
        let mut words = WORDS.to_vec();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), WORDS.len());
        assert_eq!(words.iter().map(|word| word.len()).max(), Some(LONGEST));
    }
}
