//! The hash of the recorder's own tables: XXH3 in one go, several times faster
//! than the standard one on short keys. Its keys come from the application
//! that is being recorded, which gains nothing by choosing them badly.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A table of the recorder.
pub(crate) type Table<K, V> = HashMap<K, V, BuildHasherDefault<Xxh3>>;

/// The state of one hash.
#[derive(Debug, Default)]
pub(crate) struct Xxh3(u64);

impl Hasher for Xxh3 {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64_with_seed(bytes, self.0);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
