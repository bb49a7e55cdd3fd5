//! Sends a recording to a server, and keeps what comes back, masked.
//!
//! Each frame waits for its reply, except where the client did not wait either: what clients
//! did at the same time happens in the order of the recording, and so in the same order on
//! every server.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use super::{Did, Hex, Recording, mask};
use crate::oracle::run::RunError;
use crate::raw::{Incoming, RawConnection, Reader, Welcome, Writer};

const ANSWER_WITHIN: Duration = Duration::from_secs(15);
const PING: i32 = 11;
const CLOSE: i32 = -11;
const SET_WATCHES: [i32; 2] = [101, 105];
/// Where a handshake has the last zxid seen, the session id, and the password.
const ZXID_AT: usize = 4;
const SESSION_AT: usize = 16;
const PASSWORD_AT: usize = 28;
/// Where `setWatches` has the last zxid seen, behind its header.
const WATCHES_ZXID_AT: usize = 8;

/// Something that a server said, or that it ended a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// During which line of the recording; behind the last one for what came at the end.
    pub line: usize,
    /// To which connection.
    pub connection: usize,
    /// In answer to which operation, if any.
    pub operation: Option<i32>,
    /// The frame, masked; none for the end of the connection.
    pub frame: Option<Vec<u8>>,
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, connection {}", self.line + 1, self.connection)?;
        if let Some(operation) = self.operation {
            write!(f, ", operation {operation}")?;
        }
        match &self.frame {
            Some(frame) => write!(f, ": {}", Hex(frame)),
            None => f.write_str(": closed"),
        }
    }
}

/// Sends a recording from its first line to its last.
///
/// # Errors
/// When a socket fails in another way than being closed.
pub fn replay(recording: &Recording, server: SocketAddr) -> Result<Vec<Said>, RunError> {
    let mut replay = Replay { server, line: 0, connections: BTreeMap::new(), said: Vec::new() };
    for (line, next) in recording.lines.iter().enumerate() {
        replay.line = line;
        match &next.did {
            Did::Connect { session_of, frame } => {
                replay.connect(next.connection, *session_of, frame)?;
            }
            Did::Send { frame, .. } => {
                replay.queue(next.connection, frame);
                let follows = recording.lines.get(line + 1);
                let goes_on = follows.is_some_and(|follows| {
                    follows.connection == next.connection
                        && matches!(follows.did, Did::Send { at_once: true, .. })
                });
                if !goes_on {
                    replay.flush(next.connection)?;
                }
            }
            Did::Close => replay.drop_socket(next.connection),
        }
    }
    replay.line = recording.lines.len();
    replay.finish()?;
    Ok(replay.said)
}

struct Replay {
    server: SocketAddr,
    line: usize,
    connections: BTreeMap<usize, Connection>,
    said: Vec<Said>,
}

/// A connection of the recording, as it is now.
struct Connection {
    socket: Option<RawConnection>,
    session: Option<Welcome>,
    zxid_seen: i64,
    queued: Vec<u8>,
    pending: VecDeque<(i32, i32)>,
}

impl Replay {
    fn connect(
        &mut self,
        number: usize,
        session_of: Option<usize>,
        frame: &[u8],
    ) -> Result<(), RunError> {
        let mut frame = frame.to_vec();
        let owner = session_of.and_then(|owner| self.connections.get(&owner));
        let mut zxid_seen = 0;
        if let Some(owner) = owner {
            zxid_seen = owner.zxid_seen;
            if let Some(session) = &owner.session {
                put(&mut frame, SESSION_AT, &session.session_id.to_be_bytes());
                put(&mut frame, PASSWORD_AT, session.password.as_deref().unwrap_or_default());
            }
        }
        if frame.get(ZXID_AT..ZXID_AT + 8) != Some(&[0; 8]) {
            put(&mut frame, ZXID_AT, &zxid_seen.to_be_bytes());
        }
        let mut socket = RawConnection::open(self.server)?;
        socket.send_frame(&frame)?;
        let mut connection = Connection {
            socket: None,
            session: None,
            zxid_seen,
            queued: Vec::new(),
            pending: VecDeque::new(),
        };
        match socket.read_frame(ANSWER_WITHIN)? {
            Incoming::Frame(frame) => {
                self.note(number, None, Some(mask::welcome(&frame)));
                connection.session = Welcome::decode(&frame).ok().filter(Welcome::is_granted);
                connection.socket = Some(socket);
            }
            Incoming::Closed | Incoming::Nothing => self.note(number, None, None),
        }
        // Later handshakes of this session look for what it saw under its first connection.
        if let Some(owner) = session_of
            && let Some(before) = self.connections.get_mut(&owner)
        {
            connection.session = connection.session.or_else(|| before.session.clone());
        }
        self.connections.insert(number, connection);
        Ok(())
    }

