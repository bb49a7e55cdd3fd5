//! One of three servers finds its files damaged when it starts: it sets them aside, fetches all
//! from the others and serves again; nothing acknowledged is lost, and the clients of the others
//! work all the while. While the others do not serve without it, it waits and changes nothing.
//!
//! What is damaged here is Rookery's own; there is nothing to compare with.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use compat_tests::digests;
use compat_tests::ensemble::{Ensemble, patient};
use compat_tests::load::Load;
use compat_tests::oracle::process::Software;
use compat_tests::raw::{Answer, Session};
use rustix::process::Signal;

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

/// Turns over every bit of some bytes near the beginning of a file. One that a server was killed
/// over may hold fewer, or none.
fn flip(path: &Path) {
    let file = File::options().read(true).write(true).open(path).unwrap();
    let length = file.metadata().unwrap().len();
    let place = length.min(4000) / 2;
    let mut bytes = vec![0; usize::try_from((length - place).min(16)).unwrap()];
    file.read_exact_at(&mut bytes, place).unwrap();
    bytes.iter_mut().for_each(|byte| *byte = !*byte);
    file.write_all_at(&bytes, place).unwrap();
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

/// What a server says that waits with its data as it is.
const WAITS: &str = "nothing is changed until a majority of the others serves";

/// Every file below a folder and what is in it, but for how often a server was started.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            } else if path.ends_with("IDENTITY") {
                let text = fs::read_to_string(&path).unwrap();
                let lines = text.lines().filter(|line| !line.starts_with("incarnation="));
                found.insert(path, lines.collect::<String>().into_bytes());
            } else {
                let bytes = fs::read(&path).unwrap();
                found.insert(path, bytes);
            }
        }
    }
    found
}

fn until(ensemble: &Ensemble, what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + WITHIN;
    while !condition() {
        assert!(Instant::now() < deadline, "never: {what} {}", ensemble.outputs());
        thread::sleep(Duration::from_millis(20));
    }
}

/// Three servers, each with its log in the folder `log` beside its data, and a hundred znodes
/// that were acknowledged; all stopped as by a power failure.
fn killed_with_logs_elsewhere() -> Ensemble {
    let settings = [("tickTime".to_owned(), "1000".to_owned())];
    let mut ensemble = Ensemble::prepare(Software::Rookery, 3, &settings).unwrap();
    for index in 0..3 {
        let log = ensemble.dir_of(index).join("log");
        fs::create_dir_all(&log).unwrap();
        ensemble.set(index, "dataLogDir", &log.display().to_string());
    }
    ensemble.start_all().unwrap();
    let mut session = Session::open(ensemble.address(0), SESSION_MS).unwrap();
    for number in 0..100 {
        let path = format!("/acknowledged-{number}");
        let answer = session.create(&path, b"once").unwrap();
        assert!(matches!(answer, Answer::Reply(0, _)), "{path}: {answer:?}");
    }
    for index in 0..3 {
        ensemble.kill(index);
    }
    ensemble
}

fn assert_all_there(ensemble: &Ensemble) {
    digests::until_equal(ensemble);
    for index in 0..3 {
        let mut session = Session::open(ensemble.address(index), SESSION_MS).unwrap();
        for number in 0..100 {
            let path = format!("/acknowledged-{number}");
            assert_eq!(session.data(&path).unwrap().as_deref(), Some(&b"once"[..]), "{path}");
        }
    }
}

