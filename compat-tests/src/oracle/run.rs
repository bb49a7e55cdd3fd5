//! Runs a program against one server and notes everything that the server does.
//!
//! Steps run one after the other, each until its reply is there, so that what happens does
//! not depend on timing: an event of an earlier step is read at the latest before the next
//! reply on its connection.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use super::decode::{self, Header};
use super::members;
use super::observation::{Event, Observation, Value};
use super::tally::Tally;
use crate::raw::{Handshake, Incoming, Malformed, RawConnection, Reader, Welcome};
use crate::script::catalogue;
use crate::script::{Action, Connect, Known, Password, Program, Request, SeenZxid};

/// How long an answer may take. Only a broken server is as slow as this.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
/// Between two attempts at a server that is behind.
const PAUSE: Duration = Duration::from_millis(5);
/// A zxid that no server reaches.
const ZXID_AHEAD: i64 = 1 << 62;
/// The session that is asked for when a connection has none.
const SESSION_OF_NOBODY: i64 = 0x0177_7777_7777_7777;
/// How a handshake that is refused is counted: as the session's end, which it means.
const REFUSED: i32 = -112;

/// A program that cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The socket failed in another way than being closed.
    #[error("socket: {0}")]
    Io(#[from] io::Error),
    /// A step names a connection that was never opened.
    #[error("no connection {0}")]
    NoConnection(String),
    /// A request was not answered, nor was its connection closed: whatever follows would wait
    /// as long.
    #[error("no answer to step {step} of connection {connection}")]
    NoAnswer {
        /// Which step, from 0.
        step: usize,
        /// Its connection.
        connection: String,
    },
}

/// What came of a program.
#[derive(Debug, Default)]
pub struct Ran {
    /// Everything that the servers did, in the order in which it was read.
    pub observations: Vec<Observation>,
    /// What was asked, and with what outcome.
    pub tally: Tally,
}

/// Runs a program from its first step to its last, then closes what it left open.
pub fn run(program: &Program, servers: &[SocketAddr]) -> Result<Ran, RunError> {
    Runner::new(servers).run(program)
}

/// A program under way.
#[derive(Debug)]
pub struct Runner {
    servers: Vec<SocketAddr>,
    /// How the configuration describes the servers, if it does.
    lines: Vec<String>,
    /// The version of the configuration that was seen last, and the one before.
    config_versions: (i64, i64),
    step: usize,
    clients: BTreeMap<String, Client>,
    ran: Ran,
}

/// A named connection; the name outlives the socket.
#[derive(Debug)]
struct Client {
    socket: Option<RawConnection>,
    /// The session that the last handshake granted.
    session: Option<Welcome>,
    is_session_closed: bool,
    next_xid: i32,
    zxid_seen: i64,
    /// Requests whose replies have not come, oldest first.
    pending: VecDeque<(i32, Request)>,
    queued: Vec<u8>,
}

impl Runner {
    /// No connections yet.
    pub fn new(servers: &[SocketAddr]) -> Self {
        Self {
            servers: servers.to_vec(),
            lines: Vec::new(),
            config_versions: (0, 0),
            step: 0,
            clients: BTreeMap::new(),
            ran: Ran::default(),
        }
    }

    /// For an ensemble whose configuration describes its servers by these lines.
    #[must_use]
    pub fn described_by(self, lines: Vec<String>) -> Self {
        Self { lines, ..self }
    }

