//! Three servers as one service: kill -9 of each in turn under load, rolling restarts, wiped
//! disks, a leader that stands still. Nothing acknowledged is lost, nothing is applied twice, no
//! session dies.
//!
//! Environment: `COMPAT_SERVER=zookeeper` runs the tests against Apache ZooKeeper; what
//! Rookery promises beyond it is then left out.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use compat_tests::ensemble::{Ensemble, patient};
use compat_tests::load::Load;
use compat_tests::oracle::process::Software;
use compat_tests::raw::{Answer, Handshake, Session};
use compat_tests::writer::{create_ephemeral, owner};
use rustix::process::Signal;

/// Sessions must outlive the slowest change.
const SESSION_MS: i32 = 30_000;
const WITHIN: Duration = Duration::from_secs(60);
const SYNC: i32 = 9;

fn ensemble() -> Ensemble {
    ensemble_with(&[])
}

fn ensemble_with(settings: &[(&str, &str)]) -> Ensemble {
    Ensemble::start(Software::from_env(), 3, &patient(settings)).unwrap()
}

fn addresses_from(ensemble: &Ensemble, first: usize) -> Vec<SocketAddr> {
    (0..ensemble.len()).map(|index| ensemble.address((first + index) % ensemble.len())).collect()
}

/// Reads what every server has by now.
fn synced(session: &mut Session, path: &str) -> Option<Vec<u8>> {
    let answer = session.ask(SYNC, |out| {
        out.text(Some("/"));
    });
    assert!(matches!(answer.unwrap(), Answer::Reply(0, _)));
    session.data(path).unwrap()
}

/// Writers on all servers.
fn load(ensemble: &Ensemble) -> Load {
    let servers = (0..ensemble.len()).map(|number| addresses_from(ensemble, number));
    Load::start(servers.collect::<Vec<_>>(), SESSION_MS)
}

#[test]
fn what_one_server_takes_all_servers_show() {
    let ensemble = ensemble();
    ensemble.wait_for_leader(WITHIN);
    let mut sessions: Vec<Session> =
        (0..3).map(|index| Session::open(ensemble.address(index), SESSION_MS).unwrap()).collect();
    for (index, session) in sessions.iter_mut().enumerate() {
        let answer = session.create(&format!("/from-{index}"), b"here").unwrap();
        assert!(matches!(answer, Answer::Reply(0, _)), "{answer:?}");
    }
    for (at, session) in sessions.iter_mut().enumerate() {
        for index in 0..3 {
            let data = synced(session, &format!("/from-{index}"));
            assert_eq!(data.as_deref(), Some(&b"here"[..]), "/from-{index} at {at}");
        }
    }
    let modes: Vec<_> = (0..3).filter_map(|index| ensemble.mode(index)).collect();
    assert_eq!(modes.iter().filter(|mode| *mode == "leader").count(), 1, "{modes:?}");
    assert_eq!(modes.iter().filter(|mode| *mode == "follower").count(), 2, "{modes:?}");
}

#[test]
fn a_session_moves_between_servers_with_its_ephemeral() {
    let ensemble = ensemble();
    let mut session = Session::open(ensemble.address(0), SESSION_MS).unwrap();
    create_ephemeral(&mut session, "/held").unwrap();
    for turn in 1..6 {
        let handshake = Handshake::resume(SESSION_MS, &session.welcome);
        // A server that has just lost touch with the others, on a busy machine, sends it away.
        let to = &mut [ensemble.address(turn % 3)];
        let mut moved = Session::resume_anywhere(to, &handshake, "the session that moves");
        assert_eq!(moved.welcome.session_id, session.welcome.session_id);
        assert!(synced(&mut moved, "/held").is_some());
        let held = owner(&mut moved, "/held").unwrap();
        assert_eq!(held, Some(session.welcome.session_id));
        session = moved;
    }
}

