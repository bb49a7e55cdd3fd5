//! One thread of the load: its connections, and the loop that keeps them busy.
//!
//! A turn of the loop waits for readable sockets, takes every reply that is there with one read a
//! socket, tops the socket up with new requests and hands those over with one write.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::connection::{Connection, Flushed};
use super::pace::{Schedule, Window};
use super::poller::Poller;
use super::tally::Tally;
use super::workload::Workload;
use super::{BenchError, io_error};

/// How long replies are awaited after the last request.
const DRAIN: Duration = Duration::from_secs(10);
/// Longest wait for a socket: pings and the end of the window are looked at this often.
const TICK: Duration = Duration::from_millis(100);

/// A thread's connections.
#[derive(Debug)]
pub(super) struct Worker {
    poller: Poller,
    /// `None` where the connection was lost; the index is the poller's token.
    connections: Vec<Option<Connection>>,
    in_flight_max: usize,
    value: Arc<[u8]>,
}

/// What one thread is to do.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) workload: Workload,
    /// Present in an open loop.
    pub(super) schedule: Option<Schedule>,
    pub(super) window: Window,
    /// Requests to send at most.
    pub(super) budget: u64,
}

impl Worker {
    /// Takes over `connections` and stops them from blocking.
    pub(super) fn new(
        connections: Vec<Connection>,
        in_flight_max: usize,
        value: Arc<[u8]>,
    ) -> Result<Self, BenchError> {
        let poller = Poller::new().map_err(io_error("create an epoll"))?;
        for (token, connection) in connections.iter().enumerate() {
            connection.set_nonblocking()?;
            poller.add(connection, token).map_err(io_error("watch a socket"))?;
        }
        let connections = connections.into_iter().map(Some).collect();
        Ok(Self { poller, connections, in_flight_max, value })
    }

    /// Allows another number of unanswered requests.
    pub(super) fn set_in_flight_max(&mut self, in_flight_max: usize) {
        self.in_flight_max = in_flight_max;
    }

    /// Carries out a task; ends when its window, budget or workload does and the replies are in.
    pub(super) fn run(&mut self, task: Task) -> Tally {
        let mut run = Run::new(self, task);
        run.start();
        while !run.is_done(Instant::now()) {
            run.turn();
        }
        run.finish()
    }

    /// Closes every session.
    pub(super) fn close(self) {
        for connection in self.connections.into_iter().flatten() {
            // The measurement is over; a session that cannot be closed will expire.
            let _ = connection.close();
        }
    }
}

/// A task being carried out.
#[derive(Debug)]
struct Run<'w> {
    worker: &'w mut Worker,
    task: Task,
    tally: Tally,
    /// The request being encoded.
    path: String,
    /// No request is left to send.
    is_exhausted: bool,
    /// When the loop began to only wait for replies.
    draining_since: Option<Instant>,
    /// Whose turn it is in an open loop.
    cursor: usize,
    next_tick: Instant,
}

impl<'w> Run<'w> {
    fn new(worker: &'w mut Worker, task: Task) -> Self {
        Self {
            worker,
            task,
            tally: Tally::new(),
            path: String::new(),
            is_exhausted: false,
            draining_since: None,
            cursor: 0,
            next_tick: Instant::now() + TICK,
        }
    }

    /// Fills every slot of a closed loop.
    fn start(&mut self) {
        if self.task.schedule.is_none() {
            for token in 0..self.worker.connections.len() {
                self.top_up(token, Instant::now());
            }
        }
    }

    fn is_done(&mut self, now: Instant) -> bool {
        if !self.is_exhausted && !self.task.window.is_over(now) {
            return self.worker.connections.iter().all(Option::is_none);
        }
        let since = *self.draining_since.get_or_insert(now);
        let waiting =
            |connection: &Connection| connection.in_flight() > 0 || !connection.overdue.is_empty();
        now - since > DRAIN || !self.worker.connections.iter().flatten().any(waiting)
    }

    fn turn(&mut self) {
        let now = Instant::now();
        let timeout = self.send_due(now);
        let Ok(ready) = self.worker.poller.wait(timeout) else {
            self.is_exhausted = true;
            return;
        };
        for index in 0..ready {
            self.serve(self.worker.poller.token(index));
        }
        if now >= self.next_tick {
            self.next_tick = now + TICK;
            self.keep_alive(now);
        }
    }

