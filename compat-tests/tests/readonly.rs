//! Read-only mode: a server that has lost the others serves those for whom reading will do.
//!
//! Environment: `COMPAT_SERVER=zookeeper` runs the tests against Apache ZooKeeper; what
//! Rookery promises beyond it is then left out.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use compat_tests::ensemble::Ensemble;
use compat_tests::oracle::process::{Software, four_letter_word};
use compat_tests::prerequisites;
use compat_tests::raw::{
    Answer, Greeting, Handshake, Incoming, Reader, Session, Writer, put_create,
};
use compat_tests::writer::create_ephemeral;

/// Longer than anything here takes: that such a session's connection is closed is not its end.
const SESSION_MS: i32 = 100_000;
const WITHIN: Duration = Duration::from_secs(60);
/// The same as a duration.
const SESSION: Duration = Duration::from_millis(SESSION_MS as u64);
const NOT_READ_ONLY: i32 = -119;
const CREATE: i32 = 1;
const GET_DATA: i32 = 4;
const PING: i32 = 11;
const CLOSE: i32 = -11;

/// Writes the body of a request.
type Body<'a> = &'a dyn Fn(&mut Writer);

fn settings(more: &[(&str, &str)]) -> Vec<(String, String)> {
    let common =
        [("tickTime", "1000"), ("readonlymode.enabled", "true"), ("maxSessionTimeout", "100000")];
    let all = common.iter().chain(more);
    all.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// Three servers whose sessions are local until they need not be.
fn ensemble() -> Ensemble {
    ensemble_with(&[("localSessionsEnabled", "true"), ("localSessionsUpgradingEnabled", "true")])
}

fn ensemble_with(more: &[(&str, &str)]) -> Ensemble {
    let ensemble = Ensemble::start(Software::from_env(), 3, &settings(more)).unwrap();
    (0..3).for_each(|index| wait_for_writes(&ensemble, index));
    ensemble
}

/// A server that finds no others soon enough at its start is read-only until it does.
fn wait_for_writes(ensemble: &Ensemble, index: usize) {
    let deadline = Instant::now() + WITHIN;
    while four_letter_word(ensemble.address(index), "isro").unwrap() != "rw" {
        assert!(Instant::now() < deadline, "never read-write: {}", ensemble.outputs());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Leaves server 0 alone.
fn cut_off(ensemble: &mut Ensemble) {
    ensemble.kill(1);
    ensemble.kill(2);
    ensemble.wait_for_mode(0, Some("read-only"), WITHIN);
}

fn reader(timeout_ms: i32) -> Handshake {
    Handshake { read_only: Some(true), ..Handshake::fresh(timeout_ms) }
}

fn resume(session: &Session) -> Handshake {
    Handshake { read_only: Some(true), ..Handshake::resume(SESSION_MS, &session.welcome) }
}

#[track_caller]
fn granted(ensemble: &Ensemble, handshake: &Handshake) -> Session {
    match Session::greet(ensemble.address(0), handshake).unwrap() {
        Greeting::Granted(session) => session,
        other @ (Greeting::Refused(_) | Greeting::Closed | Greeting::Other(_)) => {
            panic!("{handshake:?}: {other:?}")
        }
    }
}

#[track_caller]
fn closed(ensemble: &Ensemble, handshake: &Handshake) {
    let greeting = Session::greet(ensemble.address(0), handshake).unwrap();
    assert!(matches!(greeting, Greeting::Closed), "{handshake:?}: {greeting:?}");
}

/// Refused by a server that says of itself that it is read-only.
#[track_caller]
fn refused(ensemble: &Ensemble, handshake: &Handshake) {
    match Session::greet(ensemble.address(0), handshake).unwrap() {
        Greeting::Refused(welcome) => {
            assert_eq!((welcome.session_id, welcome.read_only), (0, Some(true)));
        }
        other @ (Greeting::Granted(_) | Greeting::Closed | Greeting::Other(_)) => {
            panic!("{handshake:?}: {other:?}")
        }
    }
}

/// Sends a request and gives zxid and error code of the reply.
fn header(session: &mut Session, code: i32, body: impl FnOnce(&mut Writer)) -> (i64, i32) {
    let frame = session.frame(code, body);
    session.connection.send(&frame).unwrap();
    let Incoming::Frame(reply) = session.connection.read_frame(Session::WITHIN).unwrap() else {
        panic!("no reply to operation {code}");
    };
    let mut reader = Reader::new(&reply);
    reader.int("xid").unwrap();
    (reader.long("zxid").unwrap(), reader.int("error").unwrap())
}

#[test]
fn it_takes_those_who_only_read_and_says_so() {
    let mut ensemble = ensemble();
    let mut healthy = granted(&ensemble, &reader(SESSION_MS));
    assert_eq!(healthy.welcome.read_only, Some(false), "there is a quorum");
    assert_eq!(healthy.create("/a", b"data").unwrap(), Answer::Reply(0, b"\0\0\0\x02/a".into()));
    let mut global = granted(&ensemble, &reader(SESSION_MS));
    create_ephemeral(&mut global, "/held").unwrap();
    cut_off(&mut ensemble);
    assert_eq!(healthy.connection.read_frame(Session::WITHIN).unwrap(), Incoming::Closed);

    let srvr = four_letter_word(ensemble.address(0), "srvr").unwrap();
    let second = srvr.lines().nth(1);
    assert_eq!(second, Some("READ-ONLY mode; serving only read-only clients"), "{srvr}");
    assert_eq!(four_letter_word(ensemble.address(0), "isro").unwrap(), "ro");
    assert_eq!(ensemble.figure(0, "server_state"), "read-only");
    assert_eq!(ensemble.figure(0, "local_sessions"), "0");

    closed(&ensemble, &Handshake::fresh(SESSION_MS));
    closed(&ensemble, &Handshake { read_only: None, ..reader(SESSION_MS) });
    closed(&ensemble, &Handshake { last_zxid_seen: 1 << 50, ..reader(SESSION_MS) });
    closed(&ensemble, &resume(&global));
    closed(&ensemble, &Handshake { password: Some(vec![0; 16]), ..resume(&global) });
    refused(&ensemble, &resume(&healthy));

    let session = granted(&ensemble, &reader(5000));
    assert_eq!((session.welcome.timeout_ms, session.welcome.read_only), (5000, Some(true)));
    assert_eq!(session.welcome.payload_bytes, 37);
    let mut again = granted(&ensemble, &resume(&session));
    assert_eq!(again.welcome.session_id, session.welcome.session_id);
    let mut session = session;
    assert_eq!(session.connection.read_frame(Session::WITHIN).unwrap(), Incoming::Closed);
    assert_eq!(again.data("/a").unwrap().as_deref(), Some(&b"data"[..]));
    assert!(matches!(again.ask(CLOSE, |_| {}).unwrap(), Answer::Reply(0, _)));
    assert_eq!(again.answer().unwrap(), Answer::Closed);
    refused(&ensemble, &resume(&again));
}

#[test]
fn it_answers_reads_and_refuses_the_rest() {
    let mut ensemble = ensemble();
    let mut before = granted(&ensemble, &reader(SESSION_MS));
    assert!(matches!(before.create("/a", b"data").unwrap(), Answer::Reply(0, _)));
    cut_off(&mut ensemble);
    let zxid = {
        let mut session = granted(&ensemble, &reader(SESSION_MS));
        header(&mut session, GET_DATA, |out| {
            out.text(Some("/a")).flag(true);
        })
    };
    assert_eq!(zxid.1, 0);
    let path = |out: &mut Writer| {
        out.text(Some("/a"));
    };
    let write = |out: &mut Writer| put_create(out, "/b", b"");
    let garbage = |out: &mut Writer| {
        out.flag(true);
    };
    let refused: [(i32, Body<'_>); 13] = [
        (CREATE, &write),
        (CREATE, &garbage),
        (2, &path),
        (5, &path),
        (7, &path),
        (9, &path),
        (14, &garbage),
        (15, &write),
        (16, &path),
        (19, &write),
        (20, &path),
        (21, &write),
        (14, &|out| {
            out.int(-1).flag(true).int(-1);
        }),
    ];
    let mut session = granted(&ensemble, &reader(SESSION_MS));
    for (code, body) in refused {
        assert_eq!(header(&mut session, code, body), (zxid.0, NOT_READ_ONLY), "operation {code}");
    }
    let watched = |out: &mut Writer| {
        out.text(Some("/a")).flag(true);
    };
    let answered: [(i32, Body<'_>); 10] = [
        (3, &watched),
        (GET_DATA, &watched),
        (6, &path),
        (8, &watched),
        (12, &watched),
        (PING, &|_| {}),
        (103, &path),
        (104, &path),
        (106, &|out| {
            out.text(Some("/a")).int(0);
        }),
        (107, &|_| {}),
    ];
    for (code, body) in answered {
        assert_eq!(header(&mut session, code, body), (zxid.0, 0), "operation {code}");
    }
    // Nothing of it has left a trace.
    assert_eq!(session.data("/b").unwrap(), None);
    assert_eq!(ensemble.figure(0, "global_sessions"), "0");
}

/// Sessions of a read-only server end by its own clock, and with the read-only service.
#[test]
fn its_sessions_are_its_own() {
    let mut ensemble = ensemble();
    let mut global = granted(&ensemble, &reader(SESSION_MS));
    create_ephemeral(&mut global, "/held").unwrap();
    cut_off(&mut ensemble);
    let silent = granted(&ensemble, &reader(2000));
    let mut heard = granted(&ensemble, &reader(5000));
    let deadline = Instant::now() + Duration::from_millis(6500);
    while Instant::now() < deadline {
        assert!(matches!(heard.ask(PING, |_| {}).unwrap(), Answer::Reply(0, _)));
        std::thread::sleep(Duration::from_millis(200));
    }
    let mut silent = silent;
    assert_eq!(silent.connection.read_frame(Session::WITHIN).unwrap(), Incoming::Closed);
    refused(&ensemble, &resume(&silent));
    assert_eq!(ensemble.figure(0, "local_sessions"), "1");

    // It is not its own timeout that ends it.
    let mut heard = granted(&ensemble, &resume(&heard));
    let since = Instant::now();
    ensemble.start_again(1).unwrap();
    assert_eq!(heard.answer().unwrap(), Answer::Closed);
    assert!(since.elapsed() < SESSION, "it took too long to prove anything");
    wait_for_writes(&ensemble, 0);
    let gone = Session::greet(ensemble.address(0), &resume(&heard)).unwrap();
    assert!(matches!(gone, Greeting::Refused(_)), "{gone:?}");
    // Who had a session before has it still, and what it holds.
    let mut back = granted(&ensemble, &resume(&global));
    assert_eq!(back.welcome.read_only, Some(false));
    assert!(back.data("/held").unwrap().is_some());
    assert!(matches!(back.create("/a", b"").unwrap(), Answer::Reply(0, _)));
}

#[test]
fn it_opens_no_session_when_sessions_are_everybodys() {
    let mut ensemble = ensemble_with(&[]);
    let global = granted(&ensemble, &reader(SESSION_MS));
    cut_off(&mut ensemble);
    closed(&ensemble, &resume(&global));
    match Session::greet(ensemble.address(0), &reader(SESSION_MS)).unwrap() {
        Greeting::Closed => assert_eq!(Software::from_env(), Software::Rookery),
        // A reply header, where a client expects something else.
        Greeting::Other(frame) => {
            assert_eq!((Software::from_env(), frame.len()), (Software::ZooKeeper, 16));
        }
        other @ (Greeting::Granted(_) | Greeting::Refused(_)) => panic!("{other:?}"),
    }
}

#[test]
fn a_server_that_starts_alone_shows_what_it_had() {
    let mut ensemble = ensemble();
    let mut session = granted(&ensemble, &reader(SESSION_MS));
    for number in 0..50 {
        let made = session.create(&format!("/{number}"), b"here").unwrap();
        assert!(matches!(made, Answer::Reply(0, _)), "{made:?}");
    }
    for index in 0..3 {
        ensemble.stop(index, Duration::from_secs(10));
    }
    ensemble.spawn(0).unwrap();
    ensemble.wait_for_mode(0, Some("read-only"), WITHIN);
    let mut session = granted(&ensemble, &reader(SESSION_MS));
    let since = Instant::now();
    for number in 0..50 {
        assert!(session.data(&format!("/{number}")).unwrap().is_some(), "/{number}");
    }
    ensemble.spawn(2).unwrap();
    assert_eq!(session.connection.read_frame(WITHIN).unwrap(), Incoming::Closed);
    assert!(since.elapsed() < SESSION, "it took too long to prove anything");
    wait_for_writes(&ensemble, 0);
}

#[test]
fn without_the_setting_nobody_is_served() {
    let mut ensemble =
        ensemble_with(&[("localSessionsEnabled", "true"), ("readonlymode.enabled", "false")]);
    ensemble.kill(1);
    ensemble.kill(2);
    ensemble.wait_for_mode(0, None, WITHIN);
    // Longer than any server looks for the others before it serves without them.
    let until = Instant::now() + Duration::from_secs(4);
    while Instant::now() < until {
        closed(&ensemble, &reader(SESSION_MS));
        assert_eq!(four_letter_word(ensemble.address(0), "isro").unwrap(), "null");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A client of another language, which says in lines how far it has come.
struct Client {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Client {
    fn start(mut command: Command, ensemble: &Ensemble) -> Self {
        command.env("COMPAT_CONNECT", ensemble.connect_string());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The client gives up by itself, which ends its lines.
    #[track_caller]
    fn says(&mut self, expected: &str) {
        let line = self.lines.next().map(Result::unwrap);
        assert_eq!(line.as_deref(), Some(expected));
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Real clients read there, are told that they cannot write, and move on to write.
fn moves_on(command: Command) {
    let mut ensemble = ensemble();
    let mut session = granted(&ensemble, &reader(SESSION_MS));
    assert!(matches!(session.create("/a", b"data").unwrap(), Answer::Reply(0, _)));
    cut_off(&mut ensemble);
    let mut client = Client::start(command, &ensemble);
    client.says("connected read-only");
    client.says("read data");
    client.says("not written");
    ensemble.start_again(1).unwrap();
    client.says("connected");
    client.says("written");
}

#[test]
fn kazoo_moves_on_when_there_is_a_quorum() {
    let mut command = Command::new(prerequisites::python_with_kazoo().unwrap());
    command.arg("-B").arg(prerequisites::package_dir().join("clients/python/readonly.py"));
    moves_on(command);
}

#[test]
fn the_java_client_moves_on_when_there_is_a_quorum() {
    let classes = tempfile::tempdir().unwrap();
    let class_path = prerequisites::compile_java(classes.path()).unwrap();
    let mut command = prerequisites::jdk("java");
    command.args(["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"]);
    command.arg(class_path).arg("compat.ReadOnly");
    moves_on(command);
}
