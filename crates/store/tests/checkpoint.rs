//! A checkpoint is there as a whole or not at all, whenever the server is killed; one from
//! another server replaces it in the same way.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::Path,
};

use raft_log::{
    CheckpointMeta, CheckpointSink, CheckpointSource, CheckpointStore, FrozenCheckpoint,
    LogPosition,
};
use store::{DataDir, RocksCheckpoints};

type Values = BTreeMap<Vec<u8>, Vec<u8>>;

fn open(folder: &Path) -> RocksCheckpoints {
    RocksCheckpoints::open(&DataDir::open(folder, folder, || 42).unwrap()).unwrap()
}

fn meta(index: u64) -> CheckpointMeta {
    CheckpointMeta {
        applied: Some(LogPosition { term: 1, index }),
        membership: vec![1, 2, 3].into(),
    }
}

fn read(checkpoints: &RocksCheckpoints) -> (Option<CheckpointMeta>, Values) {
    let mut values = Values::new();
    let found = checkpoints.read(&mut |key, value| {
        values.insert(key.to_vec(), value.to_vec());
        Ok(())
    });
    (found.unwrap(), values)
}

/// As after a kill: nothing is closed, the files are as they lie there.
fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_all(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Gives changes one by one, and looks at the folder before each chunk.
struct Changes<'f> {
    changes: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    given: usize,
    chunk: usize,
    before_chunk: Box<dyn FnMut() + Send + 'f>,
}

impl Changes<'_> {
    fn new(changes: Vec<(Vec<u8>, Option<Vec<u8>>)>) -> Self {
        Self { changes, given: 0, chunk: 1000, before_chunk: Box::new(|| {}) }
    }
}

impl CheckpointSource for Changes<'_> {
    fn next_chunk(&mut self, sink: &mut CheckpointSink<'_>) -> bool {
        (self.before_chunk)();
        let end = (self.given + self.chunk).min(self.changes.len());
        for (key, value) in &self.changes[self.given..end] {
            sink(key, value.as_deref());
        }
        self.given = end;
        self.given < self.changes.len()
    }

    fn finish(self: Box<Self>, _: bool) {}
}

fn key(number: u64) -> Vec<u8> {
    number.to_be_bytes().to_vec()
}

fn value(number: u64, round: u8) -> Vec<u8> {
    let mut value = vec![round; 100];
    value.extend_from_slice(&number.to_be_bytes());
    value
}

/// Every key in an order that is far from sorted.
fn all(count: u64, round: u8) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
    let scattered = (0..count).map(|number| (number * 7919) % count);
    scattered.map(|number| (key(number), Some(value(number, round)))).collect()
}

fn applied(changes: &[(Vec<u8>, Option<Vec<u8>>)], mut values: Values) -> Values {
    for (key, value) in changes {
        match value {
            Some(value) => drop(values.insert(key.clone(), value.clone())),
            None => drop(values.remove(key)),
        }
    }
    values
}

#[test]
fn checkpoints_add_up_over_restarts() {
    let folder = tempfile::tempdir().unwrap();
    // More than one window of keys, out of order.
    let first = all(100_003, 1);
    let mut second: Vec<_> = (0..100_003).step_by(3).map(|n| (key(n), None)).collect();
    second.extend((0..100_003).step_by(7).map(|n| (key(n), Some(value(n, 2)))));
    open(folder.path()).write(&meta(10), &mut Changes::new(first.clone())).unwrap();
    let values = applied(&first, Values::new());
    assert_eq!(read(&open(folder.path())), (Some(meta(10)), values.clone()));
    open(folder.path()).write(&meta(20), &mut Changes::new(second.clone())).unwrap();
    assert_eq!(read(&open(folder.path())), (Some(meta(20)), applied(&second, values)));
}

#[test]
fn a_kill_while_a_checkpoint_is_written_leaves_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoints = open(folder.path());
    let first = all(1000, 1);
    checkpoints.write(&meta(10), &mut Changes::new(first.clone())).unwrap();
    let values = applied(&first, Values::new());
    let second = all(120_000, 2);
    let mut kills = 0;
    let mut changes = Changes::new(second);
    changes.chunk = 10_000;
    changes.before_chunk = Box::new(|| {
        kills += 1;
        let killed = tempfile::tempdir().unwrap();
        copy_all(folder.path(), killed.path());
        assert_eq!(read(&open(killed.path())), (Some(meta(10)), values.clone()));
    });
    checkpoints.write(&meta(20), &mut changes).unwrap();
    drop(changes);
    assert!(kills >= 12, "it was killed between parts, and after files were finished: {kills}");
    assert_eq!(read(&checkpoints).0, Some(meta(20)));
}

#[test]
fn a_kill_while_a_checkpoint_is_taken_in_leaves_the_one_or_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoints = open(folder.path());
    let (first, second) = (all(1000, 1), all(60_000, 2));
    checkpoints.write(&meta(10), &mut Changes::new(first.clone())).unwrap();
    let old = applied(&first, Values::new());
    let manifest = manifest_of(folder.path());
    let before = fs::metadata(&manifest).unwrap().len();
    checkpoints.write(&meta(20), &mut Changes::new(second.clone())).unwrap();
    let new = applied(&second, old.clone());
    let after = fs::metadata(&manifest).unwrap().len();
    assert!(after > before, "taking in files is one record of the manifest");
    let (mut olds, mut news) = (0, 0);
    for length in (before..=after).step_by(7).chain([after]) {
        let killed = tempfile::tempdir().unwrap();
        copy_all(folder.path(), killed.path());
        let manifest = killed.path().join(manifest.strip_prefix(folder.path()).unwrap());
        File::options().write(true).open(manifest).unwrap().set_len(length).unwrap();
        match read(&open(killed.path())) {
            (Some(found), values) if found == meta(10) => {
                assert!(values == old, "the old one, whole");
                olds += 1;
            }
            (found, values) => {
                assert_eq!(found, Some(meta(20)));
                assert!(values == new, "the new one, whole");
                news += 1;
            }
        }
    }
    assert!(olds > 5 && news >= 1, "{olds} times the old one, {news} times the new one");
}

