//! How long proposals, and replies to clients, are.

use std::sync::atomic::{AtomicU32, Ordering};

use session::ReplySizes;

/// Lengths of what was sent; none of this before the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Of the last one, in bytes.
    pub last: u64,
    /// The least, in bytes.
    pub min: u64,
    /// The greatest, in bytes.
    pub max: u64,
}

/// Lengths of the replies of all threads. Most are as long as others before, and are only
/// compared: no core waits for another.
#[derive(Debug)]
pub(super) struct Replies {
    last: AtomicU32,
    min: AtomicU32,
    max: AtomicU32,
}

impl Default for Replies {
    fn default() -> Self {
        let (last, max) = (AtomicU32::new(0), AtomicU32::new(0));
        Self { last, min: AtomicU32::new(u32::MAX), max }
    }
}

impl Replies {
    pub(super) fn note(&self, sizes: ReplySizes) {
        let Some((last, min, max)) = sizes.last_min_max() else { return };
        if self.last.load(Ordering::Relaxed) != last {
            self.last.store(last, Ordering::Relaxed);
        }
        if self.min.load(Ordering::Relaxed) > min {
            self.min.fetch_min(min, Ordering::Relaxed);
        }
        if self.max.load(Ordering::Relaxed) < max {
            self.max.fetch_max(max, Ordering::Relaxed);
        }
    }

    pub(super) fn reset(&self) {
        self.last.store(0, Ordering::Relaxed);
        self.min.store(u32::MAX, Ordering::Relaxed);
        self.max.store(0, Ordering::Relaxed);
    }

    pub(super) fn sizes(&self) -> Option<Sizes> {
        let of = |length: &AtomicU32| u64::from(length.load(Ordering::Relaxed));
        let sizes = Sizes { last: of(&self.last), min: of(&self.min), max: of(&self.max) };
        (sizes.min <= sizes.max).then_some(sizes)
    }
}
