//! Newtypes for the numbers that have a meaning, so that they cannot be mixed up.
//!
//! Arithmetic exists only where it makes sense; everything prints as ZooKeeper prints it.

use std::fmt;

/// A transaction id: epoch in the high 32 bits, counter in the low 32. Always positive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Zxid(pub i64);

impl Zxid {
    /// Before any transaction.
    pub const ZERO: Self = Self(0);

    /// The marker that opens `epoch`; the first transaction of the epoch is its `next`.
    ///
    /// `epoch` is below 2^31, so that a zxid stays positive.
    pub const fn start_of_epoch(epoch: u32) -> Self {
        assert!(epoch < 1 << 31, "a zxid must stay positive");
        Self((epoch as i64) << 32)
    }

    /// The epoch: the high 32 bits.
    #[expect(clippy::cast_sign_loss, reason = "a zxid is never negative")]
    pub const fn epoch(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// The counter within the epoch: the low 32 bits.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the low half is what is asked for"
    )]
    pub const fn counter(self) -> u32 {
        self.0 as u32
    }

    /// The zxid after this one. Where the counter would overflow, the epoch steps on.
    pub const fn next(self) -> Self {
        if self.counter() == u32::MAX {
            Self::start_of_epoch(self.epoch() + 1).next()
        } else {
            Self(self.0 + 1)
        }
    }
}

impl fmt::Display for Zxid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// A session's id. 0 means "no session": the server's own commands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub i64);

impl SessionId {
    /// No session.
    pub const NONE: Self = Self(0);
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// The connection that owns a session: a number that no other connection of the
/// ensemble ever has. A command whose owner is not the session's is rejected as moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner(pub u64);

/// Wall-clock time in milliseconds since 1970, decided by the proposer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub i64);
