//! `rookery crosscheck` between clients and a real ZooKeeper: it raises no false alarm, finds
//! what was planted, and never disturbs a client.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs::{self, File};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use compat_tests::oracle::process::{ServerProcess, Software, free_address};
use compat_tests::prerequisites::rookery_binary;
use compat_tests::random::Random;
use compat_tests::raw::{
    Answer, Handshake, Incoming, RawConnection, Session, Writer, put_create_flagged,
};
use compat_tests::server::client_settings;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// How long anything may take.
const WITHIN: Duration = Duration::from_secs(60);
/// Longer than the proxy waits for Rookery in the end, which a slow disk needs.
const DRAINED_WITHIN: Duration = Duration::from_secs(300);
/// Of all sessions, in milliseconds.
const TIMEOUT_MS: i32 = 30_000;

const DELETE: i32 = 2;
const EXISTS: i32 = 3;
const GET_DATA: i32 = 4;
const SET_DATA: i32 = 5;
const GET_CHILDREN2: i32 = 12;
const MULTI: i32 = 14;
const CREATE2: i32 = 15;
const SET_WATCHES: i32 = 101;
const GET_ALL_CHILDREN_NUMBER: i32 = 104;
const ADD_WATCH: i32 = 106;
const CLOSE: i32 = -11;

/// A ZooKeeper, a Rookery, and the proxy that compares them.
struct Bench {
    proxy: Child,
    listen: SocketAddr,
    // Before `dir`: processes end before their directory goes.
    zookeeper: ServerProcess,
    rookery: Option<ServerProcess>,
    dir: TempDir,
}

impl Bench {
    fn start(more: &[&str]) -> Self {
        Self::start_after(more, |_| {})
    }

    /// `before` is what happens on ZooKeeper before the proxy is there.
    fn start_after(more: &[&str], before: impl FnOnce(SocketAddr)) -> Self {
        let zookeeper = ServerProcess::start(Software::ZooKeeper, &client_settings()).unwrap();
        let rookery = ServerProcess::start(Software::Rookery, &client_settings()).unwrap();
        before(zookeeper.address());
        let dir = TempDir::with_prefix("compat-").unwrap();
        let listen = free_address().unwrap();
        let open = |name: &str| File::create(dir.path().join(name)).unwrap();
        let mut command = Command::new(rookery_binary().unwrap());
        command.args([
            "crosscheck",
            "--log",
            "debug",
            "--settle",
            "2",
            "--drain",
            "240",
            "--listen",
        ]);
        command.arg(listen.to_string());
        command.args(["--zookeeper", &zookeeper.address().to_string()]);
        command.args(["--rookery", &rookery.address().to_string()]);
        command.arg("--report").arg(dir.path().join("json")).args(more);
        command.stdin(Stdio::null()).stdout(open("report")).stderr(open("log"));
        let proxy = command.spawn().unwrap();
        let mut bench = Self { proxy, listen, zookeeper, rookery: Some(rookery), dir };
        bench.wait("the proxy to listen", |bench| {
            assert!(bench.proxy.try_wait().unwrap().is_none(), "{}", bench.text("log"));
            bench.text("log").contains("clients may connect")
        });
        bench
    }

    fn session(&self) -> Session {
        Session::open(self.listen, TIMEOUT_MS).unwrap()
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.dir.path().join(name)).unwrap_or_default()
    }

    fn wait(&mut self, what: &str, is_so: impl FnMut(&mut Self) -> bool) {
        self.wait_for_long(WITHIN, what, is_so);
    }

    fn wait_for_long(
        &mut self,
        within: Duration,
        what: &str,
        mut is_so: impl FnMut(&mut Self) -> bool,
    ) {
        let deadline = Instant::now() + within;
        while !is_so(self) {
            assert!(Instant::now() < deadline, "{what} did not come\n{}", self.text("report"));
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until what created this znode has been repeated.
    fn wait_for_rookery(&self, path: &str) {
        let rookery = self.rookery.as_ref().unwrap().address();
        let mut session = Session::open(rookery, TIMEOUT_MS).unwrap();
        let deadline = Instant::now() + WITHIN;
        while !matches!(read(&mut session, EXISTS, path, false), Answer::Reply(0, _)) {
            assert!(Instant::now() < deadline, "nothing is repeated on Rookery");
        }
    }

    fn signal_rookery(&self, signal: Signal) {
        let pid = self.rookery.as_ref().unwrap().pid();
        kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal).unwrap();
    }

    /// Stops the proxy; its exit code, and the report.
    fn stop(mut self) -> (i32, Report) {
        let pid = Pid::from_child(&self.proxy);
        kill_process(pid, Signal::TERM).unwrap();
        let has_ended = |bench: &mut Self| bench.proxy.try_wait().unwrap().is_some();
        self.wait_for_long(DRAINED_WITHIN, "the end of the proxy", has_ended);
        let code = self.proxy.wait().unwrap().code().unwrap();
        (code, Report(self.text("report")))
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.proxy.kill();
        let _ = self.proxy.wait();
    }
}