/// A rack starts again, and on two servers the disk of the log is not mounted yet. Had they set
/// their data aside, nobody could take them in again, nor they anybody.
#[test]
fn servers_whose_disks_are_mounted_late_wait_for_them_with_their_data_in_place() {
    let mut ensemble = killed_with_logs_elsewhere();
    let (log, away) = (
        |ensemble: &Ensemble, index| ensemble.dir_of(index).join("log"),
        |ensemble: &Ensemble, index| ensemble.dir_of(index).join("unmounted"),
    );
    for index in 0..2 {
        fs::rename(log(&ensemble, index), away(&ensemble, index)).unwrap();
        fs::create_dir(log(&ensemble, index)).unwrap();
    }
    let before = [0, 1].map(|index| contents(&ensemble.data_dir(index)));
    let unchanged = |ensemble: &Ensemble| {
        for index in 0..2 {
            let data = ensemble.data_dir(index);
            assert_eq!(set_aside(&data), 0, "server {index}: {}", ensemble.output(index));
            assert_eq!(set_aside(&log(ensemble, index)), 0, "server {index}");
            assert_eq!(ensemble.mode(index), None, "server {index}");
        }
    };
    for index in 0..3 {
        ensemble.spawn(index).unwrap();
    }
    until(&ensemble, "both wait", || {
        unchanged(&ensemble);
        (0..2).all(|index| ensemble.output(index).contains(WAITS))
    });
    // It is told to end, while it waits for the others.
    ensemble.signal(1, Signal::TERM);
    let ended = ensemble.wait_exit(1, Duration::from_secs(10)).expect("it ends");
    assert_eq!(ended.code(), Some(0), "{}", ensemble.output(1));
    ensemble.spawn(1).unwrap();
    until(&ensemble, "it waits again", || ensemble.output(1).contains(WAITS));
    // They ask, and look, again and again.
    let deadline = Instant::now() + Duration::from_secs(2);
    while Instant::now() < deadline {
        unchanged(&ensemble);
        thread::sleep(Duration::from_millis(100));
    }
    for (index, before) in before.iter().enumerate() {
        assert!(contents(&ensemble.data_dir(index)) == *before, "server {index} was changed");
    }

    for index in 0..2 {
        fs::remove_dir_all(log(&ensemble, index)).unwrap();
        fs::rename(away(&ensemble, index), log(&ensemble, index)).unwrap();
    }
    for index in 0..3 {
        until(&ensemble, "all serve again", || ensemble.mode(index).is_some());
        assert_eq!(set_aside(&ensemble.data_dir(index)), 0, "server {index}");
    }
    assert_all_there(&ensemble);
}

/// The others are not running yet: it could not know that they will, nor that they have it all.
#[test]
fn a_damaged_server_waits_for_the_others_before_it_sets_its_data_aside() {
    let mut ensemble = killed_with_logs_elsewhere();
    fs::remove_file(ensemble.dir_of(0).join("log/rookery/mark")).unwrap();
    let data = ensemble.data_dir(0);
    ensemble.spawn(0).unwrap();
    until(&ensemble, "it waits", || ensemble.output(0).contains(WAITS));
    ensemble.spawn(1).unwrap();
    until(&ensemble, "the second is up", || ensemble.output(1).contains("serving clients"));
    assert_eq!(set_aside(&data), 0, "one of three is no majority");
    ensemble.spawn(2).unwrap();
    until(&ensemble, "it sets its data aside", || set_aside(&data) == 1);
    assert_ne!(ensemble.wait_for_leader(WITHIN), 0, "{}", ensemble.outputs());
    ensemble.wait_for_mode(0, Some("follower"), WITHIN);
    assert_eq!(set_aside(&ensemble.dir_of(0).join("log")), 1);
    assert_all_there(&ensemble);
}

/// Two of three set their data aside, and then the third was lost: the two must not take
/// themselves for a new cluster.
#[test]
fn servers_whose_data_was_set_aside_do_not_found_a_cluster_of_their_own() {
    let settings = [("tickTime".to_owned(), "1000".to_owned())];
    let mut ensemble = Ensemble::prepare(Software::Rookery, 3, &settings).unwrap();
    for index in 0..2 {
        // As it is left when data was set aside, until a cluster takes the server in.
        let rookery = ensemble.data_dir(index).join("rookery");
        fs::create_dir(&rookery).unwrap();
        let node = (1_u64 << 63) + u64::try_from(index).unwrap();
        let identity = format!("cluster=7\nnode={node:016x}\nincarnation=0\nfounds=no\n");
        fs::write(rookery.join("IDENTITY"), identity).unwrap();
        ensemble.spawn(index).unwrap();
    }
    for index in 0..2 {
        until(&ensemble, "it waits for its cluster", || {
            ensemble.output(index).contains("waiting for a server of its cluster")
        });
    }
    // Long enough for two that are really empty to have founded a cluster.
    let deadline = Instant::now() + Duration::from_secs(4);
    while Instant::now() < deadline {
        assert_eq!((ensemble.mode(0), ensemble.mode(1)), (None, None), "{}", ensemble.outputs());
        thread::sleep(Duration::from_millis(100));
    }
}
