//! The state machine as openraft sees it, around the server's [`Machine`].
//!
//! The state itself is the server's. What is kept here is how far it has been applied,
//! and when a checkpoint is due.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use openraft::{
    OptionalSend, RaftSnapshotBuilder, alias,
    storage::{EntryResponder, RaftStateMachine},
};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::{
    checkpoints::{
        CheckpointError, CheckpointLoad, CheckpointMeta, CheckpointSource, CheckpointStore,
    },
    codec,
    disk::LogPosition,
    panic::abort_on_panic,
    proposer::Proposer,
    types::{
        Entry, LogId, Payload as RaftPayload, SnapshotMeta, StoredMembership, Types, log_id,
        position,
    },
};

/// Entries handed to the machine at once.
const APPLY_ENTRIES_MAX: usize = 64;

/// The state that the log builds, supplied by the server.
pub trait Machine: Send + Sync + 'static {
    /// Applies committed entries, in order; everything is applied on return. Called by
    /// one task at a time.
    ///
    /// Returns the number of the last command of this origin that is in the state: those
    /// up to it need not be proposed again.
    fn apply(&self, entries: &[Committed]) -> u64;

    /// Freezes the state as of the last applied entry. One checkpoint at a time.
    fn begin_checkpoint(&self) -> Box<dyn CheckpointSource>;

    /// Replaces the state by what `read` gives, key by key.
    ///
    /// # Errors
    /// What `read` says, or that what it gave is no state.
    fn restore(&self, read: &mut ReadCheckpoint<'_>) -> Result<(), CheckpointError>;
}

/// Gives every key and value of a checkpoint to the function it is called with.
pub type ReadCheckpoint<'r> =
    dyn FnMut(&mut CheckpointLoad<'_>) -> Result<(), CheckpointError> + 'r;

/// A committed entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Where it stands in the log.
    pub position: LogPosition,
    /// What it says.
    pub payload: Payload,
}

/// What a committed entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// Nothing; a new leader's first entry.
    Blank,
    /// Batches of commands: see [`crate::codec::decode`].
    Commands(Bytes),
    /// The members changed.
    Membership,
}

/// openraft's side of the machine.
pub(crate) struct Adapter {
    machine: Arc<dyn Machine>,
    checkpoints: Arc<dyn CheckpointStore>,
    proposer: Proposer,
    applied: Option<LogId>,
    membership: StoredMembership,
    /// The newest checkpoint that is on disk.
    newest: Arc<Mutex<SnapshotMeta>>,
    due: Arc<Due>,
}

/// Counts the log since the last checkpoint, and rings when one is due.
pub(crate) struct Due {
    bytes: AtomicU64,
    commands: AtomicU64,
    bytes_max: u64,
    commands_max: u64,
    /// Rung when a checkpoint is due.
    pub(crate) bell: Notify,
}

impl Due {
    pub(crate) fn new(bytes_max: u64, commands_max: u64) -> Self {
        Self {
            bytes: AtomicU64::new(0),
            commands: AtomicU64::new(0),
            bytes_max,
            commands_max,
            bell: Notify::new(),
        }
    }

    fn count(&self, entries: &[Committed]) {
        let (mut bytes, mut commands) = (0, 0);
        for entry in entries {
            if let Payload::Commands(payload) = &entry.payload {
                bytes += payload.len() as u64;
                commands += codec::count_commands(payload);
            }
        }
        let bytes = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let commands = self.commands.fetch_add(commands, Ordering::Relaxed) + commands;
        if bytes >= self.bytes_max || commands >= self.commands_max {
            self.bell.notify_one();
        }
    }

    fn restart(&self) {
        self.bytes.store(0, Ordering::Relaxed);
        self.commands.store(0, Ordering::Relaxed);
    }
}

/// Stands for the checkpoint on disk where openraft moves snapshots around.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CheckpointHandle;

impl Adapter {
    /// Restores the machine from the newest checkpoint.
    pub(crate) fn open(
        machine: Arc<dyn Machine>,
        checkpoints: Arc<dyn CheckpointStore>,
        proposer: Proposer,
        due: Arc<Due>,
    ) -> Result<Self, CheckpointError> {
        let mut found = None;
        machine.restore(&mut |load| {
            found = checkpoints.read(load)?;
            Ok(())
        })?;
        let newest = match &found {
            Some(meta) => SnapshotMeta {
                last_log_id: meta.applied.map(log_id),
                last_membership: codec::decode_stored_membership(&meta.membership)
                    .map_err(|error| CheckpointError::Damaged(error.to_string()))?,
            },
            None => SnapshotMeta::default(),
        };
        Ok(Self {
            machine,
            checkpoints,
            proposer,
            applied: newest.last_log_id,
            membership: newest.last_membership.clone(),
            newest: Arc::new(Mutex::new(newest)),
            due,
        })
    }