#[derive(Debug)]
struct Report(String);

impl Report {
    fn differences(&self) -> Vec<&str> {
        self.0.lines().filter(|line| line.starts_with("difference ")).collect()
    }

    /// A figure of the last summary.
    fn figure(&self, name: &str) -> u64 {
        let summary = self.0.lines().rfind(|line| line.starts_with("summary ")).unwrap();
        let prefix = format!("{name}=");
        let word = summary.split_whitespace().find_map(|word| word.strip_prefix(&prefix)).unwrap();
        word.split('(').next().unwrap().parse().unwrap()
    }

    #[track_caller]
    fn must_be_alike(&self, code: i32) {
        assert_eq!(self.differences(), [""; 0], "{}", self.0);
        assert_eq!(self.figure("requests"), self.figure("equal"), "{}", self.0);
        assert_eq!(self.figure("events-different"), 0, "{}", self.0);
        // Each server finds out in its own time that a client is gone.
        let summary = self.0.lines().last().unwrap();
        assert!(
            self.figure("events-not-judged") == 0 || summary.contains("(connection-ended:"),
            "{}",
            self.0
        );
        assert_eq!(self.figure("given-up"), 0, "{}", self.0);
        assert_eq!(code, 0, "{}", self.0);
    }
}

#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "answers are asserted where they come")]
fn ok(answer: Answer) {
    assert!(matches!(answer, Answer::Reply(0, _)), "{answer:?}");
}

fn create(session: &mut Session, path: &str, flags: i32) -> Answer {
    session.ask(CREATE2, |out| put_create_flagged(out, path, b"data", flags)).unwrap()
}

fn set(session: &mut Session, path: &str, data: &[u8]) -> Answer {
    session.ask(SET_DATA, |out| put_set(out, path, data, -1)).unwrap()
}

fn put_set(out: &mut Writer, path: &str, data: &[u8], version: i32) {
    out.text(Some(path)).buffer(Some(data)).int(version);
}

fn read(session: &mut Session, code: i32, path: &str, watch: bool) -> Answer {
    let ask = session.ask(code, |out| {
        out.text(Some(path)).flag(watch);
    });
    ask.unwrap()
}

/// One of all that a client may ask, on few znodes, so that clients meet.
fn random_request(random: &mut Random, session: &mut Session) -> Vec<u8> {
    let parent = format!("/p{}", random.below(3));
    let path = format!("{parent}/n{}", random.below(5));
    let watch = random.below(2) == 0;
    let version = i32::try_from(random.below(5)).unwrap() - 1;
    let flags = i32::try_from(random.below(4)).unwrap();
    match random.below(12) {
        0 | 1 => session.frame(CREATE2, |out| put_create_flagged(out, &path, b"new", flags)),
        2 => session.frame(1, |out| put_create_flagged(out, &format!("{parent}/s-"), b"", 3)),
        3 => session.frame(DELETE, |out| {
            out.text(Some(&path)).int(version);
        }),
        4 | 5 => {
            let data = vec![b'x'; random.index(100)];
            session.frame(SET_DATA, |out| put_set(out, &path, &data, version))
        }
        6 => session.frame(MULTI, |out| {
            out.int(5).flag(false).int(-1);
            put_set(out, &path, b"multi", -1);
            out.int(1).flag(false).int(-1);
            put_create_flagged(out, &format!("{parent}/m-"), b"multi", 2);
            out.int(-1).flag(true).int(-1);
        }),
        7 => session.frame(GET_CHILDREN2, |out| {
            out.text(Some(&parent)).flag(watch);
        }),
        8 => session.frame(EXISTS, |out| {
            out.text(Some(&path)).flag(watch);
        }),
        9 => session.frame(GET_ALL_CHILDREN_NUMBER, |out| {
            out.text(Some(&parent));
        }),
        10 => session.frame(ADD_WATCH, |out| {
            out.text(Some(&path)).int(i32::from(watch));
        }),
        _ => session.frame(GET_DATA, |out| {
            out.text(Some(&path)).flag(watch);
        }),
    }
}

