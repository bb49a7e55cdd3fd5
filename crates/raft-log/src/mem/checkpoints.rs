//! A checkpoint in memory. Sent to another server it is one file.

use std::{collections::BTreeMap, io, sync::Arc};

use bytes::Bytes;
use parking_lot::Mutex;

use crate::{
    checkpoints::{
        CheckpointError, CheckpointFile, CheckpointLoad, CheckpointMeta, CheckpointSource,
        CheckpointStore, FrozenCheckpoint, IncomingCheckpoint,
    },
    disk::LogPosition,
};

type Values = BTreeMap<Vec<u8>, Vec<u8>>;

/// A checkpoint in memory.
#[derive(Debug, Default)]
pub struct MemCheckpoints {
    inner: Mutex<Checkpoint>,
    receiving: Arc<Mutex<Vec<u8>>>,
}

#[derive(Debug, Default)]
struct Checkpoint {
    meta: Option<CheckpointMeta>,
    values: Values,
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
        inner.meta = Some(meta.clone());
        for (key, value) in changes {
            match value {
                Some(value) => drop(inner.values.insert(key, value)),
                None => drop(inner.values.remove(&key)),
            }
        }
        Ok(())
    }

    fn read(
        &self,
        load: &mut CheckpointLoad<'_>,
    ) -> Result<Option<CheckpointMeta>, CheckpointError> {
        let inner = self.inner.lock();
        for (key, value) in &inner.values {
            load(key, value)?;
        }
        Ok(inner.meta.clone())
    }

    fn freeze(&self) -> Result<Option<Box<dyn FrozenCheckpoint>>, CheckpointError> {
        let inner = self.inner.lock();
        let Some(meta) = inner.meta.clone() else { return Ok(None) };
        let contents = to_file(&meta, &inner.values);
        let files = [CheckpointFile { name: "values".to_owned(), bytes: contents.len() as u64 }];
        Ok(Some(Box::new(Frozen { meta, files, contents })))
    }

    fn receive(
        &self,
        files: &[CheckpointFile],
    ) -> Result<Box<dyn IncomingCheckpoint>, CheckpointError> {
        let [file] = files else {
            return Err(CheckpointError::Damaged("it should be one file".to_owned()));
        };
        Ok(Box::new(Incoming { bytes: file.bytes, contents: Arc::clone(&self.receiving) }))
    }

    fn verify(&self, expected: &CheckpointMeta) -> Result<(), CheckpointError> {
        let found = from_file(&self.receiving.lock()).is_some_and(|(meta, _)| meta == *expected);
        found.then_some(()).ok_or_else(unexpected)
    }

    fn install(&self, expected: &CheckpointMeta) -> Result<(), CheckpointError> {
        let contents = std::mem::take(&mut *self.receiving.lock());
        let found = from_file(&contents).filter(|(meta, _)| meta == expected);
        let (meta, values) = found.ok_or_else(unexpected)?;
        *self.inner.lock() = Checkpoint { meta: Some(meta), values };
        Ok(())
    }
}

fn unexpected() -> CheckpointError {
    CheckpointError::Damaged("what was received is not what was expected".to_owned())
}

fn to_file(meta: &CheckpointMeta, values: &Values) -> Vec<u8> {
    let mut out = Vec::new();
    let applied = meta.applied.unwrap_or_default();
    for number in [u64::from(meta.applied.is_some()), applied.term, applied.index] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    put(&mut out, &meta.membership);
    for (key, value) in values {
        put(&mut out, key);
        put(&mut out, value);
    }
    out
}

fn from_file(file: &[u8]) -> Option<(CheckpointMeta, Values)> {
    let mut rest = file;
    let (known, term, index) = (take_u64(&mut rest)?, take_u64(&mut rest)?, take_u64(&mut rest)?);
    let membership = Bytes::copy_from_slice(take(&mut rest)?);
    let applied = (known != 0).then_some(LogPosition { term, index });
    let mut values = BTreeMap::new();
    while !rest.is_empty() {
        let key = take(&mut rest)?.to_vec();
        values.insert(key, take(&mut rest)?.to_vec());
    }
    Some((CheckpointMeta { applied, membership }, values))
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
    out.extend_from_slice(bytes);
}

fn take<'b>(rest: &mut &'b [u8]) -> Option<&'b [u8]> {
    let length = usize::try_from(take_u64(rest)?).ok()?;
    let (bytes, behind) = rest.split_at_checked(length)?;
    *rest = behind;
    Some(bytes)
}

fn take_u64(rest: &mut &[u8]) -> Option<u64> {
    let (number, behind) = rest.split_first_chunk::<8>()?;
    *rest = behind;
    Some(u64::from_be_bytes(*number))
}

struct Frozen {
    meta: CheckpointMeta,
    files: [CheckpointFile; 1],
    contents: Vec<u8>,
}

impl FrozenCheckpoint for Frozen {
    fn meta(&self) -> &CheckpointMeta {
        &self.meta
    }

    fn files(&self) -> &[CheckpointFile] {
        &self.files
    }

    fn read(&self, _: usize, offset: u64, room: &mut [u8]) -> io::Result<usize> {
        Ok(copy_from(&self.contents, offset, room))
    }
}

struct Incoming {
    bytes: u64,
    contents: Arc<Mutex<Vec<u8>>>,
}

impl IncomingCheckpoint for Incoming {
    fn present(&mut self, _: usize) -> io::Result<u64> {
        Ok((self.contents.lock().len() as u64).min(self.bytes))
    }

    fn read(&mut self, _: usize, offset: u64, room: &mut [u8]) -> io::Result<usize> {
        Ok(copy_from(&self.contents.lock(), offset, room))
    }

    fn write(&mut self, _: usize, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        let mut contents = self.contents.lock();
        contents.resize(offset, 0);
        contents.extend_from_slice(bytes);
        Ok(())
    }

    fn complete(self: Box<Self>) -> Result<(), CheckpointError> {
        if self.contents.lock().len() as u64 == self.bytes {
            return Ok(());
        }
        Err(CheckpointError::Damaged("it is not as long as it should be".to_owned()))
    }
}

fn copy_from(contents: &[u8], offset: u64, room: &mut [u8]) -> usize {
    let behind = usize::try_from(offset).ok().and_then(|offset| contents.get(offset..));
    let behind = behind.unwrap_or_default();
    let bytes = behind.len().min(room.len());
    room[..bytes].copy_from_slice(&behind[..bytes]);
    bytes
}
