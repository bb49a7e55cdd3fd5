//! One task a connection: bytes in, frames to answers or commands, bytes out.
//!
//! All that can block is in [`ConnectionTask::run`]; everything between two waits is
//! synchronous. The task answers reads itself, under the state's shared lock; writes go
//! to the log and come back through the connection's lane.

use std::{
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    pin::pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, BytesMut};
use fault_points::{Point, reach};
use session::{
    Reader,
    lane::{self, Collected, Phase},
};
use tokio::{
    io::AsyncReadExt,
    net::TcpStream,
    sync::watch,
    time::{Instant, sleep_until},
};

use crate::{
    admin::{ConnectionStats, four_letter},
    conversation::{Conversation, Progress},
    link::Link,
    service::Service,
};

/// How much is read from a quiet connection at once, in bytes.
const READ_SMALL: usize = 4 * 1024;
/// How much is read at once from a connection that filled the last read.
const READ_LARGE: usize = 64 * 1024;
/// With more than this waiting to be sent, nothing more is read from the client.
const OUT_HIGH_WATER: usize = lane::OUT_HIGH_WATER;
/// How long a client may take none of what is left for it before it is left, once it was said
/// the last thing. ZooKeeper waits for the end of its session.
const UNREAD_MAX: Duration = Duration::from_secs(5);

