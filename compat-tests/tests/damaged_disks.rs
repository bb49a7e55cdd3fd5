//! One of three servers finds its files damaged when it starts: it sets them aside, fetches all
//! from the others and serves again; nothing acknowledged is lost, and the clients of the others
//! work all the while.
//!
//! What is damaged here is Rookery's own; there is nothing to compare with.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use compat_tests::digests;
use compat_tests::ensemble::{Ensemble, patient};
use compat_tests::load::Load;
use compat_tests::oracle::process::Software;
use compat_tests::raw::Session;

const SESSION_MS: i32 = 30_000;
const WITHIN: Duration = Duration::from_secs(60);

/// Files below `folder`, of this ending, the largest first.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found: Vec<(u64, PathBuf)> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_name().to_string_lossy().ends_with(ending))
        .map(|entry| (entry.metadata().unwrap().len(), entry.path()))
        .collect();
    found.sort_by(|one, other| other.cmp(one));
    assert!(!found.is_empty(), "no {ending} in {}", folder.display());
    found.into_iter().map(|(_, path)| path).collect()
}

/// Turns over every bit of some bytes near the beginning of a file.
fn flip(path: &Path) {
    let file = File::options().read(true).write(true).open(path).unwrap();
    let place = file.metadata().unwrap().len().min(4000) / 2;
    let mut bytes = [0; 16];
    file.read_exact_at(&mut bytes, place).unwrap();
    file.write_all_at(&bytes.map(|byte| !byte), place).unwrap();
}

fn cut(path: &Path) {
    let file = File::options().write(true).open(path).unwrap();
    file.set_len(file.metadata().unwrap().len() / 2).unwrap();
}

/// The log's write-ahead log, from near its beginning: the files are as long as they will be.
fn cut_log(rookery: &Path) {
    for path in files(&rookery.join("log"), ".log") {
        File::options().write(true).open(path).unwrap().set_len(1000).unwrap();
    }
}

/// From near the beginning on, as after a disk that lost a part of it: its length stays.
fn zero_log(rookery: &Path) {
    for path in files(&rookery.join("log"), ".log") {
        zero(&path, 1000);
    }
}

/// Writes zeros from a place on to the end.
fn zero(path: &Path, from: u64) {
    let file = File::options().write(true).open(path).unwrap();
    let bytes = file.metadata().unwrap().len().saturating_sub(from);
    file.write_all_at(&vec![0; usize::try_from(bytes).unwrap()], from).unwrap();
}

/// A restore that took the wrong file: the newest file of the log holds what an older one held.
fn misplace_log(rookery: &Path) {
    let mut logs = files(&rookery.join("log"), ".log");
    // Their names are numbers with zeros before them.
    logs.sort();
    let [.., older, newest] = &logs[..] else { panic!("one file alone: {logs:?}") };
    fs::copy(older, newest).unwrap();
}

/// The checkpoint's files. Damage is done to all of them: a crash may leave one behind, even the
/// largest, that is no part of the checkpoint yet or any more, and that nobody misses.
fn checkpoint(rookery: &Path) -> Vec<PathBuf> {
    files(&rookery.join("checkpoint"), ".sst")
}

/// A restore that gave files each other's names: each has that of the next.
fn swap_checkpoint(rookery: &Path) {
    let mut found = checkpoint(rookery);
    if found.len() == 1 {
        found.push(rookery.join("checkpoint/CURRENT"));
    }
    let (last, between) = (&found[found.len() - 1], rookery.join("between"));
    fs::rename(last, &between).unwrap();
    for pair in found.windows(2).rev() {
        fs::rename(&pair[0], &pair[1]).unwrap();
    }
    fs::rename(between, &found[0]).unwrap();
}

/// Both of its slots, of which one is enough.
fn flip_mark(rookery: &Path) {
    let file = File::options().read(true).write(true).open(rookery.join("mark")).unwrap();
    for place in [20, 4096 + 20] {
        let mut bytes = [0; 4];
        file.read_exact_at(&mut bytes, place).unwrap();
        file.write_all_at(&bytes.map(|byte| !byte), place).unwrap();
    }
}

fn lose_log(rookery: &Path) {
    fs::remove_dir_all(rookery.join("log")).unwrap();
}

/// What is done to the files of a server, below its `rookery` folder.
type Damage = fn(&Path);

