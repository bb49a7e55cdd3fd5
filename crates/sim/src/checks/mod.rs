//! What must hold in every run: one file each, or a line of [`crate::history`].

pub mod changes;
pub mod sessions;
pub mod watches;

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
    /// A session stays with the connection that asked for it last.
    Moves,
    /// Every server has the same members at the same place in the log.
    Members,
    /// What was acknowledged to anybody before a sync is there after it.
    Sync,
    /// Watches: none missed, none early, none twice; and events before what shows their change.
    Watches,
    /// A session sees what it wrote, and nothing of what it asks for later.
    OwnWrites,
    /// What a session is shown never goes back, on whichever server.
    Zxids,
    /// Ephemerals live as long as their session, and no longer.
    Ephemerals,
    /// No session expires whose client is heard; those do whose client is gone.
    Expiry,
    /// A client loses its session only when that has ended.
    Sessions,
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
            Self::Moves => "moves",
            Self::Members => "members",
            Self::Sync => "sync",
            Self::Watches => "watches",
            Self::OwnWrites => "own-writes",
            Self::Zxids => "zxids",
            Self::Ephemerals => "ephemerals",
            Self::Expiry => "expiry",
            Self::Sessions => "sessions",
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
