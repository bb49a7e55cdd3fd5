//! One TCP connection: any bytes out, whole frames in, never waiting beyond a deadline.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::bytes::frame;

/// A frame larger than this is a fault of the server: no test makes a reply so large.
const FRAME_BYTES_MAX: usize = 64 << 20;

/// What came from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A frame, without its length.
    Frame(Vec<u8>),
    /// The server closed the connection. A reset counts as well: which of the two it is
    /// depends on whether the server had read everything.
    Closed,
    /// Nothing until the deadline.
    Nothing,
}

/// A connection without any idea of sessions.
#[derive(Debug)]
pub struct RawConnection {
    stream: TcpStream,
    input: Vec<u8>,
}

impl RawConnection {
    /// Connects, and turns off Nagle's algorithm so that bytes leave as they are sent.
    pub fn open(server: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&server, Duration::from_secs(10))?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(Duration::from_secs(20)))?;
        Ok(Self { stream, input: Vec::new() })
    }

    /// Sends bytes as they are. A connection that the server has closed is no error: the
    /// next read tells.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.stream.write_all(bytes) {
            Err(error) if is_closed(&error) => Ok(()),
            result => result,
        }
    }

    /// Sends a payload with its length in front.
    pub fn send_frame(&mut self, payload: &[u8]) -> io::Result<()> {
        self.send(&frame(payload))
    }

    /// Tells the server that no more will be sent.
    pub fn shut_down_sending(&mut self) {
        // An error means that the connection is gone, which the next read tells.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// The socket, for tests that need more.
    pub const fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// The next frame.
    pub fn read_frame(&mut self, within: Duration) -> io::Result<Incoming> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(frame) = self.buffered_frame()? {
                return Ok(Incoming::Frame(frame));
            }
            match self.fill(deadline)? {
                Filled::Some => {}
                Filled::Closed => return Ok(Incoming::Closed),
                Filled::TimedOut => return Ok(Incoming::Nothing),
            }
        }
    }

    /// Everything until the server closes, for the four letter words; an error when it does
    /// not close in time.
    pub fn read_to_end(&mut self, within: Duration) -> io::Result<Vec<u8>> {
        let deadline = Instant::now() + within;
        loop {
            match self.fill(deadline)? {
                Filled::Some => {}
                Filled::Closed => return Ok(std::mem::take(&mut self.input)),
                Filled::TimedOut => {
                    return Err(io::Error::new(ErrorKind::TimedOut, "not closed by the server"));
                }
            }
        }
    }

    fn buffered_frame(&mut self) -> io::Result<Option<Vec<u8>>> {
        let Some((length, _)) = self.input.split_first_chunk::<4>() else { return Ok(None) };
        let length = usize::try_from(i32::from_be_bytes(*length))
            .ok()
            .filter(|&length| length <= FRAME_BYTES_MAX)
            .ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "impossible frame length"))?;
        if self.input.len() < 4 + length {
            return Ok(None);
        }
        let frame = self.input[4..4 + length].to_vec();
        self.input.drain(..4 + length);
        Ok(Some(frame))
    }

    fn fill(&mut self, deadline: Instant) -> io::Result<Filled> {
        let left = deadline.saturating_duration_since(Instant::now());
        self.stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        let mut chunk = [0; 64 << 10];
        match self.stream.read(&mut chunk) {
            Ok(0) => Ok(Filled::Closed),
            Ok(length) => {
                self.input.extend_from_slice(&chunk[..length]);
                Ok(Filled::Some)
            }
            Err(error) if is_closed(&error) => Ok(Filled::Closed),
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(Filled::Some),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Ok(if left.is_zero() { Filled::TimedOut } else { Filled::Some })
            }
            Err(error) => Err(error),
        }
    }
}

enum Filled {
    Some,
    Closed,
    TimedOut,
}

fn is_closed(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe
    )
}
