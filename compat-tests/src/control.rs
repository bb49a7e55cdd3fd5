//! Takes orders from a client that is written in another language: to break its connections, to
//! kill servers and to start them again.
//!
//! A client connects, sends one order a line, and gets a line for each: `ok`, or what went wrong.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::ensemble::Ensemble;
use crate::oracle::process::four_letter_word;
use crate::proxy::Passage;
use crate::server::Server;

/// How long a session may take to run out: the longest of the clients is silent for two
/// seconds, and machines are slow at times.
const EXPIRED_WITHIN: Duration = Duration::from_secs(30);
/// How long servers may take to find each other, or to give each other up.
const MODE_WITHIN: Duration = Duration::from_secs(60);
const POLL_EVERY: Duration = Duration::from_millis(20);

/// What a client may give orders about: a server of its own, and three that know each other.
#[derive(Debug)]
pub struct Servers {
    lone: Mutex<Server>,
    ensemble: Mutex<Ensemble>,
}

impl Servers {
    /// Both stay as they are until an order comes.
    pub const fn new(lone: Server, ensemble: Ensemble) -> Self {
        Self { lone: Mutex::new(lone), ensemble: Mutex::new(ensemble) }
    }

    /// The lone server.
    pub fn lone(&self) -> MutexGuard<'_, Server> {
        self.lone.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The three servers.
    pub fn ensemble(&self) -> MutexGuard<'_, Ensemble> {
        self.ensemble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts to listen, and returns where; goes on while there are such servers.
///
/// About the lone server: `drop` breaks all connections; `close` also turns away new ones until
/// `open`; `restart` kills it and starts it again on its data; `expired ID` waits until it has
/// no such session any more.
///
/// About the three: `ensemble` starts those that do not run, and waits until all serve;
/// `kill-leader`; `kill-server-of ID` kills the one that a session is connected to; `leave-one`
/// kills two, and waits until the third is read-only.
///
/// # Errors
/// When no port can be listened on.
pub fn listen(servers: &Arc<Servers>) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    // The thread must not keep the servers alive when their test has ended.
    let servers = Arc::downgrade(servers);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (Ok(stream), Some(servers)) = (stream, servers.upgrade()) else { return };
            // A client that hangs up has nobody left to tell.
            let _ = converse(&stream, &servers);
        }
    });
    Ok(address)
}

fn converse(mut stream: &TcpStream, servers: &Servers) -> io::Result<()> {
    for line in BufReader::new(stream).lines() {
        let answer = obey(&line?, servers).err().unwrap_or_else(|| "ok".to_owned());
        stream.write_all(format!("{answer}\n").as_bytes())?;
    }
    Ok(())
}

fn obey(order: &str, servers: &Servers) -> Result<(), String> {
    match order.split_once(' ').unwrap_or((order, "")) {
        ("drop", _) => {
            servers.lone().proxy().break_connections();
        }
        ("close", _) => {
            let lone = servers.lone();
            lone.proxy().set_passage(Passage::Closed);
            lone.proxy().break_connections();
        }
        ("open", _) => servers.lone().proxy().set_passage(Passage::Open),
        ("restart", _) => {
            let mut lone = servers.lone();
            lone.kill();
            lone.start_again().map_err(|error| error.to_string())?;
        }
        ("expired", session) => wait_until_expired(&servers.lone(), session)?,
        ("ensemble", _) => start_all(&mut servers.ensemble())?,
        ("kill-leader", _) => {
            let mut ensemble = servers.ensemble();
            until("nobody leads", &ensemble, |ensemble| ensemble.leader().is_some())?;
            let leader = ensemble.leader().ok_or("the leader is gone")?;
            ensemble.kill(leader);
        }
        ("kill-server-of", session) => {
            let mut ensemble = servers.ensemble();
            let server = server_of(&ensemble, session).ok_or("no server has this session")?;
            ensemble.kill(server);
        }
        ("leave-one", _) => leave_one(&mut servers.ensemble())?,
        _ => return Err(format!("unknown order: {order}")),
    }
    Ok(())
}

fn wait_until_expired(server: &Server, session: &str) -> Result<(), String> {
    let process = server.process().ok_or("the server does not run")?;
    let deadline = Instant::now() + EXPIRED_WITHIN;
    while Instant::now() < deadline {
        let dump = four_letter_word(process.address(), "dump").map_err(|it| it.to_string())?;
        if dump.split_whitespace().all(|word| word != session) {
            return Ok(());
        }
        thread::sleep(POLL_EVERY);
    }
    Err(format!("session {session} does not expire"))
}

fn start_all(ensemble: &mut Ensemble) -> Result<(), String> {
    for index in 0..ensemble.len() {
        if ensemble.process(index).is_none() {
            ensemble.spawn(index).map_err(|error| error.to_string())?;
        }
    }
    // A server may say what it is before it lets clients write.
    until("not all serve", ensemble, |ensemble| {
        let writes = |index| {
            let answer = four_letter_word(ensemble.address(index), "isro");
            answer.is_ok_and(|answer| answer == "rw")
        };
        ensemble.leader().is_some() && (0..ensemble.len()).all(writes)
    })
}

/// What was acknowledged before is known to the server that stays.
fn leave_one(ensemble: &mut Ensemble) -> Result<(), String> {
    until("not all know the same", ensemble, |ensemble| {
        let zxids: Option<Vec<String>> = (0..ensemble.len())
            .map(|index| {
                let answer = four_letter_word(ensemble.address(index), "srvr").ok()?;
                answer.lines().find(|line| line.starts_with("Zxid: ")).map(str::to_owned)
            })
            .collect();
        zxids.is_some_and(|zxids| zxids.iter().all(|zxid| *zxid == zxids[0]))
    })?;
    ensemble.kill(1);
    ensemble.kill(2);
    until("not read-only", ensemble, |ensemble| ensemble.mode(0).as_deref() == Some("read-only"))
}

/// Waits until something holds; an error, in one line, when it does not in time.
fn until(what: &str, ensemble: &Ensemble, holds: impl Fn(&Ensemble) -> bool) -> Result<(), String> {
    let deadline = Instant::now() + MODE_WITHIN;
    while !holds(ensemble) {
        if Instant::now() > deadline {
            return Err(format!("{what}: {:?}", ensemble.outputs()));
        }
        thread::sleep(POLL_EVERY);
    }
    Ok(())
}

fn server_of(ensemble: &Ensemble, session: &str) -> Option<usize> {
    let mark = format!("sid={session},");
    (0..ensemble.len()).find(|index| {
        ensemble.process(*index).is_some()
            && four_letter_word(ensemble.address(*index), "cons")
                .is_ok_and(|answer| answer.contains(&mark))
    })
}
