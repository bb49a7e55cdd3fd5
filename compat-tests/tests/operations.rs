//! What operators do with an ensemble by the tools of Rookery: rebuilding a quorum from a
//! survivor.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::net::SocketAddr;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use compat_tests::ensemble::Ensemble;
use compat_tests::oracle::process::{Software, rookery_binary};
use compat_tests::raw::{Answer, Session};

const SESSION_MS: i32 = 30_000;
const WITHIN: Duration = Duration::from_secs(60);
const SYNC: i32 = 9;

fn settings() -> Vec<(String, String)> {
    vec![("tickTime".to_owned(), "1000".to_owned())]
}

fn rookery(arguments: &[&str]) -> Output {
    Command::new(rookery_binary()).args(arguments).output().unwrap()
}

/// What it printed, when it succeeded.
#[track_caller]
fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// What it complained about, when it failed.
#[track_caller]
fn complained(output: &Output) -> String {
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + WITHIN;
    while !condition() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[track_caller]
fn create(session: &mut Session, path: &str) {
    let answer = session.create(path, path.as_bytes()).unwrap();
    assert!(matches!(answer, Answer::Reply(0, _)), "{path}: {answer:?}");
}

/// Reads what the ensemble had decided before.
fn synced(address: SocketAddr, path: &str) -> Option<Vec<u8>> {
    let mut session = Session::open(address, SESSION_MS).unwrap();
    let answer = session.ask(SYNC, |out| {
        out.text(Some("/"));
    });
    assert!(matches!(answer.unwrap(), Answer::Reply(0, _)));
    session.data(path).unwrap()
}

#[test]
fn a_survivor_goes_on_alone_with_all_that_was_acknowledged() {
    let mut ensemble = Ensemble::start(Software::Rookery, 3, &settings()).unwrap();
    ensemble.wait_for_leader(WITHIN);
    let mut session = Session::open(ensemble.address(0), SESSION_MS).unwrap();
    let paths: Vec<String> = (0..200).map(|number| format!("/kept-{number}")).collect();
    for path in &paths {
        create(&mut session, path);
    }
    let survivor = 1;
    assert!(synced(ensemble.address(survivor), "/kept-199").is_some());
    let config = ensemble.dir_of(survivor).join("zoo.cfg").display().to_string();

    let running = complained(&rookery(&["recover", "--config", &config, "--yes"]));
    assert!(running.contains("another server is using this data directory"), "{running}");
    for lost in [0, 2] {
        ensemble.kill(lost);
        ensemble.wipe(lost);
    }
    ensemble.stop(survivor, Duration::from_secs(10));

    let look = said(&rookery(&["recover", "--config", &config]));
    assert!(look.contains("This is server.2") && look.contains("Nothing was changed"), "{look}");
    assert!(look.contains("Before: server.1, server.2, server.3 vote."), "{look}");
    let done = said(&rookery(&["recover", "--config", &config, "--yes"]));
    assert!(done.contains("After:  server.2 alone votes"), "{done}");

    ensemble.start_again(survivor).unwrap();
    assert_eq!(ensemble.mode(survivor).as_deref(), Some("leader"));
    let mut session = Session::open(ensemble.address(survivor), SESSION_MS).unwrap();
    for path in &paths {
        assert_eq!(session.data(path).unwrap().as_deref(), Some(path.as_bytes()), "{path}");
    }
    create(&mut session, "/alone");

    for wiped in [0, 2] {
        ensemble.start_again(wiped).unwrap();
        assert_eq!(synced(ensemble.address(wiped), "/alone").as_deref(), Some(&b"/alone"[..]));
    }
    ensemble.kill(survivor);
    until("the two others go on", || ensemble.leader().is_some());
    let next = ensemble.leader().unwrap();
    create(&mut Session::open(ensemble.address(next), SESSION_MS).unwrap(), "/after");
    assert!(synced(ensemble.address(next), "/alone").is_some());
}

#[test]
fn recover_refuses_what_it_cannot_do() {
    let dir = tempfile::TempDir::new().unwrap();
    let path = dir.path().display().to_string();
    let empty = complained(&rookery(&["recover", "--data-dir", &path, "--yes"]));
    assert!(empty.contains("no server ever ran on this data directory"), "{empty}");
    let nothing = complained(&rookery(&["recover", "--yes"]));
    assert!(nothing.contains("--config") && nothing.contains("--data-dir"), "{nothing}");

    let mut ensemble = Ensemble::start(Software::Rookery, 3, &settings()).unwrap();
    ensemble.wait_for_leader(WITHIN);
    ensemble.stop(0, Duration::from_secs(10));
    let data = ensemble.dir_of(0).join("data").display().to_string();
    let others = complained(&rookery(&["recover", "--data-dir", &data, "--yes"]));
    assert!(others.contains("server.2 answers at 127.0.0.1:"), "{others}");
    // Nothing was changed: it comes back as what it was.
    ensemble.start_again(0).unwrap();
    assert_eq!(ensemble.mode(0).as_deref(), Some("follower"));
}
