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
    ensemble.with_admin_servers().unwrap();
    ensemble.start_all().unwrap();
    until_led_by(&ensemble, if leads { SMALL } else { 0 });
    let healthy = [ensemble.address(0), ensemble.address(1)];
    let servers = [vec![healthy[0], healthy[1]], vec![healthy[1], healthy[0]]];
    let load = Load::start_with(servers, SESSION_MS, |writer| writer.with_rest(REST));
    load.wait_for(100);

    // Its own clients are turned away before the disk is full, and served when there is room.
    disk.leave_free(40).unwrap();
    let deadline = Instant::now() + WITHIN;
    let mut session = open(ensemble.address(SMALL), deadline);
    let refusal = loop {
        match set(&mut session, "/writer-0", b"x") {
            Some(0) => {}
            Some(error) => break error,
            None => session = open(ensemble.address(SMALL), deadline),
        }
        assert!(Instant::now() < deadline, "writes are taken on a disk that is almost full");
    };
    assert_eq!(refusal, SYSTEM_ERROR, "{}", ensemble.outputs());
    load.wait_for(100);

    // What the others decide fills it up.
    disk.leave_free(4).unwrap();
    let deadline = Instant::now() + WITHIN;
    let mut large = open(healthy[0], deadline);
    let status = loop {
        if set(&mut large, "/writer-0", &[b'x'; 500_000]).is_none() {
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

/// Hands the lead to this server, if it does not lead.
fn until_led_by(ensemble: &Ensemble, wanted: usize) {
    let deadline = Instant::now() + WITHIN;
    while ensemble.wait_for_leader(WITHIN) != wanted {
        assert!(Instant::now() < deadline, "the wrong one leads: {}", ensemble.outputs());
        // Where it fails, the next look tells.
        let _ = ensemble.hand_over(0, wanted);
    }
}

/// Sets what a znode holds. The error the reply tells, 0 for none; `None` when the connection was
/// lost, as a change of leaders may do.
fn set(session: &mut Session, path: &str, data: &[u8]) -> Option<i32> {
    let answer = session.ask(SET_DATA, |out| {
        out.text(Some(path)).buffer(Some(data)).int(-1);
    });
    match answer {
        Ok(Answer::Reply(error, _)) => Some(error),
        Ok(Answer::Closed | Answer::Nothing) | Err(_) => None,
    }
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
