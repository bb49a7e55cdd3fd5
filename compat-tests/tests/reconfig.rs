//! Members that come, go and change while clients work: the same requests, with the same
//! answers, as to ZooKeeper.
//!
//! Environment: `COMPAT_SERVER=zookeeper` runs the tests against Apache ZooKeeper; what
//! Rookery does otherwise on purpose is then left out.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::thread;
use std::time::{Duration, Instant};

use compat_tests::ensemble::{Ensemble, Lines, patient};
use compat_tests::load::Load;
use compat_tests::oracle::process::{Software, four_letter_word, free_address};
use compat_tests::raw::{Answer, Incoming, Reader, Session, Writer, put_create};

/// Sessions must outlive the slowest change.
const SESSION_MS: i32 = 30_000;
const WITHIN: Duration = Duration::from_secs(60);
const POLL_EVERY: Duration = Duration::from_millis(20);

const CONFIG: &str = "/zookeeper/config";
const CREATE: i32 = 1;
const GET_DATA: i32 = 4;
const SYNC: i32 = 9;
const RECONFIG: i32 = 16;
const AUTH: i32 = 100;

const IN_PROGRESS: i32 = -14;
const NEW_CONFIG_NO_QUORUM: i32 = -13;
const BAD_ARGUMENTS: i32 = -8;
const MARSHALLING: i32 = -5;
const NO_AUTH: i32 = -102;
const BAD_VERSION: i32 = -103;

fn ensemble() -> Ensemble {
    let settings = patient(&[
        ("reconfigEnabled", "true"),
        // super:test
        ("DigestAuthenticationProvider.superDigest", "super:D/InIHSb7yEEbrWz8b9l71RjZJU="),
    ]);
    let software = Software::from_env();
    let started = Ensemble::start_described(software, 3, &settings, Lines::PeersAndClients);
    let ensemble = started.unwrap();
    ensemble.wait_for_leader(WITHIN);
    ensemble.wait_until_settled(WITHIN);
    ensemble
}

/// A session that may do anything; changing the members may take a while.
fn admin(ensemble: &Ensemble, index: usize) -> Session {
    let session = Session::open(ensemble.address(index), SESSION_MS).unwrap();
    let mut session = session.with_patience(WITHIN);
    let answer = session.ask(AUTH, |out| {
        out.int(0).text(Some("digest")).buffer(Some(b"super:test"));
    });
    assert!(matches!(answer.unwrap(), Answer::Reply(0, _)), "the super user");
    session
}

/// What a client asks for.
#[derive(Clone, Copy, Debug)]
struct Asked<'a> {
    joining: Option<&'a str>,
    leaving: Option<&'a str>,
    members: Option<&'a str>,
    version: i64,
}

const NOTHING: Asked<'_> = Asked { joining: None, leaving: None, members: None, version: -1 };

fn joining(text: &str) -> Asked<'_> {
    Asked { joining: Some(text), ..NOTHING }
}

fn leaving(text: &str) -> Asked<'_> {
    Asked { leaving: Some(text), ..NOTHING }
}

fn put_reconfig(out: &mut Writer, asked: Asked<'_>) {
    out.text(asked.joining).text(asked.leaving).text(asked.members).long(asked.version);
}

/// The configuration as a reply tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Config {
    /// The lines before the version.
    servers: Vec<String>,
    /// What stands in the last line.
    version: i64,
    /// mzxid of the Stat.
    mzxid: i64,
    /// The version of the Stat.
    znode_version: i32,
}

fn config(body: &[u8]) -> Config {
    let mut reader = Reader::new(body);
    let text = reader.text("data").unwrap().unwrap();
    let mut servers: Vec<String> = text.split('\n').map(str::to_owned).collect();
    let last = servers.pop().unwrap();
    let version = i64::from_str_radix(last.strip_prefix("version=").unwrap(), 16).unwrap();
    assert_eq!(reader.long("czxid").unwrap(), 0);
    let mzxid = reader.long("mzxid").unwrap();
    assert_eq!(reader.long("ctime").unwrap(), 0);
    reader.long("mtime").unwrap();
    let znode_version = reader.int("version").unwrap();
    Config { servers, version, mzxid, znode_version }
}

