//! Why a data directory cannot be used.

use std::{io, path::PathBuf};

use thiserror::Error;

/// A data directory that cannot be used. Each says which file, and what to do.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The system refused.
    #[error("{}: {error}", path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
    /// Another server uses it.
    #[error(
        "{}: another server is using this data directory; stop it, or give this one its own \
         (dataDir)",
        path.display()
    )]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// ZooKeeper's own data is there, and none of this server's yet.
    #[error(
        "{}: data of ZooKeeper, which this version cannot read: a server started here would \
         have an empty tree. Give it a dataDir and dataLogDir of its own, or move these files \
         away",
        path.display()
    )]
    OfZooKeeper {
        /// One of its files.
        path: PathBuf,
    },
    /// It was written by a newer version.
    #[error(
        "{}: data of format {found}, written by a newer version; this one reads format \
         {known}. Start the version that wrote it",
        path.display()
    )]
    Newer {
        /// The file that says so.
        path: PathBuf,
        /// What it says.
        found: u32,
        /// What this version writes.
        known: u32,
    },
    /// A file is not what was written into it.
    #[error("{}: damaged: {what}", path.display())]
    Damaged {
        /// Which file or folder.
        path: PathBuf,
        /// What is wrong, and what that means.
        what: String,
    },
    /// RocksDB failed.
    #[error("{}: {error}", path.display())]
    RocksDb {
        /// The database's folder.
        path: PathBuf,
        /// What it said.
        error: String,
        /// Whether what it found on the disk is not what it wrote.
        is_damage: bool,
    },
}

impl StoreError {
    /// Whether the data is not what was written, so that trying again, or another
    /// configuration, does not help.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Damaged { .. } => true,
            Self::RocksDb { is_damage, .. } => *is_damage,
            Self::Io { .. }
            | Self::InUse { .. }
            | Self::OfZooKeeper { .. }
            | Self::Newer { .. } => false,
        }
    }

    pub(crate) fn rocks(path: impl Into<PathBuf>, error: &rocksdb::Error) -> Self {
        Self::RocksDb { path: path.into(), error: error.to_string(), is_damage: is_damage(error) }
    }

    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |error| Self::Io { path, error }
    }
}

/// Whether an error says that files are damaged or missing, and not that the disk or the
/// system failed.
pub(crate) fn is_damage(error: &rocksdb::Error) -> bool {
    let kind = error.kind();
    matches!(kind, rocksdb::ErrorKind::Corruption | rocksdb::ErrorKind::NotFound)
        // A missing file is told as an error of the system.
        || error.as_ref().contains("No such file or directory")
}
