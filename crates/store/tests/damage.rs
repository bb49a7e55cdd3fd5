//! What the log promised is there after every reopening, or the log refuses to open.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use std::{fs, path::Path};

use raft_log::{
    CheckpointError, CheckpointMeta, CheckpointSink, CheckpointSource, CheckpointStore, EntryKind,
    LogDisk, LogOp, LogPosition, StoredEntry, StoredVote,
};
use store::{DataDir, RocksCheckpoints, RocksLog, StoreError};

fn dir(folder: &Path) -> DataDir {
    DataDir::open(folder, folder, || 42).unwrap()
}

fn entry(index: u64) -> StoredEntry {
    StoredEntry {
        position: LogPosition { term: 1, index },
        kind: EntryKind::Commands,
        payload: vec![u8::try_from(index % 251).unwrap(); 200].into(),
    }
}

/// Writes entries one group each, then closes in order.
fn write(folder: &Path, entries: u64) {
    let dir = dir(folder);
    let log = RocksLog::open(&dir).unwrap();
    log.write(&[LogOp::Vote(StoredVote { term: 1, node: 42, committed: true })], true).unwrap();
    for index in 0..entries {
        log.write(&[LogOp::Append(vec![entry(index)])], true).unwrap();
    }
}

/// The newest write-ahead log of the database.
fn newest_wal(folder: &Path) -> std::path::PathBuf {
    let files = fs::read_dir(folder.join("rookery/log")).unwrap().flatten();
    let mut wals: Vec<_> = files
        .map(|file| file.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .filter(|path| fs::metadata(path).unwrap().len() > 10_000)
        .collect();
    wals.sort();
    wals.pop().expect("a database that was not flushed has a write-ahead log")
}

#[test]
fn everything_synced_is_there_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 300);
    let dir = dir(folder.path());
    let log = RocksLog::open(&dir).unwrap();
    let state = log.state().unwrap();
    assert_eq!(state.last, Some(LogPosition { term: 1, index: 299 }));
    assert_eq!(state.vote, Some(StoredVote { term: 1, node: 42, committed: true }));
    let read = log.read(0, 300, usize::MAX).unwrap();
    assert_eq!(read, (0..300).map(entry).collect::<Vec<_>>());
    let some = log.read(10, 300, 450).unwrap();
    assert_eq!(some.len(), 2, "a third one would be more bytes than may be");
    let one = log.read(10, 300, 1).unwrap();
    assert_eq!(one.len(), 1, "the first is read however long it is");
}

#[test]
fn truncated_and_purged_entries_are_gone_and_the_rest_is_there() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 100);
    {
        let dir = dir(folder.path());
        let log = RocksLog::open(&dir).unwrap();
        log.write(&[LogOp::TruncateAfter(Some(79))], true).unwrap();
        log.write(&[LogOp::Purge(LogPosition { term: 1, index: 9 })], false).unwrap();
        log.write(&[LogOp::Append(vec![entry(80)])], true).unwrap();
    }
    let dir = dir(folder.path());
    let log = RocksLog::open(&dir).unwrap();
    let state = log.state().unwrap();
    assert_eq!(state.purged, Some(LogPosition { term: 1, index: 9 }));
    assert_eq!(state.last, Some(LogPosition { term: 1, index: 80 }));
    assert!(log.read(9, 12, usize::MAX).is_err(), "entry 9 was purged");
    assert_eq!(log.read(10, 81, usize::MAX).unwrap().len(), 71);
}

#[test]
fn a_flipped_bit_in_what_was_synced_is_found_and_named() {
    for place in [1, 2, 3] {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), 300);
        let wal = newest_wal(folder.path());
        let mut bytes = fs::read(&wal).unwrap();
        let at = 300 * 200 * place / 4;
        bytes[at] ^= 1;
        fs::write(&wal, bytes).unwrap();
        let error = RocksLog::open(&dir(folder.path())).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, StoreError::Damaged { .. } | StoreError::RocksDb { .. }), "{text}");
        assert!(text.contains("rookery/log"), "names the folder: {text}");
    }
}

#[test]
fn a_tail_that_is_cut_off_is_missed() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 300);
    let wal = newest_wal(folder.path());
    let file = fs::File::options().write(true).open(&wal).unwrap();
    file.set_len(20_000).unwrap();
    drop(file);
    let error = RocksLog::open(&dir(folder.path())).unwrap_err().to_string();
    assert!(error.contains("entries that clients were told of are gone"), "{error}");
}

