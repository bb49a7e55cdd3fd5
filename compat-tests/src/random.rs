//! Numbers that a seed repeats.

/// A generator (xorshift): not for secrets, but the same everywhere.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// That of a seed.
    pub const fn seeded(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// At least 0 and less than `bound`, which is not 0.
    pub const fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    /// The same for the places of a list.
    ///
    /// # Panics
    /// When the list is longer than memory.
    pub fn index(&mut self, bound: usize) -> usize {
        usize::try_from(self.below(bound as u64)).expect("below a usize")
    }
}
