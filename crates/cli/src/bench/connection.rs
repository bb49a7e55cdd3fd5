//! One connection with its session: bytes out, bytes in, and which requests are unanswered.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use proto::xid;

use super::wire::{self, BadFrame, Reply};
use super::workload::Kind;
use super::{BenchError, io_error};

/// How long preparations and farewells may take; the load itself has its own end.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes read at once.
const READ_BYTES: usize = 64 << 10;

/// A request that awaits its reply.
#[derive(Clone, Copy, Debug)]
pub(super) struct InFlight {
    pub(super) kind: Kind,
    /// When it was due, from which its latency counts.
    pub(super) due: Instant,
    /// Bytes that its successful reply has behind the header.
    pub(super) body_bytes: usize,
    xid: i32,
}

/// A connection with an open session.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    /// Encoded, not yet taken by the kernel.
    out: BytesMut,
    input: Input,
    in_flight: VecDeque<InFlight>,
    /// Due instants of an open loop for which there was no slot yet.
    pub(super) overdue: VecDeque<Instant>,
    /// Watch events received and not yet taken.
    events: u64,
    /// The kernel did not take everything at the last flush.
    pub(super) is_blocked: bool,
    next_xid: i32,
    /// When something was sent last: idle sessions need a ping.
    last_sent: Instant,
}

/// Whether the kernel took everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flushed {
    All,
    Blocked,
}

impl Connection {
    /// Connects and opens a session, blocking for at most [`PATIENCE`].
    pub(super) fn open(server: SocketAddr) -> Result<Self, BenchError> {
        let stream = TcpStream::connect_timeout(&server, PATIENCE).map_err(io_error("connect"))?;
        let mut connection = Self {
            stream,
            out: BytesMut::new(),
            input: Input::new(READ_BYTES),
            in_flight: VecDeque::new(),
            overdue: VecDeque::new(),
            events: 0,
            is_blocked: false,
            next_xid: 1,
            last_sent: Instant::now(),
        };
        let granted = connection.handshake().map_err(io_error("open a session"))?;
        if granted { Ok(connection) } else { Err(BenchError::Refused) }
    }

    fn handshake(&mut self) -> io::Result<bool> {
        self.stream.set_nodelay(true)?;
        self.stream.set_read_timeout(Some(PATIENCE))?;
        self.stream.set_write_timeout(Some(PATIENCE))?;
        wire::put_connect(&mut self.out);
        self.flush()?;
        let frame = self.input.read_frame(&mut self.stream)?;
        wire::is_session(&frame).map_err(invalid)
    }

    /// Stops blocking: from here on the poller says when.
    pub(super) fn set_nonblocking(&self) -> Result<(), BenchError> {
        self.stream.set_nonblocking(true).map_err(io_error("make a socket non-blocking"))
    }

    /// Requests that await their reply.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Encodes a request; [`Self::flush`] sends it.
    pub(super) fn queue(&mut self, kind: Kind, path: &str, value: &[u8], due: Instant) {
        let xid = self.next_xid;
        // Xids below 1 have meanings of their own.
        self.next_xid = xid.checked_add(1).unwrap_or(1);
        wire::put_operation(&mut self.out, xid, kind, path, value);
        let body_bytes = wire::body_bytes(kind, path.len(), value.len());
        self.in_flight.push_back(InFlight { kind, due, body_bytes, xid });
    }

    /// Queues a ping if nothing was sent for a third of the session's timeout.
    pub(super) fn keep_alive(&mut self, now: Instant) {
        let third = u64::from(wire::SESSION_TIMEOUT_MS.unsigned_abs()) / 3;
        if now.saturating_duration_since(self.last_sent) > Duration::from_millis(third) {
            self.last_sent = now;
            wire::put_ping(&mut self.out);
        }
    }

    /// Notes that requests were sent at `now`.
    pub(super) fn touch(&mut self, now: Instant) {
        self.last_sent = now;
    }