/// Cuts the newest write-ahead log so that acknowledged entries are gone.
fn cut(folder: &Path) {
    let file = fs::File::options().write(true).open(newest_wal(folder)).unwrap();
    file.set_len(20_000).unwrap();
}

/// Fixed: the first refusal wrote a lower mark as it closed the log, and the second start, a
/// second later by way of systemd, served what was left.
#[test]
fn a_log_that_lost_entries_is_refused_every_time() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 300);
    cut(folder.path());
    for turn in 0..3 {
        let error = RocksLog::open(&dir(folder.path())).unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }), "turn {turn}: {error}");
        // Looking at what is left changes nothing, either.
        let (log, below) = RocksLog::open_as_it_is(&dir(folder.path())).unwrap();
        assert!(below.is_some() && log.state().unwrap().last.is_some());
    }
}

#[test]
fn what_is_left_can_be_written_on() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 300);
    cut(folder.path());
    {
        let (log, _) = RocksLog::open_as_it_is(&dir(folder.path())).unwrap();
        let last = log.state().unwrap().last.unwrap();
        let next = StoredEntry {
            position: LogPosition { term: 2, index: last.index + 1 },
            ..entry(last.index + 1)
        };
        let vote = LogOp::Vote(StoredVote { term: 2, node: 42, committed: false });
        log.write(&[vote, LogOp::Append(vec![next])], true).unwrap();
    }
    let log = RocksLog::open(&dir(folder.path())).unwrap();
    assert_eq!(log.state().unwrap().last.unwrap().term, 2);
}

#[test]
fn a_log_without_its_database_is_missed() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 10);
    fs::remove_dir_all(folder.path().join("rookery/log")).unwrap();
    let error = RocksLog::open(&dir(folder.path())).unwrap_err().to_string();
    assert!(error.contains("its last entry is none"), "{error}");
}

#[test]
fn a_log_folder_that_is_elsewhere_is_missed() {
    let (data, log) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    {
        let dir = DataDir::open(data.path(), log.path(), || 42).unwrap();
        drop(RocksLog::open(&dir).unwrap());
        drop(RocksCheckpoints::open(&dir).unwrap());
    }
    let error = RocksLog::open(&dir(data.path())).unwrap_err().to_string();
    assert!(error.contains("mark") && error.contains("dataLogDir"), "{error}");
}

#[test]
fn the_directory_is_held_while_its_log_is_open() {
    let folder = tempfile::tempdir().unwrap();
    let log = RocksLog::open(&dir(folder.path())).unwrap();
    let error = DataDir::open(folder.path(), folder.path(), || 42).unwrap_err().to_string();
    assert!(error.contains("another server is using"), "{error}");
    drop(log);
    drop(dir(folder.path()));
}

#[test]
fn what_a_group_appends_and_truncates_is_not_promised() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 10);
    {
        let log = RocksLog::open(&dir(folder.path())).unwrap();
        let group = [
            LogOp::Append((10..20).map(entry).collect()),
            LogOp::TruncateAfter(Some(14)),
            LogOp::TruncateAfter(Some(7)),
        ];
        log.write(&group, true).unwrap();
    }
    let log = RocksLog::open(&dir(folder.path())).unwrap();
    assert_eq!(log.state().unwrap().last, Some(LogPosition { term: 1, index: 7 }));
}

/// A vote or an entry whose write failed was in the mark, which is written once more when the log
/// is closed: the server never started again.
#[test]
fn what_could_not_be_written_is_not_promised() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 20);
    {
        let log = RocksLog::open(&dir(folder.path())).unwrap();
        let vote = StoredVote { term: 2, node: 42, committed: false };
        // Nothing is behind entry 1000 that could stay: the group fails as a whole.
        let group =
            [LogOp::Vote(vote), LogOp::Append(vec![entry(20)]), LogOp::TruncateAfter(Some(1000))];
        log.write(&group, true).unwrap_err();
    }
    let log = RocksLog::open(&dir(folder.path())).unwrap();
    let state = log.state().unwrap();
    assert_eq!(state.last, Some(LogPosition { term: 1, index: 19 }));
    assert_eq!(state.vote, Some(StoredVote { term: 1, node: 42, committed: true }));
}

