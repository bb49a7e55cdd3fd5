//! A disk that keeps what was synced. In a crash it loses what was not: all of it, or all behind
//! some write.
//!
//! A server that has crashed or ended may still hold its end of the disk for a moment: nothing
//! that it writes then arrives.

use std::{collections::BTreeMap, io, ops::Range, sync::Arc, time::Duration};

use bytes::Bytes;
use parking_lot::Mutex;
use raft_log::{
    CheckpointError, CheckpointFile, CheckpointLoad, CheckpointMeta, CheckpointSource,
    CheckpointStore, DiskState, FrozenCheckpoint, IncomingCheckpoint, LogDisk, LogOp, LogPosition,
    StoredEntry, StoredVote, mem::MemCheckpoints,
};

use crate::chance::Chance;

/// How long a write to a healthy disk takes, in microseconds, twice for each.
const HEALTHY_MICROS: Range<u64> = 50..1500;
/// And one to a disk that is in trouble.
const SLOW_MICROS: Range<u64> = 20_000..400_000;

#[derive(Clone, Debug, Default)]
struct Contents {
    entries: BTreeMap<u64, StoredEntry>,
    purged: Option<LogPosition>,
    vote: Option<StoredVote>,
    committed: Option<LogPosition>,
    founding: Option<Bytes>,
}

impl Contents {
    fn apply(&mut self, op: &LogOp) {
        match op {
            LogOp::Append(entries) => {
                let entries = entries.iter().map(|entry| (entry.position.index, entry.clone()));
                self.entries.extend(entries);
            }
            LogOp::Vote(vote) => self.vote = Some(*vote),
            LogOp::TruncateAfter(last) => {
                self.entries.split_off(&last.map_or(0, |last| last + 1));
            }
            LogOp::Purge(upto) => {
                self.entries = self.entries.split_off(&(upto.index + 1));
                self.purged = Some(*upto);
            }
            LogOp::Committed(committed) => self.committed = Some(*committed),
            LogOp::Founding(founding) => self.founding = Some(founding.clone()),
        }
    }
}

#[derive(Debug)]
struct Inner {
    durable: Contents,
    /// What the server sees: with `unsynced`.
    live: Contents,
    unsynced: Vec<LogOp>,
    /// Counts the processes that ended, in whatever way.
    life: u64,
    is_slow: bool,
    /// The next write fails.
    fails: bool,
}

/// What outlives a server's process.
#[derive(Clone, Debug)]
pub struct Disk {
    inner: Arc<Mutex<Inner>>,
    checkpoints: Arc<MemCheckpoints>,
    chance: Chance,
}

impl Disk {
    /// An empty one.
    pub fn new(chance: Chance) -> Self {
        let inner = Inner {
            durable: Contents::default(),
            live: Contents::default(),
            unsynced: Vec::new(),
            life: 0,
            is_slow: false,
            fails: false,
        };
        Self { inner: Arc::new(Mutex::new(inner)), checkpoints: Arc::default(), chance }
    }

    /// The end that a server holds while it runs.
    pub fn hold(&self) -> (Arc<dyn LogDisk>, Arc<dyn CheckpointStore>) {
        let held = Held { disk: self.clone(), life: self.inner.lock().life };
        (Arc::new(held.clone()), Arc::new(held))
    }

    /// How often its server's process has ended.
    pub fn life(&self) -> u64 {
        self.inner.lock().life
    }

    /// The power fails.
    pub fn crash(&self) {
        let mut inner = self.inner.lock();
        inner.life += 1;
        let unsynced = std::mem::take(&mut inner.unsynced);
        let kept = self.chance.index(unsynced.len() + 1);
        for op in &unsynced[..kept] {
            inner.durable.apply(op);
        }
        inner.live = inner.durable.clone();
        inner.fails = false;
    }

    /// The server's process has ended, and the power is on: nothing is lost, and what it was about
    /// to write never is written.
    pub fn end_process(&self) {
        self.inner.lock().life += 1;
    }

    /// The next write or sync fails, and what was not synced may be lost: its server must stop.
    pub fn fail(&self) {
        self.inner.lock().fails = true;
    }

    /// Whether writes take long from now on.
    pub fn set_slow(&self, is_slow: bool) {
        self.inner.lock().is_slow = is_slow;
    }

    /// It is fast and fails no more.
    pub fn mend(&self) {
        let mut inner = self.inner.lock();
        inner.is_slow = false;
        inner.fails = false;
    }
}

/// A server's end of its disk.
#[derive(Clone, Debug)]
struct Held {
    disk: Disk,
    life: u64,
}

impl Held {
    /// The process that holds it has not ended.
    fn alive(&self) -> io::Result<()> {
        let alive = self.disk.inner.lock().life == self.life;
        alive.then_some(()).ok_or_else(|| io::Error::other("the process has ended"))
    }

    /// What is written may arrive although it is said to have failed.
    fn fails(&self) -> io::Result<()> {
        let fails = self.disk.inner.lock().fails;
        if fails { Err(io::Error::other("the disk has failed")) } else { Ok(()) }
    }
}

