//! A file that is put aside when it has grown, a bounded number of times.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// Compat(audit-layout): the sizes of ZooKeeper's own configuration of its audit log.
const FILE_BYTES_MAX: u64 = 10 * 1024 * 1024;
const OLD_FILES_MAX: u32 = 10;

#[derive(Debug)]
pub(super) struct RollingFile {
    path: PathBuf,
    file: File,
    bytes: u64,
    bytes_max: u64,
}

impl RollingFile {
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        let file = append_to(&path)?;
        let bytes = file.metadata()?.len();
        Ok(Self { path, file, bytes, bytes_max: FILE_BYTES_MAX })
    }

    pub(super) fn write(&mut self, line: &str) -> io::Result<()> {
        if self.bytes > 0 && self.bytes + line.len() as u64 > self.bytes_max {
            self.roll()?;
        }
        self.file.write_all(line.as_bytes())?;
        self.bytes += line.len() as u64;
        Ok(())
    }

    /// `log.9` becomes `log.10`, …, `log` becomes `log.1`; the oldest is overwritten.
    fn roll(&mut self) -> io::Result<()> {
        for number in (1..OLD_FILES_MAX).rev() {
            let old = self.numbered(number);
            if old.exists() {
                fs::rename(old, self.numbered(number + 1))?;
            }
        }
        fs::rename(&self.path, self.numbered(1))?;
        self.file = append_to(&self.path)?;
        self.bytes = 0;
        Ok(())
    }

    fn numbered(&self, number: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_lines_are_kept_up_to_a_bound() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let mut file = RollingFile::open(path.clone()).unwrap();
        file.bytes_max = 10;
        for number in 0..30 {
            file.write(&format!("line {number:02}\n")).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "line 29\n");
        assert_eq!(fs::read_to_string(directory.path().join("log.1")).unwrap(), "line 28\n");
        assert_eq!(fs::read_to_string(directory.path().join("log.10")).unwrap(), "line 19\n");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 11);
    }
}