#[test]
fn a_resting_log_promises_all_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let dir = dir(folder.path());
    let log = RocksLog::open(&dir).unwrap();
    log.write(&[LogOp::Append((0..10).map(entry).collect())], true).unwrap();
    log.rest().unwrap();
    // As after a kill: nothing is closed, the database is lost, the mark is there.
    let copy = tempfile::tempdir().unwrap();
    fs::create_dir(copy.path().join("rookery")).unwrap();
    for file in ["IDENTITY", "FORMAT", "mark"] {
        let name = Path::new("rookery").join(file);
        fs::copy(folder.path().join(&name), copy.path().join(&name)).unwrap();
    }
    let error = RocksLog::open(&self::dir(copy.path())).unwrap_err().to_string();
    assert!(error.contains("1-9 was written and synced"), "{error}");
}

struct OneValue(&'static [u8]);

impl CheckpointSource for OneValue {
    fn next_chunk(&mut self, sink: &mut CheckpointSink<'_>) -> bool {
        sink(b"key", Some(self.0));
        false
    }

    fn finish(self: Box<Self>, _: bool) {}
}

#[test]
fn a_damaged_checkpoint_is_refused() {
    const VALUE: &[u8] = b"a value that is easily found in its file";
    let folder = tempfile::tempdir().unwrap();
    let meta = CheckpointMeta {
        applied: Some(LogPosition { term: 3, index: 8 }),
        membership: vec![1, 2].into(),
    };
    {
        let checkpoints = RocksCheckpoints::open(&dir(folder.path())).unwrap();
        checkpoints.write(&meta, &mut OneValue(VALUE)).unwrap();
    }
    {
        let checkpoints = RocksCheckpoints::open(&dir(folder.path())).unwrap();
        let mut found = Vec::new();
        let read = checkpoints.read(&mut |key, value| {
            found.push((key.to_vec(), value.to_vec()));
            Ok(())
        });
        assert_eq!(read.unwrap(), Some(meta));
        assert_eq!(found, [(b"key".to_vec(), VALUE.to_vec())]);
    }
    let files = fs::read_dir(folder.path().join("rookery/checkpoint")).unwrap().flatten();
    let place = |bytes: &[u8]| bytes.windows(VALUE.len()).position(|window| window == VALUE);
    let (path, mut bytes, at) = files
        .map(|file| (file.path(), fs::read(file.path()).unwrap()))
        .find_map(|(path, bytes)| place(&bytes).map(|at| (path, bytes, at)))
        .expect("some file holds the value");
    bytes[at + 3] ^= 1;
    fs::write(path, bytes).unwrap();
    let checkpoints = RocksCheckpoints::open(&dir(folder.path())).unwrap();
    let error = checkpoints.read(&mut |_, _| Ok(())).unwrap_err();
    assert!(matches!(error, CheckpointError::Damaged(_)), "{error}");
    assert!(error.to_string().contains("rookery/checkpoint"), "{error}");
}

/// As after a kill: nothing is closed, the files are as they lie there.
fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_all(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// What was written to the newest write-ahead log since it was as `before` becomes zero.
fn zero_what_is_new(folder: &Path, before: &[u8]) {
    let wal = newest_wal(folder);
    let mut bytes = fs::read(&wal).unwrap();
    let is_new = |(before, now): (&u8, &u8)| before != now;
    let first = before.iter().zip(&bytes).position(is_new).unwrap();
    let last = before.iter().zip(&bytes).rposition(is_new).unwrap();
    bytes[first..=last].fill(0);
    fs::write(wal, bytes).unwrap();
}

#[test]
fn a_zeroed_tail_that_was_not_promised_is_cut_and_one_that_was_is_missed() {
    let folder = tempfile::tempdir().unwrap();
    let (promised, unpromised) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let dir = dir(folder.path());
    let log = RocksLog::open(&dir).unwrap();
    log.write(&[LogOp::Append((0..99).map(entry).collect())], true).unwrap();
    log.rest().unwrap();
    let mark = fs::read(dir.mark_path()).unwrap();
    let before = fs::read(newest_wal(folder.path())).unwrap();
    log.write(&[LogOp::Append(vec![entry(99)])], true).unwrap();
    copy_all(folder.path(), unpromised.path());
    fs::write(unpromised.path().join("rookery/mark"), mark).unwrap();
    zero_what_is_new(unpromised.path(), &before);
    log.rest().unwrap();
    copy_all(folder.path(), promised.path());
    zero_what_is_new(promised.path(), &before);
    let opened = RocksLog::open(&self::dir(unpromised.path())).unwrap();
    assert_eq!(opened.state().unwrap().last, Some(LogPosition { term: 1, index: 98 }));
    let error = RocksLog::open(&self::dir(promised.path())).unwrap_err().to_string();
    assert!(error.contains("entries that clients were told of are gone"), "{error}");
}
