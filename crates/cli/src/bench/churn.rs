//! The `session` scenario: connect, open a session, close it, disconnect, and again.
//!
//! One operation is the whole cycle; its latency runs from the connect to the answer of the close.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rustix::net::{self, AddressFamily, SocketFlags, SocketType};

use super::connection::{Input, invalid};
use super::pace::Window;
use super::poller::Poller;
use super::tally::Tally;
use super::wire;

/// Longest wait for a socket: the end of the window is looked at this often.
const TICK: Duration = Duration::from_millis(100);
/// How long replies are awaited after the last cycle began.
const DRAIN: Duration = Duration::from_secs(10);

/// Bytes read at once: the two answers of a cycle are far smaller.
const READ_BYTES: usize = 512;

/// What one thread is to do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Task {
    pub(super) window: Window,
    /// Cycles to begin at most.
    pub(super) budget: u64,
}

/// One thread's slots, each going through the cycle.
#[derive(Debug)]
pub(super) struct Churn {
    /// Used in turn.
    servers: Vec<SocketAddr>,
    next_server: usize,
    poller: Poller,
    slots: Vec<Option<Cycle>>,
    out: BytesMut,
}

/// A session on its way.
#[derive(Debug)]
struct Cycle {
    stream: TcpStream,
    input: Input,
    begun: Instant,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Connecting,
    Opening,
    Closing,
}

/// What became of a cycle when bytes came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Waiting,
    Refused,
    Done(i32),
}

impl Churn {
    pub(super) fn new(servers: Vec<SocketAddr>, slots: usize) -> io::Result<Self> {
        let slots = (0..slots).map(|_| None).collect();
        Ok(Self { servers, next_server: 0, poller: Poller::new()?, slots, out: BytesMut::new() })
    }

    /// Keeps every slot busy until the window or the budget ends.
    pub(super) fn run(&mut self, task: &Task) -> Tally {
        let mut tally = Tally::new();
        let mut budget = task.budget;
        for token in 0..self.slots.len() {
            self.begin(token, &mut budget, &mut tally);
        }
        let mut over_since = None;
        while self.slots.iter().any(Option::is_some) {
            let now = Instant::now();
            if task.window.is_over(now) {
                budget = 0;
            }
            if budget == 0 && now - *over_since.get_or_insert(now) > DRAIN {
                break;
            }
            let Ok(ready) = self.poller.wait(TICK) else { break };
            for index in 0..ready {
                let token = self.poller.token(index);
                self.serve(token, task, &mut tally);
                if self.slots[token].is_none() {
                    self.begin(token, &mut budget, &mut tally);
                }
            }
        }
        tally.unanswered += self.slots.iter().flatten().count() as u64;
        tally
    }

    fn begin(&mut self, token: usize, budget: &mut u64, tally: &mut Tally) {
        if *budget == 0 {
            return;
        }
        *budget -= 1;
        match self.connect(token) {
            Ok(cycle) => self.slots[token] = Some(cycle),
            Err(_) => tally.lost_connections += 1,
        }
    }

    /// Begins to connect without blocking: a server whose backlog is full must not stop the others.
    fn connect(&mut self, token: usize) -> io::Result<Cycle> {
        let begun = Instant::now();
        let server = self.servers[self.next_server % self.servers.len()];
        self.next_server += 1;
        let family = match server {
            SocketAddr::V4(_) => AddressFamily::INET,
            SocketAddr::V6(_) => AddressFamily::INET6,
        };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = net::socket_with(family, SocketType::STREAM, flags, None)?;
        match net::connect(&socket, &server) {
            Ok(()) | Err(rustix::io::Errno::INPROGRESS) => {}
            Err(error) => return Err(error.into()),
        }
        let stream = TcpStream::from(socket);
        self.poller.add_connecting(&stream, token)?;
        Ok(Cycle { stream, input: Input::new(READ_BYTES), begun, stage: Stage::Connecting })
    }

    fn serve(&mut self, token: usize, task: &Task, tally: &mut Tally) {
        let Some(cycle) = &mut self.slots[token] else { return };
        let step = match cycle.stage {
            Stage::Connecting => cycle.open(&mut self.out).and_then(|step| {
                self.poller.watch_writes(&cycle.stream, token, false).map(|()| step)
            }),
            Stage::Opening | Stage::Closing => cycle.step(&mut self.out),
        };
        let now = Instant::now();
        let counts = task.window.counts(cycle.begun, now, false);
        match step {
            Ok(Step::Waiting) => return,
            Ok(Step::Done(0)) if counts => {
                let since_start = now.saturating_duration_since(task.window.from);
                tally.success(false, now - cycle.begun, since_start);
                tally.last = Some(now);
            }
            Ok(Step::Done(code)) if counts => tally.error(code),
            Ok(Step::Done(_)) => {}
            Ok(Step::Refused) => tally.malformed += 1,
            Err(_) => tally.lost_connections += 1,
        }
        // Dropping closes the socket, which also ends the watch.
        self.slots[token] = None;
    }
}

impl Cycle {
    /// Asks for a session on the socket, which is connected by now.
    fn open(&mut self, out: &mut BytesMut) -> io::Result<Step> {
        if let Some(error) = self.stream.take_error()? {
            return Err(error);
        }
        self.stream.set_nodelay(true)?;
        out.clear();
        wire::put_connect(out);
        // A new socket has room for these few bytes.
        self.stream.write_all(out)?;
        self.stage = Stage::Opening;
        Ok(Step::Waiting)
    }

    fn step(&mut self, out: &mut BytesMut) -> io::Result<Step> {
        if !self.input.fill(&mut self.stream)? {
            return Ok(Step::Waiting);
        }
        let Some(frame) = wire::first_frame(self.input.unread()).map_err(invalid)? else {
            return Ok(Step::Waiting);
        };
        match self.stage {
            Stage::Connecting | Stage::Opening => {
                if !wire::is_session(frame).map_err(invalid)? {
                    return Ok(Step::Refused);
                }
                let frame_bytes = 4 + frame.len();
                self.input.consume(frame_bytes);
                self.stage = Stage::Closing;
                out.clear();
                wire::put_close(out, 1);
                self.stream.write_all(out)?;
                Ok(Step::Waiting)
            }
            Stage::Closing => Ok(Step::Done(wire::reply(frame).map_err(invalid)?.code)),
        }
    }
}
