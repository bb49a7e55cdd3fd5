//! Sorted files that become part of a database in one step.
//!
//! A checkpoint may be larger than what should be held in memory, and must be there as a
//! whole or not at all. So it is written, a window of keys at a time, into files beside
//! the database, and all of them are taken in by one record of its manifest. Until then
//! they count for nothing: what a crash leaves behind is removed at the next start.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use fault_points::{Point, reach};
use raft_log::CheckpointError;
use rocksdb::{DB, IngestExternalFileOptions, Options, SstFileWriter};

use crate::checkpoint::failure;

/// Keys and values that are sorted together, in bytes: all that is held in memory.
const WINDOW_BYTES: usize = 4 << 20;
/// A file is ended when it has this many bytes, give or take a window.
const FILE_BYTES: u64 = 64 << 20;

/// Collects changes into files.
pub(crate) struct Parts<'o> {
    folder: PathBuf,
    options: &'o Options,
    files: Vec<PathBuf>,
    /// The file that is being written.
    open: Option<SstFileWriter<'o>>,
    /// The last key in it.
    last_key: Vec<u8>,
    window: Window,
}

/// Changes that are not sorted yet, one behind the other in one buffer.
#[derive(Default)]
struct Window {
    bytes: Vec<u8>,
    changes: Vec<Change>,
}

/// Where a change lies in the window's buffer.
struct Change {
    start: usize,
    key_end: usize,
    end: usize,
    is_put: bool,
}

impl Window {
    fn add(&mut self, key: &[u8], value: Option<&[u8]>) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(key);
        let key_end = self.bytes.len();
        self.bytes.extend_from_slice(value.unwrap_or_default());
        let end = self.bytes.len();
        self.changes.push(Change { start, key_end, end, is_put: value.is_some() });
    }

    /// The changes in the order of their keys; of those of one key, only the last.
    fn sort(&mut self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        let bytes = &self.bytes;
        let key = |change: &Change| &bytes[change.start..change.key_end];
        // Backwards and stable, so that the last one of a key is the one that is kept.
        self.changes.reverse();
        self.changes.sort_by(|one, other| key(one).cmp(key(other)));
        self.changes.dedup_by(|later, kept| key(later) == key(kept));
        self.changes.iter().map(move |change| {
            (key(change), change.is_put.then(|| &bytes[change.key_end..change.end]))
        })
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.changes.clear();
    }
}

impl<'o> Parts<'o> {
    /// Files in `folder`, which is emptied first.
    pub(crate) fn begin(folder: &Path, options: &'o Options) -> io::Result<Self> {
        reach(Point::CheckpointBegin)?;
        remove_leftovers(folder)?;
        fs::create_dir_all(folder)?;
        Ok(Self {
            folder: folder.to_owned(),
            options,
            files: Vec::new(),
            open: None,
            last_key: Vec::new(),
            window: Window::default(),
        })
    }

    /// Adds a change: a value to put, or `None` for a key to delete. A later change of the
    /// same key counts.
    pub(crate) fn add(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), CheckpointError> {
        self.window.add(key, value);
        if self.window.bytes.len() < WINDOW_BYTES {
            return Ok(());
        }
        self.write_window()
    }

    /// Takes everything into the database: all of it or, after a crash, nothing. Durable
    /// on return.
    pub(crate) fn finish(mut self, db: &DB) -> Result<(), CheckpointError> {
        self.write_window()?;
        self.end_file()?;
        let mut options = IngestExternalFileOptions::default();
        options.set_move_files(true);
        reach(Point::CheckpointIngest)?;
        db.ingest_external_file_opts(&options, std::mem::take(&mut self.files))
            .map_err(|error| failure(&self.folder, &error))
    }

    fn write_window(&mut self) -> Result<(), CheckpointError> {
        reach(Point::CheckpointWrite)?;
        let mut window = std::mem::take(&mut self.window);
        for (at, (key, value)) in window.sort().enumerate() {
            // Within a file keys ascend; a window that begins lower begins a file.
            if at == 0 && self.open.is_some() && key <= self.last_key.as_slice() {
                self.end_file()?;
            }
            let writer = self.writer()?;
            let written = match value {
                Some(value) => writer.put(key, value),
                None => writer.delete(key),
            };
            written.map_err(|error| failure(&self.folder, &error))?;
            self.last_key.clear();
            self.last_key.extend_from_slice(key);
        }
        window.clear();
        self.window = window;
        if self.open.as_ref().is_some_and(|open| open.file_size() >= FILE_BYTES) {
            self.end_file()?;
        }
        Ok(())
    }

    fn writer(&mut self) -> Result<&mut SstFileWriter<'o>, CheckpointError> {
        if self.open.is_none() {
            let path = self.folder.join(format!("{:06}.sst", self.files.len()));
            let writer = SstFileWriter::create(self.options);
            writer.open(&path).map_err(|error| failure(&self.folder, &error))?;
            self.files.push(path);
            self.open = Some(writer);
        }
        Ok(self.open.as_mut().expect("it was just opened"))
    }

    fn end_file(&mut self) -> Result<(), CheckpointError> {
        let Some(mut writer) = self.open.take() else { return Ok(()) };
        reach(Point::CheckpointSync)?;
        writer.finish().map_err(|error| failure(&self.folder, &error))
    }
}

/// Removes what a crash left behind.
pub(crate) fn remove_leftovers(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_sorted_and_the_last_change_of_a_key_counts() {
        let mut window = Window::default();
        for (key, value) in [("b", Some("1")), ("a", Some("2")), ("b", None), ("a", Some("3"))] {
            window.add(key.as_bytes(), value.map(str::as_bytes));
        }
        let sorted: Vec<_> = window.sort().collect();
        assert_eq!(sorted, [(&b"a"[..], Some(&b"3"[..])), (&b"b"[..], None)]);
    }
}
