//! The `watch` scenario: one znode that every connection watches is changed, again and again.
//!
//! One operation is one event delivered; its latency runs from sending the change. The next change
//! follows when the last event of the one before is in, so this is a closed loop by nature.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::connection::Connection;
use super::pace::Window;
use super::poller::Poller;
use super::tally::Tally;
use super::workload::Kind;
use super::{BenchError, io_error};

/// Longest wait for a socket: the end of the window is looked at this often.
const TICK: Duration = Duration::from_millis(100);
/// A change whose events are not all in by then has lost some.
const PATIENCE: Duration = Duration::from_secs(10);

/// The connections: the first makes the changes, the others watch.
#[derive(Debug)]
pub(super) struct Fanout {
    poller: Poller,
    connections: Vec<Connection>,
    path: String,
    value: Arc<[u8]>,
}

impl Fanout {
    /// Connects `watchers` and one more, creates `path` and registers a persistent watch for each.
    pub(super) fn open(
        servers: &[SocketAddr],
        watchers: usize,
        path: String,
        value: Arc<[u8]>,
    ) -> Result<Self, BenchError> {
        let poller = Poller::new().map_err(io_error("create an epoll"))?;
        let mut connections = Vec::new();
        for (token, server) in servers.iter().cycle().take(watchers + 1).enumerate() {
            let mut connection = Connection::open(*server)?;
            let kind = if token == 0 { Kind::Create } else { Kind::Watch };
            let code = connection.call(kind, &path, &value).map_err(io_error("set up a watch"))?;
            if code != 0 {
                return Err(BenchError::Setup { path, code });
            }
            connection.set_nonblocking()?;
            poller.add(&connection, token).map_err(io_error("watch a socket"))?;
            connections.push(connection);
        }
        Ok(Self { poller, connections, path, value })
    }

    /// Changes the znode until the window is over or `changes` are made.
    pub(super) fn run(&mut self, window: Window, changes: u64) -> Tally {
        let mut tally = Tally::new();
        for _ in 0..changes {
            if window.is_over(Instant::now()) {
                break;
            }
            match self.change(window, &mut tally) {
                Ok(0) => {}
                Ok(missing) => tally.unanswered += missing,
                Err(_) => {
                    tally.lost_connections += 1;
                    break;
                }
            }
        }
        tally
    }

    /// Makes one change and awaits its reply and events; gives how many did not come.
    fn change(&mut self, window: Window, tally: &mut Tally) -> io::Result<u64> {
        let sent = Instant::now();
        let setter = &mut self.connections[0];
        setter.queue(Kind::Set, &self.path, &self.value, sent);
        setter.flush()?;
        // One answer, and an event for each of the others.
        let mut missing = self.connections.len() as u64;
        while missing > 0 && sent.elapsed() < PATIENCE {
            let ready = self.poller.wait(TICK)?;
            for index in 0..ready {
                let connection = &mut self.connections[self.poller.token(index)];
                connection.receive(|_, reply| {
                    missing -= 1;
                    if reply.code != 0 {
                        tally.error(reply.code);
                    }
                })?;
                let now = Instant::now();
                for _ in 0..connection.take_events().min(missing) {
                    missing -= 1;
                    if window.counts(sent, now, false) {
                        let since_start = now.saturating_duration_since(window.from);
                        tally.success(true, now - sent, since_start);
                        tally.last = Some(now);
                    }
                }
            }
        }
        Ok(missing)
    }

    /// Closes every session.
    pub(super) fn close(self) {
        for connection in self.connections {
            // The measurement is over; a session that cannot be closed will expire.
            let _ = connection.close();
        }
    }
}
