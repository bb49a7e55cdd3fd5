//! The state machine as openraft sees it, around the server's [`Machine`].
//!
//! The state itself is the server's. What is kept here is how far it has been applied,
//! and when a checkpoint is due.

use std::{
    io, mem,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use fault_points::{Point, pass};
use futures_util::{Stream, StreamExt};
use openraft::{
    OptionalSend, RaftSnapshotBuilder, alias,
    storage::{EntryResponder, RaftStateMachine},
};
use parking_lot::Mutex;
use tokio::sync::{Mutex as AsyncMutex, Notify, OwnedMutexGuard};

use crate::{
    applied::Applied,
    checkpoints::{
        CheckpointError, CheckpointLoad, CheckpointMeta, CheckpointSource, CheckpointStore,
        FrozenCheckpoint,
    },
    codec,
    disk::LogPosition,
    ensemble::Members,
    execution::{off_thread, write_off_thread},
    panic::abort_on_panic,
    proposer::Proposer,
    purging::Purging,
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

    /// Replaces the state by what `read` gives, key by key; without any it stays as it is.
    /// Called at the start, and on a server that was so far behind that another sent it its
    /// checkpoint: commands of this origin may be in there whose outcomes are not known.
    ///
    /// Returns what [`Self::apply`] returns.
    ///
    /// # Errors
    /// What `read` says, or that what it gave is no state.
    fn restore(&self, read: &mut ReadCheckpoint<'_>) -> Result<u64, CheckpointError>;
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
    /// The members changed: these are they now.
    Membership(Members),
}

/// openraft's side of the machine.
pub(crate) struct Adapter {
    machine: Arc<dyn Machine>,
    checkpoints: Arc<dyn CheckpointStore>,
    proposer: Proposer,
    progress: Arc<Applied>,
    applied: Option<LogId>,
    membership: StoredMembership,
    /// Held from the freezing of the state until it is written, and while another
    /// server's checkpoint takes its place.
    changing: Arc<AsyncMutex<()>>,
    due: Arc<Due>,
    purging: Arc<Purging>,
    /// What the checkpoint stands for that openraft was given last. None until it has asked, as
    /// it does when it starts.
    given: Option<SnapshotMeta>,
    /// Whether the newest one could not be frozen.
    is_not_frozen: bool,
}

/// Counts the log since the last checkpoint, and rings when one is due.
pub(crate) struct Due {
    bytes: AtomicU64,
    commands: AtomicU64,
    bytes_max: u64,
    commands_max: u64,
    /// Of all entries since the start.
    bytes_in_all: AtomicU64,
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
            bytes_in_all: AtomicU64::new(0),
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
        self.bytes_in_all.fetch_add(bytes, Ordering::Relaxed);
        let bytes = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let commands = self.commands.fetch_add(commands, Ordering::Relaxed) + commands;
        if bytes >= self.bytes_max || commands >= self.commands_max {
            self.bell.notify_one();
        }
    }

    /// The bytes of all entries that were applied since the start.
    pub(crate) fn bytes_in_all(&self) -> u64 {
        self.bytes_in_all.load(Ordering::Relaxed)
    }

    fn restart(&self) {
        self.bytes.store(0, Ordering::Relaxed);
        self.commands.store(0, Ordering::Relaxed);
    }
}

/// Stands for a checkpoint where openraft moves snapshots around: frozen where it is to be
/// sent, and nothing where it was written or received, for it is on disk then, or where it is to
/// be sent and could not be frozen.
#[derive(Clone)]
pub(crate) struct CheckpointHandle(pub(crate) Option<Arc<dyn FrozenCheckpoint>>);

impl std::fmt::Debug for CheckpointHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("CheckpointHandle").field(&self.0.is_some()).finish()
    }
}

impl Adapter {
    /// Restores the machine from the newest checkpoint.
    pub(crate) fn open(
        machine: Arc<dyn Machine>,
        checkpoints: Arc<dyn CheckpointStore>,
        proposer: Proposer,
        due: Arc<Due>,
        purging: Arc<Purging>,
        progress: Arc<Applied>,
    ) -> Result<Self, CheckpointError> {
        let mut found = None;
        machine.restore(&mut |load| {
            found = checkpoints.read(load)?;
            Ok(())
        })?;
        let newest = match &found {
            Some(meta) => snapshot_meta(meta)?,
            None => SnapshotMeta::default(),
        };
        newest.last_log_id.as_ref().map(position).into_iter().for_each(|at| progress.set(at));
        Ok(Self {
            machine,
            checkpoints,
            proposer,
            progress,
            applied: newest.last_log_id,
            membership: newest.last_membership,
            changing: Arc::default(),
            due,
            purging,
            given: None,
            is_not_frozen: false,
        })
    }

    /// The last entry that is in the machine.
    pub(crate) fn applied(&self) -> Option<LogPosition> {
        self.applied.as_ref().map(position)
    }

    fn apply_some(&self, entries: &[Committed]) {
        pass(Point::ApplyBegin);
        self.due.count(entries);
        let own = abort_on_panic(|| self.machine.apply(entries));
        pass(Point::ApplyDone);
        if let Some(last) = entries.last() {
            self.progress.set(last.position);
        }
        self.proposer.applied(own);
    }

