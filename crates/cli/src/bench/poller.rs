//! Which sockets are ready: a thin, safe cover over epoll, level-triggered.
//!
//! Level-triggered, because one read that takes what is there is then enough; the next wait
//! reports what came meanwhile.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{Timespec, epoll};

/// A set of sockets, each known by a token of the caller's choice.
#[derive(Debug)]
pub(super) struct Poller {
    epoll: OwnedFd,
    /// Tokens of the sockets that the last wait found ready.
    ready: Vec<usize>,
}

/// Events taken from the kernel at once.
const BATCH: usize = 256;

impl Poller {
    pub(super) fn new() -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        Ok(Self { epoll, ready: Vec::with_capacity(BATCH) })
    }

    /// Starts reporting when `socket` can be read.
    pub(super) fn add(&self, socket: impl AsFd, token: usize) -> io::Result<()> {
        let data = epoll::EventData::new_u64(token as u64);
        Ok(epoll::add(&self.epoll, socket, data, epoll::EventFlags::IN)?)
    }

    /// Starts reporting when `socket`, which is being connected, is so or failed to be.
    pub(super) fn add_connecting(&self, socket: impl AsFd, token: usize) -> io::Result<()> {
        let data = epoll::EventData::new_u64(token as u64);
        Ok(epoll::add(&self.epoll, socket, data, epoll::EventFlags::OUT)?)
    }

    /// Reports also when `socket` can be written, or no longer.
    pub(super) fn watch_writes(
        &self,
        socket: impl AsFd,
        token: usize,
        writes: bool,
    ) -> io::Result<()> {
        let data = epoll::EventData::new_u64(token as u64);
        let out = if writes { epoll::EventFlags::OUT } else { epoll::EventFlags::empty() };
        Ok(epoll::modify(&self.epoll, socket, data, epoll::EventFlags::IN | out)?)
    }

    /// Stops reporting `socket`.
    pub(super) fn remove(&self, socket: impl AsFd) -> io::Result<()> {
        Ok(epoll::delete(&self.epoll, socket)?)
    }

    /// Waits until a socket is ready or `timeout` is over, and gives the number of ready sockets.
    pub(super) fn wait(&mut self, timeout: Duration) -> io::Result<usize> {
        let timeout = Timespec::try_from(timeout).map_err(|_| io::ErrorKind::InvalidInput)?;
        self.ready.clear();
        let mut events = [const { MaybeUninit::uninit() }; BATCH];
        let events = match epoll::wait(&self.epoll, &mut events, Some(&timeout)) {
            Ok((events, _)) => events,
            Err(rustix::io::Errno::INTR) => return Ok(0),
            Err(error) => return Err(error.into()),
        };
        let tokens = events.iter().map(|event| usize::try_from(event.data.u64()));
        self.ready.extend(tokens.filter_map(Result::ok));
        Ok(self.ready.len())
    }

    /// The token of the `index`th ready socket of the last wait.
    pub(super) fn token(&self, index: usize) -> usize {
        self.ready[index]
    }
}
