//! The log's disk and the checkpoints, with a stopwatch: what they take shows in the metrics.
//!
//! `raft-log` and `store` know no metrics. What is given to them, and what they give, passes
//! through here unchanged.

use std::{
    fmt, io,
    sync::Arc,
    time::{Duration, Instant},
};

use raft_log::{
    CheckpointError, CheckpointFile, CheckpointLoad, CheckpointMeta, CheckpointSource,
    CheckpointStore, DiskState, EntryKind, FrozenCheckpoint, IncomingCheckpoint, LogDisk, LogOp,
    StoredEntry, codec,
};

use tree::Millis;

use crate::{
    admin::{
        Metrics,
        metrics::{Counter, Duty, Proposal, Summary},
    },
    clock::Clock,
};

/// A disk whose syncs are timed.
pub(crate) struct MeasuredDisk<D> {
    disk: D,
    metrics: Arc<Metrics>,
    clock: Clock,
    /// `fsync.warningthresholdms`: a sync that takes longer is worth a warning.
    slow: Duration,
}

impl<D> fmt::Debug for MeasuredDisk<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MeasuredDisk").field("slow", &self.slow).finish_non_exhaustive()
    }
}

impl<D: LogDisk> MeasuredDisk<D> {
    pub(crate) fn new(disk: D, metrics: Arc<Metrics>, clock: Clock, slow: Duration) -> Self {
        Self { disk, metrics, clock, slow }
    }

    fn note_proposals(&self, group: &[LogOp], note: fn(&Metrics, &Proposal, Millis)) {
        if self.metrics.duty() == Duty::Alone {
            return;
        }
        let now = self.clock.wall();
        for entry in group.iter().flat_map(with_commands) {
            if let Some(proposal) = proposal(entry.position.index, &entry.payload) {
                note(&self.metrics, &proposal, now);
            }
        }
    }

    fn note_sync(&self, group: &[LogOp], took: Duration) {
        self.metrics.observe(Summary::Sync, milliseconds(took));
        let entries = group.iter().flat_map(with_commands);
        let commands = entries.map(|entry| codec::count_commands(&entry.payload)).sum();
        if commands > 0 {
            self.metrics.observe(Summary::SyncBatch, commands);
        }
        if took > self.slow {
            self.metrics.count(Counter::SlowSyncs, 1);
            tracing::warn!(
                took_ms = milliseconds(took),
                commands,
                "syncing the log took long, and every write waits for it"
            );
        }
    }
}

/// The entries that carry commands; the payload of others is something else.
fn with_commands(op: &LogOp) -> impl Iterator<Item = &StoredEntry> {
    let entries: &[StoredEntry] = match op {
        LogOp::Append(entries) => entries,
        LogOp::Vote(_)
        | LogOp::TruncateAfter(_)
        | LogOp::Purge(_)
        | LogOp::Committed(_)
        | LogOp::Founding(_) => &[],
    };
    entries.iter().filter(|entry| entry.kind == EntryKind::Commands)
}

/// What is measured of an entry; none if it has no commands.
pub(crate) fn proposal(index: u64, payload: &[u8]) -> Option<Proposal> {
    let commands = codec::count_commands(payload);
    let (bytes, made) = (payload.len() as u64, codec::time_made(payload));
    (commands > 0).then_some(Proposal { index, commands, bytes, made })
}

impl<D: LogDisk> LogDisk for MeasuredDisk<D> {
    fn state(&self) -> io::Result<DiskState> {
        self.disk.state()
    }

    fn write(&self, group: &[LogOp], sync: bool) -> io::Result<()> {
        self.note_proposals(group, Metrics::proposed);
        let began = Instant::now();
        let written = self.disk.write(group, sync);
        if sync && written.is_ok() {
            self.note_sync(group, began.elapsed());
            self.note_proposals(group, Metrics::logged);
        }
        written
    }

    fn rest(&self) -> io::Result<()> {
        self.disk.rest()
    }

    fn read(&self, start: u64, end: u64, bytes_max: usize) -> io::Result<Vec<StoredEntry>> {
        self.disk.read(start, end, bytes_max)
    }
}

