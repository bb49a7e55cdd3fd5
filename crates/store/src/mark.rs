//! What the log holds at least, remembered outside of it.
//!
//! RocksDB heals a damaged write-ahead log by dropping everything from the damage on, and
//! does not say so. That is right for a torn tail and wrong for entries that were
//! acknowledged. So the log's thread keeps a mark: the last entry synced some 100 ms ago
//! at the latest, and the last vote exactly. A log that ends before its mark has lost
//! something and is refused.
//!
//! Two slots are written in turn, so that one is always whole.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use fault_points::{Point, reach};
use raft_log::{LogPosition, StoredVote};

use crate::{
    data_dir::{Identity, write_atomically},
    error::StoreError,
    value,
};

/// Bytes between the slots: more than any disk writes at once.
const SLOT_BYTES: u64 = 4096;
/// What the checksum covers besides the contents.
const MAGIC: &[u8] = b"rookery mark 1";

/// What was true when the mark was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The last entry on stable storage; `None` before any.
    pub(crate) last: Option<LogPosition>,
    /// The last vote.
    pub(crate) vote: Option<StoredVote>,
}

/// The file, open for writing.
#[derive(Debug)]
pub(crate) struct MarkFile {
    path: PathBuf,
    file: File,
    identity: (u64, u64),
    /// Counts the writes; its last bit chooses the slot.
    sequence: u64,
}

impl MarkFile {
    /// Opens the file and returns the newer of its whole slots.
    ///
    /// # Errors
    /// When it cannot be read, belongs to another server, or has contents but no whole slot.
    pub(crate) fn open(
        path: &Path,
        identity: Identity,
    ) -> Result<(Self, Option<Mark>), StoreError> {
        let ours = (identity.cluster, identity.node);
        if fs::metadata(path).map_or(0, |found| found.len()) == 0 {
            // Made before the log is, so that a log without a mark is known to be odd; and
            // made whole, so that a mark without a whole slot is known to be damaged.
            let first = Slot { identity: ours, sequence: 0, mark: Mark::default() };
            write_atomically(path, &first.to_bytes())?;
            let file = File::options().read(true).write(true).open(path);
            let file = file.map_err(StoreError::io(path))?;
            return Ok((Self { path: path.to_owned(), file, identity: ours, sequence: 0 }, None));
        }
        let file = File::options().read(true).write(true).open(path);
        let file = file.map_err(StoreError::io(path))?;
        let mut newest: Option<Slot> = None;
        for slot in 0..2 {
            let mut bytes = [0; Slot::BYTES];
            if file.read_exact_at(&mut bytes, slot * SLOT_BYTES).is_ok()
                && let Some(found) = Slot::parse(&bytes)
                && newest.as_ref().is_none_or(|newest| newest.sequence < found.sequence)
            {
                newest = Some(found);
            }
        }
        let damaged =
            |what: &str| StoreError::Damaged { path: path.to_owned(), what: what.to_owned() };
        let newest = newest.ok_or_else(|| damaged("neither of its two slots is whole"))?;
        if newest.identity != ours {
            return Err(damaged("it belongs to another server's log"));
        }
        let sequence = newest.sequence;
        Ok((Self { path: path.to_owned(), file, identity: ours, sequence }, Some(newest.mark)))
    }

    /// Writes and syncs a new mark.
    ///
    /// # Errors
    /// What the system says: fatal, as for the log itself.
    pub(crate) fn write(&mut self, mark: Mark) -> io::Result<()> {
        self.sequence += 1;
        let slot = Slot { identity: self.identity, sequence: self.sequence, mark };
        reach(Point::MarkWrite)?;
        self.file.write_all_at(&slot.to_bytes(), (self.sequence & 1) * SLOT_BYTES)?;
        reach(Point::MarkSync)?;
        self.file.sync_data()
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

struct Slot {
    identity: (u64, u64),
    sequence: u64,
    mark: Mark,
}

impl Slot {
    /// A checksum, eight numbers, three flags.
    const BYTES: usize = 4 + 7 * 8 + 3;

    fn to_bytes(&self) -> Vec<u8> {
        let last = self.mark.last.unwrap_or_default();
        let vote = self.mark.vote.unwrap_or(StoredVote { term: 0, node: 0, committed: false });
        let mut bytes = Vec::with_capacity(Self::BYTES);
        for number in [
            self.identity.0,
            self.identity.1,
            self.sequence,
            last.term,
            last.index,
            vote.term,
            vote.node,
        ] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes.push(u8::from(self.mark.last.is_some()));
        bytes.push(u8::from(self.mark.vote.is_some()));
        bytes.push(u8::from(vote.committed));
        value::seal(MAGIC, &bytes)
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let contents = value::open(MAGIC, bytes)?;
        let number = |at: usize| -> Option<u64> {
            contents.get(at * 8..)?.first_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes))
        };
        let flag = |at: usize| contents.get(7 * 8 + at).map(|byte| *byte != 0);
        let last = LogPosition { term: number(3)?, index: number(4)? };
        let vote = StoredVote { term: number(5)?, node: number(6)?, committed: flag(2)? };
        Some(Self {
            identity: (number(0)?, number(1)?),
            sequence: number(2)?,
            mark: Mark { last: flag(0)?.then_some(last), vote: flag(1)?.then_some(vote) },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: Identity = Identity { cluster: 1, node: 2, incarnation: 3, may_found: true };

    fn mark(index: u64) -> Mark {
        Mark {
            last: Some(LogPosition { term: 4, index }),
            vote: Some(StoredVote { term: 4, node: 2, committed: true }),
        }
    }

    #[test]
    fn the_newest_whole_slot_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mark");
        let (mut file, found) = MarkFile::open(&path, OURS).unwrap();
        assert_eq!(found, None);
        for index in 1..=3 {
            file.write(mark(index)).unwrap();
        }
        assert_eq!(MarkFile::open(&path, OURS).unwrap().1, Some(mark(3)));
        // The last write went to the second slot; with it torn, the one before counts.
        file.file.write_all_at(&[0xff], SLOT_BYTES + 9).unwrap();
        assert_eq!(MarkFile::open(&path, OURS).unwrap().1, Some(mark(2)));
        file.file.write_all_at(&[0xff], 9).unwrap();
        let error = MarkFile::open(&path, OURS).unwrap_err().to_string();
        assert!(error.contains("neither of its two slots"), "{error}");
    }

    #[test]
    fn a_first_mark_that_was_cut_short_is_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mark");
        // What power loss may leave of it: the name without contents, or half of the file
        // that was to become it.
        File::create(&path).unwrap();
        fs::write(path.with_extension("part"), [0; 17]).unwrap();
        assert_eq!(MarkFile::open(&path, OURS).unwrap().1, None);
        assert_eq!(MarkFile::open(&path, OURS).unwrap().1, Some(Mark::default()));
    }

    #[test]
    fn the_mark_of_another_server_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mark");
        MarkFile::open(&path, OURS).unwrap().0.write(mark(1)).unwrap();
        let error = MarkFile::open(&path, Identity { node: 3, ..OURS }).unwrap_err();
        assert!(error.to_string().contains("another server"), "{error}");
    }
}
