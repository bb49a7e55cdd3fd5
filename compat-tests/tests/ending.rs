//! Nobody keeps a server from ending, from giving way, or in memory that it needs: not a half-sent
//! request, not an answer that is not read, not others that are gone.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use compat_tests::ensemble::Ensemble;
use compat_tests::http;
use compat_tests::oracle::process::{ServerProcess, Software, four_letter_word, free_address};
use compat_tests::raw::{Answer, Session};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

const SESSION_MS: i32 = 30_000;
const WITHIN: Duration = Duration::from_secs(60);
/// A server that is told to end has no more than this: whoever supervises it kills it later.
const ENDS_WITHIN: Duration = Duration::from_secs(5);
const AUTHORIZED: &str = "Authorization: ip anyone\r\n";

fn pairs(settings: &[(&str, &str)]) -> Vec<(String, String)> {
    settings.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
}

fn free_port() -> u16 {
    free_address().unwrap().port()
}

/// A connection on which these bytes were sent, and nothing will follow.
fn stuck(port: u16, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.write_all(bytes).unwrap();
    stream
}

fn told_to_end(server: &ServerProcess) {
    let pid = i32::try_from(server.pid()).ok().and_then(Pid::from_raw).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
}

/// An ensemble in which each server has an admin server, and their ports.
fn administered(mut ensemble: Ensemble) -> (Ensemble, Vec<u16>) {
    let ports = ensemble.with_admin_servers().unwrap();
    ensemble.start_all().unwrap();
    ensemble.wait_for_leader(WITHIN);
    (ensemble, ports)
}

#[test]
fn half_a_request_does_not_keep_a_lone_server_from_ending() {
    let (dir, admin, metrics) = (TempDir::new().unwrap(), free_port(), free_port());
    let settings = pairs(&[
        ("admin.enableServer", "true"),
        ("admin.serverAddress", "127.0.0.1"),
        ("admin.serverPort", &admin.to_string()),
        ("metricsProvider.httpHost", "127.0.0.1"),
        ("metricsProvider.httpPort", &metrics.to_string()),
    ]);
    let mut server = ServerProcess::start_in(Software::Rookery, dir.path(), &settings).unwrap();
    let _stuck = [stuck(admin, b"G"), stuck(metrics, b"GET /metrics HTTP/1.1\r\nHost: x\r\n")];
    // Those before it were accepted when this is answered.
    for (port, path) in [(admin, "/commands/ruok"), (metrics, "/metrics")] {
        assert_eq!(http::get(port, path).unwrap().0, 200);
    }
    told_to_end(&server);
    let status = server.wait_exit(ENDS_WITHIN).expect("it ends");
    assert_eq!(status.code(), Some(0), "{}", server.output());
}

/// Others must lead then, and expire sessions: one whose duties had ended kept the lead.
#[test]
fn half_a_request_does_not_keep_a_leader_from_giving_way() {
    let settings = pairs(&[("tickTime", "500")]);
    let (mut ensemble, ports) =
        administered(Ensemble::prepare(Software::Rookery, 3, &settings).unwrap());
    let leader = ensemble.wait_for_leader(WITHIN);
    let _stuck = stuck(ports[leader], b"G");
    assert_eq!(http::get(ports[leader], "/commands/ruok").unwrap().0, 200);
    told_to_end(ensemble.process(leader).unwrap());
    let status = ensemble.wait_exit(leader, ENDS_WITHIN);
    assert_eq!(status.and_then(|status| status.code()), Some(0), "{}", ensemble.output(leader));
    let next = ensemble.wait_for_leader(WITHIN);
    assert_ne!(next, leader);
    let mut session = Session::open(ensemble.address(next), SESSION_MS).unwrap();
    assert!(matches!(session.create("/after", b"").unwrap(), Answer::Reply(0, _)));
}

/// The lead cannot be handed over where nobody answers: a server takes its time to see that.
#[test]
fn a_server_that_is_told_twice_ends_at_once() {
    let settings = pairs(&[("tickTime", "2000")]);
    let mut ensemble = Ensemble::start(Software::Rookery, 3, &settings).unwrap();
    let leader = ensemble.wait_for_leader(WITHIN);
    let mut session = Session::open(ensemble.address(leader), SESSION_MS).unwrap();
    for index in (0..3).filter(|index| *index != leader) {
        ensemble.signal(index, Signal::STOP);
    }
    let create = session.frame(1, |out| compat_tests::raw::put_create(out, "/a", b""));
    session.connection.send(&create).unwrap();
    let server = ensemble.process(leader).unwrap();
    told_to_end(server);
    let deadline = Instant::now() + WITHIN;
    // The first was taken: two signals at once are one.
    while four_letter_word(ensemble.address(leader), "ruok").is_ok() {
        assert!(Instant::now() < deadline, "it serves on: {}", ensemble.output(leader));
        std::thread::sleep(Duration::from_millis(5));
    }
    told_to_end(server);
    let status = ensemble.wait_exit(leader, Duration::from_secs(2));
    let said = ensemble.output(leader);
    assert_eq!(status.and_then(|status| status.code()), Some(1), "{said}");
    assert!(said.contains("told to stop for the second time: ending at once"), "{said}");
}

