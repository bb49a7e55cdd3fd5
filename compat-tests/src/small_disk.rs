//! A disk that is soon full: a file system in memory, of a size of its own.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A file system of its own; gone when dropped.
#[derive(Debug)]
pub struct SmallDisk {
    path: PathBuf,
    _own_dir: Option<TempDir>,
}

impl SmallDisk {
    /// Makes one of this size in a directory of its own.
    ///
    /// # Errors
    /// When that is not allowed.
    pub fn mount(mebibytes: u64) -> io::Result<Self> {
        let dir = TempDir::new()?;
        let mut disk = Self::mount_at(dir.path(), mebibytes)?;
        disk._own_dir = Some(dir);
        Ok(disk)
    }

    /// Makes one of this size in a directory that exists, over what is in it.
    ///
    /// # Errors
    /// When that is not allowed.
    pub fn mount_at(path: &Path, mebibytes: u64) -> io::Result<Self> {
        run("mount", &["-t", "tmpfs", "-o", &format!("size={mebibytes}m"), "tmpfs"], path)?;
        Ok(Self { path: path.to_owned(), _own_dir: None })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes all the room but this.
    ///
    /// # Errors
    /// What the system says, but not that it is full.
    pub fn leave_free(&self, mebibytes: u64) -> io::Result<()> {
        let mut ballast = File::create(self.path.join("ballast"))?;
        let mut taken = 0;
        while let Ok(written) = ballast.write(&[0; 64 * 1024])
            && written > 0
        {
            taken += written as u64;
        }
        ballast.set_len(taken.saturating_sub(mebibytes << 20))
    }

    /// Makes it larger.
    ///
    /// # Errors
    /// When that is not allowed.
    pub fn grow(&self, mebibytes: u64) -> io::Result<()> {
        run("mount", &["-o", &format!("remount,size={mebibytes}m")], &self.path)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // What uses it has ended or will; the directory is free at once.
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}

fn run(command: &str, args: &[&str], path: &Path) -> io::Result<()> {
    let status = Command::new(command).args(args).arg(path).status()?;
    if status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("{command} {args:?} {}: {status}", path.display())))
}
