//! Three servers on three hosts under load while everything happens to them, in a random order:
//! kill -9, SIGSTOP, cut links, one way and both ways, wiped disks. At no time a majority is
//! down for long. Nothing acknowledged is lost, nothing is applied twice, no session dies, no
//! client sees the past, and in the end all servers have the same.
//!
//! Environment: `FAULTS_SEED` repeats a run, `FAULTS_ROUNDS` makes it longer; `COMPAT_SERVER`
//! as elsewhere. Links are cut only where this may make network namespaces.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use compat_tests::ensemble::Ensemble;
use compat_tests::hosts::Hosts;
use compat_tests::oracle::process::Software;
use compat_tests::raw::{Answer, Handshake, Reader, Session};
use compat_tests::writer::Writer;
use rustix::process::Signal;

const SESSION_MS: i32 = 30_000;
/// Clients try another server after this long without an answer.
const PATIENCE: Duration = Duration::from_secs(3);
const WITHIN: Duration = Duration::from_secs(60);
/// So that there is not too much to compare in the end.
const REST: Duration = Duration::from_millis(3);
const ROUNDS: u64 = 8;
const GET_DATA: i32 = 4;
const SYNC: i32 = 9;

/// What can happen to one server.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Killed,
    Wiped,
    Stopped,
    CutOff,
    /// It hears the others and they do not hear it.
    Mute,
    /// The others hear it and it does not hear them.
    Deaf,
    /// One link is cut, both ways.
    OneLink,
}

const ANYWHERE: [Fault; 3] = [Fault::Killed, Fault::Wiped, Fault::Stopped];
const ON_HOSTS: [Fault; 7] = [
    Fault::Killed,
    Fault::Wiped,
    Fault::Stopped,
    Fault::CutOff,
    Fault::Mute,
    Fault::Deaf,
    Fault::OneLink,
];

/// Numbers that a seed repeats (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn index(&mut self, bound: usize) -> usize {
        usize::try_from(self.below(bound as u64)).unwrap()
    }
}

fn number_from(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

/// Reads one znode over and over, wherever it is served, and never sees an older state.
struct Watcher {
    servers: Vec<SocketAddr>,
    last: (i64, i32),
    reads: u64,
}

impl Watcher {
    fn run(mut self, stop: &AtomicBool) -> u64 {
        while !stop.load(Ordering::Relaxed) {
            let mut handshake = Handshake::fresh(SESSION_MS);
            handshake.last_zxid_seen = self.last.0;
            if let Ok(mut session) = Session::open_with(self.servers[0], &handshake) {
                // An error is a lost connection.
                let _ = self.read_until_lost(&mut session, stop);
            }
            self.servers.rotate_left(1);
            thread::sleep(Duration::from_millis(20));
        }
        self.reads
    }

    fn read_until_lost(&mut self, session: &mut Session, stop: &AtomicBool) -> std::io::Result<()> {
        while !stop.load(Ordering::Relaxed) {
            let frame = session.frame(GET_DATA, |out| {
                out.text(Some("/writer-0")).flag(false);
            });
            session.connection.send(&frame)?;
            let compat_tests::raw::Incoming::Frame(frame) =
                session.connection.read_frame(PATIENCE)?
            else {
                return Ok(());
            };
            let mut reader = Reader::new(&frame);
            let (_, zxid, code) = (reader.int("xid")?, reader.long("zxid")?, reader.int("code")?);
            assert_eq!(code, 0, "/writer-0 is there");
            reader.buffer("data")?;
            for field in ["czxid", "mzxid", "ctime", "mtime"] {
                reader.long(field)?;
            }
            reader.int("version")?;
            let seen = (zxid, reader.int("cversion")?);
            assert!(seen >= self.last, "{seen:?} after {:?}", self.last);
            self.last = seen;
            self.reads += 1;
        }
        Ok(())
    }
}

struct Load {
    stop: Arc<AtomicBool>,
    progress: Vec<Arc<AtomicU64>>,
    writers: Vec<JoinHandle<Writer>>,
    watchers: Vec<JoinHandle<u64>>,
}

impl Load {
    fn start(ensemble: &Ensemble) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let from = |first: usize| -> Vec<SocketAddr> {
            (0..3).map(|index| ensemble.address((first + index) % 3)).collect()
        };
        let progress: Vec<Arc<AtomicU64>> = (0..3).map(|_| Arc::default()).collect();
        let writers = progress.iter().enumerate().map(|(number, progress)| {
            let writer = Writer::start(from(number), number, SESSION_MS).unwrap();
            let writer = writer.with_patience(PATIENCE).with_rest(REST);
            let (stop, progress) = (Arc::clone(&stop), Arc::clone(progress));
            thread::spawn(move || writer.run(&stop, &progress))
        });
        let writers: Vec<_> = writers.collect();
        let watchers = (0..3).map(|number| {
            let watcher = Watcher { servers: from(number), last: (0, 0), reads: 0 };
            let stop = Arc::clone(&stop);
            thread::spawn(move || watcher.run(&stop))
        });
        let watchers = watchers.collect();
        Self { stop, progress, writers, watchers }
    }

    /// Waits until every writer has gone on.
    fn wait_for_all(&self, count: u64, what: &str, ensemble: &Ensemble) {
        let deadline = Instant::now() + WITHIN;
        for (number, progress) in self.progress.iter().enumerate() {
            let target = progress.load(Ordering::Relaxed) + count;
            while progress.load(Ordering::Relaxed) < target {
                let fine = !self.writers.iter().any(JoinHandle::is_finished)
                    && !self.watchers.iter().any(JoinHandle::is_finished);
                assert!(fine, "{what}: a client failed, see above");
                let in_time = Instant::now() < deadline;
                assert!(in_time, "{what}: writer {number} is stuck: {}", ensemble.outputs());
                thread::sleep(Duration::from_millis(2));
            }
        }
    }
}