/// Checkpoints that are timed and counted.
pub(crate) struct MeasuredCheckpoints<S> {
    store: S,
    metrics: Arc<Metrics>,
}

impl<S> fmt::Debug for MeasuredCheckpoints<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MeasuredCheckpoints").finish_non_exhaustive()
    }
}

impl<S: CheckpointStore> MeasuredCheckpoints<S> {
    pub(crate) fn new(store: S, metrics: Arc<Metrics>) -> Self {
        Self { store, metrics }
    }
}

impl<S: CheckpointStore> CheckpointStore for MeasuredCheckpoints<S> {
    fn write(
        &self,
        meta: &CheckpointMeta,
        source: &mut dyn CheckpointSource,
    ) -> Result<(), CheckpointError> {
        let began = Instant::now();
        let written = self.store.write(meta, source);
        match &written {
            Ok(()) => self.metrics.observe(Summary::Checkpoint, milliseconds(began.elapsed())),
            Err(_) => self.metrics.count(Counter::CheckpointErrors, 1),
        }
        written
    }

    fn read(
        &self,
        load: &mut CheckpointLoad<'_>,
    ) -> Result<Option<CheckpointMeta>, CheckpointError> {
        let began = Instant::now();
        let found = self.store.read(load);
        self.metrics.observe(Summary::LoadCheckpoint, milliseconds(began.elapsed()));
        found
    }

    fn freeze(&self) -> Result<Option<Box<dyn FrozenCheckpoint>>, CheckpointError> {
        let frozen = self.store.freeze()?;
        // A leader's is for a server that is far behind.
        let is_sent = frozen.is_some() && self.metrics.duty() == Duty::Leads;
        self.metrics.count(Counter::CheckpointsSent, u64::from(is_sent));
        Ok(frozen)
    }

    fn receive(
        &self,
        files: &[CheckpointFile],
    ) -> Result<Box<dyn IncomingCheckpoint>, CheckpointError> {
        self.store.receive(files)
    }

    fn verify(&self, expected: &CheckpointMeta) -> Result<(), CheckpointError> {
        self.store.verify(expected)
    }

    fn install(&self, expected: &CheckpointMeta) -> Result<(), CheckpointError> {
        self.store.install(expected)
    }
}

/// Whole milliseconds, as ZooKeeper counts them.
pub(crate) fn milliseconds(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use raft_log::{LogPosition, mem};

    #[test]
    fn a_slow_sync_is_counted_and_a_write_without_sync_is_not() {
        let metrics = Arc::new(Metrics::new());
        let (log, clock) = (mem::MemLog::default(), Clock::start());
        let disk = MeasuredDisk::new(log, Arc::clone(&metrics), clock, Duration::ZERO);
        let position = LogPosition { term: 1, index: 0 };
        let entry = StoredEntry { position, kind: EntryKind::Blank, payload: Bytes::new() };
        disk.write(&[LogOp::Append(vec![entry])], true).unwrap();
        disk.write(&[LogOp::Committed(position)], false).unwrap();
        let figures = metrics.figures();
        assert_eq!(figures.summary(Summary::Sync).count, 1);
        assert_eq!(figures.counter(Counter::SlowSyncs), 1);
        assert_eq!(figures.summary(Summary::SyncBatch).count, 0, "a blank entry has no commands");
    }

    #[test]
    fn the_bytes_of_a_membership_are_not_counted_as_commands() {
        let metrics = Arc::new(Metrics::new());
        let (log, clock) = (mem::MemLog::default(), Clock::start());
        let disk = MeasuredDisk::new(log, Arc::clone(&metrics), clock, Duration::ZERO);
        let position = LogPosition { term: 1, index: 0 };
        let payload = Bytes::from_static(&[b'1'; 200]);
        let entry = StoredEntry { position, kind: EntryKind::Membership, payload };
        disk.write(&[LogOp::Append(vec![entry])], true).unwrap();
        assert_eq!(metrics.figures().summary(Summary::SyncBatch).count, 0);
    }
}