#[test]
fn every_acknowledged_write_survives_kill_9_of_each_server_in_turn() {
    let mut ensemble = ensemble();
    ensemble.wait_for_leader(WITHIN);
    let load = load(&ensemble);
    let mut killed_leaders = 0;
    for round in 0..6 {
        load.wait_for(200);
        // The leader every other time.
        let leader = ensemble.wait_for_leader(WITHIN);
        let victim = if round % 2 == 0 { leader } else { (leader + 1) % 3 };
        killed_leaders += usize::from(victim == leader);
        ensemble.kill(victim);
        load.wait_for(200);
        ensemble.start_again(victim).unwrap();
    }
    assert_eq!(killed_leaders, 3);
    let writers = load.stop_and_verify();
    assert!(writers.iter().all(|writer| writer.acknowledged() > 0));
}

#[test]
fn a_rolling_restart_loses_nothing() {
    let mut ensemble = ensemble();
    let load = load(&ensemble);
    for index in 0..3 {
        load.wait_for(200);
        ensemble.stop(index, WITHIN);
        load.wait_for(200);
        ensemble.start_again(index).unwrap();
    }
    load.stop_and_verify();
}

/// Clients of the servers that are left notice nothing but a pause.
#[test]
fn a_killed_leader_costs_the_others_clients_no_connection() {
    let mut ensemble = ensemble();
    if ensemble.software() == Software::ZooKeeper {
        // It drops every client: nothing to expect.
        return;
    }
    let leader = ensemble.wait_for_leader(WITHIN);
    let load = load(&ensemble);
    load.wait_for(300);
    ensemble.kill(leader);
    load.wait_for(600);
    for (number, writer) in load.stop_and_verify().iter().enumerate() {
        let connections = writer.connections();
        assert!(number == leader || connections == 1, "{connections} at server {number}");
    }
}

/// What it missed is in the log: nobody sends it the whole state for that.
#[test]
fn a_follower_that_was_away_for_a_moment_gets_the_log() {
    let mut ensemble = ensemble_with(&[("snapCount", "500")]);
    let leader = ensemble.wait_for_leader(WITHIN);
    let away = (leader + 1) % 3;
    let load = load(&ensemble);
    load.wait_for(3_000);
    ensemble.kill(away);
    load.wait_for(3_000);
    ensemble.start_again(away).unwrap();
    load.wait_for(3_000);
    load.stop_and_verify();
    if ensemble.software() == Software::Rookery {
        let said = ensemble.output(away);
        assert!(!said.contains("receiving the leader's checkpoint"), "{said}");
    }
}

/// What it missed is not in the log any more, and comes as a checkpoint.
#[test]
fn a_follower_that_was_away_for_long_catches_up() {
    // The log that is kept ends soon.
    let mut ensemble = ensemble_with(&[("snapCount", "500"), ("commitLogCount", "50")]);
    let leader = ensemble.wait_for_leader(WITHIN);
    let away = (leader + 1) % 3;
    let load = load(&ensemble);
    load.wait_for(200);
    ensemble.kill(away);
    load.wait_for(5_000);
    ensemble.start_again(away).unwrap();
    load.wait_for(200);
    load.stop_and_verify();
    if ensemble.software() == Software::Rookery {
        let said = ensemble.output(away);
        assert!(said.contains("the leader's checkpoint is installed"), "{said}");
    }
    // It holds it all by itself, and is one of two that are needed.
    ensemble.kill(leader);
    let mut session = Session::open(ensemble.address(away), SESSION_MS).unwrap();
    assert!(synced(&mut session, "/writer-0/0").is_some());
}