/// The manifest that is in use.
fn manifest_of(folder: &Path) -> std::path::PathBuf {
    let live = folder.join("rookery/checkpoint");
    live.join(fs::read_to_string(live.join("CURRENT")).unwrap().trim())
}

/// Sends what is missing, in frames of `frame` bytes, and breaks off after `frames_max`.
fn send(
    from: &dyn FrozenCheckpoint,
    to: &RocksCheckpoints,
    frame: usize,
    frames_max: usize,
) -> bool {
    let mut incoming = to.receive(from.files()).unwrap();
    let mut frames = 0;
    for (at, file) in from.files().iter().enumerate() {
        let mut offset = incoming.present(at).unwrap();
        let mut room = vec![0; frame];
        while offset < file.bytes {
            if frames == frames_max {
                return false;
            }
            frames += 1;
            let bytes = from.read(at, offset, &mut room).unwrap();
            incoming.write(at, offset, &room[..bytes]).unwrap();
            offset += bytes as u64;
        }
    }
    incoming.complete().unwrap();
    true
}

#[test]
fn a_checkpoint_is_sent_in_pieces_and_replaces_the_other() {
    let (sender, receiver) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let from = open(sender.path());
    let theirs = all(50_000, 1);
    from.write(&meta(30), &mut Changes::new(theirs.clone())).unwrap();
    let frozen = from.freeze().unwrap().unwrap();
    // The sender goes on meanwhile; what is sent is what was frozen.
    from.write(&meta(40), &mut Changes::new(all(60_000, 2))).unwrap();
    let ours = all(10, 3);
    {
        let to = open(receiver.path());
        to.write(&meta(10), &mut Changes::new(ours.clone())).unwrap();
        assert!(!send(&*frozen, &to, 100_000, 5), "broken off");
        assert_eq!(read(&to).0, Some(meta(10)));
    }
    // Killed in between: what was received is still there, and is not sent again.
    let to = open(receiver.path());
    let mut frames = 0;
    while !send(&*frozen, &to, 100_000, 20) {
        frames += 20;
        assert!(frames < 1000, "it makes progress");
    }
    to.verify(&frozen.meta().clone()).unwrap();
    assert!(to.verify(&meta(31)).is_err(), "it is not what was expected");
    assert!(to.install(&meta(31)).is_err(), "nor is it installed as such");
    assert_eq!(read(&to).0, Some(meta(10)));
    to.install(&meta(30)).unwrap();
    let theirs = applied(&theirs, Values::new());
    assert_eq!(read(&to), (Some(meta(30)), theirs.clone()));
    to.write(&meta(50), &mut Changes::new(ours.clone())).unwrap();
    drop(to);
    assert_eq!(read(&open(receiver.path())), (Some(meta(50)), applied(&ours, theirs)));
    drop(frozen);
    assert_eq!(fs::read_dir(sender.path().join("rookery/sending")).unwrap().count(), 0);
}

#[test]
fn a_kill_while_a_received_checkpoint_is_installed_leaves_the_one_or_the_other() {
    let (sender, receiver) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let from = open(sender.path());
    from.write(&meta(30), &mut Changes::new(all(100, 1))).unwrap();
    let frozen = from.freeze().unwrap().unwrap();
    {
        let to = open(receiver.path());
        to.write(&meta(10), &mut Changes::new(all(10, 3))).unwrap();
        assert!(send(&*frozen, &to, 100_000, usize::MAX));
    }
    let folder = |name: &str| receiver.path().join("rookery").join(name);
    // The two renames, with a kill behind each.
    let killed = tempfile::tempdir().unwrap();
    copy_all(receiver.path(), killed.path());
    assert_eq!(read(&open(killed.path())).0, Some(meta(10)), "before the first");
    fs::rename(folder("checkpoint"), folder("replaced")).unwrap();
    let killed = tempfile::tempdir().unwrap();
    copy_all(receiver.path(), killed.path());
    assert_eq!(read(&open(killed.path())).0, Some(meta(30)), "behind the first");
    fs::rename(folder("received"), folder("checkpoint")).unwrap();
    assert_eq!(read(&open(receiver.path())).0, Some(meta(30)), "behind the second");
    assert!(!folder("replaced").exists(), "the old one is removed");
}

#[test]
fn a_received_checkpoint_that_is_damaged_is_refused() {
    let (sender, receiver) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let from = open(sender.path());
    from.write(&meta(30), &mut Changes::new(all(100, 1))).unwrap();
    let to = open(receiver.path());
    assert!(send(&*from.freeze().unwrap().unwrap(), &to, 1000, usize::MAX));
    let received = fs::read_dir(receiver.path().join("rookery/received")).unwrap().flatten();
    let path = received
        .map(|file| file.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "sst"))
        .unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes[500] ^= 1;
    fs::write(path, bytes).unwrap();
    let error = to.verify(&meta(30)).unwrap_err().to_string();
    assert!(error.contains("rookery/received"), "{error}");
}
