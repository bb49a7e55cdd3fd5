//! Local sessions: one server's own, until they create an ephemeral.
//!
//! Environment: `COMPAT_SERVER=zookeeper` runs the tests against Apache ZooKeeper; what
//! Rookery promises beyond it is then left out.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::thread;
use std::time::{Duration, Instant};

use compat_tests::ensemble::{Ensemble, Lines, patient};
use compat_tests::oracle::process::{ServerProcess, Software, four_letter_word};
use compat_tests::raw::{
    Answer, Greeting, Handshake, Incoming, Reader, Session, Writer, put_create_flagged,
};
use compat_tests::writer::{create_ephemeral, owner};

/// Of sessions that end when they are closed.
const SESSION_MS: i32 = 60_000;
const WITHIN: Duration = Duration::from_secs(60);
/// How often a condition is looked at again.
const POLL_EVERY: Duration = Duration::from_millis(20);
const EPHEMERAL_ON_LOCAL_SESSION: i32 = -120;
const SESSION_EXPIRED: i32 = -112;
const NO_AUTH: i32 = -102;
const CREATE: i32 = 1;
const SET_DATA: i32 = 5;
const SYNC: i32 = 9;
const PING: i32 = 11;
const MULTI: i32 = 14;
const RECONFIG: i32 = 16;
const AUTH: i32 = 100;
const CLOSE: i32 = -11;

fn settings(upgrading: &str) -> Vec<(String, String)> {
    patient(&[("localSessionsEnabled", "true"), ("localSessionsUpgradingEnabled", upgrading)])
}

/// Three servers, and the indexes of the leader and of the two others.
fn ensemble(upgrading: &str) -> (Ensemble, [usize; 3]) {
    started(&settings(upgrading))
}

fn started(settings: &[(String, String)]) -> (Ensemble, [usize; 3]) {
    let ensemble = Ensemble::start(Software::from_env(), 3, settings).unwrap();
    let leader = ensemble.wait_for_leader(WITHIN);
    (ensemble, [leader, (leader + 1) % 3, (leader + 2) % 3])
}

fn open(ensemble: &Ensemble, index: usize) -> Session {
    Session::open(ensemble.address(index), SESSION_MS).unwrap()
}

fn resume(ensemble: &Ensemble, index: usize, session: &Session) -> Greeting {
    let handshake = Handshake::resume(SESSION_MS, &session.welcome);
    Session::greet(ensemble.address(index), &handshake).unwrap()
}

#[track_caller]
fn resumed(ensemble: &Ensemble, index: usize, session: &Session) -> Session {
    match resume(ensemble, index, session) {
        Greeting::Granted(session) => session,
        other @ (Greeting::Refused(_) | Greeting::Closed | Greeting::Other(_)) => {
            panic!("not resumed: {other:?}")
        }
    }
}

#[track_caller]
fn refused(ensemble: &Ensemble, index: usize, session: &Session) {
    let greeting = resume(ensemble, index, session);
    assert!(matches!(greeting, Greeting::Refused(_)), "{greeting:?}");
}

/// Global and local sessions as a server counts them.
fn sessions(ensemble: &Ensemble, index: usize) -> (String, String) {
    (ensemble.figure(index, "global_sessions"), ensemble.figure(index, "local_sessions"))
}

fn counts(global: i32, local: i32) -> (String, String) {
    (global.to_string(), local.to_string())
}

/// The error code of a create of that kind.
fn create(session: &mut Session, path: &str, flags: i32) -> i32 {
    let answer = session.ask(CREATE, |out| put_create_flagged(out, path, b"", flags)).unwrap();
    let Answer::Reply(code, _) = answer else { panic!("create {path}: {answer:?}") };
    code
}

/// A multi of a plain create and one of that kind; the error code of the second.
fn multi(session: &mut Session, name: &str, flags: i32) -> i32 {
    let element = |out: &mut Writer, path: &str, flags| {
        out.int(CREATE).flag(false).int(-1);
        put_create_flagged(out, path, b"", flags);
    };
    let answer = session.ask(MULTI, |out| {
        element(out, &format!("{name}-plain"), 0);
        element(out, &format!("{name}-other"), flags);
        out.int(-1).flag(true).int(-1);
    });
    let Answer::Reply(0, body) = answer.unwrap() else { panic!("multi {name} failed as a whole") };
    let mut reader = Reader::new(&body);
    let code = |reader: &mut Reader<'_>| {
        let kind = reader.int("type").unwrap();
        reader.flag("done").unwrap();
        reader.int("error").unwrap();
        if kind == -1 {
            reader.int("code").unwrap()
        } else {
            reader.buffer("path").unwrap();
            0
        }
    };
    code(&mut reader);
    code(&mut reader)
}

