//! A log, a checkpoint and a state in memory, for tests: what is written is "durable" as long as
//! the value lives.

use std::{collections::BTreeMap, io};

use bytes::Bytes;
use parking_lot::Mutex;

use crate::disk::{DiskState, LogDisk, LogOp, LogPosition, StoredEntry, StoredVote};

pub use checkpoints::MemCheckpoints;
pub use state::{begin_checkpoint, restore};

mod checkpoints;
mod state;

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
    founding: Option<Bytes>,
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
            founding: inner.founding.clone(),
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
                LogOp::Founding(founding) => inner.founding = Some(founding.clone()),
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
            if bytes > bytes_max && !found.is_empty() {
                break;
            }
            found.push(entry.clone());
        }
        Ok(found)
    }
}