/// Why a connection ended. Logged at debug: clients come and go.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Ended {
    /// The client closed its side.
    #[error("closed by the client")]
    ByClient,
    /// The server closed it after its last reply.
    #[error("closed by the server after the last reply")]
    Finished,
    /// The client does not take the last that there is for it.
    #[error("closed by the server: the client does not read the last replies")]
    Unread,
    /// The server dropped it: expired, moved, or too slow.
    #[error("dropped: its session expired or moved, or it does not read")]
    Dropped,
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
    /// No session was asked for in time.
    #[error("no session was asked for in time")]
    Sessionless,
    /// What came cannot be understood.
    #[error("{0}")]
    Protocol(#[from] crate::conversation::ProtocolError),
    /// The socket failed.
    #[error("socket: {0}")]
    Socket(#[from] io::Error),
}

/// Serves one connection until it ends.
pub(crate) async fn serve(
    stream: TcpStream,
    remote: SocketAddr,
    service: &Arc<Service>,
    stop: watch::Receiver<bool>,
) {
    let now_ms = service.core.clock.monotonic_ms();
    let stats = ConnectionStats::new(service.core.clock.wall().0);
    let link = Arc::new(Link::new(service.draw_owner(), remote, now_ms, stats));
    let mut task = ConnectionTask {
        stream,
        service: Arc::clone(service),
        conversation: Conversation::new(Arc::clone(service), Arc::clone(&link)),
        link,
        input: BytesMut::new(),
        output: BytesMut::new(),
        read_bytes: READ_SMALL,
        read_us: 0,
        registered: false,
        stalled: false,
        cut_off: None,
    };
    let ended = match task.run(stop).await {
        Ok(ended) | Err(ended) => ended,
    };
    task.leave();
    tracing::debug!(%remote, session = %task.link.session(), cause = %ended, "connection closed");
}

struct ConnectionTask {
    stream: TcpStream,
    service: Arc<Service>,
    link: Arc<Link>,
    conversation: Conversation,
    input: BytesMut,
    output: BytesMut,
    read_bytes: usize,
    /// When something was last read, in monotonic microseconds.
    read_us: u64,
    registered: bool,
    /// The lane may hold what there was no room for in `output`; nobody will ring for it.
    stalled: bool,
    /// When a conversation that is over ends, unless the client takes some of the output before.
    cut_off: Option<Instant>,
}

/// What the task waits for next.
#[derive(Clone, Copy)]
struct Wait {
    read: bool,
    write: bool,
    room: bool,
}

/// What became possible, or happened, on the socket.
enum Moved {
    /// So many bytes were read.
    Bytes(usize),
    /// The client closed its side.
    End,
    /// There is room to write.
    Writable,
}

/// Waits for room to write, or reads, as `wait` says.
///
/// A buffer is only held while there is something in it: most connections are idle. The
/// runtime takes a short read for a sign that the socket is empty, and so spares a read that
/// would only say so.
fn poll_socket(
    stream: &mut TcpStream,
    input: &mut BytesMut,
    size: usize,
    wait: Wait,
    cx: &mut Context<'_>,
) -> Poll<io::Result<Moved>> {
    if wait.write && stream.poll_write_ready(cx)?.is_ready() {
        return Poll::Ready(Ok(Moved::Writable));
    }
    if !wait.read {
        return Poll::Pending;
    }
    ready!(stream.poll_read_ready(cx))?;
    input.reserve(size);
    let read = pin!(stream.read_buf(input)).poll(cx);
    if read.is_pending() && input.is_empty() {
        *input = BytesMut::new();
    }
    let count = ready!(read)?;
    Poll::Ready(Ok(if count == 0 { Moved::End } else { Moved::Bytes(count) }))
}

impl ConnectionTask {
    async fn run(&mut self, mut stop: watch::Receiver<bool>) -> Result<Ended, Ended> {
        self.stream.set_nodelay(true)?;
        let sessionless = Duration::from_millis(self.service.config.sessionless_timeout_ms);
        let deadline = Instant::now() + sessionless;
        loop {
            // It changes once. Not left to the select: a client that always has more to ask would
            // keep it from coming to that.
            if stop.has_changed().unwrap_or(true) {
                return Ok(Ended::Stopping);
            }
            let phase = self.collect();
            if self.link.is_dropped() {
                // What was answered before that is sent, if the client takes it at once.
                self.flush()?;
                return Ok(Ended::Dropped);
            }
            let wait = self.advance(phase)?;
            let finished = self.conversation.is_finished();
            if finished && self.output.is_empty() {
                return Ok(Ended::Finished);
            }
            if self.stalled && self.output.len() < OUT_HIGH_WATER {
                continue;
            }
            let fresh = phase == Phase::Fresh;
            let until = if finished { self.cut_off() } else { deadline };
            let (stream, input, size) = (&mut self.stream, &mut self.input, self.read_bytes);
            tokio::select! {
                biased;
                () = self.link.bell.notified() => {}
                moved = poll_fn(|cx| poll_socket(stream, input, size, wait, cx)),
                    if wait.read || wait.write =>
                {
                    match moved? {
                        Moved::End => {
                            self.service.core.metrics.connection_dropped();
                            return Ok(Ended::ByClient);
                        }
                        Moved::Bytes(count) => self.note_read(count),
                        Moved::Writable => {}
                    }
                }
                () = self.service.proposer.ready(), if wait.room => {}
                () = sleep_until(until), if fresh || finished => {
                    if finished {
                        return Ok(Ended::Unread);
                    }
                    self.service.core.metrics.sessionless_expired();
                    return Ok(Ended::Sessionless);
                }
                _ = stop.wait_for(|stop| *stop) => return Ok(Ended::Stopping),
            }
        }
    }

    fn cut_off(&mut self) -> Instant {
        *self.cut_off.get_or_insert_with(|| Instant::now() + UNREAD_MAX)
    }

    /// Moves what the apply task left in the lane to the output.
    ///
    /// What a client does not read stays in the lane, where it is counted.
    fn collect(&mut self) -> Phase {
        let mut lane = self.link.lane.lock();
        if self.output.len() >= OUT_HIGH_WATER {
            self.stalled = true;
            return lane.phase();
        }
        let collected = lane.collect(&mut self.output);
        self.stalled = lane.is_runnable();
        drop(lane);
        let phase = collected.phase;
        self.conversation.note_collected(&collected);
        if self.stalled {
            self.run_lane();
        }
        phase
    }

    /// Answers deferred requests that the apply task left because the client did not
    /// keep up with reading.
    fn run_lane(&mut self) {
        if self.output.len() >= OUT_HIGH_WATER {
            return;
        }
        let core = &self.service.core;
        let state = core.read();
        let mut watches = core.watches();
        let mut lane = self.link.lane.lock();
        lane.run(&mut Reader {
            state: &state,
            watches: &mut *watches,
            watcher: self.link.watcher(),
            flags: core.flags(),
        });
        let collected: Collected = lane.collect(&mut self.output);
        self.stalled = lane.is_runnable();
        drop(lane);
        self.conversation.note_collected(&collected);
    }

    /// Takes what has arrived, sends what can be sent; says what to wait for.
    fn advance(&mut self, phase: Phase) -> Result<Wait, Ended> {
        let mut progress = Progress::NeedsInput;
        loop {
            let full = self.output.len() >= OUT_HIGH_WATER;
            if self.conversation.is_finished() || phase == Phase::Closing {
                // Nobody will look at what else the client sends.
                progress = Progress::Finished;
            } else if !full {
                progress = self.take_input()?;
            }
            let had = self.output.len();
            self.flush()?;
            if !self.output.is_empty() || (!full && had < OUT_HIGH_WATER) {
                break;
            }
        }
        let blocked = !self.output.is_empty();
        self.conversation.publish_stats(self.read_us);
        Ok(Wait {
            read: progress == Progress::NeedsInput && self.output.len() < OUT_HIGH_WATER,
            write: blocked,
            room: progress == Progress::NeedsRoom,
        })
    }

    fn take_input(&mut self) -> Result<Progress, Ended> {
        if self.input.is_empty() {
            return Ok(Progress::NeedsInput);
        }
        if !self.registered {
            if self.input.len() < 4 {
                return Ok(Progress::NeedsInput);
            }
            self.service.core.links.add(Arc::clone(&self.link));
            self.registered = true;
            if four_letter::Word::parse(&self.input).is_some() {
                self.link.stats.lock().add(1, 0, None);
            }
            if let Some(reply) = four_letter::answer(&*self.service, &mut self.input) {
                // One word, one answer, and the connection ends.
                self.output.extend_from_slice(&reply);
                self.conversation.finish();
                return Ok(Progress::Finished);
            }
        }
        let (taken, progress) = self.conversation.take(&self.input, &mut self.output)?;
        self.input.advance(taken);
        if self.input.is_empty() {
            // Idle connections hold no buffers.
            self.input = BytesMut::new();
        }
        Ok(progress)
    }

    fn note_read(&mut self, count: usize) {
        self.read_bytes = if count >= self.read_bytes { READ_LARGE } else { READ_SMALL };
        self.read_us = self.service.core.clock.monotonic_us();
        self.link.heard_ms.store(self.read_us / 1000, Ordering::Relaxed);
        self.service.core.metrics.bytes_received(count);
    }

    /// Writes as much as the socket takes.
    fn flush(&mut self) -> io::Result<()> {
        while !self.output.is_empty() {
            reach(Point::ReplySend)?;
            match self.stream.try_write(&self.output) {
                Ok(count) => {
                    // Compat(response-bytes): answers to words are not counted.
                    if self.conversation.has_greeted() {
                        self.service.core.metrics.bytes_sent(count);
                    }
                    self.output.advance(count);
                    self.cut_off = None;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        if self.output.capacity() > 2 * OUT_HIGH_WATER {
            self.output = BytesMut::new();
        }
        Ok(())
    }

    /// The connection is gone: its watches go with it, its session stays.
    fn leave(&mut self) {
        self.link.lane.lock().close();
        self.service.core.watches().remove_watcher(self.link.watcher());
        self.service.core.links.remove(&self.link);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net,
        sync::atomic::AtomicBool,
        thread,
    };

    use tokio::{net::TcpListener, time::timeout};

    use super::*;
    use crate::testing::{LoneServer, hello};

    /// Its socket was always ready, and that the server stops was looked at behind it: a server
    /// whose state was found to be wrong went on answering it.
    #[tokio::test(flavor = "multi_thread")]
    async fn who_never_stops_asking_is_not_served_by_a_server_that_stops() {
        let server = LoneServer::start().await;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let mut client = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, remote) = listener.accept().await.unwrap();
        let (stop, stopped) = watch::channel(false);
        let service = Arc::clone(&server.service);
        let serving = tokio::spawn(async move { serve(stream, remote, &service, stopped).await });
        client.write_all(&hello()).unwrap();
        server.service.core.apply(&[server.committed(1).await]);
        let (mut replies, answered) =
            (client.try_clone().unwrap(), Arc::new(AtomicBool::new(false)));
        let seen = Arc::clone(&answered);
        let reading = thread::spawn(move || {
            let mut buffer = vec![0; 1 << 20];
            while let Ok(1..) = replies.read(&mut buffer) {
                seen.store(true, Ordering::Relaxed);
            }
        });
        let asking = thread::spawn(move || {
            let pings = [0, 0, 0, 8, 255, 255, 255, 254, 0, 0, 0, 11].repeat(20_000);
            while client.write_all(&pings).is_ok() {}
        });
        while !answered.load(Ordering::Relaxed) {
            tokio::task::yield_now().await;
        }
        stop.send_replace(true);
        timeout(Duration::from_secs(5), serving).await.expect("it stops").unwrap();
        asking.join().unwrap();
        reading.join().unwrap();
        server.log.shutdown().await;
    }
}
