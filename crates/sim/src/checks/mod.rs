//! What must hold in every run: one file each, or a line of [`crate::history`].

use std::fmt;

/// What is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Every server applies the same commands at the same zxids, and has the same digest after.
    Digests,
    /// No command is applied twice.
    Once,
    /// A write that began when another one was acknowledged has a higher zxid.
    Order,
    /// What was acknowledged is there in the end.
    Lost,
    /// Only the connection that a session has now writes for it.
    Owners,
    /// What was acknowledged to anybody before a sync is there after it.
    Sync,
    /// When all faults are over, the cluster serves again, and its servers agree.
    Serving,
    /// Servers start again with what their disks hold.
    Starting,
}

impl Check {
    /// Its name, in messages and in the headers of known bugs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Digests => "digests",
            Self::Once => "once",
            Self::Order => "order",
            Self::Lost => "lost",
            Self::Owners => "owners",
            Self::Sync => "sync",
            Self::Serving => "serving",
            Self::Starting => "starting",
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}]", self.name())
    }
}