/// The leader decides who has expired, and hears of the others' clients by way of them.
#[test]
fn a_silent_session_ends_and_one_that_is_heard_does_not_on_every_server() {
    const TIMEOUT_MS: i32 = 10_000;
    let settings = [("minSessionTimeout", "10000")];
    let ensemble = ensemble_with(&settings);
    ensemble.wait_for_leader(WITHIN);
    let open = |index: usize, name: &str| {
        let mut session = Session::open(ensemble.address(index), TIMEOUT_MS).unwrap();
        create_ephemeral(&mut session, &format!("/{name}-{index}")).unwrap();
        session
    };
    let silent: Vec<Session> = (0..3).map(|index| open(index, "silent")).collect();
    let mut heard: Vec<Session> = (0..3).map(|index| open(index, "heard")).collect();
    drop(silent);
    // So long that all that were heard would have expired, too.
    let expired = Instant::now() + Duration::from_millis(12_000);
    let deadline = Instant::now() + WITHIN;
    let mut left = 3;
    while left > 0 || Instant::now() < expired {
        assert!(Instant::now() < deadline, "{left} do not expire: {}", ensemble.outputs());
        for (index, session) in heard.iter_mut().enumerate() {
            let held = owner(session, &format!("/heard-{index}")).unwrap();
            assert_eq!(held, Some(session.welcome.session_id), "at server {index}");
        }
        let is_left = |index: &usize| heard[0].data(&format!("/silent-{index}")).unwrap().is_some();
        left = (0..3).filter(is_left).count();
        thread::sleep(Duration::from_millis(300));
    }
    for (at, session) in heard.iter_mut().enumerate() {
        for index in 0..3 {
            assert_eq!(synced(session, &format!("/silent-{index}")), None, "at server {at}");
        }
    }
}

/// Operators wipe a disk and start the server again under its old `myid`.
#[test]
fn a_wiped_server_comes_back() {
    let mut ensemble = ensemble();
    let load = load(&ensemble);
    for index in 0..3 {
        load.wait_for(500);
        ensemble.kill(index);
        ensemble.wipe(index);
        ensemble.start_again(index).unwrap();
        load.wait_for(200);
    }
    load.stop_and_verify();
    let mut session = Session::open(ensemble.address(2), SESSION_MS).unwrap();
    assert!(synced(&mut session, "/writer-0/0").is_some());
}

/// The timeout of sessions that a leader which stands still does not hear.
const HEARD_MS: i32 = 6000;

/// A leader that stood still has heard nobody meanwhile. What it makes of that, when it goes on
/// before it learns that another one leads, must not end what that one heard.
#[test]
fn a_leader_that_stood_still_ends_no_session_that_others_hear() {
    const STILL: Duration = Duration::from_millis(9000);
    let settings = [("tickTime", "500"), ("minSessionTimeout", "6000")];
    let ensemble = ensemble_with(&settings);
    for round in 0..4 {
        let leader = ensemble.wait_for_leader(WITHIN);
        let others = [(leader + 1) % 3, (leader + 2) % 3].map(|index| ensemble.address(index));
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            for client in 0..4 {
                let (path, over) = (format!("/held-{round}-{client}"), &over);
                let mut servers = [others[client % 2], others[1 - client % 2]];
                let mut session = Session::open(servers[0], HEARD_MS).unwrap();
                create_ephemeral(&mut session, &path).unwrap();
                scope.spawn(move || {
                    let late = Instant::now() + WITHIN;
                    while !over.load(Ordering::Relaxed) && Instant::now() < late {
                        session = go_on(session, &path, &mut servers);
                        thread::sleep(Duration::from_millis(200));
                    }
                });
            }
            ensemble.signal(leader, Signal::STOP);
            thread::sleep(STILL);
            ensemble.signal(leader, Signal::CONT);
            let mut after = write_at(ensemble.address(leader), &format!("/after-{round}"));
            for client in 0..4 {
                let path = format!("/held-{round}-{client}");
                assert!(owner(&mut after, &path).unwrap().is_some(), "{path}");
            }
            over.store(true, Ordering::Relaxed);
        });
    }
}

/// Writes at a server: what that proposed before is then applied there.
fn write_at(server: SocketAddr, path: &str) -> Session {
    loop {
        let fresh = Handshake::fresh(SESSION_MS);
        let mut session = Session::resume_anywhere(&mut [server], &fresh, "a new session");
        // It may send its clients away when it learns who leads.
        if matches!(session.create(path, b""), Ok(Answer::Reply(..))) {
            return session;
        }
    }
}

/// A client that is heard; its server may send it away while nobody leads.
fn go_on(mut session: Session, path: &str, servers: &mut [SocketAddr]) -> Session {
    let id = session.welcome.session_id;
    match owner(&mut session, path) {
        Ok(held) => assert_eq!(held, Some(id), "{path}"),
        Err(_) => {
            let handshake = Handshake::resume(HEARD_MS, &session.welcome);
            session = Session::resume_anywhere(servers, &handshake, path);
        }
    }
    session
}