fn reconfig(session: &mut Session, asked: Asked<'_>) -> Result<Config, i32> {
    match session.ask(RECONFIG, |out| put_reconfig(out, asked)).unwrap() {
        Answer::Reply(0, body) => Ok(config(&body)),
        Answer::Reply(code, _) => Err(code),
        other @ (Answer::Closed | Answer::Nothing) => panic!("{asked:?}: {other:?}"),
    }
}

fn read_config(session: &mut Session, watch: bool) -> Config {
    let answer = session.ask(GET_DATA, |out| {
        out.text(Some(CONFIG)).flag(watch);
    });
    match answer.unwrap() {
        Answer::Reply(0, body) => config(&body),
        other @ (Answer::Reply(..) | Answer::Closed | Answer::Nothing) => panic!("{other:?}"),
    }
}

fn synced(session: &mut Session, path: &str) -> Option<Vec<u8>> {
    let answer = session.ask(SYNC, |out| {
        out.text(Some("/"));
    });
    assert!(matches!(answer.unwrap(), Answer::Reply(0, _)));
    session.data(path).unwrap()
}

/// Waits until a server says that it is this.
fn until_mode(ensemble: &Ensemble, index: usize, modes: &[&str]) {
    let deadline = Instant::now() + WITHIN;
    loop {
        let mode = ensemble.mode(index);
        if mode.as_deref().is_some_and(|mode| modes.contains(&mode)) {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "server {} is {mode:?}, not {modes:?}: {}",
            index + 1,
            ensemble.outputs()
        );
        thread::sleep(POLL_EVERY);
    }
}

/// A request again until it succeeds: ZooKeeper refuses while servers change their roles.
fn until_reconfigured(ensemble: &Ensemble, index: usize, asked: Asked<'_>) -> Config {
    let deadline = Instant::now() + WITHIN;
    loop {
        let outcome = admin_if_served(ensemble, index)
            .and_then(|mut session| reconfig(&mut session, asked).ok());
        if let Some(config) = outcome {
            return config;
        }
        assert!(Instant::now() < deadline, "{asked:?}: {}", ensemble.outputs());
        thread::sleep(POLL_EVERY);
    }
}

fn admin_if_served(ensemble: &Ensemble, index: usize) -> Option<Session> {
    ensemble.mode(index)?;
    Some(admin(ensemble, index))
}

const FOLLOWS: &[&str] = &["follower", "leader"];

