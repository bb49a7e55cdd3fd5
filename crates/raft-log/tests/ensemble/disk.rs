//! A log in memory whose disk can be made to stand still, and checkpoints that count how often
//! they are frozen, and can fail at that.

use std::{
    io,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use parking_lot::{Condvar, Mutex};
use raft_log::{
    CheckpointError, CheckpointFile, CheckpointLoad, CheckpointMeta, CheckpointSource,
    CheckpointStore, DiskState, FrozenCheckpoint, IncomingCheckpoint, LogDisk, LogOp, StoredEntry,
    mem::{MemCheckpoints, MemLog},
};

/// A log in memory. Nothing is written while it purges, for as long as a test says.
#[derive(Default)]
pub(crate) struct Disk {
    log: MemLog,
    purging: Mutex<Purging>,
    changed: Condvar,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Purging {
    #[default]
    AtOnce,
    /// The next one stands still.
    Held,
    /// One does.
    Stands,
}

impl Disk {
    /// From now on whoever purges stands still, until [`Self::release`].
    pub(crate) fn hold_purging(&self) {
        *self.purging.lock() = Purging::Held;
    }

    pub(crate) fn stands_still(&self) -> bool {
        *self.purging.lock() == Purging::Stands
    }

    pub(crate) fn release(&self) {
        *self.purging.lock() = Purging::AtOnce;
        self.changed.notify_all();
    }
}

impl LogDisk for Disk {
    fn state(&self) -> io::Result<DiskState> {
        self.log.state()
    }

    fn write(&self, group: &[LogOp], sync: bool) -> io::Result<()> {
        if group.iter().any(|op| matches!(op, LogOp::Purge(_))) {
            let mut purging = self.purging.lock();
            while *purging != Purging::AtOnce {
                *purging = Purging::Stands;
                self.changed.wait(&mut purging);
            }
        }
        self.log.write(group, sync)
    }

    fn read(&self, start: u64, end: u64, bytes_max: usize) -> io::Result<Vec<StoredEntry>> {
        self.log.read(start, end, bytes_max)
    }
}

/// Checkpoints in memory.
#[derive(Default)]
pub(crate) struct Checkpoints {
    inner: MemCheckpoints,
    /// How often one was frozen, or was to be.
    pub(crate) freezes: AtomicU64,
    /// Whether that fails.
    pub(crate) is_full: AtomicBool,
}

impl CheckpointStore for Checkpoints {
    fn write(
        &self,
        meta: &CheckpointMeta,
        source: &mut dyn CheckpointSource,
    ) -> Result<(), CheckpointError> {
        self.inner.write(meta, source)
    }

    fn read(
        &self,
        load: &mut CheckpointLoad<'_>,
    ) -> Result<Option<CheckpointMeta>, CheckpointError> {
        self.inner.read(load)
    }

    fn freeze(&self) -> Result<Option<Box<dyn FrozenCheckpoint>>, CheckpointError> {
        self.freezes.fetch_add(1, Ordering::Relaxed);
        if self.is_full.load(Ordering::Relaxed) {
            return Err(io::Error::from(io::ErrorKind::StorageFull).into());
        }
        self.inner.freeze()
    }

    fn receive(
        &self,
        files: &[CheckpointFile],
    ) -> Result<Box<dyn IncomingCheckpoint>, CheckpointError> {
        self.inner.receive(files)
    }

    fn verify(&self, expected: &CheckpointMeta) -> Result<(), CheckpointError> {
        self.inner.verify(expected)
    }

    fn install(&self, expected: &CheckpointMeta) -> Result<(), CheckpointError> {
        self.inner.install(expected)
    }
}