/// Lets a fault happen to a server.
fn begin(ensemble: &mut Ensemble, hosts: Option<&Hosts>, fault: Fault, victim: usize) {
    let others = [(victim + 1) % 3, (victim + 2) % 3];
    let cut = |pairs: &[(usize, usize)]| {
        for (from, to) in pairs {
            hosts.unwrap().cut_one_way(*from, *to).unwrap();
        }
    };
    match fault {
        Fault::Killed | Fault::Wiped => ensemble.kill(victim),
        Fault::Stopped => ensemble.signal(victim, Signal::STOP),
        Fault::CutOff => hosts.unwrap().cut_off(victim).unwrap(),
        Fault::Mute => cut(&others.map(|other| (victim, other))),
        Fault::Deaf => cut(&others.map(|other| (other, victim))),
        Fault::OneLink => cut(&[(victim, others[0]), (others[0], victim)]),
    }
}

/// Ends what [`begin`] began.
fn end(ensemble: &mut Ensemble, hosts: Option<&Hosts>, fault: Fault, victim: usize) {
    match fault {
        Fault::Wiped => {
            ensemble.wipe(victim);
            ensemble.spawn(victim).unwrap();
        }
        Fault::Killed => ensemble.spawn(victim).unwrap(),
        Fault::Stopped => ensemble.signal(victim, Signal::CONT),
        Fault::CutOff | Fault::Mute | Fault::Deaf | Fault::OneLink => {
            hosts.unwrap().heal().unwrap();
        }
    }
}

/// Waits until a server serves, so that the next fault does not cost the majority.
fn wait_until_serving(ensemble: &Ensemble, what: &str) {
    let deadline = Instant::now() + WITHIN;
    while (0..3).any(|index| ensemble.mode(index).is_none()) {
        assert!(Instant::now() < deadline, "{what}: one does not serve: {}", ensemble.outputs());
        thread::sleep(Duration::from_millis(20));
    }
}

/// All of a server's tree that the writers made, with what every znode says of itself.
fn dump(ensemble: &Ensemble, index: usize, writers: &[Writer]) -> Vec<(String, Answer)> {
    let mut session = Session::open(ensemble.address(index), SESSION_MS).unwrap();
    let synced = session.ask(SYNC, |out| {
        out.text(Some("/"));
    });
    assert!(matches!(synced.unwrap(), Answer::Reply(0, _)));
    let mut all = Vec::new();
    for (number, writer) in writers.iter().enumerate() {
        for znode in 0..writer.attempted() {
            let path = format!("/writer-{number}/{znode}");
            let answer = session.ask(GET_DATA, |out| {
                out.text(Some(&path)).flag(false);
            });
            all.push((path, answer.unwrap()));
        }
    }
    all
}

#[test]
fn nothing_is_lost_whatever_happens_to_one_server_at_a_time() {
    let software = Software::from_env();
    let hosts = Hosts::make(3);
    if let Err(error) = &hosts {
        writeln!(std::io::stdout().lock(), "no links are cut: {error}").unwrap();
    }
    let hosts = hosts.ok();
    let settings = [("tickTime".to_owned(), "1000".to_owned())];
    let mut ensemble = match &hosts {
        Some(hosts) => Ensemble::start_on(software, hosts, &settings).unwrap(),
        None => Ensemble::start(software, 3, &settings).unwrap(),
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = number_from("FAULTS_SEED", u64::from(now.subsec_nanos()));
    let mut random = Random(seed | 1);
    let faults = if hosts.is_some() { &ON_HOSTS[..] } else { &ANYWHERE[..] };
    ensemble.wait_for_leader(WITHIN);
    let load = Load::start(&ensemble);
    for round in 0..number_from("FAULTS_ROUNDS", ROUNDS) {
        let leader = ensemble.wait_for_leader(WITHIN);
        // Most of what is interesting happens to leaders.
        let victim = if random.below(2) == 0 { leader } else { random.index(3) };
        let fault = faults[random.index(faults.len())];
        let lasts = Duration::from_millis(200 + random.below(4000));
        let what = format!("seed {seed}, round {round}: {fault:?} at {victim}, {lasts:?}");
        writeln!(std::io::stdout().lock(), "{what}").unwrap();
        load.wait_for_all(20, &what, &ensemble);
        let until = Instant::now() + lasts;
        begin(&mut ensemble, hosts.as_ref(), fault, victim);
        load.wait_for_all(20, &what, &ensemble);
        // The fault lasts as long as it was to, whatever the clients did.
        thread::sleep(until.saturating_duration_since(Instant::now()));
        end(&mut ensemble, hosts.as_ref(), fault, victim);
        wait_until_serving(&ensemble, &what);
        load.wait_for_all(20, &what, &ensemble);
    }
    load.stop.store(true, Ordering::Relaxed);
    let mut writers: Vec<Writer> =
        load.writers.into_iter().map(|writer| writer.join().unwrap()).collect();
    for watcher in load.watchers {
        assert!(watcher.join().unwrap() > 0, "a watcher saw nothing");
    }
    // Side by side: nobody pings for those who wait for their turn.
    thread::scope(|scope| {
        for writer in &mut writers {
            scope.spawn(|| writer.verify().unwrap());
        }
    });
    let first = dump(&ensemble, 0, &writers);
    for index in 1..3 {
        assert!(dump(&ensemble, index, &writers) == first, "server {index} has another tree");
    }
}