    /// Runs a program from its first step to its last, then closes what it left open.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn run(mut self, program: &Program) -> Result<Ran, RunError> {
        for step in &program.steps {
            self.step(&step.connection, &step.action)?;
        }
        self.finish()
    }

    /// Runs one step.
    pub fn step(&mut self, name: &str, action: &Action) -> Result<&[Observation], RunError> {
        let first_new = self.ran.observations.len();
        match action {
            Action::Connect(connect) => self.connect(name, connect)?,
            Action::Request(request) => {
                self.queue(name, request)?;
                self.flush(name)?;
            }
            Action::Queue(request) => self.queue(name, request)?,
            Action::Flush => self.flush(name)?,
            Action::Frame(payload) => {
                if let Some(socket) = &mut self.client(name)?.socket {
                    socket.send_frame(payload)?;
                }
            }
            Action::Event => {
                self.read_one(name, ANSWER_WITHIN)?;
            }
            Action::Eof => while self.read_one(name, ANSWER_WITHIN)? {},
            Action::Drop => self.client(name)?.socket = None,
        }
        self.step += 1;
        Ok(&self.ran.observations[first_new..])
    }

    /// Reads the events that have not been read, and closes the sessions that are open.
    pub fn finish(mut self) -> Result<Ran, RunError> {
        let names: Vec<String> = self.clients.keys().cloned().collect();
        // What another server did is known to be here only once a sync has been answered.
        let last = if self.servers.len() == 1 { "ping" } else { "sync" };
        let last = Action::Request(request_named(last));
        for name in &names {
            if self.client(name)?.socket.is_some() {
                self.step(name, &last)?;
            }
        }
        let ran = std::mem::take(&mut self.ran);
        for name in &names {
            self.close_session(name)?;
        }
        Ok(ran)
    }

    fn close_session(&mut self, name: &str) -> Result<(), RunError> {
        let client = self.client(name)?;
        if client.is_session_closed || client.session.is_none() {
            return Ok(());
        }
        if client.socket.is_none() {
            let again = Connect { session: Some(name.to_owned()), ..Connect::default() };
            self.connect(name, &again)?;
        }
        self.step(name, &Action::Request(request_named("close")))?;
        Ok(())
    }

    fn connect(&mut self, name: &str, connect: &Connect) -> Result<(), RunError> {
        let handshake = self.handshake(name, connect)?;
        let (socket, answer) = self.shake_hands(&handshake, connect)?;
        let before = self.clients.remove(name);
        let mut client = Client {
            socket: Some(socket),
            session: None,
            is_session_closed: false,
            next_xid: 1,
            zxid_seen: before.as_ref().map_or(0, |client| client.zxid_seen),
            pending: VecDeque::new(),
            queued: Vec::new(),
        };
        match answer {
            Incoming::Frame(payload) => match Welcome::decode(&payload) {
                Ok(welcome) => {
                    self.ran.tally.note("connect", i32::from(!welcome.is_granted()) * REFUSED);
                    self.note(name, Event::Welcome, decode::welcome(&welcome));
                    client.session = welcome.is_granted().then_some(welcome);
                }
                Err(error) => self.note_nonsense(name, &error, &payload),
            },
            Incoming::Closed => {
                client.socket = None;
                // The session of this name, if any, lives on without the new socket.
                client.session = before.and_then(|client| client.session);
                self.ran.tally.note_closed("connect");
                self.note(name, Event::Closed, Vec::new());
            }
            Incoming::Nothing => self.note(name, Event::Silence, Vec::new()),
        }
        self.clients.insert(name.to_owned(), client);
        Ok(())
    }

    /// A server that has not seen yet what the client has seen turns it away, and clients come
    /// again; that a lone server does so is noted.
    fn shake_hands(
        &self,
        handshake: &Handshake,
        connect: &Connect,
    ) -> Result<(RawConnection, Incoming), RunError> {
        let server = self.servers[connect.server.saturating_sub(1) % self.servers.len()];
        let comes_again = self.servers.len() > 1 && connect.zxid == SeenZxid::Seen;
        let deadline = Instant::now() + ANSWER_WITHIN;
        loop {
            let mut socket = RawConnection::open(server)?;
            socket.send_frame(&handshake.encode())?;
            let answer = socket.read_frame(ANSWER_WITHIN)?;
            if answer != Incoming::Closed || !comes_again || Instant::now() > deadline {
                return Ok((socket, answer));
            }
            thread::sleep(PAUSE);
        }
    }

    fn handshake(&self, name: &str, connect: &Connect) -> Result<Handshake, RunError> {
        let mut handshake = Handshake::fresh(connect.timeout_ms);
        if let Some(owner) = &connect.session {
            let session = self.clients.get(owner).and_then(|client| client.session.as_ref());
            handshake = match session {
                Some(session) => Handshake::resume(connect.timeout_ms, session),
                None => Handshake { session_id: SESSION_OF_NOBODY, ..handshake },
            };
        }
        handshake.protocol_version = connect.protocol;
        handshake.read_only = connect.read_only;
        match connect.password {
            Password::Right => {}
            Password::Wrong => handshake.password = Some(b"not the password".to_vec()),
            Password::Short => handshake.password = Some(b"tooshort".to_vec()),
            Password::Empty => handshake.password = Some(Vec::new()),
            Password::Null => handshake.password = None,
        }
        handshake.last_zxid_seen = match connect.zxid {
            SeenZxid::Zero => 0,
            SeenZxid::Seen => self.clients.get(name).map_or(0, |client| client.zxid_seen),
            SeenZxid::Ahead => ZXID_AHEAD,
        };
        Ok(handshake)
    }

    fn queue(&mut self, name: &str, request: &Request) -> Result<(), RunError> {
        let no_connection = || RunError::NoConnection(name.to_owned());
        let client = self.clients.get_mut(name).ok_or_else(no_connection)?;
        let own = request.operation.and_then(|operation| operation.xid);
        let xid = request.xid.or(own).unwrap_or_else(|| {
            client.next_xid += 1;
            client.next_xid - 1
        });
        let (config_version, former_config_version) = self.config_versions;
        let known = Known {
            zxid: client.zxid_seen,
            config_version,
            former_config_version,
            lines: &self.lines,
        };
        client.queued.extend(request.frame(xid, &known));
        client.pending.push_back((xid, request.clone()));
        Ok(())
    }

    fn flush(&mut self, name: &str) -> Result<(), RunError> {
        let client = self.client(name)?;
        let queued = std::mem::take(&mut client.queued);
        match &mut client.socket {
            Some(socket) => socket.send(&queued)?,
            None => {
                client.pending.clear();
                self.note(name, Event::Closed, Vec::new());
                return Ok(());
            }
        }
        while !self.client(name)?.pending.is_empty() {
            if !self.read_one(name, ANSWER_WITHIN)? {
                if self.client(name)?.socket.is_some() {
                    let connection = name.to_owned();
                    return Err(RunError::NoAnswer { step: self.step, connection });
                }
                self.forget_pending(name)?;
            }
            if self.client(name)?.is_session_closed {
                return self.read_until_closed(name);
            }
        }
        Ok(())
    }

    /// The end after the close of a session. What was sent behind the close is refused with
    /// -112, or the socket is closed before: ZooKeeper does the one or the other as it
    /// happens, so such refusals are left out.
    fn read_until_closed(&mut self, name: &str) -> Result<(), RunError> {
        self.forget_pending(name)?;
        let client = self.client(name)?;
        let Some(mut socket) = client.socket.take() else { return Ok(()) };
        loop {
            let (event, frame) = match socket.read_frame(ANSWER_WITHIN)? {
                Incoming::Closed => (Event::Closed, Vec::new()),
                Incoming::Nothing => (Event::Silence, Vec::new()),
                Incoming::Frame(frame) => {
                    let header = decode::header(&mut Reader::new(&frame));
                    if header.is_ok_and(|header| header.err == -112) {
                        continue;
                    }
                    (Event::Nonsense("a reply behind the close".to_owned()), frame)
                }
            };
            let values = if frame.is_empty() {
                Vec::new()
            } else {
                vec![("frame".to_owned(), Value::Bytes(Some(frame)))]
            };
            self.note(name, event, values);
            return Ok(());
        }
    }

    /// No more replies will come: the requests were answered by the end of the connection.
    fn forget_pending(&mut self, name: &str) -> Result<(), RunError> {
        for (_, request) in std::mem::take(&mut self.client(name)?.pending) {
            self.ran.tally.note_closed(request.name());
        }
        Ok(())
    }

    /// Reads one frame; `false` when there is none, because of the end or of silence.
    fn read_one(&mut self, name: &str, within: Duration) -> Result<bool, RunError> {
        let Some(socket) = &mut self.client(name)?.socket else {
            self.note(name, Event::Closed, Vec::new());
            return Ok(false);
        };
        match socket.read_frame(within)? {
            Incoming::Frame(frame) => {
                if let Err(error) = self.frame(name, &frame) {
                    self.note_nonsense(name, &error, &frame);
                }
                Ok(true)
            }
            Incoming::Closed => {
                self.client(name)?.socket = None;
                self.note(name, Event::Closed, Vec::new());
                Ok(false)
            }
            Incoming::Nothing => {
                self.note(name, Event::Silence, Vec::new());
                Ok(false)
            }
        }
    }

    fn frame(&mut self, name: &str, frame: &[u8]) -> Result<(), Malformed> {
        let mut reader = Reader::new(frame);
        let header = decode::header(&mut reader)?;
        if header.xid == -1 {
            let values = decode::event(header, reader)?;
            self.note(name, Event::Watch, values);
            return Ok(());
        }
        let Some(request) = self.take_pending(name, header) else {
            return Err(reader.malformed("reply that nobody asked for"));
        };
        let (event, values) = decode::reply(&request, &request.to_string(), header, reader)?;
        let values = members::taken_apart(values, &self.lines);
        if let Some(version) = members::version(&values)
            && version != self.config_versions.0
        {
            self.config_versions = (version, self.config_versions.0);
        }
        self.ran.tally.note(request.name(), outcome(header, &values));
        self.note(name, event, values);
        Ok(())
    }

    /// The oldest request with this xid. The order of replies is compared by their xids.
    fn take_pending(&mut self, name: &str, header: Header) -> Option<Request> {
        let client = self.clients.get_mut(name)?;
        client.zxid_seen = client.zxid_seen.max(header.zxid);
        let with_its_xid = client.pending.iter().position(|(xid, _)| *xid == header.xid);
        // Compat: a ping is answered with xid -2, whatever its own.
        let any_ping = || client.pending.iter().position(|(_, r)| r.code == 11 && header.xid == -2);
        let index = with_its_xid.or_else(any_ping)?;
        let (_, request) = client.pending.remove(index)?;
        client.is_session_closed |= request.code == -11 && header.err == 0;
        Some(request)
    }

    fn client(&mut self, name: &str) -> Result<&mut Client, RunError> {
        self.clients.get_mut(name).ok_or_else(|| RunError::NoConnection(name.to_owned()))
    }

    fn note(&mut self, name: &str, event: Event, values: Vec<(String, Value)>) {
        let connection = name.to_owned();
        self.ran.observations.push(Observation { step: self.step, connection, event, values });
    }

    fn note_nonsense(&mut self, name: &str, error: &Malformed, frame: &[u8]) {
        let hex: String = frame.iter().map(|byte| format!("{byte:02x}")).collect();
        self.note(name, Event::Nonsense(format!("{error}: {hex}")), Vec::new());
    }
}

/// The error of a reply: a multi that failed says it in the first element that has a reason.
fn outcome(header: Header, values: &[(String, Value)]) -> i32 {
    let errors = values.iter().filter(|(name, _)| name.ends_with(".err"));
    let mut codes = errors.filter_map(|(_, value)| {
        if let Value::Number(code) = value { i32::try_from(*code).ok() } else { None }
    });
    if header.err == 0 { codes.find(|&code| code != 0).unwrap_or(0) } else { header.err }
}

fn request_named(name: &str) -> Request {
    Request::new(catalogue::named(name).expect("the catalogue has it"))
}
