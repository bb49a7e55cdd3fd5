//! The checkpoint in RocksDB: the state's keys and values as of one log entry.
//!
//! Each checkpoint is one batch, so it is there as a whole or not at all, and it is
//! flushed before the log up to there may be purged.

use std::path::{Path, PathBuf};

use raft_log::{
    CheckpointError, CheckpointLoad, CheckpointMeta, CheckpointSource, CheckpointStore, LogPosition,
};
use rocksdb::{DB, FlushOptions, IteratorMode, ReadOptions, WriteBatch, WriteOptions};

use crate::{
    data_dir::{DataDir, DirLock},
    error::StoreError,
    options, value,
};

/// What the checkpoint stands for. Sorts before the state's keys.
const META: &[u8] = b"!meta";
/// Stands before every key of the state.
const STATE: u8 = b's';

/// A durable checkpoint.
#[derive(Debug)]
pub struct RocksCheckpoints {
    db: DB,
    path: PathBuf,
    /// Released after the database is closed.
    _lock: DirLock,
}

impl RocksCheckpoints {
    /// Opens the checkpoint of a data directory.
    ///
    /// # Errors
    /// [`StoreError::RocksDb`] when it cannot be opened.
    pub fn open(dir: &DataDir) -> Result<Self, StoreError> {
        let path = dir.checkpoint_path();
        match DB::open(&options::checkpoint(), &path) {
            Ok(db) => Ok(Self { db, path, _lock: dir.lock() }),
            Err(error) => Err(StoreError::RocksDb { path, error: error.to_string() }),
        }
    }

    fn failed(&self, error: &rocksdb::Error) -> CheckpointError {
        let message = format!("{}: {error}", self.path.display());
        if error.kind() == rocksdb::ErrorKind::Corruption {
            return CheckpointError::Damaged(message);
        }
        CheckpointError::Io(std::io::Error::other(message))
    }
}

impl CheckpointStore for RocksCheckpoints {
    fn write(
        &self,
        meta: &CheckpointMeta,
        source: &mut dyn CheckpointSource,
    ) -> Result<(), CheckpointError> {
        let mut batch = WriteBatch::default();
        let mut sink = |key: &[u8], value: Option<&[u8]>| {
            let key = state_key(key);
            match value {
                Some(value) => batch.put(&key, value::seal(&key, value)),
                None => batch.delete(&key),
            }
        };
        while source.next_chunk(&mut sink) {}
        batch.put(META, value::seal(META, &encode_meta(meta)));
        let mut options = WriteOptions::default();
        options.disable_wal(true);
        self.db.write_opt(batch, &options).map_err(|error| self.failed(&error))?;
        let mut flush = FlushOptions::default();
        flush.set_wait(true);
        self.db.flush_opt(&flush).map_err(|error| self.failed(&error))
    }

    fn read(
        &self,
        load: &mut CheckpointLoad<'_>,
    ) -> Result<Option<CheckpointMeta>, CheckpointError> {
        let mut meta = None;
        let mut options = ReadOptions::default();
        options.fill_cache(false);
        options.set_readahead_size(4 << 20);
        for item in self.db.iterator_opt(IteratorMode::Start, options) {
            let (key, sealed) = item.map_err(|error| self.failed(&error))?;
            let value = value::open(&key, &sealed).ok_or_else(|| damaged(&self.path, &key))?;
            match key.split_first() {
                Some((&STATE, state_key)) => load(state_key, value)?,
                _ if *key == *META => {
                    meta = Some(decode_meta(value).ok_or_else(|| damaged(&self.path, &key))?);
                }
                _ => return Err(damaged(&self.path, &key)),
            }
        }
        Ok(meta)
    }
}

fn damaged(path: &Path, key: &[u8]) -> CheckpointError {
    let key: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    CheckpointError::Damaged(format!(
        "{}: the value of key {key} is not what was written",
        path.display()
    ))
}

fn state_key(key: &[u8]) -> Vec<u8> {
    let mut whole = Vec::with_capacity(1 + key.len());
    whole.push(STATE);
    whole.extend_from_slice(key);
    whole
}

fn encode_meta(meta: &CheckpointMeta) -> Vec<u8> {
    let applied = meta.applied.unwrap_or_default();
    let mut bytes = vec![u8::from(meta.applied.is_some())];
    bytes.extend_from_slice(&applied.term.to_be_bytes());
    bytes.extend_from_slice(&applied.index.to_be_bytes());
    bytes.extend_from_slice(&meta.membership);
    bytes
}

fn decode_meta(bytes: &[u8]) -> Option<CheckpointMeta> {
    let (known, rest) = bytes.split_first()?;
    let (term, rest) = rest.split_first_chunk::<8>()?;
    let (index, membership) = rest.split_first_chunk::<8>()?;
    let applied =
        LogPosition { term: u64::from_be_bytes(*term), index: u64::from_be_bytes(*index) };
    Some(CheckpointMeta {
        applied: (*known != 0).then_some(applied),
        membership: membership.to_vec().into(),
    })
}
