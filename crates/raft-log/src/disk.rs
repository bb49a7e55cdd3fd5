//! What the log needs from a disk, and nothing more.
//!
//! Implemented by `store` on RocksDB, and by [`crate::mem`] for tests. All writes come
//! from one thread, the log thread; reads may come at any time from others.

use std::{fmt, io, time::Duration};

use bytes::Bytes;

/// A place in the log: which leader's term, and which entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogPosition {
    /// The Raft term in which the entry was made.
    pub term: u64,
    /// The entry's number, from 0 without holes.
    pub index: u64,
}

impl fmt::Display for LogPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.term, self.index)
    }
}

/// An entry as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEntry {
    /// Where it stands.
    pub position: LogPosition,
    /// What the payload is.
    pub kind: EntryKind,
    /// Empty for [`EntryKind::Blank`].
    pub payload: Bytes,
}

/// What an entry's payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// Nothing: a new leader's first entry.
    Blank,
    /// Batches of commands, see [`crate::codec`].
    Commands,
    /// Who the members are.
    Membership,
}

/// A Raft vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredVote {
    /// The term voted in.
    pub term: u64,
    /// The node voted for.
    pub node: u64,
    /// Whether a quorum gave it its vote.
    pub committed: bool,
}

/// One change of the log. A group of them is written atomically and in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogOp {
    /// Adds entries behind the last.
    Append(Vec<StoredEntry>),
    /// Remembers a vote.
    Vote(StoredVote),
    /// Drops the entries behind this index; all of them with `None`.
    TruncateAfter(Option<u64>),
    /// Drops the entries up to and including this one: a checkpoint has them.
    Purge(LogPosition),
    /// Remembers how far is committed. A hint: it need not be synced.
    Committed(LogPosition),
    /// Remembers what was promised for the founding of a cluster.
    Founding(Bytes),
}

/// What a disk holds when it is opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiskState {
    /// The last entry purged.
    pub purged: Option<LogPosition>,
    /// The last entry there, or the last purged if there is none.
    pub last: Option<LogPosition>,
    /// The last vote.
    pub vote: Option<StoredVote>,
    /// How far was committed, at least.
    pub committed: Option<LogPosition>,
    /// What was promised for the founding of a cluster.
    pub founding: Option<Bytes>,
}

/// A durable log.
pub trait LogDisk: Send + Sync + 'static {
    /// What is there.
    ///
    /// # Errors
    /// What the disk says, or that it is damaged.
    fn state(&self) -> io::Result<DiskState>;

    /// Writes a group of changes, all or none of them; with `sync`, on stable storage
    /// when it returns. Called by one thread.
    ///
    /// # Errors
    /// Any error is final: the log is not written again.
    fn write(&self, group: &[LogOp], sync: bool) -> io::Result<()>;

    /// How long the next write takes, before it is done and once more before that is known:
    /// asked in a simulation, where time is not what the clock on the wall says.
    fn latency(&self) -> Duration {
        Duration::ZERO
    }

    /// Called by the thread that writes when nothing was written for a while.
    ///
    /// # Errors
    /// As for [`Self::write`]: final.
    fn rest(&self) -> io::Result<()> {
        Ok(())
    }

    /// Reads the entries from `start` up to but not including `end`. Stops early, but not
    /// before the first entry, before an entry whose payload would make it more than
    /// `bytes_max`: what is read goes into one message to a follower.
    ///
    /// # Errors
    /// When an entry in the range is missing or damaged.
    fn read(&self, start: u64, end: u64, bytes_max: usize) -> io::Result<Vec<StoredEntry>>;
}
