//! Commands ordered and made durable: openraft behind concrete types.
//!
//! The server gives commands to the [`Proposer`] and gets them back, in the order of the
//! log and never before they are on disk, through its [`Machine`]. In between:
//!
//! 1. the proposer collects commands into a batch while others are in flight;
//! 2. openraft appends the batch as one entry; the entry is readable at once, from memory;
//! 3. the log thread writes and syncs a group of entries through the [`LogDisk`], then
//!    calls openraft back;
//! 4. the committed entry is given to [`Machine::apply`], in order, by one task;
//! 5. every so often [`Machine::begin_checkpoint`] freezes the state, the
//!    [`CheckpointStore`] keeps it, and the log before it is purged.
//!
//! After a restart the checkpoint is loaded and the rest of the log is applied again, so
//! that the machine is where it was.
//!
//! What this crate does not know: RocksDB (that is `store`, behind the traits here),
//! clients, sessions, and what commands mean. openraft does not show in its interface.

mod checkpoints;
pub mod codec;
mod config;
mod disk;
mod generated;
mod log;
mod log_thread;
mod machine;
pub mod mem;
mod network;
mod panic;
mod proposer;
mod raft;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod types;

pub use checkpoints::{
    CheckpointError, CheckpointFile, CheckpointLoad, CheckpointMeta, CheckpointSink,
    CheckpointSource, CheckpointStore, FrozenCheckpoint, IncomingCheckpoint,
};
pub use config::RaftLogConfig;
pub use disk::{DiskState, EntryKind, LogDisk, LogOp, LogPosition, StoredEntry, StoredVote};
pub use machine::{Committed, Machine, Payload, ReadCheckpoint};
pub use proposer::{Busy, Proposer};
pub use raft::{RaftLog, StartError};