#[test]
fn wrong_requests_get_the_answers_of_zookeeper() {
    let ensemble = ensemble();
    let mut session = admin(&ensemble, 1);
    let lines = [ensemble.line(0), ensemble.line(1), ensemble.line(2)];
    let absent = "server.4=127.0.0.1:1:2;127.0.0.1:3,server.5=127.0.0.1:4:5;127.0.0.1:6";
    let no_quorum = format!("{},{absent}", lines[0]);
    let one_and_observer = format!("{},{}", lines[0], lines[1].replace("participant", "observer"));
    let table: Vec<(Asked<'_>, i32)> = vec![
        (joining("some thing"), BAD_ARGUMENTS),
        (joining("server.4"), BAD_ARGUMENTS),
        (joining("server.4="), BAD_ARGUMENTS),
        (joining("server.4=a=b"), BAD_ARGUMENTS),
        (joining("server.4=localhost"), BAD_ARGUMENTS),
        (joining("server.4=localhost:7001"), BAD_ARGUMENTS),
        (joining("server.4=localhost:7001:7002"), BAD_ARGUMENTS),
        (joining("server.4=localhost:7001:7002;"), BAD_ARGUMENTS),
        (joining("server.4=localhost:7001:7002;x"), BAD_ARGUMENTS),
        (joining("server.4=localhost:7001:7002;7003:1:2"), BAD_ARGUMENTS),
        (joining("server.4=localhost:7001:7001;7003"), BAD_ARGUMENTS),
        (joining("server.4=localhost:x:7002;7003"), BAD_ARGUMENTS),
        (joining("server.4=localhost:7001:7002:foo;7003"), BAD_ARGUMENTS),
        (joining("server.4=localhost:7001:7002:participant:x;7003"), BAD_ARGUMENTS),
        (joining("server.4=localhost:99999:7002;7003"), MARSHALLING),
        (joining("server.4=localhost:7001:-1;7003"), MARSHALLING),
        (joining("server.4=localhost:7001:7002;65536"), MARSHALLING),
        (joining("server.x=localhost:7001:7002;7003"), MARSHALLING),
        (joining("server.4=10.9.9.9:1:2;3,server.5=10.9.9.9:1:9;8"), BAD_ARGUMENTS),
        (joining("server.4=10.9.9.9:1:2;10.9.9.9:3,server.5=10.9.9.9:4:3;8"), BAD_ARGUMENTS),
        (leaving("x"), MARSHALLING),
        (leaving("server.1"), MARSHALLING),
        (leaving("1,2"), BAD_ARGUMENTS),
        (leaving("1,2,3"), BAD_ARGUMENTS),
        (Asked { members: Some(" "), ..NOTHING }, BAD_ARGUMENTS),
        (Asked { members: Some("foo"), ..NOTHING }, BAD_ARGUMENTS),
        (Asked { members: Some("foo=1"), ..NOTHING }, BAD_ARGUMENTS),
        (Asked { members: Some(&lines[0]), ..NOTHING }, BAD_ARGUMENTS),
        (Asked { members: Some(&one_and_observer), ..NOTHING }, MARSHALLING),
        (Asked { members: Some(&no_quorum), ..NOTHING }, NEW_CONFIG_NO_QUORUM),
        // The version is looked at first.
        (Asked { version: 5, ..joining("some thing") }, BAD_VERSION),
        (Asked { version: 0, ..NOTHING }, BAD_VERSION),
        (Asked { version: -2, ..NOTHING }, BAD_VERSION),
    ];
    let before = read_config(&mut session, false);
    let answers = table.iter().map(|(asked, _)| reconfig(&mut session, *asked));
    let answers: Vec<Result<Config, i32>> = answers.collect();
    for ((asked, expected), answer) in table.iter().zip(answers) {
        assert_eq!(answer, Err(*expected), "{asked:?}");
    }
    assert_eq!(read_config(&mut session, false), before, "nothing has changed");

    // Who may not do it learns so when the request makes sense otherwise.
    let mut nobody = Session::open(ensemble.address(2), SESSION_MS).unwrap();
    assert_eq!(reconfig(&mut nobody, NOTHING), Err(NO_AUTH));
    assert_eq!(reconfig(&mut nobody, joining("some thing")), Err(BAD_ARGUMENTS));
    assert_eq!(reconfig(&mut nobody, Asked { version: 5, ..NOTHING }), Err(BAD_VERSION));
    assert_eq!(read_config(&mut session, false), before, "nothing has changed");
}

#[test]
fn every_change_has_a_version_that_all_who_watch_are_told() {
    let ensemble = ensemble();
    let lines = vec![ensemble.line(0), ensemble.line(1), ensemble.line(2)];
    let mut sessions: Vec<Session> = (0..3).map(|index| admin(&ensemble, index)).collect();
    let first = read_config(&mut sessions[0], false);
    assert_eq!(first.servers, lines);
    let mut version = first.version;
    // A server that is not there may come: three of four are a quorum.
    let fourth = "server.4=127.0.0.1:1:2:participant;127.0.0.1:3";
    let all = lines.join("\n");
    let changes = [
        (NOTHING, lines.clone()),
        (joining(fourth), [lines.clone(), vec![fourth.to_owned()]].concat()),
        (leaving("4,77"), lines.clone()),
        (Asked { members: Some(&all), ..NOTHING }, lines),
    ];
    for (turn, (asked, expected)) in changes.into_iter().enumerate() {
        for session in &mut sessions {
            read_config(session, true);
        }
        let conditional = Asked { version, ..asked };
        let changed = reconfig(&mut sessions[turn % 3], conditional).unwrap();
        assert_eq!(changed.servers, expected);
        assert!(changed.version > version, "{:x} after {version:x}", changed.version);
        assert_eq!((changed.mzxid, changed.znode_version), (changed.version, -1));
        let stale = reconfig(&mut sessions[turn % 3], conditional);
        assert_eq!(stale, Err(BAD_VERSION), "the version before");
        version = changed.version;
        for (at, session) in sessions.iter_mut().enumerate() {
            // The one that asked has read past its event by now.
            if at != turn % 3 {
                assert_eq!(event(session), (3, CONFIG.to_owned()), "NodeDataChanged at {at}");
            }
            assert_eq!(read_config(session, false), changed, "at {at}");
        }
    }
}

