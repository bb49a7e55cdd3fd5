//! The folder that belongs to one server: who may use it, of which version it is, and
//! which server it belongs to.
//!
//! ```text
//! <dataDir>/rookery/LOCK         held while a server runs
//! <dataDir>/rookery/FORMAT       version of everything below
//! <dataDir>/rookery/IDENTITY     cluster, node, number of starts, whether it may found
//! <dataDir>/rookery/checkpoint/  the state as of some log entry
//! <dataDir>/rookery/parts/       what the next checkpoint adds, while it is written
//! <dataDir>/rookery/sending/     links to files that are being sent to other servers
//! <dataDir>/rookery/receiving/   what is there of a checkpoint from another server
//! <dataDir>/rookery/received/    the whole of it, until it replaces `checkpoint`
//! <dataLogDir>/rookery/log/      what came after it
//! <dataLogDir>/rookery/mark      what the log holds at least
//! <dataDir>/rookery.damaged/     what was set aside, see [`crate::set_aside`]; also `…-2` to `…-9`
//! <dataDir>/rookery.new/         what takes its place, for a moment
//! ```

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use fault_points::{Point, reach};

use crate::{error::StoreError, set_aside::finish_setting_aside};

/// The version of the layout and of everything in it.
const FORMAT: u32 = 1;
/// The folder within the data directory: ZooKeeper's own files may lie beside it.
pub(crate) const FOLDER: &str = "rookery";
/// Where ZooKeeper keeps its snapshots and logs.
const ZOOKEEPERS_FOLDER: &str = "version-2";

/// A data directory that this process holds.
#[derive(Debug)]
pub struct DataDir {
    data: PathBuf,
    log: PathBuf,
    identity: Identity,
    lock: DirLock,
}

/// Holds the directory until this, its clones and the process have ended, however it ends.
#[derive(Clone, Debug)]
pub(crate) struct DirLock(#[expect(dead_code, reason = "held, not read")] Arc<File>);

/// Whose data this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Drawn when the directory was first used.
    pub cluster: u64,
    /// Drawn when the directory was first used; never that of another directory.
    pub node: u64,
    /// How often it was opened, this time included.
    pub incarnation: u64,
    /// Whether this server may found a cluster with others that are empty as well. Not if it
    /// is empty only because its data was damaged: then there is a cluster, and it joins that.
    pub may_found: bool,
}

impl DataDir {
    /// Opens or makes the directory and counts the start. `draw` gives random numbers.
    ///
    /// # Errors
    /// [`StoreError`]: in use, of a newer version, damaged, or not to be read or written; or
    /// new here, where ZooKeeper's data is.
    pub fn open(
        data_dir: &Path,
        log_dir: &Path,
        mut draw: impl FnMut() -> u64,
    ) -> Result<Self, StoreError> {
        finish_setting_aside(data_dir)?;
        let (data, log) = (data_dir.join(FOLDER), log_dir.join(FOLDER));
        for folder in [&data, &log] {
            reach(Point::DirCreate)
                .and_then(|()| fs::create_dir_all(folder))
                .map_err(StoreError::io(folder))?;
        }
        let lock = lock(&data.join("LOCK"), data_dir)?;
        check_format(&data.join("FORMAT"))?;
        let path = data.join("IDENTITY");
        let identity = match read_optional(&path)? {
            Some(text) => {
                let known = Identity::parse(&text).ok_or_else(|| StoreError::Damaged {
                    path: path.clone(),
                    what: "it should name cluster, node and incarnation".to_owned(),
                })?;
                Identity { incarnation: known.incarnation + 1, ..known }
            }
            None => {
                refuse_zookeepers(data_dir)?;
                refuse_zookeepers(log_dir)?;
                Identity { incarnation: 1, ..Identity::draw(&mut draw) }
            }
        };
        write_atomically(&path, identity.to_text().as_bytes())?;
        Ok(Self { data, log, identity, lock })
    }

    /// Whether a server ever ran on this directory.
    pub fn is_used(data_dir: &Path) -> bool {
        data_dir.join(FOLDER).join("IDENTITY").exists()
    }

    /// Whose data this is.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// Keeps the directory held for as long as a database in it is open.
    pub(crate) fn lock(&self) -> DirLock {
        self.lock.clone()
    }

    /// Where the checkpoint is.
    pub fn checkpoint_path(&self) -> PathBuf {
        self.data.join("checkpoint")
    }

    /// A folder beside the checkpoint, on the same file system.
    pub(crate) fn beside_checkpoint(&self, name: &str) -> PathBuf {
        self.data.join(name)
    }

    /// Where the log is.
    pub fn log_path(&self) -> PathBuf {
        self.log.join("log")
    }

    /// Where the mark is.
    pub fn mark_path(&self) -> PathBuf {
        self.log.join("mark")
    }

    /// Bytes that this user may still write, on the fuller of the two file systems.
    ///
    /// # Errors
    /// What the system says.
    pub fn free_bytes(&self) -> io::Result<u64> {
        Ok(free_bytes_of(&self.data)?.min(free_bytes_of(&self.log)?))
    }
}

