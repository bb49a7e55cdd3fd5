//! What was acknowledged survives: kill -9 at many moments, an orderly stop, a second server
//! on the same data.
//!
//! Kill -9 loses what a process holds, not what the kernel holds: that data reaches the disk
//! before it is acknowledged is tested where the disk can be replaced, in `store`.
//!
//! Environment: `COMPAT_SERVER=zookeeper` runs the tests against Apache ZooKeeper.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use compat_tests::oracle::process::{ServerProcess, Software};
use compat_tests::raw::{Answer, Handshake, Incoming, Reader, Session, Welcome, put_create};
use compat_tests::server::{Server, client_settings};

/// Sessions must outlive the slowest restart.
const SESSION_MS: i32 = 30_000;
const WITHIN: Duration = Duration::from_secs(60);
/// How long the server runs before each kill, in milliseconds.
const RUNS_MS: [u64; 8] = [150, 20, 400, 5, 250, 60, 1, 120];
const WRITERS: usize = 3;
/// Requests that a writer has in flight.
const WINDOW: u64 = 16;

const CREATE: i32 = 1;
const GET_DATA: i32 = 4;
const EPHEMERAL: i32 = 1;

fn create_ephemeral(session: &mut Session, path: &str) {
    let answer = session.ask(CREATE, |out| {
        out.text(Some(path)).buffer(Some(b"held")).count(1).int(31);
        out.text(Some("world")).text(Some("anyone")).int(EPHEMERAL);
    });
    assert!(matches!(answer.unwrap(), Answer::Reply(0, _)));
}

/// Which session holds an ephemeral; `None` when it is gone.
fn owner(session: &mut Session, path: &str) -> Option<i64> {
    let answer = session.ask(GET_DATA, |out| {
        out.text(Some(path)).flag(false);
    });
    match answer.unwrap() {
        Answer::Reply(0, body) => {
            let mut reader = Reader::new(&body);
            reader.buffer("data").unwrap();
            for field in ["czxid", "mzxid", "ctime", "mtime"] {
                reader.long(field).unwrap();
            }
            for field in ["version", "cversion", "aversion"] {
                reader.int(field).unwrap();
            }
            Some(reader.long("ephemeralOwner").unwrap())
        }
        Answer::Reply(-101, _) => None,
        answer @ (Answer::Reply(..) | Answer::Closed | Answer::Nothing) => {
            panic!("getData {path}: {answer:?}")
        }
    }
}

/// A client that creates numbered znodes as fast as it may, and remembers what it was told.
struct Writer {
    server: SocketAddr,
    folder: String,
    welcome: Welcome,
    zxid_seen: i64,
    next: u64,
    acknowledged: Vec<u64>,
    /// What each connection sent, in order.
    sent: Vec<Range<u64>>,
}

impl Writer {
    fn start(server: SocketAddr, number: usize) -> Self {
        let folder = format!("/writer-{number}");
        let mut session = Session::open(server, SESSION_MS).unwrap();
        assert!(matches!(session.create(&folder, b"").unwrap(), Answer::Reply(0, _)));
        create_ephemeral(&mut session, &format!("{folder}/held"));
        Self {
            server,
            folder,
            welcome: session.welcome,
            zxid_seen: 0,
            next: 0,
            acknowledged: Vec::new(),
            sent: Vec::new(),
        }
    }

    /// Goes on until told to stop, over as many connections as it takes. `progress` counts
    /// what was acknowledged to all writers.
    fn run(mut self, stop: &AtomicBool, progress: &AtomicU64) -> Self {
        while !stop.load(Ordering::Relaxed) {
            let mut session = self.attach();
            assert_eq!(session.welcome.session_id, self.welcome.session_id);
            let first = self.next;
            // The connection ends when the server is killed.
            let _ = self.write_until_closed(&mut session, stop, progress);
            self.sent.push(first..self.next);
        }
        self
    }

    /// Re-attaches; never to be refused, whatever the server went through.
    fn attach(&self) -> Session {
        let deadline = Instant::now() + WITHIN;
        let mut handshake = Handshake::resume(SESSION_MS, &self.welcome);
        handshake.last_zxid_seen = self.zxid_seen;
        loop {
            match Session::open_with(self.server, &handshake) {
                Ok(session) => return session,
                Err(error) => {
                    let refused = error.to_string().contains("refused");
                    assert!(!refused, "{}: the session was lost", self.folder);
                    assert!(Instant::now() < deadline, "{}: {error}", self.folder);
                    thread::sleep(Duration::from_millis(5));
                }
            }
        }
    }

