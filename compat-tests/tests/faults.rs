//! Three servers on three hosts under load while everything happens to them, in a random order:
//! see [`compat_tests::faults`]. Nothing acknowledged is lost, nothing is applied twice, no
//! session dies, no client sees the past, kazoo and the Java client find what they were told,
//! all that was recorded can have happened in one order, and in the end all servers have the
//! same.
//!
//! Environment: `FAULTS_SEED` repeats a run, `FAULTS_ROUNDS` makes it longer, `FAULTS_HISTORY`
//! keeps what was recorded in that file; `COMPAT_SERVER` as elsewhere. Links are cut only where
//! this may make network namespaces.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use compat_tests::at_work::AtWork;
use compat_tests::ensemble::Ensemble;
use compat_tests::faults::{Faults, number_from, print, wait_until_serving};
use compat_tests::oracle::process::Software;
use compat_tests::raw::{Answer, Handshake, Reader, Session};
use compat_tests::recorder::{Recorder, Recording, judge};
use compat_tests::writer::{Writer, verify_all};

/// Longer than it takes to stop all clients, one after the other.
const SESSION_MS: i32 = 60_000;
/// Clients try another server after this long without an answer.
const PATIENCE: Duration = Duration::from_secs(3);
const WITHIN: Duration = Duration::from_secs(60);
/// So that there is not too much to compare in the end.
const REST: Duration = Duration::from_millis(10);
const ROUNDS: u64 = 6;
/// Clients whose operations are recorded.
const RECORDERS: usize = 6;
const RECORDED: &str = "/recorded";
/// Reads that are under way at once where all is compared.
const IN_FLIGHT: usize = 200;
const GET_DATA: i32 = 4;
const SYNC: i32 = 9;

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

/// All clients.
struct Load {
    stop: Arc<AtomicBool>,
    progress: Vec<Arc<AtomicU64>>,
    writers: Vec<JoinHandle<Writer>>,
    watchers: Vec<JoinHandle<u64>>,
    recording: Arc<Recording>,
    recorders: Vec<JoinHandle<String>>,
    others: Vec<AtWork>,
}

impl Load {
    fn start(ensemble: &Ensemble, seed: u64) -> Self {
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
        let mut session = Session::open(ensemble.address(0), SESSION_MS).unwrap();
        assert!(matches!(session.create(RECORDED, b"").unwrap(), Answer::Reply(0, _)));
        let recording = Recording::below(RECORDED);
        let recorders = (0..RECORDERS).map(|number| {
            let client = Recorder::start(&recording, number, from(number), SESSION_MS, seed);
            let client = client.unwrap();
            thread::spawn(move || client.run())
        });
        let recorders = recorders.collect();
        let others = vec![AtWork::kazoo(ensemble), AtWork::java(ensemble)];
        Self { stop, progress, writers, watchers, recording, recorders, others }
    }