/// Sends many requests, several at once, over some sessions that it closes or leaves behind.
fn work(server: SocketAddr, seed: u64, sessions: u64, batches: u64) {
    let mut random = Random::seeded(seed);
    for number in 0..sessions {
        let mut session = Session::open(server, TIMEOUT_MS).unwrap();
        for _ in 0..batches {
            let requests = 1 + random.below(6);
            for _ in 0..requests {
                let frame = random_request(&mut random, &mut session);
                session.connection.send(&frame).unwrap();
            }
            for _ in 0..requests {
                let answer = session.answer().unwrap();
                assert!(matches!(answer, Answer::Reply(..)), "{answer:?}");
            }
        }
        if number % 2 == 0 {
            ok(session.ask(CLOSE, |_| {}).unwrap());
        } else {
            // It goes on over another connection, with a watch that is set again.
            let handshake = Handshake::resume(TIMEOUT_MS, &session.welcome);
            drop(session);
            let mut session = Session::open_with(server, &handshake).unwrap();
            let answer = session.ask(SET_WATCHES, |out| {
                out.long(i64::MAX >> 1).count(1).text(Some("/p0/n0")).count(0).count(1);
                out.text(Some("/p0"));
            });
            ok(answer.unwrap());
            assert!(matches!(create(&mut session, "/p0/n0", 0), Answer::Reply(..)));
            ok(session.ask(CLOSE, |_| {}).unwrap());
        }
    }
}

#[test]
fn clients_at_once_are_compared_to_the_last_reply_without_a_false_alarm() {
    let bench = Bench::start(&[]);
    let mut session = bench.session();
    for parent in ["/p0", "/p1", "/p2"] {
        ok(create(&mut session, parent, 0));
    }
    ok(session.ask(CLOSE, |_| {}).unwrap());
    let server = bench.listen;
    let clients: Vec<_> =
        (0..8).map(|seed| thread::spawn(move || work(server, seed, 3, 40))).collect();
    for client in clients {
        client.join().unwrap();
    }
    let (code, report) = bench.stop();
    assert!(report.figure("requests") > 2000, "{}", report.0);
    assert!(report.figure("events-equal") > 500, "{}", report.0);
    report.must_be_alike(code);
}

#[test]
fn a_change_behind_its_back_is_found() {
    let bench = Bench::start(&[]);
    let mut session = bench.session();
    ok(create(&mut session, "/planted", 0));
    ok(read(&mut session, GET_DATA, "/planted", false));
    ok(create(&mut session, "/alike", 0));
    // Requests are repeated in order: the read was, before anything is planted.
    bench.wait_for_rookery("/alike");
    let rookery = bench.rookery.as_ref().unwrap().address();
    let mut other = Session::open(rookery, TIMEOUT_MS).unwrap();
    ok(set(&mut other, "/planted", b"another"));
    ok(read(&mut session, GET_DATA, "/planted", false));
    ok(read(&mut session, GET_DATA, "/alike", false));
    ok(session.ask(CLOSE, |_| {}).unwrap());
    let (code, report) = bench.stop();
    assert_eq!(code, 1, "{}", report.0);
    let mut fields: Vec<&str> = report
        .differences()
        .iter()
        .map(|line| {
            assert!(line.contains("path=/planted operation=getData "), "{line}");
            line.split_once("field=").unwrap().1.split(' ').next().unwrap()
        })
        .collect();
    fields.sort_unstable();
    assert_eq!(fields, ["data", "dataLength", "mtime", "mzxid", "version"], "{}", report.0);
    assert_eq!(report.figure("different"), 1, "{}", report.0);
}

#[test]
fn without_rookery_clients_go_on_and_the_report_says_so() {
    let mut bench = Bench::start(&[]);
    let mut session = bench.session();
    ok(create(&mut session, "/before", 0));
    bench.rookery.take().unwrap().kill();
    for number in 0..200 {
        ok(create(&mut session, &format!("/after-{number}"), 0));
    }
    bench.wait("the news", |bench| bench.text("report").contains("Rookery cannot be reached"));
    let mut late = bench.session();
    ok(create(&mut late, "/late", 1));
    ok(read(&mut session, EXISTS, "/late", false));
    let (code, report) = bench.stop();
    assert_eq!(report.differences(), [""; 0], "{}", report.0);
    assert_eq!(code, 3, "{}", report.0);
}