/// The shortest session timeout in the next test: two ticks.
const PATIENCE: Duration = Duration::from_secs(1);
/// A machine that does nothing for us for that long would fail other tests as well; what this is
/// about was a wait of five seconds.
const MARGIN: Duration = Duration::from_secs(2);

#[test]
fn a_new_leader_that_cannot_catch_up_serves_no_longer_than_others() {
    let settings = pairs(&[("tickTime", "500")]);
    let (ensemble, ports) =
        administered(Ensemble::prepare(Software::Rookery, 3, &settings).unwrap());
    let leader = ensemble.wait_for_leader(WITHIN);
    let next = (leader + 1) % 3;
    ensemble.wait_for_mode(next, Some("follower"), WITHIN);
    let mut session = Session::open(ensemble.address(next), SESSION_MS).unwrap();
    let port = ports[leader];
    let path = format!("/commands/hand_over?to={}", next + 1);
    // Its answer does not matter: who gives it is stopped.
    let handing = std::thread::spawn(move || http::ask("POST", port, &path, AUTHORIZED).is_ok());
    let deadline = Instant::now() + WITHIN;
    while ensemble.mode(next).as_deref() != Some("leader") {
        assert!(Instant::now() < deadline, "no other leader: {}", ensemble.outputs());
    }
    for index in (0..3).filter(|index| *index != next) {
        ensemble.signal(index, Signal::STOP);
    }
    let alone = Instant::now();
    let mut asked = alone;
    loop {
        let asking = Instant::now();
        if session.data("/").is_err() {
            break;
        }
        asked = asking;
        assert!(alone.elapsed() < WITHIN, "it serves for ever");
    }
    for index in (0..3).filter(|index| *index != next) {
        ensemble.signal(index, Signal::CONT);
    }
    let _ = handing.join().unwrap();
    let served = asked - alone;
    assert!(served <= PATIENCE + MARGIN, "it served for {served:?} without the others");
}

/// What a member holds in the next test, on a leader, a follower and an observer.
const DATA_BYTES: u64 = 24 << 20;

#[test]
fn snapshots_that_nobody_reads_are_one_copy() {
    let settings = pairs(&[("tickTime", "1000"), ("admin.rateLimiterIntervalInMS", "0")]);
    let prepared = Ensemble::prepare_with_observers(Software::Rookery, 3, 1, &settings).unwrap();
    let (ensemble, ports) = administered(prepared);
    let leader = ensemble.wait_for_leader(WITHIN);
    let mut session = Session::open(ensemble.address(leader), SESSION_MS).unwrap();
    let piece = vec![b'x'; 512 << 10];
    for number in 0..DATA_BYTES / (512 << 10) {
        let answer = session.create(&format!("/{number}"), &piece).unwrap();
        assert!(matches!(answer, Answer::Reply(0, _)), "{answer:?}");
    }
    let follower = (leader + 1) % 3;
    for index in [leader, follower, 3] {
        let mut synced = Session::open(ensemble.address(index), SESSION_MS).unwrap();
        let answer = synced.ask(9, |out| {
            out.text(Some("/"));
        });
        assert!(matches!(answer.unwrap(), Answer::Reply(0, _)));
        let server = ensemble.process(index).unwrap();
        let before = server.memory_bytes();
        let request =
            format!("GET /commands/snapshot HTTP/1.1\r\nHost: x\r\n{AUTHORIZED}\r\n").into_bytes();
        let unread: Vec<TcpStream> = (0..8).map(|_| stuck(ports[index], &request)).collect();
        let mut given = 0;
        for mut stream in &unread {
            let mut status = [0; 12];
            stream.read_exact(&mut status).unwrap();
            match &status {
                b"HTTP/1.1 200" => given += 1,
                b"HTTP/1.1 429" => {}
                other => panic!("{}", String::from_utf8_lossy(other)),
            }
        }
        let grown = server.memory_bytes().saturating_sub(before);
        assert_eq!(given, 1, "copies on server {}, which grew by {grown}", index + 1);
        assert!(grown < 3 * DATA_BYTES, "server {} grew by {grown}", index + 1);
    }
}