/// The next event: its type and path.
fn event(session: &mut Session) -> (i32, String) {
    match session.connection.read_frame(WITHIN).unwrap() {
        Incoming::Frame(frame) => {
            let mut reader = Reader::new(&frame[16..]);
            let kind = reader.int("type").unwrap();
            reader.int("state").unwrap();
            (kind, reader.text("path").unwrap().unwrap_or_default().to_owned())
        }
        other @ (Incoming::Closed | Incoming::Nothing) => panic!("{other:?}"),
    }
}

#[test]
fn requests_behind_a_reconfig_are_answered_behind_it() {
    let ensemble = ensemble();
    let mut session = admin(&ensemble, 0);
    let mut frames = session.frame(CREATE, |out| put_create(out, "/before", b""));
    frames.extend(session.frame(RECONFIG, |out| put_reconfig(out, NOTHING)));
    frames.extend(session.frame(CREATE, |out| put_create(out, "/behind", b"")));
    frames.extend(session.frame(GET_DATA, |out| {
        out.text(Some("/behind")).flag(false);
    }));
    frames.extend(session.frame(RECONFIG, |out| put_reconfig(out, joining("some thing"))));
    frames.extend(session.frame(GET_DATA, |out| {
        out.text(Some("/before")).flag(false);
    }));
    session.connection.send(&frames).unwrap();
    let mut zxid_seen = 0;
    for xid in 2..=7 {
        let Incoming::Frame(frame) = session.connection.read_frame(WITHIN).unwrap() else {
            panic!("no reply to {xid}");
        };
        let mut reader = Reader::new(&frame);
        let zxid = (reader.int("xid").unwrap(), reader.long("zxid").unwrap());
        assert_eq!(zxid.0, xid, "in the order of the requests");
        let code = reader.int("code").unwrap();
        // ZooKeeper looks at the second while the first is on its way.
        let expected = if xid == 6 { &[BAD_ARGUMENTS, IN_PROGRESS][..] } else { &[0][..] };
        assert!(expected.contains(&code), "{code} to {xid}");
        assert!(zxid.1 >= zxid_seen, "{:x} after {zxid_seen:x}", zxid.1);
        zxid_seen = zxid.1;
    }
}

#[test]
fn three_become_five_and_five_three_and_no_acknowledged_write_is_lost() {
    let mut ensemble = ensemble();
    let new: Vec<usize> = (0..2).map(|_| ensemble.add().unwrap()).collect();
    let from = |first: usize| (0..5).map(|index| ensemble.address((first + index) % 5)).collect();
    let load = Load::start((0..3).map(from).collect::<Vec<_>>(), SESSION_MS);
    load.wait_for(500);
    for new in new {
        ensemble.spawn(new).unwrap();
        let line = ensemble.line(new);
        let config = until_reconfigured(&ensemble, new % 3, joining(&line));
        assert_eq!(config.servers.last(), Some(&line));
        until_mode(&ensemble, new, FOLLOWS);
        load.wait_for(200);
    }
    // The two oldest go, the leader among them or not; then the leader in any case.
    let mut gone = Vec::new();
    for turn in 0..2 {
        let leader = ensemble.wait_for_leader(WITHIN);
        let leaves = if turn == 0 { (leader + 1) % 3 } else { leader };
        let asked = (0..5).find(|index| *index != leaves && !gone.contains(index)).unwrap();
        let number = (leaves + 1).to_string();
        let config = until_reconfigured(&ensemble, asked, leaving(&number));
        assert!(!config.servers.contains(&ensemble.line(leaves)), "{config:?}");
        gone.push(leaves);
        load.wait_for(200);
        ensemble.kill(leaves);
        load.wait_for(200);
    }
    let stay: Vec<usize> = (0..5).filter(|index| !gone.contains(index)).collect();
    assert_eq!(read_config(&mut admin(&ensemble, stay[0]), false).servers.len(), 3);
    // Any one of the three that are left may go.
    ensemble.kill(stay[0]);
    load.wait_for(200);
    let writers = load.stop_and_verify();
    assert!(writers.iter().all(|writer| writer.acknowledged() > 0));
}