const DAMAGES: [(&str, Damage); 14] = [
    ("the log is cut", cut_log),
    ("bits of the log are flipped", |rookery| {
        files(&rookery.join("log"), ".log").iter().for_each(|file| flip(file));
    }),
    ("the log ends in zeros", zero_log),
    ("an older file of the log is in a newer one's place", misplace_log),
    ("the log is gone", lose_log),
    ("the mark is gone", |rookery| fs::remove_file(rookery.join("mark")).unwrap()),
    ("bits of the mark are flipped", flip_mark),
    ("bits of the checkpoint are flipped", |rookery| {
        checkpoint(rookery).iter().for_each(|file| flip(file));
    }),
    ("the files of the checkpoint are zeros", |rookery| {
        checkpoint(rookery).iter().for_each(|file| zero(file, 0));
    }),
    ("the files of the checkpoint are swapped", swap_checkpoint),
    ("the files of the checkpoint are gone", |rookery| {
        checkpoint(rookery).iter().for_each(|file| fs::remove_file(file).unwrap());
    }),
    ("the list of the checkpoint's files is cut", |rookery| {
        let list = files(&rookery.join("checkpoint"), "").into_iter().find(|path| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("MANIFEST"))
        });
        cut(&list.unwrap());
    }),
    ("the identity is garbled", |rookery| {
        fs::write(rookery.join("IDENTITY"), "cluster=\u{0}\u{0}").unwrap();
    }),
    ("the identity is gone", |rookery| fs::remove_file(rookery.join("IDENTITY")).unwrap()),
];

/// How often the data of a server was set aside.
fn set_aside(data: &Path) -> usize {
    let names = fs::read_dir(data).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_string_lossy().starts_with("rookery.damaged")).count()
}

#[test]
fn a_damaged_server_is_mended_by_the_others() {
    let mut ensemble =
        Ensemble::start(Software::Rookery, 3, &patient(&[("snapCount", "500")])).unwrap();
    ensemble.wait_for_leader(WITHIN);
    let from = |first: usize| (0..3).map(|index| ensemble.address((first + index) % 3)).collect();
    let load = Load::start((0..3).map(from), SESSION_MS);
    let wait_for = |count: u64, what: &str, ensemble: &Ensemble| {
        let target = load.acknowledged() + count;
        let deadline = Instant::now() + WITHIN;
        while load.acknowledged() < target {
            assert!(!load.has_failed(), "{what}: a writer failed");
            assert!(Instant::now() < deadline, "{what}: no writes {}", ensemble.outputs());
            thread::sleep(Duration::from_millis(1));
        }
    };
    for (number, (what, damage)) in DAMAGES.into_iter().enumerate() {
        let victim = number % 3;
        wait_for(2000, what, &ensemble);
        ensemble.kill(victim);
        let rookery = ensemble.data_dir(victim).join("rookery");
        damage(&rookery);
        if let Err(error) = ensemble.start_again(victim) {
            panic!("{what}: {error} {}", ensemble.outputs());
        }
        wait_for(200, what, &ensemble);
        let said = ensemble.output(victim);
        assert!(said.contains("data is damaged"), "{what}: it did not notice: {said}");
        assert_eq!(set_aside(&ensemble.data_dir(victim)), number / 3 + 1, "{what}");
    }
    load.stop_and_verify();
    digests::until_equal(&ensemble);
    // Each of them was mended in turn: what is there now came from the others.
    for index in 0..3 {
        let mut session = Session::open(ensemble.address(index), SESSION_MS).unwrap();
        assert!(session.data("/writer-0/0").unwrap().is_some(), "at server {index}");
    }
}

/// Two of three cannot help it: the third must not take the two for a new cluster.
#[test]
fn servers_whose_data_was_damaged_do_not_found_a_cluster_of_their_own() {
    let settings = [("tickTime".to_owned(), "1000".to_owned())];
    let mut ensemble = Ensemble::start(Software::Rookery, 3, &settings).unwrap();
    let mut session = Session::open(ensemble.address(0), SESSION_MS).unwrap();
    session.create("/acknowledged", b"once").unwrap();
    drop(session);
    for index in 0..3 {
        ensemble.kill(index);
    }
    for index in 0..2 {
        lose_log(&ensemble.data_dir(index).join("rookery"));
        ensemble.spawn(index).unwrap();
    }
    let deadline = Instant::now() + WITHIN;
    for index in 0..2 {
        while !ensemble.output(index).contains("waiting for a server of its cluster") {
            assert!(Instant::now() < deadline, "{}", ensemble.outputs());
            thread::sleep(Duration::from_millis(20));
        }
    }
    // Long enough for two that are really empty to have founded a cluster.
    let deadline = Instant::now() + Duration::from_secs(4);
    while Instant::now() < deadline {
        assert_eq!((ensemble.mode(0), ensemble.mode(1)), (None, None), "{}", ensemble.outputs());
        thread::sleep(Duration::from_millis(100));
    }
}