    /// The last entry that is in the machine.
    pub(crate) fn applied(&self) -> Option<LogPosition> {
        self.applied.as_ref().map(position)
    }

    fn apply_some(&self, entries: &[Committed]) {
        self.due.count(entries);
        let own = abort_on_panic(|| self.machine.apply(entries));
        self.proposer.applied(own);
    }

    fn committed(&mut self, entry: &Entry) -> Committed {
        self.applied = Some(entry.log_id);
        let payload = match &entry.payload {
            RaftPayload::Blank => Payload::Blank,
            RaftPayload::Normal(batches) => Payload::Commands(batches.0.clone()),
            RaftPayload::Membership(membership) => {
                self.membership = StoredMembership::new(Some(entry.log_id), membership.clone());
                Payload::Membership
            }
        };
        Committed { position: position(&entry.log_id), payload }
    }
}

impl RaftStateMachine<Types> for Adapter {
    type SnapshotData = CheckpointHandle;
    type SnapshotBuilder = Builder;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
        Ok((self.applied, self.membership.clone()))
    }

    async fn apply<S>(&mut self, entries: S) -> io::Result<()>
    where
        S: Stream<Item = Result<EntryResponder<Types>, io::Error>> + Unpin + OptionalSend,
    {
        let mut chunks = entries.ready_chunks(APPLY_ENTRIES_MAX);
        while let Some(chunk) = chunks.next().await {
            let mut committed = Vec::with_capacity(chunk.len());
            let mut responders = Vec::with_capacity(chunk.len());
            for item in chunk {
                let (entry, responder) = item?;
                committed.push(self.committed(&entry));
                responders.extend(responder);
            }
            self.apply_some(&committed);
            for responder in responders {
                responder.send(());
            }
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Builder {
        self.due.restart();
        Builder {
            source: Mutex::new(Some(self.machine.begin_checkpoint())),
            checkpoints: Arc::clone(&self.checkpoints),
            meta: SnapshotMeta {
                last_log_id: self.applied,
                last_membership: self.membership.clone(),
            },
            newest: Arc::clone(&self.newest),
        }
    }

    async fn install_snapshot(&mut self, _: &SnapshotMeta, _: CheckpointHandle) -> io::Result<()> {
        // A server without peers has nobody who could send it one.
        Err(io::Error::new(io::ErrorKind::Unsupported, "a lone server takes no snapshots"))
    }

    async fn get_current_snapshot(
        &mut self,
    ) -> io::Result<Option<alias::SnapshotOf<Types, CheckpointHandle>>> {
        let meta = self.newest.lock().clone();
        let known = meta.last_log_id.is_some();
        Ok(known.then_some(openraft::Snapshot { meta, snapshot: CheckpointHandle }))
    }
}

/// Writes one checkpoint, beside further applies.
pub(crate) struct Builder {
    /// Behind a lock only because openraft wants its builders to be shareable.
    source: Mutex<Option<Box<dyn CheckpointSource>>>,
    checkpoints: Arc<dyn CheckpointStore>,
    meta: SnapshotMeta,
    newest: Arc<Mutex<SnapshotMeta>>,
}

impl RaftSnapshotBuilder<Types> for Builder {
    type SnapshotData = CheckpointHandle;

    async fn build_snapshot(&mut self) -> io::Result<alias::SnapshotOf<Types, CheckpointHandle>> {
        let mut source = self
            .source
            .get_mut()
            .take()
            .ok_or_else(|| io::Error::other("a checkpoint is built once"))?;
        let (checkpoints, meta) = (Arc::clone(&self.checkpoints), stored(&self.meta));
        let written = tokio::task::spawn_blocking(move || {
            let written = checkpoints.write(&meta, source.as_mut());
            source.finish(written.is_ok());
            written
        });
        written.await.map_err(io::Error::other)?.map_err(io::Error::other)?;
        *self.newest.lock() = self.meta.clone();
        Ok(openraft::Snapshot { meta: self.meta.clone(), snapshot: CheckpointHandle })
    }
}

fn stored(meta: &SnapshotMeta) -> CheckpointMeta {
    CheckpointMeta {
        applied: meta.last_log_id.as_ref().map(position),
        membership: codec::encode_stored_membership(&meta.last_membership),
    }
}
