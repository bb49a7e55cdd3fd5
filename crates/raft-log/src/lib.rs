//! Commands ordered, made durable and replicated: openraft behind concrete types.
//!
//! The server gives commands to the [`Proposer`] and gets them back, in the order of the
//! log and never before they are on disk on a quorum, through its [`Machine`].
//!
//! # What the server uses
//!
//! - [`RaftLog::start`], with [`RaftLogConfig::with_ensemble`] for a server with peers;
//! - [`RaftLog::proposer`]: takes commands, on any server, with or without a leader;
//! - [`Machine`]: applies them, freezes checkpoints, and is restored from one, also on a
//!   running server that was too far behind;
//! - [`RaftLog::status`]: role, term, leader and members, to watch;
//! - [`RaftLog::contact_age`]: when to stop serving; [`RaftLog::read_barrier`]: `sync`;
//! - [`RaftLog::tell_leader`], [`RaftLog::take_messages`]: which sessions were heard from;
//! - [`RaftLog::change_members`], [`RaftLog::hand_over`], [`RaftLog::lags`],
//!   [`RaftLog::report`];
//! - [`Others`]: whether the other servers serve, asked by one that does not run;
//! - [`survey`] and [`recover`]: offline, when the majority is lost for good.
//!
//! # The life of an entry across three servers
//!
//! A client's command arrives at server 1; server 2 leads.
//!
//! 1. Server 1's proposer encodes it into the batch that is being collected, which goes out
//!    at once if few are in flight, and stays in its hands until it is seen applied.
//! 2. `forward::feed` sends the batch to server 2, on a connection for that alone. (On the
//!    leader it goes to openraft at once.)
//! 3. On server 2 `forward::serve` gives it to openraft, which appends it to the log: it is
//!    readable at once, from memory (`log`).
//! 4. Now at the same time: server 2's log thread writes and syncs a group of entries; and
//!    one task for each follower reads the entry back from memory and sends it
//!    (`peer::appends`), without waiting for the answer to the one before.
//! 5. Server 1 and 3 give it to their openraft, their log threads write and sync it, and the
//!    answer goes back.
//! 6. When two of three have it on disk it is committed. Server 2 applies it and tells the
//!    others with what it sends next; they apply it too: [`Machine::apply`], one task on
//!    each server, in the order of the log.
//! 7. Server 1 sees its own command applied and answers its client. If it does not see that
//!    (the leader changed, a connection broke) it sends the batch again; the state applies
//!    none twice and none after a gap.
//!
//! # Tasks, and which queue each reads
//!
//! All run on the raft thread, a runtime of its own, but for those said to be elsewhere.
//!
//! | task | reads | writes |
//! |---|---|---|
//! | `forward::feed` | the proposer's batches | openraft, or the forward lane to the leader |
//! | `peer::accept` | the port for peers | a task for each connection |
//! | – forward lane | another server's batches | openraft; "not the leader" |
//! | – append lane | the leader's entries and signs of life, on two connections | openraft; answers in order |
//! | – control lane | votes, read indexes, changes of members, messages | answers |
//! | – checkpoint lane | a checkpoint in parts | the checkpoint store, on threads for it |
//! | openraft's core | its own channels | the log thread's queue |
//! | openraft's replication, one for each follower | the log, from memory | the append lane |
//! | openraft's signs of life, one for each follower | a timer | an append lane of its own |
//! | openraft's state machine | committed entries | [`Machine`] |
//! | the log thread (a thread) | its queue | the [`LogDisk`], then openraft's callbacks |
//! | `ensemble::founding`, `ensemble::change` | timers | the control lanes; openraft |
//!
//! Every so often [`Machine::begin_checkpoint`] freezes the state, the [`CheckpointStore`]
//! keeps it, and the log before it is purged. After a restart the checkpoint is loaded and
//! the rest of the log applied again.
//!
//! # What this crate does not know
//!
//! RocksDB (that is `store`, behind the traits here), clients, sessions, and what commands
//! mean. openraft does not show in its interface. The network is behind
//! [`transport::Transport`], the clock is tokio's, the disk behind [`LogDisk`] and
//! [`CheckpointStore`], openraft's runtime a type in `types`: what a simulation replaces.

mod applied;
mod checkpoint_transfer;
mod checkpoints;
pub mod codec;
mod config;
mod disk;
mod ensemble;
mod execution;
mod forward;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod generated;
mod lead;
mod log;
mod log_thread;
mod machine;
pub mod mem;
mod network;
mod panic;
mod peer;
mod proposer;
mod purging;
mod raft;
mod raft_thread;
mod recover;
mod standstill;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod transport;
mod types;

pub use checkpoints::{
    CheckpointError, CheckpointFile, CheckpointLoad, CheckpointMeta, CheckpointSink,
    CheckpointSource, CheckpointStore, FrozenCheckpoint, IncomingCheckpoint,
};
pub use config::{ENSEMBLE_KEEP_ENTRIES, RaftLogConfig};
pub use disk::{DiskState, EntryKind, LogDisk, LogOp, LogPosition, StoredEntry, StoredVote};
pub use ensemble::{
    ChangeError, EnsembleConfig, FromPeer, Lag, MemberChange, MemberReport, MemberView, Members,
    NotServing, Others, PeerMessage, PeerRef, Report, Role, ServerSpec, Status,
};
pub use execution::simulate;
pub use machine::{Committed, Machine, Payload, ReadCheckpoint};
pub use peer::PeerError;
pub use proposer::{Busy, Proposer};
pub use raft::{NoLeader, RaftLog, StartError};
pub use recover::{RecoverError, Recovered, recover, survey};
pub use standstill::Standstill;
