//! Checkpoints as files: sent to another server, received from one, put in place.
//!
//! A checkpoint that is sent is a folder of links to files that never change, so it costs
//! nothing and later checkpoints do not disturb it. One that is received is gathered in
//! `receiving`, where it survives broken connections and restarts; renamed to `received`
//! when it is whole and synced; and renamed to the live folder when it is installed.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use fault_points::{Point, reach};
use raft_log::{
    CheckpointError, CheckpointFile, CheckpointMeta, FrozenCheckpoint, IncomingCheckpoint,
};

use crate::{
    data_dir::{DataDir, sync_folder_of},
    parts::remove_leftovers,
};

/// What arrives is synced each time it has grown by this much.
const SYNC_EVERY_BYTES: u64 = 4 << 20;
/// Most files of a checkpoint that is received: of 64 MiB each, 4 TiB.
const FILES_MAX: usize = 65_536;

/// Where checkpoints lie.
#[derive(Debug)]
pub(crate) struct Folders {
    pub(crate) live: PathBuf,
    pub(crate) parts: PathBuf,
    pub(crate) receiving: PathBuf,
    pub(crate) received: PathBuf,
    replaced: PathBuf,
    sending: PathBuf,
    sent: AtomicU64,
}

impl Folders {
    pub(crate) fn of(dir: &DataDir) -> Self {
        Self {
            live: dir.checkpoint_path(),
            parts: dir.beside_checkpoint("parts"),
            receiving: dir.beside_checkpoint("receiving"),
            received: dir.beside_checkpoint("received"),
            replaced: dir.beside_checkpoint("replaced"),
            sending: dir.beside_checkpoint("sending"),
            sent: AtomicU64::new(0),
        }
    }

    /// Finishes or removes what a crash left half done.
    pub(crate) fn recover(&self) -> io::Result<()> {
        remove_leftovers(&self.parts)?;
        remove_leftovers(&self.sending)?;
        if self.received.exists() && !self.live.exists() {
            // It had been found good, and the one before was already moved away.
            reach(Point::InstallRecover)?;
            fs::rename(&self.received, &self.live)?;
            sync_folder_of(&self.live)?;
        }
        remove_leftovers(&self.received)?;
        remove_leftovers(&self.replaced)
    }

    /// Puts `received` in place of the live one.
    pub(crate) fn replace_live(&self) -> io::Result<()> {
        remove_leftovers(&self.replaced)?;
        reach(Point::InstallRenameLive)?;
        fs::rename(&self.live, &self.replaced)?;
        // Between the two there is only `received`, which counts then: see `recover`.
        reach(Point::InstallRenameReceived)?;
        fs::rename(&self.received, &self.live)?;
        reach(Point::InstallSyncFolder)?;
        sync_folder_of(&self.live)?;
        reach(Point::InstallRemoveReplaced)?;
        remove_leftovers(&self.replaced)
    }

    /// A new folder's name for files that are to be sent.
    pub(crate) fn next_sending(&self) -> io::Result<PathBuf> {
        fs::create_dir_all(&self.sending)?;
        let number = self.sent.fetch_add(1, Ordering::Relaxed);
        Ok(self.sending.join(number.to_string()))
    }
}

/// A folder of files that do not change.
#[derive(Debug)]
pub(crate) struct Frozen {
    folder: PathBuf,
    meta: CheckpointMeta,
    files: Vec<CheckpointFile>,
}

impl Frozen {
    pub(crate) fn new(folder: PathBuf, meta: CheckpointMeta) -> io::Result<Self> {
        let mut frozen = Self { folder, meta, files: Vec::new() };
        for entry in fs::read_dir(&frozen.folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let file = CheckpointFile { name, bytes: entry.metadata()?.len() };
            // Looking at it read-only left a log of what was done, of no use to others.
            if file.has_valid_name() && !file.name.starts_with("LOG") && file.name != "LOCK" {
                frozen.files.push(file);
            }
        }
        frozen.files.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(frozen)
    }
}

impl FrozenCheckpoint for Frozen {
    fn meta(&self) -> &CheckpointMeta {
        &self.meta
    }