/// Nobody who votes stays, so there is nobody to whom the leader could give way first.
#[test]
fn three_become_three_others_in_one_change_and_no_acknowledged_write_is_lost() {
    let mut ensemble = ensemble();
    let new: Vec<usize> = (0..3).map(|_| ensemble.add().unwrap()).collect();
    let from = |first: usize| (0..6).map(|index| ensemble.address((first + index) % 6)).collect();
    let load = Load::start((0..3).map(from).collect::<Vec<_>>(), SESSION_MS);
    load.wait_for(500);
    for new in &new {
        ensemble.spawn(*new).unwrap();
    }
    let lines: Vec<String> = new.iter().map(|new| ensemble.line(*new)).collect();
    let asked = Asked { joining: Some(&lines.join(",")), leaving: Some("1,2,3"), ..NOTHING };
    let deadline = Instant::now() + WITHIN;
    loop {
        let mut session = admin(&ensemble, 0);
        match session.ask(RECONFIG, |out| put_reconfig(out, asked)).unwrap() {
            // They have not said yet that they are there.
            Answer::Reply(NEW_CONFIG_NO_QUORUM | IN_PROGRESS, _) => {}
            Answer::Reply(0, body) => {
                assert_eq!(config(&body).servers, lines);
                break;
            }
            // The server is not one of them any more.
            Answer::Closed => break,
            other @ (Answer::Reply(..) | Answer::Nothing) => panic!("{other:?}"),
        }
        assert!(Instant::now() < deadline, "{}", ensemble.outputs());
        thread::sleep(POLL_EVERY);
    }
    for new in &new {
        until_mode(&ensemble, *new, FOLLOWS);
    }
    load.wait_for(200);
    // One of the new ones leads, and has sent the former leader away.
    let deadline = Instant::now() + WITHIN;
    while !new.iter().any(|new| ensemble.output(*new).contains("the members have changed")) {
        assert!(Instant::now() < deadline, "{}", ensemble.outputs());
        thread::sleep(POLL_EVERY);
    }
    for former in 0..3 {
        ensemble.kill(former);
    }
    load.wait_for(200);
    let config = read_config(&mut admin(&ensemble, new[0]), false);
    assert_eq!(config.servers, lines);
    // Any one of them may go.
    ensemble.kill(new[0]);
    load.wait_for(200);
    let writers = load.stop_and_verify();
    assert!(writers.iter().all(|writer| writer.acknowledged() > 0));
}

#[test]
fn a_participant_becomes_an_observer_and_back() {
    let ensemble = ensemble();
    let leader = ensemble.wait_for_leader(WITHIN);
    let changes = (leader + 1) % 3;
    let (number, line) = ((changes + 1).to_string(), ensemble.line(changes));
    let observer = line.replace("participant", "observer");
    until_reconfigured(&ensemble, leader, joining(&observer));
    until_mode(&ensemble, changes, &["observer"]);
    let mut session = Session::open(ensemble.address(changes), SESSION_MS).unwrap();
    assert!(matches!(session.create("/a", b"").unwrap(), Answer::Reply(0, _)));
    // Leaving and joining at once is joining.
    let asked = Asked { joining: Some(&line), leaving: Some(&number), ..NOTHING };
    until_reconfigured(&ensemble, leader, asked);
    until_mode(&ensemble, changes, FOLLOWS);
    let mut session = Session::open(ensemble.address(changes), SESSION_MS).unwrap();
    assert!(synced(&mut session, "/a").is_some());
}

#[test]
fn a_changed_client_port_is_opened_and_connections_stay() {
    let ensemble = ensemble();
    let leader = ensemble.wait_for_leader(WITHIN);
    let moves = (leader + 1) % 3;
    let mut before = Session::open(ensemble.address(moves), SESSION_MS).unwrap();
    let new = free_address().unwrap();
    let old = format!(";{}", ensemble.address(moves));
    let line = ensemble.line(moves).replace(&old, &format!(";{new}"));
    reconfig(&mut admin(&ensemble, leader), joining(&line)).unwrap();
    let deadline = Instant::now() + WITHIN;
    while four_letter_word(new, "srvr").is_err() {
        assert!(Instant::now() < deadline, "{}", ensemble.outputs());
        thread::sleep(POLL_EVERY);
    }
    assert!(Session::open(new, SESSION_MS).unwrap().is_served().unwrap());
    assert!(before.is_served().unwrap(), "who was connected stays so");
    // The old port is closed behind that.
    while Session::open(ensemble.address(moves), SESSION_MS).is_ok() {
        assert!(Instant::now() < deadline, "the old port is open: {}", ensemble.outputs());
        thread::sleep(POLL_EVERY);
    }
}

