//! Random numbers of a run: one stream, shared by all of it, from the seed.

use std::{fmt, sync::Arc, time::Duration};

use parking_lot::Mutex;
use rand::{RngExt, SeedableRng, rngs::StdRng};

/// Cheap to clone; all clones draw from the same stream.
#[derive(Clone)]
pub struct Chance(Arc<Mutex<StdRng>>);

impl fmt::Debug for Chance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chance")
    }
}

impl Chance {
    /// A stream from a seed.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(StdRng::seed_from_u64(seed))))
    }

    /// A number from 0 up to but not including `bound`, which is at least 1.
    pub fn below(&self, bound: u64) -> u64 {
        self.0.lock().random_range(0..bound)
    }

    /// An index into something of this length, which is at least 1.
    pub fn index(&self, length: usize) -> usize {
        self.0.lock().random_range(0..length)
    }

    /// True in `percent` of a hundred cases.
    pub fn percent(&self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// A time in microseconds of this range.
    pub fn micros(&self, range: std::ops::Range<u64>) -> Duration {
        Duration::from_micros(self.0.lock().random_range(range))
    }

    /// A time in milliseconds of this range.
    pub fn millis(&self, range: std::ops::Range<u64>) -> Duration {
        Duration::from_millis(self.0.lock().random_range(range))
    }
}