    fn files(&self) -> &[CheckpointFile] {
        &self.files
    }

    fn read(&self, file: usize, offset: u64, room: &mut [u8]) -> io::Result<usize> {
        let name = &self.files.get(file).ok_or_else(no_such_file)?.name;
        File::open(self.folder.join(name))?.read_at(room, offset)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        let removed = reach(Point::FreezeRemove).and_then(|()| remove_leftovers(&self.folder));
        if let Err(error) = removed {
            tracing::warn!(folder = %self.folder.display(), %error, "links stay behind");
        }
    }
}

/// A folder that is being filled.
#[derive(Debug)]
pub(crate) struct Incoming {
    folder: PathBuf,
    complete: PathBuf,
    files: Vec<CheckpointFile>,
}

impl Incoming {
    /// Keeps what is there of the files of these names and removes all others.
    pub(crate) fn begin(
        folder: PathBuf,
        complete: PathBuf,
        files: &[CheckpointFile],
    ) -> Result<Self, CheckpointError> {
        let valid = files.len() <= FILES_MAX && files.iter().all(CheckpointFile::has_valid_name);
        if !valid {
            return Err(CheckpointError::Damaged("its files have impossible names".to_owned()));
        }
        reach(Point::ReceiveBegin)?;
        fs::create_dir_all(&folder)?;
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if !files.iter().any(|file| name.to_str() == Some(&file.name)) {
                fs::remove_file(entry.path())?;
            }
        }
        // All of them: nothing is ever sent of a file that is empty.
        for file in files {
            File::options().append(true).create(true).open(folder.join(&file.name))?;
        }
        Ok(Self { folder, complete, files: files.to_vec() })
    }

    fn path(&self, file: usize) -> io::Result<PathBuf> {
        Ok(self.folder.join(&self.files.get(file).ok_or_else(no_such_file)?.name))
    }

    fn check_and_sync(&self, file: &CheckpointFile) -> Result<(), CheckpointError> {
        let path = self.folder.join(&file.name);
        let opened = File::open(&path)?;
        let there = opened.metadata()?.len();
        if there != file.bytes {
            return Err(CheckpointError::Damaged(format!(
                "{}: {there} bytes were received, not {}",
                path.display(),
                file.bytes
            )));
        }
        reach(Point::ReceiveSyncFile)?;
        Ok(opened.sync_all()?)
    }
}

impl IncomingCheckpoint for Incoming {
    fn present(&mut self, file: usize) -> io::Result<u64> {
        Ok(fs::metadata(self.path(file)?)?.len())
    }

    fn read(&mut self, file: usize, offset: u64, room: &mut [u8]) -> io::Result<usize> {
        File::open(self.path(file)?)?.read_at(room, offset)
    }

    fn write(&mut self, file: usize, offset: u64, bytes: &[u8]) -> io::Result<()> {
        reach(Point::ReceiveWrite)?;
        let opened = File::options().write(true).open(self.path(file)?)?;
        if opened.metadata()?.len() > offset {
            opened.set_len(offset)?;
        }
        opened.write_all_at(bytes, offset)?;
        let end = offset + bytes.len() as u64;
        // Every so often, so that what is written never waits in memory for one long sync,
        // behind which the syncs of others on this disk would wait.
        if offset / SYNC_EVERY_BYTES == end / SYNC_EVERY_BYTES {
            return Ok(());
        }
        reach(Point::ReceiveSync)?;
        opened.sync_data()
    }

    fn complete(self: Box<Self>) -> Result<(), CheckpointError> {
        for file in &self.files {
            self.check_and_sync(file)?;
        }
        reach(Point::ReceiveSyncFolder)?;
        File::open(&self.folder)?.sync_all()?;
        remove_leftovers(&self.complete)?;
        reach(Point::ReceiveRename)?;
        fs::rename(&self.folder, &self.complete)?;
        reach(Point::ReceiveSyncName)?;
        Ok(sync_folder_of(Path::new(&self.complete))?)
    }
}

fn no_such_file() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "no file of that number")
}