/// A checkpoint that arrives for as long as the server's process lives.
struct HeldIncoming {
    held: Held,
    inner: Box<dyn IncomingCheckpoint>,
}

impl IncomingCheckpoint for HeldIncoming {
    fn present(&mut self, file: usize) -> io::Result<u64> {
        self.inner.present(file)
    }

    fn read(&mut self, file: usize, offset: u64, room: &mut [u8]) -> io::Result<usize> {
        self.inner.read(file, offset, room)
    }

    fn write(&mut self, file: usize, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.held.alive()?;
        self.inner.write(file, offset, bytes)
    }

    fn complete(self: Box<Self>) -> Result<(), CheckpointError> {
        self.held.alive()?;
        self.inner.complete()
    }
}

impl LogDisk for Held {
    fn state(&self) -> io::Result<DiskState> {
        let inner = self.disk.inner.lock();
        let live = &inner.live;
        let last = live.entries.values().next_back().map(|entry| entry.position);
        Ok(DiskState {
            purged: live.purged,
            last: last.or(live.purged),
            vote: live.vote,
            committed: live.committed,
            founding: live.founding.clone(),
        })
    }

    fn write(&self, group: &[LogOp], sync: bool) -> io::Result<()> {
        self.alive()?;
        let failed = self.fails();
        let mut inner = self.disk.inner.lock();
        let inner = &mut *inner;
        for op in group {
            inner.live.apply(op);
            inner.unsynced.push(op.clone());
        }
        failed?;
        if sync {
            for op in inner.unsynced.drain(..) {
                inner.durable.apply(&op);
            }
        }
        Ok(())
    }

    fn latency(&self) -> Duration {
        let is_slow = self.disk.inner.lock().is_slow;
        self.disk.chance.micros(if is_slow { SLOW_MICROS } else { HEALTHY_MICROS })
    }

    fn read(&self, start: u64, end: u64, bytes_max: usize) -> io::Result<Vec<StoredEntry>> {
        let inner = self.disk.inner.lock();
        let (mut found, mut bytes) = (Vec::new(), 0);
        for index in start..end {
            let entry = inner.live.entries.get(&index);
            let entry = entry.ok_or_else(|| io::Error::other(format!("entry {index} is missing")));
            let entry = entry?;
            bytes += entry.payload.len();
            if bytes > bytes_max && !found.is_empty() {
                break;
            }
            found.push(entry.clone());
        }
        Ok(found)
    }
}

impl CheckpointStore for Held {
    fn write(
        &self,
        meta: &CheckpointMeta,
        source: &mut dyn CheckpointSource,
    ) -> Result<(), CheckpointError> {
        self.alive()?;
        self.fails()?;
        self.disk.checkpoints.write(meta, source)
    }

    fn read(
        &self,
        load: &mut CheckpointLoad<'_>,
    ) -> Result<Option<CheckpointMeta>, CheckpointError> {
        self.disk.checkpoints.read(load)
    }

    fn freeze(&self) -> Result<Option<Box<dyn FrozenCheckpoint>>, CheckpointError> {
        self.alive()?;
        self.disk.checkpoints.freeze()
    }

    fn receive(
        &self,
        files: &[CheckpointFile],
    ) -> Result<Box<dyn IncomingCheckpoint>, CheckpointError> {
        self.alive()?;
        let inner = self.disk.checkpoints.receive(files)?;
        Ok(Box::new(HeldIncoming { held: self.clone(), inner }))
    }

    fn verify(&self, expected: &CheckpointMeta) -> Result<(), CheckpointError> {
        self.disk.checkpoints.verify(expected)
    }

    fn install(&self, expected: &CheckpointMeta) -> Result<(), CheckpointError> {
        self.alive()?;
        self.disk.checkpoints.install(expected)
    }
}

#[cfg(test)]
mod tests {
    use raft_log::CheckpointSink;

    use super::*;

    struct Nothing;

    impl CheckpointSource for Nothing {
        fn next_chunk(&mut self, _: &mut CheckpointSink<'_>) -> bool {
            false
        }

        fn finish(self: Box<Self>, _: bool) {}
    }

    /// One that had ended in order once wrote its checkpoint over that of the next one.
    #[test]
    fn a_process_that_has_ended_writes_nothing() {
        let disk = Disk::new(Chance::new(1));
        let (log, checkpoints) = disk.hold();
        let files = [CheckpointFile { name: "values".to_owned(), bytes: 1 }];
        let mut incoming = checkpoints.receive(&files).unwrap();
        let meta = CheckpointMeta { applied: None, membership: Bytes::new() };
        checkpoints.write(&meta, &mut Nothing).unwrap();
        log.write(&[], true).unwrap();
        incoming.write(0, 0, b"a").unwrap();
        disk.end_process();
        assert!(checkpoints.write(&meta, &mut Nothing).is_err());
        assert!(log.write(&[], true).is_err());
        assert!(incoming.write(0, 0, b"b").is_err());
        let (log, checkpoints) = disk.hold();
        checkpoints.write(&meta, &mut Nothing).unwrap();
        log.write(&[], true).unwrap();
    }
}
