//! The checkpoint in RocksDB: the state's keys and values as of one log entry.
//!
//! What a checkpoint adds is written into files beside the database and taken in by one
//! step (see [`crate::parts`]): it is there as a whole or not at all, and durable before
//! the log up to there may be purged. The database's own memory is never used.
//!
//! A checkpoint from another server replaces all of it, by renaming (see
//! [`crate::checkpoint_files`]).

use std::path::Path;

use fault_points::{Point, reach};
use parking_lot::{Mutex, RwLock, RwLockReadGuard};
use raft_log::{
    CheckpointError, CheckpointFile, CheckpointLoad, CheckpointMeta, CheckpointSource,
    CheckpointStore, FrozenCheckpoint, IncomingCheckpoint, LogPosition,
};
use rocksdb::{DB, IteratorMode, Options, ReadOptions, checkpoint::Checkpoint};

use crate::{
    checkpoint_files::{Folders, Frozen, Incoming},
    data_dir::{DataDir, DirLock},
    error::{StoreError, is_damage},
    options,
    parts::{self, Parts},
    value,
};

/// What the checkpoint stands for. Sorts before the state's keys.
const META: &[u8] = b"!meta";
/// Stands before every key of the state.
const STATE: u8 = b's';

/// A durable checkpoint.
#[derive(Debug)]
pub struct RocksCheckpoints {
    /// None only when a checkpoint was installed and could not be opened.
    db: RwLock<Option<DB>>,
    /// Held while a checkpoint is written or installed.
    changing: Mutex<()>,
    folders: Folders,
    /// Released after the database is closed.
    _lock: DirLock,
}

impl RocksCheckpoints {
    /// Opens the checkpoint of a data directory, and finishes or removes what a crash left
    /// half done.
    ///
    /// # Errors
    /// [`StoreError::RocksDb`] when it cannot be opened.
    pub fn open(dir: &DataDir) -> Result<Self, StoreError> {
        let folders = Folders::of(dir);
        folders.recover().map_err(StoreError::io(&folders.live))?;
        match DB::open(&options::checkpoint(), &folders.live) {
            Ok(db) => Ok(Self {
                db: RwLock::new(Some(db)),
                changing: Mutex::new(()),
                folders,
                _lock: dir.lock(),
            }),
            Err(error) => Err(StoreError::rocks(folders.live, &error)),
        }
    }

    fn db(&self) -> Result<RwLockReadGuard<'_, Option<DB>>, CheckpointError> {
        let db = self.db.read();
        if db.is_none() {
            let message = format!("{} could not be opened", self.folders.live.display());
            return Err(CheckpointError::Io(std::io::Error::other(message)));
        }
        Ok(db)
    }
}

impl CheckpointStore for RocksCheckpoints {
    fn write(
        &self,
        meta: &CheckpointMeta,
        source: &mut dyn CheckpointSource,
    ) -> Result<(), CheckpointError> {
        let _changing = self.changing.lock();
        let options = options::checkpoint();
        let mut parts = Parts::begin(&self.folders.parts, &options)?;
        let mut failed = None;
        let mut sink = |key: &[u8], value: Option<&[u8]>| {
            let key = state_key(key);
            let sealed = value.map(|value| value::seal(&key, value));
            if failed.is_none() {
                failed = parts.add(&key, sealed.as_deref()).err();
            }
        };
        while source.next_chunk(&mut sink) {}
        let added = failed.map_or(Ok(()), Err);
        added.and_then(|()| parts.add(META, Some(&value::seal(META, &encode_meta(meta)))))?;
        let db = self.db()?;
        parts.finish(db.as_ref().expect("it was just seen"))
    }

    fn read(
        &self,
        load: &mut CheckpointLoad<'_>,
    ) -> Result<Option<CheckpointMeta>, CheckpointError> {
        let db = self.db()?;
        read_all(db.as_ref().expect("it was just seen"), &self.folders.live, load)
    }