#[track_caller]
fn closed(session: &mut Session) {
    assert_eq!(session.connection.read_frame(Session::WITHIN).unwrap(), Incoming::Closed);
}

/// How many writes there were under the leader that is: an election begins a new epoch.
fn writes(ensemble: &Ensemble, index: usize) -> u64 {
    let srvr = four_letter_word(ensemble.address(index), "srvr").unwrap();
    let zxid = srvr.lines().find_map(|line| line.strip_prefix("Zxid: 0x")).unwrap();
    u64::from_str_radix(zxid, 16).unwrap() & 0xffff_ffff
}

/// Waits until all servers have all writes. That a session is refused, which no server knows, is
/// a write here.
fn until_alike(ensemble: &Ensemble) {
    let deadline = Instant::now() + WITHIN;
    while (1..ensemble.len()).any(|index| writes(ensemble, index) != writes(ensemble, 0)) {
        assert!(Instant::now() < deadline, "one is behind: {}", ensemble.outputs());
        thread::sleep(POLL_EVERY);
    }
}

#[test]
fn it_comes_and_goes_without_a_write() {
    let (ensemble, [leader, follower, _]) = ensemble("true");
    for index in [leader, follower] {
        until_alike(&ensemble);
        let before = writes(&ensemble, index);
        let mut session = open(&ensemble, index);
        assert_eq!(session.welcome.read_only, Some(false));
        assert_eq!(sessions(&ensemble, index), counts(0, 1));
        let mut again = resumed(&ensemble, index, &session);
        closed(&mut session);
        assert_eq!(again.welcome.session_id, session.welcome.session_id);
        assert!(again.is_served().unwrap());
        assert!(matches!(again.ask(CLOSE, |_| {}).unwrap(), Answer::Reply(0, _)));
        closed(&mut again);
        assert_eq!(sessions(&ensemble, index), counts(0, 0));
        assert_eq!(writes(&ensemble, index), before);
        refused(&ensemble, index, &again);
    }
}

#[test]
fn only_its_own_server_knows_it() {
    let (ensemble, [leader, follower, other]) = ensemble("true");
    for index in [leader, follower] {
        let mut session = open(&ensemble, index);
        refused(&ensemble, other, &session);
        assert_eq!(sessions(&ensemble, other), counts(0, 0));
        assert!(session.is_served().unwrap());
        let wrong = Handshake {
            password: Some(vec![0; 16]),
            ..Handshake::resume(SESSION_MS, &session.welcome)
        };
        let greeting = Session::greet(ensemble.address(index), &wrong).unwrap();
        assert!(matches!(greeting, Greeting::Refused(_)), "{greeting:?}");
        // ZooKeeper drops the live connection before it looks at the password.
        if Software::from_env() == Software::Rookery {
            assert!(session.is_served().unwrap());
        }
    }
}

#[test]
fn it_writes_like_any_other() {
    let (ensemble, servers) = ensemble("false");
    for index in servers {
        let mut session = open(&ensemble, index);
        let path = format!("/from-{index}");
        assert_eq!(create(&mut session, &path, 0), 0);
        assert_eq!(create(&mut session, &path, 0), -110);
        assert_eq!(multi(&mut session, &path, 0), 0);
        assert_eq!(create(&mut session, &format!("{path}-"), 2), 0);
        let set = session.ask(SET_DATA, |out| {
            out.text(Some(&path)).buffer(Some(b"set")).int(-1);
        });
        assert!(matches!(set.unwrap(), Answer::Reply(0, _)));
        assert_eq!(sessions(&ensemble, index).0, "0");
    }
}