/// ZooKeeper lets a server follow without a vote that is in no configuration.
#[test]
fn a_removed_server_serves_nobody_until_it_is_added_again() {
    if Software::from_env() == Software::ZooKeeper {
        return;
    }
    let mut ensemble = ensemble();
    let leader = ensemble.wait_for_leader(WITHIN);
    let leaves = (leader + 1) % 3;
    let number = (leaves + 1).to_string();
    let mut session = admin(&ensemble, leaves);
    reconfig(&mut session, leaving(&number)).expect("it answers before it stops to serve");
    until_not_serving(&ensemble, leaves);
    assert!(ensemble.output(leaves).contains("removed from the configuration"));
    // It may be added again as it is, and after it was stopped and started.
    let line = ensemble.line(leaves);
    for _ in 0..2 {
        reconfig(&mut admin(&ensemble, leader), joining(&line)).unwrap();
        until_mode(&ensemble, leaves, FOLLOWS);
        ensemble.kill(leaves);
        reconfig(&mut admin(&ensemble, leader), leaving(&number)).unwrap();
        ensemble.spawn(leaves).unwrap();
        // It was away when it was removed: the others tell it.
        let deadline = Instant::now() + WITHIN;
        while !ensemble.output(leaves).contains("is not in the configuration") {
            assert!(Instant::now() < deadline, "{}", ensemble.outputs());
            thread::sleep(POLL_EVERY);
        }
        assert_eq!(ensemble.mode(leaves), None);
    }
}

fn until_not_serving(ensemble: &Ensemble, index: usize) {
    let deadline = Instant::now() + WITHIN;
    while ensemble.mode(index).is_some() {
        assert!(Instant::now() < deadline, "{}", ensemble.outputs());
        thread::sleep(POLL_EVERY);
    }
}

#[test]
fn a_server_that_is_added_before_it_runs_votes_when_it_has_come() {
    let mut ensemble = ensemble();
    let leader = ensemble.wait_for_leader(WITHIN);
    let new = ensemble.add().unwrap();
    let line = ensemble.line(new);
    let config = reconfig(&mut admin(&ensemble, leader), joining(&line)).unwrap();
    assert_eq!(config.servers.last(), Some(&line));
    ensemble.spawn(new).unwrap();
    until_mode(&ensemble, new, FOLLOWS);
    // Now three of four are left when one goes.
    ensemble.kill((leader + 1) % 3);
    let mut session = Session::open(ensemble.address(new), SESSION_MS).unwrap();
    assert!(matches!(session.create("/a", b"").unwrap(), Answer::Reply(0, _)));
}

/// The server that was asked goes on with the next leader; ZooKeeper's clients have to look
/// for themselves.
#[test]
fn a_reconfig_outlives_the_leader() {
    if Software::from_env() == Software::ZooKeeper {
        return;
    }
    let mut ensemble = ensemble();
    for turn in 0..4 {
        let leader = ensemble.wait_for_leader(WITHIN);
        let asked = (leader + 1) % 3;
        let mut session = admin(&ensemble, asked);
        let line = format!("server.{}=127.0.0.1:1:2:observer;127.0.0.1:3", 10 + turn);
        let frame = session.frame(RECONFIG, |out| put_reconfig(out, joining(&line)));
        session.connection.send(&frame).unwrap();
        // So many milliseconds later: before, while and after the leader makes the change.
        thread::sleep(Duration::from_millis(2 * turn));
        ensemble.kill(leader);
        let answer = session.answer().unwrap();
        let Answer::Reply(0, body) = answer else { panic!("{answer:?}: {}", ensemble.outputs()) };
        assert_eq!(config(&body).servers.last(), Some(&line));
        ensemble.start_again(leader).unwrap();
    }
}