    /// Hands what is queued to the kernel.
    pub(super) fn flush(&mut self) -> io::Result<Flushed> {
        while self.out.has_remaining() {
            match self.stream.write(&self.out) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.out.advance(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Flushed::Blocked);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Flushed::All)
    }

    /// Reads once and calls `on_reply` for every reply that is complete then, in order.
    ///
    /// # Errors
    ///
    /// When the connection is closed, broken, or the server answers out of order.
    pub(super) fn receive(&mut self, mut on_reply: impl FnMut(InFlight, Reply)) -> io::Result<()> {
        if !self.input.fill(&mut self.stream)? {
            return Ok(());
        }
        while let Some(frame) = wire::first_frame(self.input.unread()).map_err(invalid)? {
            let reply = wire::reply(frame).map_err(invalid)?;
            let frame_bytes = 4 + frame.len();
            self.input.consume(frame_bytes);
            // Pings and events answer no request.
            if reply.xid < 0 {
                self.events += u64::from(reply.xid == xid::EVENT);
                continue;
            }
            let sent = self.in_flight.pop_front().ok_or_else(|| invalid(BadFrame))?;
            if sent.xid != reply.xid {
                return Err(invalid(BadFrame));
            }
            on_reply(sent, reply);
        }
        Ok(())
    }

    /// Watch events since the last call.
    pub(super) fn take_events(&mut self) -> u64 {
        std::mem::take(&mut self.events)
    }

    /// Performs one request by itself, blocking, and gives the code of its reply.
    pub(super) fn call(&mut self, kind: Kind, path: &str, value: &[u8]) -> io::Result<i32> {
        self.queue(kind, path, value, Instant::now());
        self.flush()?;
        let mut code = None;
        while code.is_none() {
            self.receive(|_, reply| code = Some(reply.code))?;
        }
        Ok(code.unwrap_or_default())
    }

    /// Closes the session, so that its expiry does not disturb what comes after this run.
    pub(super) fn close(mut self) -> io::Result<()> {
        self.stream.set_nonblocking(false)?;
        self.stream.set_read_timeout(Some(PATIENCE))?;
        wire::put_close(&mut self.out, self.next_xid);
        self.flush()?;
        // The server closes the socket behind its answer.
        while self.stream.read(&mut self.input.bytes)? > 0 {}
        Ok(())
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// Bytes received and not yet parsed: `bytes[start..end]`.
#[derive(Debug)]
pub(super) struct Input {
    /// Bytes read at once, at least half of this.
    read_bytes: usize,
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Input {
    /// Reads about `read_bytes` at once.
    pub(super) fn new(read_bytes: usize) -> Self {
        Self { read_bytes, bytes: Vec::new(), start: 0, end: 0 }
    }

    pub(super) fn unread(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    pub(super) fn consume(&mut self, count: usize) {
        self.start += count;
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Reads once; false when nothing was there.
    ///
    /// # Errors
    ///
    /// The end of the stream is one.
    pub(super) fn fill(&mut self, stream: &mut TcpStream) -> io::Result<bool> {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.bytes.len() < self.end + self.read_bytes.div_ceil(2) {
            // A frame is refused by its length before it makes this grow.
            self.bytes.resize(self.end + self.read_bytes, 0);
        }
        match stream.read(&mut self.bytes[self.end..]) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                self.end += count;
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Reads one frame, blocking.
    fn read_frame(&mut self, stream: &mut TcpStream) -> io::Result<Vec<u8>> {
        loop {
            if let Some(frame) = wire::first_frame(self.unread()).map_err(invalid)? {
                let frame = frame.to_vec();
                self.consume(4 + frame.len());
                return Ok(frame);
            }
            if !self.fill(stream)? {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
    }
}

/// The peer broke the protocol.
pub(super) fn invalid(_: BadFrame) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the server broke the protocol")
}
