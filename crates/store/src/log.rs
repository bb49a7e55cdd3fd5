//! The log in RocksDB: entries by index, and beside them vote, purge point and hint.

use std::{
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use bytes::Bytes;
use fault_points::{Point, reach};
use parking_lot::Mutex;
use raft_log::{DiskState, EntryKind, LogDisk, LogOp, LogPosition, StoredEntry, StoredVote};
use rocksdb::{
    ColumnFamily, ColumnFamilyDescriptor, DB, Direction, IteratorMode, ReadOptions, WriteBatch,
    WriteOptions, properties::CUR_SIZE_ACTIVE_MEM_TABLE,
};

use crate::{
    data_dir::{DataDir, DirLock, free_bytes_of},
    error::StoreError,
    mark::{Mark, MarkFile},
    options, value,
};

const LOG: &str = "log";
const META: &str = "meta";
const VOTE: &[u8] = b"vote";
const PURGED: &[u8] = b"purged";
/// The family, which RocksDB wants anyway, and the one key in it.
const FILLER: &str = "default";
/// Bytes that are written at once to make a file longer.
const FILLER_BYTES: usize = 256 << 10;
/// Files are only filled when there is more room than this, in bytes.
const ROOM_FOR_FILLER: u64 = 128 << 20;
/// With less room than this, in bytes, what is in memory only goes to a table while there is
/// room for one: as much as a server leaves that turns writes away.
const TABLE_BELOW: u64 = 64 << 20;
/// As much, in bytes, may stay in memory only.
const LITTLE: u64 = 1 << 20;
/// The one in use and the next.
const FILES_TO_WRITE_INTO: usize = 2;
const COMMITTED: &[u8] = b"committed";
const FOUNDING: &[u8] = b"founding";

/// The version of the entries' format.
const ENTRY_FORMAT: u8 = 1;
/// How old the mark may be while the log is written.
const MARK_EVERY: Duration = Duration::from_millis(100);

/// A key and a value.
type Pair = (Box<[u8]>, Box<[u8]>);

/// A durable log.
#[derive(Debug)]
pub struct RocksLog {
    db: DB,
    path: PathBuf,
    writer: Mutex<Writer>,
    /// Released after the database is closed.
    _lock: DirLock,
}

/// What the one thread that writes keeps.
#[derive(Debug)]
struct Writer {
    mark: MarkFile,
    last: Option<LogPosition>,
    purged: Option<LogPosition>,
    vote: Option<StoredVote>,
    /// Whether a write has failed: what is above may not be on disk, and no mark may promise it.
    has_failed: bool,
    /// When the mark was written, and with what.
    marked: Instant,
    marked_last: Option<LogPosition>,
}

impl RocksLog {
    /// Opens the log of a data directory and checks all of it.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when an entry is damaged or missing, or when the log ends
    /// before its mark: acknowledged entries are gone. It is refused at every opening, until it
    /// is set aside or restored.
    pub fn open(dir: &DataDir) -> Result<Self, StoreError> {
        let (log, below) = Self::open_as_it_is(dir)?;
        match below {
            Some(below) => Err(below),
            None => log.ready_to_write(dir),
        }
    }

    /// The same for those who want what is left of a log, and say what it lacks. The mark stays
    /// as it is until something is written.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when what is left is not whole.
    pub fn open_as_it_is(dir: &DataDir) -> Result<(Self, Option<StoreError>), StoreError> {
        let path = dir.log_path();
        let families = [
            ColumnFamilyDescriptor::new(LOG, options::log_family()),
            ColumnFamilyDescriptor::new(META, options::meta_family()),
            ColumnFamilyDescriptor::new(FILLER, options::meta_family()),
        ];
        if !dir.mark_path().exists() && (path.exists() || dir.checkpoint_path().exists()) {
            return Err(StoreError::Damaged {
                path: dir.mark_path(),
                what:
                    "it is missing, though this server ran before: its log is elsewhere or gone. \
                       Set dataLogDir to where it is, or restore it"
                        .to_owned(),
            });
        }
        let (mark, marked) = MarkFile::open(&dir.mark_path(), dir.identity())?;
        reach(Point::LogOpen).map_err(StoreError::io(&path))?;
        let db = DB::open_cf_descriptors(&options::database(), &path, families);
        let db = db.map_err(|error| rocks_error(&path, &error))?;
        // Until the log was found to be whole nothing may change its mark, not even its end.
        let marked_last = marked.and_then(|mark| mark.last);
        let writer = Writer {
            mark,
            last: marked_last,
            purged: None,
            vote: None,
            has_failed: false,
            marked: Instant::now(),
            marked_last,
        };
        let log = Self { db, path, writer: Mutex::new(writer), _lock: dir.lock() };
        let found = log.read_state()?;
        let below = marked.and_then(|marked| log.compare(&found, marked).err());
        let mut writer = log.writer.lock();
        (writer.last, writer.purged, writer.vote) = (found.last, found.purged, found.vote);
        if below.is_some() {
            writer.marked_last = found.last;
        }
        drop(writer);
        Ok((log, below))
    }

    fn ready_to_write(self, dir: &DataDir) -> Result<Self, StoreError> {
        // Only a matter of speed: a disk that is almost full has better uses for its room.
        if dir.free_bytes().is_ok_and(|free_bytes| free_bytes > ROOM_FOR_FILLER) {
            self.make_files_to_write_into()?;
        }
        Ok(self)
    }

    /// Makes RocksDB write into files that are as long as they will be, from the first entry.
    ///
    /// A sync of a file that grows writes its length too, which is a second trip to the disk;
    /// one of a file that is written over does not. RocksDB writes over its old files
    /// (`recycle_log_file_num`), but has none when it is opened: so two are filled with
    /// nothing of value and given back to it. Costs some 30 ms; a lone client's write is
    /// answered in three quarters of the time.
    fn make_files_to_write_into(&self) -> Result<(), StoreError> {
        let failed = |error: rocksdb::Error| rocks_error(&self.path, &error);
        let at = |point: Point| reach(point).map_err(StoreError::io(&self.path));
        let filler = self.family(FILLER);
        let nothing = vec![0; FILLER_BYTES];
        let mut synced = WriteOptions::default();
        synced.set_sync(true);
        for _ in 0..FILES_TO_WRITE_INTO {
            at(Point::LogFill)?;
            for _ in 0..options::LOG_TABLE_BYTES / FILLER_BYTES {
                // Goes to the file only, not to a table.
                let mut batch = WriteBatch::default();
                batch.put_log_data(&nothing);
                self.db.write(batch).map_err(failed)?;
            }
            // What is still to be written back would keep the first client's sync waiting.
            at(Point::LogFillSync)?;
            self.db.delete_cf_opt(filler, FILLER, &synced).map_err(failed)?;
            at(Point::LogFillFlush)?;
            self.db.flush_cf(filler).map_err(failed)?;
        }
        Ok(())
    }

    /// Reads everything once: every entry must be whole and in its place.
    fn read_state(&self) -> Result<DiskState, StoreError> {
        let damaged = |what: String| StoreError::Damaged { path: self.path.clone(), what };
        let position = |key| -> Result<Option<LogPosition>, StoreError> {
            self.meta(key)?
                .map(|bytes| decode_position(&bytes).ok_or_else(|| bad_meta(key)))
                .transpose()
                .map_err(damaged)
        };
        let purged = position(PURGED)?;
        let committed = position(COMMITTED)?;
        let vote = self
            .meta(VOTE)?
            .map(|bytes| decode_vote(&bytes).ok_or_else(|| bad_meta(VOTE)))
            .transpose()
            .map_err(damaged)?;
        let mut last = purged;
        let founding = self.meta(FOUNDING)?.map(Bytes::from);
        let first = purged.map_or(0, |purged| purged.index + 1);
        for (item, index) in self.iterate(first).zip(first..) {
            let (key, sealed) = item.map_err(|error| rocks_error(&self.path, &error))?;
            let entry = decode_entry(index, &key, &sealed).map_err(damaged)?;
            last = Some(entry.position);
        }
        Ok(DiskState { purged, last, vote, committed, founding })
    }

    /// A log that ends before its mark, or has an older vote, lost what was promised.
    fn compare(&self, found: &DiskState, marked: Mark) -> Result<(), StoreError> {
        let show =
            |last: Option<LogPosition>| last.map_or_else(|| "none".to_owned(), |at| at.to_string());
        if found.last < marked.last {
            return Err(StoreError::Damaged {
                path: self.path.clone(),
                what: format!(
                    "its last entry is {}, but {} was written and synced: entries that clients \
                     were told of are gone. Restore this folder from a copy",
                    show(found.last),
                    show(marked.last)
                ),
            });
        }
        let key = |vote: Option<StoredVote>| vote.map(|vote| (vote.term, vote.committed));
        if key(found.vote) < key(marked.vote) {
            return Err(StoreError::Damaged {
                path: self.path.clone(),
                what: "its last vote is older than the one that was synced".to_owned(),
            });
        }
        Ok(())
    }

    fn meta(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let found = self.db.get_cf(self.family(META), key);
        let Some(sealed) = found.map_err(|error| rocks_error(&self.path, &error))? else {
            return Ok(None);
        };
        match value::open(key, &sealed) {
            Some(value) => Ok(Some(value.to_vec())),
            None => Err(StoreError::Damaged { path: self.path.clone(), what: bad_meta(key) }),
        }
    }

    fn iterate(&self, start: u64) -> impl Iterator<Item = Result<Pair, rocksdb::Error>> {
        let mut options = ReadOptions::default();
        options.fill_cache(false);
        options.set_readahead_size(1 << 20);
        let key = start.to_be_bytes();
        let mode = IteratorMode::From(&key, Direction::Forward);
        self.db.iterator_cf_opt(self.family(LOG), options, mode)
    }

    fn family(&self, name: &str) -> &ColumnFamily {
        self.db.cf_handle(name).expect("the families were opened with the database")
    }

    /// The group as RocksDB wants it, and the last entry that each truncation keeps.
    fn batch(
        &self,
        group: &[LogOp],
        writer: &mut Writer,
    ) -> io::Result<(WriteBatch, Vec<Option<LogPosition>>)> {
        let (log, meta) = (self.family(LOG), self.family(META));
        let mut kept = Vec::new();
        let mut batch = WriteBatch::default();
        for (at, op) in group.iter().enumerate() {
            match op {
                LogOp::Append(entries) => {
                    for entry in entries {
                        let key = entry.position.index.to_be_bytes();
                        batch.put_cf(log, key, encode_entry(&key, entry));
                        writer.last = Some(entry.position);
                    }
                }
                LogOp::Vote(vote) => {
                    batch.put_cf(meta, VOTE, value::seal(VOTE, &encode_vote(*vote)));
                    writer.vote = Some(*vote);
                }
                LogOp::TruncateAfter(last) => {
                    let first = last.map_or(0, |last| last + 1);
                    batch.delete_range_cf(log, first.to_be_bytes(), u64::MAX.to_be_bytes());
                    writer.last = match *last {
                        Some(last) if writer.purged.is_none_or(|at| at.index < last) => {
                            self.position_of(last, &group[..at])?
                        }
                        Some(_) | None => writer.purged,
                    };
                    kept.push(writer.last);
                }
                LogOp::Purge(upto) => {
                    let first = writer.purged.map_or(0, |purged| purged.index + 1);
                    let end = upto.index + 1;
                    batch.delete_range_cf(log, first.to_be_bytes(), end.to_be_bytes());
                    batch.put_cf(meta, PURGED, value::seal(PURGED, &encode_position(*upto)));
                    writer.purged = Some(*upto);
                    writer.last = writer.last.max(Some(*upto));
                }
                LogOp::Founding(promised) => {
                    batch.put_cf(meta, FOUNDING, value::seal(FOUNDING, promised));
                }
                LogOp::Committed(at) => {
                    batch.put_cf(meta, COMMITTED, value::seal(COMMITTED, &encode_position(*at)));
                }
            }
        }
        Ok((batch, kept))
    }

    /// Whoever starts this server again on a full disk, to make room, needs room for a table of
    /// what RocksDB finds in the log's files. So there must not be much in them by then.
    fn leave_little_to_recover(&self) {
        let room = 2 * options::LOG_TABLE_BYTES as u64..TABLE_BELOW;
        if !free_bytes_of(&self.path).is_ok_and(|free_bytes| room.contains(&free_bytes)) {
            return;
        }
        let in_memory = self.db.property_int_value_cf(self.family(LOG), CUR_SIZE_ACTIVE_MEM_TABLE);
        if in_memory.ok().flatten().is_none_or(|bytes| bytes < LITTLE) {
            return;
        }
        let flushed = self.db.flush_cf(self.family(LOG));
        if let Err(error) = flushed {
            tracing::warn!(%error, "the log's table was not written to an almost full disk");
        }
    }

    fn write_group(&self, writer: &mut Writer, group: &[LogOp], sync: bool) -> io::Result<()> {
        let before = Mark { last: writer.last, vote: writer.vote };
        let (batch, kept) = self.batch(group, writer)?;
        // Before entries are dropped the mark must not promise them any more.
        if let Some(lowest) = kept.into_iter().min() {
            reach(Point::MarkLower)?;
            writer.write_mark(Mark { last: lowest.min(before.last), ..before })?;
        }
        // A log that begins anew behind a checkpoint from another server ends later than
        // before without an entry: the mark will say so, and the disk must, too.
        let sync = sync || writer.last != before.last;
        let mut options = WriteOptions::default();
        options.set_sync(sync);
        let failed = |error: &dyn std::fmt::Display| {
            io::Error::other(format!("{}: {error}", self.path.display()))
        };
        reach_all(group).map_err(|error| failed(&error))?;
        self.db.write_opt(batch, &options).map_err(|error| failed(&error))?;
        if sync {
            reach(Point::LogSync).map_err(|error| failed(&error))?;
        }
        let voted = group.iter().any(|op| matches!(op, LogOp::Vote(_)));
        if sync && (voted || writer.marked.elapsed() >= MARK_EVERY) {
            let now = writer.now();
            writer.write_mark(now)?;
        }
        Ok(())
    }

    /// Where the entry `last` stands: in the group so far, or on disk.
    fn position_of(&self, last: u64, earlier: &[LogOp]) -> io::Result<Option<LogPosition>> {
        let in_group = earlier.iter().rev().find_map(|op| match op {
            LogOp::Append(entries) => {
                entries.iter().map(|entry| entry.position).find(|position| position.index == last)
            }
            LogOp::Vote(_)
            | LogOp::TruncateAfter(_)
            | LogOp::Purge(_)
            | LogOp::Committed(_)
            | LogOp::Founding(_) => None,
        });
        match in_group {
            Some(position) => Ok(Some(position)),
            None => Ok(self.read(last, last + 1, 1)?.first().map(|entry| entry.position)),
        }
    }
}

impl Writer {
    /// What may be promised once everything is synced.
    fn now(&self) -> Mark {
        Mark { last: self.last, vote: self.vote }
    }

    fn write_mark(&mut self, mark: Mark) -> io::Result<()> {
        self.mark.write(mark).map_err(|error| {
            io::Error::new(error.kind(), format!("{}: {error}", self.mark.path().display()))
        })?;
        self.marked = Instant::now();
        self.marked_last = mark.last;
        Ok(())
    }
}

impl LogDisk for RocksLog {
    fn state(&self) -> io::Result<DiskState> {
        self.read_state().map_err(io::Error::other)
    }

    fn write(&self, group: &[LogOp], sync: bool) -> io::Result<()> {
        let mut writer = self.writer.lock();
        let written = self.write_group(&mut writer, group, sync);
        writer.has_failed |= written.is_err();
        written
    }

    fn rest(&self) -> io::Result<()> {
        let mut writer = self.writer.lock();
        let now = writer.now();
        if writer.has_failed {
            return Ok(());
        }
        if writer.marked_last != writer.last {
            reach(Point::MarkRest)?;
            writer.write_mark(now)?;
        }
        drop(writer);
        self.leave_little_to_recover();
        Ok(())
    }

    fn read(&self, start: u64, end: u64, bytes_max: usize) -> io::Result<Vec<StoredEntry>> {
        let mut found = Vec::new();
        let mut bytes = 0;
        let mut items = self.iterate(start);
        for index in start..end {
            let item = items.next().transpose().map_err(io::Error::other)?;
            let Some((key, sealed)) = item else {
                return Err(io::Error::other(format!("log entry {index} is missing")));
            };
            let entry = decode_entry(index, &key, &sealed).map_err(io::Error::other)?;
            bytes += entry.payload.len();
            if bytes > bytes_max && !found.is_empty() {
                break;
            }
            found.push(entry);
        }
        Ok(found)
    }
}

/// The points of what is in a group.
#[inline]
fn reach_all(group: &[LogOp]) -> io::Result<()> {
    let point = |op: &LogOp| match op {
        LogOp::Append(_) => Point::LogAppend,
        LogOp::Vote(_) => Point::LogVote,
        LogOp::TruncateAfter(_) => Point::LogTruncate,
        LogOp::Purge(_) => Point::LogPurge,
        LogOp::Committed(_) => Point::LogCommitted,
        LogOp::Founding(_) => Point::LogFounding,
    };
    group.iter().try_for_each(|op| reach(point(op)))
}

impl Drop for RocksLog {
    fn drop(&mut self) {
        if let Err(error) = self.rest() {
            tracing::warn!(%error, "the mark could not be written at the end");
        }
    }
}

fn rocks_error(path: &Path, error: &rocksdb::Error) -> StoreError {
    StoreError::rocks(path, error)
}

fn bad_meta(key: &[u8]) -> String {
    format!("the value of `{}` is not what was written", String::from_utf8_lossy(key))
}

fn encode_entry(key: &[u8], entry: &StoredEntry) -> Vec<u8> {
    let mut contents = Vec::with_capacity(18 + entry.payload.len());
    contents.push(ENTRY_FORMAT);
    contents.push(match entry.kind {
        EntryKind::Blank => 0,
        EntryKind::Commands => 1,
        EntryKind::Membership => 2,
    });
    contents.extend_from_slice(&encode_position(entry.position));
    contents.extend_from_slice(&entry.payload);
    value::seal(key, &contents)
}

fn decode_entry(index: u64, key: &[u8], sealed: &[u8]) -> Result<StoredEntry, String> {
    if key != index.to_be_bytes() {
        return Err(format!("log entry {index} is missing"));
    }
    let contents = value::open(key, sealed)
        .ok_or_else(|| format!("log entry {index} is not what was written"))?;
    let bad = || format!("log entry {index} has an impossible form");
    let (head, payload) = contents.split_first_chunk::<18>().ok_or_else(bad)?;
    if head[0] != ENTRY_FORMAT {
        return Err(format!("log entry {index} is of format {}, not {ENTRY_FORMAT}", head[0]));
    }
    let kind = match head[1] {
        0 => EntryKind::Blank,
        1 => EntryKind::Commands,
        2 => EntryKind::Membership,
        _ => return Err(bad()),
    };
    let position = decode_position(&head[2..]).filter(|at| at.index == index).ok_or_else(bad)?;
    Ok(StoredEntry { position, kind, payload: Bytes::copy_from_slice(payload) })
}

fn encode_position(position: LogPosition) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&position.term.to_be_bytes());
    bytes[8..].copy_from_slice(&position.index.to_be_bytes());
    bytes
}

fn decode_position(bytes: &[u8]) -> Option<LogPosition> {
    let (term, rest) = bytes.split_first_chunk::<8>()?;
    let (index, rest) = rest.split_first_chunk::<8>()?;
    let position =
        LogPosition { term: u64::from_be_bytes(*term), index: u64::from_be_bytes(*index) };
    rest.is_empty().then_some(position)
}

fn encode_vote(vote: StoredVote) -> Vec<u8> {
    let mut bytes = encode_position(LogPosition { term: vote.term, index: vote.node }).to_vec();
    bytes.push(u8::from(vote.committed));
    bytes
}

fn decode_vote(bytes: &[u8]) -> Option<StoredVote> {
    let (committed, numbers) = bytes.split_last()?;
    let LogPosition { term, index: node } = decode_position(numbers)?;
    Some(StoredVote { term, node, committed: *committed != 0 })
}
