//! The disk of one of three servers fills up while clients write: nothing acknowledged is lost,
//! the two others go on, the one says why it stops or takes no writes, and comes back when there
//! is room.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use compat_tests::digests;
use compat_tests::ensemble::{Ensemble, patient};
use compat_tests::load::Load;
use compat_tests::oracle::process::Software;
use compat_tests::raw::{Answer, Session};
use compat_tests::small_disk::SmallDisk;

const SESSION_MS: i32 = 30_000;
const WITHIN: Duration = Duration::from_secs(60);
const REST: Duration = Duration::from_millis(2);
const SET_DATA: i32 = 5;
/// To writes, while the disk is almost full.
const SYSTEM_ERROR: i32 = -1;
/// Room for the log's files and what a server keeps free, and a little more, in MiB.
const DISK_MEBIBYTES: u64 = 200;
const ENOUGH_MEBIBYTES: u64 = 1000;
/// Which server has the small disk.
const SMALL: usize = 2;

#[test]
fn a_follower_whose_disk_is_full_loses_nothing() {
    fill(false);
}

#[test]
fn a_leader_whose_disk_is_full_loses_nothing() {
    fill(true);
}

fn fill(leads: bool) {
    let settings = patient(&[("snapCount", "2000")]);
    let mut ensemble = Ensemble::prepare(Software::Rookery, 3, &settings).unwrap();
    let disk = SmallDisk::mount_at(&ensemble.data_dir(SMALL), DISK_MEBIBYTES).unwrap();
    fs::write(ensemble.data_dir(SMALL).join("myid"), format!("{}\n", SMALL + 1)).unwrap();
    ensemble.start_all().unwrap();
    let deadline = Instant::now() + WITHIN;
    while (ensemble.wait_for_leader(WITHIN) == SMALL) != leads {
        assert!(Instant::now() < deadline, "the wrong one leads: {}", ensemble.outputs());
        let leader = ensemble.wait_for_leader(WITHIN);
        ensemble.stop(leader, WITHIN);
        ensemble.start_again(leader).unwrap();
    }
    let healthy = [ensemble.address(0), ensemble.address(1)];
    let servers = [vec![healthy[0], healthy[1]], vec![healthy[1], healthy[0]]];
    let load = Load::start_with(servers, SESSION_MS, |writer| writer.with_rest(REST));
    load.wait_for(100);

    // Its own clients are turned away before the disk is full, and served when there is room.
    let mut session = Session::open(ensemble.address(SMALL), SESSION_MS).unwrap();
    disk.leave_free(40).unwrap();
    let deadline = Instant::now() + WITHIN;
    let refusal = loop {
        let answer = session.ask(SET_DATA, |out| {
            out.text(Some("/writer-0")).buffer(Some(b"x")).int(-1);
        });
        match answer.unwrap() {
            Answer::Reply(0, _) => {}
            other @ (Answer::Reply(..) | Answer::Closed | Answer::Nothing) => break other,
        }
        assert!(Instant::now() < deadline, "writes are taken on a disk that is almost full");
    };
    assert!(matches!(refusal, Answer::Reply(SYSTEM_ERROR, _)), "{refusal:?}");
    load.wait_for(100);

    // What the others decide fills it up.
    disk.leave_free(4).unwrap();
    let deadline = Instant::now() + WITHIN;
    let mut large = open(healthy[0], deadline);
    assert!(matches!(large.create("/large", b"").unwrap(), Answer::Reply(0, _)));
    let status = loop {
        let data = vec![b'x'; 500_000];
        // A change of leaders may cost the answer.
        let answer = large.ask(SET_DATA, |out| {
            out.text(Some("/large")).buffer(Some(&data)).int(-1);
        });
        if !matches!(answer, Ok(Answer::Reply(0, _))) {
            large = open(healthy[0], deadline);
        }
        if let Some(status) = ensemble.wait_exit(SMALL, Duration::ZERO) {
            break status;
        }
        assert!(Instant::now() < deadline, "it goes on: {}", ensemble.outputs());
    };
    let said = ensemble.output(SMALL);
    assert!(status.code().is_some_and(|code| code != 0), "{status}: {said}");
    let last = said.lines().rev().find(|line| line.starts_with("rookery: ")).unwrap_or_default();
    assert!(last.contains("No space left on device"), "it does not say why: {said}");
    load.wait_for(500);

    // There is room again: it comes back by itself.
    disk.grow(ENOUGH_MEBIBYTES).unwrap();
    ensemble.start_again(SMALL).unwrap();
    load.wait_for(100);
    load.stop_and_verify();
    digests::until_equal(&ensemble);
}

/// A session on a server that may be looking for a leader.
fn open(server: SocketAddr, deadline: Instant) -> Session {
    loop {
        match Session::open(server, SESSION_MS) {
            Ok(session) => return session,
            Err(error) => assert!(Instant::now() < deadline, "no session: {error}"),
        }
        thread::sleep(Duration::from_millis(20));
    }
}
