//! Numbers that a seed repeats.

/// A generator (xorshift): not for secrets, but the same everywhere.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// That of a seed.
    pub const fn seeded(seed: u64) -> Self {
        // Spread over all bits: neighbours must not draw the same, and 0 would stay 0.
        Self(seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Seeds 2 and 3 were one seed.
    #[test]
    fn seeds_that_are_neighbours_draw_other_numbers() {
        let drawn = |seed| {
            let mut random = Random::seeded(seed);
            [random.below(1 << 20), random.below(1 << 20), random.below(1 << 20)]
        };
        for seed in 0..1000 {
            assert_ne!(drawn(seed), drawn(seed + 1), "{seed}");
        }
    }
}
