//! A relay that notes what clients send.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::{Did, Line, Recording};
use crate::raw::{Reader, Welcome};

/// Longer frames are none: they are the four letters of a word.
pub(super) const FRAME_BYTES_MAX: usize = 64 << 20;
const PING: i32 = 11;
/// Of more frames in a row with the same operation, a recording keeps the first.
const IN_A_ROW_MAX: usize = 100;

/// Stands before a server; goes on for the life of the process.
#[derive(Debug)]
pub struct Tap {
    address: SocketAddr,
    notes: Arc<Mutex<Notes>>,
}

#[derive(Debug, Default)]
struct Notes {
    recording: Recording,
    connections: usize,
    /// Which connection was granted a session first, with its password.
    sessions: BTreeMap<i64, (usize, Vec<u8>)>,
}

/// What both directions of a connection know.
#[derive(Debug, Default)]
struct Talk {
    number: usize,
    /// The client has sent something since it last heard from the server.
    has_just_spoken: bool,
    is_granted: bool,
    /// The last operation, and how often it came in a row.
    row: (i32, usize),
}

impl Tap {
    /// Starts to relay to a server.
    ///
    /// # Errors
    /// When no port can be listened on.
    pub fn start(server: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let notes = Arc::new(Mutex::new(Notes::default()));
        let shared = Arc::clone(&notes);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let notes = Arc::clone(&shared);
                // A server that is away shows as a connection that ends.
                thread::spawn(move || relay(client, server, &notes));
            }
        });
        Ok(Self { address, notes })
    }

    /// Where clients connect.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What was noted so far.
    pub fn recording(&self) -> Recording {
        lock(&self.notes).recording.clone()
    }
}

fn relay(client: TcpStream, server: SocketAddr, notes: &Arc<Mutex<Notes>>) -> io::Result<()> {
    let server = TcpStream::connect(server)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let talk = Arc::new(Mutex::new(Talk::default()));
    let back = {
        let (client, server) = (client.try_clone()?, server.try_clone()?);
        let (talk, notes) = (Arc::clone(&talk), Arc::clone(notes));
        thread::spawn(move || {
            let heard = |frame: &[u8]| hear(frame, &mut lock(&talk), &mut lock(&notes));
            pump(server, client, heard)
        })
    };
    let said = |frame: &[u8]| say(frame, &mut lock(&talk), &mut lock(notes));
    let ended = pump(client, server, said);
    let number = lock(&talk).number;
    if number > 0 {
        let line = Line { connection: number, did: Did::Close };
        lock(notes).recording.lines.push(line);
    }
    // How a connection ended does not matter: the other half has ended too.
    let _ = back.join();
    ended
}

/// Notes what a client sent.
fn say(frame: &[u8], talk: &mut Talk, notes: &mut Notes) {
    if talk.number == 0 {
        notes.connections += 1;
        talk.number = notes.connections;
        talk.has_just_spoken = true;
        let did = Did::Connect { session_of: notes.owner(frame), frame: frame.to_vec() };
        notes.recording.lines.push(Line { connection: talk.number, did });
        return;
    }
    let mut reader = Reader::new(frame);
    let operation = reader.int("xid").and_then(|_| reader.int("type")).unwrap_or_default();
    let count = if talk.row.0 == operation { talk.row.1 + 1 } else { 1 };
    talk.row = (operation, count);
    if operation != PING && count <= IN_A_ROW_MAX {
        let did = Did::Send { at_once: talk.has_just_spoken, frame: frame.to_vec() };
        talk.has_just_spoken = true;
        notes.recording.lines.push(Line { connection: talk.number, did });
    }
}

/// Learns whose session is whose from what a server says.
fn hear(frame: &[u8], talk: &mut Talk, notes: &mut Notes) {
    talk.has_just_spoken = false;
    if talk.is_granted {
        return;
    }
    talk.is_granted = true;
    if let Ok(welcome) = Welcome::decode(frame)
        && welcome.is_granted()
    {
        let password = welcome.password.unwrap_or_default();
        notes.sessions.entry(welcome.session_id).or_insert((talk.number, password));
    }
}

impl Notes {
    /// Who was granted the session that a handshake asks for, if the password is right.
    fn owner(&self, handshake: &[u8]) -> Option<usize> {
        let mut reader = Reader::new(handshake);
        reader.int("version").ok()?;
        reader.long("zxid").ok()?;
        reader.int("timeout").ok()?;
        let (number, right) = self.sessions.get(&reader.long("session").ok()?)?;
        let password = reader.buffer("password").ok()??;
        (password == right.as_slice()).then_some(*number)
    }
}

/// Copies frames, and shows each before it goes on; ends the other half when one ends. What is
/// no frame is a four letter word: it goes on unseen.
fn pump(mut from: TcpStream, mut to: TcpStream, mut seen: impl FnMut(&[u8])) -> io::Result<()> {
    let result = (|| {
        loop {
            let mut length = [0; 4];
            from.read_exact(&mut length)?;
            let bytes = usize::try_from(i32::from_be_bytes(length)).unwrap_or(usize::MAX);
            if bytes > FRAME_BYTES_MAX {
                to.write_all(&length)?;
                return io::copy(&mut from, &mut to).map(|_| ());
            }
            let mut frame = vec![0; bytes];
            from.read_exact(&mut frame)?;
            seen(&frame);
            to.write_all(&length)?;
            to.write_all(&frame)?;
        }
    })();
    // It may be closed already.
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
    result
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
