//! Clients that write down what they asked and what came of it, for a checker that judges
//! whether all of it can have happened in one order that respects time.
//!
//! Each client has one session and one operation at a time; it goes on over as many connections
//! as it takes. What was on its way when a connection was lost has an unknown outcome. Keys are
//! few, so that clients meet, and change after a while, so that there is an end to judging one.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::prerequisites;
use crate::random::Random;
use crate::raw::{Handshake, Incoming, Reader, Session, Welcome, Writer, put_create};

const CREATE: i32 = 1;
const DELETE: i32 = 2;
const GET_DATA: i32 = 4;
const SET_DATA: i32 = 5;
const SYNC: i32 = 9;
const NO_NODE: i32 = -101;
const BAD_VERSION: i32 = -103;
const NODE_EXISTS: i32 = -110;
/// Any version will do.
const ANY: i32 = -1;

/// Keys that are in use at one time.
const KEYS: u64 = 5;
/// Operations of all clients until other keys are used.
const KEYS_CHANGE_AFTER: u64 = 2000;

/// What clients of one recording share.
#[derive(Debug)]
pub struct Recording {
    /// When the clock of the history began.
    began: Instant,
    /// Operations so far, each of which has a number.
    operations: AtomicU64,
    stop: AtomicBool,
    folder: String,
}

impl Recording {
    /// Nothing recorded; the keys will be below `folder`, which there must be.
    pub fn below(folder: &str) -> Arc<Self> {
        let (operations, stop) = (AtomicU64::new(0), AtomicBool::new(false));
        Arc::new(Self { began: Instant::now(), operations, stop, folder: folder.to_owned() })
    }

    /// How many operations were begun so far.
    pub fn operations(&self) -> u64 {
        self.operations.load(Ordering::Relaxed)
    }

    /// Lets all clients end.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    fn now(&self) -> u128 {
        self.began.elapsed().as_nanos()
    }
}

/// One client.
#[derive(Debug)]
pub struct Recorder {
    recording: Arc<Recording>,
    number: usize,
    /// Tried in turn, beginning with the first.
    servers: Vec<SocketAddr>,
    session_ms: i32,
    /// How long a server may take to answer before another one is tried.
    patience: Duration,
    /// How long it rests after each operation.
    rest: Duration,
    welcome: Welcome,
    zxid_seen: i64,
    /// The version of each key that it read last.
    known: Vec<(String, i32)>,
    random: Random,
    history: String,
}

/// What is to be done to a key.
#[derive(Clone, Copy, Debug)]
enum Op {
    Create,
    /// With the version that is expected.
    Set(i32),
    Delete(i32),
    /// Behind a sync.
    Read,
    Peek,
}

/// Writes the body of a request.
type Body<'b> = Box<dyn FnOnce(&mut Writer) + 'b>;

/// What came of it.
#[derive(Clone, Debug, Default)]
struct Outcome {
    result: &'static str,
    got: String,
    version: i32,
    zxid: i64,
    mzxid: i64,
}

impl Recorder {
    /// Opens a session on the first of the servers.
    ///
    /// # Errors
    /// When that does not work.
    pub fn start(
        recording: &Arc<Recording>,
        number: usize,
        servers: Vec<SocketAddr>,
        session_ms: i32,
        seed: u64,
    ) -> io::Result<Self> {
        let first = servers.first().ok_or_else(|| io::Error::other("a client needs a server"))?;
        let welcome = Session::open(*first, session_ms)?.welcome;
        Ok(Self {
            recording: Arc::clone(recording),
            number,
            servers,
            session_ms,
            patience: Duration::from_secs(3),
            rest: Duration::from_millis(2),
            welcome,
            zxid_seen: 0,
            known: Vec::new(),
            random: Random::seeded(seed ^ (number as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)),
            history: String::new(),
        })
    }

    /// Goes on until the recording is stopped, and gives the history: a line of JSON for each
    /// operation, as `clients/go` reads it.
    ///
    /// # Panics
    /// When its session is refused, or no server is found for a minute.
    pub fn run(mut self) -> String {
        while !self.recording.stop.load(Ordering::Relaxed) {
            let mut session = self.attach();
            // The connection ends when a server is killed, or stops answering.
            let _ = self.work(&mut session);
            self.servers.rotate_left(1);
        }
        self.history
    }

    fn attach(&mut self) -> Session {
        let mut handshake = Handshake::resume(self.session_ms, &self.welcome);
        handshake.last_zxid_seen = self.zxid_seen;
        Session::resume_anywhere(&mut self.servers, &handshake, &format!("client {}", self.number))
    }

