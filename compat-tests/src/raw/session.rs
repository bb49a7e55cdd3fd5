//! A session with the few requests that tests of damage and load need.

use std::io;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use super::{Handshake, Incoming, RawConnection, Reader, Welcome, Writer};

/// How long servers may take to be found again.
const FOUND_WITHIN: Duration = Duration::from_secs(180);
/// Between two attempts to find one.
const PAUSE: Duration = Duration::from_millis(5);

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The error code, 0 for success, and what stands behind the header.
    Reply(i32, Vec<u8>),
    /// The server closed the connection.
    Closed,
    /// Nothing in time.
    Nothing,
}

impl Answer {
    /// Whether it is a reply without an error.
    pub const fn is_success(&self) -> bool {
        matches!(self, Self::Reply(0, _))
    }
}

/// What came of a handshake.
#[derive(Debug)]
pub enum Greeting {
    /// The session is the client's.
    Granted(Session),
    /// There is no such session.
    Refused(Welcome),
    /// The server closed the connection.
    Closed,
    /// Something that is no answer to a handshake; empty for nothing in time.
    Other(Vec<u8>),
}

/// A session over its own connection.
#[derive(Debug)]
pub struct Session {
    /// The connection, for sending anything else.
    pub connection: RawConnection,
    /// What the server granted.
    pub welcome: Welcome,
    xid: i32,
    within: Duration,
}

impl Session {
    /// How long an answer may take, unless told otherwise.
    pub const WITHIN: Duration = Duration::from_secs(15);

    /// Opens a session.
    pub fn open(server: SocketAddr, timeout_ms: i32) -> io::Result<Self> {
        Self::open_with(server, &Handshake::fresh(timeout_ms))
    }

    /// Opens or resumes a session; an error when it is refused.
    pub fn open_with(server: SocketAddr, handshake: &Handshake) -> io::Result<Self> {
        match Self::greet(server, handshake)? {
            Greeting::Granted(session) => Ok(session),
            Greeting::Refused(_) => Err(io::Error::other("the session was refused")),
            Greeting::Closed | Greeting::Other(_) => {
                Err(io::Error::other("no answer to the handshake"))
            }
        }
    }

    /// Goes on with a session at whichever server takes it, the first of them if that does; the
    /// one that did is the first afterwards. `who` says in a failure whose session it is.
    ///
    /// # Panics
    /// When the session is refused, which it must never be whatever the servers went through,
    /// or no server is found for three minutes.
    pub fn resume_anywhere(servers: &mut [SocketAddr], handshake: &Handshake, who: &str) -> Self {
        let deadline = Instant::now() + FOUND_WITHIN;
        loop {
            match Self::greet(servers[0], handshake) {
                Ok(Greeting::Granted(session)) => return session,
                Ok(Greeting::Refused(_)) => panic!("{who}: the session was lost"),
                other => assert!(Instant::now() < deadline, "{who}: no server: {:?}", other.err()),
            }
            servers.rotate_left(1);
            thread::sleep(PAUSE);
        }
    }

    /// The same, with answers that may take so long.
    #[must_use]
    pub fn with_patience(self, within: Duration) -> Self {
        Self { within, ..self }
    }

    /// Asks for a session, whatever comes of it.
    pub fn greet(server: SocketAddr, handshake: &Handshake) -> io::Result<Greeting> {
        let mut connection = RawConnection::open(server)?;
        connection.send_frame(&handshake.encode())?;
        Ok(match connection.read_frame(Self::WITHIN)? {
            Incoming::Frame(payload) => match Welcome::decode(&payload) {
                Ok(welcome) if welcome.is_granted() => {
                    Greeting::Granted(Self { connection, welcome, xid: 0, within: Self::WITHIN })
                }
                Ok(welcome) => Greeting::Refused(welcome),
                Err(_) => Greeting::Other(payload),
            },
            Incoming::Closed => Greeting::Closed,
            Incoming::Nothing => Greeting::Other(Vec::new()),
        })
    }

    /// The next request as a frame, with its xid.
    pub fn frame(&mut self, code: i32, body: impl FnOnce(&mut Writer)) -> Vec<u8> {
        self.xid += 1;
        let mut out = Writer::new();
        out.int(self.xid).int(code);
        body(&mut out);
        out.into_frame()
    }

    /// Sends a request and waits for its reply; events are skipped.
    pub fn ask(&mut self, code: i32, body: impl FnOnce(&mut Writer)) -> io::Result<Answer> {
        let frame = self.frame(code, body);
        self.connection.send(&frame)?;
        self.answer()
    }

    /// Sends so many requests, each with a body that `body` writes by its number, and waits for
    /// their replies, up to the first that there is none of.
    pub fn ask_all(
        &mut self,
        count: usize,
        code: i32,
        body: impl Fn(usize, &mut Writer),
    ) -> io::Result<Vec<Answer>> {
        for number in 0..count {
            let frame = self.frame(code, |out| body(number, out));
            self.connection.send(&frame)?;
        }
        let mut answers = Vec::new();
        for _ in 0..count {
            let answer = self.answer()?;
            let ends = !matches!(answer, Answer::Reply(..));
            answers.push(answer);
            if ends {
                break;
            }
        }
        Ok(answers)
    }

    /// The next reply; events are skipped.
    pub fn answer(&mut self) -> io::Result<Answer> {
        loop {
            match self.connection.read_frame(self.within)? {
                Incoming::Closed => return Ok(Answer::Closed),
                Incoming::Nothing => return Ok(Answer::Nothing),
                Incoming::Frame(frame) => {
                    let mut reader = Reader::new(&frame);
                    let xid = reader.int("xid").map_err(io::Error::other)?;
                    reader.long("zxid").map_err(io::Error::other)?;
                    let err = reader.int("error code").map_err(io::Error::other)?;
                    if xid != -1 {
                        return Ok(Answer::Reply(err, frame[16..].to_vec()));
                    }
                }
            }
        }
    }

    /// Creates an open, persistent znode.
    pub fn create(&mut self, path: &str, data: &[u8]) -> io::Result<Answer> {
        self.ask(1, |out| put_create(out, path, data))
    }

    /// Reads a znode: `Ok(None)` when it does not exist.
    pub fn data(&mut self, path: &str) -> io::Result<Option<Vec<u8>>> {
        let answer = self.ask(4, |out| {
            out.text(Some(path)).flag(false);
        })?;
        match answer {
            Answer::Reply(0, body) => {
                let data = Reader::new(&body).buffer("data").map_err(io::Error::other)?;
                Ok(Some(data.unwrap_or_default().to_vec()))
            }
            Answer::Reply(-101, _) => Ok(None),
            answer @ (Answer::Reply(..) | Answer::Closed | Answer::Nothing) => {
                Err(io::Error::other(format!("getData {path}: {answer:?}")))
            }
        }
    }

    /// Whether the server still answers this session.
    pub fn is_served(&mut self) -> io::Result<bool> {
        let answer = self.ask(3, |out| {
            out.text(Some("/")).flag(false);
        })?;
        Ok(matches!(answer, Answer::Reply(0, _)))
    }
}

/// The body of a create: open to the world, persistent.
pub fn put_create(out: &mut Writer, path: &str, data: &[u8]) {
    put_create_flagged(out, path, data, 0);
}

/// The body of a create: open to the world, of any kind.
pub fn put_create_flagged(out: &mut Writer, path: &str, data: &[u8], flags: i32) {
    out.text(Some(path)).buffer(Some(data)).count(1).int(31);
    out.text(Some("world")).text(Some("anyone")).int(flags);
}
