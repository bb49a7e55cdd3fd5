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
    ///
    /// After an error it is done again for the next line, and goes on where it was: what has its
    /// new name already is not moved once more, or each attempt would overwrite another file.
    fn roll(&mut self) -> io::Result<()> {
        if self.path.try_exists()? {
            let free = (1..OLD_FILES_MAX).find(|number| !self.numbered(*number).exists());
            for number in (1..free.unwrap_or(OLD_FILES_MAX)).rev() {
                fs::rename(self.numbered(number), self.numbered(number + 1))?;
            }
            fs::rename(&self.path, self.numbered(1))?;
        }
        self.file = append_to(&self.path)?;
        self.bytes = self.file.metadata()?.len();
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

    #[test]
    fn a_roll_that_ended_before_the_new_file_was_open_goes_on_there() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let mut file = RollingFile::open(path).unwrap();
        file.bytes_max = 10;
        for number in 0..3 {
            file.write(&format!("line {number:02}\n")).unwrap();
        }
        for (from, to) in [("log.2", "log.3"), ("log.1", "log.2"), ("log", "log.1")] {
            fs::rename(directory.path().join(from), directory.path().join(to)).unwrap();
        }
        let written = ["aaa\n", "bbb\n"].map(|line| file.write(line).is_ok());
        let names = ["log", "log.1", "log.2", "log.3"].map(|name| directory.path().join(name));
        let text = names.map(|name| fs::read_to_string(name).unwrap_or_default());
        assert_eq!(text, ["aaa\nbbb\n", "line 02\n", "line 01\n", "line 00\n"]);
        assert_eq!(written, [true; 2]);
    }

    /// The new file cannot be opened, for longer than there are old ones: where its name leads
    /// is not there. Then it can again.
    #[test]
    fn a_file_that_cannot_be_opened_when_it_is_its_turn_costs_no_old_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let mut file = RollingFile::open(path.clone()).unwrap();
        file.bytes_max = 10;
        for number in 0..11 {
            file.write(&format!("line {number:02}\n")).unwrap();
        }
        let names = || (1..=10).map(|number| directory.path().join(format!("log.{number}")));
        let old: Vec<String> = names().map(|name| fs::read_to_string(name).unwrap()).collect();
        assert_eq!((&*old[0], &*old[9]), ("line 09\n", "line 00\n"));
        // As after a roll whose last step, opening, has failed.
        fs::remove_file(&path).unwrap();
        let gone = directory.path().join("gone");
        std::os::unix::fs::symlink(gone.join("file"), &path).unwrap();
        for _ in 0..20 {
            file.write("lost 00\n").unwrap_err();
        }
        let now: Vec<String> = names().map(|name| fs::read_to_string(name).unwrap()).collect();
        assert_eq!(now, old);
        fs::create_dir(gone).unwrap();
        file.write("line 11\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "line 11\n");
        let now: Vec<String> = names().map(|name| fs::read_to_string(name).unwrap()).collect();
        assert_eq!(now, old);
    }
}
