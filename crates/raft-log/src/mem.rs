//! A log and a checkpoint in memory, for tests: what is written is "durable" as long as
//! the value lives.

use std::{collections::BTreeMap, io};

use parking_lot::Mutex;

use crate::{
    checkpoints::{CheckpointError, CheckpointMeta, CheckpointSource, CheckpointStore},
    disk::{DiskState, LogDisk, LogOp, LogPosition, StoredEntry, StoredVote},
};

/// A log in memory.
#[derive(Debug, Default)]
pub struct MemLog {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    entries: BTreeMap<u64, StoredEntry>,
    purged: Option<LogPosition>,
    vote: Option<StoredVote>,
    committed: Option<LogPosition>,
}

impl LogDisk for MemLog {
    fn state(&self) -> io::Result<DiskState> {
        let inner = self.inner.lock();
        let last = inner.entries.values().next_back().map(|entry| entry.position);
        Ok(DiskState {
            purged: inner.purged,
            last: last.or(inner.purged),
            vote: inner.vote,
            committed: inner.committed,
        })
    }

    fn write(&self, group: &[LogOp], _sync: bool) -> io::Result<()> {
        let mut inner = self.inner.lock();
        for op in group {
            match op {
                LogOp::Append(entries) => {
                    for entry in entries {
                        inner.entries.insert(entry.position.index, entry.clone());
                    }
                }
                LogOp::Vote(vote) => inner.vote = Some(*vote),
                LogOp::TruncateAfter(last) => {
                    let first = last.map_or(0, |last| last + 1);
                    inner.entries.split_off(&first);
                }
                LogOp::Purge(upto) => {
                    inner.entries = inner.entries.split_off(&(upto.index + 1));
                    inner.purged = Some(*upto);
                }
                LogOp::Committed(committed) => inner.committed = Some(*committed),
            }
        }
        Ok(())
    }

    fn read(&self, start: u64, end: u64, bytes_max: usize) -> io::Result<Vec<StoredEntry>> {
        let inner = self.inner.lock();
        let mut bytes = 0;
        let mut found = Vec::new();
        for index in start..end {
            let entry = inner.entries.get(&index);
            let entry =
                entry.ok_or_else(|| io::Error::other(format!("log entry {index} is missing")))?;
            bytes += entry.payload.len();
            found.push(entry.clone());
            if bytes >= bytes_max {
                break;
            }
        }
        Ok(found)
    }
}

/// A checkpoint in memory.
#[derive(Debug, Default)]
pub struct MemCheckpoints {
    inner: Mutex<(Option<CheckpointMeta>, BTreeMap<Vec<u8>, Vec<u8>>)>,
}

impl CheckpointStore for MemCheckpoints {
    fn write(
        &self,
        meta: &CheckpointMeta,
        source: &mut dyn CheckpointSource,
    ) -> Result<(), CheckpointError> {
        let mut changes = Vec::new();
        while source.next_chunk(&mut |key, value| {
            changes.push((key.to_vec(), value.map(<[u8]>::to_vec)));
        }) {}
        let mut inner = self.inner.lock();
        inner.0 = Some(meta.clone());
        for (key, value) in changes {
            match value {
                Some(value) => drop(inner.1.insert(key, value)),
                None => drop(inner.1.remove(&key)),
            }
        }
        Ok(())
    }

    fn read(
        &self,
        load: &mut dyn FnMut(&[u8], &[u8]) -> Result<(), CheckpointError>,
    ) -> Result<Option<CheckpointMeta>, CheckpointError> {
        let inner = self.inner.lock();
        for (key, value) in &inner.1 {
            load(key, value)?;
        }
        Ok(inner.0.clone())
    }
}