    /// Assigns the requests of an open loop that are due; gives the time until the next one.
    fn send_due(&mut self, now: Instant) -> Duration {
        let Some(schedule) = &mut self.task.schedule else { return TICK };
        let first = self.cursor;
        let count = self.worker.connections.len();
        let mut due = schedule.due();
        while due <= now && !self.task.window.is_over(due) && self.task.budget > 0 {
            if let Some(connection) = &mut self.worker.connections[self.cursor % count] {
                connection.overdue.push_back(due);
            }
            self.cursor += 1;
            schedule.advance();
            due = schedule.due();
        }
        for turn in first..self.cursor.min(first + count) {
            self.top_up(turn % count, now);
        }
        due.saturating_duration_since(now).min(TICK)
    }

    /// Reads what came on one connection and uses the slots that became free.
    fn serve(&mut self, token: usize) {
        let Some(connection) = &mut self.worker.connections[token] else { return };
        let (tally, task) = (&mut self.tally, &self.task);
        let mut now = None;
        let received = connection.receive(|sent, reply| {
            // One look at the clock for all replies of one read.
            let now = *now.get_or_insert_with(Instant::now);
            if !task.window.counts(sent.due, now, task.schedule.is_some()) {
                return;
            }
            tally.last = Some(now);
            if reply.code != 0 {
                tally.error(reply.code);
            } else if reply.body_bytes == sent.body_bytes {
                let since_start = now.saturating_duration_since(task.window.from);
                tally.success(sent.kind.is_read(), now - sent.due, since_start);
            } else {
                tally.malformed += 1;
            }
        });
        match received {
            Ok(()) => self.top_up(token, now.unwrap_or_else(Instant::now)),
            Err(_) => self.lose(token),
        }
    }

    /// Sends requests on one connection until its slots, or the requests, are used up.
    ///
    /// A closed loop with many slots waits for a quarter of them to be free, so that one write
    /// carries several requests: its depth swings between three quarters and the whole.
    fn top_up(&mut self, token: usize, now: Instant) {
        let Some(connection) = &mut self.worker.connections[token] else { return };
        let free = self.worker.in_flight_max.saturating_sub(connection.in_flight());
        if self.task.schedule.is_none() && free < self.worker.in_flight_max.div_ceil(4) {
            return;
        }
        let is_over = self.task.window.is_over(now);
        let before = connection.in_flight();
        while connection.in_flight() < self.worker.in_flight_max && !self.is_exhausted {
            let due = match &self.task.schedule {
                // What was due before the end is sent, however late.
                Some(_) => connection.overdue.pop_front(),
                None => (!is_over).then_some(now),
            };
            let Some(due) = due else { break };
            match self.task.workload.next(&mut self.path) {
                Some(kind) if self.task.budget > 0 => {
                    self.task.budget -= 1;
                    connection.queue(kind, &self.path, &self.worker.value, due);
                }
                Some(_) | None => self.is_exhausted = true,
            }
        }
        if connection.in_flight() > before {
            connection.touch(now);
        }
        self.flush(token);
    }

    fn flush(&mut self, token: usize) {
        let Some(connection) = &mut self.worker.connections[token] else { return };
        match flush(&self.worker.poller, connection, token) {
            Ok(()) => {}
            Err(_) => self.lose(token),
        }
    }

    fn keep_alive(&mut self, now: Instant) {
        for token in 0..self.worker.connections.len() {
            if let Some(connection) = &mut self.worker.connections[token] {
                connection.keep_alive(now);
            }
            self.flush(token);
        }
    }

    fn lose(&mut self, token: usize) {
        if let Some(connection) = self.worker.connections[token].take() {
            // Closing the socket would end the watch too; this keeps the order plain.
            let _ = self.worker.poller.remove(&connection);
            self.tally.lost_connections += 1;
            self.tally.unanswered += unanswered(&connection);
        }
    }

    fn finish(mut self) -> Tally {
        for connection in self.worker.connections.iter_mut().flatten() {
            self.tally.unanswered += unanswered(connection);
            connection.overdue.clear();
        }
        self.tally
    }
}

fn unanswered(connection: &Connection) -> u64 {
    (connection.in_flight() + connection.overdue.len()) as u64
}

/// Sends what is queued, and asks to hear when a full socket has room again.
fn flush(poller: &Poller, connection: &mut Connection, token: usize) -> io::Result<()> {
    let was_blocked = connection.is_blocked;
    connection.is_blocked = connection.flush()? == Flushed::Blocked;
    if connection.is_blocked != was_blocked {
        poller.watch_writes(&*connection, token, connection.is_blocked)?;
    }
    Ok(())
}
