//! Connections that do not last for ever, whatever their peer does or leaves undone.
//!
//! axum's server has no timeouts of its own, and ends only when its last connection has: so the
//! time is taken here, below HTTP. A request must be there, an answer must be fetched, and the
//! next request must begin, each within the idle time. Once the server stops, there is a moment
//! left for what is under way.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::{OwnedSemaphorePermit, watch},
    time::{Sleep, sleep},
};

/// How long requests under way may take once the server stops.
const LAST_CALL: Duration = Duration::from_secs(1);
/// As much of a long answer must be fetched within the idle time: who takes it byte by byte
/// would have the rest kept for hours.
const FETCHED_BYTES_MIN: usize = 256 * 1024;

/// A connection whose reads and writes fail when it has taken too long.
pub(super) struct Timed {
    stream: TcpStream,
    /// Given back when the connection goes.
    _place: Option<OwnedSemaphorePermit>,
    idle: Duration,
    /// Moved on by what the peer does in time.
    deadline: Pin<Box<Sleep>>,
    last_call: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// Nothing is waited for any more.
    over: bool,
    /// A request has begun to come. The rest of it moves nothing.
    asking: bool,
    /// Of an answer, since the deadline was moved.
    fetched_bytes: usize,
}

impl Timed {
    /// `idle` may be [`Duration::MAX`], for ever; `stop` becomes true when the server stops.
    pub(super) fn new(
        stream: TcpStream,
        place: Option<OwnedSemaphorePermit>,
        idle: Duration,
        mut stop: watch::Receiver<bool>,
    ) -> Self {
        let last_call = async move {
            // A sender that is gone means stop as well.
            let _ = stop.wait_for(|stop| *stop).await;
            sleep(LAST_CALL).await;
        };
        Self {
            stream,
            _place: place,
            idle,
            deadline: Box::pin(sleep(idle)),
            last_call: Box::pin(last_call),
            over: false,
            asking: false,
            fetched_bytes: 0,
        }
    }

    fn in_time(&mut self) {
        self.fetched_bytes = 0;
        self.deadline.as_mut().set(sleep(self.idle));
    }

    /// What came of a wait: nothing yet, or an error when it took too long.
    fn wait<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        self.over = self.over
            || self.deadline.as_mut().poll(cx).is_ready()
            || self.last_call.as_mut().poll(cx).is_ready();
        if self.over { Poll::Ready(Err(io::ErrorKind::TimedOut.into())) } else { Poll::Pending }
    }

    /// `bytes` of an answer were taken; `all` that there was to give.
    fn fetched(&mut self, bytes: usize, all: bool) {
        self.asking = false;
        self.fetched_bytes += bytes;
        if all || self.fetched_bytes >= FETCHED_BYTES_MIN {
            self.in_time();
        }
    }
}

impl AsyncRead for Timed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let had = into.filled().len();
        let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(cx, into) else {
            return self.wait(cx);
        };
        if into.filled().len() > had && !self.asking {
            self.asking = true;
            self.in_time();
        }
        Poll::Ready(read)
    }
}

impl AsyncWrite for Timed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Poll::Ready(written) = Pin::new(&mut self.stream).poll_write(cx, from) else {
            return self.wait(cx);
        };
        if let Ok(bytes) = written {
            self.fetched(bytes, bytes == from.len());
        }
        Poll::Ready(written)
    }

    // Without it, hyper copies all that it sends.
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Poll::Ready(written) = Pin::new(&mut self.stream).poll_write_vectored(cx, from) else {
            return self.wait(cx);
        };
        if let Ok(bytes) = written {
            let offered: usize = from.iter().map(|part| part.len()).sum();
            self.fetched(bytes, bytes == offered);
        }
        Poll::Ready(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