#[test]
fn the_first_ephemeral_makes_a_global_session_of_it() {
    let (ensemble, [leader, follower, other]) = ensemble("true");
    for (turn, index) in [(1, leader), (2, follower)] {
        let mut session = open(&ensemble, index);
        let path = format!("/held-{index}");
        create_ephemeral(&mut session, &path).unwrap();
        assert_eq!(sessions(&ensemble, index), counts(3 * turn - 2, 0));
        assert_eq!(owner(&mut session, &path).unwrap(), Some(session.welcome.session_id));
        // Others know it now.
        let mut moved = resumed(&ensemble, other, &session);
        assert_eq!(create(&mut moved, &format!("{path}-2"), 1), 0);
        session = resumed(&ensemble, index, &moved);

        let mut failing = open(&ensemble, index);
        assert_eq!(create(&mut failing, "/no/such", 1), -101);
        assert_eq!(sessions(&ensemble, index), counts(3 * turn - 1, 0), "though it failed");
        let mut many = open(&ensemble, index);
        assert_eq!(multi(&mut many, &format!("/multi-{index}"), 1), 0);
        assert_eq!(sessions(&ensemble, index), counts(3 * turn, 0));

        assert!(matches!(session.ask(CLOSE, |_| {}).unwrap(), Answer::Reply(0, _)));
        closed(&mut session);
        let mut witness = open(&ensemble, other);
        assert!(matches!(sync(&mut witness), Answer::Reply(0, _)));
        assert_eq!(witness.data(&path).unwrap(), None, "an ephemeral goes with its session");
        session = open(&ensemble, index);
        create_ephemeral(&mut session, &path).unwrap();
    }
}

fn sync(session: &mut Session) -> Answer {
    let answer = session.ask(SYNC, |out| {
        out.text(Some("/"));
    });
    answer.unwrap()
}

#[test]
fn without_upgrading_it_can_have_no_ephemerals() {
    let (ensemble, [leader, follower, _]) = ensemble("false");
    for index in [leader, follower] {
        let mut session = open(&ensemble, index);
        for path in ["/held", "nopath", "/no/such"] {
            assert_eq!(create(&mut session, path, 1), EPHEMERAL_ON_LOCAL_SESSION, "{path}");
            assert_eq!(create(&mut session, path, 3), EPHEMERAL_ON_LOCAL_SESSION, "{path}");
        }
        assert_eq!(create(&mut session, "/held", 99), -8, "what is no kind is looked at before");
        // The followers of ZooKeeper take it for the end of the session.
        let expected = match (Software::from_env(), index == leader) {
            (Software::ZooKeeper, false) => SESSION_EXPIRED,
            (Software::Rookery | Software::Faulty, _) | (Software::ZooKeeper, true) => {
                EPHEMERAL_ON_LOCAL_SESSION
            }
        };
        assert_eq!(multi(&mut session, "/multi", 1), expected);
        assert_eq!(session.data("/multi-plain").unwrap(), None, "all or nothing");
        assert!(session.is_served().unwrap());
        assert_eq!(sessions(&ensemble, index), counts(0, 1));
    }
}

#[test]
fn its_server_alone_decides_when_it_ends() {
    let short = [("minSessionTimeout".to_owned(), "5000".to_owned())];
    let (ensemble, [leader, follower, _]) = started(&[settings("true"), short.into()].concat());
    for index in [leader, follower] {
        let mut silent = Session::open(ensemble.address(index), 5000).unwrap();
        let mut heard = Session::open(ensemble.address(index), 10_000).unwrap();
        let gone = Session::open(ensemble.address(index), 5000).unwrap();
        let gone_welcome = gone.welcome.clone();
        drop(gone);
        // So long that the one that is heard would have expired, too.
        let deadline = Instant::now() + Duration::from_millis(11_500);
        while Instant::now() < deadline {
            assert!(matches!(heard.ask(PING, |_| {}).unwrap(), Answer::Reply(0, _)));
            thread::sleep(Duration::from_millis(200));
        }
        closed(&mut silent);
        assert_eq!(sessions(&ensemble, index), counts(0, 1));
        refused(&ensemble, index, &silent);
        let handshake = Handshake::resume(SESSION_MS, &gone_welcome);
        let greeting = Session::greet(ensemble.address(index), &handshake).unwrap();
        assert!(matches!(greeting, Greeting::Refused(_)), "{greeting:?}");
        assert!(heard.is_served().unwrap());
        // A longer timeout counts from when it was agreed on.
        let longer = resumed(&ensemble, index, &heard);
        assert_eq!(longer.welcome.timeout_ms, SESSION_MS);
    }
}

/// ZooKeeper forgets them with each leader.
#[test]
fn it_outlives_its_leader() {
    if Software::from_env() == Software::ZooKeeper {
        return;
    }
    let (mut ensemble, [leader, follower, _]) = ensemble("true");
    let mut session = open(&ensemble, follower);
    assert_eq!(create(&mut session, "/before", 0), 0);
    ensemble.kill(leader);
    assert_eq!(create(&mut session, "/after", 0), 0);
    let mut again = resumed(&ensemble, follower, &session);
    create_ephemeral(&mut again, "/held").unwrap();
    assert_eq!(sessions(&ensemble, follower), counts(1, 0));
}