#[test]
fn sessions_that_move_expire_and_watch_are_alike() {
    let mut bench = Bench::start(&[]);
    let mut watcher = bench.session();
    ok(create(&mut watcher, "/held", 0));
    let mut holder = Session::open(bench.listen, 5000).unwrap();
    for name in ["/held/a", "/held/b"] {
        ok(create(&mut holder, name, 1));
    }
    ok(create(&mut watcher, "/held/again", 1));
    ok(read(&mut watcher, GET_CHILDREN2, "/held", true));
    ok(read(&mut watcher, EXISTS, "/held/a", true));
    // The holder says no more: ZooKeeper expires it, and so must Rookery, at the same point.
    let events: Vec<Incoming> =
        (0..2).map(|_| watcher.connection.read_frame(WITHIN).unwrap()).collect();
    assert!(events.iter().all(|event| matches!(event, Incoming::Frame(_))), "{events:?}");
    ok(create(&mut watcher, "/held/a", 0));
    ok(read(&mut watcher, GET_CHILDREN2, "/held", true));

    // Away for a while: what changed meanwhile is told when the watches are set again.
    let handshake = Handshake::resume(TIMEOUT_MS, &watcher.welcome);
    drop(watcher);
    let mut other = bench.session();
    ok(set(&mut other, "/held/a", b"changed"));
    ok(create(&mut other, "/held/c", 0));
    let mut watcher = Session::open_with(bench.listen, &handshake).unwrap();
    let answer = watcher.ask(SET_WATCHES, |out| {
        out.long(1).count(1).text(Some("/held/a")).count(1).text(Some("/held/c"));
        out.count(1).text(Some("/held"));
    });
    ok(answer.unwrap());
    ok(read(&mut watcher, GET_DATA, "/held/again", false));
    ok(watcher.ask(CLOSE, |_| {}).unwrap());
    ok(other.ask(CLOSE, |_| {}).unwrap());
    bench.wait("the end of the holder", |_| {
        matches!(holder.connection.read_frame(WITHIN), Ok(Incoming::Closed))
    });
    let (code, report) = bench.stop();
    assert!(report.figure("events-equal") >= 5, "{}", report.0);
    report.must_be_alike(code);
}

#[test]
fn a_tree_that_was_copied_goes_on_alike_and_writes_past_the_proxy_are_no_alarm() {
    let before = |server: SocketAddr| {
        let mut session = Session::open(server, TIMEOUT_MS).unwrap();
        ok(create(&mut session, "/old", 0));
        for number in 0..20 {
            ok(create(&mut session, "/old/n-", 2));
            ok(set(&mut session, "/old", format!("{number}").as_bytes()));
        }
        ok(session
            .ask(DELETE, |out| {
                out.text(Some("/old/n-0000000007")).int(-1);
            })
            .unwrap());
        ok(create(&mut session, "/old/ephemeral", 1));
        ok(session.ask(CLOSE, |_| {}).unwrap());
    };
    let bench = Bench::start_after(&["--copy"], before);
    let mut session = bench.session();
    ok(read(&mut session, GET_CHILDREN2, "/old", false));
    ok(create(&mut session, "/old/n-", 3));
    let versioned = session.ask(SET_DATA, |out| put_set(out, "/old", b"next", 20)).unwrap();
    ok(versioned);
    ok(read(&mut session, GET_DATA, "/old/n-0000000003", false));

    let mut past = Session::open(bench.zookeeper.address(), TIMEOUT_MS).unwrap();
    ok(create(&mut past, "/old/foreign", 0));
    ok(set(&mut past, "/old/n-0000000003", b"foreign"));
    ok(read(&mut session, GET_DATA, "/old/n-0000000003", false));
    ok(read(&mut session, GET_DATA, "/old/foreign", false));
    ok(read(&mut session, GET_CHILDREN2, "/old", false));
    ok(create(&mut session, "/old/own", 0));
    ok(session.ask(CLOSE, |_| {}).unwrap());
    let (code, report) = bench.stop();
    assert_eq!(report.differences(), [""; 0], "{}", report.0);
    assert_eq!(code, 0, "{}", report.0);
    assert_eq!(report.figure("foreign-changes"), 2, "{}", report.0);
    assert_eq!(report.figure("not-judged"), 3, "{}", report.0);
}