    fn queue(&mut self, number: usize, frame: &[u8]) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        let mut reader = Reader::new(frame);
        let (Ok(xid), Ok(code)) = (reader.int("xid"), reader.int("type")) else { return };
        let mut frame = frame.to_vec();
        if SET_WATCHES.contains(&code) && reader.long("zxid").is_ok_and(|zxid| zxid > 0) {
            put(&mut frame, WATCHES_ZXID_AT, &connection.zxid_seen.to_be_bytes());
        }
        let mut framed = Writer::new();
        framed.buffer(Some(&frame));
        connection.queued.extend(framed.into_bytes());
        connection.pending.push_back((xid, code));
    }

    fn flush(&mut self, number: usize) -> Result<(), RunError> {
        let Some(connection) = self.connections.get_mut(&number) else { return Ok(()) };
        let queued = std::mem::take(&mut connection.queued);
        let Some(socket) = &mut connection.socket else {
            connection.pending.clear();
            self.note(number, None, None);
            return Ok(());
        };
        socket.send(&queued)?;
        loop {
            let Some(connection) = self.connections.get_mut(&number) else { return Ok(()) };
            let Some(socket) =
                connection.socket.as_mut().filter(|_| !connection.pending.is_empty())
            else {
                return Ok(());
            };
            match socket.read_frame(ANSWER_WITHIN)? {
                Incoming::Frame(frame) => self.frame(number, &frame),
                Incoming::Closed | Incoming::Nothing => {
                    connection.socket = None;
                    connection.pending.clear();
                    self.note(number, None, None);
                }
            }
        }
    }

    fn frame(&mut self, number: usize, frame: &[u8]) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        let mut reader = Reader::new(frame);
        let header = reader.int("xid").and_then(|xid| Ok((xid, reader.long("zxid")?)));
        let Ok((xid, zxid)) = header else {
            return self.note(number, None, Some(frame.to_vec()));
        };
        connection.zxid_seen = connection.zxid_seen.max(zxid);
        if xid == -1 {
            return self.note(number, None, Some(mask::event(frame)));
        }
        let place = connection.pending.iter().position(|&(asked, _)| asked == xid);
        let code = place.and_then(|place| connection.pending.remove(place)).map(|(_, code)| code);
        if code == Some(CLOSE) {
            // The server ends the connection; what was sent behind is answered or not.
            connection.socket = None;
            connection.pending.clear();
        }
        // What cannot be taken apart is compared as it came.
        let masked = code.map_or_else(|| Ok(frame.to_vec()), |code| mask::reply(code, frame));
        self.note(number, code, Some(masked.unwrap_or_else(|_| frame.to_vec())));
    }

    fn drop_socket(&mut self, number: usize) {
        if let Some(connection) = self.connections.get_mut(&number) {
            connection.socket = None;
        }
    }

    /// Reads the events that nobody has waited for.
    fn finish(&mut self) -> Result<(), RunError> {
        let mut ping = Writer::new();
        ping.int(-2).int(PING);
        let ping = ping.into_bytes();
        let open: Vec<usize> = self
            .connections
            .iter()
            .filter_map(|(&number, connection)| connection.socket.as_ref().map(|_| number))
            .collect();
        for number in open {
            self.queue(number, &ping);
            self.flush(number)?;
        }
        Ok(())
    }

    fn note(&mut self, connection: usize, operation: Option<i32>, frame: Option<Vec<u8>>) {
        self.said.push(Said { line: self.line, connection, operation, frame });
    }
}

fn put(frame: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(place) = frame.get_mut(at..at + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}

/// The first place where two servers did not say the same bytes, in words.
pub fn difference(expected: &[Said], actual: &[Said]) -> Option<String> {
    let expected = with_ends_of_sessions_sorted(expected);
    let actual = with_ends_of_sessions_sorted(actual);
    let index = (0..expected.len().max(actual.len()))
        .find(|&index| expected.get(index) != actual.get(index))?;
    let show = |said: Option<&Said>| said.map_or_else(|| "nothing".to_owned(), Said::to_string);
    Some(format!("expected {}\n     got {}", show(expected.get(index)), show(actual.get(index))))
}

/// The znodes of a session go in any order: events that come to a connection one behind the
/// other are put in the order of their bytes.
fn with_ends_of_sessions_sorted(said: &[Said]) -> Vec<Said> {
    let mut said = said.to_vec();
    let is_event =
        |said: &Said| said.frame.as_ref().is_some_and(|frame| frame.starts_with(&[0xff; 4]));
    let together = |a: &Said, b: &Said| {
        is_event(a) && is_event(b) && (a.line, a.connection) == (b.line, b.connection)
    };
    for run in said.chunk_by_mut(together) {
        run.sort_by(|a, b| a.frame.cmp(&b.frame));
    }
    said
}