    fn freeze(&self) -> Result<Option<Box<dyn FrozenCheckpoint>>, CheckpointError> {
        let db = self.db()?;
        let db = db.as_ref().expect("it was just seen");
        let folder = self.folders.next_sending()?;
        let path = &self.folders.live;
        reach(Point::FreezeLink)?;
        Checkpoint::new(db)
            .and_then(|checkpoint| checkpoint.create_checkpoint(&folder))
            .map_err(|error| failure(path, &error))?;
        // Read from the frozen files: the live ones may have moved on meanwhile.
        let meta = open_read_only(&folder).and_then(|db| read_meta(&db, &folder));
        match meta {
            Ok(Some(meta)) => Ok(Some(Box::new(Frozen::new(folder, meta)?))),
            Ok(None) => Ok(parts::remove_leftovers(&folder).map(|()| None)?),
            Err(error) => {
                drop(parts::remove_leftovers(&folder));
                Err(error)
            }
        }
    }

    fn receive(
        &self,
        files: &[CheckpointFile],
    ) -> Result<Box<dyn IncomingCheckpoint>, CheckpointError> {
        let (receiving, received) = (self.folders.receiving.clone(), self.folders.received.clone());
        Ok(Box::new(Incoming::begin(receiving, received, files)?))
    }

    fn verify(&self, expected: &CheckpointMeta) -> Result<(), CheckpointError> {
        let received = &self.folders.received;
        let found =
            open_read_only(received).and_then(|db| read_all(&db, received, &mut |_, _| Ok(())))?;
        compare(received, found.as_ref(), expected)
    }

    fn install(&self, expected: &CheckpointMeta) -> Result<(), CheckpointError> {
        let _changing = self.changing.lock();
        let received = &self.folders.received;
        let found = open_read_only(received).and_then(|db| read_meta(&db, received))?;
        compare(received, found.as_ref(), expected)?;
        let mut db = self.db.write();
        // Closed before its files are moved; opened again whatever happens to them.
        *db = None;
        let moved = self.folders.replace_live();
        let live = &self.folders.live;
        reach(Point::InstallOpen)?;
        // Never made anew: an empty one where the received one was to be would count as a
        // checkpoint of nothing at the next start, and the received one as left over.
        let mut options = options::checkpoint();
        options.create_if_missing(false);
        *db = Some(DB::open(&options, live).map_err(|error| failure(live, &error))?);
        Ok(moved?)
    }
}

fn compare(
    path: &Path,
    found: Option<&CheckpointMeta>,
    expected: &CheckpointMeta,
) -> Result<(), CheckpointError> {
    if found == Some(expected) {
        return Ok(());
    }
    Err(CheckpointError::Damaged(format!(
        "{}: what was received stands for {found:?}, not for {expected:?}",
        path.display()
    )))
}

fn open_read_only(path: &Path) -> Result<DB, CheckpointError> {
    let mut options: Options = options::checkpoint();
    options.create_if_missing(false);
    DB::open_for_read_only(&options, path, false).map_err(|error| failure(path, &error))
}

fn read_meta(db: &DB, path: &Path) -> Result<Option<CheckpointMeta>, CheckpointError> {
    let Some(sealed) = db.get(META).map_err(|error| failure(path, &error))? else {
        return Ok(None);
    };
    let meta = value::open(META, &sealed).and_then(decode_meta);
    meta.map(Some).ok_or_else(|| damaged(path, META))
}

fn read_all(
    db: &DB,
    path: &Path,
    load: &mut CheckpointLoad<'_>,
) -> Result<Option<CheckpointMeta>, CheckpointError> {
    let mut meta = None;
    let mut options = ReadOptions::default();
    options.fill_cache(false);
    options.set_readahead_size(1 << 20);
    for item in db.iterator_opt(IteratorMode::Start, options) {
        let (key, sealed) = item.map_err(|error| failure(path, &error))?;
        let value = value::open(&key, &sealed).ok_or_else(|| damaged(path, &key))?;
        match key.split_first() {
            Some((&STATE, state_key)) => load(state_key, value)?,
            _ if *key == *META => {
                meta = Some(decode_meta(value).ok_or_else(|| damaged(path, &key))?);
            }
            _ => return Err(damaged(path, &key)),
        }
    }
    Ok(meta)
}

pub(crate) fn failure(path: &Path, error: &rocksdb::Error) -> CheckpointError {
    let message = format!("{}: {error}", path.display());
    if is_damage(error) {
        return CheckpointError::Damaged(message);
    }
    CheckpointError::Io(std::io::Error::other(message))
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