#[test]
fn busy_clients_do_not_keep_it_from_comparing_to_the_end() {
    let bench = Bench::start(&[]);
    let mut session = bench.session();
    ok(create(&mut session, "/busy", 0));
    // Somebody who only looks what listens there.
    let mut probe = RawConnection::open(bench.listen).unwrap();
    probe.send(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let (server, answered) = (bench.listen, Arc::new(AtomicU64::new(0)));
    let clients: Vec<_> = (0..6)
        .map(|number| {
            let answered = Arc::clone(&answered);
            thread::spawn(move || {
                let mut session = Session::open(server, TIMEOUT_MS).unwrap();
                let (own, mut random) = (format!("/busy/{number}"), Random::seeded(number));
                ok(create(&mut session, &own, 1));
                let mut is_served = true;
                // Until the proxy closes the connection.
                while is_served {
                    let answer = if random.below(5) == 0 {
                        session.ask(SET_DATA, |out| put_set(out, &own, b"own", -1))
                    } else {
                        session.ask(GET_DATA, |out| {
                            out.text(Some("/busy")).flag(true);
                        })
                    };
                    is_served = matches!(answer, Ok(Answer::Reply(0, _)));
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let deadline = Instant::now() + WITHIN;
    while answered.load(Ordering::Relaxed) < 600 {
        assert!(Instant::now() < deadline, "clients are not served");
        thread::sleep(Duration::from_millis(5));
    }
    let (code, report) = bench.stop();
    for client in clients {
        client.join().unwrap();
    }
    assert_eq!(report.differences(), [""; 0], "{}", report.0);
    assert_eq!((code, report.figure("waiting"), report.figure("given-up")), (0, 0, 0));
    assert!(report.figure("equal") >= 600, "{}", report.0);
}

#[test]
fn rookery_that_hangs_while_clients_are_silent_is_noticed() {
    let mut bench = Bench::start(&["--patience", "3"]);
    let mut session = bench.session();
    ok(create(&mut session, "/before", 0));
    bench.wait_for_rookery("/before");
    bench.signal_rookery(Signal::STOP);
    bench.wait("the news", |bench| bench.text("report").contains("Rookery does not answer"));
    ok(create(&mut session, "/after", 0));
    bench.signal_rookery(Signal::CONT);
    let (code, report) = bench.stop();
    assert_eq!((code, report.differences().len()), (3, 0), "{}", report.0);
}

#[test]
fn what_a_slow_rookery_has_not_answered_counts_as_backlog() {
    let mut bench = Bench::start(&["--patience", "60", "--backlog", "1"]);
    let mut session = bench.session();
    ok(create(&mut session, "/big", 0));
    ok(set(&mut session, "/big", &[b'x'; 50_000]));
    bench.wait_for_rookery("/big");
    bench.signal_rookery(Signal::STOP);
    for _ in 0..60 {
        ok(read(&mut session, GET_DATA, "/big", false));
    }
    bench.wait("the news", |bench| bench.text("report").contains("no-room"));
    bench.signal_rookery(Signal::CONT);
    let (code, report) = bench.stop();
    assert_eq!((code, report.differences().len()), (3, 0), "{}", report.0);
    assert_eq!((report.figure("given-up"), report.figure("waiting")), (1, 0), "{}", report.0);
}

#[test]
fn an_ephemeral_deleted_past_the_proxy_does_not_end_its_session() {
    let bench = Bench::start(&[]);
    let (mut owner, mut watcher) = (bench.session(), bench.session());
    ok(create(&mut owner, "/controller", 1));
    ok(read(&mut watcher, EXISTS, "/controller", true));
    let mut past = Session::open(bench.zookeeper.address(), TIMEOUT_MS).unwrap();
    ok(past
        .ask(DELETE, |out| {
            out.text(Some("/controller")).int(-1);
        })
        .unwrap());
    let event = watcher.connection.read_frame(WITHIN).unwrap();
    assert!(matches!(event, Incoming::Frame(_)), "{event:?}");
    ok(create(&mut owner, "/other", 1));
    ok(read(&mut owner, GET_DATA, "/other", false));
    ok(read(&mut watcher, GET_DATA, "/other", false));
    ok(owner.ask(CLOSE, |_| {}).unwrap());
    assert!(matches!(read(&mut watcher, EXISTS, "/other", false), Answer::Reply(-101, _)));
    ok(watcher.ask(CLOSE, |_| {}).unwrap());
    let (code, report) = bench.stop();
    assert_eq!((code, report.differences().len()), (0, 0), "{}", report.0);
    assert_eq!(report.figure("foreign-changes"), 1, "{}", report.0);
    assert_eq!(report.figure("requests"), report.figure("equal"), "{}", report.0);
}