    fn write_until_closed(
        &mut self,
        session: &mut Session,
        stop: &AtomicBool,
        progress: &AtomicU64,
    ) -> io::Result<()> {
        let mut in_flight: Range<u64> = self.next..self.next;
        let mut xid = 0;
        while !(stop.load(Ordering::Relaxed) && in_flight.is_empty()) {
            while in_flight.end - in_flight.start < WINDOW && !stop.load(Ordering::Relaxed) {
                let path = format!("{}/{}", self.folder, in_flight.end);
                let data = in_flight.end.to_be_bytes();
                let frame = session.frame(CREATE, |out| put_create(out, &path, &data));
                // Counted as sent even if sending fails: a part may have arrived.
                in_flight.end += 1;
                self.next = in_flight.end;
                session.connection.send(&frame)?;
            }
            let Incoming::Frame(frame) = session.connection.read_frame(WITHIN)? else {
                return Ok(());
            };
            let mut reader = Reader::new(&frame);
            xid += 1;
            assert_eq!(reader.int("xid").unwrap(), xid, "replies come in order");
            let zxid = reader.long("zxid").unwrap();
            assert!(zxid > self.zxid_seen, "{zxid:#x} after {:#x}", self.zxid_seen);
            assert_eq!(reader.int("error code").unwrap(), 0);
            self.zxid_seen = zxid;
            self.acknowledged.push(in_flight.start);
            in_flight.start += 1;
            progress.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Compares what is there with what was acknowledged.
    fn verify(&self) {
        let mut session = self.attach();
        let held = format!("{}/held", self.folder);
        assert_eq!(owner(&mut session, &held), Some(self.welcome.session_id), "{held}");
        let mut there = Vec::new();
        for number in 0..self.next {
            let path = format!("{}/{number}", self.folder);
            let data = session.data(&path).unwrap();
            if let Some(data) = &data {
                assert_eq!(data[..], number.to_be_bytes(), "{path}");
            }
            there.push(data.is_some());
        }
        let is_there = |number: u64| there[usize::try_from(number).unwrap()];
        let lost: Vec<_> = self.acknowledged.iter().filter(|number| !is_there(**number)).collect();
        assert!(lost.is_empty(), "{}: acknowledged and lost: {lost:?}", self.folder);
        // What was sent on one connection is applied in order: no gap, whatever was told.
        for range in &self.sent {
            let applied = range.clone().take_while(|number| is_there(*number)).count() as u64;
            let gap = (range.start + applied..range.end).find(|number| is_there(*number));
            assert_eq!(gap, None, "{}: applied without those before it", self.folder);
        }
    }
}

#[test]
fn every_acknowledged_write_survives_kill_9() {
    let mut server = Server::start(client_settings()).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let progress = Arc::new(AtomicU64::new(0));
    let writers: Vec<_> = (0..WRITERS)
        .map(|number| {
            let writer = Writer::start(server.address(), number);
            let (stop, progress) = (Arc::clone(&stop), Arc::clone(&progress));
            thread::spawn(move || writer.run(&stop, &progress))
        })
        .collect();
    for run in RUNS_MS {
        // Kills an idle server would prove nothing: wait until it works again.
        let before = progress.load(Ordering::Relaxed);
        let deadline = Instant::now() + WITHIN;
        while progress.load(Ordering::Relaxed) == before {
            assert!(Instant::now() < deadline, "no write was acknowledged");
            assert!(!writers.iter().any(thread::JoinHandle::is_finished), "a writer failed");
            thread::sleep(Duration::from_millis(1));
        }
        thread::sleep(Duration::from_millis(run));
        server.kill();
        server.start_again().unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    let writers: Vec<_> = writers.into_iter().map(|writer| writer.join().unwrap()).collect();
    server.kill();
    server.start_again().unwrap();
    for writer in &writers {
        writer.verify();
    }
}

#[test]
fn an_orderly_stop_is_quick_and_keeps_everything() {
    let mut server = Server::start(client_settings()).unwrap();
    let mut session = Session::open(server.address(), SESSION_MS).unwrap();
    for number in 0_u32..200 {
        let answer = session.create(&format!("/n{number}"), &number.to_be_bytes());
        assert!(matches!(answer.unwrap(), Answer::Reply(0, _)));
    }
    create_ephemeral(&mut session, "/held");
    for _ in 0..2 {
        let status = server.stop(Duration::from_secs(5)).expect("it ends within five seconds");
        if server.software() == Software::Rookery {
            assert_eq!(status.code(), Some(0));
        }
        server.start_again().unwrap();
        let handshake = Handshake::resume(SESSION_MS, &session.welcome);
        session = Session::open_with(server.address(), &handshake).unwrap();
        for number in 0_u32..200 {
            let data = session.data(&format!("/n{number}")).unwrap();
            assert_eq!(data, Some(number.to_be_bytes().to_vec()));
        }
        assert_eq!(owner(&mut session, "/held"), Some(session.welcome.session_id));
    }
}

/// Two servers writing to one directory would destroy it. ZooKeeper does not notice, so this
/// is Rookery's alone.
#[test]
fn a_second_server_on_the_same_data_is_refused() {
    if Software::from_env() == Software::ZooKeeper {
        return;
    }
    let first = Server::start(client_settings()).unwrap();
    let mut session = Session::open(first.address(), SESSION_MS).unwrap();
    assert!(matches!(session.create("/kept", b"here").unwrap(), Answer::Reply(0, _)));

    let data = first.dir().join("data").display().to_string();
    let elsewhere = tempfile::tempdir().unwrap();
    let settings = [("dataDir".to_owned(), data.clone())];
    let mut second =
        ServerProcess::spawn_in(Software::Rookery, elsewhere.path(), &settings).unwrap();
    let status = second.wait_exit(Duration::from_secs(20)).expect("it gives up");
    assert!(!status.success(), "{status}");
    let output = second.output();
    let names_it = output.contains(&format!("{data}: another server is using"));
    assert!(names_it, "expected to be told that {data} is in use:\n{output}");

    assert_eq!(session.data("/kept").unwrap(), Some(b"here".to_vec()));
    assert!(matches!(session.create("/more", b"").unwrap(), Answer::Reply(0, _)));
}
