//! What a connection is for. Each lane has its own, so that none waits behind another.

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Requests and answers that are small: votes, read indexes, changes of the members.
    Control,
    /// The leader's entries, in order, and its signs of life on a connection of their own.
    Append,
    /// A server's commands on their way to the leader.
    Forward,
    /// A checkpoint.
    Checkpoint,
}

impl Lane {
    pub(crate) const fn number(self) -> i32 {
        match self {
            Self::Control => 1,
            Self::Append => 2,
            Self::Forward => 3,
            Self::Checkpoint => 4,
        }
    }

    pub(crate) const fn from_number(number: i32) -> Option<Self> {
        Some(match number {
            1 => Self::Control,
            2 => Self::Append,
            3 => Self::Forward,
            4 => Self::Checkpoint,
            _ => return None,
        })
    }
}
