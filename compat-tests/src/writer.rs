//! A client that creates numbered znodes as fast as it may, goes on over as many connections
//! as it takes, and afterwards compares what is there with what it was told.

use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::raw::{Answer, Handshake, Incoming, Reader, Session, Welcome, put_create};

/// Requests that a writer has in flight.
const WINDOW: u64 = 16;
/// How long anything may take.
const WITHIN: Duration = Duration::from_secs(60);

const CREATE: i32 = 1;
const GET_DATA: i32 = 4;
const EPHEMERAL: i32 = 1;
const NO_NODE: i32 = -101;
const NODE_EXISTS: i32 = -110;

/// Creates an ephemeral znode that anybody may read.
///
/// # Errors
/// When the connection fails or the server refuses.
pub fn create_ephemeral(session: &mut Session, path: &str) -> io::Result<()> {
    let answer = session.ask(CREATE, |out| {
        out.text(Some(path)).buffer(Some(b"held")).count(1).int(31);
        out.text(Some("world")).text(Some("anyone")).int(EPHEMERAL);
    })?;
    match answer {
        Answer::Reply(0, _) => Ok(()),
        other @ (Answer::Reply(..) | Answer::Closed | Answer::Nothing) => {
            Err(io::Error::other(format!("creating {path}: {other:?}")))
        }
    }
}

/// Which session holds an ephemeral; `None` when it is gone.
///
/// # Errors
/// When the connection fails or the answer is another one.
pub fn owner(session: &mut Session, path: &str) -> io::Result<Option<i64>> {
    let answer = session.ask(GET_DATA, |out| {
        out.text(Some(path)).flag(false);
    })?;
    match answer {
        Answer::Reply(0, body) => {
            let mut reader = Reader::new(&body);
            reader.buffer("data")?;
            for field in ["czxid", "mzxid", "ctime", "mtime"] {
                reader.long(field)?;
            }
            for field in ["version", "cversion", "aversion"] {
                reader.int(field)?;
            }
            Ok(Some(reader.long("ephemeralOwner")?))
        }
        Answer::Reply(NO_NODE, _) => Ok(None),
        other @ (Answer::Reply(..) | Answer::Closed | Answer::Nothing) => {
            Err(io::Error::other(format!("getData {path}: {other:?}")))
        }
    }
}

/// Lets each writer compare what is there with what it was told, side by side: nobody pings for
/// those who would wait for their turn.
///
/// # Panics
/// When something acknowledged is lost, something is there that cannot be, or a read fails.
pub fn verify_all(writers: &mut [Writer]) {
    thread::scope(|scope| {
        for writer in writers {
            scope.spawn(|| writer.verify().expect("what is there can be read"));
        }
    });
}

/// The client. Its methods panic when the server breaks a promise.
#[derive(Debug)]
pub struct Writer {
    /// How long a server may take to answer before another one is tried.
    patience: Duration,
    /// How long it rests after each answer.
    rest: Duration,
    /// Tried in turn, beginning with the first.
    servers: Vec<SocketAddr>,
    session_ms: i32,
    folder: String,
    welcome: Welcome,
    zxid_seen: i64,
    next: u64,
    acknowledged: Vec<u64>,
    /// What each connection sent, in order.
    sent: Vec<Range<u64>>,
}

impl Writer {
    /// Opens a session on the first of the servers, with a folder and an ephemeral in it.
    ///
    /// # Errors
    /// When that does not work.
    pub fn start(servers: Vec<SocketAddr>, number: usize, session_ms: i32) -> io::Result<Self> {
        let folder = format!("/writer-{number}");
        let first = servers.first().ok_or_else(|| io::Error::other("a writer needs a server"))?;
        let mut session = Session::open(*first, session_ms)?;
        match session.create(&folder, b"")? {
            // It may have been made, and its answer lost.
            Answer::Reply(0 | NODE_EXISTS, _) => {}
            other @ (Answer::Reply(..) | Answer::Closed | Answer::Nothing) => {
                return Err(io::Error::other(format!("creating {folder}: {other:?}")));
            }
        }
        create_ephemeral(&mut session, &format!("{folder}/held"))?;
        Ok(Self {
            patience: WITHIN,
            rest: Duration::ZERO,
            servers,
            session_ms,
            folder,
            welcome: session.welcome,
            zxid_seen: 0,
            next: 0,
            acknowledged: Vec::new(),
            sent: Vec::new(),
        })
    }