    fn work(&mut self, session: &mut Session) -> io::Result<()> {
        while !self.recording.stop.load(Ordering::Relaxed) {
            let number = self.recording.operations.fetch_add(1, Ordering::Relaxed);
            let generation = number / KEYS_CHANGE_AFTER;
            let key = format!("{}/{generation}-{}", self.recording.folder, self.random.below(KEYS));
            let op = self.choose(&key);
            let called = self.recording.now();
            let outcome = self.ask(session, op, &key, number);
            let returned = self.recording.now();
            let failed = outcome.is_err();
            let known =
                outcome.unwrap_or_else(|_| Outcome { result: "unknown", ..Outcome::default() });
            self.write_down(op, &key, number, (called, returned), &known);
            if failed {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            self.zxid_seen = self.zxid_seen.max(known.zxid);
            if known.result == "ok" && !matches!(op, Op::Delete(_)) {
                self.known.retain(|(other, _)| *other != key);
                self.known.push((key, known.version));
                if self.known.len() > 32 {
                    self.known.remove(0);
                }
            }
            thread::sleep(self.rest);
        }
        Ok(())
    }

    fn choose(&mut self, key: &str) -> Op {
        let known = self.known.iter().find(|(other, _)| other == key);
        let version = known.map_or(ANY, |(_, version)| *version);
        match self.random.below(20) {
            0..3 => Op::Create,
            3 => Op::Delete(if self.random.below(2) == 0 { ANY } else { version }),
            4..7 => Op::Set(ANY),
            7..11 => Op::Set(version),
            11..16 => Op::Read,
            _ => Op::Peek,
        }
    }

    /// An error is a lost connection, or none that answers.
    fn ask(&self, session: &mut Session, op: Op, key: &str, number: u64) -> io::Result<Outcome> {
        let value = number.to_string();
        let (code, body): (i32, Body<'_>) = match op {
            Op::Create => (CREATE, Box::new(|out| put_create(out, key, value.as_bytes()))),
            Op::Set(version) => (
                SET_DATA,
                Box::new(move |out| {
                    out.text(Some(key)).buffer(Some(value.as_bytes())).int(version);
                }),
            ),
            Op::Delete(version) => (
                DELETE,
                Box::new(move |out| {
                    out.text(Some(key)).int(version);
                }),
            ),
            Op::Read | Op::Peek => (
                GET_DATA,
                Box::new(|out| {
                    out.text(Some(key)).flag(false);
                }),
            ),
        };
        let mut frames = Vec::new();
        let synced = matches!(op, Op::Read);
        if synced {
            frames = session.frame(SYNC, |out| {
                out.text(Some(key));
            });
        }
        frames.extend(session.frame(code, body));
        session.connection.send(&frames)?;
        if synced && code_of(&self.reply(session)?)? != 0 {
            return Err(io::Error::other("the sync failed"));
        }
        outcome(&self.reply(session)?, op)
    }

    fn reply(&self, session: &mut Session) -> io::Result<Vec<u8>> {
        match session.connection.read_frame(self.patience)? {
            Incoming::Frame(frame) => Ok(frame),
            Incoming::Closed | Incoming::Nothing => Err(io::ErrorKind::ConnectionAborted.into()),
        }
    }

    fn write_down(
        &mut self,
        op: Op,
        key: &str,
        number: u64,
        (called, returned): (u128, u128),
        outcome: &Outcome,
    ) {
        let (name, expect) = match op {
            Op::Create => ("create", ANY),
            Op::Set(version) => ("set", version),
            Op::Delete(version) => ("delete", version),
            Op::Read => ("read", ANY),
            Op::Peek => ("peek", ANY),
        };
        let Outcome { result, got, version, zxid, mzxid } = outcome;
        let client = self.number;
        let line = writeln!(
            self.history,
            "{{\"client\":{client},\"key\":\"{key}\",\"op\":\"{name}\",\"value\":\"{number}\",\
             \"expect\":{expect},\"call\":{called},\"return\":{returned},\"result\":\"{result}\",\
             \"got\":\"{got}\",\"version\":{version},\"zxid\":{zxid},\"mzxid\":{mzxid}}}"
        );
        line.expect("a string takes anything");
    }
}

fn code_of(frame: &[u8]) -> io::Result<i32> {
    let mut reader = Reader::new(frame);
    reader.int("xid")?;
    reader.long("zxid")?;
    Ok(reader.int("code")?)
}

/// What a reply says.
fn outcome(frame: &[u8], op: Op) -> io::Result<Outcome> {
    let mut reader = Reader::new(frame);
    reader.int("xid")?;
    let (zxid, code) = (reader.long("zxid")?, reader.int("code")?);
    let result = match code {
        0 => "ok",
        NO_NODE => "missing",
        BAD_VERSION => "version",
        NODE_EXISTS => "exists",
        other => return Err(io::Error::other(format!("error {other}"))),
    };
    let mut outcome = Outcome { result, zxid, ..Outcome::default() };
    if code != 0 || matches!(op, Op::Create | Op::Delete(_)) {
        return Ok(outcome);
    }
    if !matches!(op, Op::Set(_)) {
        let data = reader.buffer("data")?.unwrap_or_default();
        outcome.got = String::from_utf8_lossy(data).into_owned();
    }
    reader.long("czxid")?;
    outcome.mzxid = reader.long("mzxid")?;
    reader.long("ctime")?;
    reader.long("mtime")?;
    outcome.version = reader.int("version")?;
    Ok(outcome)
}

/// Has a history judged by the program in `clients/go`. Gives what it says of a good one.
///
/// # Errors
/// What it says of one that no service as promised can have had, and where that is.
///
/// # Panics
/// When the program cannot be built or run.
pub fn judge(history: &str) -> Result<String, String> {
    let dir = TempDir::with_prefix("history-").expect("a directory");
    let program = prerequisites::build_go(dir.path()).expect("the checker");
    let kept = std::env::var_os("FAULTS_HISTORY").map(PathBuf::from);
    let path = kept.unwrap_or_else(|| dir.path().join("history"));
    fs::write(&path, history).expect("the history can be written");
    let judged = Command::new(program).arg(&path).output().expect("the checker runs");
    let said = [judged.stdout, judged.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    if judged.status.success() {
        return Ok(said.trim().to_owned());
    }
    let path = dir.keep().join("history");
    Err(format!("{said}\nof the history in {}", path.display()))
}