/// What the former connection sent has happened, or never will, once the client is back.
#[test]
fn no_write_of_a_former_connection_shows_up_later() {
    if Software::from_env() == Software::ZooKeeper {
        return;
    }
    let (ensemble, [_, follower, _]) = ensemble("true");
    let mut session = open(&ensemble, follower);
    assert_eq!(create(&mut session, "/counter", 0), 0);
    for _ in 0..20 {
        let sent: Vec<u8> = (0..200)
            .flat_map(|_| {
                session.frame(SET_DATA, |out| {
                    out.text(Some("/counter")).buffer(Some(b"x")).int(-1);
                })
            })
            .collect();
        session.connection.send(&sent).unwrap();
        let mut again = resumed(&ensemble, follower, &session);
        let version = version(&mut again);
        assert!(matches!(sync(&mut again), Answer::Reply(0, _)));
        assert_eq!(self::version(&mut again), version);
        session = again;
    }
}

/// A client that is back before its session has become a global one is not turned away.
#[test]
fn a_session_that_becomes_global_can_be_resumed_meanwhile() {
    if Software::from_env() == Software::ZooKeeper {
        return;
    }
    let (ensemble, [_, follower, _]) = ensemble("true");
    for number in 0..50 {
        let mut session = open(&ensemble, follower);
        let path = format!("/held-{number}");
        let frame = session.frame(CREATE, |out| put_create_flagged(out, &path, b"", 1));
        session.connection.send(&frame).unwrap();
        let mut again = resumed(&ensemble, follower, &session);
        let (id, held) = (again.welcome.session_id, owner(&mut again, &path).unwrap());
        // The create has happened, or was not looked at any more and never will be.
        assert!(held.is_none() || held == Some(id), "{held:?}");
        assert!(matches!(sync(&mut again), Answer::Reply(0, _)));
        assert_eq!(owner(&mut again, &path).unwrap(), held);
        create_ephemeral(&mut again, &format!("{path}-too")).unwrap();
    }
}

fn version(session: &mut Session) -> i32 {
    let answer = session.ask(3, |out| {
        out.text(Some("/counter")).flag(false);
    });
    let Answer::Reply(0, stat) = answer.unwrap() else { panic!("/counter is there") };
    let mut reader = Reader::new(&stat);
    for field in ["czxid", "mzxid", "ctime", "mtime"] {
        reader.long(field).unwrap();
    }
    reader.int("version").unwrap()
}

#[test]
fn a_server_that_stands_alone_has_none() {
    let server = ServerProcess::start(Software::from_env(), &settings("false")).unwrap();
    let mut session = Session::open(server.address(), SESSION_MS).unwrap();
    create_ephemeral(&mut session, "/held").unwrap();
    let mntr = four_letter_word(server.address(), "mntr").unwrap();
    assert!(mntr.contains("zk_global_sessions\t1\n"), "{mntr}");
    assert!(mntr.contains("zk_local_sessions\t0\n"), "{mntr}");
}

/// Its session was looked for among the global ones, and the answer was -112.
#[test]
fn a_local_session_may_change_the_members() {
    let mut settings = settings("true");
    for (key, value) in [
        ("reconfigEnabled", "true"),
        // super:test
        ("DigestAuthenticationProvider.superDigest", "super:D/InIHSb7yEEbrWz8b9l71RjZJU="),
    ] {
        settings.push((key.to_owned(), value.to_owned()));
    }
    let lines = Lines::PeersAndClients;
    let ensemble = Ensemble::start_described(Software::from_env(), 3, &settings, lines).unwrap();
    ensemble.wait_for_leader(WITHIN);
    ensemble.wait_until_settled(WITHIN);
    let again = ensemble.line(2);
    let reconfig = |session: &mut Session| {
        let answer = session.ask(RECONFIG, |out| {
            out.text(Some(&again)).text(None).text(None).long(-1);
        });
        let Answer::Reply(code, _) = answer.unwrap() else { panic!("no answer to a reconfig") };
        code
    };
    for index in 0..3 {
        let mut session = open(&ensemble, index);
        assert_eq!(reconfig(&mut session), NO_AUTH, "server {}", index + 1);
        let answer = session.ask(AUTH, |out| {
            out.int(0).text(Some("digest")).buffer(Some(b"super:test"));
        });
        assert!(matches!(answer.unwrap(), Answer::Reply(0, _)), "the super user");
        assert_eq!(reconfig(&mut session), 0, "server {}", index + 1);
        assert_eq!(sessions(&ensemble, index), counts(0, 1), "it is still a local one");
    }
}
