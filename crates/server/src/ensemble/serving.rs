//! Which clients a server serves at the moment.

use std::sync::atomic::{AtomicU8, Ordering};

/// Which clients a server serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Serving {
    /// None: there is no quorum, or this server has not caught up with it.
    Nobody,
    /// Those who said that reading will do: there is no quorum.
    Readers,
    /// All of them.
    All,
}

/// A [`Serving`] that connections look at and one task sets.
#[derive(Debug, Default)]
pub(super) struct ServingCell(AtomicU8);

impl ServingCell {
    pub(super) fn get(&self) -> Serving {
        match self.0.load(Ordering::Acquire) {
            READERS => Serving::Readers,
            ALL => Serving::All,
            _ => Serving::Nobody,
        }
    }

    pub(super) fn set(&self, serving: Serving) {
        let number = match serving {
            Serving::Nobody => NOBODY,
            Serving::Readers => READERS,
            Serving::All => ALL,
        };
        self.0.store(number, Ordering::Release);
    }
}

const NOBODY: u8 = 0;
const READERS: u8 = 1;
const ALL: u8 = 2;