    /// Makes it try another server after `patience` without an answer.
    #[must_use]
    pub const fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Makes it slower: it rests after each answer.
    #[must_use]
    pub const fn with_rest(mut self, rest: Duration) -> Self {
        self.rest = rest;
        self
    }

    /// How many connections it took so far.
    pub const fn connections(&self) -> usize {
        self.sent.len()
    }

    /// How many writes were sent, answered or not.
    pub const fn attempted(&self) -> u64 {
        self.next
    }

    /// How many writes were acknowledged.
    pub const fn acknowledged(&self) -> usize {
        self.acknowledged.len()
    }

    /// Goes on until told to stop, over as many connections as it takes. `progress` counts
    /// what was acknowledged to all writers.
    ///
    /// # Panics
    /// When the session is refused, a reply is out of order, or a write fails: one that
    /// exists already would have been applied twice.
    #[must_use]
    pub fn run(mut self, stop: &AtomicBool, progress: &AtomicU64) -> Self {
        while !stop.load(Ordering::Relaxed) {
            let mut session = self.attach();
            assert_eq!(session.welcome.session_id, self.welcome.session_id);
            let first = self.next;
            // The connection ends when the server is killed, or stops answering.
            let _ = self.write_until_closed(&mut session, stop, progress);
            self.sent.push(first..self.next);
            if !stop.load(Ordering::Relaxed) {
                self.servers.rotate_left(1);
            }
        }
        self
    }

    fn attach(&mut self) -> Session {
        let mut handshake = Handshake::resume(self.session_ms, &self.welcome);
        handshake.last_zxid_seen = self.zxid_seen;
        Session::resume_anywhere(&mut self.servers, &handshake, &self.folder)
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
            let Incoming::Frame(frame) = session.connection.read_frame(self.patience)? else {
                return Ok(());
            };
            let mut reader = Reader::new(&frame);
            xid += 1;
            assert_eq!(reader.int("xid")?, xid, "replies come in order");
            let zxid = reader.long("zxid")?;
            assert!(zxid > self.zxid_seen, "{zxid:#x} after {:#x}", self.zxid_seen);
            assert_eq!(reader.int("error code")?, 0, "{}/{}", self.folder, in_flight.start);
            self.zxid_seen = zxid;
            self.acknowledged.push(in_flight.start);
            in_flight.start += 1;
            progress.fetch_add(1, Ordering::Relaxed);
            thread::sleep(self.rest);
        }
        Ok(())
    }

    /// Compares what is there with what was acknowledged.
    ///
    /// # Errors
    /// When a read fails.
    ///
    /// # Panics
    /// When something acknowledged is lost, or something is there that cannot be.
    pub fn verify(&mut self) -> io::Result<()> {
        let mut session = self.attach();
        let held = format!("{}/held", self.folder);
        assert_eq!(owner(&mut session, &held)?, Some(self.welcome.session_id), "{held}");
        let mut there = Vec::new();
        for number in 0..self.next {
            let path = format!("{}/{number}", self.folder);
            let data = session.data(&path)?;
            if let Some(data) = &data {
                assert_eq!(data[..], number.to_be_bytes(), "{path}");
            }
            there.push(data.is_some());
        }
        let is_there = |number: u64| {
            usize::try_from(number).is_ok_and(|number| there.get(number) == Some(&true))
        };
        let lost: Vec<_> = self.acknowledged.iter().filter(|number| !is_there(**number)).collect();
        assert!(lost.is_empty(), "{}: acknowledged and lost: {lost:?}", self.folder);
        // What was sent on one connection is applied in order: no gap, whatever was told.
        for range in &self.sent {
            let applied = range.clone().take_while(|number| is_there(*number)).count() as u64;
            let gap = (range.start + applied..range.end).find(|number| is_there(*number));
            assert_eq!(gap, None, "{}: applied without those before it", self.folder);
        }
        Ok(())
    }
}
