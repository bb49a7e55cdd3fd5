//! What the log promised is there after every reopening, or the log refuses to open.

use std::{fs, path::Path};

use raft_log::{EntryKind, LogDisk, LogOp, LogPosition, StoredEntry, StoredVote};
use store::{DataDir, RocksLog, StoreError};

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
    assert_eq!(some.len(), 3, "reading stops once there are enough bytes");
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
        assert!(
            matches!(error, StoreError::Damaged { .. } | StoreError::RocksDb { .. }),
            "{text}"
        );
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

#[test]
fn a_log_without_its_database_is_missed() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 10);
    fs::remove_dir_all(folder.path().join("rookery/log")).unwrap();
    let error = RocksLog::open(&dir(folder.path())).unwrap_err().to_string();
    assert!(error.contains("its last entry is none"), "{error}");
}
