//! A connection as the rest of the server sees it: its lane, its bell, its figures.
//!
//! The connection's own task and the apply task share a [`Link`]. The lane's lock is held
//! for the time of a few encodings and never across an await; nothing else is locked
//! while it is held.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
};

use parking_lot::Mutex;
use session::{Lane, WatcherId};
use tokio::sync::Notify;
use tree::{Owner, SessionId};

use crate::admin::ConnectionStats;

/// The shared handle of one client connection.
#[derive(Debug)]
pub(crate) struct Link {
    /// Unique for ever, across servers and restarts: a session's owner in the state.
    pub(crate) owner: Owner,
    /// The peer.
    pub(crate) remote: SocketAddr,
    /// Replies and events on their way out, and the requests that wait for the log.
    pub(crate) lane: Mutex<Lane>,
    /// Rung when the lane has something to send or the connection must close.
    pub(crate) bell: Notify,
    /// When the client was last heard, in monotonic milliseconds.
    pub(crate) heard_ms: AtomicU64,
    /// The session, once established; 0 before.
    session: AtomicI64,
    /// Whether that is a local session: this server alone knows it.
    local: AtomicBool,
    /// Set when the connection is to be dropped without another answer.
    dropped: AtomicBool,
    /// What `cons` and `stat` print.
    pub(crate) stats: Mutex<ConnectionStats>,
}

impl Link {
    /// A new connection that has not said anything yet.
    pub(crate) fn new(
        owner: Owner,
        remote: SocketAddr,
        now_ms: u64,
        stats: ConnectionStats,
    ) -> Self {
        Self {
            owner,
            remote,
            lane: Mutex::new(Lane::default()),
            bell: Notify::new(),
            heard_ms: AtomicU64::new(now_ms),
            session: AtomicI64::new(0),
            local: AtomicBool::new(false),
            dropped: AtomicBool::new(false),
            stats: Mutex::new(stats),
        }
    }

    /// The connection's key in the watch table.
    pub(crate) fn watcher(&self) -> WatcherId {
        WatcherId(self.owner.0)
    }

    /// The session that this connection was given, or [`SessionId::NONE`].
    pub(crate) fn session(&self) -> SessionId {
        SessionId(self.session.load(Ordering::Acquire))
    }

    /// Records the session that the connection is asking for or was given.
    pub(crate) fn set_session(&self, session: SessionId) {
        self.session.store(session.0, Ordering::Release);
    }

    /// Whether the session is a local one.
    pub(crate) fn is_local(&self) -> bool {
        self.local.load(Ordering::Acquire)
    }

    /// Records whether the session is a local one.
    pub(crate) fn set_local(&self, local: bool) {
        self.local.store(local, Ordering::Release);
    }

    /// Asks the connection's task to close the socket. From here on nothing is answered and no
    /// event is told, whatever the task is at: what was answered before may still be sent.
    pub(crate) fn drop_silently(&self) {
        self.lane.lock().close();
        self.dropped.store(true, Ordering::Release);
        self.bell.notify_one();
    }

    /// Whether [`Self::drop_silently`] was called.
    pub(crate) fn is_dropped(&self) -> bool {
        self.dropped.load(Ordering::Acquire)
    }
}
