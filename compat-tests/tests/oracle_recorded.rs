//! What real clients once sent is answered by Rookery with the bytes that Apache ZooKeeper
//! answers with, but for the fields that `docs/compatibility.md` lists.
//!
//! The recordings are made by
//! `COMPAT_SERVER=zookeeper COMPAT_RECORD=compat-tests/recorded cargo test --release -p
//! compat-tests --test clients`.
//! Environment: `COMPAT_SERVER=zookeeper` compares ZooKeeper with itself.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stderr, reason = "says how much was compared")]

use std::fs;
use std::path::Path;

use compat_tests::oracle::Servers;
use compat_tests::oracle::process::Software;
use compat_tests::oracle::recorded::Recording;
use compat_tests::oracle::recorded::replay::{Said, difference, replay};

/// All that clients may ask for, and no session that ends by itself: pauses are not replayed.
const SETTINGS: [(&str, &str); 3] = [
    ("extendedTypesEnabled", "true"),
    ("minSessionTimeout", "60000"),
    ("maxSessionTimeout", "120000"),
];

fn replayed(software: Software, recording: &Recording) -> Vec<Said> {
    let settings = SETTINGS.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let servers = Servers::start(software, 1, &settings).unwrap();
    replay(recording, servers.addresses()[0]).unwrap()
}

fn is_answered_the_same(name: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("recorded/{name}.txt"));
    let recording = Recording::parse(&fs::read_to_string(file).unwrap()).unwrap();
    let expected = replayed(Software::ZooKeeper, &recording);
    let actual = replayed(Software::from_env(), &recording);
    eprintln!("{name}: {} frames sent, {} compared", recording.lines.len(), expected.len());
    let found = difference(&expected, &actual);
    assert!(found.is_none(), "{name}: {}", found.unwrap_or_default());
}

#[test]
fn kazoo() {
    is_answered_the_same("kazoo-2.10.0");
}

#[test]
fn java() {
    is_answered_the_same("java-3.9.5");
}

#[test]
fn c() {
    is_answered_the_same("c-3.8.0");
}

#[test]
fn go_zookeeper() {
    is_answered_the_same("go-zookeeper-1.0.4");
}