    fn committed(&mut self, entry: &Entry) -> Committed {
        self.applied = Some(entry.log_id);
        let payload = match &entry.payload {
            RaftPayload::Blank => Payload::Blank,
            RaftPayload::Normal(batches) => Payload::Commands(batches.0.clone()),
            RaftPayload::Membership(membership) => {
                self.membership = StoredMembership::new(Some(entry.log_id), membership.clone());
                Payload::Membership(Members::new(Some(position(&entry.log_id)), membership))
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
        let _changing = Arc::clone(&self.changing).lock_owned().await;
        pass(Point::CheckpointCut);
        Builder {
            _changing,
            source: Mutex::new(Some(self.machine.begin_checkpoint())),
            checkpoints: Arc::clone(&self.checkpoints),
            purging: Arc::clone(&self.purging),
            meta: SnapshotMeta {
                last_log_id: self.applied,
                last_membership: self.membership.clone(),
            },
        }
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        CheckpointHandle(frozen): CheckpointHandle,
    ) -> io::Result<()> {
        let _changing = Arc::clone(&self.changing).lock_owned().await;
        let (machine, checkpoints) = (Arc::clone(&self.machine), Arc::clone(&self.checkpoints));
        let expected = stored(meta);
        // Elsewhere, since loading a large state takes seconds, and votes must not wait.
        let installed = off_thread(move || {
            if let Some(frozen) = frozen {
                copy(&*frozen, &*checkpoints)?;
            }
            checkpoints.install(&expected)?;
            pass(Point::InstallRestore);
            let restored =
                abort_on_panic(|| machine.restore(&mut |load| checkpoints.read(load).map(drop)));
            restored.inspect_err(|error| tracing::error!(%error, "the state cannot be restored"))
        });
        let own = installed.await?.map_err(io::Error::other)?;
        pass(Point::InstallRestored);
        self.applied = meta.last_log_id;
        self.membership = meta.last_membership.clone();
        self.due.restart();
        self.applied().into_iter().for_each(|at| self.progress.set(at));
        self.proposer.applied(own);
        Ok(())
    }

    async fn get_current_snapshot(
        &mut self,
    ) -> io::Result<Option<alias::SnapshotOf<Types, CheckpointHandle>>> {
        let checkpoints = Arc::clone(&self.checkpoints);
        let frozen = match (off_thread(move || checkpoints.freeze()).await?, &self.given) {
            // An error would end openraft, and this server. It wants the files only to send
            // them, and asks again if that fails.
            (Err(CheckpointError::Io(error)), Some(given)) => {
                if !mem::replace(&mut self.is_not_frozen, true) {
                    tracing::warn!(%error, "a checkpoint cannot be frozen; it is tried again");
                }
                let (meta, snapshot) = (given.clone(), CheckpointHandle(None));
                return Ok(Some(openraft::Snapshot { meta, snapshot }));
            }
            (frozen, _) => frozen.map_err(io::Error::other)?,
        };
        if mem::take(&mut self.is_not_frozen) {
            tracing::info!("a checkpoint can be frozen again");
        }
        let Some(frozen) = frozen else {
            self.given.get_or_insert_default();
            return Ok(None);
        };
        let meta = snapshot_meta(frozen.meta()).map_err(io::Error::other)?;
        self.given = Some(meta.clone());
        let snapshot = CheckpointHandle(Some(Arc::from(frozen)));
        Ok(Some(openraft::Snapshot { meta, snapshot }))
    }
}

/// Writes one checkpoint, beside further applies.
pub(crate) struct Builder {
    /// Behind a lock only because openraft wants its builders to be shareable.
    source: Mutex<Option<Box<dyn CheckpointSource>>>,
    _changing: OwnedMutexGuard<()>,
    checkpoints: Arc<dyn CheckpointStore>,
    purging: Arc<Purging>,
    meta: SnapshotMeta,
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
        let written = write_off_thread(move || {
            let written = checkpoints.write(&meta, source.as_mut());
            pass(Point::CheckpointFinish);
            source.finish(written.is_ok());
            written
        });
        written.await?.map_err(io::Error::other)?;
        self.purging.written(self.meta.last_log_id.as_ref().map_or(0, |last| last.index));
        Ok(openraft::Snapshot { meta: self.meta.clone(), snapshot: CheckpointHandle(None) })
    }
}

/// Receives a checkpoint from the same machine, as it would from another.
fn copy(frozen: &dyn FrozenCheckpoint, to: &dyn CheckpointStore) -> Result<(), CheckpointError> {
    let mut incoming = to.receive(frozen.files())?;
    let mut room = vec![0; 256 << 10];
    for (at, file) in frozen.files().iter().enumerate() {
        let mut offset = 0;
        while offset < file.bytes {
            let bytes = frozen.read(at, offset, &mut room)?;
            incoming.write(at, offset, &room[..bytes])?;
            offset += bytes.max(1) as u64;
        }
    }
    incoming.complete()
}

pub(crate) fn snapshot_meta(stored: &CheckpointMeta) -> Result<SnapshotMeta, CheckpointError> {
    Ok(SnapshotMeta {
        last_log_id: stored.applied.map(log_id),
        last_membership: codec::decode_stored_membership(&stored.membership)
            .map_err(|error| CheckpointError::Damaged(error.to_string()))?,
    })
}

pub(crate) fn stored(meta: &SnapshotMeta) -> CheckpointMeta {
    CheckpointMeta {
        applied: meta.last_log_id.as_ref().map(position),
        membership: codec::encode_stored_membership(&meta.last_membership),
    }
}