    /// Waits until every client has gone on.
    fn wait_for_all(&mut self, count: u64, what: &str, ensemble: &Ensemble) {
        let deadline = Instant::now() + WITHIN;
        for (number, progress) in self.progress.iter().enumerate() {
            let target = progress.load(Ordering::Relaxed) + count;
            while progress.load(Ordering::Relaxed) < target {
                let fine = !self.writers.iter().any(JoinHandle::is_finished)
                    && !self.watchers.iter().any(JoinHandle::is_finished)
                    && !self.recorders.iter().any(JoinHandle::is_finished);
                assert!(fine, "{what}: a client failed, see above");
                let in_time = Instant::now() < deadline;
                assert!(in_time, "{what}: writer {number} is stuck: {}", ensemble.outputs());
                thread::sleep(Duration::from_millis(2));
            }
        }
        for client in &mut self.others {
            client.wait_for(1, ensemble);
        }
        let target = self.recording.operations() + count;
        while self.recording.operations() < target {
            assert!(Instant::now() < deadline, "{what}: nothing is recorded");
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Stops all clients. Those that know by themselves what they should find look for it;
    /// gives the others, and what was recorded.
    fn stop(self, ensemble: &Ensemble) -> (Vec<Writer>, String) {
        self.stop.store(true, Ordering::Relaxed);
        self.recording.stop();
        for client in self.others {
            print(&format!("a client of another make had {} writes", client.acknowledged()));
            client.take_stock(ensemble);
        }
        let mut writers: Vec<Writer> =
            self.writers.into_iter().map(|writer| writer.join().unwrap()).collect();
        let reads: Vec<u64> =
            self.watchers.into_iter().map(|watcher| watcher.join().unwrap()).collect();
        assert!(!reads.contains(&0), "a watcher saw nothing");
        let acknowledged: usize = writers.iter().map(Writer::acknowledged).sum();
        let reads: u64 = reads.iter().sum();
        print(&format!("{acknowledged} writes acknowledged to writers, {reads} reads"));
        let history: Vec<String> =
            self.recorders.into_iter().map(|client| client.join().unwrap()).collect();
        verify_all(&mut writers);
        (writers, history.concat())
    }
}

/// All of a server's tree that the writers made, with what every znode says of itself.
fn dump(ensemble: &Ensemble, index: usize, writers: &[Writer]) -> Vec<(String, Answer)> {
    let mut session = Session::open(ensemble.address(index), SESSION_MS).unwrap();
    let synced = session.ask(SYNC, |out| {
        out.text(Some("/"));
    });
    assert!(matches!(synced.unwrap(), Answer::Reply(0, _)));
    let paths: Vec<String> = writers
        .iter()
        .enumerate()
        .flat_map(|(number, writer)| {
            (0..writer.attempted()).map(move |znode| format!("/writer-{number}/{znode}"))
        })
        .collect();
    let mut all = Vec::new();
    for some in paths.chunks(IN_FLIGHT) {
        let frames: Vec<Vec<u8>> = some
            .iter()
            .map(|path| {
                session.frame(GET_DATA, |out| {
                    out.text(Some(path)).flag(false);
                })
            })
            .collect();
        session.connection.send(&frames.concat()).unwrap();
        all.extend(some.iter().map(|path| (path.clone(), session.answer().unwrap())));
    }
    all
}

#[test]
fn nothing_is_lost_whatever_happens_to_one_server_at_a_time() {
    let mut faults = Faults::from_env();
    let settings = [("tickTime", "1000"), ("maxSessionTimeout", "60000")];
    let settings = settings.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let mut ensemble = faults.ensemble(Software::from_env(), &settings).unwrap();
    ensemble.wait_for_leader(WITHIN);
    let mut load = Load::start(&ensemble, faults.seed());
    let began = Instant::now();
    for round in 0..number_from("FAULTS_ROUNDS", ROUNDS) {
        let drawn = faults.draw(&ensemble);
        let what = format!("seed {}, round {round}: {drawn:?}", faults.seed());
        print(&what);
        load.wait_for_all(20, &what, &ensemble);
        let until = Instant::now() + drawn.lasts;
        faults.begin(&mut ensemble, drawn);
        load.wait_for_all(20, &what, &ensemble);
        // The fault lasts as long as it was to, whatever the clients did.
        thread::sleep(until.saturating_duration_since(Instant::now()));
        faults.end(&mut ensemble, drawn);
        wait_until_serving(&ensemble, &what);
        load.wait_for_all(20, &what, &ensemble);
    }
    print(&format!("{:?} in {:?}", faults.happened(), began.elapsed()));
    let (writers, history) = load.stop(&ensemble);
    print(&judge(&history).unwrap());
    let first = dump(&ensemble, 0, &writers);
    for index in 1..3 {
        assert!(dump(&ensemble, index, &writers) == first, "server {index} has another tree");
    }
    for index in 0..3 {
        let said = ensemble.output(index);
        assert!(!said.contains("states of the servers differ"), "{said}");
    }
}