/// Bytes that this user may still write to the file system that a path is on.
pub(crate) fn free_bytes_of(path: &Path) -> io::Result<u64> {
    let stat = rustix::fs::statvfs(path)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

impl Identity {
    /// That of a server that has not been started yet.
    pub(crate) fn draw(draw: &mut impl FnMut() -> u64) -> Self {
        // Small numbers stand for servers that have not come yet: see `raft-log`.
        let (cluster, node) = (draw().max(1), draw() | 1 << 63);
        Self { cluster, node, incarnation: 0, may_found: true }
    }

    pub(crate) fn to_text(self) -> String {
        let Self { cluster, node, incarnation, may_found } = self;
        let founds = if may_found { "" } else { "founds=no\n" };
        format!("cluster={cluster:016x}\nnode={node:016x}\nincarnation={incarnation}\n{founds}")
    }

    fn parse(text: &str) -> Option<Self> {
        let field =
            |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        Some(Self {
            cluster: u64::from_str_radix(field("cluster")?, 16).ok()?,
            node: u64::from_str_radix(field("node")?, 16).ok()?,
            incarnation: field("incarnation")?.parse().ok()?,
            may_found: field("founds") != Some("no"),
        })
    }
}

pub(crate) fn lock(path: &Path, data_dir: &Path) -> Result<DirLock, StoreError> {
    let file = File::options().create(true).truncate(false).write(true).open(path);
    let file = file.map_err(StoreError::io(path))?;
    match file.try_lock() {
        Ok(()) => Ok(DirLock(Arc::new(file))),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path: data_dir.to_owned() }),
        Err(TryLockError::Error(error)) => Err(StoreError::Io { path: path.to_owned(), error }),
    }
}

fn check_format(path: &Path) -> Result<(), StoreError> {
    let Some(text) = read_optional(path)? else {
        return write_atomically(path, format!("{FORMAT}\n").as_bytes());
    };
    match text.trim().parse::<u32>() {
        Ok(FORMAT) => Ok(()),
        Ok(found) if found > FORMAT => {
            Err(StoreError::Newer { path: path.to_owned(), found, known: FORMAT })
        }
        Ok(_) | Err(_) => Err(StoreError::Damaged {
            path: path.to_owned(),
            what: format!("it should hold a version number, at most {FORMAT}"),
        }),
    }
}

/// A server that was pointed at ZooKeeper's data must not come up with an empty tree: its
/// clients would take everything for deleted.
fn refuse_zookeepers(dir: &Path) -> Result<(), StoreError> {
    let folder = dir.join(ZOOKEEPERS_FOLDER);
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(StoreError::Io { path: folder, error }),
    };
    for entry in entries {
        let name = entry.map_err(StoreError::io(&folder))?.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("snapshot.") || name.starts_with("log.") {
            return Err(StoreError::OfZooKeeper { path: folder.join(&*name) });
        }
    }
    Ok(())
}

fn read_optional(path: &Path) -> Result<Option<String>, StoreError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StoreError::Io { path: path.to_owned(), error }),
    }
}

/// Writes a file so that after a crash it has the old or the new contents, whole.
pub(crate) fn write_atomically(path: &Path, contents: &[u8]) -> Result<(), StoreError> {
    let part = path.with_extension("part");
    let written = (|| {
        reach(Point::FileWrite)?;
        let mut file = File::create(&part)?;
        file.write_all(contents)?;
        reach(Point::FileSync)?;
        file.sync_all()?;
        reach(Point::FileRename)?;
        fs::rename(&part, path)?;
        reach(Point::FileSyncFolder)?;
        sync_folder_of(path)
    })();
    written.map_err(StoreError::io(path))
}

/// Makes the name of a file durable.
pub(crate) fn sync_folder_of(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or_else(|| Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(folder: &Path) -> Result<DataDir, StoreError> {
        let mut next = 7;
        DataDir::open(folder, folder, || {
            next += 1;
            next
        })
    }

    #[test]
    fn identity_stays_and_starts_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let first = open(folder.path()).unwrap().identity();
        let node = 9 | 1 << 63;
        assert_eq!(first, Identity { cluster: 8, node, incarnation: 1, may_found: true });
        let second = open(folder.path()).unwrap().identity();
        assert_eq!(second, Identity { incarnation: 2, ..first });
    }

    #[test]
    fn a_second_server_is_refused_by_the_directorys_name() {
        let folder = tempfile::tempdir().unwrap();
        let _first = open(folder.path()).unwrap();
        let error = open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("another server is using"), "{error}");
        assert!(error.contains(&folder.path().display().to_string()), "{error}");
    }

    #[test]
    fn zookeepers_data_is_refused_rather_than_hidden_behind_an_empty_tree() {
        let folder = tempfile::tempdir().unwrap();
        let theirs = folder.path().join("version-2");
        fs::create_dir(&theirs).unwrap();
        fs::write(theirs.join("currentEpoch"), "1").unwrap();
        drop(open(folder.path()).unwrap());

        let folder = tempfile::tempdir().unwrap();
        let theirs = folder.path().join("version-2");
        fs::create_dir(&theirs).unwrap();
        fs::write(theirs.join("log.1"), "").unwrap();
        let error = open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("log.1") && error.contains("data of ZooKeeper"), "{error}");
        assert!(open(folder.path()).is_err(), "the second try is refused as the first");
    }

    #[test]
    fn zookeepers_data_may_come_to_lie_beside_a_servers_own() {
        let folder = tempfile::tempdir().unwrap();
        drop(open(folder.path()).unwrap());
        let theirs = folder.path().join("version-2");
        fs::create_dir(&theirs).unwrap();
        fs::write(theirs.join("snapshot.0"), "").unwrap();
        open(folder.path()).unwrap();
    }

    #[test]
    fn newer_data_is_refused_by_both_versions() {
        let folder = tempfile::tempdir().unwrap();
        drop(open(folder.path()).unwrap());
        fs::write(folder.path().join("rookery/FORMAT"), "2\n").unwrap();
        let error = open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("format 2") && error.contains("format 1"), "{error}");
    }

    #[test]
    fn a_damaged_identity_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        drop(open(folder.path()).unwrap());
        fs::write(folder.path().join("rookery/IDENTITY"), "cluster=x").unwrap();
        let error = open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("IDENTITY") && error.contains("damaged"), "{error}");
    }
}
